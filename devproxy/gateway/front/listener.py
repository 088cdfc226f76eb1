"""One listening socket: accepts, pauses while clients wait in the kernel's queue, goes on, closes.

Owns how that is done on each event loop. uvloop itself accepts fastest, on a duplicate of the socket: to close
that leaves the queue as it is. It takes one client in each turn of the loop, so after that one the listener takes
those that have come with it: of hundreds that come at once the last would else wait for as many turns, which the others
fill with what they move. asyncio's own loop gets lost at ``EMFILE`` and drops clients when its server is closed, so
there the listener accepts all. On Windows the loop does not tell when a client waits, and a socket can be given to it
once only, so there it is asked for one client after the other. Start at :meth:`Listener.open`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from devproxy.gateway.front.bind import BACKLOG
from devproxy.gateway.shared.transports import OUT_OF_DESCRIPTORS
from devproxy.platforms.loops import Kind, kind_of

ACCEPTS_PER_TURN: Final = 128
"""Clients that are taken in one turn of the loop."""
_PAUSE_S: Final = 0.05
"""After a client that could not be taken, where the loop is asked for the next one."""


class Listener:
    """A listening socket and the clients that connect to it. ``host`` and ``port``: its name, known also after its end.

    `build` makes the protocol of a new client; `on_shortage` is called when the system gives no descriptor for one, or
    one of which `is_short` says that there are few left after it.
    """

    __slots__ = (
        "_accepting",
        "_arriving",
        "_build",
        "_is_short",
        "_is_taking",
        "_on_shortage",
        "_server",
        "host",
        "is_open",
        "port",
        "sock",
    )

    def __init__(
        self,
        sock: socket.socket,
        build: Callable[[], asyncio.Protocol],
        on_shortage: Callable[[], None],
        is_short: Callable[[int], bool],
    ) -> None:
        self.host, self.port, *_ = sock.getsockname()
        self.sock = sock
        self.is_open = False
        self._build = build
        self._on_shortage = on_shortage
        self._is_short = is_short
        self._server: asyncio.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._is_taking = False
        self._arriving: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Accept clients, if that is not done yet. Raises OSError if there is no free descriptor."""
        if self.is_open:
            return
        loop = asyncio.get_running_loop()
        self.is_open = True
        kind = kind_of(loop)
        if kind is Kind.SELECTOR:
            loop.add_reader(self.sock, self._accept, ACCEPTS_PER_TURN)
            return
        if kind is Kind.PROACTOR:
            self._accepting = loop.create_task(self._ask_for_clients(loop))
            return
        twin: socket.socket | None = None
        try:
            twin = self.sock.dup()
            self._server = await loop.create_server(self._build_first, sock=twin, backlog=BACKLOG)
        except OSError:
            self.is_open = False
            if twin is not None:
                twin.close()
            raise
        if not self.is_open:  # paused meanwhile
            self._end_server()

    def pause(self) -> None:
        """Accept no client for now: they wait in the queue."""
        if self.is_open and kind_of(loop := asyncio.get_running_loop()) is Kind.SELECTOR:
            loop.remove_reader(self.sock)
        self.is_open = False
        self._end_server()
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            accepting.cancel()

    def close(self, *, takes_waiting: bool) -> None:
        """Stop listening. `takes_waiting`: clients that are already connected come in first, unless it is paused.

        Without that they are reset.
        """
        was_open = self.is_open
        self.pause()
        if takes_waiting and was_open:
            self._accept(BACKLOG)
        self.sock.close()

    def _end_server(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _build_first(self) -> asyncio.Protocol:
        """Make the protocol of a client that uvloop took, and accept those after it."""
        if not self._is_taking:
            self._is_taking = True
            asyncio.get_running_loop().call_soon(self._take_others)
        return self._build()

    def _take_others(self) -> None:
        self._is_taking = False
        if self.is_open:
            self._accept(ACCEPTS_PER_TURN)

    async def _ask_for_clients(self, loop: asyncio.AbstractEventLoop) -> None:
        while self.is_open:
            try:
                client, _ = await loop.sock_accept(self.sock)
            except OSError as error:
                if self._is_short_of_descriptors(error) or self.sock.fileno() < 0:
                    return
                await asyncio.sleep(_PAUSE_S)  # that client has left
                continue
            self._take(client)
            if self.is_open:
                self._accept(ACCEPTS_PER_TURN)

    def _accept(self, limit: int) -> None:
        """Take the clients that wait, at most `limit`, so that those that are there have their turn."""
        for _ in range(limit):
            try:
                client, _ = self.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if self._is_short_of_descriptors(error):
                    return
                raise
            if not self._take(client):
                return

    def _take(self, client: socket.socket) -> bool:
        """Make the protocol of `client`; False: it is to be the last one for now."""
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        arrival = loop.create_task(loop.connect_accepted_socket(self._build, client))
        self._arriving.add(arrival)
        arrival.add_done_callback(self._arriving.discard)
        if self.is_open and self._is_short(client.fileno()):
            self._on_shortage()
            return False
        return True

    def _is_short_of_descriptors(self, error: OSError) -> bool:
        """Tell whether `error` says that no descriptor is left for a client; have that seen to."""
        if error.errno not in OUT_OF_DESCRIPTORS:
            return False
        self._on_shortage()
        return True
