"""A transport whose other end is in this process: what is written goes to a peer, what that gives comes as if read.

For servers that are no programs of their own. It keeps to the order and the turns of a socket: nothing is delivered
within a call that writes, and nothing while reading is paused. Start at :class:`InProcessTransport`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol

PIECE_BYTES: Final = 256 * 1024
"""What is delivered at once, as a read from a socket would be."""


class Peer(Protocol):
    """The other end of a transport."""

    def receive(self, data: bytes) -> None:
        """Take what was written."""

    def finish(self) -> None:
        """Nothing more will be written."""

    def lose(self) -> None:
        """The transport is closed; called once."""


class InProcessTransport(asyncio.Transport):
    """Between `protocol` and the peer that :meth:`join` names."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._peer: Peer | None = None
        self._waiting: deque[bytes] = deque()
        self._is_due = self._is_paused = self._is_closing = False
        self._ends_with: tuple[Exception | None] | None = None

    def join(self, peer: Peer) -> None:
        """Let `peer` be the other end, and begin."""
        self._peer = peer
        self._protocol.connection_made(self)

    # -- the peer's side -----------------------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Have the protocol read `data`, when it is its turn."""
        if not self._is_closing and self._ends_with is None:
            self._waiting += (data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES))
            self._plan()

    def end(self, error: Exception | None = None) -> None:
        """End the connection when all that was delivered has been read; `error`: why, if that was not due."""
        if self._ends_with is None:
            self._ends_with = (error,)
            self._plan()

    def _plan(self) -> None:
        if not self._is_due and not self._is_paused and not self._is_closing:
            self._is_due = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_due = False
        if self._is_paused or self._is_closing:
            return
        if self._waiting:
            self._give(self._waiting.popleft())
            if self._waiting or self._ends_with is not None:
                self._plan()
        elif self._ends_with is not None:
            self._close(self._ends_with[0])

    def _give(self, data: bytes) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)
            return
        assert isinstance(protocol, asyncio.BufferedProtocol)
        buffer = memoryview(protocol.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        if size < len(data):
            self._waiting.appendleft(data[size:])
        protocol.buffer_updated(size)

    # -- the protocol's side -------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give `data` to the peer."""
        if self._peer is not None and not self._is_closing and data:
            self._peer.receive(bytes(data))

    def write_eof(self) -> None:
        """Tell the peer that nothing follows."""
        if self._peer is not None and not self._is_closing:
            self._peer.finish()

    def can_write_eof(self) -> bool:
        """Tell that one direction can end before the other."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return 0: the peer takes everything at once."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: nothing is kept."""

    def close(self) -> None:
        """End; what is still to be read is not."""
        self._close(None)

    def abort(self) -> None:
        """End at once."""
        self._close(None)

    def is_closing(self) -> bool:
        """Tell whether it has ended."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Tell whether what comes is read."""
        return not self._is_paused and not self._is_closing

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Read on."""
        self._is_paused = False
        if self._waiting or self._ends_with is not None:
            self._plan()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return what reads."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let `protocol` read from now on."""
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return `default`: there is no socket and no address."""
        return default

    def _close(self, error: Exception | None) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._waiting.clear()
        if self._peer is not None:
            self._peer.lose()
        self._loop.call_soon(lambda: self._protocol.connection_lost(error))
