"""The chat server again, with python-socketio on aiohttp: the same events and paths as server.mjs.

Nothing is set for CORS. python-socketio checks the Origin header by default and accepts only its own origin; devproxy
leaves Host as the browser sent it, so page and server agree on what that origin is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import uuid
from collections import deque
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, unquote

import socketio
from aiohttp import web

PORT = int(os.environ.get("PORT", "3001"))
NAME_LENGTH = 24
TEXT_LENGTH = 2000
WEEK_S = 7 * 24 * 3600

sio = socketio.AsyncServer(async_mode="aiohttp")
history: deque[dict[str, Any]] = deque(maxlen=50)
people: dict[str, str] = {}
"""Names by Socket.IO session."""
routes = web.RouteTableDef()


@routes.get("/api/me")
async def me(request: web.Request) -> web.Response:
    """Who am I? The first visit gets a name, in a cookie that the Socket.IO handshake will carry too."""
    if name := name_from_cookies(request.headers.get("Cookie", "")):
        return web.json_response({"name": name})
    return named(f"guest-{uuid.uuid4().hex[:4]}")


@routes.post("/api/name")
async def rename(request: web.Request) -> web.Response:
    name = str((await request.json()).get("name") or "").strip()[:NAME_LENGTH]
    if not name:
        return web.json_response({"error": "a name needs at least one character"}, status=422)
    return named(name)


@routes.post("/api/upload")
async def upload(request: web.Request) -> web.Response:
    """Hashes the body as it arrives; nothing is stored."""
    digest = hashlib.sha256()
    size = 0
    async for chunk in request.content.iter_any():
        digest.update(chunk)
        size += len(chunk)
    file = request.query.get("name", "a file")
    uploader = name_from_cookies(request.headers.get("Cookie", "")) or "somebody"
    await publish(name=uploader, text=f"uploaded {file} ({size:,} bytes)", is_notice=True)
    return web.json_response({"name": file, "size": size, "sha256": digest.hexdigest()})


@routes.get("/api/clock")
async def clock(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    while request.transport is not None and not request.transport.is_closing():
        event = {"time": now(), "people": len(people)}
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await asyncio.sleep(1)
    return response


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    people[sid] = name_from_cookies(environ.get("HTTP_COOKIE", "")) or "somebody"
    await sio.emit("welcome", {"name": people[sid], "history": list(history)}, to=sid)


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    people.pop(sid, None)


@sio.event
async def say(sid: str, text: str) -> dict[str, str]:
    return {"id": (await publish(name=people[sid], text=str(text)[:TEXT_LENGTH], is_notice=False))["id"]}


async def publish(*, name: str, text: str, is_notice: bool) -> dict[str, Any]:
    message = {"id": str(uuid.uuid4()), "name": name, "text": text, "isNotice": is_notice, "at": now()}
    history.append(message)
    await sio.emit("message", message)
    return message


def named(name: str) -> web.Response:
    response = web.json_response({"name": name})
    response.set_cookie("chat_name", quote(name), max_age=WEEK_S, httponly=True, samesite="Lax")
    return response


def name_from_cookies(header: str) -> str:
    try:
        cookie = SimpleCookie(header).get("chat_name")
    except CookieError:
        return ""
    return unquote(cookie.value) if cookie else ""


def now() -> str:
    return datetime.now(UTC).isoformat()


def main() -> None:
    app = web.Application(client_max_size=0)
    app.add_routes(routes)
    sio.attach(app)
    web.run_app(
        app,
        host="localhost",
        port=PORT,
        print=lambda _: print(
            f"  chat server on http://localhost:{PORT}/ (open devproxy's URL, not this one)", flush=True
        ),
        shutdown_timeout=1.0,
    )


if __name__ == "__main__":
    main()
