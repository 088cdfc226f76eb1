"""The streams of a connection of HTTP/2: a request and its answer, and a tunnel.

Each has the flow control of its own that HTTP/2 gives it: the client may send as much again as the upstream has taken,
and what a client does not take holds back the one upstream that it comes from. Owns no connection and no frame. Start
at :class:`RequestStream`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from devproxy import answers
from devproxy.errors import BadMessage
from devproxy.gateway.shared.seam import TakenOver
from devproxy.http.fields import connection_schemes, values_of
from devproxy.http.messages import CHUNKED
from devproxy.http1.framing import ChunkedReader, DecodedBody
from devproxy.http1.reasons import reason_phrase
from devproxy.http2.frames import ErrorCode

if TYPE_CHECKING:
    from devproxy.answers.rendering import Composed
    from devproxy.gateway.exchanges.answering import Answering
    from devproxy.gateway.shared.seam import Connection, Pool
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import ResponseHead
    from devproxy.http2.connection import ServerConnection
    from devproxy.policy.hop import Peer

_ACCEPT: Final = b"sec-websocket-accept"
_SWITCHED: Final = b"HTTP/1.1 200 OK"
"""What says over HTTP/2 that a tunnel is open (RFC 8441 section 5)."""
_NO_SWITCH: Final = b"HTTP/1.1 502 Bad Gateway"


class Stream(Protocol):
    """A stream, as its connection sees it. ``is_request``: an answer is due on it; else it is a tunnel."""

    is_request: bool

    def data_received(self, data: bytes, ended: bool) -> None:
        """Take what came on it; `ended`: nothing follows."""

    def trailers_received(self, lines: tuple[bytes, ...]) -> None:
        """Take the end of the request's body, which has trailers."""

    def hold(self) -> None:
        """The client reads slowly."""

    def go_on(self) -> None:
        """All that was held of this stream is written, or the client takes from the connection again."""

    def lost(self, exc: Exception | None) -> None:
        """The stream has ended without us: the client has reset it (`exc`), or the connection is gone."""


class Carrier(Protocol):
    """A connection, as its streams see it. ``is_congested``: the client takes nothing from it for now."""

    shared: SharedState
    http2: ServerConnection
    peer: Peer
    is_congested: bool

    def flush_soon(self) -> None:
        """Have what was written sent in this turn of the loop."""

    def replace(self, stream_id: int, stream: Stream) -> None:
        """Let `stream` take what comes from now on."""

    def forget(self, stream_id: int) -> None:
        """The stream is over."""


class _FlowControl:
    """What both kinds of streams do about windows."""

    __slots__ = ("_carrier", "_held_bytes", "_id", "_is_complete", "_is_paused", "_untaken_bytes")

    def __init__(self, carrier: Carrier, stream_id: int, is_complete: bool) -> None:
        self._carrier = carrier
        self._id = stream_id
        self._is_complete = is_complete
        self._is_paused = False
        self._untaken_bytes = 0
        self._held_bytes = 0

    def _acknowledge(self, count: int) -> None:
        """Let the client send `count` bytes more, as soon as what came before is taken."""
        if self._is_paused:
            self._untaken_bytes += count
        elif count:
            self._carrier.http2.acknowledge(self._id, count)
            self._carrier.flush_soon()

    def pause_reading(self) -> None:
        """Take nothing more for now: what the window still allows comes nevertheless, and is taken."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Let the client send again as much as was taken meanwhile."""
        self._is_paused = False
        count, self._untaken_bytes = self._untaken_bytes, 0
        self._acknowledge(count)

    def _has_caught_up(self) -> bool:
        """Tell whether nothing that was written waits for the client's windows any more."""
        self._held_bytes = self._carrier.http2.held_bytes(self._id)
        if self._held_bytes:
            return False
        self._carrier.shared.pressure.catch_up(self)
        return True

    def _note_held(self, held_bytes: int) -> None:
        """Something was written, of which `held_bytes` have to wait for the client's windows."""
        self._held_bytes = held_bytes
        self._carrier.flush_soon()
        if held_bytes:
            self._carrier.shared.pressure.fall_behind(self)

    def _end_stream(self) -> None:
        """Nothing more is sent. A client that is not told to stop would go on with its request (RFC 9113, 8.1)."""
        if not self._is_complete:
            self._carrier.http2.reset(self._id, ErrorCode.NO_ERROR)
        self._forget()

    def _reset(self, code: ErrorCode) -> None:
        self._carrier.http2.reset(self._id, code)
        self._forget()

    def _forget(self) -> None:
        self._carrier.shared.pressure.catch_up(self)
        self._carrier.flush_soon()
        self._carrier.forget(self._id)


class RequestStream(_FlowControl):
    """A request, and the way back to its client (:class:`~devproxy.gateway.shared.seam.ClientStream`).

    `is_complete`: it has no body. `key`: of the handshake that asks an upstream for a WebSocket in the words of
    HTTP/1.1, which the client does not have to send; empty: it asks for none. ``wants_accept``: the key is the
    client's, so it is given the answer to it. ``exchange``: None once it is answered.
    """

    __slots__ = (
        "_announced_bytes",
        "_decoder",
        "_early",
        "exchange",
        "handshake_key",
        "logins",
        "peer",
        "wants_accept",
    )

    is_request = True
    decodes_chunks = False

    def __init__(self, carrier: Carrier, stream_id: int, is_complete: bool, key: bytes = b"") -> None:
        super().__init__(carrier, stream_id, is_complete)
        self.exchange: Answering | None = None
        self.peer = carrier.peer
        self.logins: dict[Pool, Connection] = {}
        self._announced_bytes = 0
        self._decoder: DecodedBody | None = None
        self.handshake_key = key
        self.wants_accept = False
        self._early = bytearray()

    # -- the connection's side -------------------------------------------------------------------------------------

    def start(self, exchange: Answering) -> None:
        """Have the request answered by `exchange`."""
        self.exchange = exchange
        exchange.start(b"", not exchange.request.facts.body_length)

    def data_received(self, data: bytes, ended: bool) -> None:
        """Take a piece of the body; before a tunnel is open, what is for the tunnel."""
        self._is_complete = ended
        if self.handshake_key:
            self._early += data
            return
        exchange = self.exchange
        if exchange is not None and exchange.request.facts.body_length:
            payload = data
            if exchange.request.facts.body_length == CHUNKED:
                self._announced_bytes += len(data)
                payload = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
                if ended:
                    payload += b"0\r\n\r\n"
            exchange.request_data(payload, ended, self._announced_bytes)
        self._acknowledge(len(data))

    def trailers_received(self, lines: tuple[bytes, ...]) -> None:
        """Take the end of the body. Trailers pass with the chunked coding alone, and then as those of HTTP/1.1 do."""
        self._is_complete = True
        exchange = self.exchange
        if exchange is None:
            return
        payload = b""
        if exchange.request.facts.body_length == CHUNKED:
            try:
                payload = ChunkedReader().feed(b"\r\n".join((b"0", *lines, b"", b"")))[0]
            except BadMessage as error:
                exchange.request_broken(answers.bad_message(error))
                return
        exchange.request_data(payload, True, self._announced_bytes)

    def hold(self) -> None:
        """Read no more of the response for now."""
        if self.exchange is not None:
            self.exchange.pause_response()

    def go_on(self) -> None:
        """Read on, or end, if all that was held is written."""
        if not self._has_caught_up():
            return
        if self.exchange is None:
            self._end_stream()
        elif not self._carrier.is_congested:
            self.exchange.resume_response()

    def lost(self, exc: Exception | None) -> None:
        """End the upstream's part: the client has left."""
        self._forget()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.client_left()

    def stop(self) -> None:
        """End the exchange where it is: devproxy stops."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.stop()

    # -- the exchange's side ---------------------------------------------------------------------------------------

    def inform(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Send a 1xx head."""
        self._carrier.http2.inform(self._id, _lines(head, edits))
        self._carrier.flush_soon()

    def respond(self, head: ResponseHead, edits: ResponseEdits, body_length: int, payload: bytes, ended: bool) -> None:
        """Send the response's head and what there is of its body; `ended`: nothing follows.

        A challenge for a login that belongs to a connection (NTLM, Negotiate) cannot be met where the connection is
        shared by all requests: the client is told to ask by HTTP/1.1 (RFC 9113 section 7). A 2xx to a request for a
        WebSocket would say that it is open.
        """
        if head.status == 401 and any(map(connection_schemes, values_of(head.fields, b"www-authenticate"))):
            self.demand_http1()
            return
        lines = _lines(head, edits)
        if self.handshake_key and 200 <= head.status < 300:
            lines[0] = _NO_SWITCH
        if body_length == CHUNKED:
            self._decoder = DecodedBody()
            self._carrier.http2.respond(self._id, lines, b"", False)
            self.send(payload, ended)
        else:
            self._sent(self._carrier.http2.respond(self._id, lines, payload, ended), ended)

    def answer(self, composed: Composed) -> None:
        """Send an answer of devproxy's own. The connection goes on in any case."""
        status, lines, body, _ = composed
        start = f"HTTP/1.1 {status} {reason_phrase(status)}".encode("latin-1")
        self._sent(self._carrier.http2.respond(self._id, (start, *lines), body, True), True)

    def send(self, data: bytes, ended: bool) -> None:
        """Send a further piece of the response's body, without the chunked coding; `ended`: nothing follows."""
        decoder, http2 = self._decoder, self._carrier.http2
        if decoder is None:
            self._sent(http2.send(self._id, data, ended), ended)
            return
        data = decoder.feed(data)[0]
        has_trailers = ended and bool(decoder.trailers)
        held_bytes = http2.send(self._id, data, ended and not has_trailers)
        if has_trailers:
            http2.send_trailers(self._id, decoder.trailers)
        self._sent(held_bytes, ended)

    def _sent(self, held_bytes: int, ended: bool) -> None:
        if ended and self._is_complete and not held_bytes and not self._held_bytes:  # as most responses are
            self.exchange = None
            self._carrier.flush_soon()
            self._carrier.forget(self._id)
            return
        self._note_held(held_bytes)
        if ended:
            self._complete()
        elif held_bytes or self._carrier.is_congested:
            self.hold()

    def abort(self, *, resets: bool) -> None:
        """Reset the stream, so that the client can tell that its response is not complete."""
        self.exchange = None
        self._reset(ErrorCode.INTERNAL_ERROR)

    def _complete(self) -> None:
        """The response is over, as soon as what is held of it is written."""
        self.exchange = None
        if not self._held_bytes:
            self._end_stream()

    def demand_http1(self) -> None:
        """Tell the client to ask again by HTTP/1.1."""
        exchange, self.exchange = self.exchange, None
        self._reset(ErrorCode.HTTP_1_1_REQUIRED)
        if exchange is not None:  # it is in the middle of its response
            self._carrier.shared.loop.call_soon(self._end_login, exchange)

    def _end_login(self, exchange: Answering) -> None:
        exchange.client_left()
        for connection in list(self.logins.values()):
            if connection.is_idle:
                connection.close()

    def lose_login(self, connection: Connection) -> None:
        """Forget `connection`: there is none to end with it."""
        self.logins.pop(connection.server_pool.pool, None)

    def take_over(self, head: ResponseHead, edits: ResponseEdits, glued: bytes) -> TakenOver:
        """Say that the tunnel is open, without what belongs to HTTP/1.1 (RFC 8441 section 5), and hand it over."""
        lines = _lines(head, edits)
        is_left_out = not self.wants_accept
        crossing = [line for line in lines[1:] if not (is_left_out and line.partition(b":")[0].lower() == _ACCEPT)]
        self._carrier.http2.respond(self._id, (_SWITCHED, *crossing), b"", False)
        self._carrier.flush_soon()
        stream = TunnelStream(self._carrier, self._id, self._is_complete)
        self._carrier.replace(self._id, stream)
        self.exchange = None
        if glued:
            stream.write(glued)
        self._acknowledge(len(self._early))
        return TakenOver(stream, bytes(self._early), self._is_complete)


def _lines(head: ResponseHead, edits: ResponseEdits) -> list[bytes]:
    """Return the lines of `head` for the client; what belongs to a connection of HTTP/1.1 is left out on encoding."""
    return [head.start, *edits.lines_of(head), *edits.last]


class TunnelStream(_FlowControl):
    """A stream that is one end of a tunnel (:class:`~devproxy.gateway.shared.seam.ByteStream`).

    END_STREAM is its FIN and RST_STREAM its reset (RFC 8441 section 5).
    """

    __slots__ = ("_has_said_end", "_is_closing", "_is_lost", "_is_told_to_pause", "_protocol")

    is_request = False

    def __init__(self, carrier: Carrier, stream_id: int, is_complete: bool) -> None:
        super().__init__(carrier, stream_id, is_complete)
        self._protocol: asyncio.Protocol = asyncio.Protocol()
        self._has_said_end = False
        self._is_closing = False
        self._is_lost = False
        self._is_told_to_pause = False

    # -- the connection's side -------------------------------------------------------------------------------------

    def data_received(self, data: bytes, ended: bool) -> None:
        """Take what the client sent."""
        if data and not self._is_closing:
            self._protocol.data_received(data)
        self._acknowledge(len(data))
        if ended:
            self._is_complete = True
            if not self._is_closing:
                self._protocol.eof_received()

    def trailers_received(self, lines: tuple[bytes, ...]) -> None:
        """Take nothing: a tunnel has no trailers."""

    def hold(self) -> None:
        """Have the other end held back."""
        if not self._is_told_to_pause and not self._is_closing:
            self._is_told_to_pause = True
            self._protocol.pause_writing()

    def go_on(self) -> None:
        """Let the other end go on, or end, if all that was held is written."""
        if not self._has_caught_up():
            return
        if self._is_closing:
            self._finish()
        elif self._is_told_to_pause and not self._carrier.is_congested:
            self._is_told_to_pause = False
            self._protocol.resume_writing()

    def lost(self, exc: Exception | None) -> None:
        """Tell the tunnel, once."""
        self._is_closing = True
        if not self._is_lost:
            self._is_lost = True
            self._forget()
            self._protocol.connection_lost(exc)

    # -- the tunnel's side -----------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send `data`."""
        if self._is_closing or self._has_said_end or not data:
            return
        self._note_held(self._carrier.http2.send(self._id, data, False))
        if self._held_bytes or self._carrier.is_congested:
            self.hold()

    def write_eof(self) -> None:
        """Say that nothing more will be sent."""
        if not self._has_said_end:
            self._has_said_end = True
            self._note_held(self._carrier.http2.send(self._id, b"", True))

    def can_write_eof(self) -> bool:
        """Whether one direction can end before the other: always."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has given no window for yet."""
        return self._carrier.http2.held_bytes(self._id)

    def close(self) -> None:
        """Send what is kept, then end."""
        if not self._is_closing:
            self.write_eof()
            self._is_closing = True
            if not self._held_bytes:
                self._finish()

    def _finish(self) -> None:
        self._end_stream()
        self._carrier.shared.loop.call_soon(self.lost, None)

    def abort(self) -> None:
        """End at once."""
        if not self._is_lost:
            self._is_closing = True
            self._reset(ErrorCode.CANCEL)
            self._carrier.shared.loop.call_soon(self.lost, None)

    def is_closing(self) -> bool:
        """Whether it has ended or is about to."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Whether what comes is taken."""
        return not self._is_paused

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return what receives the events."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell `protocol` from now on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        """Return None: the socket is that of all streams."""
        return None
