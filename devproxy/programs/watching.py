"""Finds out on which port one run of a program serves: asks the system and reads its lines until that is known.

What follows from both is decided by :mod:`devproxy.programs.ports`. Start at :class:`PortWatch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Final

from devproxy.platforms.holders import ports_below
from devproxy.programs.ports import Announced, Known, announced, chosen

_MAX_SAID: Final = 64
_EVERY_S: Final = ((10.0, 0.1), (60.0, 0.5), (float("inf"), 2.0))
"""Until how many seconds after the start, and how often, the system is asked."""
_LOOK_S: Final = 2.0
"""How often it is asked whether a program still listens where it was found."""
_CONNECT_S: Final = 1.0
_LOCAL: Final = "localhost"


class PortWatch:
    """Watches the program whose processes are below `pid`.

    `others`: gives the ports of the upstreams that it does not serve.
    """

    def __init__(self, pid: int, others: Callable[[], Collection[int]]) -> None:
        self._pid = pid
        self._others = others
        self._loop = asyncio.get_running_loop()
        self._began_at = self._heard_at = self._loop.time()
        self._listens_since: float | None = None
        self._said: list[Announced] = []
        self._news = asyncio.Event()

    def hear(self, lines: Iterable[str]) -> None:
        """Take note of what the program has written."""
        self._heard_at = self._loop.time()
        for line in lines:
            for one in announced(line):
                if one not in self._said and len(self._said) < _MAX_SAID:
                    self._said.append(one)
                    self._news.set()

    def is_tls(self, port: int) -> bool | None:
        """Tell whether the program has said that it speaks https there; None: it has said nothing of that."""
        said = [one.is_tls for one in self._said if one.port == port and one.is_url]
        return any(said) if said else None

    async def found(self, expected: int | None) -> int:
        """Wait until the program serves, and return its port. `expected`: what its upstream has; None: that is open."""
        while True:
            listening = await asyncio.to_thread(ports_below, self._pid)
            now = self._loop.time()
            if listening and self._listens_since is None:
                self._listens_since = now
            port = chosen(
                Known(
                    expected,
                    tuple(self._said),
                    listening,
                    self._others(),
                    silent_s=now - self._heard_at,
                    listening_s=0.0 if self._listens_since is None else now - self._listens_since,
                    answers=listening is None and expected is not None and await _answers(expected),
                )
            )
            if port is not None and (listening is not None or await _answers(port)):
                return port
            self._news.clear()
            pause_s = next(every_s for until_s, every_s in _EVERY_S if now - self._began_at < until_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._news.wait()

    async def left(self, port: int) -> None:
        """Wait until the program, which has served at `port`, listens there no longer."""
        while True:
            await asyncio.sleep(_LOOK_S)
            listening = await asyncio.to_thread(ports_below, self._pid)
            if listening is not None and port not in listening:
                self._listens_since = None
                return


async def _answers(port: int) -> bool:
    """Tell whether something accepts connections at `port` of this machine."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(_LOCAL, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
