"""Event loops: uvloop, asyncio's own on Linux and macOS (a selector), and asyncio's own on Windows (a proactor).

The proactor does not tell when a socket can be read, and has no Unix sockets. Start at :func:`kind_of`.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from enum import Enum, auto
from threading import Thread
from typing import Final

from devproxy.platforms.sockets import no_unix_sockets

_LOOK_S: Final = 0.5
"""How long the thread of :class:`Readiness` waits before it looks whether it is still wanted."""


class Kind(Enum):
    """What an event loop can do."""

    UVLOOP = auto()
    """It accepts fastest, and closes a server without harm to the clients that wait."""
    SELECTOR = auto()
    """It tells when a socket can be read or written."""
    PROACTOR = auto()
    """It is given operations, and tells when they are done."""


def kind_of(loop: asyncio.AbstractEventLoop) -> Kind:
    """Return what kind of loop `loop` is. One that is not asyncio's own counts as uvloop."""
    proactor = getattr(asyncio, "ProactorEventLoop", None)  # on Windows only
    if proactor is not None and isinstance(loop, proactor):
        return Kind.PROACTOR
    return Kind.SELECTOR if isinstance(loop, asyncio.SelectorEventLoop) else Kind.UVLOOP


def loop_factory(*, with_uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes uvloop's loop, or None for the system's own. Raises ImportError where there is no uvloop."""
    if not with_uvloop:
        return None
    import uvloop

    return uvloop.new_event_loop


class Readiness:
    """Calls `callback` once, in the thread of `loop`, as soon as a client waits at the listening `sock`.

    To be made in the thread of `loop`. Where that loop does not tell, a thread waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._socket = sock
        self._callback = callback
        self._is_wanted = True
        if kind_of(loop) is Kind.PROACTOR:
            Thread(target=self._wait, name="devproxy-readiness", daemon=True).start()
        else:
            loop.add_reader(sock.fileno(), self._call)

    def cancel(self) -> None:
        """Do not call, if that has not happened yet. In the loop's thread; `sock` may be closed then."""
        if self._is_wanted and kind_of(self._loop) is not Kind.PROACTOR:
            self._loop.remove_reader(self._socket.fileno())
        self._is_wanted = False

    def _call(self) -> None:
        if self._is_wanted:
            self.cancel()
            self._callback()

    def _wait(self) -> None:
        try:
            while self._is_wanted:
                if select.select((self._socket,), (), (), _LOOK_S)[0]:
                    self._loop.call_soon_threadsafe(self._call)
                    return
        except (OSError, ValueError, RuntimeError):
            return  # the socket has been closed, or the loop has


async def connect_unix(loop: asyncio.AbstractEventLoop, factory: Callable[[], asyncio.BaseProtocol], path: str) -> None:
    """Connect to the Unix socket at `path`. Raises OSError, also where this Python has no Unix sockets."""
    if not hasattr(socket, "AF_UNIX") or kind_of(loop) is Kind.PROACTOR:
        raise no_unix_sockets()
    await loop.create_unix_connection(factory, path)


async def open_unix(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return streams to the Unix socket at `path`. Raises OSError, also where this Python has no Unix sockets."""
    if not hasattr(socket, "AF_UNIX"):
        raise no_unix_sockets()
    return await asyncio.open_unix_connection(path)
