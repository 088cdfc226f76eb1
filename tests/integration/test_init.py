"""``devproxy init`` as a person runs it, on servers that run in a project's folder."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from devproxy.config import load
from devproxy.init.asking import ask_all
from devproxy.init.evidence import Whose
from devproxy.init.identify import server_of
from devproxy.platforms.listeners import Listener
from tests.support.certificates import server_context
from tests.support.gateway_process import ENVIRONMENT, GatewayProcess
from tests.support.processes import PATIENCE_S, Program, free_port, wait_for
from tests.support.tls_servers import answering, serving

ROOT = Path(__file__).resolve().parent.parent.parent
API = """
import json, socketio
from aiohttp import web

@web.middleware
async def tell(request, handler):
    print(json.dumps({"asked": f"{request.method} {request.path_qs}"}), flush=True)
    return await handler(request)

sockets = socketio.AsyncServer(async_mode="aiohttp")
app = web.Application(middlewares=[tell])
sockets.attach(app)
app.router.add_get("/items", lambda _: web.json_response(["a"]))

async def main():
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    import asyncio
    await asyncio.Event().wait()

import asyncio
asyncio.run(main())
"""
ODD = """
import json, socket, threading, time

def serve(answer):
    listener = socket.create_server(("127.0.0.1", 0))
    def run():
        while True:
            one, _ = listener.accept()
            threading.Thread(target=answer, args=(one,), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]

def drip(one):
    for byte in b"HTTP/1.1 200 OK\\r\\n" + b"x: y\\r\\n" * 9999:
        one.sendall(bytes([byte]))
        time.sleep(0.2)

def endless(one):
    one.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    while True:
        one.sendall(b"x" * 65536)

kinds = [lambda one: time.sleep(99), drip, endless, lambda one: one.sendall(b"\\x00\\x1b[2J\\xff" * 99),
         lambda one: one.close(), lambda one: one.sendall(b"HTTP/1.1 200 OK\\r\\n" + b"a: b\\r\\n" * 99999)]
print(json.dumps({"ports": [serve(kind) for kind in kinds]}), flush=True)
time.sleep(999)
"""


class Project:
    """A folder with a page and a backend. ``page`` and ``api``: the ports of the servers that run in it, 0: none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.page = self.api = 0
        self.running = ExitStack()
        for name in ("web", "api"):
            (folder / name).mkdir(parents=True)
        (folder / "web/index.html").write_text("<!doctype html><title>a page</title>")
        (folder / "web/app.js").write_text('fetch("http://localhost:1/items");\n')
        (folder / "api/requirements.txt").write_text("aiohttp\npython-socketio\n")
        (folder / "api/app.py").write_text(API)
        self.file = folder / "devproxy.toml"

    def start(self) -> None:
        """Start both servers."""
        self.backend = self.program("api", sys.executable, "app.py")
        self.api = self.backend.json_line(lambda said: "port" in said, "its port")["port"]
        self.page = free_port()
        command = (sys.executable, "-u", "-m", "http.server", str(self.page), "--bind", "127.0.0.1")
        self.program("web", *command).line("Serving HTTP")

    def program(self, folder: str, *command: str) -> Program:
        return self.running.enter_context(Program(command, name=folder, cwd=self.folder / folder))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.support.init_here", str(self.folder), "init", *arguments]

    def init(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``devproxy init`` in the folder, without a terminal."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "shop")
    with made.running:
        yield made


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One with both servers, for every test that does not change it but for what is written."""
    made = Project(tmp_path_factory.mktemp("project") / "shop")
    with made.running:
        made.start()
        yield made


@pytest.fixture
def running(started: Project) -> Iterator[Project]:
    yield started
    for folder in (started.folder.parent, started.folder, started.folder / "api"):
        file = folder / "devproxy.toml"
        if file.is_dir():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)


def test_what_is_written_serves_the_project_and_the_second_run_changes_nothing(running: Project) -> None:
    done = running.init("--yes")
    assert done.returncode == 0, done.stderr
    assert "next: devproxy up" in done.stderr
    assert done.stdout == ""
    text = running.file.read_text()
    config = load(text.encode(), source="x")
    assert {one.name: one.servers[0].port for one in config.upstreams} == {
        "frontend": running.page,
        "backend": running.api,
    }
    gateway = GatewayProcess(cwd=running.folder)
    try:
        assert "a page" in urlopen(gateway.url, timeout=10).read().decode()
        assert json.load(urlopen(f"{gateway.url}items", timeout=10)) == ["a"]
        assert b'"sid"' in urlopen(f"{gateway.url}socket.io/?EIO=4&transport=polling", timeout=10).read()
    finally:
        gateway.stop()
    again = running.init("--yes")
    assert again.returncode == 2
    assert "already says what is proposed" in again.stderr
    assert "is not overwritten" in again.stderr
    assert "devproxy init --print" in again.stderr
    assert running.file.read_text() == text


def test_servers_are_asked_for_a_page_and_a_session_and_nothing_else(running: Project) -> None:
    seen = len(running.backend.out)
    running.init("--print")

    def asked() -> set[str]:
        return {json.loads(line)["asked"] for line in running.backend.out[seen:] if '"asked"' in line}

    wait_for(lambda: len(asked()) >= 2, "that both were asked")
    assert asked() == {"GET /", "GET /socket.io/?EIO=4&transport=polling"}


def test_printing_writes_nothing_and_keeps_the_report_apart(running: Project) -> None:
    done = running.init("--print")
    assert done.returncode == 0
    load(done.stdout.encode(), source="x")
    assert "what runs on this machine" in done.stderr
    assert 'app.js:1  fetch("http://localhost:1/items")  write fetch("/items")' in done.stderr
    assert not running.file.exists()


def test_without_a_terminal_nothing_is_written_and_what_to_type_is_said(running: Project) -> None:
    done = running.init("--backend-path", "/items/")
    assert done.returncode == 2
    assert "help: to write it:  devproxy init --backend-path /items/ --yes" in done.stderr
    assert 'path = "/items/"' in done.stdout
    assert not running.file.exists()


def test_a_file_that_is_there_is_compared_and_kept(running: Project) -> None:
    old = '[upstreams]\nold = "http://localhost:1"\n[[routes]]\npath = "/"\nupstream = "old"\n'
    running.file.write_text(old)
    done = running.init("--yes")
    assert done.returncode == 2
    assert "upstream old removed" in done.stderr
    assert "upstream backend added" in done.stderr
    assert running.file.read_text() == old


@pytest.mark.parametrize("kind", ["link", "folder", "broken"])
def test_whatever_has_the_name_is_not_replaced(running: Project, kind: str) -> None:
    if kind == "link":
        running.file.symlink_to(running.folder / "elsewhere.toml")
    elif kind == "folder":
        running.file.mkdir()
    else:
        running.file.write_text("[[[")
    done = running.init("--yes")
    assert done.returncode == 2
    assert "is not overwritten" in done.stderr
    assert not (running.folder / "elsewhere.toml").exists()


def test_of_several_at_once_one_writes(running: Project) -> None:
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(running.init("--yes").returncode)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 2, 2]
    load(running.file.read_bytes(), source="x")


def test_servers_that_are_not_servers_cost_their_time_and_no_more(project: Project) -> None:
    odd = project.program("web", sys.executable, "-c", ODD)
    ports = odd.json_line(lambda said: "ports" in said, "its ports")["ports"]
    started = time.monotonic()
    done = project.init("--print")
    assert time.monotonic() - started < 8
    assert done.returncode == 0, done.stderr
    assert not any(f":{port}" in done.stdout for port in (ports[0], ports[3], ports[4]))
    assert "no answer of HTTP" in done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()


def test_a_server_of_https_is_asked_in_tls_and_its_certificate_is_not_checked() -> None:
    with serving(answering(server_context())) as port:
        (heard,) = asyncio.run(ask_all([Listener(port, "127.0.0.1")], ["/s/"]))
    found = server_of(heard, Whose.OURS)
    assert found is not None
    assert found.url == f"https://localhost:{port}"


def test_what_refuses_connections_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    assert asyncio.run(ask_all([Listener(port, "127.0.0.1"), Listener(port, "")], ["/s/"])) == []


def test_a_server_that_compiles_for_long_is_known_by_the_project_in_its_folder(project: Project) -> None:
    (project.folder / "web/package.json").write_text('{"dependencies": {"next": "16"}}')
    node = project.folder.parent / "node"
    node.symlink_to(os.path.realpath(sys.executable))  # a program is called as it was started
    odd = project.program(
        "web", str(node), "-c", ODD.replace("kinds = [", "kinds = [lambda one: time.sleep(99)][:1] or [")
    )
    (port,) = odd.json_line(lambda said: "ports" in said, "its ports")["ports"]
    done = project.init("--print")
    assert "Next, running now in web; it was too slow to answer." in done.stdout
    assert f'frontend = "http://localhost:{port}"' in done.stdout


def test_nothing_at_all_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    empty = Project(tmp_path / "shop")
    for name in ("api/requirements.txt", "api/app.py", "web/app.js"):
        (empty.folder / name).unlink()
    done = empty.init()
    assert done.returncode == 2
    assert "error: nothing here says which servers you have" in done.stderr
    assert "help: start your dev server and your backend first" in done.stderr
    assert not empty.file.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--yes", "--print"], "one of them is meant"),
        (["none"], "cannot look at none: no such file"),
        (["web/index.html"], "is a file"),
        (["--backend", "x"], "--backend: "),
        (["--backend-path", "api"], "--backend-path: "),
        (["--frontend", "5173", "--backend", "1", "--backend-path", "/"], "leaves nothing to the frontend"),
        (["--frontend", "1", "--frontend", "2"], "given twice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_refused(project: Project, arguments: list[str], words: str) -> None:
    done = project.init(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "help: " in done.stderr


def test_paths_without_a_backend_are_refused(project: Project) -> None:
    (project.folder / "web/app.js").unlink()
    done = project.init("--frontend", "5173", "--backend-path", "/x/", "web")
    assert done.returncode == 2
    assert "--backend-path: no backend was found" in done.stderr


def test_named_servers_are_taken_whatever_runs(project: Project) -> None:
    done = project.init("--print", "--frontend", "http://web.test:5173", "--backend", "3999")
    servers = {one.name: one.servers[0].url for one in load(done.stdout.encode(), source="x").upstreams}
    assert servers == {"frontend": "http://web.test:5173", "backend": "http://localhost:3999"}


def test_a_folder_above_and_another_folder(running: Project) -> None:
    (running.folder.parent / "devproxy.toml").write_text("")
    assert "../devproxy.toml counts here until now" in running.init("--print").stderr
    done = running.init("--yes", "api")
    assert done.returncode == 0
    assert "next: devproxy up --config api/devproxy.toml" in done.stderr
    assert (running.folder / "api/devproxy.toml").exists()


class AtTerminal:
    """``devproxy init`` with a terminal. ``said``: what it wrote there."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            project.command(*arguments),
            cwd=project.folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.said = ""

    def hears(self, words: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while words not in self.said:
            assert time.monotonic() < until, self.said
            if select.select([self._master], [], [], 0.1)[0]:
                self.said += os.read(self._master, 65536).decode()

    def types(self, typed: bytes) -> None:
        os.write(self._master, typed)

    def ends(self, typed: bytes) -> int:
        """Type and return the exit code."""
        os.write(self._master, typed)
        with suppress(OSError):
            while data := os.read(self._master, 65536):
                self.said += data.decode()
        code = self._process.wait(30)
        os.close(self._master)
        return code


@pytest.mark.parametrize(
    ("typed", "code", "is_written"),
    [(b"\n", 0, True), (b"Yes\n", 0, True), (b"what?\ny\n", 0, True), (b"n\n", 1, False), (b"\x04", 1, False)],
    ids=["enter", "yes", "asked-again", "no", "end"],
)
def test_it_asks_before_it_writes(project: Project, typed: bytes, code: int, is_written: bool) -> None:
    terminal = AtTerminal(project, "--frontend", "5173", "--backend", "3001")
    terminal.hears("Write this to devproxy.toml? [Y/n]")
    assert terminal.ends(typed) == code
    assert project.file.exists() is is_written
    assert ("nothing was written" in terminal.said) is not is_written


def test_ctrl_c_writes_nothing(project: Project) -> None:
    terminal = AtTerminal(project, "--frontend", "5173", "--backend", "3001")
    terminal.hears("[Y/n]")
    assert terminal.ends(b"\x03") == 130
    assert not project.file.exists()


def test_it_asks_which_paths_the_backend_gets_where_a_framework_has_some(project: Project) -> None:
    (project.folder / "api/app.py").unlink()
    (project.folder / "web/package.json").write_text('{"dependencies": {"next": "16"}}')
    (project.folder / "web/app/api/auth/[...all]").mkdir(parents=True)
    (project.folder / "web/app/api/auth/[...all]/route.ts").write_text("")
    terminal = AtTerminal(project, "--backend", "3001")
    terminal.hears("Next answers /api/auth itself")
    terminal.hears("paths, with spaces between them:")
    terminal.types(b"api\n/\n/socket.io/ /api/v1/\n")
    terminal.hears("[Y/n]")
    assert terminal.ends(b"\n") == 0
    assert "not running yet: frontend (http://localhost:3000), backend (http://localhost:3001)" in terminal.said
    routes = [route.pattern for route in load(project.file.read_bytes(), source="x").routes]
    assert routes == ["/socket.io/", "/api/v1/", "/"]
