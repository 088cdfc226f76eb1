"""The connections to one server: which one a client gets, how long it is kept, and whether the server is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import UpstreamState
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def asked(world: World, client: MemoryTransport) -> MemoryTransport:
    """Return the connection on which a request of `client` goes up."""
    before = [one.written for one in world.upstreams]
    client.receive(GET)
    world.settle()
    (used,) = (one for one, was in zip(world.upstreams, [*before, b""], strict=False) if one.written != was)
    return used


def used_one_after_another(world: World, count: int) -> list[tuple[MemoryTransport, MemoryTransport]]:
    """Have `count` clients ask at the same time; return each with its connection, on which it was answered."""
    pairs = [(client, asked(world, client)) for client in [world.client() for _ in range(count)]]
    for _, server in pairs:
        server.receive(OK)
    return pairs


def test_a_client_gets_the_connection_that_it_used_last_and_a_new_one_that_of_anybody(world: World) -> None:
    (first, own), (_, last) = used_one_after_another(world, 2)
    assert asked(world, first) is own
    assert asked(world, world.client()) is last
    assert asked(world, world.client()) not in (own, last)


@pytest.mark.parametrize(
    ("head", "after_s", "is_kept"),
    [
        (OK, 1.0, True),
        (OK, 1000.0, False),
        (OK[:-2] + b"Keep-Alive: timeout=5\r\n\r\n", 3.0, True),
        (OK[:-2] + b"Keep-Alive: timeout=5\r\n\r\n", 4.5, False),
        (OK[:-2] + b"Keep-Alive: timeout=1\r\n\r\n", 0.0, False),
    ],
    ids=["soon", "much later", "within what was announced", "near its end", "for no time at all"],
)
def test_a_connection_is_kept_for_less_time_than_the_server_keeps_it(
    world: World, head: bytes, after_s: float, is_kept: bool
) -> None:
    client = world.client()
    server = asked(world, client)
    server.receive(head)
    world.shared.now += after_s
    assert (asked(world, client) is server) is is_kept
    assert server.is_closing() is not is_kept


def test_what_ends_while_it_is_idle_is_not_used_again(world: World) -> None:
    ((client, server),) = used_one_after_another(world, 1)
    server.receive(b"unasked")
    assert server.is_aborted
    assert asked(world, client) is not server


@pytest.mark.parametrize(
    "end", [lambda world: world.pool.retire(), lambda world: world.pool.keep_nothing()], ids=["retired", "stopping"]
)
def test_a_pool_at_its_end_keeps_nothing(world: World, end: Callable[[World], None]) -> None:
    ((_, idle),) = used_one_after_another(world, 1)
    client = world.client()
    busy = asked(world, client)
    assert busy is idle
    end(world)
    busy.receive(OK)
    assert busy.is_closing()
    assert not world.idle()


def test_that_a_server_comes_and_goes_is_told_once_each_time(world: World) -> None:
    server = world.pool.servers[0]
    there = world._dialler
    outcomes = [UpstreamError(UpstreamFault.REFUSED, "http://a", tried=(("a", "refused"),))] * 2

    class Dialler:
        async def dial(self, factory: Callable[[], asyncio.Protocol]) -> str:
            if len(world.upstreams) == 2 and outcomes:
                raise outcomes.pop()
            return await there.dial(factory)

        def close(self) -> None:
            """Nothing is looked up."""

    server._dialler = Dialler()  # type: ignore[assignment]
    for _ in range(4):
        world.loop.run_until_complete(server.probe())
    told = [(one.is_up, one.detail) for one in world.events if isinstance(one, UpstreamState)]
    assert told == [(True, ""), (False, "refused")]
    world.loop.run_until_complete(server.probe())
    assert server.is_up


def test_a_server_that_has_moved_loses_what_leads_to_its_old_address(world: World) -> None:
    ((client, server),) = used_one_after_another(world, 1)
    world.pool.servers[0]._note_up("127.0.0.2:1")
    assert server.is_closing()
    assert asked(world, client) is not server


def test_a_login_belongs_to_its_client_alone(world: World) -> None:
    first, second = world.client(), world.client()
    first.receive(GET[:-2] + b"Authorization: NTLM abc\r\n\r\n")
    world.settle()
    (server,) = world.upstreams
    server.receive(OK)
    assert asked(world, second) is not server
    assert asked(world, first) is server
