"""Requests that never repeat: what devproxy remembers is bounded by itself, and what is new costs the same for ever.

``python -m tests.soak --fresh 1000000`` sends so many through one devproxy and nothing else, over 10,000 connections
that stay open, a few of them at a time. Targets, first segments, cookies, Referers, tags and lengths are new each time,
of some also Host, Origin and method. Start at :func:`run_fresh`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from multiprocessing import Process, Queue
from pathlib import Path
from statistics import median

from bench.measure import cpu_s
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import free_port, wait_for

CONNECTIONS = 10_000
AT_ONCE = 16
"""Requests on their way at a time."""
MAX_RESIDENT_KIB = 128 * 1024
"""With so many connections; the bound of what is remembered is a small part of it."""
MAX_GROWTH_KIB = 12 * 1024
"""What may come to it after the first block: tables of a bounded size fill up, the last of them after some 400,000."""
MAX_LATE_GROWTH_KIB = 2 * 1024
"""What may come to it in the second half of a long run, when they are full."""
LONG = 800_000
"""Requests from which on a run is long."""
BLOCK = 50_000
"""Requests whose cost is compared."""
SLICE = 1_000
"""A block's cost is the median of those of its slices: something else runs on the machine, too."""
ALLOWED = 1.15
"""The cost of the last block against that of the second."""
CLIFF = 2.0
"""The cost of any slice against that: what is remembered may not be forgotten so that all have to learn it again."""


class _Server(asyncio.Protocol):
    """Answers each request by the number at the beginning of its target: tag, cookie and length are new."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if b" HTTP/1.1\r\n" not in data:
            return  # the rest of a body
        number = int(data[data.index(b"/") + 1 : data.index(b"/x")])
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nDate: Sat, 21 Nov 2026 09:00:00 GMT\r\n"
            b'ETag: W/"%x"\r\nSet-Cookie: s=%x; Path=/\r\nContent-Length: %d\r\n\r\n'
            % (number, number, number % 4099)
            + bytes(number % 4099)
        )


def _serve(ports: Queue[int]) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def _request(number: int, port: int) -> bytes:
    """Return the request with this number; no other has the same lines but for those that every browser repeats."""
    host = b"h%d.localhost:%d" % (number, port) if number % 64 == 0 else b"localhost:%d" % port
    origin = b"Origin: http://o%d.localhost\r\n" % number if number % 64 == 1 else b""
    body = b"x" * (number % 997) if number % 32 == 2 else b""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (
        b"%b /%d/x?t=%d HTTP/1.1\r\nHost: %b\r\nConnection: keep-alive\r\nUser-Agent: soak\r\nAccept: */*\r\n%b%b"
        b"Sec-Fetch-Site: same-origin\r\nReferer: http://localhost:%d/%d\r\nCookie: s=%x\r\n"
        b'If-None-Match: W/"%x"\r\n\r\n%b'
    ) % (b"POST" if body else b"GET", number, number, host, origin, length, port, number, number, number, body)


class _Client(asyncio.Protocol):
    """Sends a request when it is told to, and says when its answer is there."""

    def __init__(self, port: int, answered: Callable[[_Client], None]) -> None:
        self._port, self._answered = port, answered
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.transport.is_closing():
            raise RuntimeError(f"a connection was lost: {exc}")

    def ask(self, number: int) -> None:
        self._number = number
        self.transport.write(_request(number, self._port))

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, end, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 ") or b'ETag: W/"%x"' % self._number not in head or not end:
                raise RuntimeError(f"request {self._number} was answered with {data[:500]!r}")
            self._missing = self._number % 4099 - len(body)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._answered(self)


class _Crowd:
    """Connections that stay open, of which :data:`AT_ONCE` ask at a time, in turns."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._resting: deque[_Client] = deque()
        self._number = self._left = self._asking = 0

    async def open(self, connections: int) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._fail)
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: _Client(self._port, self._go_on), "127.0.0.1", self._port)
            self._resting.append(client)

    async def send(self, count: int) -> None:
        """Send the next `count` requests and wait for their answers. Raises RuntimeError for a wrong one."""
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = count
        for _ in range(AT_ONCE):
            self._begin()
        await self._over

    def close(self) -> None:
        """End all connections."""
        for client in self._resting:
            client.transport.abort()

    def _begin(self) -> None:
        self._number += 1
        self._left -= 1
        self._asking += 1
        self._resting.popleft().ask(self._number)

    def _go_on(self, client: _Client) -> None:
        self._resting.append(client)
        self._asking -= 1
        if self._left:
            self._begin()
        elif not self._asking:
            self._over.set_result(None)

    def _fail(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not self._over.done():
            self._over.set_exception(RuntimeError(f"a client failed: {context}"))


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def run_fresh(count: int, folder: Path) -> int:
    """Send `count` requests that never repeat, at least three blocks; print what they cost; return the exit code."""
    count = max(count, 3 * BLOCK)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # devproxy, which inherits it, does so by itself
    ports: Queue[int] = Queue()
    server = Process(target=_serve, args=(ports,), daemon=True)
    server.start()
    file = folder / "fresh.toml"
    backend = f"http://127.0.0.1:{ports.get(timeout=30)}"
    file.write_text(f'[upstreams]\nbackend = "{backend}"\n[[routes]]\npath = "/"\nupstream = "backend"\n')
    port = free_port()
    command = [*COMMAND, "up", "--listen", f"localhost:{port}", "--config", str(file)]
    # With its log, which is thrown away: what the log remembers counts, too.
    gateway = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.PIPE, env=os.environ | ENVIRONMENT)
    assert gateway.stderr is not None
    log = gateway.stderr
    threading.Thread(target=lambda: all(iter(lambda: os.read(log.fileno(), 65_536), b"")), daemon=True).start()
    try:
        wait_for(lambda: _is_listening(port), "devproxy")
        return _measure(count, port, gateway.pid)
    finally:
        gateway.terminate()
        code = gateway.wait(30)
        server.terminate()
        server.join()
        assert code == 0, f"devproxy ended with {code}"


def _measure(count: int, port: int, pid: int) -> int:
    started = time.monotonic()
    costs, resident, settled, half = asyncio.run(_costs(count, port, pid))
    per_block = BLOCK // SLICE
    second, last = median(costs[per_block : 2 * per_block]), median(costs[-per_block:])
    dearest = _neighbours(costs[per_block:])
    faults = []
    if resident >= MAX_RESIDENT_KIB:
        faults.append(f"it holds {resident / 1024:.1f} MiB at the end")
    if resident - settled > MAX_GROWTH_KIB:
        faults.append(f"it holds {(resident - settled) / 1024:.1f} MiB more than after the first {BLOCK:,}")
    if count >= LONG and resident - half > MAX_LATE_GROWTH_KIB:
        faults.append(f"it holds {(resident - half) / 1024:.1f} MiB more than after half of them")
    if last > second * ALLOWED:
        faults.append(f"the last {BLOCK:,} cost {last / second:.2f} times what the second {BLOCK:,} cost")
    if dearest > second * CLIFF:
        faults.append(f"two slices of {SLICE:,} in a row cost {dearest / second:.2f} times what others cost")
    say = sys.stdout.write
    say(f"\nrequests that never repeat: {count:,} over {CONNECTIONS:,} connections ")
    say(f"in {time.monotonic() - started:.0f} s\n")
    say(f"cost of each: {second:.1f} us in the second {BLOCK:,}, {last:.1f} us in the last; ")
    say(f"{dearest:.1f} us in the dearest {2 * SLICE:,} in a row\n")
    say(f"memory: {settled / 1024:.1f} MiB after the first {BLOCK:,}, {half / 1024:.1f} MiB after half of them, ")
    say(f"{resident / 1024:.1f} MiB at the end\n")
    for fault in faults:
        say(f"  {fault}\n")
    sys.stdout.flush()
    return 1 if faults else 0


async def _costs(count: int, port: int, pid: int) -> tuple[list[float], int, int, int]:
    """Return what each slice cost in microseconds a request, and the memory at the end, after a block and half-way."""
    costs: list[float] = []
    settled = half = 0
    crowd = _Crowd(port)
    await crowd.open(CONNECTIONS)
    for _ in range(0, count, SLICE):
        before = cpu_s((pid,))
        await crowd.send(SLICE)
        costs.append((cpu_s((pid,)) - before) / SLICE * 1_000_000)
        if len(costs) * SLICE == BLOCK:
            settled = _resident_kib(pid)
        if len(costs) * SLICE == count // (2 * SLICE) * SLICE:
            half = _resident_kib(pid)
    crowd.close()
    return costs, _resident_kib(pid), settled, half


def _neighbours(costs: Sequence[float]) -> float:
    """Return the cost of the dearest slice that has a neighbour as dear: what disturbs one alone is the machine."""
    return max(min(pair) for pair in pairwise(costs))
