"""Placeholders in the values of header edits: ``${name}`` stands for a fact of one exchange, ``$${`` for ``${``.

Owns the names and the grammar, which the configuration checks and ``policy.headers`` fills in. Never knows a value.
Start at :func:`split_value`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.config.problems import one_of, suggestion
from devproxy.text.safe import quoted

PLACEHOLDERS: Final = ("upstream.host", "upstream.port", "upstream.url", "client.address", "host", "scheme")
"""Every name there is."""

_find_marks: Final = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|\$\{").finditer


def placeholder_fault(value: str) -> tuple[str, str] | None:
    """Return what is wrong with the placeholders of `value` and what to type instead, or None when nothing is."""
    for mark in _find_marks(value):
        if mark[0] == "$${":
            continue
        name = mark["name"]
        if name is None:
            return (
                f"{quoted('${')} begins a placeholder that has no end",
                "close it with `}`, or write `$${` for a plain `${`",
            )
        if name not in PLACEHOLDERS:
            meant = suggestion(name.strip(), list(PLACEHOLDERS))
            help = (
                f"did you mean `${{{meant}}}`?"
                if meant
                else f"there are {one_of(PLACEHOLDERS)}; `$${{` is a plain `${{`"
            )
            return f"there is no placeholder {quoted(name)}", help
    return None


def split_value(value: str) -> tuple[str, ...]:
    """Return `value` as texts and names by turns: text, name, text, ..., text. One element: there is no placeholder.

    Raises ValueError with the sentence of :func:`placeholder_fault` for a value that has a fault.
    """
    if (fault := placeholder_fault(value)) is not None:
        raise ValueError(fault[0])
    pieces = [""]
    position = 0
    for mark in _find_marks(value):
        pieces[-1] += value[position : mark.start()]
        position = mark.end()
        if mark[0] == "$${":
            pieces[-1] += "${"
        else:
            pieces += (mark["name"], "")
    pieces[-1] += value[position:]
    return tuple(pieces)
