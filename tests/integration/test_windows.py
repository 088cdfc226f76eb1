"""devproxy where Python has only what it has on Windows: a stand-in, not Windows (``tests/support/windows``).

The interpreter that runs devproxy lacks uvloop, Unix sockets, user numbers, poll(2), SIGHUP and the like, and its event
loop has the interface of asyncio's proactor.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.answering import AnsweringUpstream
from tests.support.gateway_process import INSTALLED, ROOT
from tests.support.processes import Program, free_port, parsed, wait_for
from websockets.asyncio.client import connect

pytestmark = pytest.mark.skipif(bool(INSTALLED), reason="an installed devproxy has an interpreter of its own")

STAND_IN = ROOT / "tests" / "support" / "windows"
FILE = """
[server]
listen = "localhost:{listen}"
drain_s = 0.3

[upstreams]
backend = "http://localhost:{backend}"

[[routes]]
path = "/"
upstream = "backend"
"""


@pytest.fixture(autouse=True)
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for what stands for pipes, short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as folder:
        monkeypatch.setenv("SIMULATED_PIPES", folder)
        yield


def environment_in(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(STAND_IN), str(ROOT)]),
        "LOCALAPPDATA": str(folder / "local"),
        "USERPROFILE": str(folder),
        "HOME": str(folder),
    }


@contextmanager
def windows(
    folder: Path, *arguments: str, code: str = "from devproxy.__main__ import main; main()"
) -> Iterator[Program]:
    """A devproxy that runs, and has said that it is ready."""
    command = [sys.executable, "-c", code, "up", "--log", "json", *arguments]
    with Program(command, name="devproxy", cwd=folder, environment=environment_in(folder)) as program:
        program.json_line(lambda event: event["event"] == "ready", "that it is ready")
        yield program


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devproxy", *arguments]
    environment = {**os.environ, **environment_in(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False)


def events(program: Program) -> list[dict[str, Any]]:
    return [event for line in list(program.out) if (event := parsed(line))]


def urls_of(program: Program) -> str:
    return str(events(program)[0]["urls"][0])


def answer(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        return bytes(response.read())


@pytest.fixture
async def backend() -> AsyncIterator[AnsweringUpstream]:
    async with AnsweringUpstream() as upstream:
        yield upstream


async def test_requests_websockets_crowds_and_moves(backend: AnsweringUpstream, tmp_path: Path) -> None:
    file, first, second = tmp_path / "devproxy.toml", free_port(), free_port()
    file.write_text(FILE.format(listen=first, backend=backend.port))
    with windows(tmp_path) as program:
        assert [await asyncio.to_thread(answer, f"http://{host}:{first}/") for host in ("127.0.0.1", "[::1]")] == [
            b"ok"
        ] * 2
        async with connect(f"ws://localhost:{first}/socket", proxy=None, close_timeout=0.1) as tunnel:
            crowd = [asyncio.to_thread(answer, f"http://localhost:{first}/{number}") for number in range(100)]
            assert set(await asyncio.gather(*crowd)) == {b"ok"}
            file.write_text(FILE.format(listen=second, backend=backend.port))
            await asyncio.to_thread(program.json_line, lambda event: event["event"] == "config_applied", "the new port")
            assert await asyncio.to_thread(answer, f"http://localhost:{second}/") == b"ok"
            await tunnel.send("still here")
            assert await tunnel.recv() == "still here"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", first)
        assert await asyncio.to_thread(program.stop, signal.SIGINT) == 0
        assert not [event for event in events(program) if event["event"] == "trouble"]
        assert not program.err


async def test_it_is_found_by_its_pipe_and_shows_its_inspector(backend: AnsweringUpstream, tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(FILE.format(listen=0, backend=backend.port))
    with windows(tmp_path) as program:
        notes = tmp_path / "local" / "devproxy" / "run"
        wait_for(lambda: list(notes.glob("*.pipe")), "the note about the pipe")
        listed = await asyncio.to_thread(run, tmp_path, "list", "--json")
        (one,) = json.loads(listed.stdout)
        assert (one["pid"], one["urls"], one["folder"]) == (program.pid, [urls_of(program)], str(tmp_path))
        page = await asyncio.to_thread(answer, f"{urls_of(program)}__devproxy/")
        assert b"<!doctype html>" in page.lower()
        recorded = asyncio.create_task(asyncio.to_thread(run, tmp_path, "record", "x.har", "--for", "1"))
        while not recorded.done():
            await asyncio.to_thread(answer, f"{urls_of(program)}recorded")
        assert (await recorded).returncode == 0
        entries = json.loads((tmp_path / "x.har").read_text())["log"]["entries"]
        assert {entry["request"]["url"] for entry in entries} == {f"{urls_of(program)}recorded"}
        assert await asyncio.to_thread(program.stop, signal.SIGTERM) == 0
        assert list(notes.iterdir()) == []


async def test_a_stop_that_hangs_is_ended_by_force(backend: AnsweringUpstream, tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(FILE.format(listen=0, backend=backend.port))
    hanging = (
        "from devproxy.gateway.app import Gateway\n"
        "async def stop(self):\n    while True: pass\n"
        "Gateway.stop = stop\n"
        "from devproxy.__main__ import main; main()"
    )
    with windows(tmp_path, code=hanging) as program:
        assert await asyncio.to_thread(program.stop, signal.SIGINT, timeout_s=5) == 1
        assert any("most recent call first" in line for line in program.err)


async def test_an_upstream_on_a_unix_socket_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = FILE.format(listen=0, backend=1).replace("http://localhost:1", "unix:/run/app.sock")
    (tmp_path / "devproxy.toml").write_text(file)
    with windows(tmp_path) as program:
        state = program.json_line(lambda event: event["event"] == "upstream_state", "that it does not answer")
        assert "Unix sockets" in state["detail"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("routes",),
        ("explain", "/api/"),
        ("explain", "/", "--send"),
        ("list",),
        ("doctor",),
        ("trust",),
        ("schema",),
    ],
    ids=" ".join,
)
async def test_the_other_commands_run(backend: AnsweringUpstream, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "devproxy.toml").write_text(FILE.format(listen=8080, backend=backend.port))
    done = await asyncio.to_thread(run, tmp_path, *arguments)
    assert done.returncode in (0, 1), done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
