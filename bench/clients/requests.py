"""What the clients share that send plain requests over several connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from bench import page
from bench.clients.client import WrongAnswer
from bench.clients.exchange import Asks, Exchange
from bench.clients.http2 import Http2, Slot
from bench.load import Done, Speech
from bench.traffic import first_load_request, first_load_size, module_request

AT_ONCE: Final = 50
"""Connections that are being opened at a time."""


class Requests:
    """`connections` connections, or as many requests in flight on one of HTTP/2, as `speech` has it.

    A subclass starts the work on ``exchanges``; it is over once :meth:`finish` is called.
    """

    def __init__(self, port: int, connections: int, speech: Speech = Speech.PLAIN) -> None:
        self.exchanges: list[Asks] = []
        self._port = port
        self._connections = connections
        self._speech = speech
        self._over: asyncio.Future[None]

    async def open(self) -> None:
        """Connect."""
        self._over = asyncio.get_running_loop().create_future()
        if self._speech is Speech.HTTP2:
            connection = Http2(self._port, self.fail)
            await connection.connect()
            self.exchanges = [Slot(connection)] * self._connections
            return
        for _ in range(self._connections):
            exchange = Exchange(self._port, self.fail, is_secure=self._speech is Speech.TLS)
            await exchange.connect()
            self.exchanges.append(exchange)

    async def until_over(self) -> None:
        """Wait for the end. Raises :class:`WrongAnswer`."""
        await self._over

    def finish(self) -> None:
        """Have it over, whatever is still on its way."""
        if not self._over.done():
            self._over.set_result(None)

    def fail(self, error: Exception) -> None:
        """Have it over with `error`, unless it is over already."""
        if not self._over.done():
            self._over.set_exception(error)

    def check(self, *, is_right: bool, what: str) -> None:
        """Fail with `what` unless it is right."""
        if not is_right:
            self.fail(WrongAnswer(what))


class Repeated(Requests):
    """The same requests in turns on every connection until the time is over; units are answers.

    `is_right`: whether the body of an answer is.
    """

    def __init__(
        self,
        port: int,
        connections: int,
        requests: Sequence[bytes],
        is_right: Callable[[bytes], bool],
        speech: Speech = Speech.PLAIN,
    ) -> None:
        super().__init__(port, connections, speech)
        self._requests = requests
        self._is_right = is_right
        self._count = 0
        self._deadline = 0.0

    async def run(self, seconds: float) -> Done:
        """Ask until `seconds` are over."""
        started = time.monotonic()
        self._deadline = started + seconds
        for number, exchange in enumerate(self.exchanges):
            self._next(exchange, number * len(self._requests) // len(self.exchanges))
        await self.until_over()
        return Done(self._count, time.monotonic() - started)

    def _next(self, exchange: Asks, number: int) -> None:
        def answered(_head: bytes, body: bytes) -> None:
            self.check(is_right=self._is_right(body), what=f"the body is {body[:60]!r}, {len(body)} octets")
            self._count += 1
            if time.monotonic() >= self._deadline:
                self.finish()
            else:
                self._next(exchange, (number + 1) % len(self._requests))

        exchange.ask(self._requests[number], answered)


class FirstLoads(Requests):
    """Files that nobody has asked for before, one after another on every connection until time is over.

    Units are answers. `first`: the number of the first file; no two runs on one proxy may have numbers in common.
    `distinct`: how many files there are until they are asked for again; 0: without end.
    """

    def __init__(self, port: int, connections: int, first: int, distinct: int, speech: Speech = Speech.PLAIN) -> None:
        super().__init__(port, connections, speech)
        self._first = first
        self._distinct = distinct
        self._asked = 0
        self._count = 0
        self._deadline = 0.0

    async def run(self, seconds: float) -> Done:
        """Ask until `seconds` are over."""
        started = time.monotonic()
        self._deadline = started + seconds
        for exchange in self.exchanges:
            self._next(exchange)
        await self.until_over()
        return Done(self._count, time.monotonic() - started)

    def _next(self, exchange: Asks) -> None:
        number = self._first + (self._asked % self._distinct if self._distinct else self._asked)
        self._asked += 1

        def answered(head: bytes, body: bytes) -> None:
            is_right = len(body) == first_load_size(number) and b'etag: "%x"' % number in head
            self.check(is_right=is_right, what=f"file {number} is {head!r}, {len(body)} bytes")
            self._count += 1
            if time.monotonic() >= self._deadline:
                self.finish()
            else:
                self._next(exchange)

        exchange.ask(first_load_request(number), answered)


class IdleConnections(Requests):
    """Connections on which one request was answered and nothing happens any more; units are the connections.

    Each is one of its own, over HTTP/2 too.
    """

    async def open(self) -> None:
        """Connect, some at a time, and ask once on each."""
        self._over = asyncio.get_running_loop().create_future()
        while len(self.exchanges) < self._connections:
            fresh = min(AT_ONCE, self._connections - len(self.exchanges))
            await asyncio.gather(*(self._open_one() for _ in range(fresh)))

    async def _open_one(self) -> None:
        connection: Exchange | Http2
        if self._speech is Speech.HTTP2:
            connection = Http2(self._port, self.fail)
            await connection.connect()
        else:
            connection = Exchange(self._port, self.fail, is_secure=self._speech is Speech.TLS)
            await connection.connect()
        self.exchanges.append(connection)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.ask(module_request(0), lambda _head, _body: answered.set_result(None))
        await asyncio.wait((answered, self._over), return_when=asyncio.FIRST_COMPLETED)

    async def run(self, seconds: float) -> Done:
        """Wait for `seconds`."""
        await asyncio.wait((self._over,), timeout=seconds)
        if self._over.done():
            await self.until_over()
        return Done(len(self.exchanges), seconds)


class PageLoads(Requests):
    """All modules of a page, each asked for on the first connection that is free; the page again until time is over.

    Units are pages; the figure is the median of their wall times in milliseconds.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port, page.CONNECTIONS)
        self._modules = page.modules()
        self._next_module = 0
        self._missing = 0

    async def run(self, seconds: float) -> Done:
        """Load the page until `seconds` are over, and once at least."""
        started = time.monotonic()
        times: list[float] = []
        while not times or time.monotonic() < started + seconds:
            times.append(await self._load())
        return Done(len(times), time.monotonic() - started, figure=median(times) * 1000)

    async def _load(self) -> float:
        self._over = asyncio.get_running_loop().create_future()
        self._next_module, self._missing = 0, len(self._modules)
        began = time.perf_counter()
        for exchange in self.exchanges:
            self._ask(exchange)
        await self.until_over()
        return time.perf_counter() - began

    def _ask(self, exchange: Asks) -> None:
        number = self._next_module
        if number >= len(self._modules):
            return
        self._next_module += 1
        module = self._modules[number]

        def answered(_head: bytes, body: bytes) -> None:
            is_right = len(body) == module.size and body.startswith(page.mark(number))
            self.check(is_right=is_right, what=f"{module.target} is {body[:60]!r}, {len(body)} octets")
            self._missing -= 1
            if self._missing:
                self._ask(exchange)
            else:
                self.finish()

        exchange.ask(module.request, answered)
