"""A transport made of memory: what is written is kept, and what comes is delivered by hand. Used by tests and bench."""

from __future__ import annotations

import asyncio
from typing import Any


class MemoryTransport(asyncio.Transport):
    """Keeps what is written. ``has_ended``: the gateway has ended its side, in order (FIN) or not (``is_aborted``)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol | asyncio.BufferedProtocol, port: int = 50_000
    ) -> None:
        super().__init__({"peername": ("127.0.0.1", port), "sockname": ("127.0.0.1", 8080)})
        self._loop = loop
        self._protocol = protocol
        self._is_closing = False
        self.written = b""
        self.has_ended = False
        self.is_aborted = False
        self.is_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.has_ended, "nothing may be written behind the end"
        if not self._is_closing:
            self.written += bytes(data)

    def write_eof(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self.is_aborted = True
        self._end(None)

    def lose(self, error: Exception | None = None) -> None:
        """End the connection from the other side."""
        self._end(error)

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return not self.is_paused

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing waits to be written."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def receive(self, data: bytes) -> None:
        """Deliver `data` to the gateway, unless it has closed the connection."""
        while data and not self._is_closing:
            if isinstance(self._protocol, asyncio.Protocol):
                self._protocol.data_received(data)
                return
            room = memoryview(self._protocol.get_buffer(-1))
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self._protocol.buffer_updated(size)
            data = data[size:]

    def receive_eof(self) -> None:
        """Deliver the end of the other side's octets; close as an event loop does."""
        if not self._is_closing and not self._protocol.eof_received():
            self.close()

    def _end(self, error: Exception | None) -> None:
        self.has_ended = True
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(lambda: self._protocol.connection_lost(error))
