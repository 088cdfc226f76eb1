"""Signals that end this process or have it read its file again, and how an event loop hears of them.

asyncio's loop on Windows takes no handlers for signals. There Python's own handler runs in the main thread, and the
loop wakes up for it (``signal.set_wakeup_fd``, which that loop sets). Start at :func:`handle`.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

STOPPING: Final[tuple[signal.Signals, ...]] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""What ends a server. On Windows SIGBREAK is Ctrl-Break, which is also what a supervisor can send there."""

INTERRUPT: Final = signal.SIGINT
"""What Ctrl-C sends, to every process that the terminal belongs to."""

PASSED_ON: Final[tuple[signal.Signals, ...]] = tuple(
    getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name)
)
"""What means something to programs of their own; none on Windows."""

HANG_UP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)
"""What a terminal that is closed sends, and who wants the configuration read again; None on Windows."""


def handle(loop: asyncio.AbstractEventLoop, number: signal.Signals, callback: Callable[[], None]) -> None:
    """Have `loop` call `callback` each time that the signal comes. In the main thread."""
    try:
        loop.add_signal_handler(number, callback)
    except NotImplementedError:
        signal.signal(number, lambda *_: _call(loop, callback))


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)


def ask_to_stop() -> None:
    """Send this process what asks it to stop."""
    signal.raise_signal(signal.SIGTERM)
