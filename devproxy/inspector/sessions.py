"""Engine.IO sessions, put together from exchanges and messages: how each began, moved on to WebSocket, and ended.

Of one thread alone. Start at :class:`Sessions`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from devproxy.inspector.bodies import content_of, decoded
from devproxy.inspector.messages import DOWN, UP, Decoded, Message, PacketReader, messages_of_body
from devproxy.inspector.rows import alias
from devproxy.realtime.engineio import explain_engine_error, parse_engine_request

if TYPE_CHECKING:
    from devproxy.inspector.rows import Row

MAX_SESSIONS: Final = 500
MAX_EXCHANGES: Final = 100
"""Exchanges of one session that are remembered, the latest ones."""
MAX_NAMESPACES: Final = 50
MAX_TIME_MS: Final = 2**31 - 1
"""Of a timer in JavaScript (HTML, "timers": a signed number of 32 bits)."""
_UNKNOWN_SESSION: Final = "the server does not know it any more: it was restarted, or it had closed it"


@dataclass(slots=True)
class Session:
    """One session; for the fields see ``docs/inspector-api.md``."""

    sid: str
    eio: int
    opened_at: float | None = None
    closed_at: float | None = None
    transport: str = "polling"
    state: str = "unknown"
    upgrade: str = "none"
    upgrade_why: str = ""
    path: str = ""
    route: str = ""
    upstream: str = ""
    server: str = ""
    ping_interval_s: float | None = None
    ping_timeout_s: float | None = None
    last_ping_at: float | None = None
    last_pong_at: float | None = None
    namespaces: list[str] = field(default_factory=list)
    polls: int = 0
    packets: int = 0
    why_closed: str = ""
    exchanges: list[int] = field(default_factory=list)
    version: int = 0

    def json(self, *, secrets: bool) -> dict[str, Any]:
        """Return it as the API gives it; without `secrets`, its id is one that opens nothing."""
        document = {name: getattr(self, name) for name in self.__slots__}
        for name in ("route", "upstream", "server"):
            document[name] = document[name] or None
        return document if secrets else {**document, "sid": alias(self.sid)}


class Sessions:
    """Sessions by their ids. ``version``: rises with each change of any of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._of_tunnel: dict[int, str] = {}
        self._readers_of: dict[str, tuple[PacketReader, PacketReader]] = {}
        self.version = 0

    def get(self, sid: str) -> Session | None:
        """Return the session with this id, or the substitute for it; None: it is not known."""
        return self._known.get(sid) or next((one for one in self._known.values() if alias(one.sid) == sid), None)

    def latest(self, limit: int) -> list[Session]:
        """Return at most `limit` sessions, the newest first."""
        return list(reversed(self._known.values()))[:limit]

    def changed_since(self, version: int) -> list[Session]:
        """Return the sessions that have changed since `version`."""
        return [one for one in self._known.values() if one.version > version]

    def clear(self) -> None:
        """Forget those that are closed."""
        for sid in [sid for sid, one in self._known.items() if one.state == "closed"]:
            del self._known[sid]
            self._readers_of.pop(sid, None)

    def take_row(self, row: Row) -> list[Message]:
        """Take an exchange that has ended, if a session has to do with it; return the packets in its bodies."""
        engine = parse_engine_request(row.target.encode("utf-8", "surrogateescape"))
        if engine is None:
            return []
        eio = 3 if engine.eio == b"3" else 4
        if engine.transport == b"websocket":
            self._take_upgrade(row, eio)
            return []
        session = self._session(row, eio)
        readers = (PacketReader(eio), PacketReader(eio)) if session is None else self._readers(session)
        found = _messages_of(row, readers)
        if session is None:
            session = self._opened_by(row, eio, found, readers)
            if session is None:
                return found
        else:
            session.polls += 1
            if row.status == 400 and session.state != "closed":
                self._close(session, _end_of(row), _refusal(row) or _UNKNOWN_SESSION)
        for message in found:
            self._take_packet(session, message.direction, message.packets[0], _end_of(row))
        self._touch(session)
        return found

    def _opened_by(
        self, row: Row, eio: int, found: list[Message], readers: tuple[PacketReader, PacketReader]
    ) -> Session | None:
        """Return the session that the answer to `row` opens; None: it opens none."""
        packets = (message.packets[0][0] for message in found if message.direction == DOWN)
        opened = next((packet for packet in packets if packet.type == "open"), None)
        if opened is None or not isinstance(opened.data, str):
            return None
        session = self._known.get(self._open(row, eio, opened.data, "polling"))
        if session is not None:
            self._readers_of[session.sid] = readers
        return session

    def _readers(self, session: Session) -> tuple[PacketReader, PacketReader]:
        """Return what reads the polls of `session`, up and down: what is attached to a packet may come in the next."""
        readers = self._readers_of.get(session.sid)
        if readers is None:
            readers = self._readers_of[session.sid] = PacketReader(session.eio), PacketReader(session.eio)
        return readers

    def take_message(self, row: Row, message: Message) -> None:
        """Take a message of a tunnel."""
        if not message.packets:
            return
        packet, _ = message.packets[0]
        if not row.session and packet.type == "open" and message.direction == DOWN and isinstance(packet.data, str):
            engine = parse_engine_request(row.target.encode("utf-8", "surrogateescape"))
            sid = self._open(row, 3 if engine is not None and engine.eio == b"3" else 4, packet.data, "websocket")
            row.session = sid
            self._of_tunnel[row.id] = sid
            return
        session = self._known.get(row.session or "")
        if session is None:
            engine = parse_engine_request(row.target.encode("utf-8", "surrogateescape"))
            session = None if not row.session else self._session(row, 3 if engine and engine.eio == b"3" else 4)
        if session is None:
            return
        if packet.type == "ping" and packet.data == "probe":
            session.upgrade = "probing"
        elif packet.type == "upgrade":
            session.upgrade, session.transport = "done", "websocket"
        self._take_packet(session, message.direction, message.packets[0], message.at)
        self._touch(session)

    def take_end_of_tunnel(self, row: Row, at: float) -> None:
        """Take the end of a tunnel that was a session's."""
        session = self._known.get(row.session or self._of_tunnel.pop(row.id, ""))
        tunnel = row.tunnel
        if session is None or tunnel is None or session.state == "closed":
            return
        if session.upgrade == "probing":
            session.upgrade = "failed"
            session.upgrade_why = f"the connection ended before the client moved on (closed by {tunnel.closed_by})"
            self._touch(session)
            return
        code = f", code {tunnel.close_code}" if tunnel.close_code else ""
        self._close(session, at, f"the WebSocket was closed by {tunnel.closed_by}{code}")

    def _take_upgrade(self, row: Row, eio: int) -> None:
        """Take a request for a WebSocket that did not become one."""
        session = self._session(row, eio)
        if session is None or row.tunnel is not None:
            return
        session.upgrade = "failed"
        session.upgrade_why = _refusal(row) or f"answered {row.status}" if row.status else "no answer"
        self._touch(session)

    def _session(self, row: Row, eio: int) -> Session | None:
        """Return the session that `row` belongs to; one that began before this was looked at begins here."""
        if not row.session:
            return None
        session = self._known.get(row.session)
        if session is None:
            session = self._add(Session(row.session, eio))
            self._place(session, row)
        if row.id not in session.exchanges:
            session.exchanges = [*session.exchanges, row.id][-MAX_EXCHANGES:]
        return session

    def _open(self, row: Row, eio: int, data: str, transport: str) -> str:
        try:
            said = json.loads(data)
            sid = said["sid"]
            interval, timeout = said.get("pingInterval"), said.get("pingTimeout")
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return ""
        if not isinstance(sid, str) or not 0 < len(sid) <= 256:
            return ""
        session = self._known.get(sid) or self._add(Session(sid, eio))
        session.opened_at, session.state, session.transport = _end_of(row), "open", transport
        session.ping_interval_s, session.ping_timeout_s = _seconds(interval), _seconds(timeout)
        session.exchanges = [row.id, *session.exchanges]
        self._place(session, row)
        self._touch(session)
        return sid

    def _place(self, session: Session, row: Row) -> None:
        session.path = unquote(row.target.partition("?")[0])[:300]
        session.route, session.upstream, session.server = row.route, row.upstream, row.server

    def _add(self, session: Session) -> Session:
        self._known[session.sid] = session
        if len(self._known) > MAX_SESSIONS:
            gone, _ = self._known.popitem(last=False)
            self._readers_of.pop(gone, None)
        return session

    def _take_packet(self, session: Session, direction: str, decoded_packet: Decoded, at: float) -> None:
        packet, inner = decoded_packet
        session.packets += 1
        if session.state == "unknown":
            session.state = "open"
        if packet.type == "ping" and packet.data != "probe":
            session.last_ping_at = at
        elif packet.type == "pong" and packet.data != "probe":
            session.last_pong_at = at
        elif packet.type == "close":
            self._close(session, at, f"the {'client' if direction == UP else 'server'} said so")
        if inner is None:
            return
        names = session.namespaces
        if inner.type == "connect" and direction == DOWN and inner.namespace not in names:
            session.namespaces = [*names, inner.namespace][:MAX_NAMESPACES]

    def _close(self, session: Session, at: float, why: str) -> None:
        session.state, session.closed_at, session.why_closed = "closed", at, why
        self._touch(session)

    def _touch(self, session: Session) -> None:
        self.version += 1
        session.version = self.version


def _seconds(milliseconds: Any) -> float | None:
    """Return what a server states as a time; None where it is none that a timer could have."""
    is_time = isinstance(milliseconds, int | float) and 0 <= milliseconds <= MAX_TIME_MS
    return milliseconds / 1000 if is_time else None


def _end_of(row: Row) -> float:
    return row.started_at + (row.ended_s or row.first_byte_s or 0.0)


def body_bytes(row: Row, *, is_answer: bool) -> bytes:
    """Return what is kept of a body of `row`, without codings; empty where nothing is."""
    capture = row.capture
    if capture is None:
        return b""
    body = capture.response_body if is_answer else capture.request_body
    if body is None or not body.size:
        return b""
    content = content_of(body, is_answer=is_answer)
    head = capture.response if is_answer else capture.request
    encoding = None if head is None or b"ontent-" not in head.block else head.first(b"content-encoding")
    if not encoding:
        return content
    without = decoded(content, encoding)
    return b"" if without is None else without.data


def _messages_of(row: Row, readers: tuple[PacketReader, PacketReader]) -> list[Message]:
    """Return the packets in the bodies of `row`, what came up first."""
    found: list[Message] = []
    for direction, reader, at in ((UP, readers[0], row.started_at), (DOWN, readers[1], _end_of(row))):
        body = body_bytes(row, is_answer=direction == DOWN)
        found += messages_of_body(row.id, body, reader, at=at, direction=direction, first_id=len(found) + 1)
    return found


def _refusal(row: Row) -> str:
    """Return what the server means by refusing, in words; empty where that is not known."""
    if row.status is None:
        return ""
    words = explain_engine_error(row.status, body_bytes(row, is_answer=True)) if row.status >= 400 else None
    return f"answered {row.status}: {words}" if words else ""
