from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from devproxy.platforms import signals
from devproxy.platforms.ending import Watchdog


class LoopOfWindows(asyncio.SelectorEventLoop):
    """Takes no handlers for signals."""

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


@pytest.fixture(params=[asyncio.SelectorEventLoop, LoopOfWindows], ids=["asyncio", "asyncio on Windows"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    before = signal.getsignal(signal.SIGTERM)
    loop: asyncio.AbstractEventLoop = request.param()
    yield loop
    if not isinstance(loop, LoopOfWindows):
        loop.remove_signal_handler(signal.SIGTERM)
    loop.close()
    signal.signal(signal.SIGTERM, before)


def test_a_loop_hears_of_each_signal(loop: asyncio.AbstractEventLoop) -> None:
    came: list[str] = []

    def take() -> None:
        came.append("it came")
        if len(came) == 2:
            loop.stop()

    signals.handle(loop, signal.SIGTERM, take)
    for delay_s in (0.0, 0.01):
        loop.call_later(delay_s, signals.ask_to_stop)
    loop.run_forever()
    assert came == ["it came"] * 2


def test_one_after_the_loops_end_does_no_harm() -> None:
    before = signal.getsignal(signal.SIGTERM)
    loop = LoopOfWindows()
    signals.handle(loop, signal.SIGTERM, loop.stop)
    loop.close()
    signals.ask_to_stop()
    signal.signal(signal.SIGTERM, before)


def test_a_stop_is_given_its_time_and_a_second_signal_less(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in signals.STOPPING}
    given: list[float] = []
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda limit_s, exit: given.append(limit_s))
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    watchdog = Watchdog()
    watchdog.begin(1.0)
    watchdog.drains_for(2.0)
    signals.ask_to_stop()
    signals.ask_to_stop()
    for number, handler in before.items():
        signal.signal(number, handler)
    assert given == [3.5, 1.5]
    assert heard == [signal.SIGTERM] * 2
