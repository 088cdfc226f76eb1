"""Origins by regular expression that take more than they seem to say. Pure. Start at :func:`looseness`.

Not what is certainly wrong: an expression that takes any web site is refused (``devproxy.authority.origins``). This is
about those that take names of their own *and* others that anyone can register: an unescaped dot, a repeat that goes
on after the name or begins before it. Tries samples of the expression; finds the usual slips, not all there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from devproxy.authority.origins import PRIVATE_SUFFIXES, split_origin

_parser: Final = import_module("re._parser")
_OWN: Final = "qvxq"
"""A label that no author has in mind."""
_FILLS: Final = (_OWN, f"-{_OWN}", f".{_OWN}.com", f"{_OWN}.com", f".{_OWN}.com:1", f"://{_OWN}.com", f"7{_OWN}")
_MAX_SAMPLES: Final = 200
_FEW: Final = 8
"""No name is made of so few bytes."""
_DOT: Final = r"write `\.` for a dot"


def looseness(source: str) -> tuple[str, str] | None:
    """Return what the expression `source` matches besides what it says, and what to write; None: nothing was found.

    `source`: without ``regex:``; one that has been checked, so that it is done soon with every sample.
    """
    regex = re.compile(source.encode())
    tree = tuple(_parser.parse(source))
    places = _Sample(-1, "")
    places.write(tree)
    for number, is_dot in enumerate(places.are_dots[:_MAX_SAMPLES]):
        for fill in ("q",) if is_dot else _FILLS:
            sample = _Sample(number, fill)
            sample.write(tree)
            text = "".join(sample.pieces)
            if regex.fullmatch(text.encode("ascii", "ignore")) is None or not _is_anybodys(text):
                continue
            if is_dot:
                return f"its unescaped `.` matches any character, so that it matches {text} too", _DOT
            advice = "write what may come there, and end with your own name and `(:[0-9]+)?` for a port"
            return f"it matches {text} too, a name that anyone can register", advice
    return ("its unescaped `.` matches any character", _DOT) if any(places.are_dots) else None


class _Sample:
    """The shortest text that an expression takes, with `fill` at the place `number` of those that can vary.

    ``pieces``: of the text. ``are_dots``: of each place that can vary, whether it is a dot; else it is a repeat.
    """

    def __init__(self, number: int, fill: str) -> None:
        self._number = number
        self._fill = fill
        self.pieces: list[str] = []
        self.are_dots: list[bool] = []

    def write(self, items: Sequence[Any]) -> None:
        """Write what `items`, of Python's parser, take."""
        for op, argument in items:
            name = op.name
            if name == "LITERAL":
                self.pieces.append(chr(argument))
            elif name in ("IN", "NOT_LITERAL"):
                self.pieces.append(_one_of(name, argument))
            elif name == "ANY":
                self.pieces.append(self._fill if self._is_here(is_dot=True) else ".")
            elif name.endswith("_REPEAT"):
                self._write_repeat(*argument)
            elif name == "SUBPATTERN":
                self.write(tuple(argument[-1]))
            elif name == "ATOMIC_GROUP":
                self.write(tuple(argument))
            elif name == "BRANCH":
                self.write(tuple(argument[1][0]))

    def _write_repeat(self, least: int, most: int, inner: Any) -> None:
        items = tuple(inner)
        is_open = most > _FEW
        if is_open and self._is_here(is_dot=False):
            self.pieces.append(self._fill)
        elif is_open and items[0][0].name == "ANY":
            self.pieces.append("a" * least)
        else:
            for _ in range(min(least, 8 * _FEW)):
                self.write(items)

    def _is_here(self, *, is_dot: bool) -> bool:
        self.are_dots.append(is_dot)
        return len(self.are_dots) - 1 == self._number


def _one_of(name: str, argument: Any) -> str:
    """Return a character that a class takes: a letter where one does."""
    if name == "NOT_LITERAL":
        return "b" if argument == ord("a") else "a"
    regex = [(kind.name, value) for kind, value in argument]
    if regex[0][0] == "NEGATE":
        return "a"
    kind, value = regex[0]
    if kind == "RANGE":
        return chr(value[0])
    if kind == "LITERAL":
        return chr(value)
    return "1" if value.name.endswith("DIGIT") else "a"


def _is_anybodys(origin: str) -> bool:
    """Tell whether the registered name of the host in `origin` contains what no author had in mind."""
    parts = split_origin(origin.encode("ascii", "ignore"))
    if parts is None:
        return False
    labels = parts.host.decode().split(".")
    if labels[-1] in PRIVATE_SUFFIXES or len(labels) == 1:
        return False
    return _OWN in ".".join(labels[-2:]) or "q" in labels[-2]
