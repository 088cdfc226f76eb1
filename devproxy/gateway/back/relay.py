"""What is between an exchange and its real connection, and relays what either says to the other.

To the exchange it is the connection, to the connection it is the exchange, so neither of them knows. Start at
:class:`Relay`; :mod:`devproxy.gateway.back.slow` and :mod:`devproxy.gateway.back.session_search` are two of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Asker, ByteStream, Loss, Server, Upstream
    from devproxy.http.messages import ResponseHead


class Relay:
    """`connection`, for `asker`. ``_is_released``: the connection is over, or serves others already."""

    __slots__ = ("_asker", "_connection", "_is_released", "client", "request")

    def __init__(self, asker: Asker, connection: Upstream) -> None:
        self._asker = asker
        self._connection = connection
        self._is_released = False
        self.client = asker.client
        self.request = asker.request

    # -- what the exchange sees of a connection --------------------------------------------------------------------

    @property
    def server_pool(self) -> Server:
        """Of the server at the other end."""
        return self._connection.server_pool

    @property
    def holds_request(self) -> bool:
        """Whether something of a request that has come is still held."""
        return False

    def pause_reading(self) -> None:
        """The client takes its response slowly."""
        if not self._is_released:
            self._connection.pause_reading()

    def resume_reading(self) -> None:
        """The client has caught up."""
        if not self._is_released:
            self._connection.resume_reading()

    def abandon(self) -> None:
        """The client has left: end the connection, unless it already serves others."""
        if not self._is_released:
            self._connection.abandon()

    # -- what the connection sees of an exchange -------------------------------------------------------------------

    @property
    def is_request_sent(self) -> bool:
        """Whether all of the request's body has come, and none of it is held back."""
        return self._asker.is_request_sent and not self.holds_request

    def interim(self, head: ResponseHead) -> None:
        """Pass on a 1xx response."""
        self._asker.interim(head)

    def upgraded(self, head: ResponseHead, glued: bytes, stream: ByteStream) -> None:
        """Pass on that the upstream has switched protocols."""
        self._asker.upgraded(head, glued, stream)

    def upstream_lost(self, loss: Loss) -> None:
        """Pass on the loss."""
        self._is_released = True
        self._asker.upstream_lost(loss)

    def pause_request(self) -> None:
        """The upstream takes the request slowly."""
        self._asker.pause_request()

    def resume_request(self) -> None:
        """The upstream has caught up."""
        self._asker.resume_request()
