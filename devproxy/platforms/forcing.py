"""What ends a devproxy that was told to stop and does not: a script, run by :mod:`devproxy.platforms.ending`.

It starts at the first signal, with the parent's process id and three descriptors: `notes` tells how long a stop may
take and closes with the parent, `signals` has what the parent's handler writes for each signal, `gate` is the full pipe
that the parent's thread waits for. Imports nothing of devproxy, so that it runs without the environment's packages.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from typing import Final

GRACE_S: Final = 1.5
"""What a stop may take beyond ``drain_s``. The console alone may need 1.1 s, for a terminal that is stopped."""
_UNKNOWN_S: Final = 3.0
_LAST_RESORT_S: Final = 1.0
_PIECE: Final = 65536
_SIGNAL_SEEN: Final = b"(most recent call first)"
"""Occurs once in what the handler writes for each signal."""


def main(parent: int, notes: int, signals: int, gate: int) -> None:
    """Wait for as long as a stop may take; end `parent` if it is still there."""
    _close_all_but({2, notes, signals, gate})
    _force(parent, notes, gate, _wait_for_the_end(notes, signals))


def _close_all_but(kept: set[int]) -> None:
    start = 0
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, max(start, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") > 0 else start))


def _wait_for_the_end(notes: int, signals: int) -> float:
    """Return how long the parent had, once that is over; end with the parent if it ends in time."""
    asked_at = time.monotonic()
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
            if due is None:  # said before the signal: what a configuration says later is for the next one
                due = asked_at + float(said.split()[-1]) + GRACE_S
        if signals in ready and _SIGNAL_SEEN in os.read(signals, _PIECE):
            due = min(asked_at + _UNKNOWN_S + GRACE_S if due is None else due, time.monotonic() + GRACE_S)


def _force(parent: int, notes: int, gate: int, limit_s: float) -> None:
    """Let the parent's thread write and end the process; say so."""
    _mend_terminal()
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
    words = f"error: devproxy did not stop within {limit_s:.1f} s of being told to, and was terminated by force\n"
    help = "help: this is a bug in devproxy: please report it, with these lines, where you got devproxy\n"
    _say(words.encode() + trace + help.encode())


def _mend_terminal() -> None:
    """Have the terminal echo keys, line by line: the parent may have read them one by one, and can undo nothing now.

    While the parent is there: after its end, a shell has the terminal for itself.
    """
    with contextlib.suppress(ImportError, OSError):
        import termios

        with contextlib.suppress(termios.error):
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            modes = termios.tcgetattr(2)
            modes[3] |= termios.ICANON | termios.ECHO
            termios.tcsetattr(2, termios.TCSANOW, modes)


def _say(words: bytes) -> None:
    """Write to standard error; give up if it is closed or is not read, for this process must end in any case."""
    last = time.monotonic() + _LAST_RESORT_S
    with contextlib.suppress(OSError):
        while words and select.select((), (2,), (), max(0.0, last - time.monotonic()))[1]:
            words = words[os.write(2, words[: select.PIPE_BUF]) :]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
