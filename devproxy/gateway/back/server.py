"""The connections to one server: kept alive, reused, dialled when none is left; and whether it is there at all.

A client's connection gets the one that it used last if that is idle, as if there were no proxy, else the one
that was used last by any client.

An idle connection is kept for less time than the server keeps it, because a request sent into a closing connection is
lost or, worse, delivered twice (RFC 9112 section 9.3.1). Start at :meth:`ServerPool.take_idle`.
"""

from __future__ import annotations

import asyncio
import math
import os
from itertools import chain
from typing import TYPE_CHECKING, Final

from devproxy.answers import NO_CONNECTION
from devproxy.config.model import Scheme
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import UpstreamState
from devproxy.gateway.back.connection import UpstreamConnection
from devproxy.gateway.back.dial import Dialler
from devproxy.gateway.back.hold import Prober, WaitingRoom
from devproxy.gateway.back.one_at_a_time import OneAtATime
from devproxy.http1.refusals import spoke_first, told

if TYPE_CHECKING:
    from devproxy.config.model import ServerAddress, Upstream
    from devproxy.errors import TlsFailure
    from devproxy.gateway.back.recorded import RecordedDialler
    from devproxy.gateway.back.tls import UpstreamTls
    from devproxy.gateway.shared.seam import ClientStream, Connection, Pool
    from devproxy.gateway.shared.state import SharedState
    from devproxy.routing.balance import Process

MAX_IDLE: Final = 1024
_TURNS_TO_END: Final = 4
"""Turns of asyncio's own loop until a connection over TLS that is closing says why."""
_LOOK_S: Final = 1.0
"""How seldom a server is looked for that has ended a connection: some do so all the time."""
_KEEP_ALIVE_MARGIN_S: Final = 1.0
"""How much sooner than the server announced (``Keep-Alive: timeout=N``) an idle connection is given up."""


def _dialler_of(
    shared: SharedState, upstream: Upstream, server: ServerAddress, tls: UpstreamTls | None
) -> Dialler | RecordedDialler:
    """Return what opens connections to `server`."""
    if server.scheme is Scheme.RECORDING:
        from devproxy.gateway.back.recorded import RecordedDialler  # few upstreams are one

        folder = os.path.dirname(shared.current.snapshot.config.source)
        return RecordedDialler(shared.loop, server, folder, shared.observers.tell)
    return Dialler(shared.loop, server, timeout_s=upstream.connect_timeout_s, tls=tls, proxy=upstream.proxy)


class ServerPool:
    """The connections to one server.

    ``index``: its place in the configuration. ``is_up``: whether it is known to accept connections (None: not known
    yet); ``has_been_up``: whether it ever did; ``went_at``: the loop's time at which it went, None while it is up;
    ``failure``: why it does not. ``outstanding``: exchanges and tunnels that run there. ``address``: which of its
    addresses answered last. ``pool``: the upstream it belongs to. ``is_retired``: another pool has taken that one's
    place. ``is_told``: observers are told whether it is up. `room`: where those wait who need the server. `tls`: what
    handshakes are made with, for an ``https`` server.
    """

    def __init__(
        self,
        shared: SharedState,
        pool: Pool,
        server: ServerAddress,
        index: int,
        room: WaitingRoom,
        tls: UpstreamTls | None,
    ) -> None:
        upstream = pool.upstream
        self._shared = shared
        self._room = room
        self.pool = pool
        self.is_retired = False
        self.is_told = True
        self._idle_timeout_s = upstream.idle_timeout_s
        self._dialler = _dialler_of(shared, upstream, server, tls)
        self._idle: dict[object, Connection] = {}
        self._logins: dict[object, Connection] = {}
        self._capacity = MAX_IDLE
        self._crowd = OneAtATime(shared.loop, self._give_way, self._keep)
        self._prober = Prober(shared.loop, self.probe, room.is_used)
        self.response_timeout_s = upstream.response_timeout_s
        self.server = server
        self.index = index
        self.is_up: bool | None = None
        self.has_been_up = False
        self.went_at: float | None = None
        self._looked_at = -math.inf
        self.failure: UpstreamError | None = None
        self.outstanding = 0
        self.address = ""

    def take_idle(self, client: ClientStream) -> Connection | None:
        """Return the connection that `client` used last or, if that is not idle, any client did; None: none is good."""
        connection = self._idle.pop(client, None)
        if connection is None or connection.expires_at <= self._shared.now or connection.transport.is_closing():
            return self._logins.pop(client, None) or self._take_any(connection)
        return connection

    def _take_any(self, useless: Connection | None) -> Connection | None:
        """Return the connection used last that is still good, or None. Those met that are not, and `useless`, end."""
        while useless is not None or self._idle:
            connection = self._idle.popitem()[1] if useless is None else useless
            useless = None
            if connection.expires_at > self._shared.now and not connection.transport.is_closing():
                return connection
            connection.close()
        return None

    def take_for(self, process: Process, client: ClientStream) -> Connection | None:
        """Return an idle connection to `process` or one that may lead there, the one used last; None: dial.

        For a request of a session that `process` gave out. What `client` used last is not kept for it any more.
        """
        own = self._idle.pop(client, None)
        if own is not None:
            own.user = own
            self._idle[own] = own
        now = self._shared.now
        good = [one for one in reversed(self._idle.values()) if one.expires_at > now and not one.transport.is_closing()]
        there = (one for one in good if one.process is not None and one.process.root is process)
        perhaps = (one for one in good if one.process is None or not one.process.is_other(process))
        found = next(chain(there, perhaps), None)
        if found is not None:
            self.forget(found)
        return found

    def release(self, connection: Connection, client: object, announced_s: int | None) -> None:
        """Keep `connection`, which `client` used, for the next request.

        `announced_s`: seconds that the server said it would keep it. What `client` is matters only to
        :meth:`take_idle`; no two connections are kept for the same one.
        """
        keep_s = self._idle_timeout_s if announced_s is None else announced_s - _KEEP_ALIVE_MARGIN_S
        idle = self._idle
        if keep_s <= 0 or connection.address != self.address or len(idle) >= self._capacity:
            if not self._may_keep(connection, keep_s):
                return
        connection.expires_at = self._shared.now + keep_s
        connection.user = client
        idle[client] = connection

    def _may_keep(self, connection: Connection, keep_s: float) -> bool:
        """Tell whether to keep `connection` after all, because who waited for its end has been served; else end it.

        One that carries a login waits for its owner alone, for as long as both ends let it.
        """
        if connection.owner is not None and not self.is_retired and not self._shared.is_stopping:
            self._logins[connection.owner] = connection
            return False
        if self._crowd.is_waiting:
            self._crowd.note(connection)
        if keep_s <= 0 or connection.address != self.address:
            connection.close()
        elif len(self._idle) >= self._capacity:
            self._crowd.give_up(connection)
        else:
            return True
        return False

    def expect(self, connection: Connection) -> None:
        """Take note that a request has been sent on `connection`, if it is a new one: its server may be busy."""
        if not connection.served:
            self._crowd.expect(connection)

    def _give_way(self) -> None:
        """Close what is idle at this server, whichever upstream names it."""
        self.close_idle()
        for pool in self._shared.current.pools.values():
            for other in pool.servers:
                if other.server == self.server:
                    other.close_idle()

    def _keep(self, keeps: bool) -> None:
        """Keep connections from now on, or none."""
        may = keeps and not self.is_retired and not self._shared.is_stopping
        self._capacity = MAX_IDLE if may else 0

    def keep_nothing(self) -> None:
        """Keep no connection any more, and close those that are idle."""
        self._capacity = 0
        self._crowd.close()
        self.close_idle()
        for connection in list(self._logins.values()):
            connection.close()

    def forget(self, connection: Connection) -> None:
        """Drop `connection`, which has ended while it was idle; the client that was logged in on it has to know."""
        if connection.owner is not None:
            self._logins.pop(connection.owner, None)
            connection.owner.lose_login(connection)
        elif self._idle.get(connection.user) is connection:
            del self._idle[connection.user]

    def close_expired(self, now: float) -> None:
        """Close the idle connections whose time is over; `now` in the loop's seconds."""
        for connection in [connection for connection in self._idle.values() if connection.expires_at <= now]:
            self.forget(connection)
            connection.close()

    @property
    def idle_count(self) -> int:
        """How many connections are kept for the next request."""
        return len(self._idle) + len(self._logins)

    def close_idle(self) -> None:
        """Close all idle connections but those that carry a login."""
        while self._idle:
            self._idle.popitem()[1].close()

    async def connect(self) -> UpstreamConnection:
        """Return a new connection. Raises :class:`UpstreamError`."""
        connections: list[UpstreamConnection] = []

        def build() -> UpstreamConnection:
            connection = UpstreamConnection(self._shared, self)
            connections.append(connection)
            return connection

        winner: UpstreamConnection | None = None
        try:
            address = await self._dialler.dial(build)
            winner = next((connection for connection in connections if connection.is_open), None)
            if winner is None:
                words = next((connection.early_words for connection in connections if connection.early_words), b"")
                if words:
                    self._note_up(address)
                    cause = spoke_first(
                        words
                    )  # it is up, but speaks before it is asked, as those of other protocols do
                    raise UpstreamError(UpstreamFault.BAD_RESPONSE, self.server.url, told(cause), cause=cause)
                failure = await self._why_refused(connections)
                if failure is not None:
                    tried = ((address, failure.reason),)
                    raise UpstreamError(UpstreamFault.TLS, self.server.url, failure.reason, tried, tls=failure)
                # A server that dies may still accept, and close before we have had our turn. Nothing has been sent.
                tried = ((address, "closed at once"),)
                raise UpstreamError(UpstreamFault.REFUSED, self.server.url, tried=tried)
            winner.address = address
        except UpstreamError as error:
            self.failure = error
            if error.fault is UpstreamFault.NO_DESCRIPTOR:
                self._shared.on_shortage()
            if error.fault in NO_CONNECTION:
                self._note_down(", ".join(dict.fromkeys(outcome for _, outcome in error.tried)) or error.detail)
            raise
        finally:
            # Two addresses may have answered at once, or the asking exchange has been cancelled in the last moment.
            for connection in connections:
                if connection is not winner and connection.is_open:
                    connection.close()
        self._note_up(address)
        return winner

    async def _why_refused(self, connections: list[UpstreamConnection]) -> TlsFailure | None:
        """Return what TLS has to do with the end of `connections`, which ended at once; None: nothing."""
        if self.server.scheme is not Scheme.HTTPS:
            return None
        for _ in range(_TURNS_TO_END):
            failure = next((one.tls_failure for one in connections if one.tls_failure is not None), None)
            if failure is not None:
                return failure
            await asyncio.sleep(0)
        return None

    async def probe(self) -> bool:
        """Find out whether the server accepts connections."""
        try:
            connection = await self.connect()
        except UpstreamError:
            return False
        connection.close()
        return True

    def end_one(self, is_ended_there: bool) -> None:
        """One tunnel less runs there; `is_ended_there`: because the server has ended it."""
        self.outstanding -= 1
        if is_ended_there:
            self.look_soon()

    def look_soon(self) -> None:
        """A connection has ended that was to stay: find out, at most once a second, whether the server has gone."""
        now = self._shared.loop.time()
        if self.is_up and now - self._looked_at >= _LOOK_S and not self._shared.is_stopping:
            self._looked_at = now
            self._prober.start()

    def hurry(self) -> None:
        """A request waits for this server: try it more often."""
        self._prober.hurry()

    def close(self) -> None:
        """End for good: close what is idle, look for the server no more."""
        self._prober.close()
        self._dialler.close()
        self.keep_nothing()

    def _note_up(self, address: str) -> None:
        if self.address not in ("", address):
            self.close_idle()  # the server has moved; something else may be listening on the old address by now
        self.address = address
        was_up, self.is_up, self.has_been_up, self.went_at = self.is_up, True, True, None
        self._prober.rest()
        if not was_up:
            self._report("")
            self._room.open()

    def _note_down(self, detail: str) -> None:
        was_up, self.is_up = self.is_up, False
        if self.has_been_up and self.went_at is None:
            self.went_at = self._shared.loop.time()
        self._prober.start()
        if was_up is not False:
            self.close_idle()
            self._crowd.forget()
            self._report(detail)

    def adopt(self, known: ServerPool) -> None:
        """Take over what the pool before this one knew of the same server: what has been said is not said again."""
        self.has_been_up = known.has_been_up
        self.is_up = known.is_up or None  # that it is down is found out again, by a prober of this pool
        self.went_at = known.went_at
        self.address = known.address

    def _report(self, detail: str) -> None:
        if self.is_retired or not self.is_told:
            return  # a reader would take it for the server that is configured now
        is_up = bool(self.is_up)
        address = self.address if is_up else ""
        self._shared.observers.tell(UpstreamState(self.pool.upstream.name, self.server.url, is_up, address, detail))
