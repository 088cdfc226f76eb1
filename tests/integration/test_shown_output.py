"""What the documents show as output is what the program prints, but for times, sizes and ports."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import groupby
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support.processes import Program, free_port, wait_for
from tests.support.restartable import RestartableServer

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```console\n\$ (devproxy (\w+)[^\n]*)\n(?!```)(.+?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (document, command, shown)
    for document in DOCUMENTS
    for command, name, shown in BLOCK.findall(document.read_text(encoding="utf-8"))
    if name not in ("up", "doctor")  # what needs servers has a test of its own
]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}


def shown_after(name: str) -> list[list[str]]:
    """The lines that a document shows of each `devproxy up`."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [block.splitlines() for _, command, block in BLOCK.findall(text) if command == "up"]


def normalised(lines: list[str]) -> list[str]:
    """`lines` without what differs from run to run, and without the spaces that a longer port costs."""
    kept = []
    for line in lines:
        text = re.sub(r"^\d\d:\d\d:\d\d", "TIME", line.strip())
        text = re.sub(r"(localhost|127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT", text)
        text = re.sub(r"\d+(\.\d+)? (ms|s)\b", "SPAN", text)
        text = re.sub(r"\d+(\.\d+)? k?B\b", "SIZE", text)
        text = re.sub(r"×[\d,]+", "×N", text)
        kept.append(re.sub(r" +", " ", text))
    return [text for text in kept if text]


@pytest.mark.parametrize(("document", "command", "shown"), BLOCKS, ids=[command for _, command, _ in BLOCKS])
def test_a_command_prints_what_a_document_shows_below_it(
    document: Path, command: str, shown: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=tmp_path,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout + done.stderr).rstrip("\n") == shown.rstrip("\n"), document


BEFORE = """\
[server]
listen = "localhost:0"
[upstreams]
backend = "http://localhost:{port}"
[[routes]]
path = "/api/"
upstream = "backend"
cors = "strip"
"""
WRONG = """\
[server]
listen = "localhost:0"

[upstreams]
backend = "http://localhost:{port}"

[[routes]]
pth = "/api/"
upstream = "backend"
"""


@contextmanager
def up(tmp_path: Path, *options: str) -> Iterator[Program]:
    command = [sys.executable, "-m", "devproxy", "up", *options]
    with Program(command, name="devproxy", cwd=tmp_path, environment=ENVIRONMENT) as program:
        yield program


def test_a_reload_says_what_its_page_shows(tmp_path: Path) -> None:
    good, wrong = shown_after("docs/reload.md")
    file, port = tmp_path / "devproxy.toml", free_port()
    file.write_text(BEFORE.format(port=port))
    with up(tmp_path) as program:
        wait_for(lambda: any("watching" in line for line in program.err), "the banner")
        changed = BEFORE.format(port=port).replace("strip", "rewrite")
        file.write_text(changed + '[[routes]]\npath = "/socket.io/"\nupstream = "backend"\n')
        wait_for(lambda: any(line.strip() == good[-1].strip() for line in program.err), good[-1])
        file.write_text(WRONG.format(port=port))
        wait_for(lambda: any(line == wrong[-1] for line in program.err), wrong[-1])
    said = normalised(program.err)
    for block in (normalised(good), normalised(wrong)):
        start = said.index(block[0])
        assert [line for line in said[start:] if line in block] == block


class Handler(BaseHTTPRequestHandler):
    """Answers anything, and closes: what is kept alive would outlive its server here."""

    def answer(self) -> None:
        self.send_response(404 if self.path == "/favicon.ico" else 200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"answer")

    do_GET = do_POST = answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def test_a_page_and_its_polls_are_counted_as_the_page_on_the_log_shows(tmp_path: Path) -> None:
    [shown] = shown_after("docs/log.md")
    server = RestartableServer(0, Handler)
    servers = ("--frontend", str(server.server_port), "--backend", str(server.server_port))
    with up(tmp_path, *servers, "--listen", "localhost:0") as program:
        local = wait_for(lambda: next((line for line in program.err if "Local:" in line), ""), "the banner")
        wait_for(lambda: any("from the command line" in line for line in program.err), "the end of the banner")

        def ask(path: str, destination: str, data: bytes | None = None) -> None:
            asked = Request(local.split()[-1] + path, data, {"Sec-Fetch-Dest": destination})
            try:
                with urlopen(asked, timeout=30) as answer:
                    answer.read()
            except HTTPError as error:
                error.close()

        def shows(words: str) -> None:
            wait_for(lambda: any(words in line for line in program.err), words)

        ask("", "document")
        for number in range(30):
            ask(f"src/{number}.js", "script")
        ask("favicon.ico", "image")
        shows("files")
        ask("api/items", "empty")
        for number in range(20):
            ask(f"socket.io/?EIO=4&transport=polling&t={number}&sid=abc", "empty", b"3" if number % 5 == 4 else None)
        ask("", "document")
        shows("polls, POST")
        wait_for(lambda: normalised(program.err[-1:]) == normalised(shown[-1:]), "the last line")
    server.stop()
    said = [line for line, _ in groupby(normalised(program.err)) if re.match("TIME (GET|POST)", line)]
    assert said == normalised(shown)


def test_the_first_ten_seconds_are_what_the_tour_shows(tmp_path: Path) -> None:
    [shown] = shown_after("docs/tour.md")
    frontend, port = RestartableServer(0, Handler), free_port()
    backend = RestartableServer(port, Handler)
    servers = ("--frontend", str(frontend.server_port), "--backend", str(port))
    with up(tmp_path, *servers, "--listen", "localhost:0") as program:
        local = wait_for(lambda: next((line for line in program.err if "Local:" in line), ""), "the banner")
        wait_for(lambda: any("from the command line" in line for line in program.err), "the end of the banner")
        url = local.split()[-1]
        for path in ("/", "/src/main.js", "/api/items", "/socket.io/?EIO=4&transport=polling"):
            urlopen(url + path[1:], timeout=30).read()
        backend.stop()
        with pytest.raises(HTTPError) as refused:
            urlopen(url + "api/items", data=b"", timeout=30)
        refused.value.close()
        waiting = threading.Thread(target=lambda: urlopen(url + "api/items", timeout=30).read())
        waiting.start()
        wait_for(lambda: any("waits for backend" in line for line in program.err), "that somebody waits")
        again = RestartableServer(port, Handler)
        waiting.join()
        wait_for(lambda: sum("GET 200" in " ".join(line.split()) for line in program.err) == 5, "the last request")
        again.stop()
    frontend.stop()
    said = normalised(program.err)
    # A terminal cuts the middle out of what is too wide for it; a pipe does not.
    patterns = [re.escape(line).replace("…", ".*") for line in normalised(shown)]
    missing = [pattern for pattern in patterns if not any(re.fullmatch(pattern, line) for line in said)]
    assert not missing, "\n".join(said)


def test_the_readme_shows_lines_of_the_run_of_doctor_that_the_tour_shows_whole() -> None:
    whole = (
        (ROOT / "docs" / "tour.md").read_text(encoding="utf-8").partition("$ devproxy doctor ")[2].partition("```")[0]
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("the whole of this run")[2].partition("```text\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 8
    assert [line for line in shown if line != "…" and line not in whole.splitlines()] == []
