"""What the gateway tells, kept until the inspector's thread takes it; what is kept while no page is open is bounded.

The loop's side of the inspector, and all of it that is there from the start. Every end is kept in its shortest form,
the heads of exchanges that need a look as well; everything else only while something looks, or with ``capture``.
Nothing is worked out here: :mod:`devproxy.inspector.store` makes rows of it, in the inspector's thread. Each queue has
one writer, the loop's thread, and one reader. Start at :class:`Recorder`.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Final, cast

from devproxy.events import Event, Evidence, Observer, TunnelData, Wants
from devproxy.gateway.shared.capture import Budget

if TYPE_CHECKING:
    from devproxy.gateway.app import Gateway
    from devproxy.gateway.shared.capture import Capture
    from devproxy.gateway.shared.observers import Observation

MAX_ENDS: Final = 500
"""Ends of exchanges that are kept while nothing looks."""
MAX_EVIDENCE: Final = 100
"""Exchanges that need a look, of which heads are kept while nothing looks."""
MAX_OTHERS: Final = 1000
"""Reports that belong to no exchange, and those of tunnels."""
_EACH: Final = 256
"""How many ends come before what waits is weighed again: weighing each would cost as much as keeping it."""
_END_BYTES: Final = 1024
"""About what an end takes of which nothing else is kept."""

End = tuple[Any, ...]
"""The fields of an :class:`~devproxy.events.Entry`."""
Timed = tuple[float, Event]
"""An event, and when it was told, in seconds since the epoch."""


class Recorder:
    """Keeps what `gateway` tells. Call its methods in the loop's thread; take from the queues in any one thread.

    `max_bytes`: how much is kept at most; what is oldest goes.

    ``ends``: of the exchanges that ended. ``evidence``, ``others``: see the limits above. ``frames``: what passed
    through tunnels, with its time. ``is_drained``: to be set by who has taken from the queues. ``budget``: of bodies;
    who forgets some says so there. ``since_at`` and ``since``: the same moment by the time since the epoch and by the
    gateway's clock.
    """

    def __init__(self, gateway: Gateway, *, max_bytes: int) -> None:
        self._gateway = gateway
        self._max_bytes = max_bytes
        self._frames_watch: Observation | None = None
        self._has_reader = False
        self._weighed: deque[int] = deque()
        self._weight = self._unweighed = 0
        self.is_drained = False
        self.budget = Budget(max_bytes)
        self.since_at, self.since = time(), perf_counter()
        self.ends: deque[End] = deque(maxlen=MAX_ENDS)
        self.evidence: deque[Evidence] = deque(maxlen=MAX_EVIDENCE)
        self.others: deque[Timed] = deque(maxlen=MAX_OTHERS)
        self.frames: deque[tuple[float, TunnelData]] = deque()
        self._always = gateway.observe(Observer(self._note, Wants.EVIDENCE, self.ends.append))

    def limit(self, max_bytes: int) -> None:
        """Keep at most so much from now on; what is too much goes when more comes."""
        self._max_bytes = self.budget.max_bytes = max_bytes

    @property
    def is_capturing(self) -> bool:
        """Whether heads, bodies and frames are kept now."""
        return self._frames_watch is not None

    def capture(self, *, has_reader: bool) -> None:
        """Keep everything from now on. `has_reader`: it is taken ten times a second; else it waits, as there is room.

        Idempotent.
        """
        self._has_reader = has_reader
        if self._frames_watch is not None:
            return
        self.ends = deque(self.ends)
        self._observe_ends(self._keep)
        self._gateway.capture(self.budget)
        self._frames_watch = self._gateway.observe(Observer(self._take_frame, Wants.FRAMES))

    def stop_capturing(self) -> None:
        """Keep no more than is kept in any case. Idempotent."""
        self._has_reader = False
        if self._frames_watch is None:
            return
        self._frames_watch.close()
        self._frames_watch = None
        self._gateway.capture(None)
        self.ends = deque(self.ends, maxlen=MAX_ENDS)
        self._observe_ends(self.ends.append)
        self._weighed.clear()
        self._weight = self._unweighed = 0

    def close(self) -> None:
        """Keep nothing any more."""
        self.stop_capturing()
        self._always.close()

    def _observe_ends(self, keep: Any) -> None:
        before, self._always = self._always, self._gateway.observe(Observer(self._note_new, Wants.EVIDENCE, keep))
        before.close()

    def _note(self, event: Event) -> None:
        if type(event) is Evidence:
            self.evidence.append(event)
        else:
            self.others.append((time(), event))

    def _note_new(self, event: Event) -> None:
        """As :meth:`_note`; a late observer is told again of tunnels that are known already."""
        self._note(event)

    def _keep(self, end: End) -> None:
        self.ends.append(end)
        self._unweighed += 1
        if not self._has_reader and (self._unweighed >= _EACH or self.budget.left < self._max_bytes // 4):
            self._weigh()

    def _take_frame(self, event: Event) -> None:
        if type(event) is not TunnelData:
            return
        size = len(event.data)
        if self.budget.left >= size:
            self.budget.kept += size
            self.frames.append((time(), event))
        if not self._has_reader and self.budget.left < self._max_bytes // 4:
            self._weigh()

    def _weigh(self) -> None:
        """Weigh what has come since the last time, and drop what is oldest until the rest has room."""
        try:
            self._drop_oldest()
        except IndexError:  # the inspector's thread has just taken it: what is left is weighed next time
            self.is_drained = True

    def _drop_oldest(self) -> None:
        if self.is_drained:
            self.is_drained = False
            self._weighed.clear()
            self._weight = 0
        ends, weighed = self.ends, self._weighed
        while len(weighed) < len(ends):
            capture = cast("Capture | None", ends[len(weighed)][-1])
            weight = _END_BYTES + (0 if capture is None else capture.size)
            weighed.append(weight)
            self._weight += weight
        self._unweighed = 0
        while ends and (self._weight > self._max_bytes or self.budget.left < self._max_bytes // 4):
            capture = cast("Capture | None", ends.popleft()[-1])
            self._weight -= weighed.popleft()
            if capture is not None:
                self.budget.freed += capture.kept_bytes
        while self.frames and self.budget.left < self._max_bytes // 4:
            self.budget.freed += len(self.frames.popleft()[1].data)
