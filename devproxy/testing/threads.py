"""An event loop in a thread of its own, so that tests that wait, of any kind, do not keep it from running."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, TypeVar

T = TypeVar("T")

LIMIT_S: Final = 30.0
"""How long a start or a stop may take."""


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class LoopThread:
    """A running loop, until the end of the block; `name` is the thread's. What runs in it is cancelled then."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> LoopThread:
        """Begin."""
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._runner.close()

    def take_turns(self, count: int = 1) -> None:
        """Wait until the loop has ended its turn, and `count` - 1 more; in its own thread, or after its end, not."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self.run(_turns(count))

    def run(self, coroutine: Coroutine[Any, Any, T], limit_s: float = LIMIT_S) -> T:
        """Return what `coroutine` does in the loop, or raise what it raises; TimeoutError after `limit_s` seconds."""
        done = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return done.result(limit_s)
        except BaseException:
            done.cancel()
            raise
