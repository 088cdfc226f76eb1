"""The time of one request that meets no other."""

from __future__ import annotations

import socket
import time
from statistics import median
from typing import Final

from bench.clients.client import WrongAnswer
from bench.load import Done
from bench.traffic import SMALL_BODY, module_request

PAUSE_S: Final = 0.002
"""Between two requests: long enough that nothing is left of the one before, short enough that nothing falls asleep."""


class AddedLatency:
    """One request through the proxy, one straight to its upstream, in turns; the figure is what the first adds.

    The difference of the medians, in microseconds; units are pairs. Blocking sockets: no loop of its own to wait for.
    """

    def __init__(self, port: int, direct: int) -> None:
        self._ports = (port, direct)
        self._sockets: list[socket.socket] = []

    async def open(self) -> None:
        """Connect to both, and ask each once."""
        for port in self._ports:
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)
            for number in range(20):
                _ask(connection, number)

    async def run(self, seconds: float) -> Done:
        """Ask until `seconds` are over."""
        started = time.monotonic()
        through: list[float] = []
        straight: list[float] = []
        while time.monotonic() < started + seconds:
            for connection, times in zip(self._sockets, (through, straight), strict=True):
                time.sleep(PAUSE_S)  # noqa: ASYNC251 - nothing else runs on this loop
                times.append(_ask(connection, len(times)))
        return Done(len(through), time.monotonic() - started, figure=(median(through) - median(straight)) * 1e6)


def _ask(connection: socket.socket, number: int) -> float:
    request = module_request(number % 2000)
    began = time.perf_counter()
    connection.sendall(request)
    got = connection.recv(1 << 16)
    while not got.endswith(SMALL_BODY):
        more = connection.recv(1 << 16)
        if not more:
            raise WrongAnswer(f"the answer ends after {got[-60:]!r}")
        got += more
    took = time.perf_counter() - began
    if not got.startswith(b"HTTP/1.1 200"):
        raise WrongAnswer(f"answered {got[:60]!r}")
    return took
