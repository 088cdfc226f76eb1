"""undici, what Node's `fetch` and `WebSocket` are made of, as a client of HTTP/2: both by one connection."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from devproxy.config.model import Server
from devproxy.events import ExchangeFinished, TunnelOpened
from tests.e2e import install
from tests.support.app_thread import app_thread
from tests.support.certificates import certificate_files
from tests.support.gateway_thread import gateway_thread
from tests.support.wire import address_of, config_for

UNDICI = Path(install.__file__).parent / "undici"


async def _echo(request: web.Request) -> web.Response:
    return web.Response(text=await request.text())


async def _how(request: web.Request) -> web.Response:
    return web.Response(text=request.headers["Via"][:3])


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("chat",))
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str("you said " + message.data)
    return socket


@pytest.mark.timeout(400)  # npm, the first time
def test_undici_fetches_and_opens_a_websocket_by_http2() -> None:
    install.ensure(UNDICI)
    app = web.Application()
    app.router.add_post("/echo", _echo)
    app.router.add_get("/how", _how)
    app.router.add_get("/socket", _socket)
    server = Server(tls=certificate_files())
    with app_thread(app) as port, gateway_thread(config_for((address_of(port),), server=server)) as gateway:
        command = ("node", "client.mjs", gateway.origin, certificate_files().cert)
        done = subprocess.run(command, cwd=UNDICI, capture_output=True, text=True, timeout=30, check=False)
        said = json.loads(done.stdout)
        assert said == {
            "texts": [str(number) for number in range(20)],
            "status": 200,
            "how": "2.0",
            "connection": None,
            "message": "you said hi",
            "protocol": "chat",
            "closed": [1000, ""],
        }
        assert len(gateway.seen(ExchangeFinished)) == 21
        assert [event.protocol for event in gateway.seen(TunnelOpened)] == ["websocket"]
