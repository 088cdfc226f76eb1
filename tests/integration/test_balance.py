"""Several servers behind one route: who gets what, who is left out, what keeps a client at its server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.events import TunnelClosed, TunnelOpened, UpstreamState
from devproxy.policy.verdict.handshake import accept_for
from tests.support.exchanges import GET, OK, values_of
from tests.support.wire import Conversation, ScriptedUpstream, address_of, config_for, running, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
OPEN = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n"


class Answering(asyncio.Protocol):
    """A connection to one of the servers of a farm."""

    def __init__(self, farm: Farm, index: int) -> None:
        self._farm = farm
        self._index = index
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._farm.connections[self._index].add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._farm.connections[self._index].discard(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            if b"Content-Length: 2" in head:
                assert self._data.startswith(b"hi")
                self._data = self._data[2:]
            self.transport.write(self._farm.answer(self._index, head))


class Farm:
    """Servers that answer every request with their own number, an Engine.IO handshake with an open packet."""

    def __init__(self, count: int) -> None:
        self.connections: list[set[Answering]] = [set() for _ in range(count)]
        self.ports = [0] * count
        self.heads: list[bytes] = []
        """What they got."""
        self._listeners: list[asyncio.Server] = []
        self._sessions = 0

    async def start(self, index: int) -> None:
        """Listen, again at the same port."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Answering(self, index), "127.0.0.1", self.ports[index])
        self.ports[index] = listener.sockets[0].getsockname()[1]
        self._listeners[index : index + 1] = [listener]

    async def kill(self, index: int) -> None:
        """Stop listening and cut every connection of one server."""
        self._listeners[index].close()
        for connection in self.connections[index]:
            connection.transport.abort()
        await until(lambda: not self.connections[index])

    async def close(self) -> None:
        for index in range(len(self.ports)):
            await self.kill(index)

    def answer(self, index: int, head: bytes) -> bytes:
        self.heads.append(head)
        if head.startswith(b"GET /never "):
            return b""
        if b"upgrade: websocket" in head.lower():
            key = b"".join(value for value in values_of(head, b"sec-websocket-key"))
            accept = b"Sec-WebSocket-Accept: " + accept_for(key)
            return b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%b\r\n\r\n%d" % (accept, index)
        body = b"%d" % index
        if b"EIO=" in head and b"sid=" not in head:
            self._sessions += 1
            body = b'0{"sid":"s%d-of-%d","upgrades":[]}' % (self._sessions, index)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def farm(
    count: int = 2, sticky: Sticky = Sticky.NONE, *, hold_s: float = 0
) -> AsyncIterator[tuple[Conversation, Farm]]:
    """Run a gateway in front of `count` servers that answer by themselves."""
    servers = Farm(count)
    for index in range(count):
        await servers.start(index)
    addresses = tuple(address_of(port) for port in servers.ports)
    upstream = Upstream(name="backend", servers=addresses, sticky=sticky, hold_s=hold_s)
    try:
        async with running(config_for((), upstream=upstream), ScriptedUpstream()) as talk:
            await until(lambda: len(talk.seen(UpstreamState)) == count)
            yield talk, servers
    finally:
        await servers.close()


async def ask(talk: Conversation, request: bytes = GET) -> tuple[bytes, bytes]:
    """Send `request` on a new connection; return head and body of the answer."""
    client = await talk.client()
    client.send(request)
    head = await client.head()
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0])
    body = await client.read(length)
    client.close()
    return head, body


async def open_session(talk: Conversation) -> tuple[bytes, int]:
    """Open an Engine.IO session; return its id and the number of its server."""
    _, body = await ask(talk, OPEN)
    sid = json.loads(body[1:])["sid"]
    return sid.encode(), int(sid.rpartition("-")[2])


def poll(sid: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    target = b"/socket.io/?EIO=4&transport=polling&sid=" + sid
    return b"\r\n".join((method + b" " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b""))


# -- by load -----------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_busy_gets_less() -> None:
    async with farm(2) as (talk, _):
        slow = await talk.client()
        slow.send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        service = talk.gateway._shared
        assert service is not None
        loads = service.current.pools["backend"].servers
        await until(lambda: sum(server.outstanding for server in loads))
        (busy,) = (server.index for server in loads if server.outstanding)
        assert {(await ask(talk, POST))[1] for _ in range(5)} == {b"%d" % (1 - busy)}


async def test_tunnels_count_as_something_to_do_for_as_long_as_they_last() -> None:
    handshake = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with farm(2) as (talk, servers):
        clients = []
        for _ in range(6):
            client = await talk.client()
            client.send(handshake)
            await client.head()
            clients.append((client, await client.read(1)))
        assert sorted(number for _, number in clients) == [b"0"] * 3 + [b"1"] * 3
        for client, number in clients:
            if number == b"1":
                client.close()
        await until(lambda: len(talk.seen(TunnelClosed)) == 3)
        for _ in range(3):
            client = await talk.client()
            client.send(handshake)
            await client.head()
            assert await client.read(1) == b"1"
        assert len(talk.seen(TunnelOpened)) == 9
        assert len(servers.heads) == 9


async def test_what_is_over_counts_no_more_however_it_ended() -> None:
    async with farm(2) as (talk, _):
        for request in (GET, POST, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", OPEN):
            await ask(talk, request)
        leaving = await talk.client()
        leaving.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")
        await until(lambda: talk.gateway.connection_count)
        leaving.reset()
        service = talk.gateway._shared
        assert service is not None
        await until(lambda: not service.connections)
        assert [server.outstanding for server in service.current.pools["backend"].servers] == [0, 0]


# -- servers that go ---------------------------------------------------------------------------------------------------


async def test_what_was_not_sent_goes_to_another_server_also_with_a_body() -> None:
    async with farm(3) as (talk, servers):
        await servers.kill(1)
        for _ in range(12):
            head, body = await ask(talk, POST)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert body in (b"0", b"2")


async def test_a_server_that_died_is_left_out_and_found_again() -> None:
    async with farm(2) as (talk, servers):
        await servers.kill(1)
        while len(talk.seen(UpstreamState)) < 3:
            assert (await ask(talk, POST))[1] == b"0"
        await servers.start(1)
        await until(lambda: len(talk.seen(UpstreamState)) == 4)
        answers = {(await ask(talk, POST))[1] for _ in range(4)}
        assert answers == {b"0", b"1"}
        assert [state.is_up for state in talk.seen(UpstreamState)] == [True, True, False, True]


async def test_several_dead_connections_in_a_row_cost_a_client_nothing() -> None:
    first = ScriptedUpstream()
    async with running(config_for((address_of(first.port),)), first) as talk:
        ends = []
        for _ in range(5):
            client = await talk.client()
            client.send(GET)
            ends.append((client, await first.accept()))
        for client, server in ends:
            await server.head()
            server.send(OK)
            await client.until(b"ok")
        client = await talk.client()
        client.send(GET)
        await ends[-1][1].head()
        ends[-1][1].close()  # this one is dead, and so are all the others, but nobody has noticed yet
        again = await first.accept()
        await again.head()
        for _, server in ends[:-1]:
            assert await server.is_ended()
        again.send(CLOSING)
        await client.until(b"ok")
        client = await talk.client()
        client.send(POST)
        server = await first.accept()
        await server.head()
        server.send(CLOSING)
        await client.until(b"ok")


async def test_held_requests_go_to_whichever_server_comes_back() -> None:
    async with farm(2, hold_s=60) as (talk, servers):
        await servers.kill(0)
        await servers.kill(1)
        client = await talk.client()
        client.send(GET)
        assert await client.is_silent(0.3)
        await servers.start(1)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read(1) == b"1"


# -- sticky = "socketio" -----------------------------------------------------------------------------------------------


async def test_all_requests_of_a_session_reach_the_server_that_created_it() -> None:
    async with farm(3, Sticky.SOCKETIO) as (talk, _):
        sessions = [await open_session(talk) for _ in range(9)]
        assert sorted(number for _, number in sessions) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        for sid, number in sessions * 2:
            assert (await ask(talk, poll(sid)))[1] == b"%d" % number
            assert (await ask(talk, poll(sid, b"Content-Length: 0", method=b"POST")))[1] == b"%d" % number
            client = await talk.client()
            upgrade = poll(sid, b"Connection: Upgrade", b"Upgrade: websocket").replace(b"polling", b"websocket")
            client.send(upgrade)
            await client.head()
            assert await client.read(1) == b"%d" % number


async def test_the_id_is_found_also_when_it_comes_in_pieces() -> None:
    first, second = ScriptedUpstream(), ScriptedUpstream()
    addresses = (address_of(first.port), address_of(second.port))
    upstream = Upstream(name="backend", servers=addresses, sticky=Sticky.SOCKETIO)
    try:
        async with running(config_for((), upstream=upstream), first) as talk:
            client = await talk.client()
            client.send(OPEN)
            accepting = [asyncio.ensure_future(server.accept()) for server in (first, second)]
            done, pending = await asyncio.wait(accepting, return_when=asyncio.FIRST_COMPLETED)
            for one in pending:
                one.cancel()
            server = done.pop().result()
            await server.head()
            server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await client.head()
            for piece in (b'17\r\n0{"sid":"abc', b'def","x":1}\r\n0\r\n\r\n'):
                server.send(piece)
                await client.until(piece[-4:])
            for _ in range(4):
                client = await talk.client()
                client.send(poll(b"abcdef"))
                await server.head()
                server.send(OK)
                await client.until(b"ok")
    finally:
        second.close()


@pytest.mark.parametrize("is_known_to_be_down", [False, True])
async def test_a_session_whose_server_died_is_told_so_in_the_words_of_socketio(is_known_to_be_down: bool) -> None:
    async with farm(2, Sticky.SOCKETIO, hold_s=60) as (talk, servers):
        sessions = dict([await open_session(talk), await open_session(talk)])
        (lost,) = (sid for sid, number in sessions.items() if number == 1)
        await servers.kill(1)
        if is_known_to_be_down:
            await ask(talk, poll(lost))
        for request in (poll(lost), poll(lost, b"Content-Length: 0", method=b"POST")):
            head, body = await ask(talk, request)
            assert head.startswith(b"HTTP/1.1 400 ")
            assert json.loads(body) == {"code": 1, "message": "Session ID unknown"}
        assert (await open_session(talk))[1] == 0
        (kept,) = (sid for sid, number in sessions.items() if number == 0)
        assert (await ask(talk, poll(kept)))[1] == b"0"


async def test_a_session_from_before_devproxy_started_reaches_one_server_always() -> None:
    async with farm(3, Sticky.SOCKETIO) as (talk, _):
        assert len({(await ask(talk, poll(b"from-before")))[1] for _ in range(6)}) == 1


async def test_socketio_stickiness_sets_no_cookie() -> None:
    async with farm(2, Sticky.SOCKETIO) as (talk, _):
        head, _ = await ask(talk, OPEN)
        assert values_of(head, b"set-cookie") == []


# -- sticky = "cookie" -------------------------------------------------------------------------------------------------


def with_cookie(cookie: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nCookie: a=b; %b\r\nContent-Length: 2\r\n\r\nhi" % cookie


async def test_a_cookie_keeps_a_client_at_its_server_and_is_set_once() -> None:
    async with farm(3, Sticky.COOKIE) as (talk, _):
        head, number = await ask(talk)
        (line,) = values_of(head, b"set-cookie")
        cookie, _, attributes = line.partition(b"; ")
        assert cookie.startswith(b"devproxy_backend=")
        assert attributes == b"Path=/; HttpOnly; SameSite=Lax"
        for _ in range(6):
            head, again = await ask(talk, with_cookie(cookie))
            assert again == number
            assert values_of(head, b"set-cookie") == []


async def test_a_client_whose_server_died_gets_another_one_and_its_cookie() -> None:
    async with farm(2, Sticky.COOKIE) as (talk, servers):
        head, number = await ask(talk)
        cookie = values_of(head, b"set-cookie")[0].partition(b"; ")[0]
        await servers.kill(int(number))
        for _ in range(3):  # before and after it is known
            head, other = await ask(talk, with_cookie(cookie))
            assert other != number
            (line,) = values_of(head, b"set-cookie")
            assert not line.startswith(cookie)


async def test_a_websocket_handshake_gets_the_cookie_too() -> None:
    async with farm(2, Sticky.COOKIE) as (talk, _):
        client = await talk.client()
        client.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert len(values_of(await client.head(), b"set-cookie")) == 1
