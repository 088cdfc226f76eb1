"""The sockets of a process and of those below it, as the system has them: where a program is found, and found again."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest
from devproxy.platforms.holders import ports_below
from devproxy.programs import watching
from devproxy.programs.watching import PortWatch
from tests.support.processes import Program


def test_the_sockets_of_a_process_and_of_its_children_are_seen() -> None:
    text = (
        "import socket, sys; server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True); sys.stdin.read()"
    )
    inner = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {text!r}]))"
    with Program([sys.executable, "-c", inner], name="family") as program:
        port = int(program.line(""))
        found = ports_below(program.pid)
        assert found is not None
        assert port in found
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
            assert other.getsockname()[1] not in (ports_below(program.pid) or ())
    assert ports_below(program.pid) == frozenset()


async def test_a_program_that_moves_to_another_port_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_S", 0.02)
    taken = ports_below(os.getpid()) or frozenset()
    async with asyncio.timeout(20):
        watch = PortWatch(os.getpid(), lambda: taken)
        looking = asyncio.ensure_future(watch.found(None))
        await asyncio.sleep(0.2)
        assert not looking.done()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            watch.hear([f"Local: https://localhost:{port}/"])
            assert await looking == port
            assert (watch.is_tls(port), watch.is_tls(port + 1)) == (True, None)
            leaving = asyncio.ensure_future(watch.left(port))
            await asyncio.sleep(0.1)
            assert not leaving.done()
        await leaving
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert await watch.found(None) == server.getsockname()[1]


async def test_where_the_system_tells_nothing_of_sockets_words_and_connections_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "ports_below", lambda _: None)
    async with asyncio.timeout(20):
        watch = PortWatch(os.getpid(), frozenset)
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            looking = asyncio.ensure_future(watch.found(None))
            await asyncio.sleep(0.15)
            assert not looking.done()
            watch.hear([f"Local: http://localhost:{port}/"])
            assert await looking == port
