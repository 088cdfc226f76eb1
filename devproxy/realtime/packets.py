"""Engine.IO packets, read for the eye: protocols 3 and 4, in WebSocket messages and in bodies of the polling transport.

Pure, and linear in what is given; nothing here is on the way of what passes. What is no packet gives none. Source:
engine.io-protocol, revisions 3 and 4; engine.io-parser 2 to 5; python-engineio. Start at :func:`read_message` or
:func:`read_payload`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final, NamedTuple

TYPES: Final = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
_SEPARATOR: Final = "\x1e"
MAX_PACKETS: Final = 4096
"""Packets of one body that are read."""
MAX_LENGTH_DIGITS: Final = 12
_DIGITS: Final = frozenset("0123456789")
_END_OF_LENGTH: Final = 0xFF


class Packet(NamedTuple):
    """A packet. ``type``: one of :data:`TYPES`. ``data``: of a message text or bytes, of others what comes with it."""

    type: str
    data: str | bytes


def read_message(data: str | bytes, eio: int) -> Packet | None:
    """Return the packet in a WebSocket message; None: it is none. In bytes, protocol 3 has the type in front."""
    if isinstance(data, str):
        return _read_text(data)
    if eio >= 4:
        return Packet("message", data)
    if not data or data[0] >= len(TYPES):
        return None
    return Packet(TYPES[data[0]], data[1:])


def read_payload(body: bytes, eio: int) -> list[Packet]:
    """Return the packets in a body of the polling transport, as far as they can be read.

    JSONP is read as well: a call in an answer, a form field in a request.
    """
    if eio < 4 and body[:1] in (b"\x00", b"\x01"):
        return _read_binary_payload(body)
    try:
        text = _without_jsonp(body.decode())
    except UnicodeDecodeError:
        return []
    return _read_separated(text) if eio >= 4 else _read_counted(text)


def _read_text(text: str) -> Packet | None:
    """Return a packet in text: a digit and what follows, or `b` and base64."""
    if text[:1] == "b":
        # Protocol 3 puts the type between.
        if text[1:2] in _DIGITS and len(text) % 4 == 2 and (data := _from_base64(text[2:])) is not None:
            return Packet(TYPES[int(text[1])] if int(text[1]) < len(TYPES) else "message", data)
        data = _from_base64(text[1:])
        return None if data is None else Packet("message", data)
    kind = text[:1]
    if not kind.isascii() or not kind.isdigit() or int(kind) >= len(TYPES):
        return None
    return Packet(TYPES[int(kind)], text[1:])


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _read_separated(text: str) -> list[Packet]:
    """Read protocol 4: packets with record separators between them."""
    found = []
    for piece in text.split(_SEPARATOR, MAX_PACKETS)[:MAX_PACKETS]:
        packet = _read_text(piece)
        if packet is None:
            break
        found.append(packet)
    return found


def _read_counted(text: str) -> list[Packet]:
    """Read protocol 3: each packet has its length before it, in the units of UTF-16, as JavaScript counts."""
    found: list[Packet] = []
    is_plain = text.isascii() or max(text) <= "\uffff"
    units = text if is_plain else text.encode("utf-16-le").decode("latin-1")
    at, step = 0, 1 if is_plain else 2
    while at < len(units) and len(found) < MAX_PACKETS:
        end = at
        digits = ""
        while end < len(units) and units[end].isascii() and units[end].isdigit() and len(digits) <= MAX_LENGTH_DIGITS:
            digits += units[end]
            end += step
        if not digits or len(digits) > MAX_LENGTH_DIGITS or units[end : end + 1] != ":":
            break
        start = end + step
        piece = units[start : start + int(digits) * step]
        packet = _read_text(piece if is_plain else piece.encode("latin-1").decode("utf-16-le", "replace"))
        if packet is None:
            break
        found.append(packet)
        at = start + int(digits) * step
    return found


def _read_binary_payload(body: bytes) -> list[Packet]:
    """Read protocol 3 as bytes: each packet says whether it is text (0) or bytes (1), then its length, then 255."""
    found: list[Packet] = []
    at = 0
    while at < len(body) and len(found) < MAX_PACKETS:
        is_binary = body[at] == 1
        end = body.find(_END_OF_LENGTH, at + 1, at + 2 + MAX_LENGTH_DIGITS)
        digits = body[at + 1 : end]
        if body[at] > 1 or end < 0 or not digits or max(digits) > 9:
            break
        length = int("".join(map(str, digits)))
        piece = body[end + 1 : end + 1 + length]
        packet = read_message(piece if is_binary else piece.decode("utf-8", "replace"), 3)
        if packet is None:
            break
        found.append(packet)
        at = end + 1 + length
    return found


def _without_jsonp(text: str) -> str:
    """Return what is within a JSONP answer (``___eio[0]("…");``) or a JSONP form (``d=…``); else `text`."""
    if text.startswith("___eio["):
        start, end = text.find('("'), text.rfind('")')
        if 0 < start < end:
            try:
                return str(json.loads(text[start + 1 : end + 1]))
            except (ValueError, RecursionError):
                return text
    if text.startswith("d="):
        from urllib.parse import unquote_plus

        return unquote_plus(text[2:]).replace("\\n", "\n").replace("\\\n", "\\n")
    return text
