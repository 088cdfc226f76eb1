"""One connection of a client: frames its requests and starts an exchange for each, one after another.

Pipelined requests wait in order (RFC 9112 section 9.3.2). Between exchanges and while a head is arriving the
connection has a deadline; a sweep over all connections enforces it. Start at
:meth:`ClientConnection.data_received`.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final, cast

from devproxy import answers
from devproxy.errors import BadMessage
from devproxy.gateway.exchanges.answering import Answering
from devproxy.gateway.exchanges.exchange import Exchange
from devproxy.gateway.exchanges.malformed import refuse
from devproxy.gateway.exchanges.watched import WatchedExchange, own_answering, watch
from devproxy.gateway.front.backlog import Backlog
from devproxy.gateway.front.states import LINGER_S, MAX_LINGER_BYTES, STEPS, Act, Event, State
from devproxy.gateway.shared.peer_state import peer_state_of, unread_bytes
from devproxy.gateway.shared.pressure import LARGE_BYTES, LITTLE_BYTES, Reader
from devproxy.gateway.shared.seam import TakenOver
from devproxy.gateway.shared.transports import end_writing, peer_name, reset, set_limits
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head, recall_request_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.render import render_own, render_response
from devproxy.plan import Forward, plan_request
from devproxy.platforms.sockets import PeerState

if TYPE_CHECKING:
    from devproxy.answers.rendering import Composed
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import Connection, Pool
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import ResponseHead

MAX_PIPELINED_BYTES: Final = 64 * 1024
"""Bytes after the current request from which on the client is not read. What has been read meanwhile comes on top."""
_BODY_WINDOW: Final = 1024
"""Bytes of a pipelined body that are looked at first: to copy more than a small body has would cost each of many."""
_JOIN_BYTES: Final = 64 * 1024
"""Bytes of a body that are sent in one write with their head: to copy more would cost more than a write."""
HALF_CLOSE_GRACE_S: Final = 0.4
"""How long a client that has shut its sending side may still wait for its answer to begin or go on. It is impossible to
tell such a client from one that has left for good without sending to it; polls get no grace, because the next one must
not overlap."""

_NEVER: Final = math.inf
_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0"


# The members by module-level names: looking one up in its class costs as much as ten comparisons.
_IDLE, _HEAD, _EXCHANGE, _WAITING, _LINGERING, _OVER = State


class ClientConnection(Reader):
    """A protocol towards a client. ``deadline``: the loop's time at which :meth:`expire` is due.

    ``body_remaining``: bytes of the current request's body that have not come yet, or ``CHUNKED``. ``has_eof``: the
    client sends nothing more. ``logins``: upstream connections that are logged in for this client, which live and end
    with this one.
    """

    __slots__ = (
        "_announced_bytes",
        "_backlog",
        "_chunked",
        "_ends_body",
        "_exchange",
        "_is_congested",
        "_is_last",
        "_lingered",
        "_reader",
        "_reading_paused",
        "_request",
        "_shared",
        "_state",
        "body_remaining",
        "deadline",
        "has_eof",
        "logins",
        "peer",
        "transport",
    )

    _request: RequestHead
    _plan = staticmethod(plan_request)
    handshake_key = b""
    transport: asyncio.Transport

    def __init__(self, shared: SharedState, scheme: str) -> None:
        self._shared = shared
        self._state = _IDLE
        self._reader = HeadReader(MessageKind.REQUEST, shared.current.snapshot.limits)
        self._exchange: Answering | None = None
        self.body_remaining = self._announced_bytes = self._lingered = 0
        self._ends_body = self._reading_paused = self._is_congested = self.has_eof = False
        self._chunked: ChunkedReader | None = None
        self._backlog = Backlog()
        self._is_last = shared.is_stopping
        self.logins: dict[Pool, Connection] = {}
        self.deadline = _NEVER
        self.peer = shared.peer_at("", scheme)

    # -- the transport's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new client."""
        self.transport = cast("asyncio.Transport", transport)
        set_limits(self.transport)
        self.peer = self._shared.peer_at(peer_name(self.transport), self.peer.scheme)
        self._shared.pressure.admit(self.transport)
        self._shared.add_connection(self, self.transport)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, as the state has it: a head, a body, a request to come, or nothing any more."""
        if self._state is _IDLE:
            self._take_head(data)
        elif self._state is _EXCHANGE:
            if self.body_remaining:
                self._take_body(data)
            else:
                self._hold_back(data)
        elif self._state is _WAITING:
            self._hold_back(data)
        elif self._state is _HEAD:
            self._take_head(data)
        else:
            self._discard(data)

    def eof_received(self) -> bool:
        """Take the end of what the client sends. A client in the middle of its request has left."""
        self.has_eof = True
        exchange = self._exchange
        if exchange is None:
            self._step(Event.HALF_CLOSE if self._backlog else Event.END)  # what came before the end is still due
        elif self.body_remaining or exchange.is_poll:
            self._client_left()
        else:
            self._step(Event.HALF_CLOSE)
            self._shared.loop.call_later(HALF_CLOSE_GRACE_S, self._end_grace, exchange, exchange.sent_bytes)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._step(Event.LOSS)
        self._shared.remove_connection(self)
        self._shared.held_back.discard(self)
        self._shared.pressure.dismiss(self.transport)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()
        self._end_logins()

    def pause_writing(self) -> None:
        """Stop reading from the upstream: this client takes its response slowly."""
        self._is_congested = True
        self._shared.pressure.fall_behind(self.transport)
        if self._exchange is not None:
            self._exchange.pause_response()

    def resume_writing(self) -> None:
        """Read from the upstream again, or take the request that had to wait."""
        self._is_congested = False
        self._shared.pressure.catch_up(self.transport)
        if self._exchange is not None:
            self._exchange.resume_response()
        else:
            self._go_on()

    # -- the exchange's side ---------------------------------------------------------------------------------------

    @property
    def decodes_chunks(self) -> bool:
        """Whether the client speaks HTTP/1.0 and cannot read the chunked coding."""
        return not self._request.version_minor

    def inform(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Send a 1xx head, never to a client that speaks HTTP/1.0 (RFC 9110 section 15.2)."""
        if not self.decodes_chunks and not self.transport.is_closing():
            self.transport.write(render_response(head, edits, self._request, 0, False)[0])

    def respond(self, head: ResponseHead, edits: ResponseEdits, body_length: int, payload: bytes, ended: bool) -> None:
        """Send the response's head and what there is of its body; `ended`: nothing follows."""
        must_close = self.body_remaining != 0 or self._is_last
        block, closes = render_response(head, edits, self._request, body_length, must_close)
        if not self.transport.is_closing():
            if body_length < _JOIN_BYTES or len(payload) < _JOIN_BYTES:
                self.transport.write(block + payload)
            else:
                self.transport.write(block)
                self.transport.write(payload)
        if ended:
            self._end(closes)
        else:
            self._is_last = closes
            self._ends_body = body_length == UNTIL_CLOSE or (body_length == CHUNKED and self.decodes_chunks)

    def answer(self, composed: Composed) -> None:
        """Send an answer of devproxy's own. The connection goes on if the request is complete and asks for that."""
        request = self._request
        closes = composed.closes or self.body_remaining != 0 or self._is_last or not request.facts.keep_alive
        self._write_own(composed, closes, request.version_minor)
        self._end(closes)

    def _write_own(self, composed: Composed, closes: bool, version_minor: int = 1) -> None:
        if not self.transport.is_closing():
            status, lines, body, _ = composed
            self.transport.write(render_own(status, lines, body, closes=closes, version_minor=version_minor))

    def send(self, data: bytes, ended: bool) -> None:
        """Send a further piece of the response's body; `ended`: nothing follows."""
        if not self.transport.is_closing():
            self.transport.write(data)
        if ended:
            self._end(self.body_remaining != 0 or self._is_last)

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self._shared.held_back.add(self)
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again, unless enough of it is kept already."""
        if self._reading_paused and len(self._backlog) <= MAX_PIPELINED_BYTES and not self.transport.is_closing():
            self._reading_paused = False
            self._shared.held_back.discard(self)
            self.transport.resume_reading()

    def read_on(self) -> None:
        """Read on, unless the upstream reads slowly: others have had their turn."""
        if not self._reading_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def look(self) -> None:
        """Find out whether the client has left while it is held back: by a reset, or without the rest of its body."""
        presence = peer_state_of(self.transport)
        if presence is PeerState.GONE or (
            presence is PeerState.FINISHED and unread_bytes(self.transport) < self.body_remaining
        ):
            self._client_left()

    def _end(self, closes: bool) -> None:
        """The response is complete: take the next request, or close."""
        self._exchange = None
        if self._reading_paused:
            self.resume_reading()
        if closes:
            if self._shared.is_stopping and not self.body_remaining and not self._backlog:
                self._step(Event.STOP_ANSWERED)  # nothing that came is unread and could make a reset of this
            else:
                self._linger()
            return
        self._state = _IDLE
        self.deadline = self._shared.now + self._shared.current.snapshot.idle_timeout_s
        if self._backlog:
            self._state = _WAITING
            self._shared.loop.call_soon(self._go_on)
        elif self.has_eof:
            self._step(Event.END)
        elif self._is_congested:
            self._state = _WAITING

    def abort(self, *, resets: bool) -> None:
        """End the connection before its response is complete, so that the client can tell (RFC 9112 section 8).

        `resets`: by a reset, as always where the end of the connection would be that of the body.
        """
        self._step(Event.CUT_SHORT_UNSEEN if resets or self._ends_body else Event.CUT_SHORT)

    def take_over(self, head: ResponseHead, edits: ResponseEdits, glued: bytes) -> TakenOver:
        """Send the head of a 101 and `glued`, what came after it, and give the transport away, to a tunnel."""
        if not self.transport.is_closing():
            self.transport.write(render_response(head, edits, self._request, 0, False)[0] + glued)
        early = self._backlog.take(len(self._backlog))
        self.resume_reading()
        self._exchange = None
        self._step(Event.SWITCH)
        self.deadline = _NEVER
        self._shared.remove_connection(self)
        self._end_logins()
        return TakenOver(self.transport, early, self.has_eof)

    def close_idle(self) -> None:
        """Close the connection, with the answer if an exchange runs on it; for stopping."""
        self._is_last = True
        self._step(Event.STOP)

    def lose_login(self, connection: Connection) -> None:
        """Take the end of `connection`: where it was logged in, this one ends too, as it would without devproxy."""
        pool = connection.server_pool.pool
        if self.logins.get(pool) is connection:
            del self.logins[pool]
            if connection.is_logged_in:
                self.close_idle()

    def _end_logins(self) -> None:
        """End the logins of a client that is gone, but for the connection that becomes a tunnel with this one."""
        logins, self.logins = self.logins, {}
        for connection in logins.values():
            if connection.is_idle:
                connection.close()

    def cut(self) -> None:
        """Close the connection whatever runs on it; what is cut off must not look like a complete response."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.stop()
        self._step(Event.CUT)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come: closing the connection now costs its client nothing."""
        return self._state is _IDLE

    @property
    def running_exchanges(self) -> int:
        """How many exchanges run on this connection: one or none."""
        return int(self._state is _EXCHANGE)

    def tell_so_far(self, late: Observers) -> None:
        """Tell the `late` observers of the request that runs, and of what happens to it."""
        watch(self._exchange, late)

    def expire(self) -> None:
        """The deadline is over: an idle connection or a lingering one closes, a slow head is answered 408.

        That of a head that has come meanwhile means nothing: while an exchange runs there is none.
        """
        self.deadline = _NEVER
        if self._state is _HEAD:
            answer = answers.head_timeout(self._shared.current.snapshot.config.server.head_timeout_s)
            self._refuse(answer, "", self._reader.pending)
        elif self._state is not _EXCHANGE:
            self._step(Event.TIME_OUT)

    # -- framing -------------------------------------------------------------------------------------------------

    def _take_head(self, data: bytes) -> None:
        shared = self._shared
        snapshot = shared.current.snapshot
        recalled = recall_request_head(data, snapshot.limits) if self._state is _IDLE else None
        if recalled is not None:
            head, rest = recalled
        else:
            block = b""
            try:
                found = self._reader.feed(data)
                if found is None:
                    if self._reader.has_started and self._state is _IDLE:
                        self._step(Event.HEAD_BEGINS)
                        self.deadline = shared.loop.time() + snapshot.head_timeout_s
                    return
                block, rest = found
                head = parse_request_head(block, snapshot.limits)
            except BadMessage as error:
                octets = block + b"\r\n\r\n" + rest if block else self._reader.pending or data
                if octets.startswith(_HTTP2_PREFACE) and not hasattr(self, "_request"):
                    from devproxy.gateway.front.http2 import Http2Connection  # few clients begin so (RFC 9113, 3.3)

                    Http2Connection(shared, self.peer.scheme).take_from(self, self.transport, octets)
                else:
                    self._refuse(answers.bad_message(error), error.reason, octets)
                return
        self._state = _EXCHANGE
        self._request = head
        if head.facts.body_length:
            self.body_remaining = length = head.body_length
            if length == CHUNKED:
                self._chunked = ChunkedReader(dropped_trailers=head.facts.connection_options)
                self._announced_bytes = 0
        plan = self._plan(head, snapshot)
        if isinstance(plan, Forward):
            make = WatchedExchange if shared.observers.is_watched_closely else Exchange
            exchange: Answering = make(shared, self, head, plan)
        else:
            exchange = own_answering(shared, self, head, plan)
        self._exchange = exchange
        if not rest and not self._backlog:
            exchange.start(b"", not self.body_remaining)
        elif self.body_remaining:
            self._start_with_body(exchange, rest)
        else:
            if rest:
                self._hold_back(rest)
            exchange.start(b"", True)

    def _start_with_body(self, exchange: Answering, data: bytes) -> None:
        """Start an exchange of whose body the first piece came with the head: `data`, or else what is kept."""
        try:
            payload = self._frame(data) if data else self._frame_kept()
        except BadMessage as error:
            self._exchange = None
            head = exchange.request
            self._refuse(answers.bad_message(error), error.reason, head.block + b"\r\n", head)
            return
        exchange.start(payload, not self.body_remaining, self._announced_bytes)

    def _take_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if len(data) > LARGE_BYTES:
            self._shared.pressure.take_turn(self.transport, len(data))
        try:
            payload = self._frame(data)
        except BadMessage as error:
            exchange.request_broken(answers.bad_message(error))
            return
        exchange.request_data(payload, not self.body_remaining, self._announced_bytes)

    def _frame(self, data: bytes) -> bytes:
        """Return the part of `data` that belongs to the request's body; what follows it waits its turn."""
        if self._chunked is None:
            remaining = self.body_remaining
            if len(data) <= remaining:
                self.body_remaining = remaining - len(data)
                return data
            self.body_remaining = 0
            self._hold_back(data[remaining:])
            return data[:remaining]
        payload, rest = self._feed(self._chunked, data)
        if rest:
            self._hold_back(rest)
        return payload

    def _frame_kept(self) -> bytes:
        """Return what of the request's body is in the backlog, where other requests may follow."""
        backlog, payload = self._backlog, b""
        if self._chunked is None:
            payload = backlog.take(self.body_remaining)
            self.body_remaining -= len(payload)
        size = _BODY_WINDOW
        while backlog and self._chunked is not None:
            window = backlog.peek(size)
            piece, rest = self._feed(self._chunked, window)
            del backlog[: len(window) - len(rest)]
            payload += piece
            size *= 2
        self.resume_reading()
        return payload

    def _feed(self, chunked: ChunkedReader, data: bytes) -> tuple[bytes, bytes]:
        payload, rest = chunked.feed(data)
        self._announced_bytes = chunked.announced_bytes
        if chunked.is_done:
            self._chunked = None
            self.body_remaining = 0
        return payload, rest

    def _hold_back(self, data: bytes) -> None:
        """Keep what comes after the current request; more than a little waits in the kernel."""
        self._backlog += data
        if len(data) > LITTLE_BYTES:
            self._shared.pressure.take_turn(self.transport, len(data))
        if len(self._backlog) > MAX_PIPELINED_BYTES:
            self.pause_reading()

    def _go_on(self) -> None:
        """Take the request that waited, unless the client has still to take what it was sent before."""
        if self._state is not _WAITING or self._is_congested or self.transport.is_closing():
            return
        self._state = _IDLE
        self.resume_reading()
        while self._backlog and self._state is _IDLE:
            data = self._backlog.take_head()
            self.resume_reading()  # before the exchange starts: it may have reasons of its own to pause
            self._take_head(data)
        if self.has_eof:
            self.eof_received()  # it came before this request's turn, and will not come again

    # -- endings -------------------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        """Go on, or end, as the table says of `event`. What every request passes through is written out where it is."""
        self._state, act = STEPS[self._state, event]
        if act is Act.CLOSE:
            self.transport.close()
        elif act is Act.ABORT:
            self.transport.abort()
        elif act is Act.RESET:
            reset(self.transport)

    def _refuse(self, answer: answers.Answer, detail: str, octets: bytes, head: RequestHead | None = None) -> None:
        """Answer what is not a request at all, and end the connection. `octets`: as far as it came; `head`: if it
        came."""
        self._write_own(refuse(self._shared, self.peer, answer, detail, octets, head), closes=True)
        self._linger()

    def _linger(self) -> None:
        """End our side and read on for a moment, so that a reset can't destroy the answer on its way to the client."""
        self._backlog.clear()
        self._state = _LINGERING
        self.resume_reading()
        self.deadline = self._shared.now + LINGER_S
        if self.has_eof or not end_writing(self.transport):
            self._step(Event.END)

    def _discard(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > MAX_LINGER_BYTES:
            self._step(Event.FLOOD)

    def _end_grace(self, exchange: Answering, sent_bytes: int) -> None:
        """Take the client for one that has left, unless it was sent something meanwhile: who had left would have reset
        the connection then, and one that has not may wait for the rest as long as it wants.
        """
        if self._exchange is exchange and exchange.sent_bytes == sent_bytes:
            self._client_left()

    def _client_left(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()
        self._step(Event.LEAVE)
