"""What is buffered for many fast senders and slow readers, bounded for all of them together, and turns for all others.

Memory: a connection brings up to a quarter of a megabyte with one read, which is what makes bodies cheap, and is not
read while more than a little of that waits to be written. Five hundred that take slowly would keep five hundred times
as much. So as soon as there are many, every peer is read in small pieces and little waits in the system too, until
there are few again; before that it costs nothing.

Turns: libuv reads up to 32 times in a row from one connection, and from all that have something before any other is
served. So what large reads bring in one turn of the loop is counted. When it is enough, all connections that bring much
are paused, and some of them read on in each of the next turns, the one that has waited longest first. In between, new
clients are accepted and small requests are answered.

Owns how a transport is read, and decides nothing about what is read. Start at :class:`Pressure`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from devproxy.gateway.shared.transports import limit_buffers, unlimit_buffers

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import ByteStream

MANY_SLOW: Final = 64
"""So many connections that take slowly raise it. Each may keep what one read brings until then: 16 MiB in all."""

MANY_BUSY: Final = 64
"""So many connections that bring large pieces in a short time do so as well: what comes may not be taken."""

LARGE_BYTES: Final = 64 * 1024
"""A read of so many bytes is likely to be followed by another one at once."""

LITTLE_BYTES: Final = 16 * 1024
"""Bytes of one read while it is high, and those that wait to be written from which on the other side is not read."""

TURN_BYTES: Final = 2 << 20
"""Bytes that large reads may bring in one turn of the loop before the others have theirs: a few milliseconds."""

READERS_PER_TURN: Final = 16
"""So many of those that wait for their turn are read on in the next one."""


class Pressure:
    """The transports of one gateway. ``is_high``: there are many that move much, and all are read in small pieces."""

    __slots__ = ("_all", "_buffer", "_busy", "_is_counting", "_left", "_loop", "_slow", "_small", "_waiting", "is_high")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._all: set[ByteStream] = set()
        self._busy: set[ByteStream] = set()
        self._slow: set[object] = set()
        self._small: dict[ByteStream, SmallReads] = {}
        self._buffer = memoryview(bytearray(LITTLE_BYTES))
        self._is_counting = False
        self._waiting: dict[ByteStream, None] = {}
        self._left = TURN_BYTES
        self.is_high = False

    def admit(self, transport: ByteStream) -> None:
        """Take a transport that has its first protocol; it belongs here until :meth:`dismiss`."""
        self._all.add(transport)
        if self.is_high:
            self._tighten(transport)

    def dismiss(self, transport: ByteStream) -> None:
        """Forget a transport that is closed."""
        self._all.discard(transport)
        self._busy.discard(transport)
        self._slow.discard(transport)
        self._waiting.pop(transport, None)
        self._small.pop(transport, None)

    @property
    def is_empty(self) -> bool:
        """Whether no transport is open, neither to a client nor to a server."""
        return not self._all

    def abort_all(self) -> None:
        """End every transport at once, whatever is still to be sent on it."""
        for one in list(self._all):
            one.abort()

    def hand_over(self, transport: ByteStream, protocol: Reader) -> None:
        """Give `transport` another protocol, however it is read."""
        if self._small.pop(transport, None) is None:
            transport.set_protocol(protocol)
        else:
            _change(transport, protocol)
            self._tighten(transport)

    def fall_behind(self, one: object) -> None:
        """The peer of `one`, a transport or a stream, reads slowly: more waits to be written to it than allowed."""
        self._slow.add(one)
        if len(self._slow) >= MANY_SLOW:
            self._rise()

    def catch_up(self, one: object) -> None:
        """The peer of `one` has taken what waited."""
        self._slow.discard(one)

    def take_turn(self, transport: ByteStream, size: int) -> None:
        """`transport` has brought `size` bytes with one read, many, and may have more.

        When enough has come in this turn of the loop, no peer that brings much is read again before the next one.
        """
        self._busy.add(transport)
        if len(self._busy) >= MANY_BUSY:
            self._rise()
        if not self._is_counting:
            self._is_counting = True
            self._left = TURN_BYTES
            self._loop.call_soon(self._begin_turn)
        was_left = self._left
        self._left = was_left - size
        if self._left < 0:
            for one in self._busy if was_left >= 0 else (transport,):
                if not one.is_closing() and one.is_reading():
                    one.pause_reading()
                    self._waiting[one] = None

    def _begin_turn(self) -> None:
        """Have the next few of those that wait read on, the one that has waited longest first."""
        self._left = TURN_BYTES
        for one in list(islice(self._waiting, READERS_PER_TURN)):
            del self._waiting[one]
            if not one.is_closing():
                protocol = one.get_protocol()
                assert isinstance(protocol, Reader | SmallReads)
                protocol.read_on()
        self._is_counting = bool(self._waiting)
        if self._is_counting:
            self._loop.call_soon(self._begin_turn)

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

    def _tighten(self, transport: ByteStream) -> None:
        if transport.is_closing() or transport in self._small:
            return
        protocol = transport.get_protocol()
        assert isinstance(protocol, Reader)
        self._small[transport] = small = SmallReads(
            protocol, self._buffer, partial(self.take_turn, transport, LITTLE_BYTES)
        )
        _change(transport, small)
        limit_buffers(transport)

    def _loosen(self, transport: ByteStream) -> None:
        small = self._small.pop(transport)
        if not transport.is_closing():
            _change(transport, small.protocol)
            unlimit_buffers(transport)


class Reader(asyncio.Protocol):
    """A protocol whose transport may be paused for a turn of the loop."""

    __slots__ = ()

    def read_on(self) -> None:
        """Go on reading the transport, unless what came from it is not taken: others have had their turn."""
        raise NotImplementedError


class SmallReads(asyncio.BufferedProtocol):
    """Wraps `protocol` so that it reads no more at once than fits `buffer`, which all of a loop share.

    `take_turn` is called when a read has filled it.
    """

    __slots__ = ("_buffer", "_take_turn", "protocol")

    def __init__(self, protocol: Reader, buffer: memoryview, take_turn: Callable[[], None]) -> None:
        self.protocol = protocol
        self._buffer = buffer
        self._take_turn = take_turn

    def before(self, protocol: Reader) -> SmallReads:
        """Return the same for `protocol`, below which ``protocol`` is: a stream that lies between."""
        return SmallReads(protocol, self._buffer, self._take_turn)

    def get_buffer(self, _: int) -> memoryview:
        """Return where the next bytes go. They are taken from there before any other connection reads."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """Pass on what has come."""
        if size == LITTLE_BYTES:
            self._take_turn()
        self.protocol.data_received(bytes(self._buffer[:size]))

    def read_on(self) -> None:
        """Pass on that reading goes on."""
        self.protocol.read_on()

    def eof_received(self) -> bool | None:
        """Pass the end on."""
        return self.protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on."""
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the peer reads slowly."""
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the peer has caught up."""
        self.protocol.resume_writing()


def _change(transport: ByteStream, protocol: asyncio.BaseProtocol) -> None:
    """Give `transport` another protocol of another kind; uvloop asks for the kind only when reading begins."""
    is_reading = transport.is_reading()
    if is_reading:
        transport.pause_reading()
    transport.set_protocol(protocol)
    if is_reading:
        transport.resume_reading()
