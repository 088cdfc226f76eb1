"""One connection to an upstream server: frames its responses and hands them to the exchange that uses it.

Nothing is buffered: a response head leaves when it has arrived, each piece of a body in the loop turn in which it
came. A connection on which anything unexpected happened is never used again. Start at
:meth:`UpstreamConnection.data_received`.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, cast

from devproxy.errors import BadMessage, UpstreamError, UpstreamFault
from devproxy.gateway.back.states import STEPS, Act, Event, State
from devproxy.gateway.shared.pressure import LARGE_BYTES, Reader
from devproxy.gateway.shared.seam import Loss
from devproxy.gateway.shared.transports import last_words, reset, set_limits
from devproxy.http.fields import Role
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, ResponseHead
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import parse_response_head, recall_response_head
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.refusals import ended_within_head, told
from devproxy.http1.start_line import Limits

if TYPE_CHECKING:
    from devproxy.errors import TlsFailure
    from devproxy.gateway.shared.seam import Asker, ClientStream, Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.routing.balance import Process

MAX_INTERIM_RESPONSES: Final = 32

# The members by module-level names: looking one up in its class costs as much as ten comparisons.
_IDLE, _AWAITING, _HEAD, _BODY, _OVER = State


@dataclass(eq=False, repr=False, slots=True)
class UpstreamConnection(Reader):
    """A protocol towards a server. Used by one exchange at a time; idle in its pool in between.

    ``server_pool``: of the server at the other end. ``served``: responses completed so far; a connection that has
    served may have been closed by its server meanwhile. ``expires_at``: the loop's time from which it must not be
    reused. ``user``: who used it last, while it is idle. ``address``: the one that was dialled for the name; empty once
    it has an ``owner``, the client's connection that was logged in on it (NTLM, Negotiate): no other may ever use it.
    ``early_words``: what the server sent without being asked. ``ended_by``: what ended it before it was used.
    ``process``: who answers, where Engine.IO sessions tell; None: not known.
    """

    _shared: SharedState
    server_pool: Server
    transport: asyncio.Transport = field(init=False)
    address: str = ""
    early_words: bytes = b""
    ended_by: Exception | None = None
    expires_at: float = 0.0
    owner: ClientStream | None = None
    process: Process | None = None
    served: int = 0
    user: object = None
    _chunked: ChunkedReader | None = None
    _exchange: Asker | None = None
    _interims: int = 0
    _is_held_back: bool = False
    _keep_alive_timeout_s: int | None = None
    _logged_in_after: int = 0
    _reader: HeadReader = field(init=False)
    _remaining: int = 0
    _reusable: bool = False
    _state: State = _IDLE

    holds_request: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._reader = HeadReader(MessageKind.RESPONSE, self._shared.current.snapshot.response_limits)

    # -- the transport's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that the dialler opened."""
        self.transport = cast("asyncio.Transport", transport)
        set_limits(self.transport)
        self._shared.pressure.admit(self.transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what the server sent; data that was not requested ends the connection (RFC 9112 section 6.3)."""
        exchange = self._exchange
        if exchange is None:
            self.early_words = data
            self._forget(Event.BREACH)
            return
        try:
            if self._state is _BODY:
                payload, ended = self._frame(data)
                if ended:
                    self._complete(exchange, self._reusable, self._keep_alive_timeout_s)
                exchange.response_data(payload, ended)
            else:
                self._take_head(exchange, data)
        except BadMessage as error:  # what came is not an answer that can be trusted
            self._lose(exchange, Event.BREACH, Loss(UpstreamFault.BAD_RESPONSE, told(error), cause=error))

    def eof_received(self) -> bool:
        """Take the server's end of stream: the end of a body that lasts until then, else a loss."""
        self._ended(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection, reading first what came in before a write failed."""
        self._shared.pressure.dismiss(self.transport)
        if self._exchange is None:
            self.ended_by = exc
            self._forget(Event.END)
            return
        if exc is not None and self._state is not _BODY and (words := last_words(self.transport)):
            self.data_received(words)
        self._ended(exc)

    def pause_writing(self) -> None:
        """Stop reading from the client: this server takes its request slowly."""
        self._shared.pressure.fall_behind(self.transport)
        if self._exchange is not None:
            self._exchange.pause_request()

    def resume_writing(self) -> None:
        """Read from the client again."""
        self._shared.pressure.catch_up(self.transport)
        if self._exchange is not None:
            self._exchange.resume_request()

    # -- the exchange's side ---------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the connection has been made and not been closed."""
        return hasattr(self, "transport") and not self.transport.is_closing()

    @property
    def asked_target(self) -> bytes:
        """What the client asked for, whatever path its route makes of that; empty while nothing runs here."""
        return b"" if self._exchange is None else self._exchange.request.target

    @property
    def is_silent(self) -> bool:
        """Whether its sender still waits for the first byte that this connection brings."""
        return self._state is _AWAITING and not self.served

    def begin(self, exchange: Asker, data: bytes) -> None:
        """Send `data` (a request head and what there is of its body) for `exchange`, and wait for the response."""
        self._exchange = exchange
        self._state = _AWAITING
        self.transport.write(data)

    def send(self, data: bytes) -> None:
        """Send a further piece of the request's body, unless the connection is being closed."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def pause_reading(self) -> None:
        """Read no more of the response for now, unless the connection is being closed."""
        self._is_held_back = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Read on, unless the client reads slowly: others have had their turn."""
        if not self._is_held_back:
            self.resume_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._is_held_back = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def bind(self, client: ClientStream) -> None:
        """Belong to `client` from now on: what is logged in by its request is the connection (RFC 4559 section 6)."""
        if self.owner is None:
            self.owner = client
            self.address = ""
            self._logged_in_after = self.served
            client.logins[self.server_pool.pool] = self

    @property
    def is_logged_in(self) -> bool:
        """Whether a login of its owner's has begun here and been answered: its loss cannot be made good."""
        return self.owner is not None and self.served > self._logged_in_after

    @property
    def is_idle(self) -> bool:
        """Whether no exchange uses it."""
        return self._exchange is None

    def abandon(self) -> None:
        """End the connection at once: the client has left. The server notices by a reset."""
        self._leave(Event.ABANDON)

    def close(self) -> None:
        """Close an idle connection."""
        self._leave(Event.CLOSE)

    # -- framing -------------------------------------------------------------------------------------------------

    def _take_head(self, exchange: Asker, data: bytes) -> None:
        limits = self._shared.current.snapshot.response_limits
        found = recall_response_head(data, limits) if self._state is _AWAITING else None
        self._state = _HEAD
        if found is None:
            found = self._read_head(data, limits, exchange.request.method)
            if found is None:
                return
        head, data = found
        facts = head.facts
        if facts.status < 200:
            self._take_interim(exchange, head, data)
            return
        length = 0 if exchange.request.method == b"HEAD" else head.body_length
        if length == len(data):  # all of it is here, which is how most answers come
            self._complete(exchange, facts.keep_alive, facts.keep_alive_timeout_s)
            exchange.response(head, length, data, True)
            return
        self._state = _BODY
        self._reusable = facts.keep_alive and length != UNTIL_CLOSE
        self._keep_alive_timeout_s = facts.keep_alive_timeout_s
        self._remaining = length
        self._chunked = None
        if length == CHUNKED:
            self._chunked = ChunkedReader(is_decoding=exchange.client.decodes_chunks, is_answer=True)
        payload, ended = self._frame(data)
        if ended:
            self._complete(exchange, self._reusable, self._keep_alive_timeout_s)
        exchange.response(head, length, payload, ended)

    def _take_interim(self, exchange: Asker, head: ResponseHead, data: bytes) -> None:
        """Pass on a 1xx `head`, and take what came after it."""
        if head.facts.status == 101:
            self._switch(exchange, head)
            self._exchange, self._state = None, _OVER
            exchange.upgraded(head, data, self.transport)
            return
        self._interims += 1
        if self._interims > MAX_INTERIM_RESPONSES:
            reason = f"there were more than {MAX_INTERIM_RESPONSES} interim responses"
            raise BadMessage(reason, source="RFC 9110 section 15.2", line=head.start)
        exchange.interim(head)
        if data and self._exchange is exchange:
            self._take_head(exchange, data)

    def _read_head(self, data: bytes, limits: Limits, method: bytes) -> tuple[ResponseHead, bytes] | None:
        """Return a head that came in pieces or has lines never seen before, and what follows it; None: more."""
        found = self._reader.feed(data)
        if found is None:
            return None
        head = parse_response_head(found[0], limits, method)
        if head.status >= 200:
            self._interims = 0
        if head.facts.logs_in and self._exchange is not None:
            self.bind(self._exchange.client)
        return head, found[1]

    def _switch(self, exchange: Asker, head: ResponseHead) -> None:
        """Check that a 101 switches to what was asked for (RFC 9110 section 15.2.2)."""
        asked = [token.strip() for token in exchange.request.upgrade.split(b",") if token.strip()]
        if not asked:
            reason = "101 Switching Protocols came without a request for it"
            raise BadMessage(reason, source="RFC 9110 section 7.8", line=head.start)
        if head.facts.upgrade not in asked:
            named = [field.line for field in head.fields if field.role == Role.UPGRADE]
            reason = "101 switches to a protocol other than the requested one"
            raise BadMessage(reason, source="RFC 9110 section 7.8", line=named[0] if named else head.start)

    def _frame(self, data: bytes) -> tuple[bytes, bool]:
        """Return the part of `data` that belongs to the body, and whether the body ends with it."""
        remaining = self._remaining
        if remaining >= 0:
            size = len(data)
            if size < remaining:
                self._remaining = remaining - size
                if size > LARGE_BYTES:
                    self._shared.pressure.take_turn(self.transport, size)
                return data, False
            self._remaining = 0
            if size > remaining:
                self._reusable = False
                data = data[:remaining]
            return data, True
        if len(data) > LARGE_BYTES:
            self._shared.pressure.take_turn(self.transport, len(data))
        chunked = self._chunked
        if chunked is None:
            return data, False
        payload, rest = chunked.feed(data)
        if not chunked.is_done:
            return payload, False
        if rest or chunked.has_odd_trailers:
            self._reusable = False
        return payload, True

    def _complete(self, exchange: Asker, is_reusable: bool, keep_alive_timeout_s: int | None) -> None:
        """The response is over: give the connection back, or close it when it can't be trusted with another.

        One that is being closed may be given back: it is not taken again.
        """
        self.served += 1
        if exchange.request.facts.body_length and (
            not exchange.is_request_sent or self.transport.get_write_buffer_size()
        ):
            # The server may never read the rest of the request, and to close would be to wait until it does.
            self._leave(Event.EARLY_COMPLETE)
        elif is_reusable:
            self._exchange = None
            self._state = _IDLE
            self.server_pool.release(self, exchange.client, keep_alive_timeout_s)
        else:
            self._leave(Event.LAST_COMPLETE)

    # -- endings -------------------------------------------------------------------------------------------------

    def _leave(self, event: Event) -> None:
        """Be used no more, and end as the table says."""
        self._exchange = None
        self._state, act = STEPS[self._state, event]
        if self.owner is not None:
            self.owner.lose_login(self)
        if act is Act.RESET:
            reset(self.transport)
        elif act is Act.ABORT:
            self.transport.abort()
        else:
            self.transport.close()

    def _forget(self, event: Event) -> None:
        """End while no exchange uses it."""
        self.server_pool.forget(self)
        self._leave(event)

    def _ended(self, exc: Exception | None) -> None:
        """The server ended the connection, usually while an exchange used it."""
        self.server_pool.look_soon()
        exchange = self._exchange
        if exchange is None:
            self._forget(Event.END)
        elif self._state is _BODY and self._remaining == UNTIL_CLOSE and exc is None:
            self._complete(exchange, False, None)
            exchange.response_data(b"", True)
        else:
            self._lose(exchange, Event.END, self._loss(exc))

    @property
    def tls_failure(self) -> TlsFailure | None:
        """Why there is no TLS on this connection, which ended unused; None: that is not why."""
        return None if self.ended_by is None else self._tls_failure(self.ended_by)

    def _tls_failure(self, exc: Exception | None) -> TlsFailure | None:
        """Return what TLS has to do with `exc`. In version 1.3 a server judges its client's certificate when that
        takes the handshake for finished."""
        if not isinstance(exc, ssl.SSLError):
            return None
        from devproxy.gateway.back.tls import failure_of  # no server without TLS needs it

        return failure_of(exc, shows_certificate=bool(self.server_pool.pool.upstream.tls_cert))

    def _loss(self, exc: Exception | None) -> Loss:
        """Return what the end of the connection means to the exchange that used it."""
        if isinstance(exc, UpstreamError):  # of a server in this process, which says itself what it means
            return Loss(exc.fault, exc.detail)
        failure = self._tls_failure(exc)
        if failure is not None:
            return Loss(UpstreamFault.TLS, failure.reason, was_reset=True, tls=failure)
        detail = "" if exc is None else (getattr(exc, "strerror", None) or str(exc))
        if exc is None and self._reader.has_started:
            detail = told(ended_within_head(self._reader.pending))
        return Loss(UpstreamFault.CLOSED_EARLY, detail, exc is not None)

    def _lose(self, exchange: Asker, event: Event, loss: Loss) -> None:
        """End without an answer. What the server has not taken of the request is of no use to it any more."""
        may_be_unread = self._state is _AWAITING and self.served > 0 and loss.fault is not UpstreamFault.NOT_RECORDED
        self._leave(event)
        exchange.upstream_lost(loss._replace(may_be_unread=may_be_unread, was_logged_in=self.is_logged_in))
