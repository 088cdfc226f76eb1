r"""Escape sequences of terminals (ECMA-48) in what programs write: colours may stay, everything else goes.

Pure, and linear in the text. A program that clears the screen or moves the cursor would wreck the lines of others.
Start at :func:`coloured` and :func:`plain`.
"""

from __future__ import annotations

import re
from typing import Final

from devproxy.text.safe import visible

_SEQUENCE: Final = (
    r"\x1b\[[0-?]{0,64}+[ -/]{0,4}+[@-~]?+"  # CSI … final
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}+(?:\x07|\x1b\\)?+"  # OSC and other strings, up to BEL or ST
    r"|\x1b[ -/]{0,4}+[0-~]?+"  # the short ones
)
_each_sequence: Final = re.compile(_SEQUENCE).finditer
_replace_sequences: Final = re.compile(_SEQUENCE).sub
_is_colour: Final = re.compile(r"\x1b\[[0-9;:]{0,64}+m").fullmatch
_RESET: Final = "\x1b[0m"
_TAB: Final = 8


def plain(text: str) -> str:
    """Return the line `text` without sequences; what else a terminal would act on is escaped."""
    if text.isprintable():
        return text
    return visible(_replace_sequences("", text).expandtabs(_TAB))


def coloured(text: str) -> str:
    """Return the line `text` with its colours, which end where it ends, and no other sequence."""
    if text.isprintable():
        return text
    parts: list[str] = []
    position, has_colour = 0, False
    expanded = text.expandtabs(_TAB) if "\t" in text else text
    for found in _each_sequence(expanded):
        parts.append(visible(expanded[position : found.start()]))
        position = found.end()
        if _is_colour(found[0]):
            parts.append(found[0])
            has_colour = True
    parts.append(visible(expanded[position:]))
    return "".join(parts) + (_RESET if has_colour else "")
