"""The way in: the listening sockets, and waiting at the door while the process has too few file descriptors left.

Left to themselves, both event loops fail badly at ``EMFILE``: libuv takes the clients and closes them at once, asyncio
reports an error for each. So devproxy stops accepting before: the kernel keeps up to ``BACKLOG`` clients waiting, and
what has been accepted can still reach its upstream. Owns that decision and nothing of what a connection does. Start at
:meth:`Intake.look`.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from devproxy.events import DescriptorShortage
from devproxy.gateway.dial import OUT_OF_DESCRIPTORS
from devproxy.gateway.listen import BACKLOG

if TYPE_CHECKING:
    from devproxy.gateway.service import Service

ACCEPTS_PER_TURN: Final = 16
"""Clients that are taken in one turn of asyncio's loop."""

MIN_RESERVE: Final = 32
MAX_RESERVE: Final = 1024
QUIET_S: Final = 60.0
"""A shortage that returns sooner than that after the last word about it is the same one, and not told again."""


def reserve_of(limit: int) -> int:
    """Return how many of `limit` descriptors are kept for connections to upstreams: a quarter, within bounds."""
    return min(max(limit // 4, MIN_RESERVE), MAX_RESERVE)


def descriptor_limit() -> int | None:
    """Return the soft limit of this process's open files, None for no limit (or no such limit on this system)."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class Intake:
    """Accepts clients on listening sockets. ``is_waiting``: descriptors are short and nobody is accepted.

    `build` makes the protocol of a new client. The sockets stay their owner's, who closes them.
    """

    __slots__ = (
        "_arriving",
        "_build",
        "_limit",
        "_opening",
        "_servers",
        "_service",
        "_sockets",
        "_told_until",
        "_was_told",
        "is_waiting",
    )

    def __init__(self, service: Service, build: Callable[[], asyncio.Protocol]) -> None:
        self._service = service
        self._build = build
        self._sockets: list[socket.socket] = []
        self._servers: dict[socket.socket, asyncio.Server] = {}
        self._arriving: set[asyncio.Task[Any]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._limit: int | None = None
        self._told_until = -math.inf
        self._was_told = False
        self.is_waiting = False
        service.on_shortage = self.wait
        self._measure()

    async def accept(self, sock: socket.socket) -> None:
        """Begin to accept on `sock`, or as soon as descriptors are free."""
        self._sockets.append(sock)
        if not self.is_waiting:
            await self._open(sock)

    def forget(self, sock: socket.socket) -> None:
        """Accept nobody any more on `sock`. Whoever waits in its queue still does."""
        if sock in self._sockets:
            self._sockets.remove(sock)
            self._shut(sock)

    async def adopt(self, client: socket.socket) -> None:
        """Take a client that somebody else has accepted."""
        await self._service.loop.connect_accepted_socket(self._build, client)

    async def _open(self, sock: socket.socket) -> None:
        """Accept on `sock`: uvloop by itself, asyncio's loop by :meth:`_accept`, because it gets lost at ``EMFILE``.

        uvloop gets a duplicate of the socket: to close that leaves the queue behind it as it is.
        """
        loop = self._service.loop
        sock.setblocking(False)
        if isinstance(loop, asyncio.SelectorEventLoop):
            loop.add_reader(sock, self._accept, sock)
        else:
            self._servers[sock] = await loop.create_server(self._build, sock=sock.dup(), backlog=BACKLOG)

    def _shut(self, sock: socket.socket) -> None:
        if isinstance(self._service.loop, asyncio.SelectorEventLoop):
            self._service.loop.remove_reader(sock)
        elif sock in self._servers:
            self._servers.pop(sock).close()

    def wait(self) -> None:
        """Accept nobody until descriptors are free again; say so once. Idle connections to upstreams are given up."""
        if self.is_waiting or self._service.is_stopping:
            return
        self.is_waiting = True
        self._stop_accepting()
        for pool in self._service.pools.values():
            pool.close_idle()
        self._tell(is_over=False)

    def look(self) -> None:
        """Take note of the limit, which may have been changed, and accept again once enough descriptors are free."""
        self._measure()
        if self.is_waiting and self._opening is None and self._lowest_free() < self._service.descriptor_ceiling:
            self._opening = self._service.loop.create_task(self._resume())

    def close(self) -> None:
        """Accept nobody any more."""
        if self._opening is not None:
            self._opening.cancel()
        self._stop_accepting()
        self._sockets.clear()

    async def _resume(self) -> None:
        try:
            for sock in self._sockets:
                await self._open(sock)
        except OSError:
            self._stop_accepting()  # the last descriptors went in this very moment; the next look tries again
            return
        finally:
            self._opening = None
        self.is_waiting = False
        self._tell(is_over=True)

    def _stop_accepting(self) -> None:
        for sock in self._sockets:
            self._shut(sock)

    def _accept(self, sock: socket.socket) -> None:
        """Take the clients that wait on `sock`, a few at a time, so that those that are there have their turn."""
        loop = self._service.loop
        for _ in range(ACCEPTS_PER_TURN):
            try:
                client, _ = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                self.wait()
                return
            arrival = loop.create_task(loop.connect_accepted_socket(self._build, client))
            self._arriving.add(arrival)
            arrival.add_done_callback(self._arriving.discard)
            if client.fileno() >= self._service.descriptor_ceiling:
                self.wait()
                return

    def _tell(self, *, is_over: bool) -> None:
        now = self._service.loop.time()
        if not is_over:
            self._was_told = now >= self._told_until
        if self._was_told:
            limit = self._limit or 0
            self._service.emit(lambda: DescriptorShortage(limit, is_over))
        self._told_until = now + QUIET_S

    def _measure(self) -> None:
        limit = descriptor_limit()
        if limit != self._limit:
            self._limit = limit
            self._service.descriptor_ceiling = math.inf if limit is None else limit - reserve_of(limit)

    @staticmethod
    def _lowest_free() -> float:
        """Return the number that the next descriptor gets: POSIX gives the lowest that is free."""
        with suppress(OSError):
            number = os.open(os.devnull, os.O_RDONLY)
            os.close(number)
            return number
        return math.inf
