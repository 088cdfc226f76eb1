"""WebSockets that echo, and WebSockets that do nothing."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

from bench.clients.client import HTTP11, WrongAnswer, as_transport, connect
from bench.clients.http2 import Http2, Tunnel
from bench.load import Done, Speech

AT_ONCE: Final = 50
"""WebSockets that are being opened at a time."""
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
PATH: Final = "/socket.io/?EIO=4&transport=websocket"
STREAMS: Final = 100
"""WebSockets on one connection of HTTP/2: what HAProxy allows."""


class Echoing(asyncio.Protocol):
    """Sends one message, waits for its echo, checks it, and goes on until the deadline.

    ``is_ready``: resolved by the first echo; ``done``: by the last, with the number of those since :meth:`start`.
    """

    transport: asyncio.Transport | Tunnel

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
        self.is_ready: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[int] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = as_transport(transport)
        self.transport.write(
            f"GET {PATH} HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def opened(self, transport: Tunnel) -> None:
        """It is a stream of HTTP/2, and open."""
        self.transport = transport
        self.is_open = True
        self.next()

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
        elif not self.is_ready.done():
            self.is_ready.set_result(None)
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
        for future in (self.is_ready, self.done):
            if not future.done():
                future.set_exception(WrongAnswer(why))
                future.exception()  # one of the two is enough

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(f"the connection was lost: {exc}")


class WebSockets:
    """Messages of `size` bytes there and back, on `connections` WebSockets; units are messages echoed.

    Over HTTP/2 they are streams of as few connections as possible.
    """

    def __init__(self, port: int, connections: int, size: int, speech: Speech = Speech.PLAIN) -> None:
        self._port = port
        self._connections = connections
        self._size = size
        self._speech = speech
        self._shared: list[Http2] = []
        self.clients: list[Echoing] = []

    async def open(self) -> None:
        """Connect, some at a time; one message there and back on each."""
        while len(self.clients) < self._connections:
            if self._speech is Speech.HTTP2 and len(self.clients) % STREAMS == 0:
                self._shared.append(Http2(self._port, self._fail))
                await self._shared[-1].connect()
            fresh = [Echoing(self._size) for _ in range(min(AT_ONCE, self._connections - len(self.clients)))]
            self.clients.extend(fresh)
            await asyncio.gather(*(self._connect(client) for client in fresh))

    async def _connect(self, client: Echoing) -> None:
        if self._speech is Speech.HTTP2:
            self._shared[-1].connect_socket(PATH.encode(), client)
        else:
            await connect(client, self._port, *((HTTP11,) if self._speech is Speech.TLS else ()))
        await client.is_ready

    def _fail(self, error: Exception) -> None:
        for client in self.clients:
            client.fail(str(error))

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
