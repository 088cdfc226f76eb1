"""Whether the terminal that devproxy was started in is still there, and whether it is this process's turn to use it.

What SIGHUP means depends on that. A terminal that is closed sends it, and so does anyone who wants the configuration
read again. Only of a process that had a controlling terminal, and did not ignore the signal from the beginning as under
``nohup``, can the terminal be gone; ``setsid`` and containers have none. Windows has no such signal. Imports no
asyncio: devproxy asks before it serves. Start at :class:`Terminal`.
"""

from __future__ import annotations

import errno
import os
import signal
from types import FrameType
from typing import Final

from devproxy.platforms.signals import HANG_UP

_CONTROLLING: Final = "/dev/tty"
_GONE: Final = frozenset((errno.ENXIO, errno.EIO, errno.ENODEV, errno.ENOTTY))
"""What opening one's controlling terminal fails with when there is none (any more): tty(4)."""

LOOKS_S: Final = (0.0, 0.1, 0.5, 2.0)
"""How long after SIGHUP to look. When a shell dies, the system sends it a moment before it takes the terminal away."""


class Terminal:
    """The controlling terminal at the time of the call, if there is one. ``has_hung_up``: SIGHUP has come since.

    Takes SIGHUP over, until the loop does; in the main thread.
    """

    def __init__(self) -> None:
        self._was_there = self.has_hung_up = False
        if HANG_UP is not None:
            is_ignored = signal.getsignal(HANG_UP) is signal.SIG_IGN
            self._was_there = not is_ignored and not _failure()
            signal.signal(HANG_UP, self._note)

    def _note(self, _: int, __: FrameType | None) -> None:
        self.has_hung_up = True

    @property
    def is_gone(self) -> bool:
        """Whether there was a terminal that is gone now: it can no longer reach this process."""
        # Without a free descriptor this is unknown: then it counts as present.
        return self._was_there and _failure() in _GONE


def is_in_foreground(fd: int) -> bool:
    """Tell whether the terminal `fd` is not in use by its shell or another job (POSIX, tcgetpgrp)."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except (OSError, AttributeError):
        return True  # not the terminal that this session has, or Windows: no shell gets it back


def _failure() -> int:
    """Return the errno with which opening the controlling terminal fails; 0 where there is one."""
    try:
        os.close(os.open(_CONTROLLING, os.O_RDONLY | os.O_NOCTTY))
    except OSError as error:
        return error.errno or -1
    return 0
