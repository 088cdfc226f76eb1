"""Rules of which the first that matches wins -> routes of which the most specific wins. Pure.

The precedence of devproxy's own routes is asked of :class:`~devproxy.routing.table.RouteTable`, so that there is one
owner of it. Where it would let a later rule win, that one becomes a regular expression that leaves out the paths of
the earlier ones. Start at :func:`routes_of`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from devproxy.config.model import PathKind, Route
from devproxy.importing.rules import EVERY_PATH, UPGRADE_CONDITION, Kind, Leftover, Match, Rule, escaped
from devproxy.routing.table import RouteTable


class Ordered(NamedTuple):
    """A rule as a route: ``rule`` with the conditions that it came to, and its path condition."""

    rule: Rule
    kind: PathKind
    pattern: str


def routes_of(rules: Sequence[Rule]) -> tuple[list[Ordered], list[Leftover]]:
    """Return the routes of `rules`, which are in order of precedence, and what cannot be said by routes."""
    routes: list[Ordered] = []
    leftovers: list[Leftover] = []
    for rule in rules:
        found = _ordered(rule, routes)
        if isinstance(found, Leftover):
            leftovers.append(found)
        else:
            routes += found
    return routes, leftovers


def with_dev_server(found: Sequence[Rule | Leftover], dev_server: Rule) -> tuple[list[Rule], list[Leftover]]:
    """Return the rules among `found`, in their order, with `dev_server` as the last, and the leftovers.

    An entry that could not be carried over at all is left to the dev server, which still does what it says: where a
    later rule would take its requests, a rule of its own keeps them away from that one. Other rules for the dev server
    are left out where no later rule would take their requests.
    """
    wanted: list[Rule] = []
    for one in found:
        if isinstance(one, Rule):
            wanted.append(one)
        elif one.match is not None:
            comments = (f"{one.label} stays with the dev server.",)
            wanted.append(replace(dev_server, label=one.label, match=one.match, comments=comments))
    rules = [
        one
        for place, one in enumerate(wanted)
        if one.target != dev_server.target
        or any(_may_meet(one, later) for later in wanted[place + 1 :] if later.target != dev_server.target)
    ]
    return [*rules, dev_server], [one for one in found if isinstance(one, Leftover)]


def _ordered(rule: Rule, earlier: Sequence[Ordered]) -> list[Ordered] | Leftover:
    rule = _with_segments(rule)
    above = [other for other in earlier if _covers(other.rule, rule)]
    if above:
        if not rule.takes_upgrades or any(other.rule.takes_upgrades for other in above):
            why = f"It is never reached: {above[0].rule.label} comes first and takes its requests."
            return Leftover(rule.label, why)
        rule = for_upgrades_alone(rule, f"{above[0].rule.label} comes first and takes all other requests.")
    plain = Ordered(rule, *_condition(rule.match))
    for other in above:
        if _is_before(other, plain):
            why = f"Only its WebSockets are reached, and {other.rule.label} would take them: its path is more specific."
            return Leftover(rule.label, why)
    rivals = [other for other in earlier if other not in above and _may_meet(other.rule, rule)]
    outranked = [other for other in rivals if not _is_before(other, plain)]
    if not outranked:
        return [plain]
    if rule.rewrite is not None:
        names = ", ".join(other.rule.label for other in outranked)
        return Leftover(rule.label, f"It rewrites paths, and would take requests that go to {names}.")
    # Leaving out the path of a rule that asks for more than a path would leave out too much.
    wide = [other for other in rivals if _asks_less(other.rule, rule)]
    found = _without(rule, wide) if any(other in wide for other in outranked) else plain
    extra: list[Ordered] = []
    for other in rivals:
        if other in wide or _is_before(other, found):
            continue
        before = [
            one
            for one in earlier[: earlier.index(other)]
            if _asks_less(one.rule, other.rule) and _may_meet(one.rule, rule)
        ]
        if found.kind is PathKind.EXACT and before:
            continue  # one of these takes the one path before `other` could
        shared = _shared(other, found, before)
        if other.rule.rewrite is not None or not _is_before(shared, found):
            return Leftover(rule.label, f"It would take requests that go to {other.rule.label}, which comes first.")
        extra.append(shared)
    return [*extra, found]


def _without(rule: Rule, others: Sequence[Ordered]) -> Ordered:
    """Return `rule` as an expression that leaves out what `others` take."""
    excluded = "".join(dict.fromkeys(_left_out(other.rule.match) for other in others))
    names = ", ".join(dict.fromkeys(other.rule.label for other in others))
    comments = (*rule.comments, f"`(?!…)` leaves out the paths of {names}, which comes first.")
    return Ordered(replace(rule, comments=comments), PathKind.REGEX, excluded + rule.match.expression())


def _shared(other: Ordered, found: Ordered, before: Sequence[Ordered]) -> Ordered:
    """Return what `other` takes of the paths of `found`, but for those of `before`, as a more specific route."""
    excluded = "".join(dict.fromkeys(_left_out(one.rule.match) for one in before))
    pattern = found.pattern if found.kind is PathKind.REGEX else found.rule.match.expression()
    comment = f"As {other.rule.label}, where the route of {found.rule.label} would be more specific."
    rule = replace(other.rule, comments=(comment,))
    if found.kind is PathKind.EXACT:
        return Ordered(rule, PathKind.EXACT, found.pattern)
    return Ordered(rule, PathKind.REGEX, f"{excluded}(?={other.rule.match.expression()}$){pattern}")


def for_upgrades_alone(rule: Rule, why: str) -> Rule:
    """Return `rule` for WebSocket handshakes alone; `why`: a sentence for its comments."""
    headers = tuple(dict((*rule.headers, *UPGRADE_CONDITION.items())).items())
    return replace(rule, headers=headers, comments=(*rule.comments, f"For WebSockets alone: {why}"))


def _with_segments(rule: Rule) -> Rule:
    """Return `rule` with a match that devproxy can rewrite, where it rewrites. Its comments say what that changes."""
    match = rule.match
    if match.takes_all:
        return replace(rule, match=EVERY_PATH)
    if match.kind is Kind.GLOB and match.literal == match.text:
        return replace(rule, match=Match(Kind.EXACT, match.text))
    if match.kind is not Kind.STARTS or rule.rewrite is None:
        return rule
    bare = match.text.removesuffix("/")
    if bare != match.text:
        comment = f"`{bare}` itself goes here, too; `{match.text}` did not take it."
    else:
        taken = f"Here it takes whole segments: `{bare}` and `{bare}/…`."
        comment = f"`{bare}` took all that begins with it, `{bare}key` too. {taken}"
    return replace(rule, match=Match(Kind.SEGMENTS, bare), comments=(*rule.comments, comment))


def _condition(match: Match) -> tuple[PathKind, str]:
    if match.kind is Kind.STARTS:
        # `**` in a text of the path itself would be a wildcard.
        if re.search(r"[*?]", match.text):
            return PathKind.REGEX, match.expression()
        return PathKind.GLOB, f"{match.text}**"
    if match.kind is Kind.SEGMENTS:
        return PathKind.PREFIX, f"{match.text}/"
    if match.kind is Kind.EXACT:
        return PathKind.EXACT, match.text
    return (PathKind.REGEX if match.kind is Kind.REGEX else PathKind.GLOB), match.text


def _left_out(match: Match) -> str:
    """Return an expression that fails where `match` takes a path."""
    text = escaped(match.text)
    if match.kind is Kind.STARTS:
        return f"(?!{text})"
    if match.kind is Kind.SEGMENTS:
        return f"(?!{text}(?:/|$))"
    return f"(?!{match.expression()}$)"


def _is_before(first: Ordered, second: Ordered) -> bool:
    """Tell whether devproxy prefers `first` to `second` where both match."""
    one, other = _route(first), _route(second)
    return RouteTable([one, other]).routes[0] is one


def _route(ordered: Ordered) -> Route:
    rule = ordered.rule
    return Route(
        kind=ordered.kind,
        pattern=ordered.pattern,
        upstream=rule.label,
        methods=rule.methods,
        match_host=rule.hosts,
        match_headers=rule.headers,
    )


def _covers(one: Rule, other: Rule) -> bool:
    """Tell whether `one` certainly takes every request that `other` takes."""
    return _asks_less(one, other) and covers(one.match, other.match)


def _asks_less(one: Rule, other: Rule) -> bool:
    """Tell whether `one` takes, of the paths that it takes, every request that meets the conditions of `other`."""
    if one.hosts and one.hosts != other.hosts:
        return False
    if one.methods and not (other.methods and set(other.methods) <= set(one.methods)):
        return False
    return set(one.headers) <= set(other.headers)


def covers(one: Match, other: Match) -> bool:
    """Tell whether `one` certainly takes every path that `other` takes."""
    if one == other or one.takes_all:
        return True
    start = other.literal
    if one.kind is Kind.STARTS:
        return start.startswith(one.text)
    if one.kind is Kind.SEGMENTS:
        is_same = start == one.text and other.kind in (Kind.SEGMENTS, Kind.EXACT)
        return is_same or start.startswith(f"{one.text}/")
    if other.kind is not Kind.EXACT:
        return False
    return re.fullmatch(one.expression(), other.text) is not None


def _may_meet(one: Rule, other: Rule) -> bool:
    """Tell whether there may be a request that both take."""
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return False
    if one.hosts and other.hosts and not set(one.hosts) & set(other.hosts):
        return not all("*" not in host for host in (*one.hosts, *other.hosts))
    return may_meet_at(one.match, other.match)


def may_meet_at(one: Match, other: Match) -> bool:
    """Tell whether there may be a path that both take."""
    for first, second in ((one, other), (other, one)):
        if second.kind is Kind.EXACT:
            return re.fullmatch(first.expression(), second.text) is not None
        if first.kind is Kind.SEGMENTS and second.kind in (Kind.SEGMENTS, Kind.STARTS):
            start = second.text
            if second.kind is Kind.SEGMENTS:
                return covers(first, second) or covers(second, first)
            return start.startswith(f"{first.text}/") or first.text.startswith(start) or start == first.text
    start, other_start = one.literal, other.literal
    return start.startswith(other_start) or other_start.startswith(start)
