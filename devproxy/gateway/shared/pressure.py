"""What is kept for many who send much or take slowly, bounded for all of them together, and turns for everybody else.

One connection may have a quarter of a megabyte waiting to be written, and brings as much with one read: that is what
makes bodies cheap. Five hundred that take slowly would keep five hundred times as much. So as soon as there are many,
everybody is read in small pieces and has little waiting, here and in the system, until there are few again; nobody pays
for that before. Owns how a transport is read, and decides nothing about what is read. Start at :class:`Pressure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from devproxy.gateway.shared.transports import WRITE_HIGH_WATER_BYTES, limit_buffers, unlimit_buffers

MANY_SLOW: Final = 32
"""So many connections that take slowly raise it. Each may keep twice ``WRITE_HIGH_WATER_BYTES`` until then."""

MANY_BUSY: Final = 64
"""So many connections that bring large pieces in a short time do so as well: what comes may not be taken."""

LARGE_BYTES: Final = 128 * 1024
"""A read of so many octets is likely to be followed by another one at once."""

LITTLE_BYTES: Final = 16 * 1024
"""Octets of one read while it is high, and those that wait to be written from which on the other side is not read."""

TURN_BYTES: Final = 4 << 20
"""Octets that large reads may bring in one turn of the loop before the others have theirs: a few milliseconds."""


class Pressure:
    """The transports of one gateway. ``is_high``: there are many that move much, and all are read in small pieces."""

    __slots__ = ("_all", "_buffer", "_busy", "_left", "_loop", "_slow", "_small", "_turn", "is_high")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._all: set[asyncio.Transport] = set()
        self._busy: set[asyncio.Transport] = set()
        self._slow: set[asyncio.Transport] = set()
        self._small: dict[asyncio.Transport, SmallReads] = {}
        self._buffer = memoryview(bytearray(LITTLE_BYTES))
        self._turn = 0.0
        self._left = TURN_BYTES
        self.is_high = False

    def admit(self, transport: asyncio.Transport) -> None:
        """Take a transport that has its first protocol; it belongs here until :meth:`dismiss`."""
        self._all.add(transport)
        if self.is_high:
            self._tighten(transport)

    def dismiss(self, transport: asyncio.Transport) -> None:
        """Forget a transport that is closed."""
        self._all.discard(transport)
        self._busy.discard(transport)
        self._slow.discard(transport)
        self._small.pop(transport, None)

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Give `transport` another protocol, however it is read."""
        if self._small.pop(transport, None) is None:
            transport.set_protocol(protocol)
        else:
            _change(transport, protocol)
            self._tighten(transport)

    def fall_behind(self, transport: asyncio.Transport) -> None:
        """The peer of `transport` takes slowly: more waits to be written to it than it may."""
        self._slow.add(transport)
        if len(self._slow) >= MANY_SLOW:
            self._rise()

    def catch_up(self, transport: asyncio.Transport) -> None:
        """The peer of `transport` has taken what waited."""
        self._slow.discard(transport)

    def take_turn(self, transport: asyncio.Transport, size: int, go_on: Callable[[], None]) -> None:
        """`transport` has brought `size` octets with one read, many, and may have more.

        When enough has come in this turn of the loop, it is not read before the next one, in which `go_on` is called.

        libuv reads up to 32 times in a row from one connection: with 30 such connections everybody else would wait for
        a tenth of a second.
        """
        self._busy.add(transport)
        if len(self._busy) >= MANY_BUSY:
            self._rise()
        now = self._loop.time()  # uvloop's is that of the turn's beginning
        if now != self._turn:
            self._turn = now
            self._left = TURN_BYTES
        self._left -= size
        if self._left < 0 and transport.is_reading():
            transport.pause_reading()
            self._loop.call_soon(go_on)

    def look(self) -> None:
        """Find out whether there are few again; called in every sweep."""
        if self.is_high and len(self._slow) <= MANY_SLOW // 2 and len(self._busy) <= MANY_BUSY // 2:
            self.is_high = False
            for one in list(self._small):
                self._loosen(one)
        self._busy.clear()

    def _rise(self) -> None:
        if not self.is_high:
            self.is_high = True
            for one in list(self._all):
                self._tighten(one)

    def _tighten(self, transport: asyncio.Transport) -> None:
        if transport.is_closing() or transport in self._small:
            return
        protocol = transport.get_protocol()
        assert isinstance(protocol, asyncio.Protocol)
        self._small[transport] = small = SmallReads(protocol, self._buffer, partial(self._busy.add, transport))
        _change(transport, small)
        limit_buffers(transport)
        transport.set_write_buffer_limits(high=LITTLE_BYTES)

    def _loosen(self, transport: asyncio.Transport) -> None:
        small = self._small.pop(transport)
        if not transport.is_closing():
            _change(transport, small.protocol)
            unlimit_buffers(transport)
            transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)


class SmallReads(asyncio.BufferedProtocol):
    """Stands before `protocol` and has it read no more at once than fits `buffer`, which all of a loop share.

    `note_busy` is called when a read has filled it.
    """

    __slots__ = ("_buffer", "_note_busy", "protocol")

    def __init__(self, protocol: asyncio.Protocol, buffer: memoryview, note_busy: Callable[[], None]) -> None:
        self.protocol = protocol
        self._buffer = buffer
        self._note_busy = note_busy

    def get_buffer(self, _: int) -> memoryview:
        """Return where the next octets go. They are taken from there before anybody else reads."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """Pass on what has come."""
        if size == LITTLE_BYTES:
            self._note_busy()
        self.protocol.data_received(bytes(self._buffer[:size]))

    def eof_received(self) -> bool | None:
        """Pass the end on."""
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on."""
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the peer takes slowly."""
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the peer has caught up."""
        self.protocol.resume_writing()


def _change(transport: asyncio.Transport, protocol: asyncio.BaseProtocol) -> None:
    """Give `transport` another protocol of another kind; uvloop asks for the kind only when reading begins."""
    is_reading = transport.is_reading()
    if is_reading:
        transport.pause_reading()
    transport.set_protocol(protocol)
    if is_reading:
        transport.resume_reading()
