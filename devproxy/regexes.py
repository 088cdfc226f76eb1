"""How long a regular expression can take: refuses those that a hostile text makes run for minutes or for ever.

Pure. Python's ``re`` backtracks and has no time limit, and what an expression is compared with here comes from any web
site (``Origin``). Judges the text of an expression that ``re`` has compiled; never matches anything. When in doubt it
refuses: what is refused can be said with possessive repeats (``[a-z]++``), which never give back what they took.
Start at :func:`backtracking_fault`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_WAYS: Final = 160**3
"""Most ways of matching that are tried: some tenths of a second. Three unbounded repeats, one behind the other."""

_UNBOUNDED: Final = 160
"""Ways in which an unbounded repeat counts. An origin has up to 255 octets, and repeats in a row share them."""

_find_opening = re.compile(r"\((?:\?(?:P<\w+>|P=\w+|<[=!]|[=!:>]|\(\w+\)|[a-zA-Z]*(?:-[a-zA-Z]+)?:?))?").match
_find_class = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL).match
_find_comment = re.compile(r"\(\?#[^)]*\)").match
_is_verbose = re.compile(r"\(\?[a-zA-Z]*x").match
_find_repeat = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<least>\d*)(?P<open>,(?P<most>\d*))?\})(?P<kind>[+?]?)").match


@dataclass(slots=True)
class _Group:
    """A group being read. ``ways``: of the branch that is read; ``others``: of those before it."""

    ways: int = 1
    others: int = 0
    varies: bool = False
    is_atomic: bool = False


def backtracking_fault(source: str) -> tuple[str, str] | None:
    """Return why matching `source`, which compiles, may take too long, and what to write instead; or None.

    Refused: what varies in length or has branches, repeated by anything but ``?`` (exponential); more than
    :data:`MAX_WAYS` ways of matching (a high power); and verbose mode, where a repeat may stand apart from what it
    repeats. Linear in `source`.
    """
    groups = [_Group()]
    position = 0
    while position < len(source):
        if (comment := _find_comment(source, position)) is not None:
            position = comment.end()
            continue
        char = source[position]
        if char == "(" and (opening := _find_opening(source, position)) is not None:
            if _is_verbose(opening[0]):
                return "its verbose mode, `(?x)`, hides what repeats what", "write it in one piece, without `x`"
            groups.append(_Group(is_atomic=opening[0] == "(?>"))
            position = opening.end()
            continue
        if char == "|":
            group = groups[-1]
            group.others, group.ways, group.varies = group.others + group.ways, 1, True
            position += 1
            continue
        item = _Group()
        if char == ")" and len(groups) > 1:
            item = groups.pop()
        position = _end_of_item(source, position)
        while (comment := _find_comment(source, position)) is not None:
            position = comment.end()  # a repeat behind a comment is one of what stands before it
        repeat = _find_repeat(source, position)
        position = position if repeat is None else repeat.end()
        if not _take(groups[-1], item, repeat):
            return (
                "it repeats what repeats itself, and some texts would take it for ever",
                "make the inner repeat possessive, `[a-z]++` for `[a-z]+`, or write `[ab]` for `(a|b)`",
            )
    total = groups[0].ways + groups[0].others
    if total <= MAX_WAYS:
        return None
    return (
        "it has so many repeats that some texts would take it minutes",
        "make them possessive: `[a-z]++` for `[a-z]+`",
    )


def _end_of_item(source: str, position: int) -> int:
    """Return where the item at `position` ends: an escape, a class, the end of a group or a character."""
    if source[position] == "\\":
        return position + 2
    found = _find_class(source, position) if source[position] == "[" else None
    return position + 1 if found is None else found.end()


def _take(group: _Group, item: _Group, repeat: re.Match[str] | None) -> bool:
    """Add `item` with its `repeat` to `group`; return False if the repeat multiplies without bound."""
    # What is atomic or possessive gives nothing back, but whatever stands before it may come by again and again.
    ways, varies = item.ways + item.others, item.varies and not item.is_atomic
    if repeat is not None:
        least, most = _bounds(repeat)
        if repeat["kind"] == "+":
            varies = False
        elif varies and (most is None or most > 1):
            return False
        elif most is None or most > least:
            ways *= _UNBOUNDED if most is None else min(most - least + 1, _UNBOUNDED)
            varies = True
    group.ways = min(group.ways * ways, MAX_WAYS + 1)  # numbers stay small, however many there are
    group.varies = group.varies or varies
    return True


def _bounds(repeat: re.Match[str]) -> tuple[int, int | None]:
    """Return least and most of a repeat; None: without bound."""
    if repeat["sign"]:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[repeat["sign"]]
    least = int(repeat["least"] or 0)
    if not repeat["open"]:
        return least, least
    return least, int(repeat["most"]) if repeat["most"] else None
