"""What the terminal shows: the banner, a line for each exchange, warnings; or the same as lines of JSON.

    console = Console(config, mode="human", colour="auto", version=__version__)
    gateway.observe(console.observer)
    ...
    console.close()

Never waits on the loop's thread (see :mod:`devproxy.console.writer`), and knows the gateway only by its events. Start
at :class:`Console`; what each event looks like is in :mod:`~devproxy.console.lines` and
:mod:`~devproxy.console.jsonlines`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from time import monotonic
from typing import Final, Literal

from devproxy.config.model import Config
from devproxy.console.banner import ServerStates, banner
from devproxy.console.folding import Folding
from devproxy.console.foot import Foot
from devproxy.console.lines import HumanLines, QuietLines
from devproxy.console.style import Colour, Style, glyphs_for, wants_colour
from devproxy.console.writer import Lines, Writer
from devproxy.events import Observer, Ready, Wants
from devproxy.platforms.terminal import is_in_foreground

Mode = Literal["human", "json", "quiet", "programs"]

_MIN_WIDTH: Final = 20

MAX_AGE_S: Final = 60.0
"""How long exchanges share a line at most if it is not visible before it is complete: in a file, in a container's
log."""


class Console:
    """Shows events on a file descriptor. Not a logger: nothing is formatted in the thread that tells it.

    `mode`: ``human`` for all there is, ``quiet`` for errors only, ``json`` for programs; ``programs``: what programs
    that devproxy runs have written, and nothing else. `fd`: never closed, its flags never changed. `colour`: see
    :func:`devproxy.console.style.wants_colour`. `is_verbose`: what was changed in
    answers is shown too. ``observer``: give this to the gateway; call it from one thread only. ``is_coloured``:
    text that comes painted is shown so.
    """

    def __init__(
        self,
        config: Config,
        *,
        mode: Mode = "human",
        fd: int = 2,
        colour: Colour = "auto",
        version: str,
        is_verbose: bool = False,
    ) -> None:
        encoding = _encoding_of(fd)
        style = Style(wants_colour(colour, os.environ, is_terminal=_is_terminal(fd)), glyphs_for(encoding))
        has_foot = mode == "human" and _can_write_over(fd)
        lines: Lines
        if mode == "json":
            from devproxy.console.jsonlines import JsonLines  # json costs some milliseconds that only programs need

            lines = JsonLines()
        elif mode == "programs":
            from devproxy.console.programs import OutputLines, ProgramLines  # few start programs

            lines = OutputLines(ProgramLines([program.name for program in config.programs], style))
        else:
            folding = None if is_verbose else Folding(max_age_s=float("inf") if has_foot else MAX_AGE_S)
            human = HumanLines(
                config,
                version=version,
                style=style,
                width=lambda: _terminal_width(fd),
                clock=monotonic,
                folding=folding,
            )
            lines = QuietLines(human) if mode == "quiet" else human
        foot = Foot(lines.foot, lambda: is_in_foreground(fd)) if has_foot else None
        self._writer = Writer(fd, lines, encoding=encoding, foot=foot)
        self.is_coloured = mode != "json" and style.has_colour
        self.is_terminal = _is_terminal(fd)
        self._fd = fd
        self._style = style
        self._version = version
        ends = Wants.NOTHING if mode == "programs" else Wants.FAILURES if mode == "quiet" else Wants.ENDS
        keep = self._writer.keep if mode == "human" and not is_verbose else None
        self.observer = Observer(self._writer.put, ends | Wants.CHANGES if is_verbose else ends, keep)

    def overview(self, config: Config, ready: Ready, states: ServerStates, ended: Mapping[str, int]) -> list[str]:
        """Return the lines of the banner as things are now, painted for this console. `ended`: see :func:`banner`."""
        return banner(config, ready, states, version=self._version, style=self._style, width=self.width, ended=ended)

    @property
    def backlog(self) -> int:
        """How many bytes wait to be written, about."""
        return self._writer.backlog

    @property
    def width(self) -> int | None:
        """The columns of the terminal; None: it is none."""
        return _terminal_width(self._fd)

    def close(self) -> None:
        """Write what is left, for at most a second. Nothing is shown after that. Idempotent."""
        self._writer.close()


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _can_write_over(fd: int) -> bool:
    """Tell whether `fd` is a terminal in which lines can be written over.

    One without a size is not a window but what Compose gives a service that asks for ``tty``, and goes to its log.
    """
    return _is_terminal(fd) and os.environ.get("TERM") != "dumb" and os.get_terminal_size(fd).columns > 0


def _encoding_of(fd: int) -> str:
    """Return the encoding of the standard stream on `fd`, where PYTHONIOENCODING and the locale have had their say."""
    stream = {1: sys.stdout, 2: sys.stderr}.get(fd) or sys.stderr
    return getattr(stream, "encoding", None) or "utf-8"


def _terminal_width(fd: int) -> int | None:
    """Return the columns to fill: ``COLUMNS``, else the terminal's; None when `fd` is not a terminal, as in a file."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return max(_MIN_WIDTH, int(columns))
    try:
        return max(_MIN_WIDTH, os.get_terminal_size(fd).columns or 80)
    except OSError:
        return None
