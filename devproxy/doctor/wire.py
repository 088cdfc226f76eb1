"""Requests by hand: what a server answers, as it came, within bounds of time and size.

Answers are read by the strict grammar of :mod:`devproxy.http1`, so that duplicates, broken upgrades and what is no HTTP
at all are seen. Nothing here raises for what a server does: it becomes a :class:`~devproxy.doctor.observed.Failure`.
Start at :class:`Wire`.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from devproxy.doctor.observed import NOT_ASKED, Answer, Failure, Handshake
from devproxy.errors import BadMessage
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, ResponseHead
from devproxy.http1.framing import DecodedBody
from devproxy.http1.head import parse_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits
from devproxy.realtime.frames import FrameReader
from devproxy.realtime.websocket import close_frame

MAX_BODY_BYTES: Final = 64 * 1024
MAX_INTERIM_HEADS: Final = 8
_PIECE: Final = 16 * 1024
_RAW: Final = 256
_LIMITS: Final = Limits()
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
Lines = Iterable[tuple[str, str]]


class Way(NamedTuple):
    """How a server is reached: an address that answered, and TLS or none. ``host_field``: for ``Host``."""

    address: str
    port: int
    host_field: str
    tls: ssl.SSLContext | None = None
    name: str = ""


class Deadline:
    """When everything has to be over. Spans in seconds. ``patience_s``: for one answer, so that several can be late."""

    def __init__(self, limit_s: float) -> None:
        self.patience_s = min(4.0, max(1.0, limit_s / 5))
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + limit_s

    @property
    def left_s(self) -> float:
        """How much time is left, not below zero."""
        return max(0.0, self._at - self._loop.time())

    def within(self, span_s: float) -> float:
        """Return `span_s`, or what is left where that is less."""
        return min(span_s, self.left_s)


class Line:
    """One connection. Requests on it come one after the other."""

    def __init__(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._way = way
        self.reader = reader
        self.writer = writer
        self.is_usable = True

    async def ask(
        self, method: str, target: str, lines: Lines = (), body: bytes = b"", *, within_s: float, keeps: bool = False
    ) -> Answer:
        """Send a request and return the answer. `keeps`: leave the connection open for another one."""
        if not self.is_usable:
            return Answer(failure=Failure.CLOSED)
        asked = request(self._way, method, target, lines, body, keeps=keeps)
        start = asyncio.get_running_loop().time()
        self.is_usable = False
        try:
            async with asyncio.timeout(within_s):
                self.writer.write(asked)
                await self.writer.drain()
                head, rest, raw = await self._head(method.encode())
        except TimeoutError:
            return Answer(failure=Failure.SILENT, end_s=within_s)
        except BadMessage as error:
            return Answer(failure=Failure.NOT_HTTP, detail=error.reason, raw=error.line[:_RAW])
        except (OSError, EOFError) as error:
            return Answer(failure=Failure.CLOSED, detail=reason_of(error))
        if head is None:
            failure = Failure.NOT_HTTP if raw else Failure.CLOSED
            return Answer(failure=failure, raw=raw[:_RAW], end_s=asyncio.get_running_loop().time() - start)
        head_s = asyncio.get_running_loop().time() - start
        if head.status == 101 or method == "HEAD":
            self.rest = rest
            return Answer(head.status, tuple(head.fields), head_s=head_s, end_s=head_s)
        content, is_whole, body_s = await self._body(head, rest, max(0.0, within_s - head_s), start)
        content = decoded(content, head.first(b"content-encoding") or b"")
        self.is_usable = keeps and is_whole and head.facts.keep_alive
        end_s = asyncio.get_running_loop().time() - start
        return Answer(
            head.status, tuple(head.fields), content, is_whole=is_whole, head_s=head_s, body_s=body_s, end_s=end_s
        )

    rest: bytes = b""
    """What came after a head of 101."""

    async def _head(self, method: bytes) -> tuple[ResponseHead | None, bytes, bytes]:
        """Return the final head and what came after it; None: the connection ended before, after the bytes given."""
        reader, data, interim = HeadReader(MessageKind.RESPONSE, _LIMITS), b"", 0
        while True:
            if not data:
                data = await self.reader.read(_PIECE)
                if not data:
                    return None, b"", reader.pending
            found = reader.feed(data)
            data = b""
            if found is None:
                continue
            block, data = found
            head = parse_response_head(block, _LIMITS, method)
            if head.status >= 200 or head.status == 101:
                return head, data, b""
            interim += 1
            if interim > MAX_INTERIM_HEADS:
                raise BadMessage("answers 1xx without end")

    async def _body(self, head: ResponseHead, rest: bytes, within_s: float, start: float) -> tuple[bytes, bool, float]:
        """Return the body, whether that is all of it, and when its first byte came, in seconds after `start`."""
        loop = asyncio.get_running_loop()
        length, chunks = head.body_length, DecodedBody() if head.body_length == CHUNKED else None
        is_stream = _is_stream(head)
        content, body_s = bytearray(), 0.0
        if length == 0:
            return b"", True, 0.0
        try:
            async with asyncio.timeout(within_s):
                while True:
                    piece = rest or await self.reader.read(_PIECE)
                    rest = b""
                    if not piece:
                        return bytes(content), length == UNTIL_CLOSE, body_s
                    data = chunks.feed(piece)[0] if chunks else piece
                    if data and not body_s:
                        body_s = loop.time() - start
                    content += data
                    if chunks.is_done if chunks else 0 <= length <= len(content):
                        return bytes(content[:MAX_BODY_BYTES]), len(content) <= MAX_BODY_BYTES, body_s
                    if len(content) > MAX_BODY_BYTES or (is_stream and content):
                        return bytes(content[:MAX_BODY_BYTES]), False, body_s
        except (TimeoutError, OSError, BadMessage):
            return bytes(content), False, body_s

    async def close(self) -> None:
        """Close the connection; what is still to be said to it is not waited for."""
        self.is_usable = False
        self.writer.close()
        with suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(0.2):
                await self.writer.wait_closed()


def decoded(content: bytes, coding: bytes) -> bytes:
    """Return `content` without its coding, as far as it is within bounds; of another coding than zlib's, as it is."""
    if coding.strip().lower() not in (b"gzip", b"x-gzip", b"deflate"):
        return content
    for bits in (47, -15):  # zlib's or gzip's header, or none, as some servers understand "deflate"
        with suppress(zlib.error):
            return zlib.decompressobj(bits).decompress(content, MAX_BODY_BYTES)
    return content


def _is_stream(head: ResponseHead) -> bool:
    return (head.first(b"content-type") or b"").lower().startswith(b"text/event-stream")


class Socket:
    """A WebSocket that is open: text messages, and Pongs for Pings. ``ended``: how it ended, empty while it is open."""

    def __init__(self, line: Line, rest: bytes) -> None:
        self._line = line
        self._frames = FrameReader(is_masked=False)
        self._messages: list[str] = []
        self._partial = bytearray()
        self._rest = rest
        self.ended = ""

    async def send(self, text: str) -> None:
        """Send a text message; nothing happens where the other side has gone."""
        await self._put(_TEXT, text.encode())

    async def receive(self, within_s: float) -> str | None:
        """Return the next message, None where none comes in time or the connection ends (see ``ended``)."""
        try:
            async with asyncio.timeout(within_s):
                while not self._messages and not self.ended:
                    data = self._rest or await self._line.reader.read(_PIECE)
                    self._rest = b""
                    await self._take(data)
        except TimeoutError:
            return None
        except OSError as error:
            self.ended = reason_of(error) or "closed"
        return self._messages.pop(0) if self._messages else None

    async def _take(self, data: bytes) -> None:
        if not data:
            self.ended = "closed"
            return
        for frame in self._frames.read(data):
            if frame.opcode == _PING:
                await self._put(_PONG, frame.payload)
            elif frame.opcode == _CLOSE:
                code = int.from_bytes(frame.payload[:2]) if len(frame.payload) >= 2 else 1005
                self.ended = f"close {code}"
            elif frame.opcode < _CLOSE:
                self._partial += frame.payload[: MAX_BODY_BYTES - len(self._partial)]
                if frame.is_final:
                    self._messages.append(self._partial.decode("utf-8", "replace"))
                    self._partial.clear()
        if self._frames.is_lost:
            self.ended = "bytes that are not frames"
        if len(self._messages) > 1000:
            self.ended = "messages without end"

    async def _put(self, opcode: int, payload: bytes) -> None:
        if self.ended:
            return
        with suppress(OSError):
            self._line.writer.write(client_frame(opcode, payload, os.urandom(4)))
            await self._line.writer.drain()

    async def close(self) -> None:
        """Say that the client leaves, and close."""
        if not self.ended:
            with suppress(OSError):
                self._line.writer.write(close_frame(1000, "", mask=os.urandom(4)))
        await self._line.close()


def client_frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """Return a whole frame from a client (RFC 6455 section 5.2). `mask`: four bytes that no one can predict."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def request(way: Way, method: str, target: str, lines: Lines, body: bytes, *, keeps: bool) -> bytes:
    """Return a request as bytes. `lines`: fields besides those that every request has."""
    fields = [("Host", way.host_field), *lines]
    names = {name.lower() for name, _ in fields}
    if "connection" not in names:
        fields.append(("Connection", "keep-alive" if keeps else "close"))
    for name, value in (("Accept", "*/*"), ("User-Agent", "devproxy-doctor"), ("Accept-Encoding", "identity")):
        if name.lower() not in names:
            fields.append((name, value))
    if body or method == "POST":
        fields.append(("Content-Length", str(len(body))))
    head = "\r\n".join((f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)))
    return head.encode("latin-1", "replace") + b"\r\n\r\n" + body


class Wire:
    """Asks one server. ``most``: how many connections may be open at once; 1 for a server that serves one at a time."""

    def __init__(self, way: Way, deadline: Deadline, *, most: int = 4, connect_s: float = 3.0) -> None:
        self.way = way
        self.deadline = deadline
        self.is_lone = most == 1
        self._connect_s = connect_s
        self._turns = asyncio.Semaphore(most)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line | Answer]:
        """Open a connection and close it at the end; an answer that says why, where that cannot be done."""
        opened = await connect(self.way, self.deadline.within(self._connect_s))
        try:
            yield opened
        finally:
            if isinstance(opened, Line):
                await opened.close()

    async def ask(
        self, method: str, target: str, lines: Lines = (), body: bytes = b"", *, within_s: float | None = None
    ) -> Answer:
        """Ask over a new connection."""
        async with self._turns, self.line() as line:
            if isinstance(line, Answer):
                return self.fair(line)
            span_s = self.deadline.patience_s if within_s is None else within_s
            return self.fair(await line.ask(method, target, lines, body, within_s=self.deadline.within(span_s)))

    def fair(self, answer: Answer) -> Answer:
        """Return `answer`, or that the question was not put where it was the doctor's own time that was up."""
        is_late = answer.failure in (Failure.SILENT, Failure.NOT_CONNECTED)
        return NOT_ASKED if is_late and self.deadline.left_s <= 0 else answer

    @asynccontextmanager
    async def socket(self, target: str, lines: Lines = ()) -> AsyncIterator[tuple[Handshake, Socket | None]]:
        """Ask for a WebSocket over a new connection; close it at the end. The handshake's first message is not read."""
        key = base64.b64encode(os.urandom(16)).decode()
        asked = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            *lines,
        ]
        async with self.line() as line:
            if isinstance(line, Answer):
                yield Handshake(self.fair(line), key.encode()), None
                return
            within_s = self.deadline.within(self.deadline.patience_s)
            answer = await line.ask("GET", target, asked, within_s=within_s)
            if answer.status != 101:
                yield Handshake(self.fair(answer), key.encode()), None
                return
            socket = Socket(line, line.rest)
            try:
                yield Handshake(answer, key.encode()), socket
            finally:
                await socket.close()


async def connect(way: Way, within_s: float) -> Line | Answer:
    """Return a connection, or an answer that says why there is none."""
    try:
        async with asyncio.timeout(within_s):
            name = (way.name or way.address) if way.tls else None
            streams = await asyncio.open_connection(way.address, way.port, ssl=way.tls, server_hostname=name)
    except TimeoutError:
        return Answer(failure=Failure.TLS if way.tls else Failure.NOT_CONNECTED, detail="it took too long")
    except ssl.SSLError as error:
        return Answer(failure=Failure.TLS, detail=getattr(error, "verify_message", "") or error.reason or str(error))
    except ConnectionRefusedError as error:
        return Answer(failure=Failure.REFUSED, detail=reason_of(error))
    except ConnectionError as error:
        return Answer(failure=Failure.TLS if way.tls else Failure.CLOSED, detail=reason_of(error))
    except OSError as error:
        return Answer(failure=Failure.UNREACHABLE, detail=reason_of(error))
    return Line(way, *streams)


def reason_of(error: BaseException) -> str:
    """Return what the system says about `error`, in lower case."""
    return ((error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__).lower()
