"""Servers of Python's frameworks as their tutorials start them, for ``tests/e2e/test_init.py``.

Says ``{"port": of the first, "ports": {name: port}}``.
"""

from __future__ import annotations

import asyncio
import json
import threading
from importlib import import_module
from typing import Any

import socketio  # type: ignore[import-untyped]
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from flask import Flask
from flask_socketio import SocketIO  # type: ignore[import-untyped]
from werkzeug.serving import make_server

urlpatterns: list[Any] = []
"""Django's: none, so that it answers with its own page."""


def in_thread(server: Any) -> int:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port: int = server.server_port
    return port


def flask() -> int:
    app = Flask("plain")
    app.get("/users")(lambda: "users")
    return in_thread(make_server("127.0.0.1", 0, app, threaded=True))


def flask_socketio() -> int:
    app = Flask("sockets")
    SocketIO(app, async_mode="threading")
    return in_thread(make_server("127.0.0.1", 0, app, threaded=True))


def django(*, is_debug: bool) -> Any:
    """Django's own WSGI application, with the middleware that a new project has."""
    conf, basehttp = import_module("django.conf"), import_module("django.core.servers.basehttp")
    if not conf.settings.configured:
        names = ("security.SecurityMiddleware", "common.CommonMiddleware", "clickjacking.XFrameOptionsMiddleware")
        conf.settings.configure(
            DEBUG=is_debug,
            SECRET_KEY="not a secret",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=[f"django.middleware.{name}" for name in names],
            LOGGING_CONFIG=None,
        )
    application = import_module("django.core.wsgi").get_wsgi_application()
    server = basehttp.ThreadedWSGIServer(("127.0.0.1", 0), basehttp.WSGIRequestHandler)
    server.set_app(application)
    return server


async def asgi(app: Any) -> int:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running.append(asyncio.ensure_future(server.serve()))
    while not server.started:  # noqa: ASYNC110 (it tells no other way)
        await asyncio.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


running: list[asyncio.Future[None]] = []


async def main() -> None:
    ports = {"flask": flask(), "flask-socketio": flask_socketio(), "django": in_thread(django(is_debug=True))}
    ports["fastapi"] = await asgi(FastAPI())
    ports["django-asgi"] = await asgi(import_module("django.core.asgi").get_asgi_application())
    sockets = socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi"), FastAPI(), socketio_path="ws")
    ports["fastapi-socketio"] = await asgi(sockets)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ports["aiohttp"] = runner.addresses[0][1]
    print(json.dumps({"port": ports["flask"], "ports": ports}), flush=True)  # noqa: T201
    await asyncio.gather(*running)


asyncio.run(main())
