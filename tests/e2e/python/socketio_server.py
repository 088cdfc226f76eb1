"""python-socketio on aiohttp with its default settings, so with its own check of the Origin header."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import socketio  # type: ignore[import-untyped]
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp")
environs: dict[str, dict[str, Any]] = {}


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: dict[str, Any], auth: object) -> None:
    environs[sid] = environ


@sio.event  # type: ignore[untyped-decorator]
async def disconnect(sid: str, reason: str) -> None:
    print(json.dumps({"event": "disconnect", "id": sid, "reason": reason}), flush=True)  # noqa: T201


@sio.on("echo")  # type: ignore[untyped-decorator]
async def echo(sid: str, value: object) -> object:
    return value


@sio.on("call me")  # type: ignore[untyped-decorator]
async def call_me(sid: str, value: object) -> None:
    await sio.emit("called", value, to=sid)


@sio.on("who am I")  # type: ignore[untyped-decorator]
async def who_am_i(sid: str) -> dict[str, object]:
    environ = environs[sid]
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    return {"transport": sio.transport(sid), "headers": headers}


async def main() -> None:
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)  # ends with the test
    await runner.cleanup()


asyncio.run(main())
