"""Packets of Engine.IO and Socket.IO, as far as a handshake needs them. Pure.

Protocol 4 separates packets of a poll by a byte; protocol 3 writes the length of each before it. Start at
:func:`read_open` and :func:`split_payload`.
"""

from __future__ import annotations

import json
from typing import Final

from devproxy.doctor.observed import Joining, Opened

_SEPARATOR: Final = "\x1e"
_MAX_TEXT: Final = 300
_MAX_PACKETS: Final = 1000
OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
"""Types of packets (Engine.IO protocol, section "Packet encoding")."""


def split_payload(body: bytes) -> tuple[list[str], int]:
    """Return the packets of a poll's answer, and the protocol that they are written in: 3, 4, or 0 for neither."""
    text = body.decode("utf-8", "replace")
    head, colon, _ = text.partition(":")
    if colon and head.isascii() and head.isdigit() and len(head) < 8:
        return _split_lengths(text), 3
    if not text[:1].isdigit() and text[:1] != "b":
        return [], 0
    return text.split(_SEPARATOR)[:_MAX_PACKETS], 4


def _split_lengths(text: str) -> list[str]:
    packets: list[str] = []
    position = 0
    while position < len(text) and len(packets) < _MAX_PACKETS:
        colon = text.find(":", position, position + 9)
        number = text[position:colon]
        if colon < 0 or not (number.isascii() and number.isdigit()):
            break
        end = colon + 1 + int(number)
        packets.append(text[colon + 1 : end])
        position = end
    return packets


def read_open(body: bytes) -> Opened | None:
    """Return the session that the answer to a handshake opens; None where it opens none."""
    packets, eio = split_payload(body[:65536])
    return read_open_packet(packets[0], eio) if packets else None


def read_open_packet(packet: str, eio: int) -> Opened | None:
    """Return the session that `packet` opens; None where it is something else."""
    if packet[:1] != OPEN:
        return None
    try:
        said = json.loads(packet[1:])
    except (ValueError, RecursionError):
        return None
    sid = said.get("sid") if isinstance(said, dict) else None
    if not isinstance(sid, str) or not 0 < len(sid) <= 256 or not sid.isprintable() or " " in sid:
        return None
    upgrades = said.get("upgrades")
    return Opened(
        sid=sid,
        eio=eio,
        upgrades=tuple(str(each)[:40] for each in upgrades[:9]) if isinstance(upgrades, list) else (),
        ping_interval_ms=_number(said.get("pingInterval"), 25_000),
        ping_timeout_ms=_number(said.get("pingTimeout"), 20_000),
        keys=tuple(key for key in said if len(key) < 40)[:20],
    )


def _number(value: object, otherwise: int) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000_000
    return value if is_number and isinstance(value, int) else otherwise


def written(packet: str, eio: int) -> bytes:
    """Return `packet` as the body of a POST."""
    return f"{len(packet)}:{packet}".encode() if eio == 3 else packet.encode()


def connect_packet(namespace: str) -> str:
    """Return the packet by which a client joins `namespace` (Socket.IO protocol, CONNECT)."""
    return "40" if namespace == "/" else f"40{namespace},"


def leave_packet(namespace: str) -> str:
    """Return the packet by which a client leaves `namespace`."""
    return "41" if namespace == "/" else f"41{namespace},"


def read_join(packets: list[str], namespace: str) -> Joining | None:
    """Return how `namespace` answered, if it is among `packets`."""
    for packet in packets:
        kind, rest = packet[:2], packet[2:]
        if kind not in ("40", "41", "44"):
            continue
        named, data = _namespace_of(rest)
        if named != namespace:
            continue
        if kind == "40":
            return Joining("joined")
        return Joining("refused", _words(data) if kind == "44" else "disconnected")
    return None


def _namespace_of(rest: str) -> tuple[str, str]:
    """Return the namespace that a packet names after its type, and its data. Protocol 3 leaves the comma out."""
    if not rest.startswith("/"):
        return "/", rest
    ends = [place for mark in ',"{[' if (place := rest.find(mark)) >= 0]
    end = min(ends, default=len(rest))
    data = rest[end + 1 :] if rest[end : end + 1] == "," else rest[end:]
    return rest[:end].partition("?")[0], data


def _words(data: str) -> str:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return data[:_MAX_TEXT]
    if isinstance(said, dict):
        said = said.get("message", said)
    return (said if isinstance(said, str) else json.dumps(said))[:_MAX_TEXT]
