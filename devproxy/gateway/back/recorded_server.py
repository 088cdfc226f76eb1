"""What answers on a connection to a recording: requests taken apart, and answered with what is recorded for them.

Owns no file and no socket. Sessions of Engine.IO that are being replayed belong to the :class:`Source`, as they outlive
a connection. Start at :meth:`RecordedServer.receive`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from devproxy.errors import BadMessage, UpstreamError, UpstreamFault
from devproxy.gateway.back.recorded_sessions import LiveSession
from devproxy.gateway.back.recorded_socket import RecordedSocket
from devproxy.http.messages import CHUNKED, RequestHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits
from devproxy.policy.verdict.handshake import accept_for
from devproxy.realtime.engineio import SESSION_UNKNOWN, parse_engine_request, session_id
from devproxy.recordings.answers import NO_BODY
from devproxy.recordings.matching import Miss, Replay
from devproxy.recordings.model import Answer, Entry, Recording
from devproxy.recordings.turns import Script, abandoned, heard_in, opened, protocol_of, script_of, sessions_of
from devproxy.text.safe import clipped, visible

if TYPE_CHECKING:
    import asyncio

    from devproxy.gateway.back.in_process import InProcessTransport

MAX_BODY_BYTES: Final = 1 << 20
"""How much of a request's body is kept, to be compared with those that are recorded."""
MAX_SESSIONS: Final = 1000
"""Sessions of Engine.IO that are replayed at once; the oldest is forgotten."""
_LIMITS: Final = Limits(max_target_bytes=1 << 21, max_head_bytes=1 << 25, max_fields=20_000)
"""More than any configuration lets pass, with the lines that devproxy adds."""
_OK: Final = Answer(200, b"OK", (b"Content-Type: text/html",), b"ok")
_UNKNOWN: Final = Answer(400, b"Bad Request", (b"Content-Type: application/json",), SESSION_UNKNOWN.encode())


class Source:
    """What a recording has to say, and how far it has come. ``live``: its sessions that are being replayed.

    To make one takes as long as the recording is, so threads do.
    """

    def __init__(self, recording: Recording) -> None:
        self.notices = recording.notices
        self.sessions = sessions_of(recording.entries)
        left = abandoned(recording.entries, self.sessions)
        self.replay = Replay(Recording(tuple(entry for entry in recording.entries if entry.number not in left)))
        self.scripts = {entry.number: _spoken(entry) for entry in recording.entries if entry.answer.status == 101}
        self.live: dict[bytes, LiveSession] = {}

    def open_session(self, number: int, answer: Answer, loop: asyncio.AbstractEventLoop) -> Answer:
        """Return the answer to the handshake that is entry `number`, for a session with a name of its own."""
        known = self.sessions[number]
        answer, sid = opened(answer, os.urandom(10).hex().encode())
        if len(self.live) >= MAX_SESSIONS:
            del self.live[next(iter(self.live))]
        self.live[sid] = LiveSession(loop, sid, known)
        return answer


def _spoken(entry: Entry) -> tuple[int, Script]:
    """Return the version of Engine.IO that the WebSocket `entry` speaks, or 0, and what its server says."""
    engine = parse_engine_request(entry.target)
    eio = 0 if engine is None else protocol_of(engine)
    return eio, script_of(entry.messages, eio)


class RecordedServer:
    """The other end of `transport`, whose `protocol` asks. `take`: gives what the recording holds; `name`: its own."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: InProcessTransport,
        protocol: object,
        take: Callable[[Callable[[Source], None]], None],
        name: str,
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._protocol = protocol
        self._take = take
        self._name = name
        self._reader = HeadReader(MessageKind.REQUEST, _LIMITS)
        self._head: RequestHead | None = None
        self._asked_for = b""
        self._body = bytearray()
        self._left = 0
        self._chunked: ChunkedReader | None = None
        self._socket: RecordedSocket | None = None
        self._session: LiveSession | None = None

    # -- what comes ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take what was sent: a request, or what follows a switch to WebSocket."""
        if self._socket is not None:
            self._socket.receive(data)
            return
        try:
            self._receive(data)
        except BadMessage as error:
            self._fail(f"{self._shown} is no request that {self._name} could answer: {error.reason}")

    def _receive(self, data: bytes) -> None:
        if self._head is None:
            found = self._reader.feed(data)
            if found is None:
                return
            self._begin(parse_request_head(found[0], _LIMITS))
            data = found[1]
        self._take_body(data)

    def _begin(self, head: RequestHead) -> None:
        self._head = head
        # As the client knows it: a route may have changed the path, and a recording of the client's side has that.
        self._asked_for = getattr(self._protocol, "asked_target", b"") or head.target
        self._body.clear()
        self._chunked = ChunkedReader(is_decoding=True) if head.body_length == CHUNKED else None
        self._left = max(head.body_length, 0)
        if head.first(b"expect") is not None:
            self._transport.deliver(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_body(self, data: bytes) -> None:
        if self._chunked is not None:
            data, _ = self._chunked.feed(data)
            is_complete = self._chunked.is_done
        else:
            self._left -= len(data)
            is_complete = self._left <= 0
        if len(self._body) <= MAX_BODY_BYTES:
            self._body += data
        if is_complete:
            self._take(self._answer)

    def finish(self) -> None:
        """The client of a WebSocket sends nothing more."""
        if self._socket is not None:
            self._transport.end()

    def lose(self) -> None:
        """The connection has ended."""
        if self._session is not None:
            self._session.forget(self)
        if self._socket is not None:
            self._socket.close()

    # -- what is answered ----------------------------------------------------------------------------------------

    def _answer(self, source: Source) -> None:
        head, body = self._head, bytes(self._body)
        if head is None or self._transport.is_closing():
            return
        engine = parse_engine_request(head.target)
        if engine is not None and engine.sid and source.sessions:
            session = source.live.get(session_id(engine))
            if session is None:
                self.give(_UNKNOWN)
            elif head.facts.upgrade:
                self._switch(head, session)
            else:
                self._go_on(head, body, session)
            return
        found = source.replay.find(
            head.method,
            *dict.fromkeys((self._asked_for, head.target)),
            range=head.first(b"range") or b"",
            body=body if len(body) <= MAX_BODY_BYTES else b"",
        )
        if isinstance(found, Miss):
            self._miss(found)
        elif found.lacks:
            self._fail(f"{self._shown} was recorded in {self._name} {found.lacks}")
        elif found.answer.status == 101:
            self._switch_to(found, head, source)
        elif found.number in source.sessions:
            self.give(source.open_session(found.number, found.answer, self._loop))
        else:
            self.give(found.answer)

    def _go_on(self, head: RequestHead, body: bytes, session: LiveSession) -> None:
        """Go on with a session over polling."""
        self._session = session
        if head.method == b"GET":
            session.poll(self)
            return
        self.give(_OK)
        session.post(heard_in(body, session.eio), body)

    def _switch(self, head: RequestHead, session: LiveSession) -> None:
        """Let a session go on by WebSocket, whether or not it did when it was recorded."""
        self._open(head, None, RecordedSocket(self._loop, self._transport, (), session.eio, session=session))

    def _switch_to(self, entry: Entry, head: RequestHead, source: Source) -> None:
        if head.facts.upgrade != b"websocket" or not head.first(b"sec-websocket-key"):
            self._fail(f"{self._shown} was recorded in {self._name} as a WebSocket, and this is no request for one")
            return
        eio, script = source.scripts[entry.number]
        socket = RecordedSocket(self._loop, self._transport, script, eio)
        self._open(head, entry.answer, socket)

    def _open(self, head: RequestHead, answer: Answer | None, socket: RecordedSocket) -> None:
        fields = () if answer is None else answer.fields
        lines = (
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: upgrade",
            b"Sec-WebSocket-Accept: " + accept_for(head.first(b"sec-websocket-key") or b""),
            *fields,
        )
        self._transport.deliver(b"\r\n".join(lines) + b"\r\n\r\n")
        self._socket = socket
        socket.begin()

    def give(self, answer: Answer) -> None:
        """Give `answer` to the request that is waiting."""
        head, self._head = self._head, None
        if head is None:
            return
        self._session = None
        start = b"HTTP/1.1 %d %b" % (answer.status, answer.reason)
        if answer.status in NO_BODY:
            # Without a length, a 205 would last until the connection ends (RFC 9112, section 6.3).
            length: tuple[bytes, ...] = (b"Content-Length: 0",) if answer.status == 205 else ()
        elif answer.is_stream and head.method != b"HEAD":
            length = (b"Transfer-Encoding: chunked",)
        else:
            length = (b"Content-Length: %d" % len(answer.body),)
        self._transport.deliver(b"\r\n".join((start, *answer.fields, *length)) + b"\r\n\r\n")
        if head.method == b"HEAD" or not answer.body:
            return
        if answer.is_stream:  # which goes on, and says no more: to end it would have it asked for again
            self._transport.deliver(b"%x\r\n%b\r\n" % (len(answer.body), answer.body))
        else:
            self._transport.deliver(answer.body)

    def _miss(self, miss: Miss) -> None:
        near = f"; recorded there: {', '.join(miss.near)}" if miss.near else ""
        self._fail(f"{self._shown} is not in {self._name}{near}")

    def _fail(self, detail: str) -> None:
        self._transport.end(UpstreamError(UpstreamFault.NOT_RECORDED, self._name, detail))

    @property
    def _shown(self) -> str:
        method = b"" if self._head is None else self._head.method
        return visible(clipped(f"{method.decode('latin-1')} {self._asked_for.decode('latin-1')}", 120))
