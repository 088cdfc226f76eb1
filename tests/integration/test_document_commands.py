"""Every command that a document shows is run here as it is typed, or stands in docs/not_run.toml with the reason.

What it needs is here: two servers of a developer, a devproxy in front of them, a folder with a ``devproxy.toml``, and a
home of its own. Ports are those that the system chooses, in the place of those in the document. What a command prints
is for ``test_shown_output.py``; here it must end with 0, or serve until it is ended.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import socketio  # type: ignore[import-untyped]
from aiohttp import web
from tests.support import document_commands as documents
from tests.support.app_thread import app_thread
from tests.support.document_commands import (
    Block,
    Command,
    blocks_of,
    cannot_run,
    distinct,
    programs,
    reason,
    serves,
    typed,
)
from tests.support.processes import Program, free_port, listens, wait_for

ROOT = documents.ROOT
LIMIT_S = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BLOCKS = documents.blocks()
COMMANDS = [command for block in BLOCKS for command in block.commands]
RUNS = distinct([block for block in BLOCKS if any(reason(command) is None for command in block.commands)])


def names() -> list[str]:
    """A name for each block; the second of two that are the same has a number."""
    found: list[str] = []
    for block in RUNS:
        found.append(block.name if block.name not in found else f"{block.name} ({len(found)})")
    return found


# --- what a command finds


@web.middleware
async def readable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let every page of this machine read what is answered, as a careful server does."""
    origin = request.headers.get("Origin", "")
    is_known = re.fullmatch(r"https?://(localhost|127\.0\.0\.1)(:\d+)?", origin) is not None
    if request.path.startswith(("/socket.io/", "/ws/")):
        return await handler(request)
    answer = web.Response() if request.method == "OPTIONS" else await handler(request)
    if is_known:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        answer.headers["Vary"] = "Origin"
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE"
            answer.headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization"
    return answer


def backend(page: int) -> web.Application:
    """A backend with REST and two Socket.IO servers, one at a path of its own, for the page at the port `page`."""
    app = web.Application(middlewares=[readable])
    allowed = ["http://localhost:3000", f"http://localhost:{page}"]
    for path in ("socket.io", "ws"):
        server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=allowed, namespaces="*")
        server.attach(app, socketio_path=path)

    async def items(request: web.Request) -> web.Response:
        return web.json_response({"items": []})

    app.router.add_route("*", "/{path:.*}", items)
    return app


def frontend() -> web.Application:
    app = web.Application()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<title>page</title>", content_type="text/html")

    app.router.add_route("*", "/{path:.*}", page)
    return app


class Desk:
    """Where the commands of one block are typed: a folder, a home, and what serves until the block is done."""

    def __init__(self, block: Block, servers: Mapping[str, int], folder: Path) -> None:
        self.block = block
        self.folder = folder / "project"
        self.home = folder / "home"
        self.ports = {**servers, "8080": free_port()}
        self.serving: list[Program] = []
        self.lasting: list[str] = []
        (folder / "bin").mkdir()
        self.home.mkdir()
        program = folder / "bin" / "devproxy"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m devproxy "$@"\n')
        program.chmod(0o755)
        own = {"HOME": self.home, "XDG_RUNTIME_DIR": folder, "PYTHONPATH": ROOT, "NO_COLOR": "1"}
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        self.environment = {name: str(value) for name, value in own.items()} | kept
        self.environment["PATH"] = f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        self._furnish()

    def _furnish(self) -> None:
        own = self.block.folder or Path(self.block.commands[0].document).parent.as_posix()
        if self.block.folder != "empty" and (ROOT / own / "devproxy.toml").is_file():
            shutil.copytree(ROOT / own, self.folder, ignore=shutil.ignore_patterns("node_modules"))
            text = (self.folder / "devproxy.toml").read_text(encoding="utf-8")
        else:
            self.folder.mkdir()
            text = self.block.configuration
        if self.block.folder != "empty":
            (self.folder / "devproxy.toml").write_text(typed(text, self.ports), encoding="utf-8")

    def type(self, command: Command) -> int:
        """Run `command`; return its exit code, or 0 when it serves. Raises AssertionError with what it said."""
        if re.match(r"cd |export ", command.text):
            self.lasting.append(command.text)
        if serves(command.text):
            if any(one.exit_code is None for one in self.serving):
                self.ports["8080"] = free_port()
            self.serve(typed(command.text, self.ports, self.ports["8080"]))
            return 0
        script = "\n".join([*self.lasting, typed(command.text, self.ports)])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    def serve(self, line: str) -> None:
        """Start what serves, and wait until it does."""
        script = "\n".join([*self.lasting, f"exec {line.removesuffix('&')}"])
        program = Program(["bash", "-c", script], name=line, cwd=self.folder, environment=self.environment)
        self.serving.append(program)
        known = f"{program.pid}.sock"  # by which record, list and health find it; it listens before that

        def is_there() -> bool:
            return listens(self.ports["8080"]) and any(self.home.parent.rglob(known))

        wait_for(lambda: program.exit_code is not None or is_there(), "that it serves")
        assert program.exit_code is None, "\n".join([line, *program.out, *program.err])

    def leave(self) -> list[int]:
        """End what serves; return the exit codes."""
        return [program.stop(signal.SIGTERM) for program in self.serving]


@pytest.fixture(scope="module")
def servers() -> Iterator[Mapping[str, int]]:
    with app_thread(frontend()) as page, app_thread(backend(page)) as api, app_thread(backend(page)) as other:
        yield dict.fromkeys(("5173", "3000", "4200"), page) | dict.fromkeys(("3001", "8000"), api) | {"3002": other}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dp") as name:  # short: it holds sockets
        yield Path(name)


# --- every command


@pytest.mark.parametrize("block", RUNS, ids=names())
def test_the_commands_of_a_document_do_what_they_should(block: Block, servers: Mapping[str, int], folder: Path) -> None:
    wanted = [command for command in block.commands if reason(command) is None]
    desk = Desk(block, servers, folder)
    needs_one = any(re.search(r"8080|devproxy (health|record)", command.text) for command in wanted)
    try:
        if needs_one and not any(serves(command.text) for command in wanted):
            desk.serve(f"devproxy up --listen localhost:{desk.ports['8080']}")
        for command in wanted:
            why = cannot_run(command)
            assert why is None, advice(command, why)
            code = desk.type(command)
            assert code in block.exits, advice(command, f"it ended with {code}, and said:\n{desk.said}")
    finally:
        codes = desk.leave()
    assert set(codes) <= {0}


def advice(command: Command, what: str) -> str:
    """Tell where a command is that cannot be run, and what to write for it."""
    return f"""\
{command.place}: `{command.text}`: {what}
help: correct the command; or say above its block what it needs, <!-- run: in an empty folder, exits 0 or 1 -->; or,
      if no test can run it, add it to docs/not_run.toml with the reason:
          {tomli_key(command.text)} = "…"
      CONTRIBUTING.md says more: Commands in documents"""


def tomli_key(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def test_every_command_that_is_not_run_has_a_reason_and_is_in_a_document() -> None:
    patterns = documents.not_run()
    used = {reason(command) for command in COMMANDS}
    assert [pattern for pattern in patterns if pattern not in used] == []
    assert [pattern for pattern, why in patterns.items() if len(why.split()) < 2] == []


def test_most_commands_of_devproxy_are_run() -> None:
    own = [command for command in COMMANDS if programs(command.text)[:1] == ["devproxy"]]
    left_out = [command.text for command in own if reason(command)]
    assert len(own) > 30
    assert len(left_out) * 4 < len(own), left_out


# --- how commands are found

DOCUMENT = """\
```sh
devproxy up   # a comment
devproxy routes \\
  --test GET '/a #b'
```

<!-- run: in an empty folder, exits 0 or 1 -->
```console
$ devproxy check && true | cat > file
error: no
```
"""


def test_commands_are_found_without_comments_prompts_and_output() -> None:
    first, second = blocks_of("docs/a.md", DOCUMENT, "")
    assert [(one.line, one.text) for one in first.commands] == [
        (2, "devproxy up"),
        (3, "devproxy routes --test GET '/a #b'"),
    ]
    assert [one.text for one in second.commands] == ["devproxy check && true | cat > file"]
    assert second.folder == "empty"
    assert second.exits == {0, 1}


def test_a_block_is_run_once_wherever_it_is_shown() -> None:
    text = "```sh\ndevproxy check\n```\n```sh\ndevproxy up\ndevproxy check\n```\n"
    found = [*blocks_of("a.md", text, ""), *blocks_of("b.md", text, ""), *blocks_of("c.md", text, "[server]")]
    assert [block.name for block in distinct(found)] == ["a.md: devproxy up", "c.md: devproxy up"]


def test_a_note_that_is_not_understood_is_told() -> None:
    with pytest.raises(ValueError, match=r"docs/a\.md:3: <!-- run: quickly --> is none of"):
        list(blocks_of("docs/a.md", "<!-- run: quickly -->\n```sh\nls\n```\n", ""))


@pytest.mark.parametrize(
    ("line", "expected"),
    {
        "devproxy check && npm test": ["devproxy", "npm"],
        "A=1 devproxy up > npm": ["devproxy"],
        "openssl s_client </dev/null | openssl x509 > server.pem": ["openssl", "openssl"],
        "curl 'http://localhost:8080/?a=1&b=2'; sudo rm": ["curl", "sudo"],
    }.items(),
)
def test_every_program_of_a_line_is_seen(line: str, expected: list[str]) -> None:
    assert programs(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    {
        "devproxy up 5173 3001 --tls": "devproxy up --listen localhost:9 1 2 --tls",
        "devproxy --frontend 5173": "devproxy up --listen localhost:9 --frontend 1",
        "devproxy up --port 8080": "devproxy up --port 9",
        "devproxy up --listen localhost:5173 --frontend 5173": "devproxy up --listen localhost:9 --frontend 1",
        "devproxy demo": "devproxy demo --no-open --listen localhost:9",
    }.items(),
)
def test_what_serves_is_typed_with_the_ports_of_the_test(line: str, expected: str) -> None:
    assert serves(line)
    assert typed(line, {"5173": 1, "3001": 2, "8080": 9}, 9) == expected


@pytest.mark.parametrize(
    "line", ["devproxy check", "devproxy up --help", "devproxy routes --frontend 5173", "kill 4242"]
)
def test_what_ends_on_its_own_is_waited_for(line: str) -> None:
    assert not serves(line)
