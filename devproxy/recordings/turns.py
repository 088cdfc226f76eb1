"""Conversations that last, replayed turn by turn: the server says again what it said, once the client has said as much.

Pure: when something is said is decided by what was heard, never by a clock. Heartbeats of Engine.IO are no part of what
is replayed: the server that replays has its own. Start at :func:`sessions_of`, :func:`script_of` and :class:`Turns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from devproxy.realtime.engineio import EngineRequest, opened_session, parse_engine_request, session_id
from devproxy.realtime.packets import Packet, read_message, read_payload
from devproxy.recordings.model import Answer, Entry, Message

T = TypeVar("T")

PING_S: Final = 25.0
"""How often Engine.IO's servers ask whether the client is there, where a recording does not say (pingInterval)."""
_BEATS: Final = ("ping", "pong", "noop", "upgrade", "open")
_find_interval: Final = re.compile(rb'\\?"pingInterval\\?"\s*:\s*(\d{1,7})').search
_find_sid: Final = re.compile(rb'("sid"\s*:\s*")([^"\\]*)(")').search
_has_length: Final = re.compile(rb"(\d+):(0\{[^{}]*\})").match
_find_masked: Final = re.compile(rb"(\A|\x1e)(40(?:/[^,{\x1e]{0,256},)?)\{\xe2\x80\xa6\}")
"""A CONNECT of Socket.IO of which a recording does not tell the session: `40{…}`."""


class Turns(Generic[T]):
    """What is still to be said, in its order, and how much has been heard."""

    def __init__(self, script: Sequence[tuple[int, T]]) -> None:
        self._script = script
        self._next = 0
        self._heard = 0

    def hear(self, count: int = 1) -> None:
        """Take note of `count` messages of the client."""
        self._heard += count

    def say(self) -> T | None:
        """Return what is to be said now; None: nothing, or it is the client's turn."""
        if self._next == len(self._script) or self._script[self._next][0] > self._heard:
            return None
        self._next += 1
        return self._script[self._next - 1][1]


Script = tuple[tuple[int, Message], ...]
"""What the server of a WebSocket says, each message with how many of the client's come before it."""


class Session(NamedTuple):
    """A session of Engine.IO. ``polls``: what answers polls, as a script. ``sockets``: of its WebSockets, in order.

    ``ping_s``: how often its server asked for a sign of life.
    """

    eio: int
    ping_s: float
    polls: tuple[tuple[int, Answer], ...]
    sockets: tuple[Script, ...]


def sessions_of(entries: Sequence[Entry]) -> dict[int, Session]:
    """Return the sessions of Engine.IO in `entries`, by the numbers of the handshakes that opened them.

    A recording may call all of them by one name, so what follows belongs to the last handshake of that name.
    """
    members: dict[int, list[Entry]] = {}
    handshakes: dict[int, tuple[Entry, EngineRequest]] = {}
    current: dict[bytes, int] = {}
    for entry in sorted(entries, key=lambda one: one.began):
        engine = parse_engine_request(entry.target)
        if engine is None:
            continue
        if not engine.sid:
            sid = opened_session(entry.answer.body)
            if sid:
                current[sid] = entry.number
                members[entry.number] = []
                handshakes[entry.number] = (entry, engine)
        elif session_id(engine) in current:
            members[current[session_id(engine)]].append(entry)
    return {number: _session(*handshakes[number], found) for number, found in members.items()}


def _session(handshake: Entry, engine: EngineRequest, members: list[Entry]) -> Session:
    eio = protocol_of(engine)
    match = _find_interval(handshake.answer.body)
    polls = [one for one in members if one.method == b"GET" and one.answer.status == 200]
    posts = [one for one in members if one.method == b"POST"]
    said = sorted((one for one in polls if _says_something(one.answer.body, eio)), key=lambda one: one.ended)
    script = tuple(
        (sum(heard_in(post.sent, eio) for post in posts if post.began <= poll.ended), poll.answer) for poll in said
    )
    sockets = tuple(script_of(one.messages, eio) for one in members if one.answer.status == 101 and not one.lacks)
    return Session(eio, int(match[1]) / 1000 if match and int(match[1]) else PING_S, script, sockets)


def protocol_of(engine: EngineRequest) -> int:
    """Return the version of Engine.IO that `engine` asks for; 4 for what is none."""
    return int(engine.eio) if engine.eio in (b"1", b"2", b"3") else 4


def heard_in(body: bytes | None, eio: int) -> int:
    """Return how many messages `body`, of a client's POST, holds besides heartbeats; None: it is not known, so 1."""
    if body is None:
        return 1
    packets = read_payload(body, eio)
    return sum(not _is_beat(packet) for packet in packets) if packets else 1


def asks_for_pong(body: bytes, eio: int) -> bool:
    """Tell whether `body`, that of a POST, is of a client that asks for a sign of life, as protocol 3 has it."""
    return eio < 4 and any(packet.type == "ping" for packet in read_payload(body, eio))


def _says_something(body: bytes, eio: int) -> bool:
    packets = read_payload(body, eio)
    return not packets or not all(_is_beat(packet) for packet in packets)


def _is_beat(packet: Packet) -> bool:
    return packet.type in _BEATS


def script_of(messages: Sequence[Message], eio: int = 0) -> Script:
    """Return what the server of a WebSocket says. `eio`: the version of Engine.IO that it speaks; 0: it does not."""
    return tuple(_script(messages, eio))


def _script(messages: Sequence[Message], eio: int) -> Iterator[tuple[int, Message]]:
    heard = 0
    for message in messages:
        if is_beat(message, eio):
            continue
        if message.is_sent:
            heard += 1
        else:
            yield heard, message


def is_beat(message: Message, eio: int) -> bool:
    """Tell whether `message` is one by which Engine.IO keeps or changes the transport. An open packet is none here."""
    if not eio:
        return False
    packet = packet_in(message, eio)
    return packet is not None and packet.type in _BEATS[:-1]


def packet_in(message: Message, eio: int) -> Packet | None:
    """Return the packet that `message` is; None for none."""
    return read_message(message.data.decode("utf-8", "replace") if message.is_text else message.data, eio)


def beat(kind: str, eio: int) -> bytes:
    """Return the body of a poll that says `kind` alone: ``ping``, ``pong`` or ``noop``."""
    packet = {"ping": b"2", "pong": b"3", "noop": b"6"}[kind]
    return packet if eio >= 4 else b"1:" + packet


def opened(answer: Answer, sid: bytes) -> tuple[Answer, bytes]:
    """Return the answer to a handshake for a session called `sid`, and what it is called after all.

    Where its name cannot be replaced (JSONP), it is the recorded one.
    """
    body = answer.body
    match = _find_sid(body)
    if match is None:
        return answer, opened_session(body)
    body = body[: match.start(2)] + sid + body[match.end(2) :]
    counted = _has_length(body)
    if counted is not None:
        body = b"%d:%b" % (len(counted[2].decode("utf-8", "replace")), counted[2]) + body[counted.end() :]
    return answer._replace(body=body), sid


def opened_name(data: bytes) -> bytes:
    """Return `data`, a packet that opens a session, with a name where a masked recording does not tell it."""
    return data.replace(b'"\xe2\x80\xa6"', b'"recorded"', 1) if data[:2] == b"0{" else data


def named(data: bytes, sid: bytes) -> bytes:
    """Return `data`, packets of protocol 4, with `sid` where a masked recording tells no session of Socket.IO."""
    return _find_masked.sub(rb'\1\2{"sid":"' + sid + rb'"}', data) if b"40" in data else data
