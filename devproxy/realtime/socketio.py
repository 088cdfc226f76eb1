"""Socket.IO packets, read for the eye: what a message of Engine.IO means to Socket.IO 2, 3 and 4.

Pure, and linear in what is given. Source: socket.io-protocol, revisions 4 and 5; socket.io-parser 3 and 4. What another
parser wrote (msgpack) is no packet here. Start at :func:`read_packet`; :class:`Attachments` knows which binary messages
belong to a packet.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

TYPES: Final = ("connect", "disconnect", "event", "ack", "connect_error", "binary_event", "binary_ack")
MAX_ATTACHMENTS: Final = 1000
_MAX_DIGITS: Final = 15


class SocketPacket(NamedTuple):
    """A packet. ``type``: one of :data:`TYPES`, or ``attachment``. ``ack``: the id that it asks for or answers.

    ``event``: the name of an event, empty for other packets. ``data``: what comes with it, of an event without its
    name; None: nothing. ``attachments``: how many binary messages follow, or for one of them, which it is.
    ``is_complete``: the data could be read.
    """

    type: str
    namespace: str
    event: str = ""
    ack: int | None = None
    data: Any = None
    attachments: int = 0
    is_complete: bool = True


def read_packet(text: str) -> SocketPacket | None:
    """Return the packet that `text`, the data of an Engine.IO message, holds; None: it is none."""
    kind = text[:1]
    if not kind.isascii() or not kind.isdigit() or int(kind) >= len(TYPES):
        return None
    name = TYPES[int(kind)]
    at, attachments = 1, 0
    if name.startswith("binary_"):
        digits = _digits(text, at)
        if not digits or text[at + len(digits) : at + len(digits) + 1] != "-":
            return None
        attachments = int(digits)
        at += len(digits) + 1
    namespace = "/"
    if text[at : at + 1] == "/":
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        namespace = text[at:end].partition("?")[0]
        at = end + 1
    digits = _digits(text, at)
    ack = int(digits) if digits else None
    at += len(digits)
    data, is_complete = _read_json(text[at:])
    if name in ("event", "binary_event"):
        if is_complete and not (isinstance(data, list) and data):
            return None
        event = str(data[0]) if is_complete else _name_in(text[at:])
        rest = data[1:] if is_complete else None
        return SocketPacket(name, namespace, event, ack, rest, attachments, is_complete)
    return SocketPacket(name, namespace, "", ack, data, attachments, is_complete)


def _digits(text: str, at: int) -> str:
    end = at
    while end < len(text) and end - at < _MAX_DIGITS and text[end].isascii() and text[end].isdigit():
        end += 1
    return text[at:end]


def _read_json(text: str) -> tuple[Any, bool]:
    if not text:
        return None, True
    try:
        return json.loads(text), True
    except (ValueError, RecursionError):
        return None, False


def _name_in(text: str) -> str:
    """Return the name at the beginning of an event whose data is cut off, as far as it is there."""
    if not text.startswith('["'):
        return ""
    end = text.find('"', 2)
    return text[2:end] if end > 0 else ""


class Attachments:
    """Counts the binary messages that one direction of a session still owes to its last packet."""

    __slots__ = ("_count", "_left", "_namespace")

    def __init__(self) -> None:
        self._count = self._left = 0
        self._namespace = "/"

    def expect(self, packet: SocketPacket) -> None:
        """Take note of a packet: binary messages may follow it."""
        self._count = self._left = min(packet.attachments, MAX_ATTACHMENTS)
        self._namespace = packet.namespace

    def take(self) -> SocketPacket | None:
        """Return what a binary message is that comes now; None: no packet waits for one."""
        if not self._left:
            return None
        self._left -= 1
        return SocketPacket("attachment", self._namespace, attachments=self._count - self._left)
