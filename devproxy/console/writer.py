"""From the event loop to a file descriptor without ever making the loop wait.

:meth:`Writer.put` appends to a bounded queue and returns; a daemon thread formats and writes. When the reader of the
descriptor is slow or stuck, events beyond :data:`MAX_QUEUED` or :data:`MAX_QUEUED_BYTES` are counted instead of
kept. When the reader is gone (``EPIPE``, ``EIO``, ``EBADF``), writing ends silently and for good: a log must not end
what it reports on.

The thread works in small batches with a pause between them, because formatting holds the interpreter's lock, which the
loop needs too. How one writes without waiting is :mod:`devproxy.platforms.output`'s.

Lines scroll; the :class:`~devproxy.console.foot.Foot` of a terminal is updated in place.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep, time
from typing import Any, Final

from devproxy.console.foot import Foot
from devproxy.events import (
    Entry,
    Event,
    ExchangeFinished,
    Outcome,
    ProgramOutput,
    TunnelClosed,
    TunnelOpened,
    finished_of,
)
from devproxy.http.memory import footprint
from devproxy.platforms.output import Output

End = tuple[object, ...]
"""The fields of an :class:`~devproxy.events.Entry`."""

MAX_QUEUED: Final = 10_000
"""Events kept for a reader that is slow; some megabytes."""

MAX_QUEUED_BYTES: Final = 4 << 20
"""The same in bytes of targets and the like: a client may send long ones faster than they are shown."""

_END_BYTES: Final = MAX_QUEUED_BYTES // MAX_QUEUED
"""What the end of an exchange counts for besides its texts, so that no more of them are kept than of other events."""

CLOSE_LIMIT_S: Final = 1.0
"""How long :meth:`Writer.close` waits for what is still unwritten."""

MAX_TAKEN: Final = 1000
"""Events taken in one go; most that give no line are only counted."""

# Looking a member up in its class costs as much as ten comparisons, and so does naming a field.
_COMPLETE: Final = Outcome.COMPLETE
_METHOD: Final = Entry._fields.index("method")
_TARGET: Final = Entry._fields.index("target")
_FACTS: Final = Entry._fields.index("facts")
_OUTCOME: Final = Entry._fields.index("outcome")
_DETAIL: Final = Entry._fields.index("detail")
_HAS_ADVICE: Final = Entry._fields.index("has_advice")

_RETRY_S: Final = 0.001
_IDLE_PAUSE_S: Final = 0.02
"""Pause after a batch that was not full, too short to see: to wake the thread for every event costs the loop more."""
_POLL_S: Final = 0.1


class Lines:
    """What turns events into lines; only the writer's thread calls it.

    ``batch``: events that give lines, formatted in one go, which should take less than a millisecond. ``pause_s``: how
    long the loop has the interpreter's lock for itself before the next ones of a flood.
    """

    batch: int
    pause_s: float

    @property
    def deadline(self) -> float | None:
        """When :meth:`due` has something, in seconds of ``time.monotonic``; None: nothing is held back."""
        return None

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the lines that `event` gives now, without line ends; `at` in seconds since the epoch."""
        raise NotImplementedError

    def ended(self, at: float, end: End) -> list[str]:
        """Return the lines that the end of an exchange in its shortest form gives now, as for :meth:`lines`."""
        return self.lines(at, finished_of(end))

    def dropped(self, at: float, count: int) -> list[str]:
        """Return the lines that tell that `count` events were dropped."""
        raise NotImplementedError

    def due(self) -> list[str]:
        """Return what was held back until now."""
        return []

    def flush(self) -> list[str]:
        """Return all that is held back: this is the end."""
        return []

    def foot(self) -> list[str]:
        """Return what is held back, for the foot of a terminal."""
        return []


class Writer:
    """Writes to `fd` what `lines` makes of events, in the order of :meth:`put`. Never closes `fd`.

    `foot`: where `fd` is a terminal, what is below the lines.
    """

    def __init__(self, fd: int, lines: Lines, *, encoding: str, foot: Foot | None = None) -> None:
        self._lines = lines
        self._encoding = encoding
        self._foot = foot
        self._queue: SimpleQueue[tuple[float, Event | End, int] | None] = SimpleQueue()
        self._room = MAX_QUEUED
        # Two counters, because each thread may only add to its own.
        self._put_bytes = self._taken_bytes = 0
        self._dropped = 0
        self._told = 0
        self._give_up_at = float("inf")
        self._output = Output(fd)
        self._thread = Thread(target=self._run, name="devproxy-console", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many bytes wait to be written, about; 0 once there is no reader any more."""
        return self._put_bytes - self._taken_bytes if self._room else 0

    def put(self, event: Event) -> None:
        """Take `event`, or count it as dropped when too many wait already. Never waits, never raises.

        What belongs to no exchange and no tunnel is rare and matters more: it finds room for twice as long.
        """
        queue, room, size = self._queue, self._room, 0
        # `size`: about how much of it a peer has written, or devproxy has said about that.
        if isinstance(event, ExchangeFinished):
            size = len(event.method) + len(event.target) + len(event.destination) + len(event.detail)
            if event.changes:
                size += sum(map(len, event.changes))
        elif isinstance(event, TunnelOpened | TunnelClosed):
            size = len(event.target)
        elif isinstance(event, ProgramOutput):
            size = sum(map(len, event.lines)) + _END_BYTES
        else:
            room *= 2
        if queue.qsize() < room and (not size or self._put_bytes - self._taken_bytes < MAX_QUEUED_BYTES):
            self._put_bytes += size
            queue.put((time(), event, size))
        else:
            self._dropped += 1

    def keep(self, end: Any) -> None:
        """Take the end of an exchange in its shortest form, if that says all: else :meth:`put` gets it. The rest as
        there.
        """
        if end[_OUTCOME] is not _COMPLETE or end[_HAS_ADVICE]:
            return
        size = _END_BYTES + len(end[_METHOD]) + len(end[_TARGET]) + len(end[_DETAIL])
        if not end[_FACTS].is_remembered:  # then they belong to this one alone
            size += footprint(end[_FACTS])
        if self._put_bytes - self._taken_bytes < MAX_QUEUED_BYTES and self._room:
            self._put_bytes += size
            self._queue.put((time(), end, size))
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what is left, for at most :data:`CLOSE_LIMIT_S`; events put afterwards are ignored. Idempotent."""
        self._give_up_at = min(self._give_up_at, monotonic() + CLOSE_LIMIT_S)
        self._room = 0
        self._queue.put(None)
        # The thread gives up on its own just before; only a terminal that is stopped (Ctrl-S) can hold it for longer.
        self._thread.join(max(0.0, self._give_up_at - monotonic()) + _POLL_S)

    # -- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            is_last = False
            while not is_last:
                lines, is_full, is_last = self._take()
                lines += self._late_lines(is_last=is_last)
                self._write(self._drawn(lines))
                if self._room:  # not closing
                    sleep(self._lines.pause_s if is_full else _IDLE_PAUSE_S)
        except (OSError, TimeoutError):
            pass  # the reader is gone, and there is no other to tell
        finally:
            self._room = 0
            self._discard()

    def _take(self) -> tuple[list[str], bool, bool]:
        """Wait for events, or until something held back is due.

        Returns the lines of a batch of events, whether that is full, and whether they were the last ones.
        """
        lines: list[str] = []
        left = self._lines.batch
        deadline = self._deadline
        timeout_s = None if deadline is None else max(0.0, deadline - monotonic())
        try:
            for taken in range(MAX_TAKEN):
                item = self._queue.get_nowait() if taken else self._queue.get(timeout=timeout_s)
                if item is None:
                    return lines, False, True
                at, event, size = item
                self._taken_bytes += size
                if more := (self._lines.ended(at, event) if isinstance(event, tuple) else self._lines.lines(at, event)):
                    lines += more
                    left -= 1
                    if not left:
                        return lines, True, False
        except Empty:
            pass
        return lines, False, False

    @property
    def _deadline(self) -> float | None:
        both = self._lines.deadline, None if self._foot is None else self._foot.due
        return min((due for due in both if due is not None), default=None)

    def _late_lines(self, *, is_last: bool) -> list[str]:
        """Return what was held back until now, and how much was dropped."""
        deadline = self._lines.deadline
        lines: list[str] = []
        if is_last:
            lines += self._lines.flush()
        elif deadline is not None and deadline <= monotonic():
            lines += self._lines.due()
        dropped = self._dropped
        if dropped > self._told and (is_last or self._queue.empty()):
            # What was dropped came after all that was kept.
            lines += self._lines.dropped(time(), dropped - self._told)
            self._told = dropped
        return lines

    def _drawn(self, lines: list[str]) -> bytes:
        text = "".join(f"{line}\n" for line in lines)
        if self._foot is not None:
            text = self._foot.drawn(text, monotonic())
        return text.encode(self._encoding, "backslashreplace")

    def _write(self, data: bytes) -> None:
        """Write `data`; raises OSError when the reader is gone, TimeoutError when closing has waited long enough."""
        rest = memoryview(data)
        while rest:
            left_s = self._give_up_at - monotonic()
            if left_s <= 0:
                raise TimeoutError
            if self._output.has_room(min(_POLL_S, left_s)):
                try:
                    rest = rest[self._output.write(rest) :]
                except BlockingIOError:
                    sleep(_RETRY_S)  # another process that shares the descriptor was faster

    def _discard(self) -> None:
        with suppress(Empty):
            while True:
                self._queue.get_nowait()
