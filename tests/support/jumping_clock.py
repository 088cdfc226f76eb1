"""An event loop whose clock jumps: where nothing is left to do but wait, the time waited for is there at once.

The gateway takes its time from the loop, as the tests do, so that a limit of a minute is held to the second and costs
some milliseconds. Only for tests in which everything runs on the loop or in its executor: what another program or
thread does takes real time, as do megabytes that a slow reader leaves to TCP, and the clock would run away from them.
The marker ``jumping_clock`` asks for it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PATIENCE_S = 0.005
"""How long, in real time, nothing must have come from any socket before the clock jumps: loopback takes its time."""


class _Selector(selectors.DefaultSelector):
    """Waits no longer than for what is on its way. ``skipped_s``: by how much the clock is ahead."""

    skipped_s = 0.0
    jobs = 0
    """What runs in the executor."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= PATIENCE_S or self.jobs:
            return super().select(timeout)
        ready = super().select(PATIENCE_S)
        if not ready:
            self.skipped_s += timeout - PATIENCE_S
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with a clock that jumps."""

    def __init__(self) -> None:
        self._sockets = _Selector()
        super().__init__(self._sockets)

    def time(self) -> float:
        return super().time() + self._sockets.skipped_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._sockets.jobs += 1
        future.add_done_callback(self._end_job)
        return future

    def _end_job(self, _: object) -> None:
        self._sockets.jobs -= 1
