"""What all connections of one gateway share: the current snapshot, the pools, the connections, the listeners.

Owns no protocol; :mod:`devproxy.gateway.app` builds it, and swaps what holds now by one assignment.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Final

from devproxy.gateway.shared.pressure import Pressure
from devproxy.gateway.shared.transports import descriptor_of
from devproxy.platforms.container import is_in_container
from devproxy.policy.hop import known_peers
from devproxy.policy.redirect_loops import RedirectLoops

if TYPE_CHECKING:
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.peer_state import HeldBack
    from devproxy.gateway.shared.seam import ByteStream, ClientConnection, OpenTunnel, Pool, Timed
    from devproxy.plan import Snapshot

TOLD_FOR_S: Final = 60.0
"""How long the same advice is not repeated."""
MAX_TOLD: Final = 256
SWEEP_INTERVAL_S: Final = 0.5
"""How late a time-out may be noticed. One sweep serves all connections: no exchange needs a timer."""


@dataclass(frozen=True, slots=True)
class Current:
    """What holds now: the compiled configuration, and the pools of its upstreams by their names."""

    snapshot: Snapshot
    pools: Mapping[str, Pool]


class SharedState:
    """The shared state of one gateway.

    ``current``: replaced on reload; an exchange reads it once. ``connections``: every client connection that speaks
    HTTP; ``tunnels``: every pair that has been upgraded. ``held_back``: peers paused because the
    other side is slow. ``timed``: exchanges whose upstream has only so long to answer. ``pressure``: how peers are
    read while many send much. ``loops``: redirects that lead back, counted. ``peer_at``: the
    clients' ends of connections, by their addresses.
    ``observers``: who observes. ``told``: when
    some advice was given last.
    ``is_in_container``: only advice depends on it. ``clock``: in seconds, for reports of how long things took.
    ``now``: the loop's time at the last sweep, exact enough for time-outs and free to read. ``next_exchange_id``,
    ``next_tunnel_id``: each call gives a number that no other of this gateway has. ``descriptor_ceiling``: a client's
    file descriptor from which on they are short, ``on_shortage``: what to do then.
    """

    __slots__ = (
        "_unused",
        "clock",
        "connections",
        "current",
        "descriptor_ceiling",
        "held_back",
        "is_in_container",
        "is_stopping",
        "loop",
        "loops",
        "next_exchange_id",
        "next_tunnel_id",
        "now",
        "observers",
        "on_shortage",
        "peer_at",
        "pressure",
        "timed",
        "told",
        "tunnels",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        observers: Observers,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.current = Current(snapshot, {})
        self.observers = observers
        self.told: dict[tuple[str, str], float] = {}
        self.connections: set[ClientConnection] = set()
        self.tunnels: set[OpenTunnel] = set()
        self.held_back: set[HeldBack] = set()
        self.timed: list[Timed] = []
        self.pressure = Pressure(loop)
        self.loops = RedirectLoops()
        self.peer_at = known_peers()
        self.next_exchange_id = count(1).__next__
        self.next_tunnel_id = count(1).__next__
        self.is_in_container = is_in_container()
        self.is_stopping = False
        self.now = loop.time()
        self.descriptor_ceiling: float = math.inf
        self.on_shortage: Callable[[], None] = _do_nothing
        self._unused: asyncio.Future[None] | None = None

    def untold(self, route: str, advice: tuple[str, ...]) -> tuple[str, ...]:
        """Return those sentences of `advice` that were not given about this route within the last minute."""
        fresh = tuple(words for words in advice if self.told.get((route, words), -math.inf) <= self.now - TOLD_FOR_S)
        if len(self.told) >= MAX_TOLD:
            self.told.clear()
        self.told.update({(route, words): self.now for words in fresh})
        return fresh

    def add_connection(self, connection: ClientConnection, transport: ByteStream) -> None:
        """Keep `connection`, which nothing has come on yet, and see whether its descriptor is one of the last."""
        self.connections.add(connection)
        connection.deadline = self.now + self.current.snapshot.idle_timeout_s
        if descriptor_of(transport) >= self.descriptor_ceiling:
            self.on_shortage()

    def remove_connection(self, connection: ClientConnection) -> None:
        """Forget `connection`: it is closed, or has become one end of a tunnel."""
        self.connections.discard(connection)
        self._note_use()

    def remove_tunnel(self, tunnel: OpenTunnel) -> None:
        """Forget `tunnel`: it is over."""
        self.tunnels.discard(tunnel)
        self._note_use()

    async def wait_until_unused(self, limit_s: float) -> None:
        """Wait until no client is connected any more, for at most `limit_s` seconds."""
        self._unused = self.loop.create_future()
        self._note_use()
        await asyncio.wait((self._unused,), timeout=limit_s)

    def _note_use(self) -> None:
        if self._unused is not None and not self._unused.done() and not self.connections and not self.tunnels:
            self._unused.set_result(None)


def _do_nothing() -> None:
    """Ignore a shortage: no clients are accepted yet."""
