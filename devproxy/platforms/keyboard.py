"""Keys of the terminal, one at a time, while it belongs to devproxy; afterwards it is as it was.

Only in the foreground: a process in the background that reads the terminal, or changes it, is stopped by the system
(POSIX, general terminal interface). What a key does is not known here. Start at :class:`Keyboard`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_STDIN: Final = 0
_PIECE: Final = 256
_LOOK_S: Final = 0.5
_LOCAL_MODES: Final = 3
_CONTROL: Final = 6
"""Places in what ``tcgetattr`` returns."""


class Keyboard:
    """Calls `on_keys` with what is typed, while `is_free` tells that no program reads the terminal.

    Changes the terminal so that keys come without Return and are not echoed; Ctrl-C and Ctrl-Z stay signals. To be
    made in the main thread, and closed whatever happens. Needs a running loop.
    """

    def __init__(self, on_keys: Callable[[bytes], None], is_free: Callable[[], bool]) -> None:
        self._on_keys = on_keys
        self._is_free = is_free
        self._loop = asyncio.get_running_loop()
        self._is_reading = False
        self._is_closed = not is_possible()
        self._before: list[Any] = []
        """What the terminal was like when it came to be ours; empty: it is not."""
        self._looking: asyncio.TimerHandle | None = None
        if self._is_closed:
            return
        import termios

        self._termios = termios
        self._loop.add_signal_handler(signal.SIGTSTP, self._pause)
        self._loop.add_signal_handler(signal.SIGCONT, self.settle)
        self.settle()

    def settle(self) -> None:
        """Read keys, or leave the terminal alone, as things are now."""
        if self._is_closed:
            return
        is_ours = _is_in_foreground()
        if not is_ours:
            self._before = []
        elif not self._before:
            with suppress(OSError, self._termios.error):  # the terminal is about to go
                self._before = self._termios.tcgetattr(_STDIN)
        if not is_ours and self._looking is None:
            # A shell does not tell a job that runs in the background that it has come to the foreground.
            self._looking = self._loop.call_later(_LOOK_S, self._look)
        wanted = self._is_free() and is_ours
        if wanted:
            self._set(keys=True)
        if wanted and not self._is_reading:
            self._is_reading = True
            self._loop.add_reader(_STDIN, self._read)
        elif not wanted:
            self._leave()

    def _look(self) -> None:
        self._looking = None
        self.settle()

    def close(self) -> None:
        """Leave the terminal as it was. Idempotent."""
        if self._is_closed:
            return
        self._leave()
        if _is_in_foreground():
            self._set(keys=False)  # a program that was ended by force may have left it in any state
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        for number in (signal.SIGTSTP, signal.SIGCONT):
            self._loop.remove_signal_handler(number)

    def _leave(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(_STDIN)
            if _is_in_foreground():
                self._set(keys=False)

    def _set(self, *, keys: bool) -> None:
        termios = self._termios
        if not self._before:
            return
        modes = list(self._before)
        if keys:
            modes[_LOCAL_MODES] &= ~(termios.ICANON | termios.ECHO)
            modes[_CONTROL] = list(modes[_CONTROL])
            modes[_CONTROL][termios.VMIN], modes[_CONTROL][termios.VTIME] = 1, 0
        with suppress(OSError, termios.error):
            termios.tcsetattr(_STDIN, termios.TCSADRAIN, modes)

    def _pause(self) -> None:
        """Ctrl-Z: give the terminal back as it was, and stop as any other program does."""
        self._leave()
        self._before = []
        self._loop.remove_signal_handler(signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        # Here it goes on after `fg` or `bg`.
        self._loop.add_signal_handler(signal.SIGTSTP, self._pause)
        self.settle()

    def _read(self) -> None:
        if not _is_in_foreground():
            self.settle()
            return
        try:
            typed = os.read(_STDIN, _PIECE)
        except OSError:
            typed = b""
        if not typed:  # the terminal is gone
            self._is_reading = False
            self._loop.remove_reader(_STDIN)
            self._is_closed = True
            return
        self._on_keys(typed)


def is_possible() -> bool:
    """Tell whether standard input is a terminal whose keys can be read."""
    try:
        import termios  # noqa: F401
    except ImportError:
        return False
    try:
        return os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) > 0
    except OSError:
        return False  # not the terminal of this session


def _is_in_foreground() -> bool:
    try:
        return os.tcgetpgrp(_STDIN) == os.getpgrp()
    except OSError:
        return False


def is_ours() -> bool:
    """Tell whether standard input is a terminal that belongs to this process now."""
    return is_possible() and _is_in_foreground()
