"""Those who wait for a server that takes one connection at a time, while a connection that is kept has it busy.

Python's ``http.server``, Werkzeug and Django without threads and many embedded servers accept a connection, serve what
comes on it until it is closed, and only then accept the next. An idle connection kept for later is all that such a
server knows. So a silent connection that was just dialled makes the pool give up what is idle, and keep nothing, until
they have been answered or it is plain that the server serves several at a time. Owns that suspicion, one for each
server. Start at :meth:`OneAtATime.expect`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from devproxy.gateway.shared.seam import Connection

LOOK_S: Final = 0.1
"""How long a server may be silent on a new connection before it is suspected to be busy with an idle one."""

PATIENCE_S: Final = 1.6
"""The same for a server that has been seen to serve several at a time: those with a few threads run out of them too."""

LAST_LOOK_S: Final = 3.0
ORDER_MARGIN_S: Final = 0.05
"""Servers accept in the order in which they were dialled. Two connections dialled within this time prove nothing."""

WITNESS_AFTER: Final = 8
"""Connections given up for waiting requests before the next few stay open for a moment, to see whether any of them is
answered next to them: answers that all take equally long come in the order of the dialling from either kind of server.
Each time that none was, twice as many."""

MAX_WITNESS_AFTER: Final = 256
WITNESSES: Final = 3
"""So many that a server with two or three threads, which runs out of them, is not taken for one that never does."""

WITNESS_S: Final = 0.1
EAGER_S: Final = 10.0
"""How long after a suspicion that proved right the next ones need no proof."""


@dataclass(eq=False, repr=False)
class OneAtATime:
    """The suspicion about one server. `give_way`: closes what is idle. `keep`: says whether connections may be kept."""

    _loop: asyncio.AbstractEventLoop
    _give_way: Callable[[], None]
    _keep: Callable[[bool], None]
    _sent_at: dict[Connection, float] = field(default_factory=dict)
    _queue: set[Connection] = field(default_factory=set)
    _witnesses: list[Connection] = field(default_factory=list)
    _is_concurrent: bool = False
    _eager_until: float = 0.0
    _given_up: int = 0
    _witness_after: int = WITNESS_AFTER

    @property
    def is_waiting(self) -> bool:
        """Whether a request seems to wait for the end of another connection."""
        return bool(self._queue)

    def expect(self, connection: Connection) -> None:
        """Take note that a request has been sent on `connection`, which was dialled for it."""
        now = self._loop.time()
        self._sent_at[connection] = now
        if now < self._eager_until:
            self._suspect(connection)
        delay_s = PATIENCE_S if self._is_concurrent else LOOK_S
        self._loop.call_later(delay_s, self._look, connection, delay_s)

    def note(self, connection: Connection) -> None:
        """Take note that `connection` has been answered and is free, while a request waits."""
        sent_at = self._sent_at.pop(connection, None)
        if connection in self._queue:
            self._eager_until = self._loop.time() + EAGER_S
        is_beside = sent_at is not None and sum(one.is_open for one in self._witnesses) == WITNESSES
        self._settle()
        if is_beside or (
            sent_at is not None and any(self._sent_at[one] + ORDER_MARGIN_S < sent_at for one in self._queue)
        ):
            # Served while others are open, or before one that was dialled sooner: it has not waited for their end.
            self._is_concurrent = True
            self._eager_until = 0.0
            self._queue.clear()
            self._keep(True)

    def give_up(self, connection: Connection) -> None:
        """Close `connection`, which is good but not kept; now and then a little later, as a witness."""
        self._given_up += 1
        if not self._queue or self._given_up < self._witness_after or len(self._witnesses) == WITNESSES:
            connection.close()
            return
        if not self._witnesses:
            self._loop.call_later(WITNESS_S, self._dismiss_witnesses)
        self._witnesses.append(connection)

    def _dismiss_witnesses(self) -> None:
        self._given_up = 0
        self._witness_after = min(2 * self._witness_after, MAX_WITNESS_AFTER)
        self.close()

    def close(self) -> None:
        """Keep nothing open any more."""
        witnesses, self._witnesses = self._witnesses, []
        for one in witnesses:
            one.close()

    def forget(self) -> None:
        """Start again: the server is gone, and its successor may be of another kind."""
        self._queue.clear()
        self._sent_at.clear()
        self._is_concurrent = False
        self._eager_until = 0.0
        self._given_up = 0
        self._witness_after = WITNESS_AFTER
        self.close()
        self._keep(True)

    def _look(self, connection: Connection, waited_s: float) -> None:
        if connection not in self._sent_at:
            return
        if not connection.is_silent:
            del self._sent_at[connection]
            self._settle()
            return
        if not self._is_concurrent:
            self._suspect(connection)
        elif waited_s >= PATIENCE_S:
            self._give_way()
        if waited_s < LAST_LOOK_S:
            self._loop.call_later(waited_s, self._look, connection, 2 * waited_s)
        elif self._is_concurrent:
            del self._sent_at[connection]

    def _suspect(self, connection: Connection) -> None:
        self._queue.add(connection)
        self._keep(False)
        self._give_way()

    def _settle(self) -> None:
        """Leave out those that have been answered or have left meanwhile."""
        if self._queue:
            self._queue = {one for one in self._queue if one in self._sent_at and one.is_silent}
            if not self._queue:
                self._keep(True)
