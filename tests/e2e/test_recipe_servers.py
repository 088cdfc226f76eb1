"""The servers that the recipes show, as they are shown, behind devproxy as they say: REST and Socket.IO."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
import socketio  # type: ignore[import-untyped]
from tests.e2e.harness import StartGateway
from tests.support.processes import PATIENCE_S, Program, free_port, listens, wait_for

RECIPES = Path(__file__).resolve().parent.parent.parent / "docs" / "recipes"
IN_A_TERMINAL = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
"""Flask-SocketIO starts Werkzeug's server in a terminal alone."""
SERVERS = {
    "flask-socketio": [*IN_A_TERMINAL, sys.executable, "server.py"],
    "fastapi": [sys.executable, "-m", "uvicorn", "server:app", "--port", "3001"],
}


WAYS = (["polling", "websocket"], ["websocket"])


@pytest.mark.parametrize("recipe", SERVERS)
async def test_the_server_of_a_recipe_works_as_it_is_shown(recipe: str, devproxy: StartGateway, tmp_path: Path) -> None:
    port = free_port()
    shown = re.findall(r"^```python\n(.*?)^```", (RECIPES / f"{recipe}.md").read_text("utf-8"), re.M | re.S)[0]
    (tmp_path / "server.py").write_text(shown.replace("3001", str(port)))
    command = [word.replace("3001", str(port)) for word in SERVERS[recipe]]
    with Program(command, name=recipe, cwd=tmp_path) as server:
        wait_for(lambda: server.exit_code is not None or listens(port), "the server")
        gateway = devproxy(backend=str(port))
        with await asyncio.to_thread(urlopen, f"{gateway.url}api/items", timeout=PATIENCE_S) as answer:
            assert json.load(answer) == {"items": ["a", "b"]}
        for transports in WAYS:
            async with asyncio.timeout(PATIENCE_S):
                assert await echoed(gateway.origin, transports) == "hello"


async def echoed(origin: str, transports: list[str]) -> str:
    """Return what the page of `origin` hears when it says hello."""
    client, said = socketio.AsyncClient(reconnection=False), asyncio.Queue[str]()
    client.on("said", said.put)
    await client.connect(origin, headers={"Origin": origin}, transports=transports)
    await client.emit("say", "hello")
    heard = await said.get()
    await client.disconnect()
    return heard
