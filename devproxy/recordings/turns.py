"""Conversations that last, replayed turn by turn: the server says again what it said, once the client has said as much.

Pure: when something is said is decided by what was heard, never by a clock. Heartbeats of Engine.IO are no part of what
is replayed: the server that replays has its own. Start at :func:`sessions_of`, :func:`script_of` and :class:`Turns`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from devproxy.realtime.engineio import EngineRequest, opened_session, parse_engine_request, session_id
from devproxy.realtime.packets import TYPES, Packet, read_message, read_payload
from devproxy.recordings.matching import key_of
from devproxy.recordings.model import Answer, Entry, Message

T = TypeVar("T")

PING_S: Final = 25.0
"""How often Engine.IO's servers ask whether the client is there, where a recording does not say (pingInterval)."""
_MAX_DIGITS: Final = 7
_BEATS: Final = ("ping", "pong", "noop", "upgrade", "open")
_find_interval: Final = re.compile(rb'"pingInterval\\?+"\s*+:\s*+(\d++)').search
_find_sid: Final = re.compile(rb'("sid"\s*+:\s*+")([^"\\]*+)(")').search
_has_length: Final = re.compile(rb"(\d++):(0\{[^{}]*+\})").match
_MASKED: Final = "{…}"
_find_masked: Final = re.compile(r"\A(0(?:/[^,{]{0,256},)?)\{…\}\Z").sub
"""A CONNECT of Socket.IO of which a recording does not tell the session."""
_SEPARATOR: Final = "\x1e"


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
    """A session of Engine.IO. ``script``: the packets that its server says, over whichever transport, each with how
    many of the client's come before it. ``ping_s``: how often the server asked for a sign of life.
    """

    eio: int
    ping_s: float
    script: tuple[tuple[int, Packet], ...]


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


def abandoned(entries: Sequence[Entry], sessions: dict[int, Session]) -> frozenset[int]:
    """Return the numbers of the handshakes in `entries` after which the server said nothing, as when a page was left
    at once, where another one that asked for the same has a conversation to give.
    """
    keys = {entry.number: key_of(entry.method, entry.target) for entry in entries if entry.number in sessions}
    spoken = {key for number, key in keys.items() if sessions[number].script}
    return frozenset(number for number, key in keys.items() if key in spoken and not sessions[number].script)


def _session(handshake: Entry, engine: EngineRequest, members: list[Entry]) -> Session:
    eio = protocol_of(engine)
    match = _find_interval(handshake.answer.body)
    script: list[tuple[int, Packet]] = []
    heard = 0
    for _, said in sorted(_all_steps(members, eio), key=lambda step: step[0]):
        if isinstance(said, Packet):
            script.append((heard, said))
        else:
            heard += said
    every_ms = int(match[1]) if match is not None and len(match[1]) <= _MAX_DIGITS else 0
    return Session(eio, every_ms / 1000 or PING_S, tuple(script))


def _all_steps(members: Sequence[Entry], eio: int) -> Iterator[tuple[float, Packet | int]]:
    """Give the steps of `members`. A poll has not ended before the one before it: browsers tell when one began to the
    millisecond, and how long it took more exactly, so a short one may seem to.
    """
    ended = 0.0
    for one in members:
        if one.method == b"GET" and one.answer.status == 200:
            ended = max(ended, one.ended)
            one = one._replace(ended=ended)
        yield from _steps(one, eio)


def _steps(entry: Entry, eio: int) -> Iterator[tuple[float, Packet | int]]:
    """Give when the server said which packet, and when the client said how many, as far as `entry` tells."""
    if entry.answer.status == 101:
        at = entry.began
        for message in entry.messages:
            at = max(at, message.at)
            packet = packet_in(message, eio)
            if packet is not None and packet.type not in _BEATS:
                yield at, 1 if message.is_sent else packet
    elif entry.method == b"POST":
        yield entry.began, heard_in(entry.sent, eio)
    elif entry.method == b"GET" and entry.answer.status == 200:
        for packet in read_payload(entry.answer.body, eio):
            if packet.type not in _BEATS:
                yield entry.ended, packet


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


def _is_beat(packet: Packet) -> bool:
    return packet.type in _BEATS


def payload_of(packets: Sequence[Packet], eio: int) -> bytes:
    """Return the body of a poll that says `packets`."""
    texts = [_text_of(packet, eio) for packet in packets]
    if eio >= 4:
        return _SEPARATOR.join(texts).encode("utf-8", "replace")
    # Protocol 3 counts as JavaScript does, in units of UTF-16.
    counted = (f"{len(text.encode('utf-16-le', 'replace')) // 2}:{text}" for text in texts)
    return "".join(counted).encode("utf-8", "replace")


def _text_of(packet: Packet, eio: int) -> str:
    kind = TYPES.index(packet.type)
    if isinstance(packet.data, str):
        return f"{kind}{packet.data}"
    coded = base64.b64encode(packet.data).decode()
    return f"b{coded}" if eio >= 4 else f"b{kind}{coded}"


def message_of(packet: Packet, eio: int) -> Message:
    """Return the message of a WebSocket that says `packet`."""
    if isinstance(packet.data, str):
        return Message(False, True, _text_of(packet, eio).encode("utf-8", "replace"))
    return Message(False, False, packet.data if eio >= 4 else bytes((TYPES.index(packet.type),)) + packet.data)


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


def opened_name(packet: Packet) -> Packet:
    """Return `packet`, one that opens a session, with a name where a masked recording does not tell it."""
    if packet.type != "open" or not isinstance(packet.data, str):
        return packet
    return packet._replace(data=packet.data.replace('"…"', '"recorded"', 1))


def named(packet: Packet, sid: str) -> Packet:
    """Return `packet`, with `sid` where a masked recording does not tell a session of Socket.IO: ``40{…}``."""
    if not isinstance(packet.data, str) or packet.type != "message" or not packet.data.endswith(_MASKED):
        return packet
    return packet._replace(data=_find_masked(f'\\1{{"sid":"{sid}"}}', packet.data))
