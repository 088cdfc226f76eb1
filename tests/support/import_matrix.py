"""The same requests through another tool's proxy and through devproxy with what was imported from it.

    with recorders("api", "auth") as ports:
        ... write the tool's configuration with these ports, and start the tool ...
        assert differences(tool_port, draft_text, requests, frontend="http://localhost:5173") == []

An import is right when the same request reaches the same server with the same path, Host and Origin. Owns: servers that
say what reached them, the client, and the comparison. Never: starts the tool.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from devproxy.config import load
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.gateway_thread import gateway_thread

FRONT = "FRONT"
"""Stands for the address that the request was sent to."""

ELSEWHERE = "frontend"
"""The server that answers what no recorder was asked for: the tool itself, a dev server."""

SILENT_S = 1.0
"""How long a WebSocket handshake may go unanswered before it counts as not forwarded."""


class Asked(NamedTuple):
    """A request: ``is_upgrade``: a WebSocket handshake. ``host``: instead of the front's own."""

    method: str
    target: str
    is_upgrade: bool = False
    host: str = ""


class Seen(NamedTuple):
    """What reached which server; empty but for the server where that is :data:`ELSEWHERE`."""

    server: str
    method: str = ""
    target: str = ""
    host: str = ""
    origin: str = ""


class Recorder:
    """A server on a loopback port that answers every request with what it saw of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            head = _read_head(connection)
            if not head:
                return
            start, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = start.split(" ", 2)
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            seen = json.dumps(
                [self.name, method, target, fields.get("host", ""), fields.get("origin", "")], ensure_ascii=True
            )
            if "upgrade" in fields:
                answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                answer += f"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Seen: {seen}\r\n\r\n"
            else:
                answer = f"HTTP/1.1 200 OK\r\nX-Seen: {seen}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            connection.sendall(answer.encode())

    def stop(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def port_for_a_tool() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago. Ask for it after the recorders have theirs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def recorders(*names: str) -> Iterator[list[int]]:
    """Run a recorder for each of `names`; yields their ports."""
    running = [Recorder(name) for name in names]
    try:
        yield [one.port for one in running]
    finally:
        for one in running:
            one.stop()


def ask(port: int, asked: Asked) -> Seen:
    """Send a request to the front at `port` of ``localhost``, and return what reached which server."""
    front = f"localhost:{port}"
    lines = [
        f"{asked.method} {asked.target} HTTP/1.1",
        f"Host: {asked.host or front}",
        f"Origin: http://{asked.host or front}",
    ]
    if asked.is_upgrade:
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    else:
        lines += ["Connection: close", "Accept: application/json"]
        lines += ["Content-Length: 0"] if asked.method == "POST" else []
    with socket.create_connection(("localhost", port), timeout=SILENT_S if asked.is_upgrade else 20) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            head = _read_head(connection)
        except TimeoutError:
            if asked.is_upgrade:
                return Seen(ELSEWHERE)
            raise AssertionError(f"no answer to {asked} at port {port}") from None
    found = re.search(rb"(?im)^x-seen: (.*?)\r?$", head)
    if found is None:
        return Seen(ELSEWHERE)
    seen = Seen(*json.loads(found[1]))
    if seen.server == ELSEWHERE:
        return Seen(ELSEWHERE)
    own = asked.host or front
    return seen._replace(
        host=FRONT if seen.host in (own, own.partition(":")[0]) else seen.host,
        origin=FRONT if seen.origin == f"http://{own}" else seen.origin,
    )


def imported(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``devproxy import`` in `folder` as a user does."""
    return subprocess.run(
        [*COMMAND, "import", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def differences(
    tool_port: int, text: str, requests: Sequence[Asked], *, frontend: str, left: Sequence[Asked] = ()
) -> list[str]:
    """Return a line for each of `requests` that goes another way through devproxy than through the tool.

    `text`: the ``devproxy.toml``. `frontend`: the URL in it of the tool's own dev server, in place of which a recorder
    answers, so that the tool's own proxy hides nothing; empty where there is none. `left`: what devproxy has to leave
    to that dev server, which sends it on itself.
    """
    with recorders(ELSEWHERE) as (port,):
        if frontend:
            assert frontend in text
            text = text.replace(f'"{frontend}"', f'"http://127.0.0.1:{port}"')
        with gateway_thread(load(text.encode(), source="devproxy.toml")) as gateway:
            own = urlsplit(gateway.url).port
            assert own is not None
            found = [(asked, ask(tool_port, asked), ask(own, asked)) for asked in requests]
            found += [(asked, Seen(ELSEWHERE), ask(own, asked)) for asked in left if ask(tool_port, asked).server]
    return [f"{asked}: {wanted} but by devproxy {got}" for asked, wanted, got in found if wanted != got]


def matrix(*paths: str, methods: Sequence[str] = ("GET", "POST")) -> list[Asked]:
    """Return a request for each of `paths` by each of `methods`."""
    return [Asked(method, path) for path in paths for method in methods]


def upgrades(*paths: str) -> list[Asked]:
    """Return a WebSocket handshake for each of `paths`."""
    return [Asked("GET", path, is_upgrade=True) for path in paths]


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            break
        head += piece
    return head.partition(b"\r\n\r\n")[0]
