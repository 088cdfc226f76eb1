"""Problems -> the text a person reads: what, where with the line and a caret, and what to type.

Pure. Legible without colour; colour only repeats what the layout says. Nothing of the author's text reaches the
terminal unescaped. Start at :func:`report`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from unicodedata import category, east_asian_width

from devproxy.config.problems import COMMAND_LINE, ConfigError, Problem
from devproxy.text.safe import visible

MAX_LINE_WIDTH: Final = 100
"""Widest piece of a line that is shown, in terminal columns; a longer line is cut around the fault."""

_Paint = Callable[[str, str], str]
_TAB: Final = "    "
_CUT: Final = "…"
_BOLD: Final = "1"
_RED: Final = "1;31"
_BLUE: Final = "1;34"
_CYAN: Final = "1;36"


def report(error: ConfigError, text: bytes | str, source: str, *, colour: bool) -> str:
    """Return all problems of `error` about `text`, one below the other, ending with a line end.

    `text`: what was loaded, as it was. `source`: the file's path. `colour`: whether to use ANSI colours (SGR).
    """
    if isinstance(text, bytes):
        text = text.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    lines = text.replace("\r\n", "\n").split("\n")
    paint = _painted if colour else lambda text, _: text
    return "\n".join(_block(problem, lines, visible(source), paint) for problem in error.problems)


def _painted(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m"


def _block(problem: Problem, lines: list[str], source: str, paint: _Paint) -> str:
    rows = [f"{paint('error', _RED)}{paint(': ' + visible(problem.what), _BOLD)}"]
    if 0 < problem.line <= len(lines):
        number = str(problem.line)
        margin = " " * (len(number) + 1)
        line = _find_urls(_without_credentials, lines[problem.line - 1])
        shown, start, width = _excerpt(line, problem.column - 1, problem.length)
        bar = paint("|", _BLUE)
        rows += (
            f"{margin}{paint('-->', _BLUE)} {source}:{problem.line}:{problem.column}",
            f"{margin} {bar}",
            f" {paint(number, _BLUE)} {bar} {shown}".rstrip(),
            f"{margin} {bar} {' ' * start}{paint('^' * width, _RED)}",
        )
    elif problem.source or source != COMMAND_LINE:
        rows.append(f" {paint('-->', _BLUE)} {visible(problem.source) or source}")
    if problem.help:
        rows.append(f"{paint('help', _CYAN)}: {visible(problem.help)}")
    return "\n".join(rows) + "\n"


_find_urls: Final = re.compile(r"""://[^\s"']*+""").sub


def _without_credentials(url: re.Match[str]) -> str:
    """Return what follows the scheme of a URL with its credentials starred out: reports are pasted into issues."""
    before, at, after = url[0].rpartition("@")
    return f"://{'*' * (len(before) - 3)}{at}{after}" if at else url[0]


def _excerpt(line: str, start: int, length: int) -> tuple[str, int, int]:
    """Return what to show of `line`, at which terminal column the fault starts there, and how wide it is."""
    # Far more characters than can be shown are never looked at: a line may be as long as a file.
    first = max(0, start - MAX_LINE_WIDTH)
    end = min(start + length, start + MAX_LINE_WIDTH)
    before = [_cell(char) for char in line[first:start]]
    fault = [_cell(char) for char in line[start:end]]
    after = [_cell(char) for char in line[end : end + MAX_LINE_WIDTH]]
    # The fault comes first, then what is before it, then what is after it.
    fault_cells, fault_cut = _fitting(fault, MAX_LINE_WIDTH)
    room = MAX_LINE_WIDTH - _width(fault_cells)
    after_room = min(_width(after), max(room // 3, room - _width(before)))
    before_cells, before_cut = _fitting(before[::-1], room - after_room)
    after_cells, after_cut = _fitting(after, room - _width(before_cells))
    before_cut = before_cut or first > 0
    after_cut = fault_cut or after_cut or end + MAX_LINE_WIDTH < len(line)
    left = (_CUT if before_cut else "") + "".join(text for text, _ in reversed(before_cells))
    right = "".join(text for text, _ in fault_cells) + ("" if fault_cut else "".join(text for text, _ in after_cells))
    column = _width(before_cells) + before_cut
    return left + right + (_CUT if after_cut else ""), column, max(1, _width(fault_cells))


_Cell = tuple[str, int]
"""A character as shown, and how many terminal columns that takes."""


def _cell(char: str) -> _Cell:
    if " " <= char <= "~":
        return char, 1
    if char == "\t":
        return _TAB, len(_TAB)
    shown = visible(char)
    if shown != char:
        return shown, len(shown)
    if category(char) in ("Mn", "Me"):
        return char, 0
    return char, 2 if east_asian_width(char) in "WF" else 1


def _width(cells: list[_Cell]) -> int:
    return sum(width for _, width in cells)


def _fitting(cells: list[_Cell], room: int) -> tuple[list[_Cell], bool]:
    """Return as many of `cells` from the first on as fit into `room`, and whether any had to go."""
    used = 0
    for index, (_, width) in enumerate(cells):
        used += width
        if used > room:
            return cells[:index], True
    return cells, False
