"""What a running devproxy serves by: what was read, with the servers that its programs really took.

Two things change it, a file that says something else and a program that listens elsewhere; one comes after the other.
Start at :class:`InForce`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from devproxy.cli.loading import Loaded
from devproxy.config.model import Config, ServerAddress
from devproxy.gateway.app import Gateway
from devproxy.platforms.ending import Keeper

MOVED: Final = "its program listens there"
"""The cause of a change that no file has made."""


PROGRAMS_S: Final = 10.0
"""How long programs may take to end, one after the other way to end them, with time to spare."""


def stop_limit_s(config: Config) -> float:
    """Return how long a stop may take by `config`: until requests have ended, and after them the programs."""
    return config.server.drain_s + (PROGRAMS_S if config.programs else 0.0)


class InForce:
    """Keeps `gateway` at what is `loaded`. ``loaded``: as it was read.

    `keeper`: learns how long a stop may take. `prepared`: what is done with something new that was read, before it is
    in force; ``on_taken``: is called with it afterwards.
    """

    def __init__(
        self,
        gateway: Gateway,
        loaded: Loaded,
        *,
        keeper: Keeper | None = None,
        prepared: Callable[[Loaded, Loaded], Loaded] = lambda _, loaded: loaded,
    ) -> None:
        self.loaded = loaded
        self._gateway = gateway
        self._keeper = keeper
        self._prepared = prepared
        self._servers: dict[str, ServerAddress] = {}
        self._changing = asyncio.Lock()
        self.on_taken: Callable[[Loaded], None] = lambda _: None

    async def take(self, loaded: Loaded) -> None:
        """Serve by `loaded` from now on. What a program serves stays where it listens."""
        async with self._changing:
            self.loaded = loaded = self._prepared(self.loaded, loaded)
            served = {program.upstream for program in loaded.config.programs}
            self._servers = {name: server for name, server in self._servers.items() if name in served}
            await self._gateway.apply(_with_servers(loaded.config, self._servers))
            if self._keeper is not None:
                self._keeper.drains_for(stop_limit_s(loaded.config))
            self.on_taken(loaded)

    async def follow(self, upstream: str, server: ServerAddress) -> None:
        """Have `upstream` lead to `server`, where its program listens. Goes on to its end if who waits is cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._follow(upstream, server)))

    async def _follow(self, upstream: str, server: ServerAddress) -> None:
        async with self._changing:
            now = _with_servers(self.loaded.config, self._servers)
            self._servers[upstream] = server
            moved = _with_servers(now, self._servers)
            if moved is not now:
                await self._gateway.apply(moved, cause=MOVED)


def _with_servers(config: Config, servers: Mapping[str, ServerAddress]) -> Config:
    """Return `config` with the `servers` that programs took, by upstream."""
    if not servers:
        return config
    from devproxy.config.programs import with_servers  # few start programs

    return with_servers(config, servers)
