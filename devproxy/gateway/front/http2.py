"""One connection of a client that speaks HTTP/2: its streams run side by side, each with an exchange or a tunnel.

The protocol itself is :mod:`devproxy.http2`, which does no I/O. What is written in one turn of the loop is sent at
once: as one record of TLS it costs a fraction of many. Start at :meth:`Http2Connection.data_received`.
"""

from __future__ import annotations

import asyncio
import math
import os
from base64 import b64encode
from typing import TYPE_CHECKING, Final, cast

from devproxy import answers
from devproxy.errors import BadMessage
from devproxy.events import Trouble
from devproxy.gateway.exchanges.malformed import refuse
from devproxy.gateway.exchanges.watched import answering_for, watch
from devproxy.gateway.front.http2_streams import RequestStream
from devproxy.gateway.front.states import LINGER_S, MAX_LINGER_BYTES
from devproxy.gateway.shared.peer_state import peer_state_of
from devproxy.gateway.shared.pressure import LARGE_BYTES, Reader
from devproxy.gateway.shared.transports import end_writing, peer_name, reset, set_limits
from devproxy.http1.head import parse_request_head, recall_request_head
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import (
    ConnectionFailed,
    DataReceived,
    DataSent,
    GoingAway,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
    TrailersReceived,
)
from devproxy.http2.frames import ErrorCode
from devproxy.http2.heads import key_in
from devproxy.plan import plan_request
from devproxy.platforms.sockets import PeerState

if TYPE_CHECKING:
    from devproxy.gateway.front.http2_streams import Stream
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import ClientConnection
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.http2.events import Event

OFFERS_WEBSOCKETS: Final = True
"""Whether WebSockets run over HTTP/2 (RFC 8441); browsers open them by HTTP/1.1 where they do not.

A stream costs a third of a connection with a handshake of its own to open and a fifth of the memory, and its messages
cost about the same (docs/https.md). Some clients (undici before 2026-04) fail where it is not offered."""
GOAWAY_GRACE_S: Final = 0.1
"""How long requests are still taken that were under way when the client was told that the connection ends."""
_NEVER: Final = math.inf
_VERSION: Final = b"2.0"


class Http2Connection(Reader):
    """A protocol towards a client. ``deadline``: the loop's time at which :meth:`expire` is due.

    ``http2``: what speaks the protocol. ``is_congested``: the client takes nothing for now, so nothing is read from it
    either: what it asks for must not pile up.
    """

    __slots__ = (
        "_is_flushing",
        "_is_last",
        "_is_lingering",
        "_lingered",
        "_streams",
        "deadline",
        "http2",
        "is_congested",
        "peer",
        "shared",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, shared: SharedState, scheme: str) -> None:
        self.shared = shared
        self.http2 = ServerConnection(shared.current.snapshot.limits, offers_protocols=OFFERS_WEBSOCKETS)
        self.peer = shared.peer_at("", scheme, _VERSION)
        self.is_congested = False
        self.deadline = _NEVER
        self._streams: dict[int, Stream] = {}
        self._is_flushing = False
        self._is_last = False
        self._is_lingering = False
        self._lingered = 0

    # -- the transport's side ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new client."""
        self.transport = cast("asyncio.Transport", transport)
        set_limits(self.transport)
        self.peer = self.shared.peer_at(peer_name(self.transport), self.peer.scheme, _VERSION)
        self.shared.pressure.admit(self.transport)
        self.shared.add_connection(self, self.transport)
        self.flush_soon()
        if self.shared.is_stopping:
            self.close_idle()

    def take_from(self, other: ClientConnection, transport: asyncio.Transport, octets: bytes) -> None:
        """Take over `transport` from `other`, whose client speaks HTTP/2 without having asked: `octets` have come."""
        self.shared.pressure.hand_over(transport, self)
        self.shared.remove_connection(other)
        self.connection_made(transport)
        self.data_received(octets)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent: frames, which may end anywhere."""
        if self._is_lingering:
            self._discard(data)
            return
        if len(data) > LARGE_BYTES:
            self.shared.pressure.take_turn(self.transport, len(data))
        for event in self.http2.receive(data):
            if isinstance(event, RequestReceived):
                self._begin(event)
            else:
                self._take(event)
        self.flush_soon()

    def eof_received(self) -> bool:
        """Take the end of what the client sends: it has left. HTTP/2 is not half-closed."""
        self._lose_all(None)
        self._flush()
        self.transport.close()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._lose_all(exc)
        self.shared.remove_connection(self)
        self.shared.held_back.discard(self)
        self.shared.pressure.dismiss(self.transport)

    def pause_writing(self) -> None:
        """Read neither from the upstreams nor from the client: it takes nothing."""
        self.is_congested = True
        self.shared.pressure.fall_behind(self.transport)
        self.shared.held_back.add(self)
        for stream in self._streams.values():
            stream.hold()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again, except for streams whose own windows are full."""
        self.is_congested = False
        self.shared.pressure.catch_up(self.transport)
        self.shared.held_back.discard(self)
        self.read_on()
        for stream in list(self._streams.values()):
            stream.go_on()

    def read_on(self) -> None:
        """Read on, unless the client takes nothing: others have had their turn."""
        if not self.is_congested and not self.transport.is_closing():
            self.transport.resume_reading()

    def look(self) -> None:
        """Find out whether the client has reset the connection while it is held back."""
        if peer_state_of(self.transport) is PeerState.GONE:
            self.transport.abort()

    # -- what comes --------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.data_received(event.data, event.has_ended)
        elif isinstance(event, DataSent):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.go_on()
        elif isinstance(event, TrailersReceived):
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.trailers_received(event.lines)
        elif isinstance(event, StreamReset):
            if event.fault and event.code != ErrorCode.REFUSED_STREAM:
                self._tell_of(f"has made a request that was refused: {event.fault}", event.code)
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.lost(ConnectionResetError())
        elif isinstance(event, RequestTooLarge):
            reason = "the head is larger than `max_head_bytes` or `max_fields` allow"
            fault = BadMessage(reason, status=431, source="RFC 6585 section 5")
            self._refuse(self._open(event.stream_id, event.has_ended), fault, event.block + b"\r\n\r\n")
        elif isinstance(event, GoingAway):
            self._is_last = True
            self._leave_if_done()
        elif isinstance(event, ConnectionFailed):  # GOAWAY says what the client did wrong
            self._tell_of(f"broke a rule of HTTP/2, and its connection ends: {event.reason}", event.code)
            self._is_last = True
            self._lose_all(None)
            self._leave_if_done()

    def _tell_of(self, what: str, code: int) -> None:
        """Tell the person what the client did, for each code of an error no more than once a minute."""
        name = ErrorCode(code).name
        if self.shared.untold(_VERSION.decode(), (name,)):
            self.shared.observers.tell(Trouble(f"a client at {self.peer.address} {what}, {name}"))

    def _open(self, stream_id: int, is_complete: bool, key: bytes = b"") -> RequestStream:
        stream = self._streams[stream_id] = RequestStream(self, stream_id, is_complete, key)
        self.deadline = _NEVER
        return stream

    def _open_handshake(self, event: RequestReceived) -> tuple[bytes, RequestStream]:
        """Open the stream of a request that asks for a WebSocket; return its head with a key, and the stream."""
        key = key_in(event.block)
        if key:
            stream = self._open(event.stream_id, event.has_ended, key)
            stream.wants_accept = True
            return event.block, stream
        key = b64encode(os.urandom(16))
        stream = self._open(event.stream_id, event.has_ended, key)
        return event.block + b"\r\nsec-websocket-key: " + key, stream

    def _begin(self, event: RequestReceived) -> None:
        """Begin to answer a request."""
        if event.protocol:
            block, stream = self._open_handshake(event)
        else:
            block, stream = event.block, self._open(event.stream_id, event.has_ended)
        snapshot = self.shared.current.snapshot
        octets = block + b"\r\n\r\n"
        try:
            if event.protocol and event.protocol.lower() != b"websocket":
                raise BadMessage("only WebSockets are opened by CONNECT", status=501, source="RFC 8441 section 4")
            recalled = recall_request_head(octets, snapshot.limits)
            head = parse_request_head(block, snapshot.limits) if recalled is None else recalled[0]
        except BadMessage as error:
            self._refuse(stream, error, octets)
            return
        if head.facts.logs_in:  # it would log in the connection, which all requests share
            stream.demand_http1()
            return
        stream.start(answering_for(self.shared, stream, head, plan_request(head, snapshot)))

    def _refuse(self, stream: RequestStream, error: BadMessage, octets: bytes, head: RequestHead | None = None) -> None:
        stream.answer(refuse(self.shared, self.peer, answers.bad_message(error), error.reason, octets, head))

    def _discard(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > MAX_LINGER_BYTES:
            self.transport.abort()

    # -- the streams' side -------------------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Have what was written sent at the end of this turn of the loop, in one piece."""
        if not self._is_flushing:
            self._is_flushing = True
            self.shared.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        octets = self.http2.take()
        if octets and not self.transport.is_closing() and not self._is_lingering:
            self.transport.write(octets)

    def replace(self, stream_id: int, stream: Stream) -> None:
        """Let `stream` take what comes from now on."""
        self._streams[stream_id] = stream

    def forget(self, stream_id: int) -> None:
        """A stream is over."""
        streams = self._streams
        if streams.pop(stream_id, None) is not None and not streams:
            self.deadline = self.shared.now + self.shared.current.snapshot.idle_timeout_s
            self._leave_if_done()

    def _lose_all(self, exc: Exception | None) -> None:
        for stream in list(self._streams.values()):
            stream.lost(exc)

    # -- endings -------------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether there is no stream: closing the connection now costs its client nothing."""
        return not self._streams

    @property
    def running_exchanges(self) -> int:
        """How many exchanges run on this connection; tunnels are counted elsewhere."""
        return sum(stream.is_request for stream in self._streams.values())

    def tell_so_far(self, late: Observers) -> None:
        """Tell the `late` observers of the requests that run, and of what happens to them."""
        for stream in list(self._streams.values()):
            if isinstance(stream, RequestStream):
                watch(stream.exchange, late)

    def close_idle(self) -> None:
        """Close the connection, with the last of the answers if exchanges run on it; for stopping (RFC 9113, 6.8)."""
        if self._is_last:
            return
        if self._streams:
            self.http2.go_away(takes_more=True)
            self.flush_soon()
            self.shared.loop.call_later(GOAWAY_GRACE_S, self._take_no_more)
        else:
            self._take_no_more()

    def _take_no_more(self) -> None:
        if not self._is_last and not self.transport.is_closing():
            self._is_last = True
            self.http2.go_away(takes_more=False)
            self.flush_soon()
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        """End our side once nothing is left to be answered, and read on for a moment, so that a reset can't destroy
        what is on its way to the client."""
        if not self._is_last or self._streams or self._is_lingering or self.transport.is_closing():
            return
        self._flush()
        self._is_lingering = True
        self.deadline = self.shared.now + LINGER_S
        if not end_writing(self.transport):
            self.transport.close()

    def expire(self) -> None:
        """The deadline is over: an idle connection or a lingering one closes."""
        if self._is_lingering:
            self.transport.close()
        else:
            self.deadline = _NEVER
            self._take_no_more()

    def cut(self) -> None:
        """Close the connection whatever runs on it."""
        is_cut_short = self.running_exchanges > 0
        for stream in list(self._streams.values()):
            if isinstance(stream, RequestStream):
                stream.stop()
        if is_cut_short:
            reset(self.transport)
        else:
            self.transport.abort()
