"""A devproxy with its inspector in a thread of this process, and a client of its API.

    with inspected(config) as inspected:
        inspected.get("exchanges")

Owns: the gateway's thread, the inspector's runtime folder, and that both end. Requests are made as a browser on this
machine makes them, with the key or without.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import uvloop
from devproxy.config import load
from devproxy.config.model import Config, Listen
from devproxy.events import Event, Observer
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind
from devproxy.inspector.service import open_inspector
from tests.support.wire import until

LIMIT_S = 30.0
T = TypeVar("T")


@dataclass
class Answer:
    """What the API answered. ``fields``: by lower-case name."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Inspected:
    """A running devproxy. ``origin``: its own, without a slash at the end. ``key``: opens the inspector."""

    origin: str
    key: str
    events: list[Event]
    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    folder: str
    threads: set[int] = field(default_factory=set)

    @property
    def port(self) -> int:
        port = urlsplit(self.origin).port
        assert port is not None
        return port

    def on_loop(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in the gateway's thread."""

        async def do() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(LIMIT_S)

    def ask(
        self, method: str, path: str, *, body: Any = None, fields: dict[str, str] | None = None, key: str | None = None
    ) -> Answer:
        """Ask devproxy for `path` on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        sent = {"Host": f"localhost:{self.port}", **(fields or {}), **({"X-Devproxy-Key": key} if key else {})}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, resource: str) -> Any:
        """Return what the API says of `resource`, with the key."""
        answer = self.ask("GET", f"/__devproxy/api/{resource}", key=self.key)
        assert answer.status == 200, answer
        return answer.json

    def post(self, resource: str, document: Any = None) -> Answer:
        """Post `document` to `resource`, with the key."""
        return self.ask("POST", f"/__devproxy/api/{resource}", body=document, key=self.key)

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows, the oldest first."""
        found: list[dict[str, Any]] = self.get("exchanges?limit=500")["exchanges"]
        return found[::-1]

    def wait(self, condition: Callable[[], T], what: str) -> T:
        """Return what `condition` returns once that is true."""
        until_s = monotonic() + LIMIT_S
        while not (found := condition()):
            assert monotonic() < until_s, f"waited in vain for {what}"
            threading.Event().wait(0.01)
        return found


class Feed:
    """An event stream that a page has open."""

    def __init__(self, inspected: Inspected, query: str = "", *, last_event_id: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", inspected.port), timeout=LIMIT_S)
        lines = [f"GET /__devproxy/api/events{query} HTTP/1.1", f"Host: localhost:{inspected.port}"]
        lines.append(f"X-Devproxy-Key: {inspected.key}")
        if last_event_id:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        self._buffer = b""
        self.last_id = last_event_id
        self.head = self._until(b"\r\n\r\n")

    def event(self, *names: str) -> tuple[str, Any]:
        """Return the next event with one of these names, whichever comes first, and its data."""
        while True:
            name, data = self._next()
            if not names or name in names:
                return name, data

    def rows(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first row that comes and fulfils `condition`."""
        while True:
            _, data = self.event("exchanges")
            for row in data["rows"]:
                if condition(row):
                    found: dict[str, Any] = row
                    return found

    def close(self) -> None:
        self._socket.close()

    def _next(self) -> tuple[str, Any]:
        name, data = "", ""
        while True:
            line = self._until(b"\n").decode().strip("\r\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif line.startswith("id: "):
                self.last_id = line[4:]
            elif not line and name:
                return name, json.loads(data)

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            piece = self._socket.recv(65536)
            if not piece:
                raise EOFError
            self._buffer += piece
        found, _, self._buffer = self._buffer.partition(end)
        return found + end


@contextmanager
def inspected(config: Config | str) -> Iterator[Inspected]:
    """Run a devproxy for `config` on a loopback port that the system chooses, with its inspector."""
    if isinstance(config, str):
        config = load(config.encode(), source="devproxy.toml")
    events: list[Event] = []
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as folder:
        inspector = open_inspector(folder=folder)
        assert inspector is not None
        gateway = Gateway(config, bind((Listen(host="127.0.0.1", port=0),)), pages=inspector.pages)
        gateway.observe(Observer(events.append))

        async def start() -> None:
            await gateway.start()
            inspector.attach(gateway, {"version": "0", "pid": 1, "folder": "/", "since_at": 0.0})

        async def stop() -> None:
            await inspector.close()
            await gateway.stop(drain_s=1)
            await until(lambda: gateway.connection_count == 0)

        try:
            asyncio.run_coroutine_threadsafe(start(), loop).result(LIMIT_S)
            origin = gateway.urls[0].removesuffix("/")
            yield Inspected(origin, inspector.key, events, loop, gateway, folder)
        finally:
            asyncio.run_coroutine_threadsafe(stop(), loop).result(LIMIT_S)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(LIMIT_S)
            loop.close()
