"""What programs that devproxy runs have written, each line with the program's name; that they answer or have ended.

Pure. Start at :class:`ProgramLines`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devproxy.console.style import Style
from devproxy.console.text import columns, duration, padded
from devproxy.console.writer import Lines
from devproxy.events import Event, ProgramAnswers, ProgramEnded, ProgramOutput
from devproxy.text.ansi import coloured, plain
from devproxy.text.safe import visible

_COLOURS: Final = ("36", "35", "34", "33", "32")
"""Of the names, one after the other; red is for what is wrong."""


class ProgramLines:
    """Puts the names of programs before their lines. `names`: those that are known already, in their order."""

    def __init__(self, names: Sequence[str], style: Style) -> None:
        self._style = style
        self._places = {name: place for place, name in enumerate(names)}
        self._width = max(map(columns, names), default=0)

    def lines(self, event: ProgramOutput) -> list[str]:
        """Return the lines of `event`, with the name of the program before each, in its colour."""
        place = self._places.setdefault(event.name, len(self._places))
        self._width = max(self._width, columns(event.name))
        name = f"{padded(visible(event.name), self._width)} {self._style.glyphs.beside}"
        shown = coloured if self._style.has_colour else plain
        if self._style.has_colour:
            name = f"\x1b[{_COLOURS[place % len(_COLOURS)]}m{name}\x1b[0m"
        return [f"{name} {shown(line)}".rstrip() for line in event.lines]


class OutputLines(Lines):
    """Shows what programs write and nothing else: on standard error, where standard output is for data."""

    batch = 64
    pause_s = 0.002

    def __init__(self, inner: ProgramLines) -> None:
        self._inner = inner

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the lines of a program."""
        return self._inner.lines(event) if isinstance(event, ProgramOutput) else []

    def dropped(self, at: float, count: int) -> list[str]:
        """Return nothing: the output of programs waits instead of being dropped."""
        return []


def answers_words(event: ProgramAnswers, style: Style) -> str:
    """Return that a program takes connections, where, and since how long it has been running."""
    moved = f", not on {event.expected}," if event.expected else ""
    who = style.bold(visible(event.name))
    return f"{who} {style.green('answers')} on {event.port}{moved} after {duration(event.after_s)}"


def ended_words(event: ProgramEnded, style: Style) -> str:
    """Return how a program ended, and whether it is started again."""
    how = f"with status {event.status}" + (f" ({event.by_signal})" if event.by_signal else "")
    paint = style.red if event.status else style.yellow
    again = "" if event.restart_s is None else f"; starting it again in {duration(event.restart_s)}"
    return f"{style.bold(visible(event.name))} {paint('ended')} {how} after {duration(event.after_s)}{again}"
