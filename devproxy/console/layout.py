"""The columns of a line about an exchange or a tunnel, and what happens to them in a narrow terminal.

Pure. Time, method, status, target with a word about it, route, duration, bytes. The target takes what the others
leave; where that is too little, the columns that say least are left out one after the other. Start at :func:`layout`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, NamedTuple

from devproxy.console.style import Style
from devproxy.console.text import columns, cut, padded

Paint = Callable[[str], str]

MIN_TARGET: Final = 28
"""Below this many columns for the target another column is left out instead."""
_UNLIMITED_TARGET: Final = 48
_MAX_ROUTE: Final = 28
_MAX_UPSTREAM: Final = 16
_METHOD: Final = 7
_STATUS: Final = 4
_DURATION: Final = 7
_OCTETS: Final = 6
_TIME: Final = 8
MAX_PIECE: Final = 256
"""Characters of what a remembered piece is made of: a method can be as long as a target."""
MAX_PIECES: Final = 256


@dataclass(slots=True, kw_only=True)
class Row:
    """One line's text, escaped already. ``paint_status`` and ``paint_note`` give both the same weight.

    ``status``: of HTTP, or a close code. ``note``: a word about how it went, usually empty. ``more``: is said below.
    ``below``: sentences after that, each on its own line.
    """

    time: str
    method: str
    status: str
    target: str
    route: str
    upstream: str
    duration: str
    sent: str
    received: str
    paint_status: Paint
    paint_note: Paint
    note: str = ""
    more: str = ""
    below: tuple[str, ...] = ()


class Layout(NamedTuple):
    """Widths in columns; 0: that column is left out. ``width``: of the terminal; None: no limit, nothing is cut."""

    width: int | None
    time: int
    target: int
    route: int
    upstream: int
    octets: int


def layout(width: int | None, *, route: int, upstream: int) -> Layout:
    """Return which columns fit into `width` (None: no limit). `route`, `upstream`: the longest of their kind."""
    route, upstream = min(route, _MAX_ROUTE), min(upstream, _MAX_UPSTREAM)
    if width is None:
        return Layout(None, _TIME, _UNLIMITED_TARGET, route, upstream, _OCTETS)
    choices = (
        (_TIME, route, upstream, _OCTETS),
        (_TIME, route, upstream, 0),
        (_TIME, 0, upstream, 0),
        (_TIME, 0, 0, 0),
        (0, 0, 0, 0),
    )
    for time, route_width, upstream_width, octets in choices:
        target = width - _taken(time, route_width, upstream_width, octets)
        if target >= MIN_TARGET:
            break
    return Layout(width, time, max(target, 4), route_width, upstream_width, octets)


def _taken(time: int, route: int, upstream: int, octets: int) -> int:
    """Return how many columns are next to the target."""
    taken = _METHOD + 1 + _STATUS + 1 + 2 + _DURATION
    taken += time + 1 if time else 0
    taken += 2 + route if route else 0
    taken += 5 + upstream if upstream else 0  # the arrow takes two columns in ASCII
    return taken + (2 + 2 * (octets + 1) + 1 if octets else 0)


class Table:
    """Lays rows out in columns of `widths`.

    Most rows begin alike and have the same route: these pieces are laid out once and remembered, at most
    :data:`MAX_PIECES` of them.
    """

    __slots__ = ("_pieces", "_style", "_widths")

    def __init__(self, widths: Layout, style: Style) -> None:
        self._widths = widths
        self._style = style
        self._pieces: dict[tuple[str, str, Paint | None], str] = {}

    def lines(self, row: Row) -> list[str]:
        """Return `row` as one line, with others below it when there is more to say."""
        widths, style, pieces = self._widths, self._style, self._pieces
        start = pieces.get((row.method, row.status, row.paint_status)) or self._start(row)
        target, has_room = _target(row, widths, style)
        middle = pieces.get((row.route, row.upstream, None)) or self._middle(row)
        line = f"{start}{target}{middle}  {row.duration:>{_DURATION}}"
        if widths.time:
            line = f"{style.dim(row.time)} {line}"
        if widths.octets and row.sent:
            octets = f"{style.glyphs.sent}{row.sent:<{widths.octets}} {style.glyphs.received}{row.received}"
            line = f"{line}  {style.dim(octets)}"
        if has_room and not row.more and not row.below:
            return [line]
        more = ": ".join(part for part in ("" if has_room else row.note, row.more) if part)
        indent = widths.time + 1 if widths.time else 2
        lines = [line, *(" " * indent + row.paint_note(text) for text in wrapped(more, widths.width, indent))]
        for text in row.below:
            lines += [" " * indent + style.yellow(line) for line in wrapped(text, widths.width, indent)]
        return lines

    def _start(self, row: Row) -> str:
        method = padded(cut(row.method, _METHOD, self._style.glyphs.cut), _METHOD)
        text = f"{method} {row.paint_status(padded(row.status, _STATUS))} "
        return self._remember((row.method, row.status, row.paint_status), text)

    def _middle(self, row: Row) -> str:
        widths, style, mark = self._widths, self._style, self._style.glyphs.cut
        text = ""
        if widths.route:
            text += "  " + style.dim(padded(cut(row.route, widths.route, mark), widths.route))
        if widths.upstream:
            upstream = padded(cut(row.upstream, widths.upstream, mark), widths.upstream)
            text += f"  {style.dim(style.glyphs.to)} {upstream}"
        return self._remember((row.route, row.upstream, None), text)

    def _remember(self, key: tuple[str, str, Paint | None], text: str) -> str:
        if sum(map(len, key[:2])) > MAX_PIECE:
            return text
        if len(self._pieces) >= MAX_PIECES:
            self._pieces.clear()
        self._pieces[key] = text
        return text


_MAX_WRAPPED: Final = 4000
"""Columns of a text that is wrapped: dozens of lines of the terminal. The middle of a longer one is left out."""


def wrapped(text: str, width: int | None, indent: int) -> list[str]:
    """Return `text` in lines that leave room for an indent of `indent` columns in `width`; none for no text."""
    if width is None or indent + columns(text) <= width:
        return [text] if text else []
    # Python copies what is left of a long word for each line of it.
    return wrap(cut(text, _MAX_WRAPPED), max(width - indent, 8), break_on_hyphens=False)


def _target(row: Row, widths: Layout, style: Style) -> tuple[str, bool]:
    """Return the target with the note after it, as wide as its column, and whether the note has found room."""
    mark, is_cut = style.glyphs.cut, widths.width is not None
    if not row.note:
        text = cut(row.target, widths.target, mark) if is_cut else row.target
        return padded(text, widths.target), True
    room = widths.target - columns(row.note) - 2
    if is_cut and room < min(8, columns(row.target)):
        return padded(cut(row.target, widths.target, mark), widths.target), False
    text = cut(row.target, room, mark) if is_cut else row.target
    gap = " " * max(0, widths.target - columns(text) - 2 - columns(row.note))
    return f"{text}  {row.paint_note(row.note)}{gap}", True
