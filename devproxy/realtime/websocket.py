"""WebSocket frames as a tunnel passes them (RFC 6455 section 5), without touching a byte.

Owns two things: :class:`FrameTracker`, which knows whether one direction of a tunnel is between two frames, and
:func:`close_frame`, which builds the one frame that the gateway may say itself. A tunnel that is being ended can then
be notified with a Close frame, which is only possible at a frame boundary. Never decodes, unmasks, changes or holds
back payload, and never judges a message: what is not WebSocket traffic only makes the tracker say that it is lost. ADR
0003 says why. Frames are read, in parallel to the tunnel, by :mod:`devproxy.realtime.frames`. Start at
:class:`FrameTracker`.
"""

from __future__ import annotations

from typing import Final

NO_STATUS: Final = 1005
"""``close_code`` of a Close frame that gives no code (RFC 6455 section 7.1.5). Never sent on the wire."""

MAX_REASON_BYTES: Final = 123

_MASK_BIT: Final = 0x80
_MASK_KEY_BYTES: Final = 4
_CLOSE: Final = 0x88
# What the first byte of a frame may be. RSV1 (0x40) marks a compressed message (RFC 7692 section 6) and therefore
# is only on the first frame of one; RSV2 and RSV3 belong to no extension that browsers or servers speak.
_CONTROL: Final = frozenset((_CLOSE, 0x89, 0x8A))
_WHOLE_MESSAGE: Final = frozenset((0x81, 0x82, 0xC1, 0xC2))
_MESSAGE_START: Final = frozenset((0x01, 0x02, 0x41, 0x42))
_MESSAGE_MORE: Final = 0x00
_MESSAGE_END: Final = 0x80
# Frames that leave the tracker in the state in which they found it, so that the cheap path may take them.
_PASSING_BETWEEN_MESSAGES: Final = frozenset((0x89, 0x8A)) | _WHOLE_MESSAGE
_PASSING_IN_MESSAGE: Final = frozenset((0x89, 0x8A))

_SHORT: Final = 126  # shorter payloads have their length in the second byte (RFC 6455 section 5.2)
_UNMASKED_SIZES: Final = bytes(octet + 2 if octet < _SHORT else 0 for octet in range(256))
_MASKED_SIZES: Final = bytes(
    octet - _MASK_BIT + 2 + _MASK_KEY_BYTES if _MASK_BIT <= octet < _MASK_BIT + _SHORT else 0 for octet in range(256)
)
"""The size of a whole frame by its second byte, 0 where that byte alone does not tell or is not allowed."""

# `_left` when the next byte belongs to a frame's header, of which a part has come, or when the tracker is lost.
_SLOW: Final = -1
# What reading a header gives if no frame's end is known: bytes are missing, or these are not a frame.
_MORE: Final = -1
NO_FRAME: Final = -2
"""What :meth:`FrameTracker.read_head` returns for bytes that are not a frame."""


class FrameTracker:
    """Follows the frames in one direction of a tunnel.

    `is_masked`: True for client to server, where every frame must be masked, False for the other way, where none may
    be (RFC 6455 section 5.1).

    ``is_lost``: the bytes were no WebSocket frames, or frames that every endpoint must fail the connection for (a
    reserved opcode or bit, the wrong masking, a Close of one byte, a control frame that is long or fragmented, a
    message begun within a message); from then on nothing more is known. ``close_code``: the code of the last Close
    frame, :data:`NO_STATUS` when it gave none, 0 while there was no Close. ``in_message``: the next data frame must be
    a continuation; a control frame may come before it. ``frames``: how many frames have begun.
    """

    __slots__ = ("_head", "_left", "_masking", "_passing", "_sizes", "close_code", "frames", "in_message", "is_lost")

    def __init__(self, *, is_masked: bool) -> None:
        self.is_lost = False
        self.close_code = 0
        self.in_message = False
        self.frames = 0
        self._masking = _MASK_BIT if is_masked else 0
        self._sizes = _MASKED_SIZES if is_masked else _UNMASKED_SIZES
        self._passing = _PASSING_BETWEEN_MESSAGES
        self._left = 0
        self._head = b""

    @property
    def at_boundary(self) -> bool:
        """Whether whole frames alone have passed, so that a frame of one's own may follow."""
        return self._left == 0

    def advance(self, data: bytes) -> None:
        """Take note of `data`, the next bytes of this direction, in pieces of any size.

        Costs next to nothing for the two usual cases: a slice of a large frame, and one whole short frame.
        """
        size = len(data)
        left = self._left
        if left >= size:
            self._left = left - size
        elif left == 0 and size > 1 and self._sizes[data[1]] == size and data[0] in self._passing:
            self.frames += 1
        else:
            self._advance_by_frames(data)

    def _advance_by_frames(self, data: bytes) -> None:
        if self.is_lost:
            return
        if self._left > 0:
            data = data[self._left :]
        elif self._head:
            data = self._head + data
        position = 0
        size = len(data)
        while position < size:
            end = self.read_head(data, position)
            if end < 0:
                self._left = _SLOW
                self.is_lost = end == NO_FRAME
                self._head = b"" if self.is_lost else data[position:]
                return
            position = end
        self._left = position - size
        self._head = b""

    def read_head(self, data: bytes, start: int) -> int:
        """Take note of the frame that begins at `start`; return where it ends (perhaps after `data`), or a negative
        number: ``NO_FRAME``, or that its header is not whole."""
        first = data[start]
        if not self._may_come(first):
            return NO_FRAME
        if len(data) < start + 2:
            return _MORE
        second = data[start + 1]
        short = second & 0x7F
        is_control = first in _CONTROL
        if second & _MASK_BIT != self._masking or (is_control and short >= _SHORT) or (first == _CLOSE and short == 1):
            return NO_FRAME
        payload = start + 2 + (0 if short < _SHORT else 2 if short == _SHORT else 8)
        if self._masking:
            payload += _MASK_KEY_BYTES
        # A Close is read together with its code, which may come in a later piece than its header.
        if len(data) < payload + (2 if first == _CLOSE and short else 0):
            return _MORE
        length = short if short < _SHORT else int.from_bytes(data[start + 2 : start + (4 if short == _SHORT else 10)])
        if length >> 63:
            return NO_FRAME
        self._begin(first)
        if first == _CLOSE:
            self.close_code = self._read_code(data, payload) if length else NO_STATUS
        return payload + length

    def _may_come(self, first: int) -> bool:
        if first in _CONTROL:
            return True
        if self.in_message:
            return first in (_MESSAGE_MORE, _MESSAGE_END)
        return first in _WHOLE_MESSAGE or first in _MESSAGE_START

    def _begin(self, first: int) -> None:
        self.frames += 1
        if first in _MESSAGE_START:
            self.in_message = True
            self._passing = _PASSING_IN_MESSAGE
        elif first == _MESSAGE_END:
            self.in_message = False
            self._passing = _PASSING_BETWEEN_MESSAGES

    def _read_code(self, data: bytes, payload: int) -> int:
        code = int.from_bytes(data[payload : payload + 2])
        if self._masking:
            code ^= int.from_bytes(data[payload - _MASK_KEY_BYTES : payload - 2])
        return code


def close_frame(code: int, reason: str, *, mask: bytes | None) -> bytes:
    """Return a Close frame (RFC 6455 section 5.5.1).

    `code`: 1000 to 4999 but none of the reserved 1004, 1005, 1006 and 1015 (section 7.4). `reason`: at most
    :data:`MAX_REASON_BYTES` bytes of UTF-8. `mask`: the four bytes of a fresh masking key, from a source that no one
    can predict, towards a server (section 5.3); None towards a client. Raises ValueError for anything else.
    """
    text = reason.encode()
    if not 1000 <= code <= 4999 or code in (1004, NO_STATUS, 1006, 1015):
        raise ValueError(f"{code} cannot be sent in a Close frame")
    if len(text) > MAX_REASON_BYTES:
        raise ValueError(f"the reason of a Close frame has at most {MAX_REASON_BYTES} bytes")
    payload = code.to_bytes(2) + text
    if mask is None:
        return bytes((_CLOSE, len(payload))) + payload
    if len(mask) != _MASK_KEY_BYTES:
        raise ValueError("a masking key has four bytes")
    masked = bytes(octet ^ mask[index % _MASK_KEY_BYTES] for index, octet in enumerate(payload))
    return bytes((_CLOSE, _MASK_BIT | len(payload))) + mask + masked
