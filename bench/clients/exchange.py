"""One connection that asks, and gives out each answer whole once it is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final, Protocol

from bench.clients.client import HTTP11, WrongAnswer, as_transport, connect

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)")
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked")
_CLOSE: Final = re.compile(rb"\r\nconnection: *close")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"

Answered = Callable[[bytes, bytes], None]
"""Gets the head, in lower case, and the body."""


class Asks(Protocol):
    """What asks one request at a time."""

    transport: asyncio.Transport

    def ask(self, request: bytes, answered: Answered, /) -> None:
        """Send `request`; `answered` is called with its answer and may ask again."""


class Exchange(asyncio.Protocol):
    """Asks one request at a time. Anything but a whole 200 goes to `failed`. `is_secure`: over TLS.

    Where an answer ends the connection, the next request goes over a new one to `port`, as a browser's would.
    """

    transport: asyncio.Transport

    def __init__(self, port: int, failed: Callable[[Exception], None], *, is_secure: bool = False) -> None:
        self._port = port
        self._offers = (HTTP11,) if is_secure else ()
        self._failed = failed
        self._answered: Answered | None = None
        self._is_closed = True
        self._unsent = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._head = b""
        self._due = 0
        """Bytes of head and body, 0 while that is unknown."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = as_transport(transport)
        self._is_closed = False
        if self._unsent:
            self.transport.write(self._unsent)
            self._unsent = b""

    async def connect(self) -> None:
        """Open the connection."""
        try:
            await connect(self, self._port, *self._offers)
        except OSError as error:
            self._failed(error)

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send `request`; `answered` is called with its answer and may ask again."""
        self._answered = answered
        if self._is_closed:
            self._unsent = request
            self._connecting = asyncio.ensure_future(self.connect())
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        self._tail = (self._tail + data[-len(_LAST_CHUNK) :])[-len(_LAST_CHUNK) :]
        if not self._head and not self._read_head():
            return
        if self._due and self._size < self._due:
            return
        if not self._due and self._tail != _LAST_CHUNK:
            return
        self._give_out()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_closed:
            self._fail(f"the connection was lost: {exc}")

    def _read_head(self) -> bool:
        joined = b"".join(self._parts)
        end = joined.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._parts = [joined]
        self._head = joined[:end].lower()
        if found := _LENGTH.search(self._head):
            self._due = end + 4 + int(found[1])
        elif not _CHUNKED.search(self._head):
            self._fail(f"the answer has no length: {joined[:end]!r}")
        return True

    def _give_out(self) -> None:
        joined, head, due, answered = b"".join(self._parts), self._head, self._due, self._answered
        self._parts, self._size, self._head, self._due, self._answered = [], 0, b"", 0, None
        if (due and len(joined) > due) or answered is None:
            self._fail(f"octets behind the answer: {joined[due:][:60]!r}")
        elif not head.startswith(b"http/1.1 200 "):
            self._fail(f"answered {joined[:60]!r}")
        else:
            try:
                body = joined[len(head) + 4 :] if due else unchunked(joined[len(head) + 4 :])
            except ValueError as error:
                self._fail(f"a bad chunked body: {error}")
                return
            if _CLOSE.search(head):
                self._is_closed = True
                self.transport.abort()
            answered(head, body)

    def _fail(self, why: str) -> None:
        self._answered = None
        self._is_closed = True
        self.transport.abort()
        self._failed(WrongAnswer(why))


def unchunked(octets: bytes) -> bytes:
    """Return the content of a whole chunked body without trailers (RFC 9112, section 7.1). Raises `ValueError`."""
    content: list[bytes] = []
    at = 0
    while True:
        end = octets.index(b"\r\n", at)
        size = int(octets[at:end].partition(b";")[0], 16)
        if not size:
            break
        content.append(octets[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
        if octets[at - 2 : at] != b"\r\n":
            raise ValueError("a chunk does not end where it says")
    if octets[end:] != b"\r\n\r\n":
        raise ValueError("octets behind the last chunk")
    return b"".join(content)
