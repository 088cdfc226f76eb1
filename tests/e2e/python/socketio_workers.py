"""python-socketio in several processes behind one port, as ``--workers`` of uvicorn and gunicorn have it.

Settings: {"workers": 4, "reuse_port": false}: the processes share one listening socket, or (``SO_REUSEPORT``) each has
its own, among which the kernel chooses by a hash.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

import socketio  # type: ignore[import-untyped]
from aiohttp import web

SETTINGS = {"workers": 4, "reuse_port": False, **json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")}


def listen(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if SETTINGS["reuse_port"]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(256)
    return sock


async def serve(sock: socket.socket) -> None:
    sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")

    @sio.on("echo")  # type: ignore[untyped-decorator]
    async def echo(sid: str, value: object) -> object:
        return value

    @sio.on("who")  # type: ignore[untyped-decorator]
    async def who(sid: str) -> int:
        return os.getpid()

    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    await asyncio.Event().wait()


shared = listen(0)
port = shared.getsockname()[1]
children = []
for number in range(SETTINGS["workers"]):
    own = listen(port) if SETTINGS["reuse_port"] and number else shared
    if not (pid := os.fork()):
        asyncio.run(serve(own))
    children.append(pid)
    if own is not shared:
        own.close()
shared.close()
print(json.dumps({"port": port}), flush=True)  # noqa: T201
sys.stdin.read()
for pid in children:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
