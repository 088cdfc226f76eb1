"""Conditions of routes as the expressions that other proxies have. Pure.

Proxies compare the decoded path, without the query. A path is in the configuration as devproxy compares it; its
encoded bytes are decoded here. Start at :func:`path_expression`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from devproxy.config.model import PathKind, Route

_find_unlike: Final = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:[=!<>(]|P=|P>)|\\[1-9Z]|[*+?}]\+)").search
_find_unscripted: Final = re.compile(r"\(\?(?:P|[aimsxLu(#])|\\[AZ]|[*+?}]\+|\(\?>").search
_SPECIAL: Final = frozenset(r".^$*+?{}[]\|()")


def literal(text: str) -> str:
    """Return an expression for `text` itself. Only what has a meaning is escaped, so that people can read it."""
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)


def decoded(path: str) -> str:
    """Return `path` without percent-encoding; where that would make a control character, as it is."""
    plain = unquote(path, errors="strict") if "%" in path else path
    return plain if plain.isprintable() else path


def base_of(pattern: str) -> str:
    """Return a prefix without the slash at its end; empty for every path."""
    return pattern.rstrip("/")


def path_expression(route: Route) -> str:
    """Return the expression that takes exactly the decoded paths of `route`; empty where that is every path."""
    match route.kind:
        case PathKind.EXACT:
            return f"^{literal(decoded(route.pattern))}$"
        case PathKind.PREFIX:
            base = base_of(decoded(route.pattern))
            return f"^{literal(base)}(?:/|$)" if base else ""
        case PathKind.GLOB:
            return f"^{_glob(decoded(route.pattern))}$"
        case PathKind.REGEX:
            return f"^(?:{_without_open_ends(route.pattern)})$"


def is_plain(expression: str) -> bool:
    """Tell whether `expression` is in the part of the syntax that RE2 (Go: Caddy, Traefik) has, too."""
    return _find_unlike(expression) is None


def is_javascript(expression: str) -> bool:
    """Tell whether `expression` is in the part of the syntax that JavaScript has, too."""
    return _find_unscripted(expression) is None


def method_names(route: Route) -> tuple[str, ...]:
    """Return the methods that `route` takes, empty for all: with ``GET`` also ``HEAD``."""
    names = dict.fromkeys(route.methods)
    if "GET" in names:
        names["HEAD"] = None
    return tuple(sorted(names))


def host_expression(pattern: str) -> str:
    """Return the expression for one name of ``match_host``, in lower case and without a port."""
    name = literal(pattern.removeprefix("*.").lower().removesuffix("."))
    return f"^.+\\.{name}$" if pattern.startswith("*.") else f"^{name}$"


def value_expression(glob: str) -> str:
    """Return the expression for the value of a field in ``match_headers``."""
    parts = re.split(r"(\*+|\?)", glob)
    return (
        "^" + "".join("." if part == "?" else ".*" if part.startswith("*") else literal(part) for part in parts) + "$"
    )


def _glob(pattern: str) -> str:
    # `/**/` also means one slash: the one before is the one after.
    text = "".join(
        "(?:.*/)?"
        if part == "**/"
        else ".*"
        if part == "**"
        else "[^/]*"
        if part == "*"
        else "[^/]"
        if part == "?"
        else literal(part)
        for part in re.split(r"((?<=/)\*\*/|\*\*|\*|\?)", pattern)
    )
    return text


def _without_open_ends(regex: str) -> str:
    """Return `regex` with ``{,n}`` written as ``{0,n}``: other engines take the former for text."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\{,([0-9]+)\}", r"\1{0,\2}", regex)
