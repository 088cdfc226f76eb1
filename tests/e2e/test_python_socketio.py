"""python-socketio with its defaults behind devproxy, and its client in front: its Origin check sees one origin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import socketio  # type: ignore[import-untyped]
from tests.e2e.harness import RunClient, Server, StartGateway, python_server
from tests.support.processes import PATIENCE_S

SCRIPT = Path(__file__).resolve().parent / "python" / "socketio_server.py"
POLLING, BOTH, WEBSOCKET = ["polling"], ["polling", "websocket"], ["websocket"]


@pytest.fixture(scope="module")
def python_backend() -> Iterator[Server]:
    with python_server(SCRIPT, {}) as server:
        yield server


@pytest.mark.parametrize("transports", [POLLING, BOTH, WEBSOCKET], ids="-".join)
@pytest.mark.parametrize("major", [3, 4])
def test_a_page_on_the_one_origin_passes_the_origin_check_of_python_socketio(
    python_backend: Server, devproxy: StartGateway, node_client: RunClient, major: int, transports: list[str]
) -> None:
    gateway = devproxy(backend=str(python_backend.port))
    options = {"transports": transports, "extraHeaders": {"Origin": gateway.origin}}

    said = node_client("conversation", major=major, url=gateway.url, options=options)

    assert said["failed"] == []
    assert said["transports"] == transports
    assert said["me"]["headers"]["host"] == gateway.origin.removeprefix("http://")
    assert said["me"]["headers"]["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_page_on_another_origin_is_refused_still(
    python_backend: Server, devproxy: StartGateway, node_client: RunClient, transport: str
) -> None:
    gateway = devproxy(backend=str(python_backend.port))
    options = {"transports": [transport], "extraHeaders": {"Origin": "http://elsewhere.test"}}

    assert node_client("refusal", major=4, url=gateway.url, options=options)["connected"] is False


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_python_socketio_refuses_an_incompatible_client_the_same_as_directly(
    python_backend: Server, devproxy: StartGateway, node_client: RunClient, transport: str
) -> None:
    gateway = devproxy(backend=str(python_backend.port))
    options = {"transports": [transport]}

    directly = node_client("refusal", major=2, url=python_backend.url, options=options)
    through = node_client("refusal", major=2, url=gateway.url, options=options)

    assert directly["connected"] is False
    assert through == directly


@pytest.mark.parametrize("transports", [POLLING, BOTH, WEBSOCKET], ids="-".join)
async def test_the_python_client_converses(
    python_backend: Server, devproxy: StartGateway, transports: list[str]
) -> None:
    gateway = await asyncio.to_thread(devproxy, backend=str(python_backend.port))
    called: asyncio.Queue[object] = asyncio.Queue()

    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
        client = socketio.AsyncClient(reconnection=False, http_session=session)
        client.on("called", called.put)
        await client.connect(gateway.url, transports=transports)
        assert client.transport() == transports[-1]
        for value in ("text", "žluťoučký 🐎", b"\x00\xff" * 1000, {"deep": [b"\x01", {"deeper": None}]}):
            assert await client.call("echo", value) == value
            await client.emit("call me", value)
            assert await called.get() == value
        # A plain disconnect() waits for the last poll, and python-engineio answers that only at its next ping.
        await client.eio.disconnect(abort=True)
