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
from devproxy.importing.drafting import draft_of
from devproxy.importing.http_proxy import Entry
from devproxy.importing.js_regexes import path_expression, plain_prefix, sees_query
from devproxy.importing.ordering import with_dev_server
from devproxy.importing.rules import EVERY_PATH, Kind, Leftover, Match, Rule, Target
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
    rules, lost = with_dev_server(rules_of(facts["entries"]), dev_server(facts["server"], "Vite's dev server"))
    return draft_of(rules, lost, head=head_of("vite", f"Vite {facts.get('version', '')}", "`server.proxy`", lost))


def head_of(command: str, tool: str, key: str, lost: Sequence[Leftover]) -> list[str]:
    """Return the comments at the top of a draft of a dev server's proxy: `key` in its configuration."""
    remains = f"{key} is not needed any more once pages are opened at devproxy's address."
    if any(one.match is not None for one in lost):
        remains = f"Keep of {key} what is not carried over (see the end): devproxy leaves that to the dev server."
    return [f"Made by `devproxy import {command}` of what {tool.strip()} says of its configuration.", remains]


def rules_of(entries: Sequence[dict[str, Any]]) -> list[Rule | Leftover]:
    """Return the rules of `entries`, contexts of Vite with their options, and what cannot be carried over."""
    found: list[Rule | Leftover] = []
    for entry in entries:
        key, probes = str(entry["key"]), entry["probes"]
        label = f'"{key}"'
        try:
            match, comments = match_of(key)
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
        return Match(Kind.SEGMENTS if is_segment else Kind.STARTS, text), (f"Vite: {key}",)
    comments = [f"Vite: {key}"]
    if sees_query(key):
        comments.append("Vite compares the expression with path and query, devproxy with the path alone.")
    return Match(Kind.REGEX, path_expression(key)), tuple(comments)


def dev_server(server: dict[str, Any], what: str, name: str = "frontend") -> Rule:
    """Return the rule for everything that no other one takes: `what`, a dev server at ``port`` and ``host``."""
    scheme = "https" if server.get("https") else "http"
    host = str(server.get("host") or "localhost")
    if host in ("0.0.0.0", "::", "[::]", "local-ip", "local-ipv4", "local-ipv6"):
        host = "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    comments = (f"{what}.",)
    keys: tuple[tuple[str, bool], ...] = ()
    if scheme == "https":
        keys = (("tls_verify", False),)
        comments = (f"{what}, whose certificate is its own.",)
    url = f"{scheme}://{host}:{server['port']}"
    target = Target(servers=(url,), name=name, keys=keys, comments=comments)
    return Rule(label=what, match=EVERY_PATH, target=target)
