"""Clients of the soak that come by HTTP/2, as browsers do: many of them on one connection, each on a stream of its own.

They speak as the others do, in HTTP/1.1 (:class:`tests.support.http2_wire.Http2Wire`). Start at :meth:`Browsers.open`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import h2.connection
import h2.events
from tests.support.http2_wire import Http2Wire
from tests.support.wire import Wire

MAX_PIPES: Final = 25
"""Clients on one connection."""
_ENOUGH_BYTES: Final = 65_536


class _Browser(Http2Wire):
    """A connection. ``pipes``: those that have a stream on it, by its number; ``users``: how many clients it has."""

    def __init__(self, inner: Wire) -> None:
        self.pipes: dict[int, Pipe] = {}
        self.users = 0
        super().__init__(inner)

    @property
    def takes_more(self) -> bool:
        """Whether a further client may come."""
        return self._is_open and self.users < MAX_PIPES

    def _note(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.users = MAX_PIPES
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            return
        stream = getattr(event, "stream_id", None) or 0
        pipe = self.pipes.get(stream)
        if pipe is not None:
            pipe._note(event)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)

    def _take(self, octets: bytes) -> None:
        super()._take(octets)
        for pipe in list(self.pipes.values()):
            pipe._advance()
            pipe._moved.set()

    def _leave(self) -> None:
        super()._leave()
        for pipe in list(self.pipes.values()):
            pipe._error = ConnectionResetError("the connection of all streams has ended")
            pipe._leave()


class Pipe(Http2Wire):
    """One client, which reads and writes as from a connection of its own."""

    says_chunks = False

    def __init__(self, browser: _Browser) -> None:
        super().__init__(browser._inner, browser)
        self._browser = browser
        browser.users += 1

    def _opens(self) -> bool:
        before = self._stream
        opened = super()._opens()
        if opened:
            self._browser.pipes.pop(before, None)
            self._browser.pipes[self._stream] = self
        return opened

    async def _wait(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    # What asyncio's StreamReader and StreamWriter do for the others.

    def write(self, data: bytes) -> None:
        """Send `data`."""
        self.send(data)

    async def drain(self) -> None:
        """Wait until most of what was written is on its way."""
        while len(self._text) > _ENOUGH_BYTES and self._is_open:
            await self._wait()

    async def readuntil(self, end: bytes) -> bytes:
        """Return everything up to and with `end`. Raises OSError where the stream ends before."""
        while end not in self._buffer:
            await self._more()
        return await self.until(end)

    async def readexactly(self, size: int) -> bytes:
        """Return `size` octets. Raises OSError where the stream ends before."""
        while len(self._buffer) < size:
            await self._more()
        return await self.read(size)

    async def _more(self) -> None:
        data = await self._receive()
        if not data:
            raise ConnectionResetError("the stream has ended")
        self._buffer += data

    def leave(self) -> None:
        """Reset what runs, and make room for another client."""
        self._browser.pipes.pop(self._stream, None)
        if self._browser._is_open:
            self._browser.users -= 1
            if not (self._has_answer and self._has_sent_all):
                self.h2.reset_stream(self._stream, 8)
                self._flush()
        self._is_open = False


class Browsers:
    """The connections to one devproxy."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._open: list[_Browser] = []
        self._lock = asyncio.Lock()

    async def open(self) -> Pipe:
        """Return a new client on a connection that has room for it."""
        async with self._lock:
            self._open = [browser for browser in self._open if browser._is_open]
            for browser in self._open:
                if browser.takes_more:
                    return Pipe(browser)
            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, self._address)
            self._open.append(_Browser(Wire(sock)))
            return Pipe(self._open[-1])

    def close(self) -> None:
        """End all connections."""
        for browser in self._open:
            browser.discard()
