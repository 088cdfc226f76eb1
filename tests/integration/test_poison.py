"""A connection to a server that has said more, less or other than one answer to one question is never used again.

After each kind of poison a second client asks: it must get its own answer, over a connection of its own. Where a
connection must be kept, that is tested too, so that not keeping any would not do.
"""

from __future__ import annotations

import pytest
from tests.support.exchanges import GET, OK, forwarded
from tests.support.wire import Conversation, Wire, conversation, until

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

POISON = b"HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

TAINTED: dict[str, tuple[bytes, bytes]] = {
    # What a server answers, and what it adds once that has arrived.
    "a second answer at once": (OK + POISON, b""),
    "a second answer later": (OK, POISON),
    "one octet more": (OK + b"x", b""),
    "one octet later": (OK, b"x"),
    "an empty line more": (OK + b"\r\n", b""),
    "an interim answer behind the final one": (OK + b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    "a body behind 204": (b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, b""),
    "a body behind 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n" + POISON, b""),
    "octets behind the last chunk": (CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + POISON, b""),
    "a chunk that is longer than its size": (CHUNKED + b"2\r\nokHTTP/1.1 200 OK\r\n\r\n", b""),
    "a size that is no number": (CHUNKED + b"2\r\nok\r\nxyz\r\n", b""),
    "a trailer with a length": (CHUNKED + b"2\r\nok\r\n0\r\nContent-Length: 60\r\n\r\n", b""),
    "a switch that nobody asked for": (SWITCH + POISON, b""),
    "an answer with two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 60\r\n\r\nok", b""),
    "a length beside chunks": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", b""),
    "no HTTP": (b"\x16\x03\x01\x00\x02\x02\x28", b""),
    "more interim answers than anybody sends": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100 + OK, b""),
}


async def assert_next_is_clean(talk: Conversation) -> None:
    """Check that another client's question goes over a new connection, and that its answer is its own."""
    client, server, _ = await forwarded(talk, GET)
    server.send(b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 3\r\n\r\nown")
    assert await client.head() == b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 3\r\n\r\n"
    assert await client.read(3) == b"own"
    assert await client.is_silent(0.02)


async def assert_ended(server: Wire) -> None:
    """Wait until the gateway ends its connection to `server`, in whatever way."""
    try:
        await server.rest()
    except ConnectionResetError:
        pass


@pytest.mark.parametrize(("answer", "later"), TAINTED.values(), ids=TAINTED)
async def test_a_tainted_connection_is_ended_and_the_next_client_gets_its_own_answer(
    answer: bytes, later: bytes
) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(answer)
        await client.head()
        if later:
            await client.read(2)
            await until(talk.finished)
            server.send(later)
        await assert_ended(server)
        client.close()
        await assert_next_is_clean(talk)


async def test_an_answer_that_comes_before_its_question_is_given_to_nobody() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(OK)
        await client.head()
        assert await client.read(2) == b"ok"
        server.send(POISON)
        client.send(GET)
        fresh = await talk.upstream.accept()
        await fresh.head()
        fresh.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert await client.read(2) == b"ok"


async def test_an_early_answer_to_an_upload_ends_the_connection_that_still_owes_its_body() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        await server.read(4)
        server.send(OK)
        await client.head()
        await assert_ended(server)
        client.close()
        await assert_next_is_clean(talk)


async def test_a_connection_whose_client_left_in_mid_answer_is_ended() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nhalf")
        await client.head()
        client.reset()
        await assert_ended(server)
        await assert_next_is_clean(talk)


async def test_a_refused_upgrade_leaves_a_connection_that_is_used_again() -> None:
    async with conversation() as talk:
        upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        client, server, _ = await forwarded(talk, upgrade)
        server.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
        await client.head()
        await client.read(2)
        client.send(GET)
        assert (await server.head()).startswith(b"GET / ")


@pytest.mark.parametrize("answer", [OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"], ids=["length", "chunks"])
async def test_a_connection_with_one_answer_to_one_question_is_used_again(answer: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(answer)
        await client.head()
        await until(talk.finished)
        other = await talk.client()
        other.send(GET)
        assert (await server.head()).startswith(b"GET / ")
