"""``devproxy init``: looks at what runs and at the project, and writes a ``devproxy.toml`` if it may.

What is looked at, and what follows from it, is :mod:`devproxy.init`'s. The configuration goes to standard output,
everything that is said about it to standard error. Start at :func:`run`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from shlex import quote

from devproxy.cli.files import FILE_NAME, find_upward, is_named
from devproxy.cli.new_files import write_new
from devproxy.cli.refusal import FAILED, FINE, MISUSED, Refused, put, wants_colour
from devproxy.config import Config, ConfigError, PathKind, load
from devproxy.config.addresses import parse_server
from devproxy.config.diff import diff
from devproxy.config.drafts import text_of
from devproxy.config.routes import check_pattern
from devproxy.console.style import Style, glyphs_for
from devproxy.gateway.system.files import read_file, reason_of
from devproxy.init.choosing import Choice, Given, choose
from devproxy.init.drafting import draft_of
from devproxy.init.evidence import Evidence
from devproxy.init.looking import look
from devproxy.init.proposal import Proposal, propose
from devproxy.init.report import lines_of
from devproxy.text.bad import BadText
from devproxy.text.safe import visible

_NEXT = "devproxy up"
_ATTEMPTS = 3


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy init``; return 0, or 1 where it was not to be written."""
    if options.yes and options.print:
        raise Refused("--yes writes a file, and --print does not: one of them is meant", "devproxy init --print")
    folder = _folder(options.folder)
    path = os.path.join(options.folder, FILE_NAME) if options.folder != os.curdir else FILE_NAME
    frontend, backend = _given("--frontend", options.frontend), _given("--backend", options.backend)
    paths = [_checked(text) for text in options.backend_path]
    style = Style(wants_colour(options.color), glyphs_for(_encoding()))
    found = _looked(folder, _above(folder))
    choice = choose(found, frontend, backend)
    may_ask = _may_ask() and not options.print and not options.yes
    proposal = propose(found, choice, choice.free_port(found.taken), paths)
    if not (choice.frontend or choice.backends):
        raise _nothing(found)
    if paths and not choice.backends:
        raise Refused("--backend-path: no backend was found", f"name it as well:  {_again(options)} --backend 3001")
    if choice.frontend is not None and any(text.rstrip("/") == "" for text in paths):
        raise Refused(
            '--backend-path: "/" leaves nothing to the frontend', "name the paths of the backend, such as /api/"
        )
    _tell("\n".join(lines_of(found, proposal, style)) + "\n")
    if may_ask and not paths and not os.path.lexists(path):
        proposal = _asked_for_paths(found, choice, proposal)
    text = text_of(draft_of(proposal, found))
    if not options.print:
        _refuse_old(path, text, _again(options))
    if options.print or not options.yes:
        put(text)
    if options.print:
        return FINE
    if not options.yes:
        if not may_ask:
            raise Refused(
                f"{path} was not written: there is no terminal to ask in",
                f"to write it:  {_again(options)} --yes",
                f"to print it alone:  {_again(options)} --print",
            )
        if not _agreed(f"\nWrite this to {path}? [Y/n] "):
            _tell("nothing was written\n")
            return FAILED
    write_new(path, text, f"{_again(options)} --print")
    is_found = options.folder == os.curdir and not is_named(None)
    start = _NEXT if is_found else f"{_NEXT} --config {quote(path)}"
    _tell(f"{style.green('wrote')} {visible(path)}\n{_waiting(choice)}next: {style.bold(start)}\n")
    return FINE


def _waiting(choice: Choice) -> str:
    """Return a line on the servers that do not run yet; empty: all do."""
    servers = [one for one in (choice.frontend, *choice.backends) if one is not None and not one.is_running]
    return f"not running yet: {', '.join(f'{one.name} ({one.url})' for one in servers)}\n" if servers else ""


def _folder(given: str) -> str:
    """Return the absolute path of the folder that is to be looked at. Raises :class:`Refused`."""
    try:
        folder = os.path.realpath(given, strict=True)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise Refused(f"cannot look at {given}: {reason}", "devproxy init FOLDER") from None
    if not os.path.isdir(folder):
        raise Refused(f"{given} is a file: devproxy init looks at a folder", "devproxy init FOLDER")
    return folder


def _above(folder: str) -> str:
    """Return the configuration of a folder above `folder` that counts there; empty: there is none."""
    if folder != os.path.realpath(os.curdir):
        return ""
    found = find_upward()
    return found if found is not None and found != FILE_NAME else ""


def _given(option: str, text: str | None) -> Given | None:
    if text is None:
        return None
    try:
        address = parse_server(text)
    except BadText as error:
        raise Refused(f"{option}: {error.what}", error.help or f"devproxy init {option} 3001") from None
    return Given(address.url, address.port, is_bare=text.isdigit())


def _checked(text: str) -> str:
    try:
        check_pattern(PathKind.PREFIX, text)
    except BadText as error:
        raise Refused(f"--backend-path: {error.what}", error.help or "devproxy init --backend-path /api/") from None
    return text


def _looked(folder: str, above: str) -> Evidence:
    try:
        return asyncio.run(look(folder, file_above=above))
    except OSError as error:
        raise Refused(f"cannot look at {folder}: {reason_of(error)}", "devproxy init FOLDER") from None


def _nothing(found: Evidence) -> Refused:
    """Return the refusal where neither a server nor a file says anything."""
    others = [server for server in found.servers if server.role is not None]
    ways = ["start your dev server and your backend first, then:  devproxy init"]
    ways.append("or name them:  devproxy init --frontend 5173 --backend 3001  (the ports of your servers)")
    ways += [
        f"{server.url} is {server.name} of {server.folder or 'a folder that is not known'}: devproxy init"
        f" --{server.role.value if server.role else 'backend'} {server.port}"
        for server in others[:5]
    ]
    return Refused("nothing here says which servers you have: none of this project runs, and no file names one", *ways)


def _asked_for_paths(found: Evidence, choice: Choice, proposal: Proposal) -> Proposal:
    """Ask which paths go to the backend where the frontend answers some of an API itself; return what follows."""
    frontend = choice.frontend
    own = [route for route in proposal.routes if frontend and route.upstream == frontend.name and route.pattern != "/"]
    if frontend is None or not own or not proposal.backend_paths:
        return proposal
    tool = frontend.kind.name if frontend.kind is not None else "The frontend"
    usual = visible(" ".join(proposal.backend_paths))
    _tell(
        f"{tool} answers {visible(', '.join(route.pattern for route in own[:6]))} itself: that stays with it.\n"
        f"Which paths go to the backend? Enter: {usual}\n"
    )
    for _ in range(_ATTEMPTS):
        words = _line("paths, with spaces between them: ").split()
        if not words:
            return proposal
        try:
            for word in words:
                check_pattern(PathKind.PREFIX, word)
                if not word.rstrip("/"):
                    raise BadText('"/" leaves nothing to the frontend', "name the paths of the backend")
        except BadText as error:
            _tell(f"error: {visible(error.what)}\n" + (f"help: {visible(error.help)}\n" if error.help else ""))
            continue
        return propose(found, choice, proposal.port, words)
    return proposal


def _refuse_old(path: str, text: str, again: str) -> None:
    """Raise where there is a file already; say first what the proposal would change about it."""
    if not os.path.lexists(path):
        return
    try:
        old: Config | None = load(read_file(path), source=path)
    except (OSError, ConfigError):
        old = None
    if old is not None:
        changes = diff(old, load(text.encode(), source=path))
        said = [f"  {change.what} {change.kind}: {change.detail}" for change in changes]
        heading = f"What would be different from {path}:" if said else f"{path} already says what is proposed."
        _tell("\n".join([heading, *said]) + "\n")
    raise Refused(
        f"{path} is there already, and is not overwritten",
        f"to see what would be written:  {again} --print",
        "or move that file away first",
        exit_code=MISUSED,
    )


def _again(options: argparse.Namespace) -> str:
    """Return the command line as it was typed, but for ``--yes``."""
    return " ".join(["devproxy", *(quote(text) for text in options.typed if text != "--yes")])


def _may_ask() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _agreed(question: str) -> bool:
    while True:
        answer = _line(question).strip().lower()
        if answer in ("", "y", "yes"):
            return True
        if answer in ("n", "no", "q", "quit"):
            return False


def _line(question: str) -> str:
    """Ask, and return what is typed; the end of the input counts as no."""
    _tell(question)
    line = sys.stdin.readline()
    if not line:
        _tell("\n")
        return "n" if "?" in question else ""
    return line


def _tell(text: str) -> None:
    if sys.stderr is not None:
        encoding = sys.stderr.encoding
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()


def _encoding() -> str:
    return sys.stderr.encoding if sys.stderr is not None else "ascii"
