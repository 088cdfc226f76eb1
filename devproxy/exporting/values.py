"""The values of header edits, and what takes the place of a matched path: what each target spells in its own way. Pure.

Start at :func:`pieces` and :func:`rewriting`.
"""

from __future__ import annotations

from typing import NamedTuple

from devproxy.config.model import PathKind, Route
from devproxy.config.placeholders import split_value
from devproxy.exporting.paths import base_of, literal
from devproxy.exporting.site import Rule


class Piece(NamedTuple):
    """A part of a value: ``text``, or what the request has under that name (``host``, ``scheme`` or the like)."""

    text: str
    is_of_request: bool = False


def pieces(value: str, rule: Rule) -> list[Piece]:
    """Return the parts of the value of a header edit of `rule`; facts of its first server are text by now."""
    server = rule.pool.servers[0]
    known = {"upstream.host": server.host, "upstream.port": str(server.port), "upstream.url": server.url}
    found: list[Piece] = []
    for index, part in enumerate(split_value(value)):
        is_name = index % 2 == 1
        found.append(Piece(known.get(part, part), part not in known) if is_name else Piece(part))
    return found


def fixed_value(value: str, rule: Rule) -> str | None:
    """Return the value of a header edit, None where it is different for each request."""
    parts = pieces(value, rule)
    return None if any(part.is_of_request for part in parts) else "".join(part.text for part in parts)


class Rewriting(NamedTuple):
    """``regex``: an expression for the beginning of a path, which ``path`` takes the place of. ``keeps_rest``: what
    follows stays; else the expression takes all of it.
    """

    regex: str
    path: str
    keeps_rest: bool


def rewriting(route: Route) -> Rewriting | None:
    """Return how `route` changes a path (without its query), None: not at all. As ``routing.table.rewritten_path``."""
    if route.rewrite is None:
        return None
    base, prefix = route.rewrite.strip("/"), literal(base_of(route.pattern))
    if route.kind is PathKind.EXACT:
        closing = "/" if base and route.rewrite.endswith("/") else ""
        return Rewriting("^.*$", f"/{base}{closing}", False)
    return Rewriting(f"^{prefix}", f"/{base}", True) if base else Rewriting(f"^{prefix}/*", "/", True)
