"""The servers of one upstream: which of them gets a request, and what happens to it while none is up.

A server that refuses is left out until its prober finds it again, and requests that can wait do so meanwhile. Start at
:class:`UpstreamPool`.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from devproxy.answers import is_document
from devproxy.config.model import Scheme
from devproxy.errors import Absence, UpstreamError
from devproxy.events import RequestsWaiting, Trouble
from devproxy.gateway.back.hold import LATE_DOCUMENT_S, LATE_S, WaitingRoom, may_wait
from devproxy.gateway.back.server import ServerPool
from devproxy.gateway.back.unknown_sessions import UnknownSessions
from devproxy.routing.balance import Balancer, Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devproxy.config.model import Upstream
    from devproxy.gateway.back.tls import UpstreamTls
    from devproxy.gateway.shared.seam import Connection, Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead, ResponseHead


class UpstreamPool:
    """The servers of one upstream.

    ``only``: its server, where it has no other and no sessions to keep together: there is nothing to choose.

    `before`: the pool whose place this one takes, and whose knowledge of sessions and of equal servers it inherits.
    """

    __slots__ = ("_room", "_shared", "_strays", "balancer", "only", "servers", "upstream")

    def __init__(self, shared: SharedState, upstream: Upstream, before: UpstreamPool | None = None) -> None:
        self._shared = shared
        self._room = room = WaitingRoom(shared.loop, self._say)
        self.upstream = upstream
        tls = _tls_of(upstream, shared)
        self.servers = [
            ServerPool(shared, self, server, index, room, tls) for index, server in enumerate(upstream.servers)
        ]
        self.balancer: Balancer = Balancer(upstream, None if before is None else before.balancer.sessions)
        self.only = self.servers[0] if len(self.servers) == 1 and not self.balancer.keeps_sessions else None
        self._strays = UnknownSessions(upstream)
        if before is not None:
            known = {server.server: server for server in before.servers}
            for server in self.servers:
                if server.server in known:
                    server.adopt(known[server.server])

    def choose(self, request: RequestHead) -> Choice:
        """Return which server takes `request`, and why."""
        return self.balancer.choose(request, self.servers)

    def learn_session(self, sid: bytes, connection: Connection) -> None:
        """Remember that `sid` was given out on `connection`, if nothing keeps sessions together."""
        self._strays.learn(sid, connection)

    def note_refusal(self, request: RequestHead, head: ResponseHead, body: bytes) -> None:
        """Say once where a 400 means that several processes share an address. `body`: what came with its head."""
        trouble = None if self.balancer.keeps_sessions else self._strays.meet(request, head, body)
        if trouble is not None:
            self._shared.observers.tell(trouble)

    async def open(self, first: Server, request: RequestHead, *, is_bound: bool) -> Connection:
        """Return a new connection to `first` or, unless `request` `is_bound` to it, to any other server.

        When all servers that were up refuse, a request that may wait does so until ``hold_s`` seconds after the last
        of them went. Later a document does not, since the page that it gets instead waits on its own, and any other
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

    def _say(self, waiting: Sequence[RequestHead]) -> None:
        """Tell that requests wait. Said once for each absence, and by then it is known how many do at first."""
        if not self._shared.is_stopping:
            left_s = max(self._went_at + self.upstream.hold_s - self._shared.loop.time(), 0.0)
            first = waiting[0]
            event = RequestsWaiting(self.upstream.name, len(waiting), left_s, first.method, first.target)
            self._shared.observers.tell(event)

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

    async def probe(self) -> None:
        """Find out which servers accept connections, so that the console can say so."""
        await asyncio.gather(*(server.probe() for server in self.servers))

    def close_idle(self) -> None:
        """Close all idle connections."""
        for server in self.servers:
            server.close_idle()

    def retire(self) -> None:
        """Keep no connection from now on; exchanges that run, and requests that wait, still come to their end."""
        for server in self.servers:
            server.is_retired = True
            server.keep_nothing()

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
        self._room.close()
        for server in self.servers:
            server.close()


def _tls_of(upstream: Upstream, shared: SharedState) -> UpstreamTls | None:
    """Return what handshakes with the ``https`` servers of `upstream` are made with; None where it has none."""
    if not any(server.scheme is Scheme.HTTPS for server in upstream.servers):
        return None
    from devproxy.gateway.back.tls import UpstreamTls  # no other upstream needs it

    folder = os.path.dirname(shared.current.snapshot.config.source)

    def report(sentence: str) -> None:  # in the thread that reads files
        shared.loop.call_soon_threadsafe(shared.observers.tell, Trouble(sentence))

    return UpstreamTls(upstream, folder, report)


def _joined(failures: list[UpstreamError], waited_s: float = 0.0) -> UpstreamError:
    """Return one error for `failures`, of one server each."""
    last = failures[-1]
    tried = tuple(attempt for failure in failures for attempt in failure.tried)
    servers = ", ".join(failure.server for failure in failures)
    return UpstreamError(last.fault, servers, last.detail, tried, last.cause, waited_s, last.tls, last.proxy)
