"""An end that comes when it is asked for, whatever the event loop does. Start at :func:`watch_over`.

A signal is handled by the loop, and a loop that is stuck handles nothing: not in Python code, and much less in C code
that holds the interpreter's lock, where neither signal handlers nor threads of Python run. What still works there is
``faulthandler``: a C handler that writes to a descriptor, and a C thread that ends the process with status 1 once it
has written where the process hangs. The thread is started at once, with a pipe to write to that is full; a child
process hears of every signal from the handler, waits for as long as a stop may take, and then empties that pipe.

The child is a shell, which needs a hundredth of the memory of a Python that waits; at the first signal it becomes the
Python that keeps the time (:mod:`devproxy.platforms.forcing`). It holds nothing of its parent's but three pipes and
standard error, and ends with its parent.

Windows has neither such handlers nor such a child. There the clock starts when Python's own handler runs, which needs
no event loop, but does need the interpreter: a thread of C ends the process when it is over (:class:`Watchdog`).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

from devproxy.platforms import forcing
from devproxy.platforms.signals import STOPPING

_WAITING_S: Final = 0.001
"""The thread is to wait for the pipe, not for the time."""
_SHELL: Final = "/bin/sh"
_STAND_BY: Final = """trap '' INT TERM HUP; cd /; read -r line <&4 || exit; exec "$@" """
"""What comes first on descriptor 4 is one line of the handler's for one signal. A terminal sends signals to the whole
group, so the shell ignores them, and so does what it becomes."""
_NOTES, _SIGNALS, _GATE = 3, 4, 5
"""The child's descriptors."""


class Keeper(Protocol):
    """What ends this process by force where it does not end when it is told to."""

    def begin(self, drain_s: float) -> None:
        """From here on a signal ends this process within `drain_s` and :data:`~devproxy.platforms.forcing.GRACE_S`.

        To be called when the handlers of the loop are there, which usually do all that is needed. A second signal ends
        it within the latter. The process has to end by ``os._exit``: at the interpreter's own end, it would wait for
        the thread.
        """

    def drains_for(self, drain_s: float) -> None:
        """Take note that the configuration gives this much time from now on."""


class ChildKeeper:
    """The parent's side of a child that keeps the time.

    `notes`, `signals` and `gate`: descriptors to write to; the last one leads to a full pipe.
    """

    def __init__(self, notes: int, signals: int, gate: int) -> None:
        self._notes = notes
        self._signals = signals
        self._gate = gate

    def begin(self, drain_s: float) -> None:
        """See :class:`Keeper`."""
        self.drains_for(drain_s)
        faulthandler.dump_traceback_later(_WAITING_S, exit=True, file=self._gate)
        for number in STOPPING:
            faulthandler.register(number, file=self._signals, all_threads=False, chain=True)

    def drains_for(self, drain_s: float) -> None:
        """See :class:`Keeper`."""
        try:
            os.write(self._notes, b"%f\n" % drain_s)
        except OSError:
            return  # the child has been killed: signals still reach the loop


class Watchdog:
    """Keeps the time in this process, from the moment at which Python's handler of the signal runs."""

    def __init__(self) -> None:
        self._drain_s = 0.0
        self._has_begun = False

    def begin(self, drain_s: float) -> None:
        """See :class:`Keeper`."""
        self.drains_for(drain_s)
        for number in STOPPING:
            signal.signal(number, partial(self._take, signal.getsignal(number)))

    def drains_for(self, drain_s: float) -> None:
        """See :class:`Keeper`."""
        self._drain_s = drain_s

    def _take(self, before: Any, number: int, frame: FrameType | None) -> None:
        limit_s = forcing.GRACE_S if self._has_begun else self._drain_s + forcing.GRACE_S
        self._has_begun = True
        with suppress(OSError, ValueError, RuntimeError, AttributeError):  # there is no standard error
            faulthandler.dump_traceback_later(limit_s, exit=True)
        if callable(before):
            before(number, frame)


def watch_over() -> Keeper | None:
    """Return what ends this process by force where that is needed; None where the system has no shell for it."""
    if not hasattr(os, "posix_spawn") or not hasattr(faulthandler, "register"):
        return Watchdog()
    pipes = [os.pipe() for _ in range(3)]
    (notes, notes_in), (signals, signals_in), (gate, gate_in) = pipes
    command = [_SHELL, "-c", _STAND_BY, "sh", sys.executable, "-I", "-S", str(Path(forcing.__file__).resolve())]
    try:
        os.posix_spawn(
            _SHELL,
            [*command, *map(str, (os.getpid(), _NOTES, _SIGNALS, _GATE))],
            os.environ,
            file_actions=_only((notes, signals, gate)),
            setsigmask=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),  # until the shell ignores them
        )
    except OSError:
        for descriptor in (descriptor for pipe in pipes for descriptor in pipe):
            os.close(descriptor)
        return None
    os.close(notes)
    os.close(signals)
    # The end of `gate` that is read stays open here too: without a reader the thread could not wait.
    for descriptor in (notes_in, signals_in):
        os.set_blocking(descriptor, False)
    _fill(gate_in)
    return ChildKeeper(notes_in, signals_in, gate_in)


def _only(pipes: tuple[int, int, int]) -> list[tuple[int, int, int] | tuple[int, int]]:
    """Return what gives the child `pipes` as its descriptors 3 to 5, and of the first three standard error alone.

    A pipe may have the number that another is to get, so all of them move out of the way first.
    """
    aside = [max(*pipes, _GATE) + 1 + place for place in range(3)]
    moved = [(os.POSIX_SPAWN_DUP2, pipe, place) for pipe, place in zip(pipes, aside, strict=True)]
    placed = [
        (os.POSIX_SPAWN_DUP2, place, number) for place, number in zip(aside, (_NOTES, _SIGNALS, _GATE), strict=True)
    ]
    closed = [(os.POSIX_SPAWN_CLOSE, number) for number in (*aside, 0, 1)]
    return [*moved, *placed, *closed]


def _fill(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except BlockingIOError:
            continue
    os.set_blocking(descriptor, True)
