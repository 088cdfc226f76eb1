"""Messages for the eye: what passed in a WebSocket or in polls, and what Engine.IO and Socket.IO make of it. Pure.

Start at :class:`Message` and :class:`PacketReader`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from devproxy.inspector.masking import masked_auth, masked_json, masked_packet, masked_text
from devproxy.realtime.packets import Packet, read_message, read_payload
from devproxy.realtime.socketio import Attachments, SocketPacket, read_packet

UP: Final = "up"
DOWN: Final = "down"
MAX_SHOWN_BYTES: Final = 64 * 1024
_KINDS: Final = {8: "close", 9: "ping", 10: "pong"}
"""Control frames (RFC 6455 section 5.5)."""

Decoded = tuple[Packet, SocketPacket | None]
"""An Engine.IO packet, and the Socket.IO packet in it; None: there is none."""


@dataclass(slots=True)
class Message:
    """A message. ``data``: text or bytes, as far as it is kept, inflated; None: it cannot be read, as ``note`` says.

    ``size``: in bytes on the wire, without the header of its frames. ``opcode``: of its first frame; 0: it is a packet
    in a body of the polling transport. ``direction``: :data:`UP` or :data:`DOWN`. ``packets``: what is in it.
    """

    id: int
    exchange_id: int
    at: float
    direction: str
    opcode: int
    size: int
    is_compressed: bool
    data: str | bytes | None
    is_cut: bool
    packets: list[Decoded]
    note: str = ""

    @property
    def kept_bytes(self) -> int:
        """About how many bytes it takes."""
        return 256 + (0 if self.data is None else len(self.data))

    @property
    def kind(self) -> str:
        """``message``, ``ping``, ``pong``, ``close``, or ``poll``."""
        return "poll" if self.opcode == 0 else _KINDS.get(self.opcode, "message")


class PacketReader:
    """Reads the packets of one direction of one session; it knows which binary messages belong to the one before."""

    def __init__(self, eio: int) -> None:
        self._eio = eio
        self._attachments = Attachments()

    def read(self, data: str | bytes) -> list[Decoded]:
        """Return the packet in a WebSocket message, in a list; an empty one: there is none."""
        packet = read_message(data, self._eio)
        return [] if packet is None else [(packet, self._inner(packet))]

    def read_body(self, body: bytes) -> list[Decoded]:
        """Return the packets in a body of the polling transport."""
        return [(packet, self._inner(packet)) for packet in read_payload(body, self._eio)]

    def _inner(self, packet: Packet) -> SocketPacket | None:
        if packet.type != "message":
            return None
        if isinstance(packet.data, bytes):
            return self._attachments.take()
        found = read_packet(packet.data)
        if found is not None and found.attachments:
            self._attachments.expect(found)
        return found


def messages_of_body(
    exchange_id: int, body: bytes, reader: PacketReader, *, at: float, direction: str, first_id: int
) -> list[Message]:
    """Return the packets in a body of the polling transport, a message each. `reader`: of the session's direction."""
    found = []
    for number, decoded in enumerate(reader.read_body(body), first_id):
        packet, _ = decoded
        data = packet.data
        size = len(data.encode("utf-8", "replace") if isinstance(data, str) else data) + 1
        shown = data if isinstance(data, bytes) else f"{_digit(packet)}{data}"
        is_cut = len(shown) > MAX_SHOWN_BYTES
        found.append(
            Message(number, exchange_id, at, direction, 0, size, False, shown[:MAX_SHOWN_BYTES], is_cut, [decoded])
        )
    return found


def _digit(packet: Packet) -> int:
    return ("open", "close", "ping", "pong", "message", "upgrade", "noop").index(packet.type)


def as_json(message: Message, *, secrets: bool, has_key: bool = True) -> dict[str, Any]:
    """Return `message` as the API gives it; without `secrets` they are masked.

    Without the key (`has_key`) bytes are not shown: no secret can be found in them.
    """
    data = message.data
    shown = data if isinstance(data, str) else None
    if shown is not None and not secrets:
        shown = _masked_shown(message, shown)
    raw = base64.b64encode(data).decode() if isinstance(data, bytes) and has_key else None
    note = message.note if raw is not None or not isinstance(data, bytes) else "bytes are shown with the key alone"
    return {
        "id": message.id,
        "exchange": message.exchange_id,
        "at": message.at,
        "direction": message.direction,
        "kind": message.kind,
        "opcode": message.opcode,
        "bytes": message.size,
        "is_compressed": message.is_compressed,
        "text": shown,
        "base64": raw,
        "is_cut": message.is_cut,
        "packets": [_packet_json(packet, inner, secrets=secrets) for packet, inner in message.packets],
        "note": note,
    }


def _masked_shown(message: Message, shown: str) -> str:
    """Return the text of a message without secrets: where it is a packet, of the JSON in it."""
    return masked_packet(shown) if message.packets else masked_text(shown)


def _packet_json(packet: Packet, inner: SocketPacket | None, *, secrets: bool) -> dict[str, Any]:
    if inner is None:
        data = packet.data if isinstance(packet.data, str) else None
        if data is not None and not secrets:
            data = masked_packet(f"4{data}")[1:] if packet.type == "message" else masked_text(data)
        return {"layer": "engine.io", "type": packet.type, "data": data, "engine": packet.type}
    data_json = inner.data
    if not secrets:
        data_json = masked_auth(data_json) if inner.type == "connect" else masked_json(data_json)
    return {
        "layer": "socket.io",
        "type": inner.type,
        "namespace": inner.namespace,
        "event": inner.event,
        "ack": inner.ack,
        "data": data_json,
        "attachments": inner.attachments,
        "is_complete": inner.is_complete,
        "engine": packet.type,
    }
