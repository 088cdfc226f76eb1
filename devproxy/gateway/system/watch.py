"""Watching one file: what it holds, each time that has changed and has come to rest.

Two senses. Events of the file's directory come within some 50 ms, but not over every bind mount, network file system or
virtual machine. A sweep compares what stat(2) says four times a second, which never fails and costs next to nothing.
Either makes the file be read, and it counts only when two reads agree: a writer may be half-way through.

Knows nothing of configurations and decides nothing about what it reads. Start at :meth:`FileWatch.changes`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from threading import Event as Flag
from threading import Thread
from typing import Final, NamedTuple

from devproxy.gateway.system.files import is_regular, read_file, reason_of
from devproxy.platforms.mounts import has_no_name

SWEEP_S: Final = 0.25
"""How often the file is looked at. Alone it has an edit live within 300 ms."""

SETTLE_S: Final = 0.03
"""How far apart the two reads are that have to agree."""

MISSING_S: Final = 0.6
"""How long a file has to be gone before that is reported: saving and ``git checkout`` remove it for a moment."""

EVENTS_DELAY_S: Final = 1.0
"""How long after the start directory events are waited for as well: the package costs more than the whole start."""

_EVENT_STEP_MS: Final = 50
_EVENT_DEBOUNCE_MS: Final = 100
_JOIN_S: Final = 1.0
_RACY_NS: Final = 2_000_000_000
"""Younger modifications than this may hide another one: the coarsest file systems in use keep time in 2 s."""


class Reading(NamedTuple):
    """What a file holds: ``text``, or None and the ``reason`` for which it cannot be read. ``is_asked``: a person asked
    for this wants to hear of it even if nothing has changed. ``is_old``: another file has been put in its place, which
    cannot be seen from here (:mod:`devproxy.platforms.mounts`)."""

    text: bytes | None
    reason: str = ""
    is_asked: bool = False
    is_old: bool = False


class FileWatch:
    """Watches the file at `path`, absolute; `known`: what it held when it was read last."""

    def __init__(self, path: str, known: bytes) -> None:
        self._path = path
        self._known: Reading = Reading(known)
        self._look = asyncio.Event()
        self._is_asked = False
        self._may_lose_its_name = not has_no_name(path)
        self._stamp: object = None
        self._missing_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._events: DirectoryEvents | None = None
        self._ended: list[DirectoryEvents] = []

    def ask(self) -> None:
        """Have the file read at once and given out whatever it holds."""
        self._is_asked = True
        self._look.set()

    async def changes(self) -> AsyncIterator[Reading]:
        """Yield what the file holds each time that it is something else than before, and once when it is an old one.

        Ends when it is cancelled; then :meth:`close`.
        """
        try:
            while True:
                await self._wait()
                is_asked, self._is_asked = self._is_asked, False
                if not is_asked and not self._has_moved():
                    continue
                if self._may_lose_its_name and has_no_name(self._path):
                    self._may_lose_its_name = False
                    yield Reading(self._known.text, is_old=True)
                reading = await self._settled()
                if reading.text is None and not is_asked and not self._is_missing_for_long():
                    continue
                if is_asked or reading != self._known:
                    self._known = reading
                    yield Reading(reading.text, reading.reason, is_asked)
        finally:
            self._end_events()

    def close(self) -> None:
        """End the thread that waits for events, if there is one. Takes some 50 ms."""
        self._end_events()
        for events in self._ended:
            events.join()
        self._ended.clear()

    def _end_events(self) -> None:
        if self._events is not None:
            self._events.end()
            self._ended = [events for events in (*self._ended, self._events) if events.is_running]
            self._events = None

    async def _wait(self) -> None:
        """Wait for the next sweep, or for something that makes it come early."""
        try:
            async with asyncio.timeout(SWEEP_S):
                await self._look.wait()
        except TimeoutError:
            pass
        self._look.clear()
        if self._loop.time() - self._started_at >= EVENTS_DELAY_S:
            self._listen()

    def _listen(self) -> None:
        """Have the events of the directories that the file is in now, through symbolic links too."""
        wanted = directories_of(self._path)
        if self._events is None or self._events.directories != wanted:
            self._end_events()
            if wanted:
                self._events = DirectoryEvents(wanted, self._wake)

    def _wake(self) -> None:
        """Look at the file now. May be called in any thread."""
        try:
            self._loop.call_soon_threadsafe(self._look.set)
        except RuntimeError:
            pass  # the loop has been closed

    def _has_moved(self) -> bool:
        """Tell whether the file may hold something else than when it was asked last."""
        before, self._stamp = self._stamp, stamp_of(self._path)
        return before is None or self._stamp is None or before != self._stamp

    async def _settled(self) -> Reading:
        """Return what the file holds as soon as two reads, some time apart, agree."""
        last = read(self._path)
        while True:
            await asyncio.sleep(SETTLE_S)
            again = read(self._path)
            if again == last:
                break
            last = again
        if last.text is not None:
            self._missing_since = None
        return last

    def _is_missing_for_long(self) -> bool:
        now = self._loop.time()
        if self._missing_since is None:
            self._missing_since = now
        return now - self._missing_since >= MISSING_S


class DirectoryEvents:
    """A thread that calls `on_event`, there, whenever something happens in one of `directories`.

    ``directories``: their paths with what identifies them, so that a directory that is created again is another one. A
    directory that cannot be watched is left to the sweep.
    """

    def __init__(self, directories: dict[str, tuple[int, int]], on_event: Callable[[], None]) -> None:
        self.directories = directories
        self._on_event = on_event
        self._end = Flag()
        self._thread = Thread(target=self._run, name="devproxy-watch", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread has not ended yet."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Have the thread end, within some 50 ms."""
        self._end.set()

    def join(self) -> None:
        """Wait for its end, because the interpreter must not end while a thread is in foreign code."""
        self._thread.join(timeout=_JOIN_S)

    def _run(self) -> None:
        from watchfiles import watch  # 70 ms, in a thread and after the start

        try:
            for _ in watch(
                *self.directories,
                watch_filter=None,
                debounce=_EVENT_DEBOUNCE_MS,
                step=_EVENT_STEP_MS,
                stop_event=self._end,
                raise_interrupt=False,
                force_polling=False,
                recursive=False,
                ignore_permission_denied=True,
            ):
                self._on_event()
        except (OSError, RuntimeError):
            return  # it vanished, or the system's limit of watches is reached


def directories_of(path: str) -> dict[str, tuple[int, int]]:
    """Return the directory of `path` and the one that it leads to through symbolic links, as far as they exist.

    Each with its device and inode.
    """
    found: dict[str, tuple[int, int]] = {}
    for directory in (os.path.dirname(path), os.path.dirname(os.path.realpath(path))):
        try:
            status = os.stat(directory)
        except OSError:
            continue
        found[directory] = status.st_dev, status.st_ino
    return found


def stamp_of(path: str) -> object:
    """Return what is different after every change of the file at `path`; None if that is unknown.

    It cannot while the last change is so recent that another one could have the same time.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    if abs(time.time_ns() - status.st_mtime_ns) < _RACY_NS:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def read(path: str) -> Reading:
    """Return what the file at `path` holds now: one byte too many where it is too long."""
    try:
        if not is_regular(path):
            return Reading(None, "it is not a regular file")
        return Reading(read_file(path))
    except OSError as error:
        return Reading(None, reason_of(error))
