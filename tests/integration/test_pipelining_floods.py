"""One client that pipelines as fast as it can: what devproxy keeps of it is bounded, and each request costs the same.

Memory is read from ``/proc``; work is counted in octets that the grammars are handed, never in time.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from devproxy.gateway.front import client as downstream
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.head import recall_request_head
from devproxy.http1.reader import HeadReader
from tests.support.gateway_process import GatewayProcess
from tests.support.in_memory import World

WARMING_S = 0.4
"""What any client costs has been spent by then: connections, code, tables."""
FLOOD_S = 1.0
MAX_GROWTH_KIB = 8 * 1024
PIECE = 256 * 1024

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOODS = {
    "GET": GET,
    "behind empty lines": b"\r\n" * 7 + GET,
    "POST": POST,
    "a body of tiny chunks": CHUNKED + b"1\r\na\r\n" * 300 + b"0\r\n\r\n",
    "tiny chunked bodies": CHUNKED + b"1\r\na\r\n0\r\n\r\n",
    "answered by devproxy": b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "refused upgrades": GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
}


class Answering(asyncio.Protocol):
    """Answers each head with two octets, and takes bodies for nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        heads = data.count(b" HTTP/1.1\r\n")
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * heads)


@pytest.fixture
async def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "devproxy.toml"
    file.write_text(f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "backend"\n')
    options = ("--config", file, "--loop", request.param, "--quiet")
    running = await asyncio.to_thread(GatewayProcess, *options, cwd=tmp_path)
    try:
        yield running
    finally:
        await asyncio.to_thread(running.stop)
        server.close()


def resident_kib(gateway: GatewayProcess) -> int:
    status = Path(f"/proc/{gateway.program.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


async def flood(gateway: GatewayProcess, octets: bytes, *, reads: bool, seconds: float = FLOOD_S) -> int:
    """Send `octets` again and again for some seconds; return the most memory that devproxy had meanwhile, in KiB."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", gateway.port))
    piece = octets * (PIECE // len(octets) + 1)

    async def send() -> None:
        while True:
            await loop.sock_sendall(client, piece)

    async def read() -> None:
        while await loop.sock_recv(client, 1 << 20):
            pass

    tasks = [asyncio.ensure_future(work()) for work in ((send, read) if reads else (send,))]
    most, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        await asyncio.sleep(0.02)
        most = max(most, resident_kib(gateway))
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await task
    client.close()
    return most


@pytest.mark.parametrize("gateway", ["uvloop"], indirect=True)
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "never reads"])
@pytest.mark.parametrize("octets", FLOODS.values(), ids=FLOODS)
async def test_a_client_that_pipelines_without_end_costs_8_mib_at_most(
    gateway: GatewayProcess, octets: bytes, reads: bool
) -> None:
    await flood(gateway, octets, reads=True, seconds=WARMING_S)
    before = resident_kib(gateway)
    assert await flood(gateway, octets, reads=reads) - before < MAX_GROWTH_KIB


@pytest.mark.parametrize("gateway", ["asyncio"], indirect=True)
@pytest.mark.parametrize("reads", [True, False], ids=["reads", "never reads"])
async def test_so_it_does_on_the_loop_of_asyncio(gateway: GatewayProcess, reads: bool) -> None:
    await flood(gateway, POST, reads=True, seconds=WARMING_S)
    before = resident_kib(gateway)
    assert await flood(gateway, POST, reads=reads) - before < MAX_GROWTH_KIB


# -- work --------------------------------------------------------------------------------------------------------------

HEALTH = b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
TO_HEALTH = b"POST /__devproxy/x HTTP/1.1\r\nHost: localhost\r\n"
STREAMS = {
    "one head": HEALTH,
    "new heads": b"GET /__devproxy/health?%07d HTTP/1.1\r\nHost: localhost\r\nX-New: %07d\r\n\r\n",
    "behind empty lines": b"\r\n" * 9 + HEALTH,
    "a body of known length": TO_HEALTH + b"Content-Length: 3\r\n\r\nabc",
    "a chunked body": TO_HEALTH + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
}
_WINDOW = 1024
"""Octets of a chunked body that may be looked at whatever it has."""


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the size of each piece that a grammar of requests is handed."""
    sizes: list[int] = []

    def noting(work: Callable[..., Any], place: int) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            sizes.append(len(args[place]))
            return work(*args)

        return noted

    monkeypatch.setattr(downstream, "recall_request_head", noting(recall_request_head, 0))
    monkeypatch.setattr(HeadReader, "feed", noting(HeadReader.feed, 1))
    monkeypatch.setattr(ChunkedReader, "feed", noting(ChunkedReader.feed, 1))
    return sizes


def answered(stream: bytes, pieces: int) -> int:
    """Give `stream` to devproxy in so many pieces; return how many answers come."""
    world = World()
    try:
        client = world.client()
        size = len(stream) // pieces + 1
        for start in range(0, len(stream), size):
            client.receive(stream[start : start + size])
        while (count := client.written.count(b"HTTP/1.1 ")) < stream.count(b" HTTP/1.1\r\n"):
            world.settle()
            assert client.written.count(b"HTTP/1.1 ") > count, client.written[-300:]
        return count
    finally:
        world.close()


@pytest.mark.parametrize("pieces", [1, 3, 64])
@pytest.mark.parametrize("request_", STREAMS.values(), ids=STREAMS)
def test_each_of_many_pipelined_requests_costs_what_the_first_costs(
    handed: list[int], request_: bytes, pieces: int
) -> None:
    def stream(count: int) -> bytes:
        return b"".join(request_ % (number, number) if b"%" in request_ else request_ for number in range(count))

    costs = []
    for count in (100, 1600):
        handed.clear()
        assert answered(stream(count), pieces) == count
        costs.append(sum(handed) / count)
    # The first look at each piece sees all of it, which adds one time its size for each.
    assert costs[1] <= costs[0] * 1.2 + len(request_)
    assert costs[1] < 4 * len(request_) + _WINDOW


@pytest.mark.parametrize("size", [1, 2, 3])
def test_octets_that_come_one_by_one_are_handed_over_once(handed: list[int], size: int) -> None:
    for request_ in list(STREAMS.values())[:3]:  # a request whose body is not there yet ends the connection here
        handed.clear()
        octets = request_ % (1, 1) if b"%" in request_ else request_
        answered(octets * 3, len(octets) * 3 // size)
        assert sum(handed) <= 4 * 3 * len(octets)
