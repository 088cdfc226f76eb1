"""An exchange that has no connection yet: held back on purpose, being dialled for, or waiting for a server.

Owns what the client sends of its body meanwhile, and how the waiting is ended. Most exchanges take an idle connection
and never have one of these. Start at :meth:`PendingConnection.dial`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from devproxy.errors import UpstreamError
from devproxy.gateway.shared.seam import Asker

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Connection, Server

MAX_PENDING_BYTES: Final = 16 * 1024
"""Bytes of a request's body that are read before there is a connection to send them on."""


class Waiting(Asker, Protocol):
    """A request that waits for a connection. ``is_bound``: no other server than the one asked for can answer."""

    @property
    def is_bound(self) -> bool:
        """Whether no other server than the one asked for can answer."""

    def take_idle(self, server: Server) -> Connection | None:
        """Return an idle connection to `server` that will do, or None."""

    def use(self, connection: Connection, server: Server, body: bytes) -> None:
        """Send on `connection`, which may lead to another server than `server`."""

    def not_connected(self, error: UpstreamError) -> None:
        """There is no connection, and nothing has been sent."""


@dataclass(eq=False, repr=False)
class PendingConnection:
    """What `exchange` waits for before its request can leave. ."""

    _loop: asyncio.AbstractEventLoop
    _exchange: Waiting
    _body: bytearray
    _waits_for: asyncio.Task[None] | asyncio.TimerHandle | None = None

    def dial(self, server: Server) -> None:
        """Open a connection to `server` or, where the exchange is not bound to it, to another one of its upstream."""
        self._waits_for = self._loop.create_task(self._connect(server))

    def set_out(self, server: Server, delay_s: float = 0.0) -> None:
        """Take an idle connection to `server`, or dial; after `delay_s` seconds, on purpose."""
        if delay_s:
            self._waits_for = self._loop.call_later(delay_s, self.set_out, server)
            return
        connection = self._exchange.take_idle(server)
        if connection is None:
            self.dial(server)
        else:
            self._exchange.use(connection, server, bytes(self._body))

    def keep(self, data: bytes) -> None:
        """Keep a further piece of the request's body; more than a little waits in the kernel."""
        self._body += data
        if len(self._body) > MAX_PENDING_BYTES:
            self._exchange.pause_request()

    def cancel(self) -> None:
        """Stop waiting: the connection is not needed."""
        if self._waits_for is not None:
            self._waits_for.cancel()

    async def _connect(self, server: Server) -> None:
        exchange = self._exchange
        try:
            connection = await server.pool.open(server, exchange.request, is_bound=exchange.is_bound)
        except UpstreamError as error:
            exchange.not_connected(error)
            return
        exchange.use(connection, server, bytes(self._body))
