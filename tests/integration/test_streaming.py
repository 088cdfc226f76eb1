"""Bytes pass when they come: heads before bodies, piece by piece, held back by slow readers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from devproxy.events import Outcome
from tests.support.wire import WAY, ScriptedUpstream, Wire, conversation, soon, until

pytestmark = pytest.mark.both_versions

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.both_schemes
async def test_a_response_head_leaves_before_the_first_octet_of_its_body() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        server.send(b"hello")
        assert await client.read(5) == b"hello"


@pytest.mark.both_schemes
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 9",
        b"Transfer-Encoding: chunked",
        pytest.param(b"Connection: close", marks=pytest.mark.http1_only("the body ends with the stream")),
    ],
)
async def test_each_piece_of_a_response_leaves_when_it_comes(framing: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n\r\n")
        await client.head()
        for piece in (b"one", b"two", b"six"):
            chunk = b"3\r\n%b\r\n" % piece if b"chunked" in framing else piece
            server.send(chunk)
            assert await client.read(len(chunk)) == chunk


@pytest.mark.both_schemes
async def test_each_piece_of_a_request_leaves_when_it_comes() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        for piece in (b"3\r\none\r\n", b"3\r\ntwo\r\n"):
            client.send(piece)
            assert await server.read(len(piece)) == piece
        client.send(b"0\r\n\r\n")
        assert await server.read(5) == b"0\r\n\r\n"


@pytest.mark.both_schemes
async def test_both_directions_stream_at_once() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.head()
        for piece in (b"3\r\none\r\n", b"3\r\ntwo\r\n"):
            client.send(piece)
            server.send(await server.read(len(piece)))
            assert await client.read(len(piece)) == piece
        client.send(b"0\r\n\r\n")
        assert await server.read(5) == b"0\r\n\r\n"
        server.send(b"0\r\n\r\n")
        assert await client.read(5) == b"0\r\n\r\n"


@pytest.mark.both_schemes
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("phase", ["waiting", "streaming", "uploading"])
async def test_a_client_that_leaves_ends_the_upstream_exchange_within_a_second(how: str, phase: str) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET if phase != "uploading" else b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx")
        server = await talk.upstream.accept()
        await server.head()
        if phase == "streaming":
            server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            await client.head()
            await client.read(8)
        if phase == "uploading":
            await server.read(1)
        getattr(client, how)()
        async with asyncio.timeout(1.0):
            await server.is_ended()
        await until(lambda: talk.finished())
        assert talk.finished()[-1].outcome is Outcome.CLIENT_LEFT


@pytest.mark.both_schemes
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_poll_whose_client_left_is_aborted_upstream_within_100_ms(how: str) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(POLL)
        server = await talk.upstream.accept()
        await server.head()
        getattr(client, how)()
        async with asyncio.timeout(0.1):
            await server.is_ended()


@pytest.mark.both_schemes
async def test_a_client_that_ends_its_side_still_gets_a_quick_answer() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        client.finish()
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.both_schemes
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 9", b"abc"),
        (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n"),
        pytest.param(b"Transfer-Encoding: chunked", b"9\r\nabc", marks=pytest.mark.http1_only("there are no chunks")),
    ],
)
async def test_a_response_cut_short_upstream_is_cut_short_for_the_client(how: str, framing: bytes, body: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)
        await client.head()
        assert await client.read(len(body)) == body
        getattr(server, how)()
        assert await client.is_ended() is (how == "close" and WAY.version == b"1.1")  # HTTP/2 resets the stream
        await until(lambda: talk.finished())
        assert talk.finished()[-1].outcome is Outcome.UPSTREAM_LOST
        assert talk.finished()[-1].error == "upstream-closed-in-mid-body"
        assert talk.finished()[-1].detail


@pytest.mark.http1_only("the body ends with the stream; `test_http2.py` has that")
@pytest.mark.both_schemes
@pytest.mark.parametrize(("how", "is_complete"), [("close", True), ("reset", False)])
async def test_a_body_until_close_is_complete_after_an_end_and_not_after_a_reset(how: str, is_complete: bool) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        assert b"Connection: close\r\n" in await client.head()
        assert await client.read(3) == b"abc"
        getattr(server, how)()
        assert await client.is_ended() is is_complete


@pytest.mark.http1_only("HTTP/2 is not spoken by HTTP/1.0")
@pytest.mark.both_schemes
async def test_a_chunked_body_cut_short_is_not_completed_for_an_old_client() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await client.head()
        assert await client.read(3) == b"abc"
        server.close()
        assert not await client.is_ended()


@pytest.mark.http1_only("there are no chunks")
@pytest.mark.both_schemes
async def test_a_request_cut_short_is_never_completed_upstream() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(8) == b"3\r\nabc\r\n"
        client.send(b"not a size\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        assert await _read_to_the_end(server) == b""


@pytest.mark.both_schemes
async def test_the_answer_to_an_unfinished_upload_arrives_though_the_upstream_closes_at_once() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        uploading = asyncio.ensure_future(client.send_all(b"x" * 50_000_000))
        await server.read(100_000)
        server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        server.close()
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 413 ")
        if WAY.version == b"1.1":
            assert b"Connection: close\r\n" in head
        assert await client.read(3) == b"big"
        uploading.cancel()


async def _read_to_the_end(wire: Wire) -> bytes:
    try:
        return await wire.rest()
    except ConnectionResetError:
        return b""


# -- back-pressure: a devproxy of its own, so that its memory can be read --

BODY_BYTES = 500_000_000
GROWTH_KIB = 64 * 1024
# Some 150 were seen; an allocator that maps each piece of the body anew takes 6,000 and more.
MAX_PAGE_FAULTS = 2_000


@asynccontextmanager
async def devproxy_process(upstream: ScriptedUpstream) -> AsyncIterator[tuple[int, int]]:
    """Run ``devproxy up`` in front of `upstream`; give its port and process id."""
    arguments = ["up", "--listen", "localhost:0", "--log", "json", "--backend", str(upstream.port)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "devproxy", *arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = await soon(process.stdout.readline())
        port = int(json.loads(line)["urls"][0].rsplit(":", 1)[1].rstrip("/"))
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        await process.stdout.read()
        await process.wait()
        upstream.close()


def resident_kib(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def page_faults(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


async def connected(port: int) -> Wire:
    sock = socket.socket()
    sock.setblocking(False)
    await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)))
    return Wire(sock)


@pytest.mark.http1_only("it has clients of its own")
@pytest.mark.parametrize("direction", ["download", "upload"])
async def test_half_a_gigabyte_to_a_slow_reader_does_not_grow_the_process(direction: str) -> None:
    upstream = ScriptedUpstream()
    async with devproxy_process(upstream) as (port, pid):
        client = await connected(port)
        length = b"Content-Length: %d\r\n\r\n" % BODY_BYTES
        start = b"GET / HTTP/1.1\r\n" if direction == "download" else b"POST / HTTP/1.1\r\n"
        client.send(start + b"Host: localhost\r\n" + (b"\r\n" if direction == "download" else length))
        server = await upstream.accept()
        await server.head()
        if direction == "download":
            server.send(b"HTTP/1.1 200 OK\r\n" + length)
            await client.head()
        writer, reader = (server, client) if direction == "download" else (client, server)
        before = most = resident_kib(pid)
        faults = page_faults(pid)
        piece = os.urandom(1 << 20)
        writing = asyncio.ensure_future(_write(writer, piece, BODY_BYTES))
        # A reader that takes nothing for a while: the writer must come to a halt.
        await asyncio.sleep(1.0)
        assert not writing.done()
        got = 0
        while got < BODY_BYTES:
            got += len(await reader.read(min(4_000_000, BODY_BYTES - got)))
            most = max(most, resident_kib(pid))
        await soon(writing)
        assert got == BODY_BYTES
        assert most - before < GROWTH_KIB
        assert page_faults(pid) - faults < MAX_PAGE_FAULTS
        client.close()


async def _write(wire: Wire, piece: bytes, size: int) -> None:
    sent = 0
    while sent < size:
        part = piece[: size - sent]
        await wire.send_all(part)
        sent += len(part)
