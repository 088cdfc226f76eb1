"""Which server a client is bound to, and how it hears of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.gateway.back.sticky import StickyChoice
from devproxy.gateway.shared.seam import Asker
from devproxy.http.edits import ResponseEdits
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.realtime.engineio import MAX_OPEN_BYTES
from tests.support.in_memory import World
from tests.support.streams import MemoryClient, Stage
from tests.support.wire import address_of, config_for

OPEN = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a"
OPENED = b'0{"sid":"abc","upgrades":[]}'


@pytest.fixture(params=[Sticky.COOKIE, Sticky.SOCKETIO], ids=lambda sticky: sticky.value)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    upstream = Upstream(name="a", servers=(), sticky=request.param)
    made = World(config_for((address_of(1), address_of(2)), upstream=upstream))
    yield made
    made.close()


def chosen(world: World, block: bytes = b"GET / HTTP/1.1\r\nHost: a") -> StickyChoice:
    return StickyChoice(world.pool, parse_request_head(block, Limits()), MemoryClient())


only_by_cookie = pytest.mark.parametrize("world", [Sticky.COOKIE], indirect=True)
only_by_session = pytest.mark.parametrize("world", [Sticky.SOCKETIO], indirect=True)


@only_by_cookie
def test_a_client_without_a_cookie_gets_one_that_binds_it(world: World) -> None:
    choice = chosen(world)
    edits = choice.mark(ResponseEdits(), choice.server.index)
    (line,) = edits.last
    pair = line.partition(b": ")[2].partition(b";")[0]
    again = chosen(world, b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + pair)
    assert again.server is choice.server
    assert not again.mark(ResponseEdits(), again.server.index).last, "it has it already"
    assert again.mark(ResponseEdits(), 1 - again.server.index).last, "but another server has answered"


@only_by_session
def test_a_session_is_learnt_from_the_answer_that_opens_it(world: World) -> None:
    choice = chosen(world, OPEN)
    connection = world.loop.run_until_complete(world.pool.servers[0].connect())
    choice.carry(connection, cast("Asker", Stage().exchange))
    choice.see(OPENED[:9], 1)
    assert choice.seeks_session, "so far it is only the beginning of one"
    choice.see(OPENED[9:], 1)
    later = chosen(world, OPEN.replace(b"polling ", b"polling&sid=abc "))
    assert later.is_bound
    assert later.server.index == 1


@only_by_session
def test_an_answer_that_opens_no_session_is_not_read_for_ever(world: World) -> None:
    choice = chosen(world, OPEN)
    choice.see(bytes(MAX_OPEN_BYTES), 0)
    assert not choice.seeks_session
