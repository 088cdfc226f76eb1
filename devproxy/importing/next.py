"""A Next project: ``rewrites`` that lead to other servers, by Next's own ``loadConfig``.

Next asks ``beforeFiles``, then its own files and pages without parameters, then ``afterFiles`` (or a plain list), then
pages with parameters, then ``fallback``. Start at :func:`draft`; :func:`read` is the only part that does I/O, and
``next_paths`` reads ``source`` and ``destination``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from devproxy.config.drafts import Draft
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import dev_server, draft_beside
from devproxy.importing.http_proxy import address_keys
from devproxy.importing.next_paths import Destination, destination_of, match_of, rewrite_of
from devproxy.importing.ordering import covers, may_meet_at
from devproxy.importing.rules import Kind, Leftover, Match, Rule, Target
from devproxy.text.bad import BadText

_OWN_FILES: Final = Match(Kind.SEGMENTS, "/_next")
_MAX_OWN: Final = 40
"""More paths of its own than that, below the paths of one entry, are not listed: the entry stays with Next."""


def read(asked: Asked) -> dict[str, Any]:
    """Return what the project's Next makes of its configuration. Raises :class:`Failed`."""
    from devproxy.importing.running import facts_of_node

    return facts_of_node("next", asked.folder, [], asked.limit_s)


def draft(facts: dict[str, Any]) -> Draft:
    """Return the draft for `facts`. Raises :class:`Failed` where no rewrite leads to another server."""
    entries = [*facts["before"], *facts["after"], *facts["fallback"]]
    if not any("://" in str(entry.get("destination")) for entry in entries):
        raise Failed(
            f"no rewrite in {facts['file']} leads to another server",
            "to begin without one:  devproxy up --frontend 3000 --backend 3001  (the ports of your servers)",
        )
    own = dev_server(facts["server"], "Next's dev server")
    base = str(facts.get("basePath") or "")
    found: list[Rule | Leftover] = [_kept(own, "Next's own files", _OWN_FILES)]
    found += [
        _kept(own, f'redirect of "{one.get("source")}"', match) for one, match in _sources(facts["redirects"], base)
    ]
    found += _entries(facts["before"], own, base, ())
    found += _entries(facts["after"], own, base, _own_matches(facts, base))
    for entry in facts["fallback"]:
        why = "A fallback takes what Next itself has no page for, which Next alone knows: it stays with Next."
        found.append(Leftover(_label(entry), why, f"-> {entry.get('destination')}", Match(Kind.EXACT, "")))
    found += _besides(facts, base)
    tool = f"Next {facts['version']}"
    return draft_beside(found, own, command="next", tool=tool, key="`rewrites`")


def _label(entry: Mapping[str, Any]) -> str:
    return f'"{entry.get("source")}"'


def _kept(own: Rule, label: str, match: Match) -> Rule:
    """Return a rule that keeps `match` for Next."""
    return replace(own, label=label, match=match, comments=(f"{label}: Next does this first.",))


def _sources(entries: Sequence[Mapping[str, Any]], base: str) -> list[tuple[Mapping[str, Any], Match]]:
    """Return those of `entries` whose source a route can say, with that, but for Next's own ones about slashes."""
    found = []
    for entry in entries:
        if entry.get("internal"):
            continue
        try:
            found.append((entry, match_of(_based(entry, base)).match))
        except BadText:
            continue
    return found


def _based(entry: Mapping[str, Any], base: str) -> str:
    source = str(entry.get("source"))
    return source if entry.get("basePath") is False else base + ("" if source == "/" and base else source)


def _own_matches(facts: Mapping[str, Any], base: str) -> tuple[Match, ...]:
    """Return the paths that Next itself has: pages without parameters, and files of ``public``."""
    pages = [str(path) for path in facts["own"] if "[" not in str(path)]
    return tuple(Match(Kind.EXACT, base + path) for path in (*pages, *map(str, facts["public"])))


def _entries(
    entries: Sequence[Mapping[str, Any]], own: Rule, base: str, before: Sequence[Match]
) -> list[Rule | Leftover]:
    """Return the rules of `entries`. `before`: paths that Next itself answers before it comes to them."""
    found: list[Rule | Leftover] = []
    for entry in entries:
        label = _label(entry)
        match: Match | None = None
        try:
            source = match_of(_based(entry, base))
            match = source.match
            destination = destination_of(str(entry.get("destination")))
            if destination is None:  # to a page of Next's own
                found.append(_kept(own, label, match))
                continue
            headers, hosts = _conditions(entry)
            rewrite = rewrite_of(source, destination)
        except BadText as error:
            help = f" ({error.help})" if error.help else ""
            code = f"-> {entry.get('destination')}"
            found.append(Leftover(label, f"{error.what[:1].upper()}{error.what[1:]}{help}.", code, match))
            continue
        inside = [one for one in before if covers(match, one)]
        if len(inside) > _MAX_OWN:
            why = f"Next has {len(inside)} pages and files of its own there, which go first: it stays with Next."
            found.append(Leftover(label, why, match=match))
            continue
        found += [_kept(own, f"Next's own {one.text}", one) for one in inside]
        found.append(_rule(label, match, destination, rewrite, headers, hosts))
    return found


def _rule(
    label: str,
    match: Match,
    destination: Destination,
    rewrite: str | None,
    headers: tuple[tuple[str, str], ...],
    hosts: tuple[str, ...],
) -> Rule:
    return Rule(
        label=label,
        match=match,
        target=Target(servers=(destination.server,)),
        rewrite=rewrite,
        headers=headers,
        hosts=hosts,
        keys=address_keys(destination.server, "upstream", "keep"),
    )


def _conditions(entry: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the header fields and hosts that `entry` asks for. Raises :class:`BadText` for what no route can ask."""
    if entry.get("missing"):
        raise BadText("it asks for something to be missing, which no route can")
    headers: list[tuple[str, str]] = []
    hosts: list[str] = []
    for one in entry.get("has") or ():
        kind, key, value = one.get("type"), str(one.get("key") or ""), one.get("value")
        if value is not None and not str(value).replace("-", "").replace(".", "").isalnum():
            raise BadText(f"it compares a {kind} with the expression {value}")
        if kind == "header":
            headers.append((key, "*" if value is None else str(value)))
        elif kind == "host" and value is not None:
            hosts.append(str(value))
        else:
            raise BadText(f"it asks for a {kind}, and routes only for path, method, host and headers")
    return tuple(headers), tuple(hosts)


def _besides(facts: Mapping[str, Any], base: str) -> list[Leftover]:
    """Return what else Next does to requests of the entries, which now go past it."""
    found = []
    if facts["middleware"]:
        why = "It no longer sees the requests that devproxy sends to other servers. If it has to, remove their routes."
        found.append(Leftover(str(facts["middleware"]), why))
    if facts["locales"]:
        why = "Paths with a locale in front (/fr/…) stay with Next; the same path without one goes by these routes."
        found.append(Leftover("i18n", why))
    entries = [match for _, match in _sources([*facts["before"], *facts["after"]], base)]
    if any(may_meet_at(match, one) for _, match in _sources(facts["headers"], base) for one in entries):
        why = "What it adds to answers of other servers is missing where they come by devproxy: see headers.response."
        found.append(Leftover("headers()", why))
    return found
