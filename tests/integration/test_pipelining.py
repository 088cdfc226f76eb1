"""Requests behind others: in order also when events coincide, and held back while their client takes nothing.

Two sends without an ``await`` between them are seen by the gateway in one turn of its loop, in that order.
"""

from __future__ import annotations

import asyncio

import pytest
from devproxy.events import Outcome
from tests.support.exchanges import GET, OK, forwarded
from tests.support.wire import Conversation, Wire, conversation, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_schemes]

QUICK = b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n"
MAX_BUFFERED_BYTES = 64 * 1024 * 1024
"""Far more than the kernel's buffers and the gateway's together."""


async def all_answered(talk: Conversation, count: int) -> None:
    """Wait until the gateway has completed `count` exchanges for ``/``."""
    await until(lambda: sum(event.target == b"/" for event in talk.finished()) == count)


async def ok(client: Wire) -> None:
    """Read one answer that is :data:`OK`."""
    assert await client.read(len(OK)) == OK


# -- in order --------------------------------------------------------------------------------------------------------


async def test_the_rest_of_a_request_that_comes_together_with_the_answer_before_it_is_put_behind_its_beginning() -> (
    None
):
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET + b"POST /next HTTP/1.1\r\nHost: a\r\nX-La")
        server.send(OK)
        client.send(b"te: 1\r\nContent-Length: 3\r\n\r\nabc" + GET)
        await ok(client)
        assert b"\r\nX-Late: 1\r\n" in await server.head()
        assert await server.read(3) == b"abc"
        server.send(OK)
        await ok(client)
        assert (await server.head()).startswith(b"GET / ")


async def test_a_client_that_ends_its_side_together_with_an_answer_gets_those_to_its_other_requests() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET * 3)
        server.send(OK)
        client.finish()
        await ok(client)
        for _ in range(2):
            await server.head()
            server.send(OK)
            await ok(client)
        assert await client.is_ended()


@pytest.mark.parametrize("rest", [b"POST /next HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", GET])
async def test_a_request_whose_client_ended_before_its_turn_does_not_wait_for_ever(rest: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET + rest)
        client.finish()
        await asyncio.sleep(0.05)  # the end arrives before the answer
        server.send(OK)
        await ok(client)
        await server.head()
        await until(lambda: len(talk.finished()) == 2, within_s=1.0)
        assert talk.finished()[1].outcome is Outcome.CLIENT_LEFT


async def test_a_client_that_ends_its_side_in_the_middle_of_a_head_is_closed() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET + b"GET /half")
        server.send(OK)
        client.finish()
        await ok(client)
        assert await client.is_ended()


@pytest.mark.parametrize("pieces", [1, 2, 7, 64])
async def test_answers_stay_in_order_while_more_requests_keep_arriving(pieces: int) -> None:
    requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(60)]
    data = b"".join(requests)
    size = len(data) // pieces + 1
    async with conversation() as talk:
        client = await talk.client()
        waiting = [data[start : start + size] for start in range(0, len(data), size)]
        client.send(waiting.pop(0))
        server = await talk.upstream.accept()
        for number in range(len(requests)):
            reading = asyncio.ensure_future(server.head())
            while not reading.done():
                if waiting:
                    client.send(waiting.pop(0))
                await asyncio.sleep(0.001)
            assert (await reading).startswith(b"GET /%d HTTP/1.1\r\n" % number)
            server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%03d" % number)
            if waiting:
                client.send(waiting.pop(0))
            await client.head()
            assert await client.read(3) == b"%03d" % number


# -- held back -------------------------------------------------------------------------------------------------------


async def test_a_client_that_takes_nothing_is_held_back_and_holds_nobody_else_back() -> None:
    """Each answer arrives in one piece, so that it is the last piece of one that fills the slow client's buffer."""
    body = b"x" * 60_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    async with conversation() as talk:
        slow, server, _ = await forwarded(talk, GET)
        quick = await talk.client()
        answers = 0
        while True:
            server.send(answer)
            answers += 1
            await all_answered(talk, answers)
            quick.send(QUICK)
            assert (await server.head()).startswith(b"GET /quick ")
            server.send(OK)
            await ok(quick)
            slow.send(GET)
            if await server.is_silent(1.0):
                break
            await server.head()
            assert answers * len(body) < MAX_BUFFERED_BYTES
        for _ in range(answers):
            assert await slow.read(len(answer)) == answer
        assert (await server.head()).startswith(b"GET / ")
        server.send(OK)
        await ok(slow)
