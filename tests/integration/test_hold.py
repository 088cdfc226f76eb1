"""A server that was up and refuses now: who waits for it, for how long, and who is told at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devproxy.config.model import Upstream
from devproxy.events import Outcome, RequestsWaiting, UpstreamState
from devproxy.gateway.back import hold
from devproxy.gateway.shared import state as service
from tests.support.exchanges import GET, OK, shown
from tests.support.wire import Conversation, ScriptedUpstream, Wire, address_of, config_for, running, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\n\r\n"
LONG_S = 60.0
"""A hold that no test waits to the end of."""


class Restarting(ScriptedUpstream):
    """A scripted upstream that can go and come back at its port."""

    def go(self) -> None:
        """Stop listening. The port stays taken, so that no other program of this machine answers there meanwhile."""
        self.listener.close()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.setblocking(False)

    def come_back(self) -> None:
        """Listen again, at the same port."""
        self.listener.listen(1024)


@asynccontextmanager
async def restarting(
    *, hold_s: float = LONG_S, is_known: bool = True
) -> AsyncIterator[tuple[Conversation, Restarting]]:
    """Run a gateway in front of an upstream that was up (if `is_known`) and refuses now."""
    upstream = Restarting()
    if not is_known:
        upstream.go()
    settings = Upstream(name="backend", servers=(address_of(upstream.port),), hold_s=hold_s)
    async with running(config_for((), upstream=settings), upstream) as talk:
        await until(lambda: talk.seen(UpstreamState))
        assert talk.seen(UpstreamState)[0].is_up is is_known
        if is_known:
            upstream.go()
        yield talk, upstream


async def ask(talk: Conversation, request: bytes = GET) -> Wire:
    client = await talk.client()
    client.send(request)
    return client


def is_awaited(talk: Conversation, count: int = 1) -> bool:
    """Tell whether as many requests wait for the upstream."""
    return len(talk.gateway._pools["backend"]._room.waiting) == count


# -- who waits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [GET, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", POLL],
    ids=["get", "head", "options", "poll"],
)
async def test_what_is_safe_to_delay_waits_and_goes_through_when_the_server_is_back(request_: bytes) -> None:
    async with restarting() as (talk, upstream):
        client = await ask(talk, request_)
        assert await client.is_silent(0.3)
        upstream.come_back()
        server = await upstream.accept()
        assert (await server.head()).startswith(request_.partition(b"\r\n")[0])
        server.send(CLOSING)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_a_websocket_handshake_waits_and_becomes_one_tunnel() -> None:
    async with restarting() as (talk, upstream):
        client = await ask(talk, HANDSHAKE)
        await until(lambda: is_awaited(talk))
        upstream.come_back()
        server = await upstream.accept()
        await server.head()
        server.send(SWITCHING + b"hello")
        await client.head()
        assert await client.read(5) == b"hello"
        client.send(b"bye")
        assert await server.read(3) == b"bye"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    ],
    ids=["post", "empty post", "put", "delete", "get with a body"],
)
async def test_everything_else_is_told_at_once_to_come_again(request_: bytes) -> None:
    async with restarting() as (talk, _):
        client = await ask(talk, request_)
        async with asyncio.timeout(LONG_S / 4):
            head = await client.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in head
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
        body = await client.read(length)
        assert b"connection refused" in body
        assert b"may be restarting" in body


async def test_nobody_waits_for_a_server_that_was_never_up() -> None:
    async with restarting(is_known=False) as (talk, _):
        client = await ask(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")


async def test_nobody_waits_where_hold_s_is_0() -> None:
    async with restarting(hold_s=0) as (talk, _):
        client = await ask(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")


async def test_who_has_waited_for_hold_s_gets_503_and_what_was_tried() -> None:
    async with restarting(hold_s=0.5) as (talk, upstream):
        loop = asyncio.get_running_loop()
        started = loop.time()
        client = await ask(talk)
        head = await client.head()
        assert loop.time() - started >= 0.45
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"127.0.0.1:%d: connection refused" % upstream.port in await client.until(b"refused")


async def test_no_more_than_a_bounded_number_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "MAX_WAITING", 3)
    async with restarting() as (talk, upstream):
        waiting = [await ask(talk) for _ in range(3)]
        await until(lambda: is_awaited(talk, 3))
        surplus = await ask(talk)
        assert (await surplus.head()).startswith(b"HTTP/1.1 503 ")
        upstream.come_back()
        for _ in waiting:
            server = await upstream.accept()
            await server.head()
            server.send(CLOSING)
        for client in waiting:
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_a_get_into_a_connection_that_died_with_its_server_waits_for_the_next_one() -> None:
    upstream = Restarting()
    settings = Upstream(name="backend", servers=(address_of(upstream.port),), hold_s=LONG_S)
    async with running(config_for((), upstream=settings), upstream) as talk:
        first = await ask(talk)
        server = await upstream.accept()
        await server.head()
        server.send(OK)
        await first.until(b"ok")
        client = await ask(talk)
        await server.head()
        upstream.go()
        server.reset()
        await until(lambda: is_awaited(talk))
        upstream.come_back()
        again = await upstream.accept()
        await again.head()
        again.send(CLOSING)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


# -- who leaves --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, POLL, HANDSHAKE], ids=["get", "poll", "handshake"])
async def test_of_a_client_that_left_while_it_waited_the_server_hears_nothing(request_: bytes) -> None:
    async with restarting() as (talk, upstream):
        client = await ask(talk, request_)
        await until(lambda: is_awaited(talk))
        client.reset()
        await until(lambda: is_awaited(talk, 0))
        upstream.come_back()
        after = await ask(talk, b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        server = await upstream.accept()
        assert (await server.head()).startswith(b"GET /after ")
        server.send(CLOSING)
        await after.until(b"ok")
        assert talk.finished()[0].outcome is Outcome.CLIENT_LEFT
        assert talk.finished()[0].status == 0


async def test_stopping_ends_those_who_wait_and_the_prober() -> None:
    async with restarting() as (talk, upstream):
        client = await ask(talk)
        await until(lambda: is_awaited(talk))
        assert await talk.gateway.stop(drain_s=0) == 1
        with pytest.raises(ConnectionResetError):
            await client.rest()
        upstream.come_back()
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4 * hold.RETRY_S):
                await loop.sock_accept(upstream.listener)


# -- what is asked and what is said ------------------------------------------------------------------------------------


async def test_one_prober_asks_for_all_who_wait() -> None:
    async with restarting() as (talk, _):
        for _ in range(40):
            await ask(talk)
        await until(lambda: is_awaited(talk, 40))
        dials = 0

        dialler = talk.gateway._pools["backend"].servers[0]._dialler
        dial = type(dialler).dial

        async def counted(*arguments: object) -> str:
            nonlocal dials
            dials += 1
            return await dial(*arguments)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(dialler), "dial", counted)
            await asyncio.sleep(5 * hold.RETRY_S)
        assert 1 <= dials <= 6


async def test_going_and_coming_back_is_said_once_however_many_ask() -> None:
    async with restarting() as (talk, upstream):
        clients = [await ask(talk) for _ in range(20)]
        await until(lambda: is_awaited(talk, 20))
        upstream.come_back()
        for _ in clients:
            server = await upstream.accept()
            await server.head()
            server.send(CLOSING)
        for client in clients:
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert [state.is_up for state in talk.seen(UpstreamState)] == [True, False, True]


async def test_a_server_is_found_again_without_any_request() -> None:
    async with restarting() as (talk, upstream):
        refused = await ask(talk, b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n")
        await refused.head()
        upstream.come_back()
        await until(lambda: [state.is_up for state in talk.seen(UpstreamState)] == [True, False, True])


async def test_a_server_that_starts_late_is_found_without_any_request() -> None:
    async with restarting(is_known=False) as (talk, upstream):
        upstream.come_back()
        await until(lambda: [state.is_up for state in talk.seen(UpstreamState)] == [False, True])


@pytest.mark.parametrize(("is_in_container", "has_hint"), [(True, True), (False, False)])
async def test_in_a_container_a_refused_localhost_is_said_to_be_the_container_itself(
    monkeypatch: pytest.MonkeyPatch, is_in_container: bool, has_hint: bool
) -> None:
    monkeypatch.setattr(service, "is_in_container", lambda: is_in_container)
    async with restarting(is_known=False) as (talk, _):
        client = await ask(talk)
        head = await client.head()
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
        assert (b"host.docker.internal" in await client.read(length)) is has_hint


# -- a server that stays away ------------------------------------------------------------------------------------------

DOCUMENT = b"GET /page HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n\r\n"
SHORT_S = 1.5


async def answered(talk: Conversation, request: bytes) -> tuple[float, bytes]:
    """Ask; return how many seconds the answer took, and its octets."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    client = await ask(talk, request)
    head = await client.head()
    took_s = loop.time() - started
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
    return took_s, head + await client.read(length)


@pytest.mark.alone
async def test_the_wait_counts_from_when_the_server_went() -> None:
    async with restarting(hold_s=SHORT_S) as (talk, _):
        took_s, first = await answered(talk, GET)
        assert SHORT_S - 0.2 < took_s < SHORT_S + 0.8
        assert b"this request has waited for it for 1.5 s" in first
        (took_s, page), (late_s, late) = await asyncio.gather(answered(talk, DOCUMENT), answered(talk, GET))
        assert took_s < 0.8, "the page waits, not the request for it"
        assert b"reloads by itself" in page
        assert "longer than requests wait for it (`hold_s = 1.5`)" in shown(page)
        assert late_s < 1.4, "at most a second"
        assert b"this request has waited for it for 1.0 s" in late
        for answer in (first, page, late):
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"With `hold_s`" not in answer
            assert b"It was up until " in answer


async def test_a_document_waits_too_as_long_as_the_server_may_be_restarting() -> None:
    async with restarting() as (talk, upstream):
        client = await ask(talk, DOCUMENT)
        assert await client.is_silent(0.6)
        upstream.come_back()
        server = await upstream.accept()
        await server.head()
        server.send(CLOSING)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(GET, id="get"),
        pytest.param(DOCUMENT, id="document"),
        pytest.param(HANDSHAKE, id="handshake", marks=pytest.mark.http1_only("200 would say that the tunnel is open")),
    ],
)
async def test_when_it_is_back_after_all_the_next_request_goes_through(request_: bytes) -> None:
    async with restarting(hold_s=0.5) as (talk, upstream):
        await answered(talk, GET)
        await answered(talk, GET)
        upstream.come_back()
        client = await ask(talk, request_)
        server = await upstream.accept()
        assert (await server.head()).startswith(request_.partition(b"\r\n")[0])
        server.send(CLOSING)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_a_server_that_goes_while_nobody_asks_is_missed_by_the_connections_that_end() -> None:
    upstream = Restarting()
    settings = Upstream(name="backend", servers=(address_of(upstream.port),), hold_s=SHORT_S)
    async with running(config_for((), upstream=settings), upstream) as talk:
        client = await ask(talk, HANDSHAKE)
        server = await upstream.accept()
        await server.head()
        server.send(SWITCHING)
        await client.head()
        upstream.go()
        server.close()
        client.close()
        await until(lambda: [state.is_up for state in talk.seen(UpstreamState)] == [True, False])
        await asyncio.sleep(SHORT_S)
        assert (await answered(talk, DOCUMENT))[0] < 0.8


async def test_that_requests_wait_is_said_once_with_their_number_and_the_upstream() -> None:
    async with restarting() as (talk, upstream):
        clients = [await ask(talk) for _ in range(2)]
        await until(lambda: talk.seen(RequestsWaiting))
        clients.append(await ask(talk))
        assert await clients[-1].is_silent(0.6)
        (said,) = talk.seen(RequestsWaiting)
        assert (said.upstream, said.count) == ("backend", 2)
        assert 0 < said.left_s <= LONG_S
        upstream.come_back()
        for _ in clients:
            server = await upstream.accept()
            await server.head()
            server.send(CLOSING)
        for client in clients:
            await client.head()
        upstream.go()
        await ask(talk)
        await until(lambda: len(talk.seen(RequestsWaiting)) == 2)
        alone = talk.seen(RequestsWaiting)[1]
        assert (alone.count, alone.method, alone.target) == (1, b"GET", b"/")


async def test_of_several_servers_the_last_that_went_counts() -> None:
    one, other = Restarting(), Restarting()
    settings = Upstream(name="backend", servers=(address_of(one.port), address_of(other.port)), hold_s=SHORT_S)
    async with running(config_for((), upstream=settings), one) as talk:
        await until(lambda: len(talk.seen(UpstreamState)) == 2)
        one.go()
        await asyncio.sleep(SHORT_S)
        other.go()
        took_s, _ = await answered(talk, GET)
        assert SHORT_S - 0.2 < took_s < SHORT_S + 0.8
        other.close()
