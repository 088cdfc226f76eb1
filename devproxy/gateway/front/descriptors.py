"""Waiting at the door while the process has too few file descriptors left.

Left to themselves, both event loops fail badly at ``EMFILE``: libuv takes the clients and closes them at once, asyncio
reports an error for each. So devproxy stops accepting before: the kernel keeps up to ``BACKLOG`` clients waiting, and
what has been accepted can still reach its upstream. Owns when to wait and when that is over, and nothing of what a
connection does. Start at :meth:`DescriptorGuard.look`.
"""

from __future__ import annotations

import asyncio
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from devproxy.events import DescriptorShortage
from devproxy.platforms.limits import open_files

if TYPE_CHECKING:
    from devproxy.gateway.front.listeners import Listeners
    from devproxy.gateway.shared.state import SharedState

MIN_RESERVE: Final = 32
MAX_RESERVE: Final = 1024
IDLE_AT_ONCE: Final = 64
"""Idle connections of clients that are given up at each look while descriptors are short."""
IDLE_FOR_S: Final = 1.0
"""How long a client must have been idle for that. One that has just come has its request still on the way."""
QUIET_S: Final = 60.0
"""A shortage that returns sooner than that after the last word about it is the same one, and not told again."""


def reserve_of(limit: int) -> int:
    """Return how many of `limit` descriptors are kept for connections to upstreams: a quarter, within bounds."""
    return min(max(limit // 4, MIN_RESERVE), limit // 2, MAX_RESERVE)


class DescriptorGuard:
    """Lets `listeners` wait while descriptors are short. ``is_waiting``: they are, and no client is accepted."""

    __slots__ = ("_limit", "_listeners", "_opening", "_shared", "_told_until", "_was_told", "is_waiting")

    def __init__(self, shared: SharedState, listeners: Listeners) -> None:
        self._shared = shared
        self._listeners = listeners
        self._opening: asyncio.Task[None] | None = None
        self._limit: int | None = None
        self._told_until = -math.inf
        self._was_told = False
        self.is_waiting = False
        shared.on_shortage = self.wait
        self._measure()

    def wait(self) -> None:
        """Accept no client until descriptors are free again; say so once. Idle connections are closed."""
        if self.is_waiting or self._shared.is_stopping:
            return
        self.is_waiting = True
        self._listeners.pause()
        for pool in self._shared.current.pools.values():
            pool.close_idle()
        self._close_idle_clients()
        self._tell(is_over=False)

    def look(self) -> None:
        """Take note of the limit, which may have been changed, and accept again once enough descriptors are free."""
        self._measure()
        if not self.is_waiting or self._opening is not None:
            return
        if self._lowest_free() < self._shared.descriptor_ceiling:
            self._opening = self._shared.loop.create_task(self._resume())
        else:
            self._close_idle_clients()

    def _close_idle_clients(self) -> None:
        """Close the connections that were idle longest, so that those who wait need not wait for their time-outs.

        A client must expect that of a persistent connection at any time (RFC 9112 section 9.5). Where
        ``idle_timeout_s`` is 0, they may stay forever.
        """
        shared = self._shared
        due = shared.now + shared.current.snapshot.idle_timeout_s - IDLE_FOR_S
        idle = [one for one in shared.connections if one.deadline <= due < math.inf and one.is_idle]
        for connection in sorted(idle, key=lambda one: one.deadline)[:IDLE_AT_ONCE]:
            connection.close_idle()

    async def _resume(self) -> None:
        try:
            await self._listeners.resume()
        except OSError:
            return  # the last descriptors went in this very moment; the next look tries again
        finally:
            self._opening = None
        self.is_waiting = False
        self._tell(is_over=True)

    def _tell(self, *, is_over: bool) -> None:
        now = self._shared.loop.time()
        if not is_over:
            self._was_told = now >= self._told_until
        if self._was_told:
            self._shared.observers.tell(DescriptorShortage(self._limit or 0, is_over))
        self._told_until = now + QUIET_S

    def _measure(self) -> None:
        limit = open_files()
        if limit != self._limit:
            self._limit = limit
            self._shared.descriptor_ceiling = math.inf if limit is None else limit - reserve_of(limit)

    @staticmethod
    def _lowest_free() -> float:
        """Return the number that the next descriptor gets: POSIX gives the lowest that is free."""
        with suppress(OSError):
            number = os.open(os.devnull, os.O_RDONLY)
            os.close(number)
            return number
        return math.inf
