"""From the event loop to a file descriptor without ever making the loop wait.

:meth:`Writer.put` appends to a bounded queue and returns; a daemon thread formats and writes. When the reader of the
descriptor is slow or stands still, events beyond :data:`MAX_QUEUED` or :data:`MAX_QUEUED_BYTES` are counted instead of
kept. When the reader is gone (``EPIPE``, ``EIO``, ``EBADF``), writing ends silently and for good: a log must not end
what it reports on.

The thread works in small batches with a pause between them, because formatting holds the interpreter's lock, which the
loop needs too. The descriptor's flags stay untouched (``O_NONBLOCK`` would hold for every process that shares it):
poll(2) tells when at least ``PIPE_BUF`` octets fit, and no more is written at once.
"""

from __future__ import annotations

import os
import select
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep, time
from typing import Final, Protocol

from devproxy.events import Event, ExchangeFinished, TunnelClosed, TunnelOpened

MAX_QUEUED: Final = 10_000
"""Events kept for a reader that is slow; some megabytes."""

MAX_QUEUED_BYTES: Final = 4 << 20
"""The same in octets of targets and the like: a stranger may send long ones faster than they are shown."""

CLOSE_LIMIT_S: Final = 1.0
"""How long :meth:`Writer.close` waits for what is still unwritten."""

_COMMON: Final = (ExchangeFinished, TunnelOpened, TunnelClosed)
_RETRY_S: Final = 0.001
_IDLE_PAUSE_S: Final = 0.005
"""Pause after a batch that was not full: waking the thread for every single event would cost the loop more."""
_POLL_S: Final = 0.1
_PIPE_BUF: Final = 4096


class Lines(Protocol):
    """What turns events into lines; only the writer's thread calls it.

    ``batch``: events formatted in one go, which should take less than a millisecond. ``pause_s``: how long the loop has
    the interpreter's lock for itself before the next ones of a flood.
    """

    batch: int
    pause_s: float

    @property
    def deadline(self) -> float | None:
        """When :meth:`flush` is due, in seconds of ``time.monotonic``; None: nothing is held back."""

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the lines that `event` gives now, without line ends; `at` in seconds since the epoch."""

    def dropped(self, at: float, count: int) -> list[str]:
        """Return the lines that tell that `count` events were dropped."""

    def flush(self) -> list[str]:
        """Return what was held back."""


class Writer:
    """Writes to `fd` what `lines` makes of events, in the order of :meth:`put`. Never closes `fd`."""

    def __init__(self, fd: int, lines: Lines, *, encoding: str) -> None:
        self._fd = fd
        self._lines = lines
        self._encoding = encoding
        self._queue: SimpleQueue[tuple[float, Event, int] | None] = SimpleQueue()
        self._room = MAX_QUEUED
        # Two counters, because each thread may only add to its own.
        self._put_bytes = self._taken_bytes = 0
        self._dropped = 0
        self._told = 0
        self._give_up_at = float("inf")
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._thread = Thread(target=self._run, name="devproxy-console", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Take `event`, or count it as dropped when too many wait already. Never waits, never raises.

        What belongs to no exchange and no tunnel is rare and matters more: it finds room for twice as long.
        """
        queue = self._queue
        octets = _octets(event)
        if isinstance(event, _COMMON):
            waiting_bytes = self._put_bytes - self._taken_bytes
            has_room = queue.qsize() < self._room and waiting_bytes < MAX_QUEUED_BYTES
        else:
            has_room = queue.qsize() < 2 * self._room
        if has_room:
            self._put_bytes += octets
            queue.put((time(), event, octets))
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what is left, for at most :data:`CLOSE_LIMIT_S`; events put afterwards are ignored. Idempotent."""
        self._give_up_at = min(self._give_up_at, monotonic() + CLOSE_LIMIT_S)
        self._room = 0
        self._queue.put(None)
        # The thread gives up by itself just before; only a terminal that is stopped (Ctrl-S) can hold it for longer.
        self._thread.join(max(0.0, self._give_up_at - monotonic()) + _POLL_S)

    # -- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            is_last = False
            while not is_last:
                batch, is_last = self._take()
                self._write(self._rendered(batch, is_last=is_last))
                if self._room:  # not closing
                    sleep(self._lines.pause_s if len(batch) == self._lines.batch else _IDLE_PAUSE_S)
        except (OSError, TimeoutError):
            pass  # nobody reads any more, and nobody is left to be told
        finally:
            self._room = 0
            self._discard()

    def _take(self) -> tuple[list[tuple[float, Event]], bool]:
        """Wait for events, or until held back lines are due. Returns them, and whether they are the last ones."""
        batch: list[tuple[float, Event]] = []
        deadline = self._lines.deadline
        timeout_s = None if deadline is None else max(0.0, deadline - monotonic())
        try:
            item = self._queue.get(timeout=timeout_s)
            while item is not None:
                at, event, octets = item
                batch.append((at, event))
                self._taken_bytes += octets
                if len(batch) == self._lines.batch:
                    return batch, False
                item = self._queue.get_nowait()
            return batch, True
        except Empty:
            return batch, False

    def _rendered(self, batch: list[tuple[float, Event]], *, is_last: bool) -> bytes:
        lines: list[str] = []
        for at, event in batch:
            lines += self._lines.lines(at, event)
        deadline = self._lines.deadline
        if deadline is not None and (is_last or deadline <= monotonic()):
            lines += self._lines.flush()
        dropped = self._dropped
        if dropped > self._told and (is_last or self._queue.empty()):
            # What was dropped came after all that was kept.
            lines += self._lines.dropped(time(), dropped - self._told)
            self._told = dropped
        return "".join(f"{line}\n" for line in lines).encode(self._encoding, "backslashreplace")

    def _write(self, data: bytes) -> None:
        """Write `data`; raises OSError when nobody reads, TimeoutError when closing has waited long enough."""
        rest = memoryview(data)
        while rest:
            left_s = self._give_up_at - monotonic()
            if left_s <= 0:
                raise TimeoutError
            if self._poll.poll(min(_POLL_S, left_s) * 1000):
                try:
                    rest = rest[os.write(self._fd, rest[:_PIPE_BUF]) :]
                except BlockingIOError:
                    sleep(_RETRY_S)  # another process that shares the descriptor was faster

    def _discard(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            return


def _octets(event: Event) -> int:
    """Return about how much of `event` a peer has written, or devproxy has said about that."""
    if isinstance(event, ExchangeFinished):
        said = len(event.detail) + sum(map(len, event.changes))
        return len(event.method) + len(event.target) + len(event.destination) + said
    return len(event.target) if isinstance(event, _COMMON) else 0
