"""An application of aiohttp in a thread of this process, for tests that drive other programs and wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import WSMsgType, web

LIMIT_S = 30.0


@contextmanager
def app_thread(app: web.Application) -> Iterator[int]:
    """Serve `app` on a loopback port that the system chooses; gives the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(LIMIT_S)
    finally:
        asyncio.run_coroutine_threadsafe(_end(runner), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)
        loop.close()


async def _end(runner: web.AppRunner) -> None:
    """End the server, and what its application has begun and not ended, such as the pings of a session."""
    await runner.cleanup()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def echo_socket(request: web.Request) -> web.WebSocketResponse:
    """Answer each text of a WebSocket with what it said."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str("you said " + message.data)
    return socket
