"""Frames: how they are laid out, and what each may hold (RFC 9113 sections 4 and 6).

Says nothing about the state of a connection or a stream, which is for :mod:`devproxy.http2.connection`. Start at
:func:`read_head`; payloads are read by the function that is called as their frame, and written by ``write_...``.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct, iter_unpack
from typing import Final

from devproxy.errors import DevproxyError

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""
HEAD_BYTES: Final = 9
MAX_PAYLOAD_BYTES: Final = 16_384
"""Of a frame either way: what all have to take, and what SETTINGS_MAX_FRAME_SIZE is at the start."""
MAX_WINDOW_BYTES: Final = (1 << 31) - 1
MAX_STREAM_ID: Final = (1 << 31) - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
"""Types of frames (section 6)."""
ACK: Final = 0x01
END_STREAM: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
HAS_PRIORITY: Final = 0x20

_PRIORITY_BYTES: Final = 5
_EXACT_BYTES: Final = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_OF_CONNECTION: Final = (SETTINGS, PING, GOAWAY)
_OF_STREAM: Final = (DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION)
_head: Final = Struct(">BHBBL")
_number: Final = Struct(">L")
_setting: Final = Struct(">HL")


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Setting(IntEnum):
    """What either side can say about itself (section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6
    ENABLE_CONNECT_PROTOCOL = 8
    NO_RFC7540_PRIORITIES = 9


_YES_OR_NO: Final = (Setting.ENABLE_PUSH, Setting.ENABLE_CONNECT_PROTOCOL, Setting.NO_RFC7540_PRIORITIES)


class ConnectionFault(DevproxyError):
    """A connection error (section 5.4.1): the connection ends, `code` and `reason` say why."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def read_head(data: bytes, position: int) -> tuple[int, int, int, int]:
    """Return the type, the flags, the stream and the length of the payload of the frame at `position` of `data`.

    Raises :class:`ConnectionFault` for a payload that is too long, or of a length that this frame cannot have, and for
    a frame of the connection on a stream, or the other way round.
    """
    high, low, kind, flags, stream_id = _head.unpack_from(data, position)
    stream_id &= MAX_STREAM_ID
    length = high << 16 | low
    if length > MAX_PAYLOAD_BYTES:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame has {length} bytes (RFC 9113, 4.2)")
    if kind > HEADERS:
        _check_head(kind, stream_id, length)
    elif not stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA or HEADERS are on stream 0 (RFC 9113, 6)")
    return kind, flags, stream_id, length


def _check_head(kind: int, stream_id: int, length: int) -> None:
    if _EXACT_BYTES.get(kind, length) != length:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of type {kind} has {length} bytes (RFC 9113, 6)")
    if kind in (_OF_CONNECTION if stream_id else _OF_STREAM):
        reason = f"a frame of type {kind} is on stream {stream_id} (RFC 9113, 6)"
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, reason)


def content(kind: int, flags: int, payload: bytes) -> bytes:
    """Return the `payload` of DATA or HEADERS without padding and priority (sections 6.1 and 6.2).

    Raises :class:`ConnectionFault` where it has not even room for them.
    """
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "a padded frame has no padding (RFC 9113, 6.1)")
        start, end = 1, end - payload[0]
    if kind == HEADERS and flags & HAS_PRIORITY:
        start += _PRIORITY_BYTES
        if start > len(payload):
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS lack their priority (RFC 9113, 6.2)")
    if start > end:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the padding is longer than the frame (RFC 9113, 6.1)")
    return payload[start:end]


def settings(flags: int, payload: bytes) -> list[tuple[int, int]]:
    """Return what SETTINGS say, in order, unknown ones too; nothing for an acknowledgement (section 6.5).

    Raises :class:`ConnectionFault` for values that cannot be.
    """
    if len(payload) % _setting.size or (flags & ACK and payload):
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"SETTINGS have {len(payload)} bytes (RFC 9113, 6.5)")
    said: list[tuple[int, int]] = list(iter_unpack(_setting.format, payload))
    for name, value in said:
        if name in _YES_OR_NO and value > 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"{Setting(name).name} is {value} (RFC 9113, 6.5.2)")
        if name == Setting.INITIAL_WINDOW_SIZE and value > MAX_WINDOW_BYTES:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE is {value} (RFC 9113, 6.5.2)")
        if name == Setting.MAX_FRAME_SIZE and not MAX_PAYLOAD_BYTES <= value < 1 << 24:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"MAX_FRAME_SIZE is {value} (RFC 9113, 6.5.2)")
    return said


def increment(payload: bytes) -> int:
    """Return by how much WINDOW_UPDATE opens a window; 0 is an error of the stream or the connection (section 6.9)."""
    return number(payload) & MAX_WINDOW_BYTES


def number(payload: bytes, position: int = 0) -> int:
    """Return the 32 bits at `position`: the code of RST_STREAM, or a part of GOAWAY."""
    found: int = _number.unpack_from(payload, position)[0]
    return found


def goaway(payload: bytes) -> tuple[int, int]:
    """Return the last stream that the client may have acted upon, and its code (section 6.8)."""
    if len(payload) < 2 * _number.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"GOAWAY has {len(payload)} bytes (RFC 9113, 6.8)")
    return number(payload) & MAX_STREAM_ID, number(payload, _number.size)


def write_head(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """Return the head of a frame."""
    return _head.pack(length >> 16, length & 0xFFFF, kind, flags, stream_id)


def write_headers(stream_id: int, block: bytes, flags: int) -> bytes:
    """Return HEADERS with `block`, and as much CONTINUATION as it takes; `flags`: ``END_STREAM`` or 0."""
    if len(block) <= MAX_PAYLOAD_BYTES:
        return _head.pack(0, len(block), HEADERS, flags | END_HEADERS, stream_id) + block
    pieces = [block[start : start + MAX_PAYLOAD_BYTES] for start in range(0, len(block), MAX_PAYLOAD_BYTES)]
    written = [write_head(HEADERS, flags, stream_id, len(pieces[0])) + pieces[0]]
    written += (write_head(CONTINUATION, 0, stream_id, len(piece)) + piece for piece in pieces[1:-1])
    written.append(write_head(CONTINUATION, END_HEADERS, stream_id, len(pieces[-1])) + pieces[-1])
    return b"".join(written)


def write_settings(said: Iterable[tuple[int, int]]) -> bytes:
    """Return SETTINGS that say what is `said`."""
    payload = b"".join(_setting.pack(name, value) for name, value in said)
    return write_head(SETTINGS, 0, 0, len(payload)) + payload


SETTINGS_ACK: Final = write_head(SETTINGS, ACK, 0, 0)


def write_ping_ack(payload: bytes) -> bytes:
    """Return the answer to a PING with `payload`."""
    return write_head(PING, ACK, 0, len(payload)) + payload


def write_window_update(stream_id: int, count: int) -> bytes:
    """Return WINDOW_UPDATE for `count` bytes, at least 1; stream 0 is the connection."""
    return write_head(WINDOW_UPDATE, 0, stream_id, 4) + _number.pack(count)


def write_rst_stream(stream_id: int, code: int) -> bytes:
    """Return RST_STREAM."""
    return write_head(RST_STREAM, 0, stream_id, 4) + _number.pack(code)


def write_goaway(last_stream_id: int, code: int, reason: str = "") -> bytes:
    """Return GOAWAY; `reason`: for people who look at the connection, in ASCII."""
    payload = _number.pack(last_stream_id) + _number.pack(code) + reason.encode("ascii", "replace")
    return write_head(GOAWAY, 0, 0, len(payload)) + payload
