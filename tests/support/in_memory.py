"""A gateway whose connections are made of memory: octets go in by hand, and what it writes is there at once.

The real protocols, exchanges, pools and plans; only the transports and the dialling are not. Start at :class:`World`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from devproxy.config.model import Config
from devproxy.events import Event, ExchangeFinished, Observer
from devproxy.gateway.back.pool import UpstreamPool
from devproxy.gateway.front.client import ClientConnection
from devproxy.gateway.shared.observers import Observers
from devproxy.gateway.shared.seam import Connection
from devproxy.gateway.shared.state import Current, SharedState
from devproxy.plan import compile_snapshot
from tests.support.memory_transport import MemoryTransport
from tests.support.wire import address_of, config_for

TURNS = 6
"""Turns of the loop in which everything that can happen has happened: a task, its connection, a close, its report."""


class MemoryLoop(asyncio.SelectorEventLoop):
    """A loop to which nothing comes from outside, so that it knows when nothing is left to do."""

    def is_idle(self) -> bool:
        """Tell whether nothing happens before more octets come or time passes."""
        is_due = self._scheduled and self._scheduled[0].when() <= self.time()  # type: ignore[attr-defined]
        return not self._ready and not is_due  # type: ignore[attr-defined]  # asyncio's own: what the next turn calls


class MemoryDialler:
    """Connects to a server that is nowhere; ``transports``: of all connections made so far."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.transports: list[MemoryTransport] = []

    async def dial(self, factory: Callable[[], asyncio.Protocol]) -> str:
        protocol = factory()
        transport = MemoryTransport(self._loop, protocol)
        self.transports.append(transport)
        protocol.connection_made(transport)
        return "127.0.0.1:1"

    def close(self) -> None:
        """Do as a dialler that looks nothing up."""


class World:
    """A gateway in memory, on a loop of its own that runs only in :meth:`settle`. ``faults``: what no code caught."""

    def __init__(self, config: Config | None = None) -> None:
        self.loop = MemoryLoop()
        self.faults: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self.events: list[Event] = []
        config = config or config_for((address_of(1),))
        self.shared = SharedState(self.loop, compile_snapshot(config, "fuzz"), Observers())
        self.shared.observers.add(Observer(self.events.append))
        self.pool = UpstreamPool(self.shared, config.upstreams[0])
        self.shared.current = Current(self.shared.current.snapshot, {config.upstreams[0].name: self.pool})
        self._dialler = MemoryDialler(self.loop)
        self.pool.servers[0]._dialler = self._dialler  # type: ignore[assignment]  # all that is called of it is there

    def client(self) -> MemoryTransport:
        """Return a new connection of a client."""
        protocol = ClientConnection(self.shared, "http")
        transport = MemoryTransport(self.loop, protocol)
        protocol.connection_made(transport)
        return transport

    @property
    def upstreams(self) -> list[MemoryTransport]:
        """The connections to the server that have been made since :meth:`reset`."""
        return self._dialler.transports

    def idle(self) -> list[Connection]:
        """Return the connections that the pool keeps for another request."""
        return list(self.pool.servers[0]._idle.values())

    def finished(self) -> list[ExchangeFinished]:
        """Return the exchanges that are over."""
        return [event for event in self.events if isinstance(event, ExchangeFinished)]

    def settle(self) -> None:
        """Let everything happen that can happen without further octets or time."""
        for _ in range(TURNS):
            if self.loop.is_idle():
                return
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def reset(self) -> None:
        """Close what is open and forget what was seen, so that the next case begins anew."""
        for connection in list(self.shared.connections):
            connection.cut()
        for tunnel in list(self.shared.tunnels):
            tunnel.cut()
        self.pool.close_idle()
        self.settle()
        assert not self.shared.connections
        assert self.pool.servers[0].outstanding == 0, "an exchange has not reported its end"
        self._dialler.transports.clear()
        self.events.clear()
        self.faults.clear()

    def close(self) -> None:
        """End for good."""
        self.reset()
        self.pool.close()
        self.loop.close()
