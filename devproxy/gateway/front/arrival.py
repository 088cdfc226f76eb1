"""A client that has not spoken yet, at an address where both TLS and plain HTTP are spoken.

Its first byte tells them apart: a TLS record that begins a handshake starts with 22 (RFC 8446 section 5.1), and no
request does. Start at :meth:`Arrival.data_received`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from devproxy.gateway.front.client import ClientConnection
from devproxy.gateway.front.tls import TlsStream
from devproxy.plan import plan_plain_request

if TYPE_CHECKING:
    import ssl

    from devproxy.gateway.front.http2 import Http2Connection
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.plan import Plan, Snapshot

_HANDSHAKE: Final = 0x16


class PlainConnection(ClientConnection):
    """The connection of a client that could have spoken TLS, and does not."""

    __slots__ = ()

    def _plan(self, head: RequestHead, snapshot: Snapshot) -> Plan:
        return plan_plain_request(head, snapshot, self.peer)


class Arrival(asyncio.Protocol):
    """A client's connection until it is known what it speaks, and, where that is TLS, until the keys are agreed on.

    `context`: gives what a handshake is made with, by the IP address that its client has reached. ``deadline``: the
    loop's time at which :meth:`expire` is due.
    """

    __slots__ = ("_context", "_shared", "_transport", "deadline", "is_idle", "running_exchanges")

    _transport: asyncio.Transport

    def __init__(self, shared: SharedState, context: Callable[[str], ssl.SSLContext]) -> None:
        self._shared = shared
        self._context = context
        self.deadline = shared.now + shared.current.snapshot.idle_timeout_s
        self.is_idle = True
        self.running_exchanges = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new client."""
        self._transport = cast("asyncio.Transport", transport)
        self._shared.add_connection(self, self._transport)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends first, and give the connection to the protocol that understands it."""
        if data[0] != _HANDSHAKE:
            connection = PlainConnection(self._shared, "http")
            self._speak(connection, self._transport)
            connection.data_received(data)
            return
        self.is_idle = False
        self.deadline = self._shared.loop.time() + self._shared.current.snapshot.head_timeout_s
        address = self._transport.get_extra_info("sockname")[0]
        stream = TlsStream(self._transport, self._context(address), self)
        self._transport.set_protocol(stream)
        stream.data_received(data)

    def secured(self, stream: TlsStream) -> None:
        """Speak HTTP inside of `stream`, in the version that both sides agreed on (ALPN, RFC 7301)."""
        if stream.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
            from devproxy.gateway.front.http2 import Http2Connection  # what no client speaks costs nothing

            self._speak(Http2Connection(self._shared, "https"), stream)
        else:
            self._speak(ClientConnection(self._shared, "https"), stream)

    def _speak(self, connection: ClientConnection | Http2Connection, transport: asyncio.Transport) -> None:
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self._shared.remove_connection(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._shared.remove_connection(self)

    def expire(self) -> None:
        """The deadline is over: who says nothing for so long, or takes so long to agree on keys, goes."""
        self.cut()

    def close_idle(self) -> None:
        """Close the connection: nothing has been asked for."""
        self.cut()

    def cut(self) -> None:
        """Close the connection."""
        self._transport.abort()

    def tell_so_far(self, late: Observers) -> None:
        """Tell nothing: no exchange runs here."""
