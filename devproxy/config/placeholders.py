"""Placeholders in the values of header edits: ``${name}`` means a fact of one exchange, ``$${`` means ``${``.

``${$}`` is a ``$`` that means nothing, whatever is beside it: how the text of a variable is written (:func:`escaped`).

Owns the names and the grammar, which the configuration checks and ``policy.headers`` fills in. Never knows a value.
Start at :func:`split_value`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.config.problems import one_of, suggestion
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

PLACEHOLDERS: Final = ("upstream.host", "upstream.port", "upstream.url", "client.address", "host", "scheme")
"""Every name there is."""

_find_marks: Final = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|\$\{").finditer


def split_value(value: str) -> tuple[str, ...]:
    """Return `value` as texts and names by turns: text, name, text, ..., text. One element: there is no placeholder.

    Raises :class:`BadText` for a name that there is not, and for a placeholder without an end.
    """
    pieces = [""]
    position = 0
    for mark in _find_marks(value):
        pieces[-1] += value[position : mark.start()]
        position = mark.end()
        if mark[0] == "$${":
            pieces[-1] += "${"
        elif mark["name"] == "$":
            pieces[-1] += "$"
        else:
            pieces += (_checked(mark["name"]), "")
    pieces[-1] += value[position:]
    return tuple(pieces)


def escaped(text: str) -> str:
    """Return what a value has to hold for `text` to arrive as it is."""
    return text.replace("$", "${$}")


def _checked(name: str | None) -> str:
    if name is None:
        what = f"{quoted('${')} begins a placeholder that has no end"
        raise BadText(what, "close it with `}`, or write `$${` for a plain `${`")
    if name not in PLACEHOLDERS:
        meant = suggestion(name.strip(), list(PLACEHOLDERS))
        known = f"there are {one_of(PLACEHOLDERS)}; `$${{` is a plain `${{`"
        raise BadText(f"there is no placeholder {quoted(name)}", f"did you mean `${{{meant}}}`?" if meant else known)
    return name
