"""Entries of http-proxy-middleware, alone or in webpack-dev-server -> rules. Pure.

An entry is made by ``node/middleware.mjs``: ``filter``: its context or ``pathFilter``; ``mount``: the path that Express
has it at; ``strips``: whether it then sees paths without that (version 3); ``options`` and ``probes`` as in
:class:`~devproxy.importing.http_proxy.Entry`; ``upgrades``: the same for WebSockets, which are not mounted. Start at
:func:`rules_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from devproxy.importing import http_proxy
from devproxy.importing.http_proxy import Entry, code_of
from devproxy.importing.ordering import covers, for_upgrades_alone
from devproxy.importing.path_filters import taken_by
from devproxy.importing.rules import Kind, Leftover, Match, Rule
from devproxy.text.bad import BadText

_NO_FILTER: Final = "/"


def rules_of(entries: Sequence[dict[str, Any]], dev_server: Rule) -> list[Rule | Leftover]:
    """Return the rules of `entries`, in their order, and what of them cannot be carried over."""
    found: list[Rule | Leftover] = []
    for number, entry in enumerate(entries):
        found += _rules_of_one(entry, number, dev_server)
    return found


def _rules_of_one(entry: dict[str, Any], number: int, dev_server: Rule) -> list[Rule | Leftover]:
    mount = str(entry.get("mount") or "").rstrip("/")
    name = label_of(entry, number)
    if code := code_of(entry.get("code")):
        match = Match(Kind.SEGMENTS, mount) if mount else None
        return [
            Leftover(name, "It is code of its own, and devproxy runs none; the dev server still does.", code, match)
        ]
    try:
        taken = taken_by(entry.get("filter"))
        matches = [_mounted(match, mount, strips=bool(entry.get("strips"))) for match in taken.matches]
        excluded = [_mounted(match, mount, strips=bool(entry.get("strips"))) for match in taken.excluded]
    except BadText as error:
        why = error.what[:1].upper() + error.what[1:] + (f" ({error.help})." if error.help else ".")
        match = Match(Kind.SEGMENTS, mount) if mount else None
        return [Leftover(name, why, code_of(entry.get("filter")), match)]
    found: list[Rule | Leftover] = [
        replace(
            dev_server, label=f"{name} without {match.text}", match=match, comments=(f"{name} leaves these paths out.",)
        )
        for match in excluded
    ]
    for match in matches:
        label = name if len(matches) == 1 else f'"{match.text}"'
        probes = _pairs(entry.get("probes"))
        rules = http_proxy.rules_of(Entry(label=label, match=match, options=entry["options"], probes=probes))
        methods = tuple(entry.get("methods") or ())
        rules = [replace(rule, methods=methods) if isinstance(rule, Rule) else rule for rule in rules]
        found += _with_upgrades(rules, entry, match) if entry.get("mount") else rules
    return found


def _with_upgrades(rules: list[Rule | Leftover], entry: dict[str, Any], match: Match) -> list[Rule | Leftover]:
    """Return `rules` of a mounted entry, with one before them for its WebSockets, which Express does not mount."""
    if not entry["options"].get("ws") or entry.get("filter") not in (None, _NO_FILTER):
        return rules
    comments = ("There every WebSocket, whatever its path, went to this server; here those below this path do.",)
    if not entry.get("strips"):
        return [
            replace(rule, comments=(*rule.comments, *comments)) if isinstance(rule, Rule) else rule for rule in rules
        ]
    unmounted = _for_upgrades(entry, match)
    upgrades = [
        for_upgrades_alone(rule, "their paths are not cut there.")
        for rule in http_proxy.rules_of(unmounted)
        if isinstance(rule, Rule)
    ]
    return [*(replace(rule, comments=(*rule.comments, *comments)) for rule in upgrades), *rules]


def _for_upgrades(entry: dict[str, Any], match: Match) -> Entry:
    """Return `entry` as it treats WebSockets at `match`."""
    return Entry(
        label=f'"{match.text}" (WebSockets)',
        match=match,
        options=entry["options"],
        probes=_pairs(entry.get("upgrades")),
    )


def label_of(entry: dict[str, Any], number: int) -> str:
    """Return how the author of `entry`, the one at `number`, knows it."""
    written = entry.get("filter")
    if entry.get("mount"):
        return f'"{entry["mount"]}"'
    if isinstance(written, str):
        return f'"{written}"'
    if isinstance(written, list) and all(isinstance(text, str) for text in written):
        return ", ".join(f'"{text}"' for text in written)
    return f"entry {number + 1}"


def _mounted(match: Match, mount: str, *, strips: bool) -> Match:
    """Return what of `match` is left below `mount`; with `strips`, `match` is compared with what follows that."""
    if not mount:
        return match
    if match.takes_all:
        return Match(Kind.SEGMENTS, mount)
    if strips and match.kind is not Kind.REGEX:
        return Match(match.kind, mount + match.text)
    if not strips and match.literal.startswith(mount):
        return match
    if strips:
        return Match(Kind.REGEX, mount + match.text)
    raise BadText(f"it is at {mount}, and takes only what does not begin like that")


def _pairs(probes: Any) -> tuple[tuple[str, str | None], ...] | None:
    return None if probes is None else tuple((sent, became) for sent, became in probes)


def taking_over(rules: Sequence[Rule | Leftover], own: str, dev_server: Rule) -> list[Rule | Leftover]:
    """Return `rules` after one that keeps the dev server's hot-reload socket at the path `own` for it, if it must."""
    socket = replace(dev_server, label=f"hot reload at {own}", match=Match(Kind.EXACT, own))
    if any(isinstance(rule, Rule) and covers(rule.match, socket.match) for rule in rules):
        return [for_upgrades_alone(socket, "hot reload."), *rules]
    return list(rules)
