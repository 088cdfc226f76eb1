"""Requests that never repeat: what devproxy remembers is bounded by itself, and what is new costs the same for ever.

``python -m tests.soak --fresh 1000000`` sends so many through one devproxy and nothing else. Targets, first segments,
cookies, Referers, tags and lengths are new each time, of some also Host, Origin and method. Start at :func:`run_fresh`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import Process, Queue
from pathlib import Path
from statistics import median

from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import free_port, wait_for

CLIENTS = 16
MAX_RESIDENT_KIB = 64 * 1024
BLOCK = 50_000
"""Requests whose cost is compared."""
SLICE = 2_500
"""A block's cost is the median of those of its slices: something else runs on the machine, too."""
ALLOWED = 1.15
"""The cost of the last block against that of the second."""
_TICKS = os.sysconf("SC_CLK_TCK")


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
    """Sends a request, waits for its answer, and goes on with the next number that nobody has sent yet."""

    def __init__(self, port: int, numbers: list[int], running: set[_Client], over: asyncio.Event) -> None:
        self._port, self._numbers, self._running, self._over = port, numbers, running, over
        running.add(self)
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._running.discard(self)
        if not self._running or self._missing:
            self._over.set()

    def _send(self) -> None:
        if not self._numbers[0]:
            self._transport.close()
            return
        self._numbers[0] -= 1
        self._numbers[1] += 1
        self._number = self._numbers[1]
        self._transport.write(_request(self._number, self._port))

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            head, end, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 ") or b'ETag: W/"%x"' % self._number not in head or not end:
                raise RuntimeError(f"request {self._number} was answered with {data[:500]!r}")
            self._missing = self._number % 4099 - len(body)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._send()


async def _send_all(port: int, first: int, count: int) -> None:
    numbers, over = [count, first], asyncio.Event()
    loop = asyncio.get_running_loop()
    failed: list[object] = []

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        failed.append(context)
        over.set()

    loop.set_exception_handler(fail)
    running: set[_Client] = set()
    for _ in range(CLIENTS):
        await loop.create_connection(lambda: _Client(port, numbers, running, over), "127.0.0.1", port)
    await over.wait()
    if failed:
        raise RuntimeError(f"a client failed: {failed[0]}")


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _cpu_s(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / _TICKS


def _resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def run_fresh(count: int, folder: Path) -> int:
    """Send `count` requests that never repeat, at least three blocks; print what they cost; return the exit code."""
    count = max(count, 3 * BLOCK)
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
    costs: list[float] = []
    started = time.monotonic()
    for first in range(0, count, SLICE):
        before = _cpu_s(pid)
        asyncio.run(_send_all(port, first, SLICE))
        costs.append((_cpu_s(pid) - before) / SLICE * 1_000_000)
    per_block = BLOCK // SLICE
    second, last = median(costs[per_block : 2 * per_block]), median(costs[-per_block:])
    resident = _resident_kib(pid)
    faults = []
    if resident >= MAX_RESIDENT_KIB:
        faults.append(f"it holds {resident / 1024:.1f} MiB at the end")
    if last > second * ALLOWED:
        faults.append(f"the last {BLOCK:,} cost {last / second:.2f} times what the second {BLOCK:,} cost")
    say = sys.stdout.write
    say(f"\nrequests that never repeat: {count:,} in {time.monotonic() - started:.0f} s\n")
    say(f"cost of each: {second:.1f} us in the second {BLOCK:,}, {last:.1f} us in the last\n")
    say(f"memory at the end: {resident / 1024:.1f} MiB\n")
    for fault in faults:
        say(f"  {fault}\n")
    sys.stdout.flush()
    return 1 if faults else 0
