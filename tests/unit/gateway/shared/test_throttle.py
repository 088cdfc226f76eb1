"""Octets kept to a rate: on a clock that the test turns, without a socket."""

from __future__ import annotations

import pytest
from devproxy.gateway.shared.throttle import SLICE_S, Throttle
from tests.support.clock import Clock


class Line:
    """A throttle at `bytes_per_s` and what became of it. ``events``: of its source and its end, in order."""

    def __init__(self, bytes_per_s: float) -> None:
        self.clock = Clock()
        self.out = bytearray()
        self.events: list[str] = []
        self.throttle = Throttle(
            self.clock,
            bytes_per_s,
            self.write,
            pause_source=lambda: self.events.append("pause"),
            resume_source=lambda: self.events.append("resume"),
        )

    def write(self, data: bytes) -> None:
        assert data
        self.out += data

    def end(self) -> None:
        self.throttle.end(lambda: self.events.append("end"))


def test_what_is_within_the_rate_leaves_at_once_and_starts_no_timer() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(50))
    assert (len(line.out), line.events, line.clock.timers) == (50, [], [])


def test_what_is_beyond_the_rate_leaves_at_the_rate_and_in_order() -> None:
    line = Line(1000)
    data = bytes(turn % 251 for turn in range(2000))
    line.throttle.feed(data)
    seen = []
    for _ in range(20):
        line.clock.turn(0.1)
        seen.append(len(line.out))
    assert all(abs(passed - 50 - 100 * (turn + 1)) <= 51 for turn, passed in enumerate(seen[:19]))
    assert line.out == data
    assert line.events == ["pause", "resume"]


@pytest.mark.parametrize("rate", [3.0, 1000.0, 524288.0])
def test_no_more_than_the_rate_and_one_slice_ever_passes(rate: float) -> None:
    line = Line(rate)
    started = line.clock.now
    for turn in range(200):
        if line.throttle.held_bytes < rate:
            line.throttle.feed(bytes(int(rate) // 3 + 1))
        line.clock.turn(0.013 if turn % 7 else 0.3)
        assert len(line.out) <= rate * (line.clock.now - started) + max(1.0, rate * SLICE_S) + 1e-6


def test_a_pause_saves_up_no_more_than_one_slice() -> None:
    line = Line(1000)
    line.clock.turn(3600)
    line.throttle.feed(bytes(1000))
    assert len(line.out) == 50


def test_the_source_is_paused_while_something_is_held() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(200))
    assert (line.events, line.throttle.held_bytes) == (["pause"], 150)
    line.clock.turn(0.2)
    assert (line.events, line.throttle.held_bytes) == (["pause", "resume"], 0)


def test_waiting_is_no_busy_loop() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(1000))
    line.clock.turn(1)
    assert len(line.out) == 1000
    assert line.clock.woken <= 1 / SLICE_S + 2


def test_less_than_an_octet_in_a_second_passes_an_octet_at_a_time() -> None:
    line = Line(0.5)
    line.throttle.feed(b"abc")
    assert line.out == b"a"
    line.clock.turn(2.1)
    assert line.out == b"ab"
    line.clock.turn(2.1)
    assert line.out == b"abc"
    assert line.clock.woken <= 4


def test_the_end_comes_once_and_behind_what_is_held() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(100))
    line.end()
    assert "end" not in line.events
    line.clock.turn(1)
    assert len(line.out) == 100
    assert line.events == ["pause", "resume", "end"]
    line.clock.turn(1)
    assert line.events.count("end") == 1


def test_the_end_of_nothing_comes_at_once() -> None:
    line = Line(1000)
    line.end()
    assert line.events == ["end"]


def test_nothing_leaves_towards_one_who_takes_slowly() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(100))
    line.throttle.pause()
    line.end()
    line.clock.turn(10)
    assert (len(line.out), line.events, line.clock.timers) == (50, ["pause"], [])
    line.throttle.resume()
    line.clock.turn(1)
    assert len(line.out) == 100
    assert line.events == ["pause", "resume", "end"]


def test_the_source_of_one_who_takes_slowly_is_paused_also_when_nothing_is_held() -> None:
    line = Line(1000)
    line.throttle.pause()
    assert line.events == ["pause"]
    line.throttle.resume()
    assert line.events == ["pause", "resume"]


def test_one_who_takes_slowly_from_the_middle_of_a_write_is_heeded() -> None:
    line = Line(1000)
    write = line.write

    def congested(data: bytes) -> None:
        write(data)
        line.throttle.pause()

    line.throttle._write = congested
    line.throttle.feed(bytes(500))
    line.clock.turn(10)
    assert len(line.out) == 50


def test_a_stop_in_the_middle_drops_everything_and_leaves_no_timer() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(500))
    line.end()
    line.throttle.stop()
    line.clock.turn(10)
    assert (len(line.out), line.throttle.held_bytes, line.clock.timers) == (50, 0, [])
    assert "end" not in line.events


def test_a_stop_from_within_a_write_is_heeded() -> None:
    line = Line(1000)
    line.throttle._write = lambda _: line.throttle.stop()
    line.throttle.feed(bytes(500))
    assert (line.throttle.held_bytes, line.clock.timers) == (0, [])


def test_what_is_held_can_be_taken_out() -> None:
    line = Line(1000)
    line.throttle.feed(bytes(50) + b"rest")
    assert line.throttle.take_held() == b"rest"
    assert line.throttle.held_bytes == 0
