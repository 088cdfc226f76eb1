"""Servers that people write in Python, each with one mistake, and the same without; for ``tests/e2e/test_doctor.py``.

Says ``{"port": of the first, "ports": {name: port}}``. Settings: ``page``, the origin that is meant to be let in, and
``certificate``, a file with a key and its certificate.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

import socketio  # type: ignore[import-untyped]
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from flask import Flask
from flask_cors import CORS
from flask_socketio import SocketIO  # type: ignore[import-untyped]
from werkzeug.serving import make_server

SETTINGS: Final = json.loads(sys.argv[1])
PAGE: Final[str] = SETTINGS["page"]


def asgi(**options: object) -> socketio.ASGIApp:
    return socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi", **options))


def refusing(answer: Callable[[], object]) -> socketio.ASGIApp:
    """A server whose connect handler refuses everyone."""
    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[PAGE])

    async def connect(sid: str, environ: dict[str, Any], auth: object) -> object:
        return answer()

    server.on("connect", connect)
    return socketio.ASGIApp(server)


def unauthorised() -> object:
    raise socketio.exceptions.ConnectionRefusedError("authentication failed")


def rest(*, origins: list[str] | None = None, inner: socketio.AsyncServer | None = None) -> FastAPI:
    app = FastAPI()

    @app.get("/api/items")
    async def items() -> list[int]:
        return [1, 2, 3]

    if inner is not None:
        app.mount("/", socketio.ASGIApp(inner))
    if origins is not None:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
        )
    return app


def mounted() -> FastAPI:
    """FastAPI with Socket.IO below a prefix, which counts as part of the path."""
    app = FastAPI()
    app.mount("/ws", socketio.ASGIApp(inner(), socketio_path="/ws/socket.io"))
    return app


def inner() -> socketio.AsyncServer:
    return socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[PAGE])


ASGI: Final[dict[str, Any]] = {
    "pythonDefault": asgi(),
    "pythonList": asgi(cors_allowed_origins=["https://app.example.com"]),
    "pythonEveryone": asgi(cors_allowed_origins="*"),
    "pythonGood": asgi(cors_allowed_origins=[PAGE]),
    "pythonRefuses": refusing(lambda: False),
    "pythonUnauthorised": refusing(unauthorised),
    "pythonWebSocketAlone": asgi(cors_allowed_origins=[PAGE], transports=["websocket"]),
    "fastapi": rest(),
    "fastapiList": rest(origins=["http://localhost:5173"]),
    "fastapiGood": rest(origins=[PAGE]),
    "fastapiTwice": rest(origins=[PAGE], inner=inner()),
    "fastapiMounted": mounted(),
}


def flask(origins: object, **options: object) -> Flask:
    app = Flask("server")
    SocketIO(app, async_mode="threading", cors_allowed_origins=origins, **options)

    @app.get("/api/items")
    def items() -> list[int]:
        return [1, 2, 3]

    return app


def flask_cors() -> Flask:
    """Flask's CORS, which Flask-SocketIO does not look at."""
    app = flask(None)
    CORS(app, origins=[PAGE])
    return app


WSGI: Final[dict[str, Flask]] = {
    "flaskList": flask(["https://app.example.com"]),
    "flaskCors": flask_cors(),
    "flaskGood": flask([PAGE]),
}


def serve_wsgi(app: Flask, *, threaded: bool) -> int:
    server = make_server("127.0.0.1", 0, app, threaded=threaded)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


class OneAtATime(BaseHTTPRequestHandler):
    """Python's own server, which has one thread: a connection that says nothing keeps all others waiting."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"[1, 2, 3]"
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self) -> None:
        self.send_response(204)
        for name in ("Origin", "Methods", "Headers"):
            self.send_header(f"Access-Control-Allow-{name}", "*")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def one_at_a_time() -> int:
    server = HTTPServer(("127.0.0.1", 0), OneAtATime)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


async def over_tls() -> int:
    """python-socketio on aiohttp, with a certificate that no one trusts."""
    server = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins=[PAGE])
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SETTINGS["certificate"])
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    return int(runner.addresses[0][1])


async def main() -> None:
    ports: dict[str, int] = {}
    serving = []
    for name, app in ASGI.items():
        listening = socket.create_server(("127.0.0.1", 0))
        ports[name] = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="wsproto", lifespan="off"))
        serving.append(asyncio.create_task(server.serve(sockets=[listening])))
    for name, application in WSGI.items():
        ports[name] = serve_wsgi(application, threaded=True)
    ports["flaskAlone"] = serve_wsgi(flask([PAGE]), threaded=False)
    ports["oneAtATime"] = one_at_a_time()
    ports["tls"] = await over_tls()
    print(json.dumps({"port": ports["tls"], "ports": ports}), flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)  # ends with the test


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    asyncio.run(main())
    sys.exit(0)
