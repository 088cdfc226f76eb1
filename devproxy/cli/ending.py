"""An end that comes when it is asked for, whatever the event loop does. Start at :func:`watch_over`.

A signal is handled by the loop, and a loop that is stuck handles nothing: not in Python code, and much less in C code
that holds the interpreter's lock, where neither signal handlers nor threads of Python run. What still works there is
``faulthandler``: a C handler that writes to a descriptor, and a C thread that ends the process with status 1 once it
has written where the process hangs. The thread is started at once, with a pipe to write to that is full; a child
process hears of every signal from the handler, waits for as long as a stop may take, and then empties that pipe.

The child is a shell, which needs a hundredth of the memory of a Python that waits; at the first signal it becomes the
Python that keeps the time (:mod:`devproxy.cli.forcing`). It holds nothing of its parent's but three pipes and standard
error, and ends with its parent.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import Final

from devproxy.cli import forcing

_WAITING_S: Final = 0.001
"""The thread is to wait for the pipe, not for the time."""
_SHELL: Final = "/bin/sh"
_STAND_BY: Final = """trap '' INT TERM HUP; cd /; read -r line <&4 || exit; exec "$@" """
"""What comes first on descriptor 4 is one line of the handler's for one signal. A terminal sends signals to the whole
group, so the shell ignores them, and so does what it becomes."""
_NOTES, _SIGNALS, _GATE = 3, 4, 5
"""The child's descriptors."""


class Keeper:
    """The parent's side. `notes`, `signals` and `gate`: descriptors to write to; the last one leads to a full pipe."""

    def __init__(self, notes: int, signals: int, gate: int) -> None:
        self._notes = notes
        self._signals = signals
        self._gate = gate

    def begin(self, drain_s: float) -> None:
        """From here on SIGINT and SIGTERM end this process within `drain_s` and :data:`~devproxy.cli.forcing.GRACE_S`.

        To be called when the handlers of the loop are there, which usually do all that is needed. A second signal ends
        it within the latter. The process has to end by ``os._exit``: at the interpreter's own end, it would wait for
        the thread.
        """
        self.drains_for(drain_s)
        faulthandler.dump_traceback_later(_WAITING_S, exit=True, file=self._gate)
        for number in (signal.SIGINT, signal.SIGTERM):
            faulthandler.register(number, file=self._signals, all_threads=False, chain=True)

    def drains_for(self, drain_s: float) -> None:
        """Take note that the configuration gives this much time from now on."""
        try:
            os.write(self._notes, b"%f\n" % drain_s)
        except OSError:
            return  # the child has been killed: signals still reach the loop


def watch_over() -> Keeper | None:
    """Return what ends this process by force where that is needed; None where the system has no shell for it."""
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
    return Keeper(notes_in, signals_in, gate_in)


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
