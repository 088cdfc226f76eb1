"""WebSockets that echo, and WebSockets that do nothing."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

from bench.clients.client import WrongAnswer, as_transport
from bench.load import Done

AT_ONCE: Final = 50
"""WebSockets that are being opened at a time."""
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="


class Echoing(asyncio.Protocol):
    """Sends one message, waits for its echo, checks it, and goes on until the deadline.

    ``opened``: resolved by the first echo; ``done``: by the last, with the number of those since :meth:`start`.
    """

    transport: asyncio.Transport

    def __init__(self, size: int) -> None:
        length = bytes((size,)) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
        payload = bytes(i & 0xFF for i in range(256)) * (size // 256 + 1)
        # The mask is zero, so that the payload is itself on the way up and the echo can be compared.
        self.message = b"\x82" + bytes((length[0] | 0x80,)) + length[1:] + bytes(4) + payload[:size]
        self.echo = b"\x82" + length + payload[:size]
        self.deadline = math.inf
        self.got: list[bytes] = []
        self.missing = 0
        self.count = 0
        self.is_open = False
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[int] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = as_transport(transport)
        self.transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            if not data.startswith(b"HTTP/1.1 101") or not data.endswith(b"\r\n\r\n"):
                self.fail(f"the handshake was answered {data[:60]!r}")
                return
            self.is_open = True
            self.next()
            return
        self.got.append(data)
        self.missing -= len(data)
        if self.missing > 0:
            return
        if self.missing or b"".join(self.got) != self.echo:
            self.fail("the echo differs from the message")
        elif not self.opened.done():
            self.opened.set_result(None)
        else:
            self.count += 1
            if time.monotonic() >= self.deadline:
                self.done.set_result(self.count)
            else:
                self.next()

    def start(self, deadline: float) -> None:
        self.deadline = deadline
        self.next()

    def next(self) -> None:
        self.got.clear()
        self.missing = len(self.echo)
        self.transport.write(self.message)

    def fail(self, why: str) -> None:
        self.transport.abort()
        for future in (self.opened, self.done):
            if not future.done():
                future.set_exception(WrongAnswer(why))
                future.exception()  # one of the two is enough

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection was lost: {exc}")


class WebSockets:
    """Messages of `size` bytes there and back, on `connections` WebSockets; units are messages echoed."""

    def __init__(self, port: int, connections: int, size: int) -> None:
        self._port = port
        self._connections = connections
        self._size = size
        self.clients: list[Echoing] = []

    async def open(self) -> None:
        """Connect, some at a time; one message there and back on each."""
        while len(self.clients) < self._connections:
            fresh = [Echoing(self._size) for _ in range(min(AT_ONCE, self._connections - len(self.clients)))]
            self.clients.extend(fresh)
            await asyncio.gather(*(self._connect(client) for client in fresh))

    async def _connect(self, client: Echoing) -> None:
        await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", self._port)
        await client.opened

    async def run(self, seconds: float) -> Done:
        """Exchange messages until `seconds` are over."""
        started = time.monotonic()
        for client in self.clients:
            client.start(started + seconds)
        count = sum(await asyncio.gather(*(client.done for client in self.clients)))
        return Done(count, time.monotonic() - started)


class Idle(WebSockets):
    """WebSockets on which nothing happens; units are the WebSockets that are still there at the end."""

    async def run(self, seconds: float) -> Done:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
        lost = [client for client in self.clients if client.done.done()]
        return Done(len(self.clients), seconds, f"{len(lost)} of the idle WebSockets were lost" if lost else "")
