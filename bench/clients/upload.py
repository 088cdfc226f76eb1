"""Bodies that are sent one after another."""

from __future__ import annotations

import asyncio
import time

from bench.clients.client import WrongAnswer
from bench.load import MIB, Done


class Upload:
    """POSTs bodies of `size` bytes on each of `connections`; units are MiB."""

    def __init__(self, port: int, connections: int, size: int) -> None:
        self._port = port
        self._connections = connections
        self._size = size
        self._streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self) -> None:
        """Connect."""
        for _ in range(self._connections):
            self._streams.append(await asyncio.open_connection("127.0.0.1", self._port))

    async def run(self, seconds: float) -> Done:
        """Send one body after another until `seconds` are over; the last ones are finished."""
        started = time.monotonic()
        deadline = started + seconds
        bodies = sum(await asyncio.gather(*(self._one(*stream, deadline) for stream in self._streams)))
        return Done(bodies * self._size / MIB, time.monotonic() - started)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: float) -> int:
        body = bytes(MIB)
        head = f"POST /api/upload HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: {self._size}\r\n\r\n".encode()
        done = 0
        while time.monotonic() < deadline:
            writer.write(head)
            for start in range(0, self._size, MIB):
                writer.write(body[: self._size - start])
                await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200") or await reader.readexactly(2) != b"ok":
                raise WrongAnswer(f"the upload was answered {answer[:60]!r}")
            done += 1
        return done
