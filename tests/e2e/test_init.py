"""``devproxy init`` on real servers: what each of them is, and what is proposed for a real project that runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from devproxy.config import load
from devproxy.init import kinds
from devproxy.init.asking import ask_all
from devproxy.init.evidence import Server, Whose
from devproxy.init.identify import server_of
from devproxy.init.kinds import Kind
from devproxy.platforms.listeners import Listener
from tests.e2e.harness import ChatExample, StartServer, python_server
from tests.support.gateway_process import ENVIRONMENT
from tests.support.processes import parsed

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON: dict[str, tuple[Kind, str]] = {
    "flask": (kinds.FLASK, ""),
    "flask-socketio": (kinds.FLASK, "Flask-SocketIO"),
    "django": (kinds.DJANGO, ""),
    "django-asgi": (kinds.DJANGO, ""),
    "fastapi": (kinds.FASTAPI, ""),
    "fastapi-socketio": (kinds.FASTAPI, "python-socketio (uvicorn)"),
    "aiohttp": (kinds.AIOHTTP, ""),
}


def asked(port: int, *paths: str) -> Server:
    """What ``init`` takes the server on `port` for."""
    (heard,) = asyncio.run(ask_all([Listener(port, "127.0.0.1", 1, "x", "/p")], ["/socket.io/", *paths]))
    found = server_of(heard, Whose.OURS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def python_ports() -> Iterator[dict[str, int]]:
    with python_server(ROOT / "tests/e2e/python/init_servers.py", {}) as server:
        said = next(found for line in server.out if (found := parsed(line)) and "ports" in found)
        yield said["ports"]


@pytest.mark.parametrize("name", PYTHON)
def test_frameworks_of_python(name: str, python_ports: dict[str, int]) -> None:
    kind, engine = PYTHON[name]
    found = asked(python_ports[name], "/ws/")
    assert (found.kind, found.engine.name if found.engine else "") == (kind, engine)
    if engine:
        assert found.engine is not None
        assert (found.engine.path, found.engine.eio) == ("/ws/" if name == "fastapi-socketio" else "/socket.io/", 4)


@pytest.mark.parametrize(("major", "name", "eio"), [(2, "2", 3), (3, "3 or 4", 4), (4, "4", 4)], ids=["v2", "v3", "v4"])
def test_versions_of_socketio(major: int, name: str, eio: int, shared_server: StartServer) -> None:
    server = shared_server("socketio", major=major, options={"path": "/live"} if major == 4 else {})
    engine = asked(server.port, "/live/").engine
    assert engine is not None
    assert (engine.name, engine.eio) == (f"Socket.IO {name} (Node)", eio)
    assert engine.path == ("/live/" if major == 4 else "/socket.io/")


def test_express(shared_server: StartServer) -> None:
    found = asked(shared_server("express").port)
    assert (found.kind, found.engine) == (kinds.EXPRESS, None)


def test_what_is_proposed_for_a_project_that_runs_is_its_own_configuration(chat_example: ChatExample) -> None:
    own = load((chat_example.folder / "devproxy.toml").read_bytes(), source="own")
    (chat_example.folder / "devproxy.toml").rename(chat_example.folder / "own.toml")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.init_here", str(chat_example.folder), "init", "--print"],
            cwd=chat_example.folder,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        (chat_example.folder / "own.toml").rename(chat_example.folder / "devproxy.toml")
    assert done.returncode == 0, done.stderr
    proposed = load(done.stdout.encode(), source="proposed")
    servers = [sorted(one.servers[0].port for one in config.upstreams) for config in (own, proposed)]
    assert servers[0] == servers[1]
    routes = [{route.pattern for route in config.routes} for config in (own, proposed)]
    assert {"/socket.io/", "/api/", "/"} <= routes[1]
    assert routes[1] <= routes[0] | {"/health/", "/events/"}
    assert "nothing was found: pages ask the address that they came from" in done.stderr
