"""Rules -> a draft of ``devproxy.toml`` that loads. Pure.

Names the upstreams, has :func:`~devproxy.importing.ordering.routes_of` make the routes, and asks
:func:`devproxy.config.load` about each of them, which owns what a value may be: what it refuses becomes a comment
with its reason. Start at :func:`draft_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from devproxy.authority.networks import is_loopback
from devproxy.config import ConfigError, load
from devproxy.config.addresses import parse_server
from devproxy.config.drafts import Draft, DraftRoute, DraftUpstream, Value, text_of
from devproxy.importing.asked import Failed
from devproxy.importing.ordering import Ordered, routes_of
from devproxy.importing.rules import Leftover, Rule, Target
from devproxy.text.bad import BadText

NOT_CARRIED: Final = "Not carried over:"
"""What the comments on what no route can say begin with."""

MAX_RULES: Final = 1000
"""Most rules that are compared with each other, each with every one before it."""

_MAX_CODE_LINES: Final = 12


def draft_of(
    rules: Sequence[Rule],
    leftovers: Sequence[Leftover] = (),
    *,
    head: Sequence[str] = (),
    tail: Sequence[str] = (),
    server: Mapping[str, Value] | None = None,
) -> Draft:
    """Return the draft of `rules`, of which the first that matches wins. `leftovers`: what the source says besides.

    `head` and `tail`: comments for the whole file; the leftovers are written above `tail`. `server`: the keys of
    ``[server]``. The draft may have no route. Raises :class:`Failed` for more than :data:`MAX_RULES`.
    """
    if len(rules) > MAX_RULES:
        what = f"the configuration has {len(rules)} rules, and {MAX_RULES} at most are carried over"
        raise Failed(what, "name a file that has only those of the servers that you need")
    ordered, unreached = routes_of(rules)
    lost = [*leftovers, *unreached]
    names = _names(one.rule.target for one in ordered)
    pairs: list[tuple[DraftUpstream, DraftRoute, Ordered]] = []
    for one in ordered:
        pair = (_upstream(one.rule.target, names[one.rule.target]), _route(one, names[one.rule.target]))
        if why := _refusal([pair]):
            lost.append(Leftover(one.rule.label, why))
        else:
            pairs.append((*pair, one))
    if _refusal([pair[:2] for pair in pairs]):  # what only routes together have wrong
        kept: list[tuple[DraftUpstream, DraftRoute, Ordered]] = []
        for found in pairs:
            if why := _refusal([*(pair[:2] for pair in kept), found[:2]]):
                lost.append(Leftover(found[2].rule.label, why))
            else:
                kept.append(found)
        pairs = kept
    draft = _draft([pair[:2] for pair in pairs])
    return replace(draft, server=server or {}, head=head, tail=[*_told(lost), *tail])


def _draft(pairs: Sequence[tuple[DraftUpstream, DraftRoute]]) -> Draft:
    upstreams = {upstream.name: upstream for upstream, _ in pairs}
    return Draft(upstreams=tuple(upstreams.values()), routes=[route for _, route in pairs])


def _refusal(pairs: Sequence[tuple[DraftUpstream, DraftRoute]]) -> str:
    """Return why a configuration of `pairs` does not load, as sentences; empty where it does."""
    if not pairs:
        return ""
    try:
        load(text_of(_draft(pairs)).encode(), source="devproxy.toml")
    except ConfigError as error:
        problem = error.problems[0]
        return f"devproxy cannot have it: {problem.what}" + (f" ({problem.help})." if problem.help else ".")
    except ValueError:
        return "It holds text that is not Unicode."
    return ""


def _route(one: Ordered, upstream: str) -> DraftRoute:
    rule = one.rule
    keys: dict[str, Value] = {one.kind.value: one.pattern, "upstream": upstream, **rule.keys}
    if rule.rewrite is not None:
        keys["rewrite"] = rule.rewrite
    if keys.get("rewrite") == "/":
        del keys["rewrite"]
        keys["strip_prefix"] = True
    if rule.methods:
        keys["methods"] = rule.methods
    if rule.hosts:
        keys["match_host"] = rule.hosts
    if rule.headers:
        keys["match_headers"] = dict(rule.headers)
    return DraftRoute(keys=keys, comments=tuple(dict.fromkeys(rule.comments)))


def _upstream(target: Target, name: str) -> DraftUpstream:
    return DraftUpstream(name=name, servers=target.servers, keys=dict(target.keys), comments=target.comments)


def _names(targets: Iterable[Target]) -> dict[Target, str]:
    """Return a name for each of `targets`: its own; ``backend`` for the only other one; else by its first server."""
    distinct = tuple(dict.fromkeys(targets))
    unnamed = [target for target in distinct if not target.name]
    taken = {target.name for target in distinct}
    names: dict[Target, str] = {}
    for target in distinct:
        is_alone = len(unnamed) == 1 and "backend" not in taken
        wanted = target.name or ("backend" if is_alone else _name_by_server(target.servers))
        name, number = wanted, 2
        while name in names.values() or (name in taken and not target.name):
            name, number = f"{wanted}-{number}", number + 1
        names[target] = name
    return names


def _name_by_server(servers: Sequence[str]) -> str:
    try:
        server = parse_server(servers[0])
    except (BadText, IndexError):
        return "backend"
    if server.path:
        return server.path.rpartition("/")[2].partition(".")[0] or "backend"
    if is_loopback(server.host):
        return f"backend-{server.port}"
    is_number = server.host.replace(".", "").isdigit() or ":" in server.host
    return f"backend-{server.port}" if is_number else server.host.replace(".", "-")


def _dedented(code: str) -> list[str]:
    """Return the lines of `code` without what all but the first are indented by."""
    first, *others = code.strip().expandtabs(4).splitlines() or [""]
    indent = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return [line for line in (first, *(line[indent:] for line in others)) if line.strip()]


def _told(leftovers: Sequence[Leftover]) -> list[str]:
    """Return the comments on `leftovers`."""
    if not leftovers:
        return []
    lines = [NOT_CARRIED]
    for one in dict.fromkeys(leftovers):
        lines += ["", f"{one.label}: {one.why}"]
        code = _dedented(one.code)
        shown = code[:_MAX_CODE_LINES] + (["…"] if len(code) > _MAX_CODE_LINES else [])
        lines += [f"    {line}" for line in shown]
    return lines
