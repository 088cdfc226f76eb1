"""Writing to a terminal, a pipe or a file without changing its flags, which other processes share.

Where poll(2) tells when there is room, nothing is written before; on Windows a write waits, in the thread that writes.
Start at :class:`Output`.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Any, Final

from devproxy.platforms.system import IS_WINDOWS

PIPE_BUF: Final = 4096
"""What fits where poll(2) says that something does, at least; no more is written at once."""

_STANDARD_OUTPUT: Final = -11
_VIRTUAL_TERMINAL: Final = 4
"""STD_OUTPUT_HANDLE and ENABLE_VIRTUAL_TERMINAL_PROCESSING of the Windows API."""


class Output:
    """Writes to `fd`, which it never closes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._poll: Any = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(fd, select.POLLOUT)
        self._console = _windows_console(fd) if IS_WINDOWS else None

    def has_room(self, timeout_s: float) -> bool:
        """Wait for at most `timeout_s` until something can be written; tell whether it can."""
        return self._poll is None or bool(self._poll.poll(timeout_s * 1000))

    def write(self, data: memoryview) -> int:
        """Write the beginning of `data`; return how many bytes. Raises OSError where the reader is gone."""
        if self._console is not None:
            return int(self._console.write(data)) or len(data)
        return os.write(self._fd, data[:PIPE_BUF] if self._poll is not None else data)


def _windows_console(fd: int) -> Any:
    """Return the raw stream that writes to the console at `fd`; None where that is a file or a pipe.

    Bytes that are written to its descriptor would be read in the code page of the console, and not in UTF-8. Colours
    and lines that are written over are switched on: Windows Terminal has them anyway, the old console does not.
    """
    stream = {1: sys.stdout, 2: sys.stderr}.get(fd)
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is None or not os.isatty(fd):
        return None
    with suppress(OSError, AttributeError, ImportError, KeyError):
        import ctypes

        system = vars(ctypes)["WinDLL"]("kernel32")
        system.GetStdHandle.restype = ctypes.c_void_p
        handle, mode = ctypes.c_void_p(system.GetStdHandle(_STANDARD_OUTPUT - (fd - 1))), ctypes.c_ulong()
        if system.GetConsoleMode(handle, ctypes.byref(mode)):
            system.SetConsoleMode(handle, mode.value | _VIRTUAL_TERMINAL)
    return raw
