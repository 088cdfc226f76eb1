"""The gateway's life: take listening sockets, serve, drain, stop.

    gateway = Gateway(config, bind(config.server.listen), sink)
    await gateway.start()
    ...
    await gateway.stop()

Owns the listening sockets, the sweep that enforces time-outs, and nothing of what a connection does.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from typing import Final

from devproxy.config.model import Config
from devproxy.events import Sink, Stopped, Stopping
from devproxy.gateway.downstream import DownstreamConnection
from devproxy.gateway.intake import Intake
from devproxy.gateway.pool import UpstreamPool
from devproxy.gateway.service import SWEEP_INTERVAL_S, Service
from devproxy.plan import compile_snapshot

_LOOPBACK: Final = frozenset(("127.0.0.1", "::1"))


class Gateway:
    """One running devproxy. Takes over `sockets` (see :func:`devproxy.gateway.listen.bind`); `sink` gets the events.

    `is_terse`: the sink has no use for exchanges that are complete, and their records need not be built.
    """

    def __init__(
        self, config: Config, sockets: Sequence[socket.socket], sink: Sink | None = None, *, is_terse: bool = False
    ) -> None:
        self._config = config
        self._sockets = list(sockets)
        self._sink = sink
        self._is_terse = is_terse
        self._intake: Intake | None = None
        self._service: Service | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._probe: asyncio.Task[None] | None = None
        self.urls = _urls(self._sockets)

    async def start(self) -> None:
        """Begin to accept clients, then look which upstreams are up."""
        loop = asyncio.get_running_loop()
        service = self._service = Service(
            loop,
            compile_snapshot(
                self._config, secrets.token_hex(4), bound=[sock.getsockname()[0] for sock in self._sockets]
            ),
            self._sink,
            is_terse=self._is_terse,
        )
        service.pools = {upstream.name: UpstreamPool(service, upstream) for upstream in self._config.upstreams}
        self._intake = Intake(service, self._sockets, lambda: DownstreamConnection(service, "http"))
        await self._intake.open()
        self._sweep()
        self._probe = loop.create_task(self._probe_upstreams())

    async def stop(self, drain_s: float | None = None) -> int:
        """Stop accepting, let what runs finish for at most `drain_s` seconds (default: the configuration's), close.

        WebSockets are closed with a Close frame. Returns how many exchanges did not finish and were cut.
        """
        service = self._service
        if service is None:
            return 0
        limit_s = self._config.server.drain_s if drain_s is None else drain_s
        service.is_stopping = True
        self._stop_accepting()
        self._cancel_own_work()
        busy = sum(connection.is_busy for connection in service.connections)
        service.emit(lambda: Stopping(busy, len(service.tunnels), limit_s))
        for connection in list(service.connections):
            connection.close_idle()
        for tunnel in list(service.tunnels):
            tunnel.close()
        await service.wait_until_unused(limit_s)
        cut = self._cut_all(service)
        await asyncio.sleep(0)
        service.emit(lambda: Stopped(cut))
        return cut

    def abort(self) -> None:
        """Close everything at once."""
        self._stop_accepting()
        self._cancel_own_work()
        if self._service is not None:
            self._service.is_stopping = True
            self._cut_all(self._service)

    @property
    def connection_count(self) -> int:
        """How many client connections are open, tunnels included."""
        return 0 if self._service is None else len(self._service.connections) + len(self._service.tunnels)

    def _cut_all(self, service: Service) -> int:
        cut = 0
        for connection in list(service.connections):
            cut += connection.is_busy
            connection.cut()
        for tunnel in list(service.tunnels):
            tunnel.cut()
        for pool in service.pools.values():
            pool.close()
        return cut

    def _stop_accepting(self) -> None:
        if self._intake is not None:
            self._intake.close()

    def _cancel_own_work(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._probe is not None:
            self._probe.cancel()

    async def _probe_upstreams(self) -> None:
        service = self._service
        assert service is not None
        await asyncio.gather(*(pool.probe() for pool in service.pools.values()))

    def _sweep(self) -> None:
        """Enforce every deadline that is over, one timer for all connections; look whether descriptors are short."""
        service = self._service
        assert service is not None
        now = service.now = service.loop.time()
        for connection in [one for one in service.connections if one.deadline <= now]:
            connection.expire()
        for pool in service.pools.values():
            pool.close_expired(now)
        if self._intake is not None:
            self._intake.look()
        self._sweeper = service.loop.call_later(SWEEP_INTERVAL_S, self._sweep)


def _urls(sockets: Sequence[socket.socket]) -> tuple[str, ...]:
    """Return a URL for each way in: ``localhost`` stands for the loopback addresses that share a port."""
    urls: dict[str, None] = {}
    for sock in sockets:
        name = sock.getsockname()
        host, port = name[0], name[1]
        if host in _LOOPBACK:
            shown = "localhost"
        elif host in ("::", "0.0.0.0"):
            urls[f"http://localhost:{port}/"] = None
            shown = _own_address() or "localhost"
        else:
            shown = f"[{host}]" if ":" in host else host
        urls[f"http://{shown}:{port}/"] = None
    return tuple(urls)


def _own_address() -> str:
    """Return the address that this machine uses towards others, or "" (nothing is sent: a UDP socket only looks)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])
