"""A clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial


@dataclass(eq=False)
class Timer:
    """A call to come at `when`, until it is cancelled."""

    when: float
    callback: Callable[[], object]
    timers: list[Timer]

    def cancel(self) -> None:
        if self in self.timers:
            self.timers.remove(self)


@dataclass
class Clock:
    """The part of an event loop that is a clock. ``woken``: timers that went off."""

    now: float = 100.0
    woken: int = 0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., object], /, *arguments: object) -> Timer:
        timer = Timer(self.now + delay, partial(callback, *arguments), self.timers)
        self.timers.append(timer)
        return timer

    def turn(self, seconds: float) -> None:
        """Let `seconds` pass, with every timer that is due on the way."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.when <= end]:
            timer = min(due, key=lambda one: one.when)
            self.timers.remove(timer)
            self.now = timer.when
            self.woken += 1
            assert self.woken < 10_000, "a busy loop"
            timer.callback()
        self.now = end
