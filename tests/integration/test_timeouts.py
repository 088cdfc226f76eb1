"""Time limits: on heads and idle connections, never on bodies; a closing connection lingers, but not for long."""

from __future__ import annotations

import asyncio

import pytest
from devproxy.config.model import Server, Upstream
from devproxy.events import Outcome
from tests.support.exchanges import GET, OK
from tests.support.wire import Conversation, Wire, conversation, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_schemes, pytest.mark.both_versions]

PATIENT = 20.0
"""Longer than any limit set here, for what must not be limited by it."""


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
@pytest.mark.parametrize("piece", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", GET[:-1]])
async def test_a_head_that_does_not_get_complete_is_a_408_and_the_end(piece: bytes) -> None:
    async with conversation(server=Server(head_timeout_s=0.3)) as talk:
        client = await talk.client()
        client.send(piece)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nX-Devproxy-Error: request-head-timeout\r\n" in head
        assert b"\r\nConnection: close\r\n" in head
        await client.rest()
        await until(talk.finished)
        event = talk.finished()[0]
        assert (event.outcome, event.status, event.method) == (Outcome.ANSWERED, 408, b"")


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
async def test_a_head_that_comes_in_drops_is_timed_from_its_first_octet() -> None:
    async with conversation(server=Server(head_timeout_s=1.2)) as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nA: ")
        answer = asyncio.ensure_future(client.head())
        async with asyncio.timeout(PATIENT):
            while not answer.done():
                client.send(b"x")
                await asyncio.sleep(0.05)
        assert (await answer).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"GET /", id="a slow head", marks=pytest.mark.http1_only("a head of HTTP/2 is never half there")),
        pytest.param(GET, id="a silent server"),
    ],
)
async def test_no_limit_is_over_before_its_time(octets: bytes) -> None:
    """Started at several moments between two sweeps, because these are what may be late."""
    limit_s = 0.7
    upstream = Upstream(name="backend", servers=(), response_timeout_s=limit_s)
    async with conversation(server=Server(head_timeout_s=limit_s), upstream=upstream) as talk:
        starts = asyncio.as_completed([seconds_to_an_answer(talk, octets, delay_s=number / 8) for number in range(5)])
        for seconds in starts:
            assert await seconds >= limit_s - 0.01  # the clock of the loop is coarser than a float


async def seconds_to_an_answer(talk: Conversation, octets: bytes, *, delay_s: float) -> float:
    loop = asyncio.get_running_loop()
    client: Wire = await talk.client()
    await asyncio.sleep(delay_s)
    started = loop.time()
    client.send(octets)
    assert (await client.head()).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 504 "))
    return loop.time() - started


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
async def test_a_second_head_on_a_connection_is_timed_like_the_first() -> None:
    async with conversation(server=Server(head_timeout_s=0.3)) as talk:
        client = await talk.client()
        client.send(GET + b"GET /half")
        server = await talk.upstream.accept()
        await server.head()
        assert await client.is_silent(1.0)
        server.send(OK)
        await client.until(b"ok")
        assert (await client.head()).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_on_which_nothing_comes_is_closed_without_a_word() -> None:
    async with conversation(server=Server(idle_timeout_s=0.3)) as talk:
        client = await talk.client()
        assert await client.is_ended()
        assert talk.finished() == []


async def test_a_connection_that_is_kept_alive_and_idle_is_closed_without_a_word() -> None:
    async with conversation(server=Server(idle_timeout_s=0.8)) as talk:
        client = await talk.client()
        for _ in range(2):
            client.send(GET)
            server = talk.upstream.wires[-1] if talk.finished() else await talk.upstream.accept()
            await server.head()
            server.send(OK)
            await client.until(b"ok")
            await until(talk.finished)
        assert await client.is_ended()
        assert len(talk.finished()) == 2


async def test_limits_of_zero_are_none() -> None:
    async with conversation(server=Server(idle_timeout_s=0, head_timeout_s=0)) as talk:
        idle, slow = await talk.client(), await talk.client()
        slow.send(GET[:10])
        assert await idle.is_silent(1.2)
        assert await slow.is_silent(0.1)


async def test_neither_body_is_limited_in_time() -> None:
    async with conversation(server=Server(idle_timeout_s=0.2, head_timeout_s=0.2)) as talk:
        client = await talk.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(1) == b"a"
        assert await client.is_silent(1.0)
        client.send(b"b")
        assert await server.read(1) == b"b"
        assert await client.is_silent(1.0)
        server.send(OK[:-1])
        await client.head()
        assert await client.read(1) == b"o"
        assert await client.is_silent(1.0)
        server.send(OK[-1:])
        assert await client.read(1) == b"k"


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
async def test_a_closing_connection_takes_what_is_still_on_its_way_and_then_ends() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"nonsense\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        await client.rest()
        assert talk.gateway.connection_count == 1
        for _ in range(3):
            client.send(b"x" * 1000)
            assert await client.rest() == b""
        await until(lambda: talk.gateway.connection_count == 0, within_s=PATIENT)


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
async def test_a_closing_connection_ends_at_once_when_the_client_ends_it() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"nonsense\r\n\r\n")
        await client.rest()
        client.close()
        async with asyncio.timeout(1.0):
            await until(lambda: talk.gateway.connection_count == 0)


@pytest.mark.http1_only("a head of HTTP/2 is never half there, and streams end one by one")
async def test_a_closing_connection_does_not_take_requests_any_more() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        assert (await client.rest()).endswith(b"\r\nConnection: close\r\n\r\nok")
        client.send(GET)
        assert await server.is_silent()
        assert len(talk.finished()) == 1
