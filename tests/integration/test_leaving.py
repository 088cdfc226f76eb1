"""Who leaves while nothing is read from them, because the other side takes slowly, is noticed all the same."""

from __future__ import annotations

import array
import asyncio
import fcntl
import termios

import pytest
from devproxy.events import Outcome, TunnelClosed
from tests.integration.test_tunnels import joined
from tests.support.exchanges import GET, OK, asked
from tests.support.wire import Conversation, Wire, conversation, until

pytestmark = [pytest.mark.both_loops, pytest.mark.both_schemes, pytest.mark.jumping_clock, pytest.mark.both_versions]

COUNTED = b"Content-Length: 99999999"
CHUNKED = b"Transfer-Encoding: chunked"
PIECE = b"%x\r\n%b\r\n" % (65536, b"x" * 65536)


async def stuffed(wire: Wire, piece: bytes = PIECE) -> None:
    """Send from `wire` until nothing more is taken: every buffer on the way is full."""
    loop = asyncio.get_running_loop()
    taken_at, rest = loop.time(), piece
    while loop.time() < taken_at + 0.3:
        try:
            rest = rest[wire.send_some(rest) :] or piece
            taken_at = loop.time()
        except BlockingIOError:
            await asyncio.sleep(0.005)


async def uploading(talk: Conversation, framing: bytes) -> tuple[Wire, Wire]:
    """Return both ends of an upload that the server does not read."""
    client = await asked(talk, b"POST /up HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
    server = await talk.upstream.accept()
    await stuffed(client)
    return client, server


def unsent_bytes(wire: Wire) -> int:
    """Return how much of what was sent has not been taken by the other end's system (``SIOCOUTQ``)."""
    count = array.array("i", [0])
    fcntl.ioctl(wire.sock, termios.TIOCOUTQ, count)
    return count[0]


async def is_cut(wire: Wire) -> bool:
    """Read `wire` to its end; True for a reset."""
    try:
        await wire.rest()
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("framing", [COUNTED, CHUNKED])
async def test_a_reset_while_an_upload_is_held_back_ends_the_upstream_exchange_within_a_second(framing: bytes) -> None:
    async with conversation() as talk:
        client, server = await uploading(talk, framing)
        client.reset()
        await until(lambda: talk.finished(), within_s=1.0)
        assert talk.finished()[0].outcome is Outcome.CLIENT_LEFT
        async with asyncio.timeout(1.0):
            assert await is_cut(server)


async def test_an_end_in_the_middle_of_an_upload_that_is_held_back_ends_the_upstream_exchange_within_a_second() -> None:
    async with conversation() as talk:
        client, server = await uploading(talk, COUNTED)
        await server.head()
        while unsent_bytes(client):  # what the client's own system still holds, nobody can see the end of
            await server.read(16384)
        client.close()
        await until(lambda: talk.finished(), within_s=1.0)
        assert talk.finished()[0].outcome is Outcome.CLIENT_LEFT


async def test_a_server_that_answers_an_upload_without_reading_it_is_let_go() -> None:
    async with conversation() as talk:
        client, server = await uploading(talk, COUNTED)
        server.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 413 ")
        async with asyncio.timeout(1.0):
            assert await is_cut(server)


async def test_a_server_that_ends_its_side_in_the_middle_of_an_upload_without_a_word_is_let_go() -> None:
    async with conversation() as talk:
        client, server = await uploading(talk, COUNTED)
        server.finish()
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        async with asyncio.timeout(1.0):
            assert await is_cut(server)


@pytest.mark.http1_only("the window holds the client back")
async def test_a_connection_whose_server_has_not_read_the_whole_request_serves_no_other() -> None:
    async with conversation() as talk:
        size = 6_000_000
        client = await asked(talk, b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        server = await talk.upstream.accept()
        await client.send_all(b"x" * size)
        server.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read(2) == b"ok"
        async with asyncio.timeout(1.0):
            assert await is_cut(server)


async def test_a_client_that_ends_its_side_gets_a_stream_to_its_end() -> None:
    async with conversation() as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        client.finish()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read(1) == b"a"
        await asyncio.sleep(1.0)  # much longer than a client gets that may have left
        server.send(b"bcdef")
        assert await client.rest() == b"bcdef"


@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_a_reset_of_an_end_that_is_held_back_is_passed_on(first: str) -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        one, other = (client, server) if first == "client" else (server, client)
        await stuffed(one)
        one.reset()
        await until(lambda: talk.seen(TunnelClosed), within_s=1.0)
        assert talk.seen(TunnelClosed)[0].closed_by == first
        assert await is_cut(other)
