"""Who looks for a server that has gone, on a clock that the test turns."""

from __future__ import annotations

from typing import Any, cast

import pytest
from devproxy.gateway.back.hold import Prober, may_wait
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from tests.support.streams import Loop


class Looked:
    """A prober and the times at which it looked. ``is_there``: whether it finds the server."""

    def __init__(self, *, is_awaited: bool) -> None:
        self.loop = Loop()
        self.times: list[float] = []
        self.is_there = False
        self.prober = Prober(cast("Any", self.loop), self._look, lambda: is_awaited)

    async def _look(self) -> bool:
        self.times.append(round(self.loop.now - 100, 3))
        return self.is_there


def test_a_server_that_is_awaited_is_asked_ten_times_a_second() -> None:
    looked = Looked(is_awaited=True)
    looked.prober.start()
    looked.loop.turn(0.55)
    assert looked.times == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_server_for_which_nobody_waits_is_asked_less_and_less_often() -> None:
    looked = Looked(is_awaited=False)
    looked.prober.start()
    looked.loop.turn(60)
    waits = [round(later - sooner, 1) for sooner, later in zip(looked.times, looked.times[1:], strict=False)]
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(2.0), "and is still found again"


def test_a_server_that_is_there_is_asked_no_more() -> None:
    looked = Looked(is_awaited=True)
    looked.prober.start()
    looked.loop.turn(0.15)
    looked.is_there = True
    looked.loop.turn(10)
    assert looked.times == [0.1, 0.2]


@pytest.mark.parametrize(
    ("head", "may"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", True),
        (b"POST / HTTP/1.1\r\nHost: a", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", False),
    ],
    ids=["safe", "not safe", "with a body"],
)
def test_only_what_surprises_nobody_later_may_wait(head: bytes, may: bool) -> None:
    assert may_wait(parse_request_head(head, Limits())) is may
