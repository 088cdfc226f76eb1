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
from devproxy.gateway.exchanges.answering import Answering, OwnAnswer
from devproxy.gateway.exchanges.exchange import Exchange
from devproxy.gateway.exchanges.malformed import refuse
from devproxy.gateway.front.states import State
from devproxy.gateway.shared.peer_state import PeerState, peer_state_of, unread_bytes
from devproxy.gateway.shared.pressure import LARGE_BYTES, LITTLE_BYTES, Reader
from devproxy.gateway.shared.seam import TakenOver
from devproxy.gateway.shared.transports import descriptor_of, end_writing, peer_name, reset, set_limits
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_request_head, recall_request_head
from devproxy.http1.reader import HeadReader, MessageKind, find_head_end
from devproxy.plan import Forward, plan_request
from devproxy.policy.hop import Peer

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Connection, Pool
    from devproxy.gateway.shared.state import SharedState

MAX_PIPELINED_BYTES: Final = 64 * 1024
"""Octets behind the current request from which on the client is not read. What has been read meanwhile comes on top."""
_BODY_WINDOW: Final = 1024
"""Octets of a pipelined body that are looked at first: to copy more than a small body has would cost each of many."""
_JOIN_BYTES: Final = 64 * 1024
"""Bytes of a body that are sent in one write with their head: to copy more would cost more than a write."""
LINGER_S: Final = 2.0
MAX_LINGER_BYTES: Final = 64 * 1024 * 1024
HALF_CLOSE_GRACE_S: Final = 0.4
"""How long a client that has shut its sending side may still wait for its answer to begin or go on. Nobody can tell
such a client from one that has left for good without sending to it; polls get no grace, because the next one must not
overlap."""

_NEVER: Final = math.inf


# The members by names of their own: looking one up in its class costs as much as ten comparisons.
_IDLE, _EXCHANGE, _WAITING, _LINGERING, _CLOSED = State


class ClientConnection(Reader):
    """A protocol towards a client. ``deadline``: the loop's time at which :meth:`expire` is due.

    ``body_remaining``: bytes of the current request's body that have not come yet, or ``CHUNKED``. ``has_eof``: the
    client sends nothing more. ``logins``: upstream connections that are logged in for this client, which live and end
    with this one. ``is_ending``: this one closes with the answer that runs, because devproxy stops or a login is lost.
    """

    __slots__ = (
        "_announced_bytes",
        "_chunked",
        "_closes",
        "_ends_body",
        "_exchange",
        "_is_congested",
        "_is_head_timed",
        "_lingered",
        "_pipelined",
        "_reader",
        "_reading_paused",
        "_shared",
        "_state",
        "body_remaining",
        "deadline",
        "has_eof",
        "is_ending",
        "logins",
        "peer",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, shared: SharedState, scheme: str) -> None:
        self._shared = shared
        self._state = _IDLE
        self._reader = HeadReader(MessageKind.REQUEST, shared.snapshot.limits)
        self._exchange: Answering | None = None
        self.body_remaining = 0
        self._announced_bytes = 0
        self._closes = False
        self._ends_body = False
        self._chunked: ChunkedReader | None = None
        self._pipelined: bytes | bytearray = b""
        self._reading_paused = False
        self.has_eof = False
        self.is_ending = shared.is_stopping
        self.logins: dict[Pool, Connection] = {}
        self._is_congested = False
        self._is_head_timed = False
        self._lingered = 0
        self.deadline = _NEVER
        self.peer = Peer("", scheme)

    # -- the transport's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new client."""
        self.transport = cast("asyncio.Transport", transport)
        set_limits(self.transport)
        self.peer = Peer(peer_name(transport), self.peer.scheme)
        self._shared.connections.add(self)
        self._shared.pressure.admit(self.transport)
        self._wait_idle()
        if descriptor_of(self.transport) >= self._shared.descriptor_ceiling:
            self._shared.on_shortage()

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
        else:
            self._discard(data)

    def eof_received(self) -> bool:
        """Take the end of what the client sends. A client in the middle of its request has left."""
        self.has_eof = True
        exchange = self._exchange
        if self._state is _WAITING and self._pipelined:
            pass  # what came before the end is still due
        elif self._state is not _EXCHANGE or exchange is None:
            self.transport.close()
        elif self.body_remaining or exchange.is_poll:
            self._client_left()
        else:
            self._shared.loop.call_later(HALF_CLOSE_GRACE_S, self._end_grace, exchange, exchange.sent_bytes)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._state = _CLOSED
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
        return self._exchange is not None and not self._exchange.request.version_minor

    def inform(self, block: bytes) -> None:
        """Send a 1xx head, never to a client that speaks HTTP/1.0 (RFC 9110 section 15.2)."""
        if not self.decodes_chunks and not self.transport.is_closing():
            self.transport.write(block)

    def respond(self, block: bytes, payload: bytes, body_length: int, ended: bool, closes: bool) -> None:
        """Send the response's head and what there is of its body; `ended`: nothing follows.

        `closes`: the connection ends with it, as the head says.
        """
        transport = self.transport
        if not transport.is_closing():
            if body_length < _JOIN_BYTES or len(payload) < _JOIN_BYTES:
                transport.write(block + payload)
            else:
                transport.write(block)
                transport.write(payload)
        if ended:
            self._end(closes)
        else:
            self._closes = closes
            self._ends_body = body_length == UNTIL_CLOSE or (body_length == CHUNKED and self.decodes_chunks)

    def send(self, data: bytes, ended: bool) -> None:
        """Send a further piece of the response's body; `ended`: nothing follows."""
        if not self.transport.is_closing():
            self.transport.write(data)
        if ended:
            self._end(self._closes)

    def pause_reading(self) -> None:
        """Take nothing more from the client for now."""
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self._shared.held_back.add(self)
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again, unless enough of it is kept already."""
        if self._reading_paused and len(self._pipelined) <= MAX_PIPELINED_BYTES and not self.transport.is_closing():
            self._reading_paused = False
            self._shared.held_back.discard(self)
            self.transport.resume_reading()

    def read_on(self) -> None:
        """Read on, unless the upstream takes slowly: others have had their turn."""
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
        if closes or self.body_remaining or self.is_ending:
            if self._shared.is_stopping and not self.body_remaining and not self._pipelined:
                self.transport.close()  # nothing that came is unread and could make a reset of this
            else:
                self._linger()
            return
        self._state = _IDLE
        self._wait_idle()
        if self._pipelined:
            self._state = _WAITING
            self._shared.loop.call_soon(self._go_on)
        elif self.has_eof:
            self.transport.close()
        elif self._is_congested:
            self._state = _WAITING

    def abort(self, *, resets: bool) -> None:
        """End the connection before its response is complete, so that the client can tell (RFC 9112 section 8).

        `resets`: by a reset, as always where the end of the connection would be that of the body.
        """
        if resets or self._ends_body:
            reset(self.transport)
        else:
            self.transport.close()

    def take_over(self, block: bytes) -> TakenOver:
        """Send `block`, the head of a 101 and what came after it, and give the transport away, to a tunnel."""
        if not self.transport.is_closing():
            self.transport.write(block)
        early, self._pipelined = bytes(self._pipelined), b""
        self.resume_reading()
        self._exchange = None
        self._state = _CLOSED
        self.deadline = _NEVER
        self._shared.remove_connection(self)
        self._end_logins()
        return TakenOver(self.transport, early, self.has_eof)

    def close_idle(self) -> None:
        """Close the connection, with the answer if an exchange runs on it; for stopping."""
        self.is_ending = True
        if self._state in (_IDLE, _WAITING):
            self.transport.close()

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
        if exchange is None:
            self.transport.abort()
        else:
            exchange.stop()
            reset(self.transport)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come: closing the connection now costs its client nothing."""
        return self._state is _IDLE and not self._reader.has_started

    @property
    def is_busy(self) -> bool:
        """Whether an exchange runs on this connection."""
        return self._state is _EXCHANGE

    def expire(self) -> None:
        """The deadline is over: an idle connection or a lingering one closes, a slow head is answered 408."""
        self.deadline = _NEVER
        if self._state is _IDLE and self._reader.has_started:
            answer = answers.head_timeout(self._shared.snapshot.config.server.head_timeout_s)
            self._refuse(answer, "", self._reader.pending)
        else:
            self.transport.close()

    # -- framing -------------------------------------------------------------------------------------------------

    def _wait_idle(self) -> None:
        self.deadline = self._shared.now + self._shared.snapshot.idle_timeout_s

    def _take_head(self, data: bytes) -> None:
        limits = self._shared.snapshot.limits
        recalled = None if self._reader.has_started else recall_request_head(data, limits)
        if recalled is not None:
            head, rest = recalled
        else:
            try:
                found = self._reader.feed(data)
                if found is None:
                    if self._reader.has_started and not self._is_head_timed:
                        self._is_head_timed = True
                        self._wait_head()
                    return
                block, rest = found
                head = parse_request_head(block, limits)
            except BadMessage as error:
                self._refuse(answers.bad_message(error), error.reason, self._reader.pending or data)
                return
        self._is_head_timed = False
        self.deadline = _NEVER
        self._state = _EXCHANGE
        if head.facts.body_length:
            self.body_remaining = length = head.body_length
            if length == CHUNKED:
                self._chunked = ChunkedReader(dropped_trailers=head.facts.connection_options)
                self._announced_bytes = 0
        plan = plan_request(head, self._shared.snapshot)
        if isinstance(plan, Forward):
            exchange: Answering = Exchange(self._shared, self, head, plan)
        else:
            exchange = OwnAnswer(self._shared, self, head, plan)
        self._exchange = exchange
        if not rest and not self._pipelined:
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

    def _wait_head(self) -> None:
        self.deadline = self._shared.loop.time() + self._shared.snapshot.head_timeout_s

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
        """Return the part of `data` that belongs to the request's body; what is behind it waits its turn."""
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
        """Return what of the request's body is among the octets that are kept.

        Others may follow in there. They are not copied, so that each of many requests costs what it is itself.
        """
        kept = self._pipelined
        assert isinstance(kept, bytearray)
        if self._chunked is None:
            payload = bytes(memoryview(kept)[: self.body_remaining])
            del kept[: len(payload)]
            self.body_remaining -= len(payload)
            self.resume_reading()
            return payload
        payloads, size = [], _BODY_WINDOW
        while kept and self._chunked is not None:
            window = bytes(memoryview(kept)[:size])
            payload, rest = self._feed(self._chunked, window)
            del kept[: len(window) - len(rest)]
            payloads.append(payload)
            size *= 2
        self.resume_reading()
        return b"".join(payloads)

    def _feed(self, chunked: ChunkedReader, data: bytes) -> tuple[bytes, bytes]:
        payload, rest = chunked.feed(data)
        self._announced_bytes = chunked.announced_bytes
        if chunked.is_done:
            self._chunked = None
            self.body_remaining = 0
        return payload, rest

    @property
    def is_request_complete(self) -> bool:
        """Whether the whole of the current request has been read."""
        return not self.body_remaining

    def _hold_back(self, data: bytes) -> None:
        """Keep what comes behind the current request; more than a little waits in the kernel."""
        # A bytearray takes bytes at its end, and loses them at its beginning, without a copy.
        self._pipelined = self._pipelined or bytearray()
        self._pipelined += data
        if len(data) > LITTLE_BYTES:
            self._shared.pressure.take_turn(self.transport, len(data))
        if len(self._pipelined) > MAX_PIPELINED_BYTES:
            self.pause_reading()

    def _go_on(self) -> None:
        """Take the request that waited, unless the client has still to take what it was sent before."""
        if self._state is not _WAITING or self._is_congested or self.transport.is_closing():
            return
        self._state = _IDLE
        self.resume_reading()
        while self._pipelined and self._state is _IDLE:
            data = self._next_kept(self._pipelined)
            self.resume_reading()  # before the exchange starts: it may have reasons of its own to pause
            self._take_head(data)
        if self.has_eof:
            self.eof_received()  # it came before this request's turn, and will not come again

    def _next_kept(self, kept: bytes | bytearray) -> bytes:
        """Take the octets of the next head out of `kept`, or all where it is not complete; copy nothing behind it."""
        end = find_head_end(kept)
        if end <= 0:
            self._pipelined = b""
            return bytes(kept)
        data = bytes(memoryview(kept)[:end])
        del kept[:end]  # type: ignore[union-attr]  # what waits behind another request is in a bytearray
        return data

    # -- endings -------------------------------------------------------------------------------------------------

    def _refuse(self, answer: answers.Answer, detail: str, octets: bytes, head: RequestHead | None = None) -> None:
        """Answer what is no request at all, and end the connection. `octets`: as far as it came; `head`: if it came."""
        data = refuse(self._shared, self.peer, answer, detail, octets, head)
        if not self.transport.is_closing():
            self.transport.write(data)
        self._linger()

    def _linger(self) -> None:
        """End our side and read on for a moment, so that a reset can't destroy the answer on its way to the client."""
        self._pipelined = b""
        if self.has_eof or not end_writing(self.transport):
            self.transport.close()
            return
        self._state = _LINGERING
        self.resume_reading()
        self.deadline = self._shared.now + LINGER_S

    def _discard(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > MAX_LINGER_BYTES:
            self.transport.abort()

    def _end_grace(self, exchange: Answering, sent_bytes: int) -> None:
        """Take the client for one that has left, unless it was sent something meanwhile: who had left would have reset
        the connection at that, and who has not may wait for the rest as long as it wants.
        """
        if self._exchange is exchange and exchange.sent_bytes == sent_bytes:
            self._client_left()

    def _client_left(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()
        self.transport.abort()
