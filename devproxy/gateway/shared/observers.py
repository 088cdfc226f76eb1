"""The observers of a running gateway, and what they are told: they come and go while it runs.

What no observer wants costs one look at an attribute that is worked out when an observer comes or goes. An observer
that raises does no harm to others, and is reported once. Start at :meth:`Observers.add`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from devproxy.events import ExchangeFinished, Observer, Wants, is_failure, is_plain_end

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from devproxy.events import Event
    from devproxy.gateway.shared.capture import Budget


class Observation:
    """One observer while it looks: a context manager that ends with :meth:`close`.

    ``wants_changes``: of ``wants``, what every end asks about; a flag costs as much as ten comparisons.
    """

    __slots__ = ("_has_failed", "_observers", "_tell", "keep", "wants", "wants_changes")

    def __init__(self, observers: Observers, observer: Observer) -> None:
        self._observers = observers
        self._tell, self.wants, self.keep = observer
        self.wants_changes = bool(self.wants & Wants.CHANGES)
        self._has_failed = False

    def tell(self, event: Event) -> None:
        """Hand `event` on. An exception ends here: the first one goes to the loop's handler, all others nowhere."""
        try:
            self._tell(event)
        except Exception as error:
            if not self._has_failed:
                self._has_failed = True
                context = {"message": "an observer has failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def close(self) -> None:
        """Stop observing: from now on nothing is told. Idempotent."""
        self._tell = _ignore
        self._observers.remove(self)

    def __enter__(self) -> Observation:
        """Look until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look no more."""
        self.close()


class Observers:
    """The observers. ``is_watched``: one wants to see traffic, ``is_watched_closely``: more of exchanges than
    their ends, ``wants_ends``: how some or all of them end, ``wants_every_end``: how all do, ``wants_changes``: what
    is changed in answers. ``budget``: what exchanges may keep of themselves; None: nothing.

    The observers of each kind (see :func:`tell_each`): ``to_progress``: how exchanges begin, ``to_heads``,
    ``to_bodies``, ``to_frames``: what is in them and in tunnels, ``to_ends``: how every one ends, ``to_failures``: the
    failures, ``to_evidence``: the heads of those that need a look, ``to_tunnels``: how tunnels begin and end.
    ``keepers``: what takes all ends in the shortest form; ``to_plain_ends``: those of ``to_ends`` for whom that is too
    short.
    """

    __slots__ = (
        "_all",
        "budget",
        "is_watched",
        "is_watched_closely",
        "keepers",
        "to_bodies",
        "to_ends",
        "to_evidence",
        "to_failures",
        "to_frames",
        "to_heads",
        "to_plain_ends",
        "to_progress",
        "to_tunnels",
        "wants_changes",
        "wants_ends",
        "wants_every_end",
    )

    def __init__(self, *only: Observation, budget: Budget | None = None) -> None:
        self.budget = budget
        self._look(only)

    def capture(self, budget: Budget | None) -> None:
        """Have exchanges keep what they are made of from now on, as far as `budget` lets them; None: no more."""
        self.budget = budget
        self._look(self._all)

    def add(self, observer: Observer) -> Observation:
        """Let `observer` look from now on, until what is returned is closed."""
        observation = Observation(self, observer)
        self._look((*self._all, observation))
        return observation

    def remove(self, observation: Observation) -> None:
        """Forget `observation`, if it is not forgotten."""
        self._look(tuple(one for one in self._all if one is not observation))

    def _look(self, everybody: tuple[Observation, ...]) -> None:
        self._all = everybody
        self.keepers = tuple(one.keep for one in everybody if one.keep is not None)
        self.is_watched = bool(self.keepers) or any(one.wants for one in everybody)
        self.to_progress = self._who_want(Wants.PROGRESS)
        self.to_heads = self._who_want(Wants.HEADS)
        self.to_bodies = self._who_want(Wants.BODIES)
        self.to_frames = self._who_want(Wants.FRAMES)
        self.is_watched_closely = bool(self.to_progress or self.to_heads or self.to_bodies or self.budget)
        self.to_ends = self._who_want(Wants.ENDS)
        to_plain_ends = tuple(one for one in self.to_ends if one.keep is None or one.wants_changes)
        self.to_plain_ends = self.to_ends if to_plain_ends == self.to_ends else to_plain_ends
        to_failures = self._who_want(Wants.ENDS | Wants.FAILURES)
        self.to_failures = self.to_ends if to_failures == self.to_ends else to_failures
        self.to_evidence = self._who_want(Wants.EVIDENCE)
        self.to_tunnels = self._who_want(Wants.ENDS | Wants.EVIDENCE)
        self.wants_ends = bool(self.to_failures or self.keepers)
        self.wants_every_end = bool(self.to_ends or self.keepers)
        self.wants_changes = any(one.wants_changes for one in self.to_failures)

    def _who_want(self, what: Wants) -> tuple[Observation, ...]:
        return tuple(one for one in self._all if one.wants & what)

    def tell(self, event: Event) -> None:
        """Tell all observers of `event`, which belongs to no exchange and no tunnel."""
        tell_each(self._all, event)

    def tell_end(self, event: ExchangeFinished) -> None:
        """Tell of the end of an exchange: what was changed only to those who want that."""
        to = self.to_plain_ends if is_plain_end(event.outcome, event.has_advice) else self.to_ends
        if self.to_failures is not to and is_failure(event.outcome, event.status, event.advice):
            to = self.to_failures
        if event.changes:
            bare = replace(event, changes=())
            for one in to:
                one.tell(event if one.wants_changes else bare)
            return
        for one in to:
            one.tell(event)


def tell_each(to: Iterable[Observation], event: Event) -> None:
    """Tell those of `event` who want events of its kind."""
    for one in to:
        one.tell(event)


def _ignore(event: Event) -> None:
    """Do nothing: who was told has left."""
