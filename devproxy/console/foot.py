"""The last lines of a terminal, which are written over in place while the others scroll up above them.

Pure but for the question who the terminal belongs to. Nothing above the foot is ever erased: after Return was typed, or
in a terminal that has become narrower, a piece of an older foot may stay. Start at :meth:`Foot.drawn`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.1
"""The foot is written again after so many seconds at the earliest, unless lines come above it."""


class Foot:
    """Writes over what it wrote last. `lines`: what it is to show now, each no wider than the terminal.

    `is_ours`: whether the terminal listens to this process; a shell that has it back has its own text on that line.
    ``due``: when to draw at the latest, because something may have changed; None: nothing has.
    """

    def __init__(self, lines: Callable[[], list[str]], is_ours: Callable[[], bool]) -> None:
        self._lines = lines
        self._is_ours = is_ours
        self._shown: list[str] = []
        self._next = 0.0
        self.due: float | None = None

    def drawn(self, text: str, now: float) -> str:
        """Return what to write so that `text`, whole lines or none, appears above the foot."""
        if not text and now < self._next:
            self.due = self._next
            return ""
        self.due, self._next = None, now + EVERY_S
        if not self._is_ours():
            self._shown = []
            return text
        before, self._shown = self._shown, self._lines()
        if not text and self._shown == before:
            return ""
        # The cursor stays where the last line begins: a ^C that is typed there takes no room after a full line.
        return f"{_erased(len(before))}{text}" + "\n".join(self._shown) + ("\r" if self._shown else "")


def _erased(count: int) -> str:
    """Return what erases `count` lines, with the cursor in the last of them (ECMA-48: CUU, ED)."""
    if not count:
        return ""
    return "\r" + (f"\x1b[{count - 1}A" if count > 1 else "") + "\x1b[J"
