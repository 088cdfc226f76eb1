"""A connection to a server by way of an HTTP proxy: CONNECT, then TLS with the server if it wants that.

Owns the moment between the connection to the proxy and that to the server. Nothing of a request is sent before the
proxy has opened the tunnel; what the server sends early is kept, and told to the protocol that takes over. Start at
:func:`open_through`.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Callable
from typing import cast

from devproxy.authority.hosts import authority
from devproxy.config.model import Proxy, ServerAddress
from devproxy.errors import BadMessage, ProxyCause, ProxyFailure
from devproxy.gateway.shared.transports import connected_to_itself
from devproxy.http1.connect import Answered, ConnectAnswer, connect_request, no_answer, refusal


class ProxyRefusedError(Exception):
    """The proxy gives no tunnel to the server."""

    def __init__(self, failure: ProxyFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


async def open_through(
    loop: asyncio.AbstractEventLoop,
    proxy: Proxy,
    address: str,
    server: ServerAddress,
    factory: Callable[[], asyncio.Protocol],
    context: ssl.SSLContext | None,
) -> asyncio.Transport:
    """Connect a protocol from `factory` to `server` by `proxy`, at its IP `address`; return the transport.

    `context`: what the handshake with the server is made with, None for no TLS. Raises OSError where the proxy cannot
    be reached or the handshake fails, :class:`ProxyRefusedError` where there is no tunnel.
    """
    between = _Between(proxy)
    made, _ = await loop.create_connection(lambda: between, address, proxy.port)
    transport = made
    try:
        if connected_to_itself(made):
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the socket connected to itself")
        made.write(connect_request(authority(server.host, server.port), proxy.credentials))
        answered = await between.answered
        if not answered.is_open:
            raise ProxyRefusedError(refusal(answered, proxy.url))
        if context is not None:
            if answered.rest:
                failure = ProxyFailure(ProxyCause.BAD_ANSWER, proxy.url, "it sent something before the handshake")
                raise ProxyRefusedError(failure)
            name = server.host.removesuffix(".")
            secure = await loop.start_tls(made, between, context, server_hostname=name)
            assert secure is not None
            transport = secure
        between.hand_over(factory(), transport, answered.rest)
        if context is None:
            made.resume_reading()
    except BaseException:
        transport.abort()
        raise
    return transport


class _Between(asyncio.Protocol):
    """Reads the proxy's answer, then keeps what comes until the protocol of the server takes over.

    ``answered``: becomes what the proxy answered.
    """

    def __init__(self, proxy: Proxy) -> None:
        self.answered: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._proxy = proxy
        self._reading = ConnectAnswer()
        self._transport: asyncio.Transport | None = None
        self._early = b""
        self._has_ended = False
        self._lost: list[Exception | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection to the proxy."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the proxy's answer; keep what the server says early."""
        if self.answered.done():
            self._early += data
            return
        assert self._transport is not None
        try:
            answered = self._reading.feed(data)
        except BadMessage as error:
            self._fail(no_answer(error, self._proxy.url))
            self._transport.abort()
            return
        if answered is not None:
            self._transport.pause_reading()  # what follows is for the one who takes over
            self.answered.set_result(answered)

    def eof_received(self) -> bool:
        """Take the end of what the other side sends."""
        self._has_ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._lost.append(exc)
        closed = ProxyFailure(ProxyCause.CLOSED, self._proxy.url, "it closed the connection without an answer")
        self._fail(closed)

    def _fail(self, failure: ProxyFailure) -> None:
        if not self.answered.done():
            self.answered.set_exception(ProxyRefusedError(failure))
            self.answered.exception()  # the one who waits may have left

    def hand_over(self, protocol: asyncio.Protocol, transport: asyncio.Transport, early: bytes) -> None:
        """Let `protocol` have `transport` from now on, and all that came on it since; `early`: came before that."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if early or self._early:
            protocol.data_received(early + self._early)
        if self._has_ended and not transport.is_closing():
            protocol.eof_received()
        for exc in self._lost:
            protocol.connection_lost(exc)
