"""An upstream connection that is slow on purpose: it stands between an exchange and its real connection.

To the exchange it is the connection, to the connection it is the exchange, and it lets the bodies through at the rate
of the route's fault; heads are not counted. So neither of them knows of rates, and routes without one pay nothing.
Start at :class:`SlowUpstream`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from devproxy.gateway.shared.throttle import Throttle

if TYPE_CHECKING:
    import asyncio

    from devproxy.gateway.shared.seam import Asker, Loss, Server, Upstream
    from devproxy.http.messages import RequestHead, ResponseHead


class SlowUpstream:
    """`connection`, for `exchange`, at no more than `bytes_per_s` in each direction.

    `on_sent` is called when all of the request is out.
    """

    __slots__ = (
        "_connection",
        "_down",
        "_exchange",
        "_is_over",
        "_is_released",
        "_on_sent",
        "_up",
        "client",
        "decodes_chunks",
        "request",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        exchange: Asker,
        connection: Upstream,
        bytes_per_s: float,
        on_sent: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._connection = connection
        self._on_sent = on_sent
        self._is_over = False
        self._is_released = False
        self.client = exchange.client
        self.request: RequestHead = exchange.request
        self.decodes_chunks = exchange.decodes_chunks
        self._up = Throttle(
            loop,
            bytes_per_s,
            self._send_up,
            pause_source=exchange.pause_request,
            resume_source=exchange.resume_request,
        )
        self._down = Throttle(
            loop,
            bytes_per_s,
            partial(exchange.response_data, ended=False),
            pause_source=self._pause_connection,
            resume_source=self._resume_connection,
        )

    # -- what the exchange sees of a connection --------------------------------------------------------------------

    @property
    def server_pool(self) -> Server:
        """Of the server at the other end."""
        return self._connection.server_pool

    @property
    def holds_request(self) -> bool:
        """Whether something of a request that has come is still held."""
        return self._up.held_bytes > 0

    def begin(self, exchange: Asker, data: bytes) -> None:
        """Send the request head in `data`, and what there is of its body as it may; for the `exchange` of this."""
        assert exchange is self._exchange
        head, blank, body = data.partition(b"\r\n\r\n")
        self._connection.begin(self, head + blank)
        if body:
            self._up.feed(body)

    def send(self, data: bytes) -> None:
        """Take a further piece of the request's body."""
        self._up.feed(data)

    def pause_reading(self) -> None:
        """The client takes its response slowly."""
        self._down.pause()

    def resume_reading(self) -> None:
        """The client has caught up."""
        self._down.resume()

    def abandon(self) -> None:
        """Whoever asked has left: drop what is held; end the connection, unless it serves others already."""
        self._stop()
        if not self._is_released:
            self._connection.abandon()

    # -- what the connection sees of an exchange -------------------------------------------------------------------

    @property
    def is_request_sent(self) -> bool:
        """Whether all of the request's body has been sent: the connection must not serve others before."""
        return self._exchange.is_request_sent and not self._up.held_bytes

    def interim(self, head: ResponseHead) -> None:
        """Pass on a 1xx response."""
        self._exchange.interim(head)

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Pass on the head at once, and the body as it may."""
        self._is_released = ended
        if not payload:
            self._exchange.response(head, body_length, payload, ended)
            return
        self._exchange.response(head, body_length, b"", False)
        self.response_data(payload, ended)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Take a further piece of the response's body; `ended`: nothing follows."""
        if self._is_over:
            return  # the head was enough: the exchange has answered by itself
        if ended:
            self._resume_connection()
            self._is_released = True
        if data:
            self._down.feed(data)
        if ended:
            self._down.end(partial(self._exchange.response_data, b"", ended=True))

    def upgraded(self, head: ResponseHead, glued: bytes, transport: asyncio.Transport) -> None:
        """Pass on that the upstream has switched protocols, to a tunnel that has throttles of its own."""
        if rest := self._up.take_held():
            self._connection.send(rest)
        self._stop()
        self._exchange.upgraded(head, glued, transport)

    def upstream_lost(self, loss: Loss) -> None:
        """Pass on the loss, behind what came before it."""
        self._is_released = True
        self._up.stop()
        self._down.end(partial(self._exchange.upstream_lost, loss))

    def pause_request(self) -> None:
        """The upstream takes the request slowly."""
        self._up.pause()

    def resume_request(self) -> None:
        """The upstream has caught up."""
        self._up.resume()

    def _send_up(self, data: bytes) -> None:
        self._connection.send(data)
        if self.is_request_sent:
            self._on_sent()

    def _pause_connection(self) -> None:
        if not self._is_released:
            self._connection.pause_reading()

    def _resume_connection(self) -> None:
        if not self._is_released:
            self._connection.resume_reading()

    def _stop(self) -> None:
        self._is_over = True
        self._up.stop()
        self._down.stop()
