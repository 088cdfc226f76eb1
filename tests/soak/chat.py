"""The Socket.IO server of the soak: ``python -m tests.soak.chat PORT``. Ends with its standard input.

Whatever a client tells comes back to it, once and in order; sessions live in the memory of the one process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import socketio  # type: ignore[import-untyped]
from aiohttp import web


async def _main(port: int) -> None:
    server = socketio.AsyncServer(async_mode="aiohttp", async_handlers=False)

    async def tell(sid: str, value: Any) -> None:
        await server.emit("told", value, to=sid)

    server.on("tell", tell)
    app = web.Application()
    server.attach(app, socketio_path="/chat/socket.io")
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"port {runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_main(int(sys.argv[1])))
