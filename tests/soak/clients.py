"""The clients of the soak: each knows what it must get next, and says what it got instead.

A client may be interrupted while its server is away; it must not be told anything wrong, twice or out of order, and it
must not be interrupted at any other time. Start at :class:`Clients`.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import socketio  # type: ignore[import-untyped]
from tests.soak.frames import read_frame, text_frame
from tests.soak.http2 import Browsers, Pipe

STEP_S = 30.0
"""How long any step may take: longer than a request is held for a server that is away."""

_Connection = tuple[asyncio.StreamReader | Pipe, asyncio.StreamWriter | Pipe]


class Interrupted(Exception):
    """The connection ended, or the answer is that the server is away."""


class Wrong(Exception):
    """The client was told something that nobody said to it."""


class Clients:
    """All clients of one devproxy. ``counts``: what happened, by kind. ``wrong``: what must not have happened.

    `was_away` tells whether the server at a path was away at some time since a moment (``time.monotonic``).
    """

    def __init__(self, host: str, port: int, was_away: Callable[[str, float], bool]) -> None:
        self._host, self._port = host, port
        self._was_away = was_away
        self._tasks: list[asyncio.Task[None]] = []
        self._browsers = Browsers(host, port)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.uploaded: list[str] = []
        """Uploads whose success has been confirmed."""

    def start(
        self, path: str, *, polls: int = 0, sockets: int = 0, streams: int = 0, uploads: int = 0, chats: int = 0
    ) -> None:
        """Let so many clients of each kind work on the server at `path`, until :meth:`stop`."""
        kinds = (
            (self._poll, polls),
            (self._echo, sockets),
            (self._listen, streams),
            (self._upload, uploads),
            (self._chat, chats),
        )
        for work, count in kinds:
            for number in range(count):
                name = f"{path.strip('/')}-{work.__name__[1:]}-{number}"
                self._tasks.append(asyncio.ensure_future(self._keep_on(work, path, name)))

    async def stop(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.wrong.append(f"a client of the soak failed: {result!r}")
        self._browsers.close()

    async def _keep_on(self, work: Callable[[str, str], Coroutine[Any, Any, None]], path: str, name: str) -> None:
        chance = random.Random(name)
        await asyncio.sleep(chance.random() * 2)  # not all in the same moment
        kind = work.__name__[1:]
        while True:
            started = time.monotonic()
            try:
                await work(path, f"{name}-{started:.6f}")
            except (Interrupted, OSError, EOFError, asyncio.IncompleteReadError) as error:
                self.counts[f"{kind} interrupted"] += 1
                if not self._was_away(path, started):
                    self.wrong.append(f"{name}: interrupted while its server was there: {error!r}")
            except Wrong as error:
                self.wrong.append(f"{name}: {error}")
            except TimeoutError:
                self.wrong.append(f"{name}: nothing for {STEP_S:.0f} s")
            await asyncio.sleep(0.2 + chance.random() * 0.3)

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[_Connection]:
        """Connect: half of the clients come by HTTP/2, with others on the same connection."""
        if random.Random(name).random() < 0.5:
            pipe = await self._browsers.open()
            self.counts["by HTTP/2"] += 1
            try:
                yield pipe, pipe
            finally:
                pipe.leave()
            return
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _poll(self, path: str, name: str) -> None:
        """Ask for one number after another on a kept connection, as long-polling does."""
        async with self._connected(name) as (reader, writer):
            for number in range(50):
                writer.write(_head("GET", f"{path}poll?client={name}&number={number}"))
                async with asyncio.timeout(STEP_S):
                    status, _, body = await _answer(reader)
                if status == 503:
                    raise Wrong("a poll was told that the server is away, although it could have waited")
                _expect_success(status)
                if body != f"{name}:{number}".encode():
                    raise Wrong(f"asked for {number}, got {body!r}")
                self.counts["poll messages"] += 1
                await asyncio.sleep(0.15)

    async def _echo(self, path: str, name: str) -> None:
        """Send numbers over a WebSocket, some ahead of their echoes, which must come once each and in order."""
        async with self._connected(name) as (reader, writer):
            key = b64encode(name.encode()[:16].ljust(16)).decode()
            fields = (
                "Connection: Upgrade",
                "Upgrade: websocket",
                f"Sec-WebSocket-Key: {key}",
                "Sec-WebSocket-Version: 13",
            )
            writer.write(_head("GET", f"{path}ws", *fields))
            async with asyncio.timeout(STEP_S):
                head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Interrupted(head[:40])
            for number in range(0, 2000, 5):
                writer.write(b"".join(text_frame(b"%d" % (number + ahead), is_masked=True) for ahead in range(5)))
                for expected in range(number, number + 5):
                    async with asyncio.timeout(STEP_S):
                        echo = await read_frame(reader)
                    if echo != b"%d" % expected:
                        raise Wrong(f"sent {expected}, got {echo!r}")
                    self.counts["echo messages"] += 1
                await asyncio.sleep(0.25)

    async def _listen(self, path: str, name: str) -> None:
        """Take Server-Sent Events; every id must be the one behind the last."""
        async with self._connected(name) as (reader, writer):
            first = random.randrange(10**6)
            writer.write(_head("GET", f"{path}events?client={name}&number={first}"))
            async with asyncio.timeout(STEP_S):
                head = await reader.readuntil(b"\r\n\r\n")
            _expect_success(int(head[9:12]))
            for expected in range(first, first + 600):
                async with asyncio.timeout(STEP_S):
                    event = await reader.readuntil(b"\n\n")
                if event != f"id: {expected}\ndata: {name}\n\n".encode():
                    raise Wrong(f"expected the event {expected}, got {event!r}")
                self.counts["listen messages"] += 1

    async def _upload(self, path: str, name: str) -> None:
        """Send bodies of a known length and chunked ones; what arrived must be what was sent."""
        chance = random.Random(name)
        async with self._connected(name) as (reader, writer):
            for number in range(10):
                body = chance.randbytes(chance.choice((100, 5_000, 70_000, 300_000)))
                identity = f"{name}-{number}"
                is_chunked = bool(number % 2)
                field = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
                writer.write(_head("POST", f"{path}upload?id={identity}", field))
                await _send(writer, body, is_chunked=is_chunked)
                async with asyncio.timeout(STEP_S):
                    status, _, answer = await _answer(reader)
                _expect_success(status)
                if answer != hashlib.sha256(body).hexdigest().encode():
                    raise Wrong("the upload arrived as something else")
                self.uploaded.append(identity)
                self.counts["upload messages"] += 1
                await asyncio.sleep(0.3)

    async def _chat(self, path: str, name: str) -> None:
        """Tell numbers to a Socket.IO server; they must come back once each and in order. Every other client stays at
        long-polling, the others go on to WebSocket."""
        told: asyncio.Queue[int | None] = asyncio.Queue()
        is_polling = random.Random(name).random() < 0.5

        async def on_disconnect(reason: str) -> None:
            await told.put(None)

        async with aiohttp.ClientSession() as session:
            client = socketio.AsyncClient(reconnection=False, http_session=session)
            client.on("told", told.put)
            client.on("disconnect", on_disconnect)
            try:
                await _connect(client, f"http://{self._host}:{self._port}", path, is_polling=is_polling)
                for number in range(0, 300, 3):
                    await _tell(client, range(number, number + 3))
                    for expected in range(number, number + 3):
                        async with asyncio.timeout(STEP_S):
                            value = await told.get()
                        if value is None:
                            raise Interrupted("the session has ended")
                        if value != expected:
                            raise Wrong(f"told {expected}, got {value!r}")
                        self.counts["chat messages"] += 1
                    await asyncio.sleep(0.25)
            finally:
                await client.disconnect()


async def _connect(client: socketio.AsyncClient, url: str, path: str, *, is_polling: bool) -> None:
    transports = ["polling"] if is_polling else ["polling", "websocket"]
    try:
        async with asyncio.timeout(STEP_S):
            await client.connect(url, socketio_path=f"{path}socket.io", transports=transports)
    except socketio.exceptions.ConnectionError as error:
        raise Interrupted(f"no session: {error}") from None


async def _tell(client: socketio.AsyncClient, values: Iterable[int]) -> None:
    try:
        for value in values:
            await client.emit("tell", value)
    except socketio.exceptions.SocketIOError as error:
        raise Interrupted(f"the session has ended: {error!r}") from None


def _head(method: str, target: str, *fields: str) -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


async def _send(writer: asyncio.StreamWriter | Pipe, body: bytes, *, is_chunked: bool) -> None:
    for start in range(0, len(body), 16384):
        piece = body[start : start + 16384]
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        await writer.drain()
    if is_chunked:
        writer.write(b"0\r\n\r\n")


async def _answer(reader: asyncio.StreamReader | Pipe) -> tuple[int, bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head[9:12]), head, await reader.readexactly(length)


def _expect_success(status: int) -> None:
    if status in (502, 503, 504):
        raise Interrupted(f"status {status}")
    if status != 200:
        raise Wrong(f"status {status}")
