"""What became of a head on its way through devproxy, line by line, each with the rule that did it. Pure.

For those who show it; nothing here decides what happens. The rules are those of ``policy`` and ``plan.response``, found
again from the lines: a field's role says which rule may touch it. Start at :func:`request_differences` or
:func:`response_differences`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from devproxy.config.model import HeaderEdits, ServerAddress
from devproxy.errors import BadMessage
from devproxy.http.fields import Field, Role, read_field
from devproxy.http.messages import RequestHead
from devproxy.plan.compiled import CompiledRoute
from devproxy.plan.decisions import Forward
from devproxy.plan.response import repair_of
from devproxy.policy.hop import Peer

Path = tuple[str | int, ...]


class Rule(NamedTuple):
    """Why a line changed. ``name``: the rule in a word or two. ``path``: the key of the configuration that it obeys.

    ``path`` begins with ``route``, ``server`` or ``upstream``; empty where the rule holds for every gateway.
    """

    name: str
    why: str
    path: Path = ()


class Difference(NamedTuple):
    """A line that went, came, or became another one. ``before``, ``after``: the lines, None for none.

    ``is_start``: it is the start line.
    """

    before: bytes | None
    after: bytes | None
    rule: Rule
    is_start: bool = False


_ONE_CONNECTION: Final = Rule("hop-by-hop", "concerns one connection only (RFC 9110 section 7.6.1)")
_VERSION: Final = Rule("version", "each connection has its own version of HTTP (RFC 9110 section 2.5)")
_FRAMING: Final = Rule("framing", "how long the body is, is said again on each connection (RFC 9112 section 6)")
_UNKNOWN: Final = Rule("", "")
_HOP: Final = frozenset((Role.CONNECTION, Role.KEEP_ALIVE, Role.HOP_BY_HOP, Role.TE, Role.UPGRADE, Role.TRAILER))
_UP: Final = {
    Role.HOST: Rule("host", "the Host that the route sends", ("route", "host")),
    Role.ORIGIN: Rule("origin", "the Origin that the route sends", ("route", "origin")),
    Role.VIA: Rule("via", "every gateway names itself (RFC 9110 section 7.6.3)"),
    Role.FORWARDED_FOR: Rule("forwarded", "the address of the client", ("server", "trusted_proxies")),
    Role.FORWARDED: Rule("forwarded", "the origin that the browser asked for", ("server", "trusted_proxies")),
    Role.LOOK_ALIKE: Rule("look-alike", "some servers take it for a field that devproxy sets or relies on"),
    Role.TRANSFER_ENCODING: _FRAMING,
    Role.CONTENT_LENGTH: _FRAMING,
    Role.EXPECT: Rule("expect", "only 100-continue means something to a server (RFC 9110 section 10.1.1)"),
}
_DOWN: Final = {
    Role.VARY: Rule("cors", "the answer depends on the Origin", ("route", "cors")),
    Role.ACCESS_CONTROL: Rule("cors", "the route's CORS mode", ("route", "cors", "mode")),
    Role.SET_COOKIE: Rule("cookies", "the route's cookie rules", ("route", "cookies")),
    Role.REFERENCE: Rule("redirects", "URLs of an upstream come back to devproxy's origin", ("route", "redirects")),
    Role.RESOURCE_POLICY: Rule("cors", "the route is only for pages of devproxy's own origin", ("route", "cors")),
    Role.PIN: Rule(
        "strict_transport_security",
        "it would apply to everything else that is served under this name",
        ("server", "strict_transport_security"),
    ),
    Role.TRANSFER_ENCODING: _FRAMING,
    Role.CONTENT_LENGTH: _FRAMING,
}
_OWN_ORIGIN: Final = "the server's own, because hot reload expects it from devproxy's pages"
_REAL_IP: Final = Rule("forwarded", "the address of the client", ("server", "trusted_proxies"))
_PREFIX: Final = Rule("forwarded", "the prefix that was removed from the path", ("route", "strip_prefix"))


def request_differences(before: Sequence[bytes], after: Sequence[bytes], compiled: CompiledRoute) -> list[Difference]:
    """Return what differs between a request's head as it came and as it went on by `compiled`.

    Each: the start line, then the field lines. In the order of `before`, then of `after`. Linear in their size.
    """
    rewrites = compiled.route.rewrite is not None
    key = "strip_prefix" if compiled.route.rewrite == "/" else "rewrite"
    start = Rule(key, "the path that the route sends", ("route", key)) if rewrites else _VERSION

    def rule_of(field: Field, gone: Field | None) -> Rule:
        edited = _edited(field.name, compiled.route.request_headers, "request")
        if edited is not None:
            return edited
        if field.role == Role.END_TO_END and field.name == b"cookie":
            return Rule("cookies", "names of cookies go back as the server set them", ("route", "cookies", "prefix"))
        if field.name == b"x-real-ip":
            return _REAL_IP
        if field.name == b"x-forwarded-prefix":
            return _PREFIX
        rule = _by_role(field, _UP)
        is_own = compiled.is_at_own_origin and field.role in (Role.HOST, Role.ORIGIN)
        return rule._replace(why=_OWN_ORIGIN) if is_own else rule

    return _differences(before, after, start, rule_of)


def response_differences(
    before: Sequence[bytes],
    after: Sequence[bytes],
    forward: Forward,
    request: RequestHead,
    peer: Peer,
    server: ServerAddress,
) -> list[Difference]:
    """Return what differs between the head that `server` answered `request` of `peer` with and the one that went on.

    The heads as in :func:`request_differences`.
    """
    compiled = forward.compiled

    def rule_of(field: Field, gone: Field | None) -> Rule:
        edited = _edited(field.name, compiled.route.response_headers, "response")
        if edited is not None:
            return edited
        rule = _by_role(field, _DOWN)
        if rule.name == "cors" and forward.cors.reason:
            return rule._replace(why=forward.cors.reason)
        if field.role == Role.SET_COOKIE and gone is None:
            return Rule("sticky", "binds the client to its server", ("upstream", compiled.upstream, "sticky"))
        repaired = None if gone is None else repair_of(forward, request, gone, peer, server)
        return rule if repaired is None else rule._replace(why="; ".join(repaired.reasons))

    return _differences(before, after, _VERSION, rule_of)


def _by_role(field: Field, rules: dict[Role, Rule]) -> Rule:
    role = Role(field.role)
    return rules.get(role) or (_ONE_CONNECTION if role in _HOP else _UNKNOWN)


def _edited(name: bytes, edits: HeaderEdits, way: str) -> Rule | None:
    """Return the rule if the route's own edits name the field `name`, in lower case."""
    named = {"set": [one for one, _ in edits.set], "add": [one for one, _ in edits.add], "remove": edits.remove}
    for kind, names in named.items():
        for written in names:
            if written.lower().encode() == name:
                path: Path = ("route", "headers", way, kind)
                return Rule(
                    f"headers.{way}.{kind}", "the route says so", path if kind == "remove" else (*path, written)
                )
    return None


def _differences(
    before: Sequence[bytes],
    after: Sequence[bytes],
    start: Rule,
    rule_of: Callable[[Field, Field | None], Rule],
) -> list[Difference]:
    found = [] if before[0] == after[0] else [Difference(before[0], after[0], start, is_start=True)]
    gone = list((Counter(before[1:]) - Counter(after[1:])).elements())
    come = list((Counter(after[1:]) - Counter(before[1:])).elements())
    fields = {line: _read(line) for line in (*gone, *come)}
    waiting: dict[bytes, deque[bytes]] = {}
    for line in come:
        waiting.setdefault(fields[line].name, deque()).append(line)
    for line in gone:
        field = fields[line]
        others = waiting.get(field.name)
        other = others.popleft() if others else None
        found.append(Difference(line, other, rule_of(field if other is None else fields[other], field)))
    left = Counter(line for others in waiting.values() for line in others)
    for line in come:
        if left[line]:
            left[line] -= 1
            found.append(Difference(None, line, rule_of(fields[line], None)))
    return found


def _read(line: bytes) -> Field:
    try:
        return read_field(line)
    except BadMessage:
        name, _, value = line.partition(b":")
        return Field(line, name.strip().lower(), value.strip())
