"""The gateway's life: take listening sockets, serve, change the configuration while serving, drain, stop.

    gateway = Gateway(config, bind(config.server.listen))
    gateway.observe(Observer(print))
    await gateway.start()
    await gateway.apply(another_config)
    await gateway.stop()

Owns which configuration holds, the sweep that enforces time-outs, and nothing of what a connection does. What a
configuration keeps of the one before is decided in :mod:`devproxy.gateway.reload`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from devproxy.config.diff import diff
from devproxy.config.model import Config, Sticky
from devproxy.errors import BadMessage, BindError, CertificateProblem
from devproxy.events import ConfigApplied, Event, Observer, Stopped, Stopping, Trouble
from devproxy.gateway.back.pool import UpstreamPool
from devproxy.gateway.front.client import ClientConnection
from devproxy.gateway.front.descriptors import DescriptorGuard
from devproxy.gateway.front.listeners import Listeners
from devproxy.gateway.reload import route_targets, unchanged_upstreams
from devproxy.gateway.shared.observers import Observation, Observers
from devproxy.gateway.shared.state import SWEEP_INTERVAL_S, Current, SharedState
from devproxy.http1.head import parse_request_head
from devproxy.plan import PAGES_UPSTREAM, PagesServer, Snapshot, compile_snapshot, pages_upstream
from devproxy.routing.table import label

if TYPE_CHECKING:
    from devproxy.gateway.front.handshakes import Handshakes
    from devproxy.gateway.shared.capture import Budget

SETTLE_LEAST_TURNS: Final = 8
"""Turns of the loop that what has been cancelled or closed takes to end: a task that waits for tasks that wait."""
SETTLE_TURNS: Final = 100


class ServerState(NamedTuple):
    """How a server is. ``is_up``: None: not known yet. ``address``: which of its addresses answered last, or empty.

    ``running``: exchanges and tunnels there; ``idle``: connections kept for the next one. ``sessions``: that its
    upstream keeps with their servers.
    """

    upstream: str
    sticky: Sticky
    url: str
    is_up: bool | None
    address: str
    running: int
    idle: int
    sessions: int


class Gateway:
    """One running devproxy. Takes over `sockets` (see :func:`devproxy.gateway.front.bind.bind`).

    `pages`: the server of devproxy's own pages, if there is one: what is asked for below ``/__devproxy/`` goes there.
    Raises :class:`CertificateProblem` where TLS is asked for and there is no certificate.
    """

    def __init__(self, config: Config, sockets: Sequence[socket.socket], *, pages: PagesServer | None = None) -> None:
        self._config = config
        self._page_server = pages
        self._instance = os.urandom(4).hex()
        self._listeners = Listeners(config.server.listen, sockets, self._connection, self._on_shortage, self._is_short)
        self._observers = Observers()
        self._handshakes = self._handshakes_for(config)
        self._shared: SharedState | None = None
        self._intake: DescriptorGuard | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._probes: set[asyncio.Task[None]] = set()
        self._pools: dict[str, UpstreamPool] = {}
        self._retired: list[UpstreamPool] = []

    @property
    def urls(self) -> tuple[str, ...]:
        """A URL for each way in: ``localhost`` means the loopback addresses that share a port."""
        return self._listeners.urls("http" if self._handshakes is None else "https")

    def observe(self, observer: Observer) -> Observation:
        """Tell `observer` what happens, until what is returned is closed; in the loop's thread.

        Before this returns, it receives the exchanges and tunnels that run, as if it had been there since they began.
        """
        observation = self._observers.add(observer)
        self._tell_late(Observers(observation))
        return observation

    def _tell_late(self, late: Observers) -> None:
        if self._shared is not None:
            for connection in list(self._shared.connections):
                connection.tell_so_far(late)
            for tunnel in list(self._shared.tunnels):
                tunnel.tell_so_far(late)

    def capture(self, budget: Budget | None) -> None:
        """Have every exchange keep what it is made of, as far as `budget` lets it; None: no more; in the loop's thread.

        What it kept is in its :class:`~devproxy.events.Entry`. Those that run begin to keep what is still to come.
        """
        self._observers.capture(budget)
        if budget is not None:
            self._tell_late(Observers(budget=budget))

    def tell_running(self, observer: Observer) -> None:
        """Tell `observer` once what runs now, as if it had been there since that began."""
        self._tell_late(Observers(Observation(self._observers, observer)))

    def tell(self, event: Event) -> None:
        """Tell all observers of trouble, or of a file, that has to do with no exchange; in the loop's thread."""
        self._observers.tell(event)

    async def start(self) -> None:
        """Begin to accept clients, then look which upstreams are up."""
        loop = asyncio.get_running_loop()
        shared = self._shared = SharedState(
            loop,
            self._compile(self._config, self._listeners.addresses()),
            self._observers,
        )
        self._pools = {upstream.name: UpstreamPool(shared, upstream) for upstream in self._config.upstreams}
        asked = list(self._pools.values())
        if self._page_server is not None:
            self._pools[PAGES_UPSTREAM] = own = UpstreamPool(shared, pages_upstream(self._page_server))
            own.servers[0].is_told = False
        shared.current = Current(shared.current.snapshot, self._pools)
        self._intake = DescriptorGuard(shared, self._listeners)
        await self._listeners.open()
        self._sweep()
        self._probe(asked)

    async def apply(self, config: Config, *, is_strict: bool = False, cause: str = "") -> ConfigApplied | None:
        """Serve by `config` from now on; what runs ends as it began. Not to be called again before it has returned.

        `cause`: why, where that is not that a file says something else.

        An address that cannot be listened on leaves all those that were: that is reported as :class:`Trouble`, and the
        rest of `config` holds; likewise with certificates. With `is_strict` nothing of `config` holds then, and this
        raises :class:`BindError` or :class:`CertificateProblem`. Reports :class:`ConfigApplied`, and returns it. Does
        nothing once the gateway stops, and returns None.
        """
        shared = self._shared
        assert shared is not None
        urls = self.urls
        try:
            await self._listeners.add(config.server.listen)
        except BindError as error:
            if is_strict:
                raise
            kept = self._config.server.listen
            self._observers.tell(_not_bound(error, urls))
            config = replace(config, server=replace(config.server, listen=kept))
        try:
            config, handshakes, snapshot = await self._prepared(config, is_strict=is_strict)
        except BaseException:  # cancelled, or strict
            self._listeners.release(self._config.server.listen)
            raise
        if shared.is_stopping:  # every listener has been closed
            return None
        departing = self._swap(shared, snapshot)
        self._handshakes = handshakes
        await self._listeners.open()
        self._listeners.release(config.server.listen)
        old, self._config = self._config, config
        applied = ConfigApplied(
            source=config.source,
            changes=diff(old, config),
            departing_tunnels=departing,
            drain_s=config.server.drain_s,
            urls=self.urls if self.urls != urls else (),
            routes=tuple(label(route) for route in config.routes),
            upstreams=tuple(upstream.name for upstream in config.upstreams),
            cause=cause,
        )
        self._observers.tell(applied)
        return applied

    async def _prepared(self, config: Config, *, is_strict: bool) -> tuple[Config, Handshakes | None, Snapshot]:
        """Return what holds of `config`, with what handshakes are made with and what exchanges begin under."""
        handshakes = self._handshakes
        try:
            handshakes = await asyncio.to_thread(self._handshakes_for, config)
        except CertificateProblem as problem:
            if is_strict:
                raise
            self._observers.tell(Trouble(f"{problem.what}; `tls` stays as it was", problem.help))
            config = replace(config, server=replace(config.server, tls=self._config.server.tls))
        # Not those that are about to be released: the guard must not depend on what was listened on before.
        bound = self._listeners.addresses(config.server.listen)
        return config, handshakes, await asyncio.to_thread(self._compile, config, bound)

    def _swap(self, shared: SharedState, snapshot: Snapshot) -> int:
        """Make `snapshot` the one that exchanges are born under; return how many tunnels have to go.

        Pools of equal upstreams stay; those of others end when the last exchange that has them does.
        """
        old, new = self._pools, snapshot.config
        unchanged = unchanged_upstreams(shared.current.snapshot.config, new)
        if PAGES_UPSTREAM in old:
            unchanged |= {PAGES_UPSTREAM}
        shared.current = Current(snapshot, old)  # new pools read the files that it names, from its folder
        pools = {
            upstream.name: old[upstream.name]
            if upstream.name in unchanged
            else UpstreamPool(shared, upstream, old.get(upstream.name))
            for upstream in new.upstreams
        }
        if PAGES_UPSTREAM in old:
            pools[PAGES_UPSTREAM] = old[PAGES_UPSTREAM]
        shared.current = Current(snapshot, pools)
        self._pools = pools
        for name, pool in old.items():
            if name not in unchanged:
                pool.retire()
                self._retired.append(pool)
        self._probe(pool for name, pool in pools.items() if name not in unchanged)
        where = route_targets(new)
        return sum(tunnel.review(where) for tunnel in list(shared.tunnels))

    async def stop(self, drain_s: float | None = None) -> int:
        """Stop accepting, let what runs finish for at most `drain_s` seconds (default: the configuration's), close.

        WebSockets are closed with a Close frame. Returns how many exchanges did not finish and were cut.
        """
        shared = self._shared
        if shared is None:
            return 0
        limit_s = self._config.server.drain_s if drain_s is None else drain_s
        shared.is_stopping = True
        for pool in (*self._pools.values(), *self._retired):
            pool.keep_nothing()
        self._listeners.close()
        self._cancel_own_work()
        busy = sum(connection.running_exchanges for connection in shared.connections)
        self._observers.tell(Stopping(busy, len(shared.tunnels), limit_s))
        for connection in list(shared.connections):
            connection.close_idle()
        for tunnel in list(shared.tunnels):
            tunnel.close()
        await shared.wait_until_unused(limit_s)
        cut = self._cut_all(shared)
        await asyncio.sleep(0)
        self._observers.tell(Stopped(cut))
        return cut

    def abort(self) -> None:
        """Close everything at once; what is still to be sent to those who read slowly, is."""
        self._listeners.close()
        self._cancel_own_work()
        if self._shared is not None:
            self._shared.is_stopping = True
            self._cut_all(self._shared)

    def replay(self, block: bytes, body: bytes, scheme: str) -> int:
        """Send a request again, as if a client on this machine had asked by `scheme`; return the id of its exchange.

        `block`: the head without its last CRLFCRLF; `body`: whole, of the length that the head says. In the loop's
        thread. Raises :class:`BadMessage` for what is no request, and for one that asks for another protocol.
        """
        from devproxy.gateway.front.replay import Replay  # few ever want it

        shared = self._shared
        assert shared is not None
        head = parse_request_head(block, shared.current.snapshot.limits)
        if head.facts.upgrade or head.body_length != len(body):
            raise BadMessage("a request that switches protocols, or whose length is another, is not sent again")
        return Replay(shared, scheme).start(head, body)

    @property
    def snapshot(self) -> Snapshot:
        """What holds now. May be read in any thread once the gateway has started."""
        assert self._shared is not None
        return self._shared.current.snapshot

    def server_states(self) -> list[ServerState]:
        """Return how each server of each upstream is, in the order of the configuration; in the loop's thread."""
        return [
            ServerState(
                upstream=name,
                sticky=pool.upstream.sticky,
                url=server.server.url,
                is_up=server.is_up,
                address=server.address,
                running=server.outstanding,
                idle=server.idle_count,
                sessions=len(pool.balancer.sessions),
            )
            for name, pool in self._pools.items()
            if name != PAGES_UPSTREAM
            for server in pool.servers
        ]

    @property
    def connection_count(self) -> int:
        """How many client connections are open, tunnels included."""
        return 0 if self._shared is None else len(self._shared.connections) + len(self._shared.tunnels)

    async def settle(self) -> None:
        """Wait until nothing of a gateway that has been stopped or aborted is left: no transport and no task.

        Takes a few turns of the loop. What then still waits for its peer is cut.
        """
        for turn in range(SETTLE_TURNS):
            await asyncio.sleep(0)
            if turn >= SETTLE_LEAST_TURNS and (self._shared is None or self._shared.pressure.is_empty):
                return
            if self._shared is not None and turn % SETTLE_LEAST_TURNS == 0:
                self._cut_all(self._shared)
                self._shared.pressure.abort_all()

    def _compile(self, config: Config, bound: Sequence[str]) -> Snapshot:
        return compile_snapshot(config, self._instance, bound=bound, pages=self._page_server)

    def _connection(self) -> asyncio.Protocol:
        assert self._shared is not None
        if self._handshakes is None:
            return ClientConnection(self._shared, "http")
        from devproxy.gateway.front.arrival import Arrival  # no other configuration needs TLS

        return Arrival(self._shared, self._handshakes)

    def _handshakes_for(self, config: Config) -> Handshakes | None:
        if config.server.tls is False:
            return None
        from devproxy.gateway.front.handshakes import handshakes_for

        addresses = self._listeners.addresses(config.server.listen)
        return handshakes_for(config, addresses, lambda sentence: self._observers.tell(Trouble(sentence)))

    def _is_short(self, descriptor: int) -> bool:
        return self._shared is not None and descriptor >= self._shared.descriptor_ceiling

    def _on_shortage(self) -> None:
        if self._shared is not None:
            self._shared.on_shortage()

    def _cut_all(self, shared: SharedState) -> int:
        cut = 0
        for connection in list(shared.connections):
            cut += connection.running_exchanges
            connection.cut()
        for tunnel in list(shared.tunnels):
            tunnel.cut()
        for pool in (*self._pools.values(), *self._retired):
            pool.close()
        self._retired.clear()
        return cut

    def _cancel_own_work(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for probe in self._probes:
            probe.cancel()

    def _probe(self, pools: Iterable[UpstreamPool]) -> None:
        """Look in the background which servers of `pools` are up."""
        for pool in pools:
            task = asyncio.get_running_loop().create_task(pool.probe())
            self._probes.add(task)
            task.add_done_callback(self._probes.discard)

    def _sweep(self) -> None:
        """Enforce every deadline that is over, and check which clients have left and whether descriptors are short.

        One timer for all connections.
        """
        shared = self._shared
        assert shared is not None
        now = shared.now = shared.loop.time()
        for connection in [one for one in shared.connections if one.deadline <= now]:
            connection.expire()
        timed, shared.timed = shared.timed, []
        shared.timed += [one for one in timed if one.look_at_clock(now)]
        for one in list(shared.held_back):
            one.look()
        shared.pressure.look()
        for pool in self._pools.values():
            for server in pool.servers:
                server.close_expired(now)
        self._end_unused()
        if self._intake is not None:
            self._intake.look()
        self._sweeper = shared.loop.call_later(SWEEP_INTERVAL_S, self._sweep)

    def _end_unused(self) -> None:
        """Close the retired pools that are no longer in use."""
        for pool in [pool for pool in self._retired if not pool.is_used]:
            pool.close()
            self._retired.remove(pool)


def _not_bound(error: BindError, urls: Sequence[str]) -> Trouble:
    holder = f" by {error.holder}" if error.holder else ""
    return Trouble(
        f"cannot listen on {error.address}: {error.reason}{holder}; devproxy still listens on {', '.join(urls)}",
        "free that address and save the file again, or name another one below [server] listen",
    )
