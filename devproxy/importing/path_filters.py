"""Contexts of http-proxy-middleware (version 2) and its ``pathFilter`` (version 3) -> what they take. Pure.

Text is compared with the beginning of the path, globs (of micromatch) with the whole of it. Start at
:func:`taken_by`.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from devproxy.config.model import PathKind
from devproxy.config.routes import check_pattern
from devproxy.importing.http_proxy import code_of
from devproxy.importing.rules import EVERY_PATH, Kind, Match, escaped
from devproxy.text.bad import BadText

_IS_GLOB: Final = re.compile(r"[*?{\[]|[!@+]\(|^!|\(.*\|")


class Taken(NamedTuple):
    """Paths: those of ``matches`` without those of ``excluded``."""

    matches: tuple[Match, ...]
    excluded: tuple[Match, ...] = ()


def taken_by(written: Any) -> Taken:
    """Return what the filter `written`, as JSON has it, takes. Raises :class:`BadText` for what no route can say."""
    if written is None:
        return Taken((EVERY_PATH,))
    if code_of(written):
        raise BadText("it chooses requests by a function, and devproxy runs none")
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadText("it does not say by text which paths it takes")
    if not any(map(is_glob, texts)):
        return Taken(tuple(Match(Kind.STARTS, text) for text in texts))
    if not all(map(is_glob, texts)):
        raise BadText("it mixes globs with plain paths, which http-proxy-middleware refuses")
    matches = tuple(match_of_glob(text) for text in texts if not text.startswith("!"))
    if not matches:
        raise BadText("it says only which paths it does not take")
    return Taken(matches, tuple(match_of_glob(text[1:]) for text in texts if text.startswith("!")))


def is_glob(text: str) -> bool:
    """Tell whether `text` is taken for a glob."""
    return _IS_GLOB.search(text) is not None


def match_of_glob(glob: str) -> Match:
    """Return what `glob`, of micromatch or picomatch, takes, but for segments that begin with a dot.

    Raises :class:`BadText` for what is too involved.
    """
    if glob in ("**", "/**", "**/*", "/**/*"):
        return EVERY_PATH
    bare = glob.removesuffix("/**")
    if bare != glob and not is_glob(bare):
        return Match(Kind.SEGMENTS, bare.rstrip("/"))
    if re.search(r"[!@+?*]\(|\[[!^]", glob) or glob.startswith("!"):
        raise BadText(f"the glob {glob} is too involved", "write path_regex for it")
    pieces = re.findall(r"/\*\*(?=/|$)|\*+|\?|\{[^{}]*\}|\[[^\]]*\]|.", glob)
    expression = ""
    for place, piece in enumerate(pieces):
        if piece == "/**":
            expression += "(?:/.*)?" if expression else "/.*"  # at the beginning picomatch wants a segment for it
        elif piece.startswith("*"):
            is_whole = expression.endswith("/") and (place + 1 == len(pieces) or pieces[place + 1].startswith("/"))
            expression += "[^/]+" if is_whole else "[^/]*"
        elif piece == "?":
            expression += "[^/]"
        elif piece.startswith("{") and len(piece) > 1:
            expression += f"(?:{'|'.join(escaped(choice) for choice in piece[1:-1].split(','))})"
        else:
            expression += piece if len(piece) > 1 else escaped(piece)
    if glob.startswith("**"):
        expression = f"/(?:.*/)?{expression.removeprefix('[^/]*').lstrip('/')}"
    if glob.endswith("*") and not glob.endswith("**"):
        expression += "/?"
    check_pattern(PathKind.REGEX, expression)
    return Match(Kind.REGEX, expression)
