"""The backend: Socket.IO, a REST resource and Server-Sent Events, with no CORS setting at all.

Without one, python-socketio accepts the origin that it is served from and no other: a page elsewhere gets an answer
without ``Access-Control-Allow-Origin``. That is the failure that the page shows on its left side.

Run as ``python -m devproxy.demo.backend``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import socketio  # type: ignore[import-untyped]
from aiohttp import web

from devproxy.demo.serve import serve

TICK_S: Final = 1.0
NEWS_S: Final = 2.5
SHOWN_FIELDS: Final = ("Host", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via")


def application() -> web.Application:
    """Return the backend: ``/socket.io/``, ``/api/hello`` and ``/api/ticks``."""
    logging.getLogger("engineio.server").setLevel(logging.CRITICAL)  # it would report each refused origin in the demo
    sockets = socketio.AsyncServer(async_mode="aiohttp")
    made = web.Application()
    sockets.attach(made)
    _add_conversation(sockets)
    made.router.add_get("/api/hello", hello)
    made.router.add_get("/api/ticks", ticks)

    async def news_while_serving(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_news(sockets))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    made.cleanup_ctx.append(news_while_serving)
    return made


async def hello(request: web.Request) -> web.Response:
    """Answer with what the backend sees of the request: nothing tells it that a gateway is in between but these."""
    seen = {name: request.headers[name] for name in SHOWN_FIELDS if name in request.headers}
    return web.json_response({"from": f"backend, process {os.getpid()}", "request_fields": seen})


async def ticks(request: web.Request) -> web.StreamResponse:
    """Send one event each second until the client leaves (HTML standard, Server-sent events)."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    for number in itertools.count(1):
        event = json.dumps({"number": number, "sent_ms": round(time.time() * 1000, 1)})
        try:
            await response.write(f"id: {number}\ndata: {event}\n\n".encode())
        except ConnectionResetError:
            break
        await asyncio.sleep(TICK_S)
    return response


def _add_conversation(sockets: Any) -> None:
    """Let clients echo (acknowledged, to measure a round trip) and send a text to all clients."""

    async def echo(_: str, value: object) -> object:
        return value

    async def say(sid: str, text: object) -> None:
        await sockets.emit("said", {"from": sid, "text": str(text)[:500]})

    sockets.on("echo", echo)
    sockets.on("say", say)


async def _news(sockets: Any) -> None:
    """Tell every client something now and then, so that the page shows the server speaking first."""
    for number in itertools.count(1):
        await sockets.emit("news", {"number": number, "text": f"message {number} from the backend"})
        await asyncio.sleep(NEWS_S)


if __name__ == "__main__":
    serve(application())
