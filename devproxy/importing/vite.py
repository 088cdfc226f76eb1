"""A Vite project: ``server.proxy``, as the project's own Vite resolves it, plugins and modes included.

Vite sends a request to the first key that its path begins with (or, with ``^``, in whose path and query the
expression is found). Start at :func:`draft`; :func:`read` is the only part that does I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devproxy.config.drafts import Draft
from devproxy.importing import http_proxy
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import dev_server, draft_beside
from devproxy.importing.http_proxy import Entry
from devproxy.importing.js_regexes import path_expression, plain_prefix, sees_query
from devproxy.importing.path_filters import match_of_glob
from devproxy.importing.rules import Kind, Leftover, Match, Rule
from devproxy.text.bad import BadText


def read(asked: Asked) -> dict[str, Any]:
    """Return what the project's Vite makes of its configuration. Raises :class:`Failed`."""
    from devproxy.importing.running import facts_of_node

    return facts_of_node("vite", asked.folder, [str(asked.file or "")], asked.limit_s)


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where there is no proxy in them."""
    if not facts["entries"]:
        where = facts.get("file") or "the configuration of Vite"
        raise Failed(
            f"there is no server.proxy in {where}",
            "to begin without one:  devproxy up --frontend 5173 --backend 3001  (the ports of your servers)",
        )
    own = dev_server(facts["server"], "Vite's dev server")
    found = rules_of(facts["entries"])
    return draft_beside(found, own, command="vite", tool=f"Vite {facts.get('version', '')}", key="`server.proxy`")


def rules_of(entries: Sequence[dict[str, Any]]) -> list[Rule | Leftover]:
    """Return the rules of `entries`, contexts of Vite with their options, and what cannot be carried over."""
    found: list[Rule | Leftover] = []
    for entry in entries:
        key, probes = str(entry["key"]), entry["probes"]
        label = f'"{key}"'
        try:
            # A glob is Angular's: it makes the expression for Vite itself.
            match, comments = (match_of_glob(key), (f"Glob: {key}",)) if entry.get("isGlob") else match_of(key)
        except BadText as error:
            help = f" ({error.help})" if error.help else ""
            found.append(Leftover(label, f"devproxy cannot have it: {error.what}{help}."))
            continue
        asked = None if probes is None else tuple((sent, became) for sent, became in probes)
        found += http_proxy.rules_of(
            Entry(label=label, match=match, options=entry["options"], probes=asked, comments=comments)
        )
    return found


def match_of(key: str) -> tuple[Match, tuple[str, ...]]:
    """Return which paths the context `key` takes, and comments on it. Raises :class:`BadText`."""
    if not key.startswith("^"):
        if "?" in key or "#" in key:
            raise BadText(f"`{key}` asks for a query, and routes are chosen by path alone")
        return Match(Kind.STARTS, key), ()
    if plain := plain_prefix(key):
        text, is_segment = plain
        return Match(Kind.SEGMENTS if is_segment else Kind.STARTS, text), (f"Expression: {key}",)
    comments = [f"Expression: {key}"]
    if sees_query(key):
        comments.append("It was compared with path and query; devproxy compares the path alone.")
    return Match(Kind.REGEX, path_expression(key)), tuple(comments)
