"""Short text frames of WebSocket (RFC 6455 section 5.2), and nothing else of it."""

from __future__ import annotations

import os
from typing import Protocol


class Reads(Protocol):
    """What frames are read from."""

    async def readexactly(self, size: int, /) -> bytes:
        """Return `size` octets."""


_TEXT = 0x81
_MASKED = 0x80
_MAX_SHORT = 125


def text_frame(payload: bytes, *, is_masked: bool = False) -> bytes:
    """Return a final text frame with at most 125 octets."""
    assert len(payload) <= _MAX_SHORT
    if not is_masked:
        return bytes((_TEXT, len(payload))) + payload
    key = os.urandom(4)
    return bytes((_TEXT, _MASKED | len(payload))) + key + _xored(payload, key)


async def read_frame(reader: Reads) -> bytes:
    """Return the payload of the next text frame. Raises EOFError for a Close frame, ValueError for any other."""
    first, second = await reader.readexactly(2)
    key = await reader.readexactly(4) if second & _MASKED else b"\0\0\0\0"
    payload = await reader.readexactly(second & 0x7F)
    if first == 0x88:
        raise EOFError("a Close frame")
    if first != _TEXT or second & 0x7F > _MAX_SHORT:
        raise ValueError(f"an unexpected frame: {first:#x}")
    return _xored(payload, key)


def _xored(payload: bytes, key: bytes) -> bytes:
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))
