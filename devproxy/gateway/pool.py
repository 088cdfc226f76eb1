"""Connections to the servers of one upstream: kept alive, last used first reused, dialled when none is left.

An idle connection is kept for less time than the server keeps it, because a request sent into a closing connection is
lost or, worse, delivered twice (RFC 9112 section 9.3.1). Start at :class:`UpstreamPool`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from devproxy.config.model import ServerAddress, Upstream
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import UpstreamState
from devproxy.gateway.dial import Dialler
from devproxy.gateway.upstream import UpstreamConnection

if TYPE_CHECKING:
    from devproxy.gateway.service import Service

MAX_IDLE: Final = 1024
_KEEP_ALIVE_MARGIN_S: Final = 1.0
"""How much sooner than the server announced (``Keep-Alive: timeout=N``) an idle connection is given up."""

_DOWN: Final = frozenset((UpstreamFault.REFUSED, UpstreamFault.UNREACHABLE, UpstreamFault.UNRESOLVED))


class ServerPool:
    """The connections to one server, and whether it is known to be up (None: not known yet)."""

    __slots__ = (
        "_dialler",
        "_idle",
        "_idle_timeout_s",
        "_service",
        "_upstream",
        "address",
        "is_up",
        "response_timeout_s",
        "server",
    )

    def __init__(self, service: Service, upstream: Upstream, server: ServerAddress) -> None:
        self._service = service
        self._upstream = upstream.name
        self._idle_timeout_s = upstream.idle_timeout_s
        self._dialler = Dialler(service.loop, server, timeout_s=upstream.connect_timeout_s, verify=upstream.tls_verify)
        self._idle: list[UpstreamConnection] = []
        self.response_timeout_s = upstream.response_timeout_s
        self.server = server
        self.is_up: bool | None = None
        self.address = ""

    def take_idle(self) -> UpstreamConnection | None:
        """Return the connection used last that is still good, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.expires_at > self._service.now and not connection.transport.is_closing():
                return connection
            connection.close()
        return None

    def release(self, connection: UpstreamConnection, announced_s: int | None) -> None:
        """Keep `connection` for the next request; `announced_s`: seconds that the server said it would keep it."""
        keep_s = self._idle_timeout_s
        if announced_s is not None:
            keep_s = announced_s - _KEEP_ALIVE_MARGIN_S
        if keep_s <= 0 or len(self._idle) >= MAX_IDLE or self._service.is_stopping:
            connection.close()
            return
        connection.expires_at = self._service.now + keep_s
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop `connection`, which the server closed while it was idle."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close_expired(self, now: float) -> None:
        """Close the idle connections whose time is over; `now` in the loop's seconds."""
        expired = [connection for connection in self._idle if connection.expires_at <= now]
        for connection in expired:
            self._idle.remove(connection)
            connection.close()

    def close_idle(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def connect(self) -> UpstreamConnection:
        """Return a new connection. Raises :class:`UpstreamError`."""
        connections: list[UpstreamConnection] = []

        def build() -> UpstreamConnection:
            connection = UpstreamConnection(self._service, self)
            connections.append(connection)
            return connection

        winner: UpstreamConnection | None = None
        try:
            address = await self._dialler.dial(build)
            winner = next(connection for connection in connections if connection.is_open)
        except UpstreamError as error:
            if error.fault in _DOWN:
                self._note_state(is_up=False, detail=_reason(error))
            raise
        finally:
            # Two addresses may have answered at once, or the asking exchange has been cancelled in the last moment.
            for connection in connections:
                if connection is not winner and connection.is_open:
                    connection.close()
        self._note_state(is_up=True, address=address)
        return winner

    def _note_state(self, *, is_up: bool, address: str = "", detail: str = "") -> None:
        if is_up:
            self.address = address
        if self.is_up is is_up:
            return
        self.is_up = is_up
        state = UpstreamState(self._upstream, self.server.url, is_up, address, detail)
        self._service.emit(lambda: state)


def _reason(error: UpstreamError) -> str:
    outcomes = list(dict.fromkeys(outcome for _, outcome in error.tried))
    return ", ".join(outcomes) or error.detail


class UpstreamPool:
    """The servers of one upstream. Requests take turns over the servers; one that refuses is passed over."""

    __slots__ = ("_next", "servers", "upstream")

    def __init__(self, service: Service, upstream: Upstream) -> None:
        self.upstream = upstream
        self.servers = [ServerPool(service, upstream, server) for server in upstream.servers]
        self._next = 0

    def choose(self) -> ServerPool:
        """Return the server whose turn it is."""
        servers = self.servers
        if len(servers) == 1:
            return servers[0]
        self._next = (self._next + 1) % len(servers)
        return servers[self._next]

    async def connect(self, first: ServerPool) -> UpstreamConnection:
        """Return a new connection to `first` or, where that is down, to any other server.

        Raises :class:`UpstreamError`: of the only server, or with the attempts at all of them.
        """
        start = self.servers.index(first)
        failures: list[UpstreamError] = []
        for server in self.servers[start:] + self.servers[:start]:
            try:
                return await server.connect()
            except UpstreamError as error:
                failures.append(error)
        last = failures[-1]
        if len(failures) == 1:
            raise last
        tried = tuple(attempt for failure in failures for attempt in failure.tried)
        raise UpstreamError(last.fault, ", ".join(failure.server for failure in failures), last.detail, tried)

    async def probe(self) -> None:
        """Find out which servers accept connections, so that the console can say so."""
        for server in self.servers:
            try:
                connection = await server.connect()
            except UpstreamError:
                continue
            connection.close()

    def close_expired(self, now: float) -> None:
        """Close idle connections whose time is over."""
        for server in self.servers:
            server.close_expired(now)

    def close_idle(self) -> None:
        """Close all idle connections."""
        for server in self.servers:
            server.close_idle()
