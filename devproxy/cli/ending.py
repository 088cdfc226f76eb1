"""An end that comes when it is asked for, whatever the event loop does. Start at :func:`watch_over`.

A signal is handled by the loop, and a loop that is stuck handles nothing: not in Python code, and much less in C code
that holds the interpreter's lock, where neither signal handlers nor threads of Python run. What still works there is
``faulthandler``: a C handler that writes to a descriptor, and a C thread that ends the process with status 1 once it
has written where the process hangs. The thread is started at once, with a pipe to write to that is full; a small child
process hears of every signal from the handler, waits for as long as a stop may take, and then empties that pipe.

The child is forked before anything is opened or listened on, holds nothing else, and ends with its parent.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import time
from typing import Final, NoReturn

GRACE_S: Final = 1.7
"""What a stop may take beyond ``drain_s``. The console alone may need 1.1 s, for a terminal that is stopped."""
_UNKNOWN_S: Final = 3.0
_LAST_RESORT_S: Final = 1.0
_PIECE: Final = 65536
_SIGNAL_SEEN: Final = b"(most recent call first)"
"""Stands once in what the handler writes for each signal."""
_WAITING_S: Final = 0.001
"""The thread is to wait for the pipe, not for the time."""


class Keeper:
    """The parent's side. `notes`, `signals` and `gate`: descriptors to write to; the last one leads to a full pipe."""

    def __init__(self, notes: int, signals: int, gate: int) -> None:
        self._notes = notes
        self._signals = signals
        self._gate = gate

    def begin(self, drain_s: float) -> None:
        """From here on SIGINT and SIGTERM end this process within `drain_s` and :data:`GRACE_S`.

        To be called when the handlers of the loop are there, which mostly do all that is needed. A second signal ends
        it within :data:`GRACE_S`. The process has to end by ``os._exit``: the interpreter's own end would wait for the
        thread.
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
    """Return what ends this process by force where that is needed; None where the system has no child for it.

    Before there are threads, and before there is a descriptor that a child must not keep open.
    """
    pipes = [os.pipe() for _ in range(3)]
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:
        for descriptor in (descriptor for pipe in pipes for descriptor in pipe):
            os.close(descriptor)
        return None
    (notes, notes_in), (signals, signals_in), (gate, gate_in) = pipes
    if child == 0:
        _stand_by(parent, notes, signals, gate)
    os.close(notes)
    os.close(signals)
    # The end of `gate` that is read stays open here too: without a reader the thread could not wait.
    for descriptor in (notes_in, signals_in):
        os.set_blocking(descriptor, False)
    _fill(gate_in)
    return Keeper(notes_in, signals_in, gate_in)


def _fill(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except BlockingIOError:
            continue
    os.set_blocking(descriptor, True)


# -- in the child ------------------------------------------------------------------------------------------------------


def _stand_by(parent: int, notes: int, signals: int, gate: int) -> NoReturn:
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a terminal sends them to the whole group
        _close_all_but({2, notes, signals, gate})
        os.chdir("/")
        limit_s = _wait_for_the_end(notes, signals)
        _force(parent, notes, gate, limit_s)
    finally:
        os._exit(0)


def _close_all_but(kept: set[int]) -> None:
    start = 0
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, max(start, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") > 0 else start))


def _wait_for_the_end(notes: int, signals: int) -> float:
    """Return how long the parent had, once that is over; end with the parent if it ends in time."""
    drain_s, asked_at = _UNKNOWN_S, 0.0
    due: float | None = None
    while True:
        timeout_s = None if due is None else max(0.0, due - time.monotonic())
        ready, _, _ = select.select((notes, signals), (), (), timeout_s)
        if not ready:
            return time.monotonic() - asked_at
        if notes in ready:
            said = os.read(notes, _PIECE)
            if not said:
                os._exit(0)
            drain_s = float(said.split()[-1])
        if signals in ready:
            seen = os.read(signals, _PIECE).count(_SIGNAL_SEEN)
            now = time.monotonic()
            if seen and due is None:
                asked_at, due, seen = now, now + drain_s + GRACE_S, seen - 1
            if seen and due is not None:
                due = min(due, now + GRACE_S)


def _force(parent: int, notes: int, gate: int, limit_s: float) -> None:
    """Let the parent's thread write and end the process; say so."""
    last = time.monotonic() + _LAST_RESORT_S
    trace = b""
    while time.monotonic() < last:
        ready, _, _ = select.select((notes, gate), (), (), _LAST_RESORT_S)
        if gate in ready:
            piece = os.read(gate, _PIECE)
            trace += piece.replace(b"\0", b"")
        if notes in ready and (gate not in ready or not piece):
            break  # the parent is over, and all that it wrote is here
    else:
        if os.getppid() == parent:
            os.kill(parent, signal.SIGKILL)
    words = f"error: devproxy was told to stop, did not within {limit_s:.1f} s, and was ended by force\n"
    help = "help: this is a bug in devproxy: please report it, with these lines, where you have devproxy from\n"
    _say(words.encode() + trace + help.encode())


def _say(words: bytes) -> None:
    """Write to standard error; give up when nobody takes it, for this process must end in any case."""
    last = time.monotonic() + _LAST_RESORT_S
    while words and select.select((), (2,), (), max(0.0, last - time.monotonic()))[1]:
        words = words[os.write(2, words[: select.PIPE_BUF]) :]
