"""Connections to servers: kept, reused, given up in time, never trusted after anything odd; requests sent once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devproxy.config.model import Upstream
from devproxy.events import Trouble, UpstreamState
from devproxy.gateway.back.connection import UpstreamConnection
from tests.support.exchanges import asked, values_of
from tests.support.wire import (
    WAY,
    Conversation,
    ScriptedUpstream,
    Wire,
    address_of,
    config_for,
    conversation,
    running,
    until,
)

pytestmark = [pytest.mark.jumping_clock, pytest.mark.both_versions]

GET = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
PUT = b"PUT /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nput"
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def ask(talk: Conversation, request: bytes = GET) -> Wire:
    """Send `request` on a new client connection and return it."""
    client = await talk.client()
    client.send(request)
    return client


async def answered(client: Wire, server: Wire, answer: bytes = OK) -> None:
    """Let `server` answer the request that waits there, and see the 200 arrive at `client` with its body ``ok``."""
    await server.head()
    server.send(answer)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    assert await client.until(b"ok") in (b"ok", b"2\r\nok")


async def kept(talk: Conversation, answer: bytes = OK) -> Wire:
    """Return the server's end of a connection that has served one request."""
    client = await ask(talk)
    server = await talk.upstream.accept()
    await answered(client, server, answer)
    return server


def nobody_has_dialled(upstream: ScriptedUpstream) -> bool:
    """Tell whether no connection waits to be accepted."""
    try:
        sock, _ = upstream.listener.accept()
    except BlockingIOError:
        return True
    sock.close()
    return False


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# -- reuse -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    ],
)
async def test_a_connection_serves_one_client_after_another(answer: bytes) -> None:
    async with conversation() as talk:
        first = await ask(talk)
        server = await talk.upstream.accept()
        await server.head()
        server.send(answer)
        await first.until(b"ok")
        for _ in range(3):
            await answered(await ask(talk), server)


@pytest.mark.parametrize("last", [0, 1])
async def test_the_connection_used_last_is_used_first(last: int) -> None:
    async with conversation() as talk:
        ends = []
        for _ in range(2):
            client = await ask(talk)
            ends.append((client, await talk.upstream.accept()))
        await answered(*ends[1 - last])
        await answered(*ends[last])
        client = await ask(talk)
        await answered(client, ends[last][1])
        assert await ends[1 - last][1].is_silent(0.1)


# -- how long it is kept -----------------------------------------------------------------------------------------------


async def test_a_connection_is_given_up_a_second_before_the_server_would() -> None:
    async with conversation(upstream=Upstream(name="backend", servers=(), idle_timeout_s=60)) as talk:
        loop = asyncio.get_running_loop()
        server = await kept(talk, b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2, max=5\r\nContent-Length: 2\r\n\r\nok")
        answered_at = loop.time()
        assert await server.is_silent(0.3)
        assert await server.is_ended()
        assert loop.time() - answered_at < 2.0


async def test_a_connection_that_the_server_announces_to_close_within_a_second_is_not_kept() -> None:
    async with conversation() as talk:
        server = await kept(talk, b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok")
        async with asyncio.timeout(0.4):
            assert await server.is_ended()


async def test_a_connection_is_kept_for_the_configured_time_where_the_server_says_nothing() -> None:
    async with conversation(upstream=Upstream(name="backend", servers=(), idle_timeout_s=1.0)) as talk:
        server = await kept(talk)
        client = await ask(talk)
        await answered(client, server)
        assert await server.is_ended()


async def test_the_servers_word_counts_for_more_than_the_configured_time() -> None:
    async with conversation(upstream=Upstream(name="backend", servers=(), idle_timeout_s=0.1)) as talk:
        server = await kept(talk, b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=30\r\nContent-Length: 2\r\n\r\nok")
        assert await server.is_silent(1.3)
        client = await ask(talk)
        await answered(client, server)


# -- when it is not trusted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
)
async def test_after_such_an_answer_a_connection_is_not_used_again(answer: bytes) -> None:
    async with conversation() as talk:
        server = await kept(talk, answer)
        client = await ask(talk)
        await answered(client, await talk.upstream.accept())
        await server.is_ended()


async def test_after_an_answer_to_an_unfinished_upload_neither_connection_is_used_again() -> None:
    async with conversation() as talk:
        client = await ask(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(3) == b"abc"
        server.send(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        head = await client.head()
        assert WAY.version == b"2.0" or b"\r\nConnection: close\r\n" in head
        assert await client.rest() == b"no"
        await answered(await ask(talk), await talk.upstream.accept())
        await server.is_ended()


async def test_octets_that_nobody_asked_for_end_an_idle_connection() -> None:
    async with conversation() as talk:
        server = await kept(talk)
        server.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await server.is_ended()
        await answered(await ask(talk, POST), await talk.upstream.accept())


async def test_a_connection_that_the_server_ended_while_idle_is_not_used_again() -> None:
    async with conversation() as talk:
        server = await kept(talk)
        server.finish()
        await server.is_ended()
        await answered(await ask(talk, POST), await talk.upstream.accept())


# -- sent once or twice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_get_into_a_dying_connection_is_sent_again_on_a_new_one(how: str) -> None:
    async with conversation() as talk:
        server = await kept(talk)
        client = await ask(talk, GET)
        request = await server.head()
        getattr(server, how)()
        again = await talk.upstream.accept()
        assert await again.head() == request
        again.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        await until(lambda: len(talk.finished()) == 2)


async def test_a_get_is_sent_again_once_alone() -> None:
    async with conversation() as talk:
        server = await kept(talk)
        client = await ask(talk, GET)
        await server.head()
        server.close()
        again = await talk.upstream.accept()
        await again.head()
        again.close()
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"X-Devproxy-Error: upstream-closed-before-answer\r\n" in head
        assert nobody_has_dialled(talk.upstream)


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("request_", [POLL, POST, PUT], ids=["poll", "post", "put with a body"])
async def test_what_must_not_arrive_twice_is_sent_once_alone(request_: bytes, how: str) -> None:
    async with conversation() as talk:
        server = await kept(talk)
        client = await ask(talk, request_)
        await server.head()
        getattr(server, how)()
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        assert nobody_has_dialled(talk.upstream)


async def test_a_get_into_a_new_connection_is_sent_once_alone() -> None:
    async with conversation() as talk:
        client = await ask(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        server.close()
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        assert nobody_has_dialled(talk.upstream)


async def test_a_get_that_has_been_answered_in_part_is_not_sent_again() -> None:
    async with conversation() as talk:
        server = await kept(talk)
        client = await ask(talk, GET)
        await server.head()
        server.send(b"HTTP/1.1 2")
        server.close()
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        assert nobody_has_dialled(talk.upstream)


# -- several servers ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[Conversation, ScriptedUpstream]]:
    """Run a gateway in front of two scripted servers of one upstream; the second is given beside."""
    first, second = ScriptedUpstream(), ScriptedUpstream()
    try:
        async with running(config_for((address_of(first.port), address_of(second.port))), first) as talk:
            yield talk, second
    finally:
        second.close()


async def test_servers_take_turns() -> None:
    async with two_servers() as (talk, second):
        for _ in range(4):
            ends = [await ask(talk, POST), await ask(talk, POST)]
            servers = [await talk.upstream.accept(), await second.accept()]
            for server in servers:
                await server.head()
                server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            for client in ends:
                await client.until(b"ok")


async def test_a_server_that_refuses_is_passed_over_and_reported_once() -> None:
    upstream, dead = ScriptedUpstream(), address_of(free_port())
    async with running(config_for((dead, address_of(upstream.port))), upstream) as talk:
        for _ in range(4):
            client = await ask(talk, POST)
            server = await talk.upstream.accept()
            await answered(client, server, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await until(lambda: len(talk.finished()) == 4)
        states = talk.seen(UpstreamState)
        assert sorted((state.server, state.is_up) for state in states) == sorted(
            [(dead.url, False), (address_of(upstream.port).url, True)]
        )
        assert {event.server for event in talk.finished()} == {address_of(upstream.port).url}


async def test_when_all_servers_refuse_the_answer_tells_of_all() -> None:
    upstream, ports = ScriptedUpstream(), (free_port(), free_port())
    async with running(config_for(address_of(port) for port in ports), upstream) as talk:
        client = await ask(talk)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        body = await client.read(length)
        for port in ports:
            assert b"127.0.0.1:%d: connection refused" % port in body


async def test_a_server_that_goes_and_comes_back_is_reported_once_each_time() -> None:
    upstream = ScriptedUpstream()
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    settings = Upstream(name="backend", servers=(), hold_s=0.0)
    async with running(config_for((address_of(upstream.port),), upstream=settings), upstream) as talk:
        await answered(await ask(talk), await talk.upstream.accept(), closing)
        upstream.listener.close()
        for _ in range(3):
            client = await ask(talk)
            assert (await client.head()).startswith(b"HTTP/1.1 503 ")
        upstream.listener = socket.socket()
        upstream.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        upstream.listener.bind(("127.0.0.1", upstream.port))
        upstream.listener.listen()
        upstream.listener.setblocking(False)
        for _ in range(3):
            await answered(await ask(talk), await talk.upstream.accept(), closing)
        assert [state.is_up for state in talk.seen(UpstreamState)] == [True, False, True]
        assert talk.seen(UpstreamState)[1].detail == "connection refused"


async def test_a_server_that_accepts_and_closes_at_once_counts_as_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that is lost before the one who dialled has had a turn has carried nothing."""
    made = UpstreamConnection.connection_made

    def lost_at_once(self: UpstreamConnection, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        self.transport.abort()

    async with conversation(upstream=Upstream(name="backend", servers=(), hold_s=0.0)) as talk:
        await until(lambda: talk.seen(UpstreamState))
        monkeypatch.setattr(UpstreamConnection, "connection_made", lost_at_once)
        client = await asked(talk, GET)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert values_of(head, b"x-devproxy-error") == [b"upstream-refused"]
        assert not talk.seen(Trouble)
