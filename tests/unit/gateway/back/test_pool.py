"""The servers of one upstream: who is tried, and what is told where none is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from devproxy.config.model import Upstream
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import RequestsWaiting
from devproxy.gateway.back import hold
from devproxy.gateway.back.pool import UpstreamPool
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from tests.support.in_memory import World
from tests.support.wire import address_of, config_for

GET = parse_request_head(b"GET /a HTTP/1.1\r\nHost: a", Limits())
POST = parse_request_head(b"POST /a HTTP/1.1\r\nHost: a", Limits())


class Dialler:
    """Reaches its server unless it `is_down`. ``count``: how often it was asked."""

    def __init__(self, world: World, name: str) -> None:
        self.there = world._dialler
        self.name = name
        self.is_down = False
        self.count = 0

    async def dial(self, factory: Any) -> str:
        self.count += 1
        if self.is_down:
            raise UpstreamError(UpstreamFault.REFUSED, self.name, tried=((self.name, "connection refused"),))
        return await self.there.dial(factory)

    def close(self) -> None:
        """Nothing is looked up."""


class Two:
    """An upstream of two servers, that have been there. ``diallers``: theirs."""

    def __init__(self) -> None:
        upstream = Upstream(name="a", servers=(), hold_s=5.0)
        self.world = World(config_for((address_of(1), address_of(2)), upstream=upstream))
        self.pool: UpstreamPool = self.world.pool
        self.diallers = [Dialler(self.world, name) for name in ("one", "two")]
        for server, dialler in zip(self.pool.servers, self.diallers, strict=True):
            server._dialler = cast("Any", dialler)
        self.run(self.pool.probe())

    def run(self, work: Any) -> Any:
        return self.world.loop.run_until_complete(work)

    def go(self, *, is_down: bool) -> None:
        for dialler in self.diallers:
            dialler.is_down = is_down
            dialler.count = 0
        self.run(self.pool.probe())


@pytest.fixture
def two() -> Iterator[Two]:
    made = Two()
    yield made
    made.world.close()


def test_another_server_takes_what_the_chosen_one_refuses_and_is_asked_first_from_then_on(two: Two) -> None:
    two.diallers[0].is_down = True
    first = two.pool.servers[0]
    connection = two.run(two.pool.open(first, GET, is_bound=False))
    assert connection.server_pool is two.pool.servers[1]
    asked = two.diallers[0].count
    two.run(two.pool.open(first, GET, is_bound=False))
    assert two.diallers[0].count == asked, "who is known to be down is asked last"


def test_who_is_bound_to_a_server_gets_no_other(two: Two) -> None:
    two.diallers[0].is_down = True
    with pytest.raises(UpstreamError):
        two.run(two.pool.open(two.pool.servers[0], GET, is_bound=True))


def test_where_all_refuse_what_may_not_wait_is_told_of_every_attempt(two: Two) -> None:
    two.go(is_down=True)
    with pytest.raises(UpstreamError) as caught:
        two.run(two.pool.open(two.pool.servers[0], POST, is_bound=False))
    assert caught.value.tried == (("one", "connection refused"), ("two", "connection refused"))
    assert caught.value.waited_s == 0.0


def test_what_may_wait_goes_on_when_a_server_is_back(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "SAID_AFTER_S", 0.0)
    two.go(is_down=True)
    task = two.world.loop.create_task(two.pool.open(two.pool.servers[0], GET, is_bound=False))
    two.world.settle()
    assert two.pool._room.is_used()
    (said,) = [event for event in two.world.events if isinstance(event, RequestsWaiting)]
    assert (said.count, said.target) == (1, b"/a")
    two.go(is_down=False)
    assert two.run(task).is_open
    assert not two.pool._room.is_used()


def test_who_waits_and_leaves_has_not_been_there(two: Two) -> None:
    two.go(is_down=True)
    task = two.world.loop.create_task(two.pool.open(two.pool.servers[0], GET, is_bound=False))
    two.world.settle()
    task.cancel()
    two.world.settle()
    assert not two.pool._room.is_used()
    assert task.cancelled()


def test_a_pool_in_the_place_of_another_knows_what_that_knew_of_equal_servers(two: Two) -> None:
    two.go(is_down=True)
    after = UpstreamPool(two.world.shared, two.pool.upstream, two.pool)
    assert after.has_been_up
    assert not after.is_away, "that they are down is found out anew"
    absence = after.absence(0.0, may_wait=True)
    assert absence is not None
    assert absence.hold_s == 5.0
    after.close()
