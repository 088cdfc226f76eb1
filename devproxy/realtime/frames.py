"""WebSocket frames read for the eye (RFC 6455 section 5): what passed through a tunnel, frame by frame.

For those who watch a tunnel (:class:`devproxy.events.TunnelData`); nothing here is on the way of what passes. Keeps no
more of a frame than it should, and neither joins nor inflates messages. Start at :class:`FrameReader`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.realtime.websocket import NO_FRAME, FrameTracker

MAX_PAYLOAD_BYTES: Final = 64 * 1024

_LENGTHS: Final = {126: 2, 127: 8}
"""The bytes of an extended length (RFC 6455 section 5.2)."""


class Frame(NamedTuple):
    """A frame. ``opcode``: 0 continuation, 1 text, 2 binary, 8 Close, 9 Ping, 10 Pong (RFC 6455 section 11.8).

    ``is_final``: the message ends with it. ``is_compressed``: it begins a message that is compressed (RFC 7692).
    ``size``: of the payload, in bytes. ``payload``: unmasked, as much of it as is kept.
    """

    opcode: int
    is_final: bool
    is_compressed: bool
    size: int
    payload: bytes


class FrameReader:
    """Reads the frames of one direction of a tunnel. `is_masked`: as for :class:`FrameTracker`.

    `max_payload_bytes`: how much of a payload is kept; the rest is counted. ``is_lost``: these are not frames, as
    :class:`FrameTracker` has it; nothing more is read.
    """

    __slots__ = ("_first", "_head", "_left", "_mask", "_max_payload_bytes", "_payload", "_size", "_tracker", "is_lost")

    def __init__(self, *, is_masked: bool, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._tracker = FrameTracker(is_masked=is_masked)
        self._max_payload_bytes = max_payload_bytes
        self._head = b""
        self._first: int | None = None  # of the frame that is arriving; None: between two
        self._size = 0
        self._left = 0
        self._mask = b""
        self._payload = bytearray()
        self.is_lost = False

    def read(self, data: bytes) -> list[Frame]:
        """Take `data`, the next bytes of this direction in a piece of any size; return the frames that end in it."""
        data, self._head = self._head + data, b""
        frames: list[Frame] = []
        position = 0
        while True:
            if self._first is None:
                if position == len(data) or self.is_lost:
                    return frames
                end = self._tracker.read_head(data, position)
                if end < 0:
                    self.is_lost = end == NO_FRAME
                    self._head = b"" if self.is_lost else data[position:]
                    return frames
                position = self._begin(data, position, end)
            piece = data[position : position + self._left]
            self._payload += piece[: self._max_payload_bytes - len(self._payload)]
            self._left -= len(piece)
            position += len(piece)
            if self._left:
                return frames
            frames.append(self._end())

    def _begin(self, data: bytes, start: int, end: int) -> int:
        """Begin the frame between `start` and `end`, whose header is in `data`; return where its payload begins."""
        self._first, second = data[start : start + 2]
        payload = start + 2 + _LENGTHS.get(second & 0x7F, 0)
        masked = payload + (4 if second & 0x80 else 0)
        self._mask = data[payload:masked]
        self._size = self._left = end - masked
        return masked

    def _end(self) -> Frame:
        first, self._first = self._first or 0, None
        payload = _unmasked(self._payload, self._mask) if self._mask else bytes(self._payload)
        self._payload.clear()
        return Frame(first & 0x0F, bool(first & 0x80), bool(first & 0x40), self._size, payload)


def _unmasked(payload: bytearray, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
