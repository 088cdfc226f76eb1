"""Waiting for a server that was up and refuses now: one prober asks for all, and a bounded number waits.

No waiting request has been sent; a client that leaves meanwhile leaves no trace. Start at :class:`WaitingRoom`;
:class:`Prober` is what opens its door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from devproxy.http.methods import SAFE

if TYPE_CHECKING:
    from devproxy.http.messages import RequestHead

MAX_WAITING: Final = 256
"""Requests that wait for one upstream; those beyond are answered at once."""

LATE_S: Final = 1.0
"""How long a request waits at most that comes ``hold_s`` seconds or more after the server went."""

LATE_DOCUMENT_S: Final = 0.25
"""The same for a document: time enough to ask the server once more, and not to be felt."""

SAID_AFTER_S: Final = 0.3
"""How long the first request waits before it is said that requests wait."""

RETRY_S: Final = 0.1
"""How often a server is tried while a request waits for it."""

_BACKOFF: Final = 1.5
_MAX_RETRY_S: Final = 2.0
"""How seldom a server is tried in the end, when no request waits: it still has to be found again."""


def may_wait(request: RequestHead) -> bool:
    """Tell whether `request` can be delivered later without surprise: safe, and no body to keep.

    A WebSocket handshake is one, and so is an Engine.IO poll that has not been sent yet.
    """
    return request.method in SAFE and request.facts.body_length == 0


@dataclass(eq=False, repr=False)
class WaitingRoom:
    """Where requests wait for an upstream. ``waiting``: those that do, the first one first.

    `say`: is called with them once, ``SAID_AFTER_S`` seconds after the first has come, until the room is opened.
    """

    _loop: asyncio.AbstractEventLoop
    _say: Callable[[Sequence[RequestHead]], None]
    waiting: list[RequestHead] = field(default_factory=list)
    _released: asyncio.Future[None] | None = None
    _saying: asyncio.TimerHandle | None = None

    def is_used(self) -> bool:
        """Tell whether requests wait."""
        return bool(self.waiting)

    async def wait(self, request: RequestHead, until: float) -> bool:
        """Let `request` wait for :meth:`open`; False when the loop's time `until` comes first, or at once when the room
        is full."""
        remaining_s = until - self._loop.time()
        if len(self.waiting) >= MAX_WAITING or remaining_s <= 0:
            return False
        if self._released is None:
            self._released = self._loop.create_future()
        if self._saying is None:
            self._saying = self._loop.call_later(SAID_AFTER_S, self._say_it)
        door = self._released
        self.waiting.append(request)
        try:
            await asyncio.wait((door,), timeout=remaining_s)
        finally:
            self.waiting = [one for one in self.waiting if one is not request]
        return door.done()

    def _say_it(self) -> None:
        if self.waiting:
            self._say(self.waiting)
        else:
            self._saying = None

    def open(self) -> None:
        """Release every request that waits now."""
        if self._released is not None:
            self._released.set_result(None)
            self._released = None
        self.close()

    def close(self) -> None:
        """Say no more that requests wait."""
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None


@dataclass(eq=False, repr=False)
class Prober:
    """Asks a server whether it accepts connections, again and again until it does.

    `look`: tries once and tells whether the server is there. `is_awaited`: whether a request waits for it; then it is
    asked every ``RETRY_S`` seconds, else less and less often.
    """

    _loop: asyncio.AbstractEventLoop
    _look: Callable[[], Awaitable[bool]]
    _is_awaited: Callable[[], bool]
    _delay_s: float = RETRY_S
    _timer: asyncio.TimerHandle | None = None
    _task: asyncio.Task[None] | None = None
    _is_closed: bool = False

    def start(self) -> None:
        """Begin to ask, unless that is under way."""
        if self._timer is None and self._task is None:
            self._delay_s = RETRY_S
            self._arm()

    def hurry(self) -> None:
        """Ask within ``RETRY_S`` seconds: a request has begun to wait."""
        if self._timer is not None and self._timer.when() - self._loop.time() > RETRY_S:
            self._timer.cancel()
            self._delay_s = RETRY_S
            self._arm()

    def rest(self) -> None:
        """Ask no more: the server has been found."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """End for good."""
        self._is_closed = True
        self.rest()
        if self._task is not None:
            self._task.cancel()

    def _arm(self) -> None:
        if not self._is_closed:
            self._timer = self._loop.call_later(self._delay_s, self._launch)

    def _launch(self) -> None:
        self._timer = None
        self._task = self._loop.create_task(self._probe())

    async def _probe(self) -> None:
        try:
            is_there = await self._look()
        finally:
            self._task = None
        if not is_there:
            self._delay_s = RETRY_S if self._is_awaited() else min(self._delay_s * _BACKOFF, _MAX_RETRY_S)
            self._arm()
