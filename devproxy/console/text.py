"""Pieces of text that are safe and short enough for a terminal or a log.

Pure. What a peer or an author sent is shown escaped: nothing of it moves the cursor, rings the bell, changes a title
(ECMA-48) or turns the direction of writing. Credentials are masked by :mod:`devproxy.console.secrets`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from devproxy.console.secrets import MASK, masked
from devproxy.text.safe import visible

_MAX_REMEMBERED: Final = 256
_FIRST_ODD: Final = "\u0300"
"""Characters below this one take one column each, control characters aside."""
_OWN_SIGNS: Final = frozenset("→➜✓✗↑↓…│")
"""What devproxy itself writes; one column each, too."""
_UNITS: Final = ("kB", "MB", "GB", "TB")


def shown_target(target: bytes, mask: str = MASK) -> str:
    """Return a request target for a terminal: masked, escaped, in ASCII but for `mask`.

    Browsers percent-encode (URL standard), so a raw byte beyond ASCII is odd enough to be shown as such: ``\\xe9``.
    Remembered for the last ones, if they are short: a page asks for the same again when it is loaded again.
    """
    return _recently_shown(target, mask) if len(target) <= _MAX_REMEMBERED else _shown(target, mask)


def _shown(target: bytes, mask: str) -> str:
    return visible(masked(target.decode("ascii", "backslashreplace"), mask))


_recently_shown: Final = lru_cache(maxsize=2048)(_shown)


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes (no control characters in it)."""
    if text.isascii():
        return len(text)
    if all(char < _FIRST_ODD or char in _OWN_SIGNS for char in text):
        return len(text)
    from unicodedata import combining, east_asian_width  # a MiB that few texts need

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, width: int) -> str:
    """Return `text` with spaces after it up to `width` columns."""
    return text + " " * (width - columns(text))


def widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how many columns of a terminal each column of a table takes; every row has as many cells."""
    return [max(map(columns, cells)) for cells in zip(*rows, strict=True)]


def cut(text: str, width: int, mark: str = MASK) -> str:
    """Return `text` in at most `width` columns: with `mark` in place of its middle where it is longer.

    The end of a path says as much as its beginning, so both stay. Below the width of `mark` nothing but dots fits.
    """
    if columns(text) <= width:
        return text
    room = width - columns(mark)
    if room < 2:
        return mark[: max(width, 0)]
    head = _taken(text, room - room // 2)
    tail = _taken(text[::-1], room - columns(head))[::-1]
    return head + mark + tail


def _taken(text: str, width: int) -> str:
    """Return as much from the start of `text` as fits into `width` columns."""
    if text.isascii():
        return text[:width]
    taken = 0
    for index, char in enumerate(text):
        taken += columns(char)
        if taken > width:
            return text[:index]
    return text


@lru_cache(maxsize=512)
def size(octets: int) -> str:
    """Return a number of bytes with at most three digits and a decimal unit: ``118 B``, ``1.2 kB``, ``34 MB``."""
    if octets < 1000:
        return f"{octets} B"
    value = float(octets)
    for unit in _UNITS:
        value /= 1000
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} {_UNITS[-1]}"


def duration(seconds: float) -> str:
    """Return a time span in at most seven columns: ``0.4 ms``, ``12 ms``, ``3.1 s``, ``3m 12s``, ``2h 05m``."""
    milliseconds = seconds * 1000
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def counted(number: int, noun: str) -> str:
    """Return `number` and `noun` in singular or plural: ``1 tunnel``, ``2 tunnels``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
