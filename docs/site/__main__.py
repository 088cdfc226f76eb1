"""Write the site, and with ``--serve`` show it on this machine while the documents change.

``python -m docs.site [--serve] [FOLDER]``; FOLDER is ``build/docs``, its ``html`` the site. Exit code 1: a link leads
nowhere, or Sphinx has something to say; standard error has it, with file and line.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from docs.house import ROOT
from docs.site import pages

SETTINGS = Path(__file__).resolve().parent


def files() -> list[str]:
    """Return the path of every file that is the repository's: what is ignored is not."""
    if git := shutil.which("git"):
        command = [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        listed = sorted(path for path in done.stdout.split("\0") if path and (ROOT / path).is_file())
        if pages.HOME in listed:
            return listed
    # An archive of the source has no repository; what is not the project's is known by its name.
    skipped = {"node_modules", "build", "dist"}
    relative = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    own = (path for path in relative if not path.parts[0].startswith(".venv"))
    return sorted(path.as_posix() for path in own if not skipped & set(path.parts))


def helps() -> dict[str, str]:
    """Return what each command prints for ``--help``; ``""`` is devproxy without one, whose help lists the others."""

    def printed(*words: str) -> str:
        command = [sys.executable, "-m", "devproxy", *words, "--help"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    own = printed()
    names = re.findall(r"^    ([a-z]+) +\S", own.partition("\ncommands:")[2].partition("\n\n")[0], re.MULTILINE)
    return {"": own, **{name: printed(name) for name in names}}


def prepare(source: Path) -> None:
    """Write what Sphinx reads into the folder `source`. Raises :class:`docs.site.pages.LostLink`."""
    every = files()
    names = pages.layout(path for path in every if pages.SHOWN.fullmatch(path))
    shutil.rmtree(source, ignore_errors=True)
    wanted: set[str] = set()
    texts = {pages.COMMANDS: pages.commands(helps())}
    for path, name in names.items():
        texts[name], used = pages.page(path, (ROOT / path).read_text(encoding="utf-8"), names, every)
        wanted |= used
    texts["index.md"] += pages.contents(pages.navigation(texts))
    for name, text in texts.items():
        _written(source / name).write_text(text, encoding="utf-8", newline="\n")
    for path in wanted:
        # Twice: below `extra` for the HTML in documents, which Sphinx copies as it is.
        for folder in (source, source / "extra"):
            shutil.copyfile(ROOT / path, _written(folder / pages.FILES / path))


def _written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def build(folder: Path) -> bool:
    """Write the site into ``folder/html``; False if something is wrong with it, which standard error says."""
    try:
        prepare(folder / "source")
    except pages.LostLink as lost:
        sys.stderr.write(f"error: {lost}\n")
        return False
    command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-j", "2", "-b", "html", "-c", SETTINGS]
    extra = f"html_extra_path={folder / 'source' / 'extra'}"
    places = ["-D", extra, "-d", folder / "cache", folder / "source", folder / "html"]
    shutil.rmtree(folder / "html", ignore_errors=True)
    return subprocess.run([sys.executable, *map(str, command + places)], cwd=ROOT, check=False).returncode == 0


def serve(folder: Path) -> None:
    """Show the site on this machine, and write it again when a document changes, until Ctrl-C."""
    from watchfiles import watch

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing of what is asked for."""

    handler = functools.partial(Handler, directory=str(folder / "html"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stderr.write(f"http://localhost:{server.server_port}/  (Ctrl-C ends it)\n")
        documents = [path for path in map(ROOT.joinpath, files()) if path.suffix == ".md"]
        for _ in watch(*{path.parent for path in documents}, recursive=False, raise_interrupt=False):
            sys.stderr.write("written again\n" if build(folder) else "not written: see above\n")
        server.shutdown()


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Write the documents as a site.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs")
    parser.add_argument("--serve", action="store_true", help="show it on this machine while the documents change")
    options = parser.parse_args()
    folder = options.folder.resolve()
    is_written = build(folder)
    if options.serve and (folder / "html" / "index.html").exists():
        serve(folder)
    elif is_written:
        sys.stderr.write(f"the site is in {folder / 'html'}\n")
    return 0 if is_written else 1


if __name__ == "__main__":
    sys.exit(main())
