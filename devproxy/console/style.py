"""Whether to use colour, and how: a decision over values, and the few styles that the console knows.

Pure: the environment, whether the output is a terminal, and its encoding are passed in. Colour never carries a meaning
of its own; whatever it marks, a word or a sign says too. Start at :func:`wants_colour`.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Colour = Literal["auto", "always", "never"]

_OFF: Final = ("", "0")


def wants_colour(choice: Colour, environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether to use colour. The first that has an opinion decides:

    `choice` (``--color``), ``NO_COLOR`` (https://no-color.org: set and not empty), ``FORCE_COLOR`` and
    ``CLICOLOR_FORCE`` (not empty and not 0), ``TERM=dumb``, `is_terminal`.
    """
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "") not in _OFF for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal and environ.get("TERM") != "dumb"


class Glyphs(NamedTuple):
    """The signs beyond ASCII, each as wide as its neighbours expect. ``sent`` / ``received``: as the client sees it."""

    to: str = "→"
    pointer: str = "➜"
    cross: str = "✗"
    cut: str = "…"
    sent: str = "↑"
    received: str = "↓"
    times: str = "×"
    beside: str = "│"


ASCII_GLYPHS: Final = Glyphs(to="->", pointer="->", cross="x", cut="...", sent=">", received="<", times="x", beside="|")


def glyphs_for(encoding: str) -> Glyphs:
    """Return the signs that `encoding` can express: ASCII ones for everything but UTF-8, and for unknown names."""
    try:
        is_utf8 = codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return ASCII_GLYPHS
    return Glyphs() if is_utf8 else ASCII_GLYPHS


class Style(NamedTuple):
    """How text is marked. Without ``has_colour`` every method returns its text as it is."""

    has_colour: bool
    glyphs: Glyphs

    def bold(self, text: str) -> str:
        """Mark what the eye is to find first."""
        return self._painted(text, "1")

    def dim(self, text: str) -> str:
        """Mark what is there for those who look for it."""
        return self._painted(text, "2")

    def red(self, text: str) -> str:
        """Mark what went wrong."""
        return self._painted(text, "1;31")

    def yellow(self, text: str) -> str:
        """Mark what may be wrong."""
        return self._painted(text, "33")

    def green(self, text: str) -> str:
        """Mark what is well."""
        return self._painted(text, "32")

    def title(self, text: str) -> str:
        """Mark the program's name."""
        return self._painted(text, "1;32")

    def cyan(self, text: str) -> str:
        """Mark an address to go to."""
        return self._painted(text, "36")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colour and text else text
