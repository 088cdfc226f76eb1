"""What a proxy of another tool does, in words that all of them share. Pure.

A :class:`Rule` takes requests by their path and sends them somewhere; of several rules the first that matches wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from devproxy.config.drafts import Value

UPGRADE_CONDITION: Final = {"Sec-WebSocket-Version": "*"}
"""The field that every WebSocket handshake has, by HTTP/1.1 and HTTP/2 alike."""


class Kind(Enum):
    """How the text of a :class:`Match` is compared with a path."""

    STARTS = "starts"
    """The path begins with it: ``/api`` takes ``/apikey``."""
    SEGMENTS = "segments"
    """It is the path, or whole segments at its beginning; written without a slash at its end. ``""`` is every path."""
    EXACT = "exact"
    REGEX = "regex"
    """A regular expression of Python's for the whole path."""
    GLOB = "glob"
    """A glob as in ``path_glob``."""


class Match(NamedTuple):
    """Which paths a rule takes."""

    kind: Kind
    text: str

    @property
    def literal(self) -> str:
        """What every path that it takes begins with."""
        if self.kind is Kind.GLOB:
            return re.split(r"[*?]", self.text, maxsplit=1)[0]
        if self.kind is Kind.REGEX:
            return literal_start(self.text)
        return self.text

    @property
    def takes_all(self) -> bool:
        """Whether it takes every path."""
        return self in (EVERY_PATH, Match(Kind.STARTS, "/"), Match(Kind.STARTS, ""), Match(Kind.GLOB, "/**"))

    def expression(self) -> str:
        """Return a regular expression that takes the same paths."""
        text = escaped(self.text)
        if self.kind is Kind.STARTS:
            return f"{text}.*"
        if self.kind is Kind.SEGMENTS:
            return f"{text}(?:/.*)?"
        if self.kind is Kind.GLOB:
            return glob_expression(self.text)
        if self.kind is Kind.REGEX:
            return f"(?:{self.text})" if "|" in self.text else self.text
        return text


EVERY_PATH: Final = Match(Kind.SEGMENTS, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go: servers that answer alike, as ``http://host:port``, and keys of the upstream.

    ``name``: of the upstream, where the source has one; else it gets one by its servers.
    """

    servers: tuple[str, ...]
    name: str = ""
    keys: tuple[tuple[str, Value], ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Requests that one entry of another tool's configuration takes, and what happens to them.

    ``label``: the entry, as its author would recognise it, with what makes it unique. ``rewrite``: what replaces the
    text of `match` without a slash at its end, as the key of a route does; not for REGEX and GLOB. ``methods``,
    ``hosts`` and ``headers``: conditions as in a route. ``takes_upgrades``: WebSockets go this way, too. ``keys``:
    other keys of the route. ``comments``: what is written above it.
    """

    label: str
    match: Match
    target: Target
    rewrite: str | None = None
    methods: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    takes_upgrades: bool = True
    keys: Mapping[str, Value] = field(default_factory=dict)
    comments: Sequence[str] = ()


class Leftover(NamedTuple):
    """What no route can say. ``why``: sentences; ``code``: what is written there.

    ``match``: of an entry none of which is carried over, where it is known; its requests are left to the dev server.
    """

    label: str
    why: str
    code: str = ""
    match: Match | None = None


def escaped(text: str) -> str:
    """Return a regular expression for `text` itself, escaped no more than it must be."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def glob_expression(glob: str) -> str:
    """Return a regular expression for the paths that `glob`, as in ``path_glob``, takes."""
    return re.sub(r"(?:/|(?<=/))\*\*+/|\*\*+|\*|\?|[^*?/]+|/", _of_glob, glob)


def _of_glob(piece: re.Match[str]) -> str:
    text = piece[0]
    if text.endswith("*/"):
        return "/(?:.*/)?" if text.startswith("/") else "(?:.*/)?"  # the slash in front was that of another `**`
    return {"*": "[^/]*", "?": "[^/]"}.get(text) or (".*" if text.startswith("**") else escaped(text))


_META: Final = frozenset(".^$*+?{}[]\\|()")


def literal_start(expression: str) -> str:
    """Return the text that all that `expression` takes begins with, as far as that is plain."""
    if "|" in expression or "(?i" in expression:
        return ""
    found = ""
    position = 0
    while position < len(expression):
        char = expression[position]
        width = 1
        if char == "\\" and position + 1 < len(expression) and not expression[position + 1].isalnum():
            char = expression[position + 1]
            width = 2
        elif char in _META:
            break
        after = expression[position + width : position + width + 1]
        if after and after in "*?{":
            break
        found += char
        if after == "+":
            break
        position += width
    return found
