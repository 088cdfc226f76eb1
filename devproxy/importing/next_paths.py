"""``source`` and ``destination`` of Next's rewrites, in the notation of path-to-regexp 6. Pure.

Start at :func:`match_of` and :func:`rewrite_of`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from devproxy.config.addresses import parse_server
from devproxy.config.model import PathKind
from devproxy.config.routes import check_pattern
from devproxy.importing.rules import Kind, Match, escaped
from devproxy.text.bad import BadText

_PARAMETER: Final = re.compile(r":(\w+)(\((?:[^()\\]|\\.)*\))?([*+?]?)")
_URL: Final = re.compile(r"(https?)://([^/?#]+)([^?#]*)(\?[^#]*)?(#.*)?")
_PLAIN: Final = re.compile(r"[^:(){}*+?\\]*")


class Source(NamedTuple):
    """``match``: what it takes. ``start``: the text before its first parameter, without a slash at its end.

    ``rest``: the parameter with ``*`` or ``+`` that is all that follows, if so. ``shape``: the whole, with every
    parameter as ``:name``, to compare it with the path of a destination.
    """

    match: Match
    start: str
    rest: str
    shape: str


class Destination(NamedTuple):
    """A server, as ``http://host:port``, and the path there, in Next's notation."""

    server: str
    path: str


def match_of(source: str) -> Source:
    """Return what `source` takes. Raises :class:`BadText` for what is too involved."""
    if _PLAIN.fullmatch(source):
        return Source(Match(Kind.EXACT, source), source.rstrip("/"), "", source)
    bare = _PARAMETER.sub("", source)
    if "(" in bare:
        raise BadText("it has a group without a name, which Next sends on as `$1`")
    if re.search(r"[{}*+?\\]", bare):
        raise BadText("its source is too involved")
    shape = _PARAMETER.sub(lambda one: f":{one[1]}", source)
    last = re.fullmatch(r"([^:(){}*+?\\]*)/:(\w+)([*+])", source)
    if last is not None:
        start = last[1]
        match = Match(Kind.SEGMENTS, start) if last[3] == "*" else Match(Kind.STARTS, f"{start}/")
        return Source(match, start, last[2], shape)
    expression = ""
    position = 0
    for one in _PARAMETER.finditer(source):
        expression += escaped(source[position : one.start()])
        position = one.end()
        inner = f"(?:{one[2][1:-1]})" if one[2] else "[^/]+"
        if one[3] in ("*", "+", "?"):
            if not expression.endswith("/"):
                raise BadText("its source is too involved")
            repeated = {"*": f"(?:/{inner})*", "+": f"(?:/{inner})+", "?": f"(?:/{inner})?"}[one[3]]
            expression = f"{expression[:-1]}{repeated}"
        else:
            expression += inner
    expression += escaped(source[position:])
    check_pattern(PathKind.REGEX, expression)
    return Source(Match(Kind.REGEX, expression), source[: source.index(":")].rstrip("/"), "", shape)


def destination_of(text: str) -> Destination | None:
    """Return where `text` leads; None where that is a page of Next's own. Raises :class:`BadText`."""
    if "://" not in text:
        return None
    match = _URL.fullmatch(text)
    if match is None:
        raise BadText("its destination is no address of http or https")
    scheme, authority, path, query, fragment = match.groups()
    if query or fragment:
        raise BadText("its destination has a query, and devproxy adds nothing to queries")
    if re.search(r":(?!\d+$)", authority):
        raise BadText("its destination names the server by a parameter", "write a route for each server")
    return Destination(parse_server(f"{scheme}://{authority}").url, path or "/")


def rewrite_of(source: Source, destination: Destination) -> str | None:
    """Return the key ``rewrite`` for a route from `source` to `destination`; None: paths stay as they are.

    Raises :class:`BadText` where no route can say it.
    """
    path = _PARAMETER.sub(lambda one: f":{one[1]}", destination.path)
    if source.match.kind is Kind.EXACT:
        if ":" in path:
            raise BadText("its destination has a parameter that its source has not")
        return None if path == source.shape else path
    if path == source.shape:
        return None
    if not source.rest:
        raise BadText("it moves parameters within the path, and `rewrite` replaces a prefix only")
    end = f"/:{source.rest}"
    start = path.removesuffix(end)
    if start == path:
        raise BadText("Next puts parameters that the destination does not name into the query")
    if ":" in start:
        raise BadText("it moves parameters within the path, and `rewrite` replaces a prefix only")
    return f"{start}/" if start else "/"
