"""One connection of HTTP/2 over TLS as a browser has it: requests side by side, and WebSockets as streams of it.

A driver of our own, because h2load sends the same fields in every request, so that no first load can be had of it, and
keeps to another policy of HPACK than browsers do. Start at :class:`Http2`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, Protocol

from devproxy.http2 import frames, hpack
from devproxy.http2.lines import Aside, Entry
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from bench.clients.client import WrongAnswer, as_transport, connect
from bench.clients.exchange import Answered
from bench.traffic import AUTHORITY

Field = tuple[bytes, bytes]

STREAM_WINDOW_BYTES: Final = 6 << 20
CONNECTION_WINDOW_BYTES: Final = 15 << 20
"""As Chromium's are."""
_INITIAL_WINDOW_SIZE: Final = 4
_PSEUDO: Final = {b":method": b"\x02", b":path": b"\x04", b":scheme": b"\x06"}
"""Those that Chromium never adds to its table, and what a literal of their names begins with."""
_FIELDS: Final = {field: index for index, field in reversed([*enumerate(hpack.STATIC, 1)])}
_NAMES: Final = {name: index for index, (name, _) in reversed([*enumerate(hpack.STATIC, 1)])}
_CODES: Final = [f"{code:0{length}b}" for code, length in zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)]
_REMEMBERED: Final = 1 << 16
_LEFT_OUT: Final = (b"host", b"connection", b"content-length")


class Encoder:
    """Writes blocks by Chromium's policy (quiche's ``HpackEncoder``).

    Of the pseudo-fields ``:authority`` alone is added to the table, of the others all are; strings are in the Huffman
    code.
    """

    def __init__(self) -> None:
        self._numbers: dict[Field, int] = {}
        self._names: dict[bytes, int] = {}
        self._entries: deque[tuple[Field, int]] = deque()
        self._size = 0
        self._inserted = 0

    def encode(self, fields: Iterable[Field]) -> bytes:
        """Return the block for `fields`."""
        return b"".join(map(self._encode, fields))

    def _encode(self, field: Field) -> bytes:
        name, value = field
        if (index := _FIELDS.get(field)) is not None:
            return bytes((0x80 | index,))
        if name in _PSEUDO:
            return _PSEUDO[name] + _string(value)
        if (number := self._numbers.get(field)) is not None:
            return _number(len(hpack.STATIC) + 1 + self._inserted - number, 0x80, 0x7F)
        if (index := _NAMES.get(name)) is None and (number := self._names.get(name)) is not None:
            index = len(hpack.STATIC) + 1 + self._inserted - number
        self._insert(field)
        return (b"\x40" + _string(name) if index is None else _number(index, 0x40, 0x3F)) + _string(value)

    def _insert(self, field: Field) -> None:
        self._inserted += 1
        self._numbers[field] = self._names[field[0]] = self._inserted
        size = len(field[0]) + len(field[1]) + hpack.FIELD_OVERHEAD
        self._entries.append((field, size))
        self._size += size
        while self._size > hpack.TABLE_BYTES:
            number = self._inserted - len(self._entries) + 1
            (name, value), size = self._entries.popleft()
            self._size -= size
            if self._numbers[name, value] == number:
                del self._numbers[name, value]
            if self._names[name] == number:
                del self._names[name]


def _number(number: int, pattern: int, prefix: int) -> bytes:
    """Return `number` after the high bits of `pattern` (RFC 7541 section 5.1); there are none beyond two bytes here."""
    return bytes((pattern | number,)) if number < prefix else bytes((pattern | prefix, number - prefix))


@lru_cache(_REMEMBERED)
def _string(text: bytes) -> bytes:
    bits = "".join(map(_CODES.__getitem__, text))
    bits += "1" * (-len(bits) % 8)
    size = len(bits) // 8
    if size >= len(text):
        return _number(len(text), 0, 0x7F) + text
    return _number(size, 0x80, 0x7F) + int(bits, 2).to_bytes(size, "big")


@lru_cache(_REMEMBERED)
def fields_of(request: bytes) -> Sequence[Field]:
    """Return the fields that say in HTTP/2 what `request` says in HTTP/1.1; cookies are sent in crumbs."""
    start, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, target, _ = start.split(b" ")
    fields = [(b":method", method), (b":authority", AUTHORITY.encode()), (b":scheme", b"https"), (b":path", target)]
    for line in lines:
        name, _, value = line.partition(b": ")
        name = name.lower()
        if name not in _LEFT_OUT:
            fields += [(name, one) for one in (value.split(b"; ") if name == b"cookie" else (value,))]
    return fields


class Socket(Protocol):
    """What takes the bytes of a WebSocket that is a stream."""

    def opened(self, transport: Tunnel) -> None:
        """It is open: `transport` sends."""

    def data_received(self, data: bytes) -> None:
        """Something has come."""

    def fail(self, why: str) -> None:
        """It is over."""


class _Asked:
    """A request: ``answered`` gets its head and its body once it is whole."""

    def __init__(self, answered: Answered) -> None:
        self.answered = answered
        self.head = b""
        self.parts: list[bytes] = []


class Http2(asyncio.Protocol):
    """One connection. Anything but a whole 200, and what ends it or one of its streams, goes to `failed`."""

    transport: asyncio.Transport

    def __init__(self, port: int, failed: Callable[[Exception], None]) -> None:
        self._port = port
        self._failed = failed
        self._encoder = Encoder()
        self._decoder = hpack.Decoder()
        self._streams: dict[int, _Asked] = {}
        self._sockets: dict[int, Socket] = {}
        self._windows: dict[int, int] = {0: 65_535}
        self._stream_window = 65_535
        self._next_id = 1
        self._rest = b""
        self._out: list[bytes] = []
        self._untold: dict[int, int] = {0: 0}
        """Bytes that came and that the peer may not send again yet; of the connection, and of each WebSocket."""
        self._is_closed = False
        self._is_flushing = False

    async def connect(self) -> None:
        """Open the connection."""
        try:
            await connect(self, self._port, "h2")
        except OSError as error:
            self._failed(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = as_transport(transport)
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            self._fail("HTTP/2 is not spoken here")
            return
        self._out.append(frames.PREFACE)
        self._out.append(frames.write_settings(((_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES), (2, 0))))
        self._out.append(frames.write_window_update(0, CONNECTION_WINDOW_BYTES - 65_535))
        self._flush()

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send `request`, a GET of HTTP/1.1, in the words of HTTP/2."""
        self._streams[self._open(fields_of(request), frames.END_STREAM)] = _Asked(answered)

    def connect_socket(self, path: bytes, socket: Socket) -> None:
        """Ask for a WebSocket (RFC 8441); `socket` is told once it is open."""
        fields = [(b":method", b"CONNECT"), (b":authority", AUTHORITY.encode()), (b":scheme", b"https")]
        fields += [(b":path", path), (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
        stream_id = self._open(fields, 0)
        self._windows[stream_id] = self._stream_window
        self._sockets[stream_id] = socket

    def _open(self, fields: Iterable[Field], flags: int) -> int:
        stream_id = self._next_id
        self._next_id += 2
        self._out.append(frames.write_headers(stream_id, self._encoder.encode(fields), flags))
        self.flush_soon()
        return stream_id

    def send(self, stream_id: int, data: bytes) -> None:
        """Send a piece of what a WebSocket sends."""
        self._windows[0] -= len(data)
        self._windows[stream_id] -= len(data)
        if min(self._windows[0], self._windows[stream_id]) < 0:
            self._fail("the windows are full although all that was sent has come back")
            return
        self._out.append(frames.write_head(frames.DATA, 0, stream_id, len(data)) + data)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Have what was written sent in this turn of the loop, in one piece, as a browser's network thread does."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        if self._out and not self._is_closed:
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        position = 0
        try:
            while position + frames.HEAD_BYTES <= len(data) and not self._is_closed:
                kind, flags, stream_id, length = frames.read_head(data, position)
                end = position + frames.HEAD_BYTES + length
                if end > len(data):
                    break
                self._take(kind, flags, stream_id, data[position + frames.HEAD_BYTES : end])
                position = end
        except (frames.ConnectionFault, hpack.CompressionFault) as fault:
            self._fail(str(fault))
        self._rest = data[position:]

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == frames.DATA:
            self._take_data(flags, stream_id, payload)
        elif kind == frames.HEADERS:
            self._take_head(flags, stream_id, payload)
        elif kind == frames.SETTINGS:
            if not flags & frames.ACK:
                self._resize_windows(dict(frames.settings(flags, payload)).get(_INITIAL_WINDOW_SIZE, 65_535))
                self._out.append(frames.SETTINGS_ACK)
                self.flush_soon()
        elif kind == frames.PING:
            if not flags & frames.ACK:
                self._out.append(frames.write_ping_ack(payload))
                self.flush_soon()
        elif kind == frames.WINDOW_UPDATE:
            if stream_id in self._windows:
                self._windows[stream_id] += frames.increment(payload)
        else:
            self._fail(f"a frame of type {kind} came on stream {stream_id}: {payload!r}")

    def _resize_windows(self, size: int) -> None:
        """Let all windows of streams be as if they had begun with `size` (RFC 9113 section 6.9.2)."""
        for stream_id in self._sockets:
            self._windows[stream_id] += size - self._stream_window
        self._stream_window = size

    def _take_head(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not flags & frames.END_HEADERS or flags & frames.PADDED:
            self._fail("a head is padded or comes in pieces")
            return
        status, *entries = self._decoder.decode(payload)
        socket = self._sockets.get(stream_id)
        if _value_of(status) != b"200":
            self._fail(f"answered {status!r} {entries!r}")
        elif socket is not None:
            socket.opened(Tunnel(self, stream_id))
        else:
            asked = self._streams[stream_id]
            asked.head = b"".join(entries)
            if flags & frames.END_STREAM:
                self._give_out(stream_id)

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._give_back(0, len(payload), CONNECTION_WINDOW_BYTES)
        socket = self._sockets.get(stream_id)
        if socket is None:
            self._streams[stream_id].parts.append(payload)
            if flags & frames.END_STREAM:
                self._give_out(stream_id)
        elif flags & frames.END_STREAM:
            self._fail("a WebSocket was closed")
        else:
            self._give_back(stream_id, len(payload), STREAM_WINDOW_BYTES)
            socket.data_received(payload)

    def _give_back(self, stream_id: int, size: int, window: int) -> None:
        """Let the peer send `size` bytes more, once half of `window` is used up."""
        untold = self._untold[stream_id] = self._untold.get(stream_id, 0) + size
        if untold > window // 2:
            self._out.append(frames.write_window_update(stream_id, untold))
            self._untold[stream_id] = 0
            self.flush_soon()

    def _give_out(self, stream_id: int) -> None:
        asked = self._streams.pop(stream_id)
        asked.answered(asked.head, b"".join(asked.parts))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_closed:
            self._fail(f"the connection was lost: {exc}")

    def close(self) -> None:
        """End it; what is still on its way is lost."""
        self._is_closed = True
        self.transport.abort()

    def _fail(self, why: str) -> None:
        self.close()
        for socket in self._sockets.values():
            socket.fail(why)
        self._failed(WrongAnswer(why))


def _value_of(entry: Entry) -> bytes:
    return entry.value if isinstance(entry, Aside) else b""


class Tunnel:
    """What a WebSocket on a stream sends by."""

    def __init__(self, connection: Http2, stream_id: int) -> None:
        self._connection = connection
        self._stream_id = stream_id

    def write(self, data: bytes) -> None:
        self._connection.send(self._stream_id, data)

    def abort(self) -> None:
        self._connection.transport.abort()


class Slot:
    """One of the requests that are in flight on a connection: asks one after another, as an :class:`Exchange` does."""

    def __init__(self, connection: Http2) -> None:
        self.transport = connection.transport
        self.ask = connection.ask
