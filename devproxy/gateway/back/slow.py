"""An upstream connection that is slow on purpose: it lets the bodies through at the rate of the route's fault.

Heads are not counted. Neither the exchange nor the connection knows of rates, and routes without one pay nothing. Start
at :class:`SlowUpstream`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from devproxy.gateway.back.relay import Relay
from devproxy.gateway.shared.throttle import Clock, Throttle

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Asker, ByteStream, Loss, Upstream
    from devproxy.http.messages import ResponseHead


class SlowUpstream(Relay):
    """`connection`, for `asker`, at no more than `bytes_per_s` in each direction.

    `on_sent` is called when all of the request is out.
    """

    __slots__ = ("_down", "_is_over", "_on_sent", "_up")

    def __init__(
        self, loop: Clock, asker: Asker, connection: Upstream, bytes_per_s: float, on_sent: Callable[[], None]
    ) -> None:
        super().__init__(asker, connection)
        self._on_sent = on_sent
        self._is_over = False
        self._up = Throttle(
            loop, bytes_per_s, self._send_up, pause_source=asker.pause_request, resume_source=asker.resume_request
        )
        self._down = Throttle(
            loop,
            bytes_per_s,
            partial(asker.response_data, ended=False),
            pause_source=super().pause_reading,
            resume_source=super().resume_reading,
        )

    # -- what the exchange sees of a connection --------------------------------------------------------------------

    @property
    def holds_request(self) -> bool:
        """Whether something of a request that has come is still held: the connection must not serve others before."""
        return self._up.held_bytes > 0

    def begin(self, asker: Asker, data: bytes) -> None:
        """Send the request head in `data`, and what there is of its body as it may; for the `asker` of this."""
        assert asker is self._asker
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
        """The client has left: drop what is held."""
        self._stop()
        super().abandon()

    # -- what the connection sees of an exchange -------------------------------------------------------------------

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Pass on the head at once, and the body as it may."""
        self._is_released = ended
        self._asker.response(head, body_length, b"", ended and not payload)
        if payload:
            self.response_data(payload, ended)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Take a further piece of the response's body; `ended`: nothing follows."""
        if self._is_over:
            return  # the head was enough: the exchange has answered itself
        if ended:
            super().resume_reading()
            self._is_released = True
        if data:
            self._down.feed(data)
        if ended:
            self._down.end(partial(self._asker.response_data, b"", ended=True))

    def upgraded(self, head: ResponseHead, glued: bytes, stream: ByteStream) -> None:
        """Pass on that the upstream has switched protocols, to a tunnel that has throttles of its own."""
        if rest := self._up.take_held():
            self._connection.send(rest)
        self._stop()
        super().upgraded(head, glued, stream)

    def upstream_lost(self, loss: Loss) -> None:
        """Pass on the loss, after what came before it."""
        self._is_released = True
        self._up.stop()
        self._down.end(partial(self._asker.upstream_lost, loss))

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

    def _stop(self) -> None:
        self._is_over = True
        self._up.stop()
        self._down.stop()
