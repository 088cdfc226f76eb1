"""Hostile and unlucky clients against a devproxy of its own process: it answers, serves the others, and gives all back.

Memory and file descriptors are read from ``/proc``. Each attack is run three times: the first ones may fill caches and
pools, the last must not raise the level any more, and the descriptors must each time be those of the beginning.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from devproxy.gateway.front.descriptors import IDLE_FOR_S
from tests.support.gateway_process import GatewayProcess
from tests.support.wire import DEADLINE_S, Wire, soon, until

CROWD = 2000
SMALL_CROWD = 300
"""Even a machine with a hard limit of 1024 open files lets this many connect."""

MAX_GROWTH_KIB = 48 * 1024
MAX_LATER_GROWTH_KIB = 3 * 1024
ROUNDS = 5
"""The pieces that a crowd leaves in the heap take three rounds to find their places; then hardly anything grows."""
MOST_ROUNDS = 9
TIMEOUT_S = 0.3
"""For a head, and for a connection to the server that does nothing."""
QUIET_S = 2 * TIMEOUT_S

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


# -- the bench -------------------------------------------------------------------------------------------------------


class Bench:
    """A devproxy with a small server behind it. ``limit``: how many files this process, the client, may have open."""

    def __init__(self, gateway: GatewayProcess, limit: int) -> None:
        self.gateway = gateway
        self.limit = limit
        self._wires: list[Wire] = []

    async def client(self) -> Wire:
        """Return a new connection to devproxy."""
        sock = socket.socket()
        sock.setblocking(False)
        wire = Wire(sock)
        self._wires.append(wire)
        await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.gateway.port)))
        return wire

    async def answer(self, request: bytes) -> bytes:
        """Send `request` on a new connection; return all that comes until devproxy ends it."""
        client = await self.client()
        try:
            await client.send_all(request)
        except (ConnectionResetError, BrokenPipeError):
            pass  # refused before its end; the answer is there
        answer = await client.rest()
        client.close()
        return answer

    async def is_serving(self) -> bool:
        """Tell whether a well-behaved client is served at once."""
        started = time.monotonic()
        answer = await self.answer(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"ok") and time.monotonic() - started < 5

    def hang_up(self) -> None:
        """Close every connection."""
        while self._wires:
            self._wires.pop().close()

    def descriptors(self) -> int:
        """Return how many files devproxy has open."""
        return len(os.listdir(f"/proc/{self.gateway.program.pid}/fd"))

    def is_watching(self) -> bool:
        """Tell whether devproxy watches its configuration, for which it opens files a second after its start."""
        for file in Path(f"/proc/{self.gateway.program.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(file) == "anon_inode:inotify":
                    return True
        return False

    def resident_kib(self) -> int:
        """Return how much memory devproxy holds."""
        status = Path(f"/proc/{self.gateway.program.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    async def settled(self, descriptors: int) -> int:
        """Wait until devproxy has no more than so many files open; return what memory it holds then."""
        deadline = time.monotonic() + DEADLINE_S
        while self.descriptors() > descriptors:
            assert time.monotonic() < deadline, f"{self.descriptors()} files are open, {descriptors} were at the start"
            await asyncio.sleep(0.05)
        return self.resident_kib()

    async def assert_all_is_given_back(self, attack: Callable[[], Awaitable[None]]) -> None:
        """Run `attack` several times; its memory and its descriptors must come back each time.

        Memory may grow once more in any round, when buffers meet in another order: it grows and grows if no round ends
        with hardly more than all before.
        """
        assert await self.is_serving()
        descriptors = await self.quiet_descriptors()
        start = self.resident_kib()
        levels = []
        for number in range(MOST_ROUNDS):
            await attack()
            self.hang_up()
            levels.append(await self.settled(descriptors))
            if number >= ROUNDS - 1 and levels[-1] - max(levels[:-1]) < MAX_LATER_GROWTH_KIB:
                break
        else:
            pytest.fail(f"it grows and grows: {levels} KiB")
        assert max(levels) - start < MAX_GROWTH_KIB
        assert await self.is_serving()

    async def quiet_descriptors(self) -> int:
        """Return how many files are open when nothing happens and no connection to the server is kept."""
        count, since = self.descriptors(), time.monotonic()
        while time.monotonic() - since < QUIET_S:
            await asyncio.sleep(0.05)
            if (now := self.descriptors()) != count:
                count, since = now, time.monotonic()
        return count


class SmallServer(asyncio.Protocol):
    """Answers every request with two octets. ``transports``: of all connections there are."""

    def __init__(self, transports: set[asyncio.Transport]) -> None:
        self._transports = transports
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._transports.add(self.transport)

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * len(requests))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transports.discard(self.transport)


@pytest.fixture(scope="module")
def open_files() -> Iterator[int]:
    """Raise the soft limit of this process as far as it may; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(hard, max(soft, 8192))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(params=["uvloop", "asyncio"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, open_files: int) -> AsyncIterator[Bench]:
    transports: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SmallServer(transports), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "devproxy.toml"
    file.write_text(
        f'[server]\nhead_timeout_s = {TIMEOUT_S}\n[upstreams.backend]\nservers = ["http://127.0.0.1:{port}"]\n'
        f'idle_timeout_s = {TIMEOUT_S}\n[[routes]]\npath = "/"\nupstream = "backend"\n'
    )
    gateway = await asyncio.to_thread(GatewayProcess, "--config", file, "--loop", request.param, cwd=tmp_path)
    bench = Bench(gateway, open_files)
    try:
        await until(bench.is_watching)
        yield bench
    finally:
        bench.hang_up()
        await asyncio.to_thread(gateway.stop)
        server.close()
        for transport in list(transports):
            transport.abort()
        await until(lambda: not transports)


# -- slow and large --------------------------------------------------------------------------------------------------


async def test_slow_heads_time_out_while_others_are_served(bench: Bench) -> None:
    async def attack() -> None:
        slow = [await bench.client() for _ in range(100)]
        for client in slow:
            client.send(b"GET / HTTP/1.1\r\nX: ")
        answers = [asyncio.ensure_future(client.rest()) for client in slow]
        drops = asyncio.ensure_future(drip(slow))
        assert await bench.is_serving()
        for answer in await soon(asyncio.gather(*answers)):
            assert answer.startswith(b"HTTP/1.1 408 ")
        drops.cancel()

    await bench.assert_all_is_given_back(attack)


async def drip(clients: list[Wire]) -> None:
    """Send one octet now and then on each connection, until that is refused."""
    while True:
        for client in clients:
            try:
                client.send(b"x")
            except OSError:
                continue
        await asyncio.sleep(0.1)


LARGE = {
    "ten thousand fields": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: 1\r\n" * 10_000 + b"\r\n"),
    "a field of 1 MB": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 1_000_000 + b"\r\n\r\n"),
    "a field name of 1 MB": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x" * 1_000_000 + b": 1\r\n\r\n"),
    "a request line of 1 MB": (414, b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a URL of 64 KiB": (414, b"GET /" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "a line of 1 MB without an end": (414, b"x" * 1_000_000),
}


async def test_what_is_too_large_gets_its_status(bench: Bench) -> None:
    async def attack() -> None:
        for name, (status, request) in LARGE.items():
            answer = await bench.answer(request)
            assert answer.startswith(b"HTTP/1.1 %d " % status), name

    await bench.assert_all_is_given_back(attack)


# -- what is no HTTP -------------------------------------------------------------------------------------------------

GARBAGE = {
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "every octet": bytes(range(256)) * 20,
    "an SSH banner": b"SSH-2.0-OpenSSH_9.6\r\n",
    "an SMTP greeting": b"EHLO localhost\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "nearly HTTP/2": b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "MQTT": b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00",
    "PROXY protocol": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x02",
}


async def test_garbage_is_refused_and_the_connection_closed(bench: Bench) -> None:
    async def attack() -> None:
        for name, octets in GARBAGE.items():
            answer = await bench.answer(octets)
            assert answer[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 505 "), name
            assert answer.count(b"HTTP/1.1 ") == 1, name

    await bench.assert_all_is_given_back(attack)


async def test_a_tls_hello_gets_a_hint_that_the_port_speaks_http(bench: Bench) -> None:
    hello, _ = ssl_hello()

    async def attack() -> None:
        for _ in range(50):
            answer = await bench.answer(hello)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"TLS" in answer
            assert b"this port speaks http" in answer

    await bench.assert_all_is_given_back(attack)
    said = bench.gateway.event("exchange_finished", lambda event: event["status"] == 400, "the refusal")
    assert "TLS" in said["detail"]


def ssl_hello() -> tuple[bytes, ssl.SSLObject]:
    """Return what a real TLS client sends first."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read(), client


# -- many ------------------------------------------------------------------------------------------------------------


async def test_two_thousand_clients_at_once_are_served(bench: Bench) -> None:
    # This process holds both outer ends: a client's, and the server's for each request that is under way.
    count = min(CROWD, (bench.limit - 200) // 2)
    assert count >= SMALL_CROWD, "the limit of open files is too low to test anything"

    async def attack() -> None:
        clients = [await bench.client() for _ in range(count)]
        for _ in range(2):
            for client in clients:
                client.send(GET)
            for client in clients:
                assert (await client.head()).startswith(b"HTTP/1.1 200 ")
                assert await client.read(2) == b"ok"
        assert bench.descriptors() > count

    await bench.assert_all_is_given_back(attack)


async def test_clients_that_leave_in_the_middle_of_everything_leave_nothing_behind(bench: Bench) -> None:
    upload = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
    pieces = (b"", b"G", b"GET / HTTP/1.1\r\n", GET, GET * 3, upload)

    async def attack() -> None:
        for number in range(300):
            client = await bench.client()
            client.send(pieces[number % len(pieces)])
            if number % 2:
                client.reset()
            else:
                client.close()

    await bench.assert_all_is_given_back(attack)


# -- no descriptors left ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def few_descriptors(bench: Bench) -> AsyncIterator[int]:
    """Let devproxy have 160 descriptors; give how many it has while nobody is there."""
    pid = bench.gateway.program.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert await bench.is_serving()
    descriptors = await bench.quiet_descriptors()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (160, hard))
    try:
        await asyncio.sleep(0.7)  # devproxy looks at its limit twice a second
        yield descriptors
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))


@pytest.mark.alone
async def test_out_of_descriptors_it_waits_and_says_so_once_and_recovers(bench: Bench) -> None:
    async with few_descriptors(bench) as descriptors:
        for _ in range(2):
            clients = [await bench.client() for _ in range(250)]
            for client in clients:
                client.send(GET)
            served = [asyncio.ensure_future(client.read(1)) for client in clients]
            await wait_for_event(bench, "descriptor_shortage", 1)
            assert bench.descriptors() <= 160
            done = await count_settled(served)
            assert 50 < done < 250, "some are served, the others wait: nobody is turned away"
            for client in clients[:200]:  # those that have been served leave, and the others have their turn
                client.close()
            for waiting in served[200:]:
                assert await soon(waiting) == b"H"
            for answer in served:
                answer.cancel()
            bench.hang_up()
            await bench.settled(descriptors)
        assert await bench.is_serving()
    told = bench.gateway.events("descriptor_shortage")
    assert [event["is_over"] for event in told] == [False, True], "once, although it came twice"
    assert told[0]["limit"] == 160


async def test_out_of_descriptors_those_who_wait_get_the_places_of_those_who_do_nothing(bench: Bench) -> None:
    async with few_descriptors(bench) as descriptors:
        idle = [await bench.client() for _ in range(100)]
        for client in idle:
            client.send(GET)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            assert await client.read(2) == b"ok"
        late = [await bench.client() for _ in range(40)]
        started = time.monotonic()
        for client in late:
            client.send(GET)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - started < 10, "idle connections may stay for 75 s otherwise"
        bench.hang_up()
        await bench.settled(descriptors)


async def wait_for_event(bench: Bench, kind: str, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while len(bench.gateway.events(kind)) < count:
        assert time.monotonic() < deadline, f"no {kind}"
        await asyncio.sleep(0.02)


def count_of(answers: Sequence[asyncio.Future[bytes]]) -> int:
    """Return how many of `answers` are there."""
    return sum(answer.done() and answer.exception() is None for answer in answers)


async def count_settled(answers: Sequence[asyncio.Future[bytes]]) -> int:
    """Return how many of `answers` are there, once none has come for much less than ``descriptors.IDLE_FOR_S``."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < IDLE_FOR_S / 3:
        if (now := count_of(answers)) != count:
            count, since = now, time.monotonic()
        await asyncio.sleep(0.02)
    return count


async def test_without_a_descriptor_for_the_server_the_answer_says_so_and_a_later_request_is_served(
    bench: Bench,
) -> None:
    pid = bench.gateway.program.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    client = await bench.client()
    client.send(GET)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert await client.read(2) == b"ok"
    await bench.quiet_descriptors()
    numbers = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    lowest_free = next(number for number in range(10_000) if number not in numbers)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
    client.send(GET)
    try:
        head = await client.head()
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nX-Devproxy-Error: out-of-descriptors\r\n" in head
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert b"no file descriptor left" in await client.read(length)
    await wait_for_event(bench, "descriptor_shortage", 2)
    client.send(GET)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    states = bench.gateway.events("upstream_state")
    assert all(state["is_up"] for state in states), f"the server was never away: {json.dumps(states)}"
