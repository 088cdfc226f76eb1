"""Connections to the servers of one upstream: kept alive, reused, dialled when none is left.

A client's connection gets the one that it used last if that is idle, as if there were nobody in between, else the one
that anybody used last.

An idle connection is kept for less time than the server keeps it, because a request sent into a closing connection is
lost or, worse, delivered twice (RFC 9112 section 9.3.1). A server that refuses is left out until its prober finds it
again, and requests that can wait do so meanwhile. Start at :class:`UpstreamPool`.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from devproxy.answers import NO_CONNECTION, is_document
from devproxy.config.model import ServerAddress, Upstream
from devproxy.errors import Absence, UpstreamError, UpstreamFault
from devproxy.events import RequestsWaiting, UpstreamState
from devproxy.gateway.back.connection import UpstreamConnection
from devproxy.gateway.back.dial import Dialler
from devproxy.gateway.back.hold import LATE_DOCUMENT_S, LATE_S, SAID_AFTER_S, Prober, WaitingRoom, may_wait
from devproxy.gateway.back.one_at_a_time import OneAtATime
from devproxy.gateway.back.unknown_sessions import UnknownSessions
from devproxy.http1.refusals import spoke_first, told
from devproxy.routing.balance import Balancer, Choice, Process

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import ClientStream, Connection, Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead, ResponseHead

MAX_IDLE: Final = 1024
_LOOK_S: Final = 1.0
"""How seldom a server is looked for that has ended a connection: some do so all the time."""
_KEEP_ALIVE_MARGIN_S: Final = 1.0
"""How much sooner than the server announced (``Keep-Alive: timeout=N``) an idle connection is given up."""


class ServerPool:
    """The connections to one server.

    ``index``: its place in the configuration. ``is_up``: whether it is known to accept connections (None: not known
    yet); ``has_been_up``: whether it ever did; ``went_at``: the loop's time at which it went, None while it is up;
    ``failure``: why it does not. ``outstanding``: exchanges and tunnels that run there. ``address``: which of its
    addresses answered last. ``pool``: the upstream it belongs to.
    """

    def __init__(self, shared: SharedState, pool: UpstreamPool, server: ServerAddress, index: int) -> None:
        upstream = pool.upstream
        self._shared = shared
        self.pool = pool
        self._idle_timeout_s = upstream.idle_timeout_s
        self._dialler = Dialler(shared.loop, server, timeout_s=upstream.connect_timeout_s, verify=upstream.tls_verify)
        self._idle: dict[object, Connection] = {}
        self._logins: dict[object, Connection] = {}
        self._capacity = MAX_IDLE
        self._crowd = OneAtATime(shared.loop, self._give_way, self._keep)
        self._prober = Prober(shared.loop, self.probe, pool.is_awaited)
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
        """Return the connection that `client` used last or, where that is not idle, anybody did; None: none is good."""
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
        maybe: Connection | None = None
        for connection in reversed(self._idle.values()):
            if connection.expires_at <= self._shared.now or connection.transport.is_closing():
                continue
            there = connection.process
            if there is not None and there.root is process:
                maybe = connection
                break
            if maybe is None and (there is None or not there.is_other(process)):
                maybe = connection
        if maybe is not None:
            self.forget(maybe)
        return maybe

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
        if connection.owner is not None and not self.pool.is_retired and not self._shared.is_stopping:
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
        for pool in self._shared.pools.values():
            for other in pool.servers:
                if other.server == self.server:
                    other.close_idle()

    def _keep(self, keeps: bool) -> None:
        """Keep connections from now on, or none."""
        may = keeps and not self.pool.is_retired and not self._shared.is_stopping
        self._capacity = MAX_IDLE if may else 0

    def keep_nothing(self) -> None:
        """Keep no connection any more, and close those that are idle."""
        self._capacity = 0
        self._crowd.close()
        self.close_idle()
        for connection in list(self._logins.values()):
            connection.close()

    def forget(self, connection: Connection) -> None:
        """Drop `connection`, which has ended while it was idle; whoever was logged in on it has to know."""
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
                    raise _spoke_first(self.server.url, words)
                # A server that dies may still accept, and close before we have had our turn. Nothing has been sent.
                tried = ((address, "closed at once"),)
                raise UpstreamError(UpstreamFault.REFUSED, self.server.url, tried=tried)
            winner.address = address
        except UpstreamError as error:
            self.failure = error
            if error.fault is UpstreamFault.NO_DESCRIPTOR:
                self._shared.on_shortage()
            if error.fault in NO_CONNECTION:
                self._note_down(_reason(error))
            raise
        finally:
            # Two addresses may have answered at once, or the asking exchange has been cancelled in the last moment.
            for connection in connections:
                if connection is not winner and connection.is_open:
                    connection.close()
        self._note_up(address)
        return winner

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
        """Somebody waits for this server: look for it more often."""
        self._prober.hurry()

    def close(self) -> None:
        """End for good: close what is idle, look for the server no more."""
        self._prober.close()
        self._dialler.close()
        self.keep_nothing()

    def _note_up(self, address: str) -> None:
        if self.address not in ("", address):
            self.close_idle()  # the server has moved; who lives at its old address now is anybody's guess
        self.address = address
        was_up, self.is_up, self.has_been_up, self.went_at = self.is_up, True, True, None
        self._prober.rest()
        if not was_up:
            self._report("")
            self.pool.release_waiting()

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
        self.is_up = known.is_up or None  # that it is down is found out anew, by a prober of this pool
        self.went_at = known.went_at
        self.address = known.address

    def _report(self, detail: str) -> None:
        if self.pool.is_retired:
            return  # who reads it would take it for the server that is configured now
        is_up = bool(self.is_up)
        address = self.address if is_up else ""
        self._shared.observers.tell(UpstreamState(self.pool.upstream.name, self.server.url, is_up, address, detail))


def _spoke_first(server: str, words: bytes) -> UpstreamError:
    """Return the error of a server that is up, but speaks before it is asked: so do those of other protocols."""
    cause = spoke_first(words)
    return UpstreamError(UpstreamFault.BAD_RESPONSE, server, told(cause), cause=cause)


def _reason(error: UpstreamError) -> str:
    outcomes = list(dict.fromkeys(outcome for _, outcome in error.tried))
    return ", ".join(outcomes) or error.detail


class UpstreamPool:
    """The servers of one upstream.

    ``only``: its server, where it has no other and no sessions to keep together: there is nothing to choose.

    ``is_retired``: another pool has taken its place, and this one serves only those who have it already. `before`: the
    pool whose place this one takes, and whose knowledge of sessions and of equal servers it inherits.
    """

    __slots__ = ("_room", "_saying", "_shared", "_strays", "balancer", "is_retired", "only", "servers", "upstream")

    def __init__(self, shared: SharedState, upstream: Upstream, before: UpstreamPool | None = None) -> None:
        self._shared = shared
        self._room = WaitingRoom(shared.loop)
        self._saying: asyncio.TimerHandle | None = None
        self.upstream = upstream
        self.servers = [ServerPool(shared, self, server, index) for index, server in enumerate(upstream.servers)]
        self.balancer: Balancer = Balancer(upstream, None if before is None else before.balancer.sessions)
        self.only = self.servers[0] if len(self.servers) == 1 and not self.balancer.keeps_sessions else None
        self._strays = UnknownSessions(upstream)
        self.is_retired = False
        if before is not None:
            known = {server.server: server for server in before.servers}
            for server in self.servers:
                if server.server in known:
                    server.adopt(known[server.server])

    def choose(self, request: RequestHead) -> Choice:
        """Return which server takes `request`, and why."""
        return self.balancer.choose(request, self.servers)

    def learn_session(self, sid: bytes, connection: Connection) -> None:
        """Remember that `sid` was given out on `connection`, where nobody keeps sessions together."""
        self._strays.learn(sid, connection)

    def note_refusal(self, request: RequestHead, head: ResponseHead, body: bytes) -> None:
        """Say once where a 400 means that several processes share an address. `body`: what came with its head."""
        trouble = None if self.balancer.keeps_sessions else self._strays.meet(request, head, body)
        if trouble is not None:
            self._shared.observers.tell(trouble)

    async def open(self, first: Server, request: RequestHead, *, is_bound: bool) -> Connection:
        """Return a new connection to `first` or, unless `request` `is_bound` to it, to any other server.

        When all servers that were up refuse, a request that may wait does so until ``hold_s`` seconds after the last
        of them went. Later a document does not, since the page that it gets instead waits by itself, and any other
        request for a second at most. Cancelled while it waits, it leaves no trace. Raises :class:`UpstreamError`.
        """
        if is_bound:
            return await first.connect()
        if not may_wait(request) or not self.upstream.hold_s:
            return await self.connect(first)
        loop, hold_s = self._shared.loop, self.upstream.hold_s
        asked_at = loop.time()
        least_s = min(LATE_DOCUMENT_S if is_document(request) else LATE_S, hold_s)
        while True:
            if not self.is_away:
                try:
                    return await self.connect(first)
                except UpstreamError:
                    if not self.is_away:
                        raise
            for server in self.servers:
                server.hurry()
            until = min(max(self._went_at + hold_s, asked_at + least_s), asked_at + hold_s)
            self._say_soon()
            if not await self._room.wait(request, until):
                failures = [server.failure for server in self.servers if server.failure is not None]
                raise _joined(failures, waited_s=loop.time() - asked_at)

    @property
    def _went_at(self) -> float:
        """When the last server that was up went, in the loop's seconds; now, where one has not gone."""
        return max((one.went_at for one in self.servers if one.went_at is not None), default=self._shared.loop.time())

    def absence(self, waited_s: float, *, may_wait: bool) -> Absence | None:
        """Return since when the upstream is away, and what that means to a request; None: it was never up."""
        if not self.has_been_up:
            return None
        away_s = self._shared.loop.time() - self._went_at
        return Absence(away_s, waited_s, self.upstream.hold_s, may_wait)

    def _say_soon(self) -> None:
        """Have it said, once for each absence, that requests wait; by then it is known how many do at first."""
        if self._saying is None:
            self._saying = self._shared.loop.call_later(SAID_AFTER_S, self._say)

    def _say(self) -> None:
        waiting, left_s = self._room.waiting, self._went_at + self.upstream.hold_s - self._shared.loop.time()
        if waiting and not self._shared.is_stopping:
            first = waiting[0]
            event = RequestsWaiting(self.upstream.name, len(waiting), max(left_s, 0.0), first.method, first.target)
            self._shared.observers.tell(event)
        else:
            self._saying = None

    async def connect(self, first: Server) -> Connection:
        """Return a new connection to `first` or, where that is down, to any other server, those known to be down last.

        Raises :class:`UpstreamError`: of the only server, or with the attempts at all of them.
        """
        start = first.index
        failures: list[UpstreamError] = []
        for server in sorted(self.servers[start:] + self.servers[:start], key=lambda server: server.is_up is False):
            try:
                return await server.connect()
            except UpstreamError as error:
                failures.append(error)
        raise _joined(failures)

    @property
    def has_been_up(self) -> bool:
        """Whether any of the servers has ever accepted a connection."""
        return any(server.has_been_up for server in self.servers)

    @property
    def is_away(self) -> bool:
        """Whether the upstream was up and all of its servers refuse now."""
        return self.has_been_up and all(server.is_up is False for server in self.servers)

    def is_awaited(self) -> bool:
        """Tell whether requests wait for this upstream."""
        return bool(self._room.waiting)

    def release_waiting(self) -> None:
        """Let those go on who wait: a server is back."""
        self._room.open()
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None

    async def probe(self) -> None:
        """Find out which servers accept connections, so that the console can say so."""
        await asyncio.gather(*(server.probe() for server in self.servers))

    def close_idle(self) -> None:
        """Close all idle connections."""
        for server in self.servers:
            server.close_idle()

    def retire(self) -> None:
        """Keep no connection from now on; exchanges that run, and requests that wait, still come to their end."""
        self.is_retired = True
        self.keep_nothing()

    def keep_nothing(self) -> None:
        """Keep no connection any more."""
        for server in self.servers:
            server.keep_nothing()

    @property
    def is_used(self) -> bool:
        """Whether exchanges or tunnels run over this pool or wait for it."""
        return any(server.outstanding for server in self.servers)

    def close(self) -> None:
        """End for good: close what is idle, look for servers no more."""
        if self._saying is not None:
            self._saying.cancel()
        for server in self.servers:
            server.close()


def _joined(failures: list[UpstreamError], waited_s: float = 0.0) -> UpstreamError:
    """Return one error for `failures`, of one server each."""
    last = failures[-1]
    tried = tuple(attempt for failure in failures for attempt in failure.tried)
    servers = ", ".join(failure.server for failure in failures)
    return UpstreamError(last.fault, servers, last.detail, tried, last.cause, waited_s)
