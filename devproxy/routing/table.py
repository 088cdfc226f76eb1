"""Which route takes a request, why, and what path it sends upstream.

Owns the comparison of requests with routes: the form of a path that is compared, the conditions, their order of
precedence, and rewriting. Never checks a configuration (``config`` has), never changes what a route without ``rewrite``
sends upstream, and never depends on the order of routes in a file. ``docs/routing.md`` says the same to users.

Standards: RFC 3986 sections 3.3, 5.2.4 and 6.2.2 (paths), RFC 9110 sections 7.2 (Host) and 9.3.2 (HEAD); the order of
precedence is that of HTTPRoute in the Kubernetes Gateway API; the names of the conditions, ADR 0005. Start at
:class:`RouteTable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from devproxy.config.labels import label as label
from devproxy.config.model import PathKind, Route
from devproxy.http.fields import Field
from devproxy.text.safe import ticked, visible

_PCHAR: Final = rb"A-Za-z0-9\-._~!$&'()*+,;=:@"
"""What a path segment may hold unencoded (``pchar``, RFC 3986 section 3.3), as the inside of a character class."""
_ENCODED: Final = rb"%(?:[01][0-9A-F]|2[0235F]|3[CEF]|5[B-E]|60|7[BCDF]|[89A-F][0-9A-F])"
"""A byte that it may not, encoded in upper case."""

# Possessive throughout: one pass, whatever the path.
_is_canonical = re.compile(rb"/(?:(?!\.\.?(?:/|\Z))(?:[" + _PCHAR + rb"]++|" + _ENCODED + rb")++(?:/|\Z))*+").fullmatch
# `stray` is a percent that encodes nothing. A byte right after it stays encoded: decoded, it could complete the
# percent to an encoding that was not sent (`%%34%31`), and comparing twice would not be comparing once.
_replace_octets = re.compile(rb"%(?P<octet>[0-9A-Fa-f]{2})|(?P<stray>%[0-9A-Fa-f]?)(?P<kept>%[0-9A-Fa-f]{2})").sub
_has_other_octets = re.compile(rb"[^%/" + _PCHAR + rb"]").search
_is_pchar = re.compile(rb"[" + _PCHAR + rb"]").fullmatch
_ENCODED_AS: Final = tuple(
    bytes((octet,)) if octet in b"%/" or _is_pchar(bytes((octet,))) else b"%%%02X" % octet for octet in range(256)
)
"""What each byte of a path is compared as."""
_DECODED_AS: Final = {
    digits: bytes((octet,)) if _is_pchar(bytes((octet,))) else b"%%%02X" % octet
    for octet in range(256)
    for first in (b"%x" % (octet >> 4), b"%X" % (octet >> 4))
    for digits in (first + b"%x" % (octet & 15), first + b"%X" % (octet & 15))
}
"""What the two digits after a percent, in any case, are compared as with it."""

_DOT: Final = (b".", b"%2e", b"%2E")
_HERE: Final = frozenset((b"", *_DOT))
_UP: Final = frozenset(one + other for one in _DOT for other in _DOT)
"""Segments that lead nowhere, and one up, in every spelling."""

_EXPRESSIONS: Final = (PathKind.GLOB, PathKind.REGEX)
_KIND_RANK: Final = {kind: rank for rank, kind in enumerate(PathKind)}
# Used for `*` and `?` while a glob is brought into canonical form; no path that config accepts contains them.
_ANY, _ONE = b"\0", b"\1"

_Test = Callable[[bytes], object]
"""True if some bytes fulfil a condition."""


def canonical_path(path: bytes) -> bytes:
    """Return the form in which `path` (raw, without query) is compared; `path` itself where there is nothing to do.

    Encoded bytes that a segment may hold as they are (``pchar``, RFC 3986 section 3.3) are decoded; others keep their
    encoding, in upper case: ``%2F`` is not a slash and ``%5C`` not a backslash. Bytes that no path may hold are
    encoded. A percent that encodes nothing stays. Empty segments are merged, then dot segments removed. Idempotent. The
    result begins with a slash, except for ``*`` (RFC 9112 section 3.2.4). Only for choosing: upstreams get the raw
    bytes.
    """
    return path if _is_canonical(path) or path == b"*" else _made_canonical(path)


@lru_cache(maxsize=8)  # one request asks for it several times; no path is longer than max_target_bytes
def _made_canonical(path: bytes) -> bytes:
    return _without_empty_and_dot_segments(_canonical_octets(path))


def _canonical_octets(text: bytes) -> bytes:
    start, *pieces = text.split(b"%")
    try:
        text = start + b"".join([_DECODED_AS[piece[:2]] + piece[2:] for piece in pieces])
    except KeyError:  # a percent that encodes nothing
        text = _replace_octets(_canonical_octet, text)
    return b"".join([_ENCODED_AS[octet] for octet in text]) if _has_other_octets(text) else text


def _canonical_octet(match: re.Match[bytes]) -> bytes:
    octet, stray, kept = match.groups()
    return _DECODED_AS[octet] if octet is not None else stray + kept.upper()


def _without_empty_and_dot_segments(path: bytes) -> bytes:
    segments = path.split(b"/")
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment and segment != b".":
            kept.append(segment)
    is_closed = kept and segments[-1] in (b"", b".", b"..")
    return b"/%b/" % b"/".join(kept) if is_closed else b"/" + b"/".join(kept)


class RouteVerdict(NamedTuple):
    """How one route matches one request.

    ``matched``: all its conditions hold. ``chosen``: it takes the request. ``reasons``: sentences without a full stop;
    of a chosen route the conditions that hold, of another what keeps it from being chosen. Never empty.
    """

    route: Route
    matched: bool
    chosen: bool
    reasons: tuple[str, ...]


class _Candidate(NamedTuple):
    """A route under one of its hosts; None instead of a test: nothing to test."""

    takes: _Test | None
    methods: frozenset[bytes] | None
    is_host: _Test | None
    headers: tuple[tuple[bytes, _Test], ...]
    route: Route
    segment: bytes | None
    """The first segment of every path it takes, where all have the same."""
    is_settled_by_segment: bool
    """Whether it takes every path with that first segment."""
    rank: tuple[object, ...]
    """Lower comes first; the last element breaks ties."""


_Row = tuple[_Test | None, frozenset[bytes] | None, _Test | None, tuple[tuple[bytes, _Test], ...], Route]


class RouteTable:
    """Routes, compiled once and compared with each request. The order in which they are given never matters."""

    __slots__ = ("_candidates", "_rows", "_rows_elsewhere")

    def __init__(self, routes: Sequence[Route]) -> None:
        candidates = [candidate for route in routes for candidate in _compile(route)]
        candidates.sort(key=lambda candidate: candidate.rank)
        self._candidates = candidates
        segments = {candidate.segment for candidate in candidates} - {None}
        self._rows = {segment: _rows(candidates, segment) for segment in segments}
        self._rows_elsewhere = _rows(candidates, None)

    @property
    def segments(self) -> frozenset[bytes]:
        """The first segments, with their slash, on which the choice of a route may depend; all others are alike."""
        return frozenset(b"/" + segment for segment in self._rows if segment is not None)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes in order of precedence, each where the first of its hosts puts it."""
        return tuple({id(candidate.route): candidate.route for candidate in self._candidates}.values())

    def match(self, method: bytes, path: bytes, host: bytes, fields: Sequence[Field]) -> Route | None:
        """Return the route that takes a request, one of those the table was made of, or None.

        `path`: raw, without query; ``*`` goes where ``/`` goes. `host`: the value of Host, perhaps with port; may be
        empty. `fields`: of the request. Raises nothing.
        """
        if not _is_canonical(path):
            path = _selecting_path(path)
        end = path.find(b"/", 1)
        name: bytes | None = None
        for takes, methods, is_host, headers, route in self._rows.get(
            path[1:end] if end > 0 else path[1:], self._rows_elsewhere
        ):
            if takes is not None and not takes(path):
                continue
            if methods is not None and method not in methods:
                continue
            if is_host is not None:
                if name is None:
                    name = _host_name(host)
                if not is_host(name):
                    continue
            if headers and not all(_has_field(fields, *header) for header in headers):
                continue
            return route
        return None

    @property
    def runs_expressions(self) -> bool:
        """Whether some route has a condition that is an expression of the user's: see :meth:`contenders`."""
        return any(map(_is_expressed, (candidate.route for candidate in self._candidates)))

    def contenders(self, method: bytes, path: bytes, host: bytes) -> list[Route]:
        """Return, in order of precedence, the routes among which is the one that takes a request, if one does.

        Found without running any expression that a user wrote: those of ``path_regex``, ``path_glob`` and
        ``match_headers`` count as fulfilled here. None for a request that no route takes. The arguments are those of
        :meth:`match`.
        """
        if not _is_canonical(path):
            path = _selecting_path(path)
        name = _host_name(host)
        found: list[Route] = []
        for takes, methods, is_host, headers, route in self._rows.get(_first_segment(path), self._rows_elsewhere):
            if (methods is not None and method not in methods) or (is_host is not None and not is_host(name)):
                continue
            is_expressed = route.kind in _EXPRESSIONS
            if takes is not None and not is_expressed and not takes(path):
                continue
            found.append(route)
            if not is_expressed and not headers:
                break
        return found

    def is_settled(self, method: bytes, segment: bytes, host: bytes) -> bool:
        """Tell whether every path that begins with `segment` (with its slash) and is plain goes to the same route.

        `method` and `host` as in :meth:`match`.
        """
        name = _host_name(host)
        for takes, methods, is_host, headers, _ in self._rows.get(segment[1:], self._rows_elsewhere):
            if methods is not None and method not in methods:
                continue
            if is_host is not None and not is_host(name):
                continue
            return takes is None and not headers
        return True

    def explain(self, method: bytes, path: bytes, host: bytes, fields: Sequence[Field]) -> list[RouteVerdict]:
        """Return for each route, in order of precedence for this request, whether and why it takes the request.

        The arguments are those of :meth:`match`, which agrees: it returns the route that is ``chosen`` here.
        """
        compared = _selecting_path(path)
        shown_path = ticked(path) if compared == path else f"{ticked(path)} (compared as {ticked(compared)})"
        verdicts: list[RouteVerdict] = []
        chosen: _Candidate | None = None
        for candidate in self._standing(_host_name(host)):
            route = candidate.route
            checks = (
                _check_path(candidate, compared, shown_path),
                _check_method(candidate, method),
                _check_host(candidate, host),
                *(_check_header(fields, *pair) for pair in zip(route.match_headers, candidate.headers, strict=True)),
            )
            refusals = tuple(sentence for holds, sentence in checks if not holds)
            if refusals:
                verdicts.append(RouteVerdict(route, False, False, refusals))
            elif chosen is None:
                chosen = candidate
                reasons = tuple(sentence for _, sentence in checks if sentence)
                verdicts.append(RouteVerdict(route, True, True, reasons))
            else:
                is_tie = chosen.rank[:-1] == candidate.rank[:-1]
                why = "is as specific, and comes first alphabetically" if is_tie else "is more specific"
                reason = f"matches, but route {ticked(label(chosen.route))} {why}"
                verdicts.append(RouteVerdict(route, True, False, (reason,)))
        return verdicts

    def _standing(self, name: bytes) -> list[_Candidate]:
        """Return one candidate for each route, in order: that of the first host that is `name`, else the first."""
        standing: dict[int, _Candidate] = {}
        for candidate in self._candidates:
            known = standing.setdefault(id(candidate.route), candidate)
            if known.is_host and candidate.is_host and not known.is_host(name) and candidate.is_host(name):
                standing[id(candidate.route)] = candidate
        return sorted(standing.values(), key=lambda candidate: candidate.rank)


def rewritten_path(route: Route, path: bytes) -> bytes:
    """Return the path that `route` sends upstream for `path` (raw, without query), which it takes.

    In a route by prefix, ``rewrite`` replaces the bytes that the prefix matched, and all that follow stay as they are;
    in an exact one it replaces the whole path. Without ``rewrite``, and where there is no prefix, `path` comes back.
    Where ``rewrite`` applies, the result begins with exactly one slash, so that a stripped prefix never turns a path
    into the name of a host (``//evil``), and no dot segment of `path` climbs out of ``rewrite``.
    """
    if route.rewrite is None or not path.startswith(b"/"):
        return path
    base, prefix = _base(route.rewrite), _prefix(route.pattern)
    if route.kind is PathKind.EXACT:
        return base + b"/" if route.rewrite.endswith("/") else base
    if route.kind is not PathKind.PREFIX:
        return path
    rest = path[len(prefix) :] if _is_canonical(path) else path[_end_of_segments(path, prefix.count(b"/")) :]
    if not base:
        return b"/" + rest.lstrip(b"/")
    return base + rest if rest or prefix else base + b"/"


def stripped_prefix(route: Route) -> bytes:
    """Return what precedes each path that `route` sends upstream, as the client knows it; empty for nothing.

    ``/api`` of a route that strips it. Of ``/app/v1`` with ``rewrite = "/v1"`` it is ``/app``; where another path takes
    the place of the prefix, and for routes of other kinds, there is no such thing.
    """
    if route.rewrite is None or route.kind is not PathKind.PREFIX:
        return b""
    base, prefix = _base(route.rewrite), _prefix(route.pattern)
    return prefix.removesuffix(base) if prefix.endswith(base) else b""


@lru_cache(maxsize=256)
def _base(rewrite: str) -> bytes:
    """Return what a prefix is replaced by: without a slash at its end, as the rest of a path begins with one."""
    base = rewrite.encode().strip(b"/")
    return b"/" + base if base else b""


@lru_cache(maxsize=256)
def _prefix(pattern: str) -> bytes:
    """Return the prefix `pattern` as compared by segment: canonical, without a slash at its end."""
    return canonical_path(pattern.encode()).removesuffix(b"/")


def _end_of_segments(path: bytes, count: int) -> int:
    """Return where in the raw `path` those bytes end that come down to the first `count` canonical segments.

    No dot segment after that place climbs above it: a segment that one climbs out of is not among those counted.
    """
    ends: list[int] = []
    floor = position = 0
    for segment in path.split(b"/"):
        position += len(segment)
        if segment in _UP:
            if ends:
                ends.pop()
            else:
                floor = position
        elif segment not in _HERE:
            ends.append(position)
        position += 1
    return ends[count - 1] if count else floor


# Compiling


def _compile(route: Route) -> list[_Candidate]:
    """Return a candidate for each host of `route`: under each it has another precedence."""
    takes, segment, path_rank = _compile_path(route)
    methods = frozenset(method.encode() for method in route.methods)
    if b"GET" in methods:
        methods |= {b"HEAD"}  # RFC 9110 section 9.3.2: a server that answers GET can answer HEAD
    headers = tuple((name.lower().encode(), _compile_value(value)) for name, value in route.match_headers)
    hosts: list[tuple[_Test | None, tuple[int, int]]] = [_compile_host(host) for host in route.match_host]
    hosts = hosts or [(None, (2, 0))]
    tie = repr(replace(route, line=0))
    return [
        _Candidate(
            takes=takes,
            methods=methods or None,
            is_host=is_host,
            headers=headers,
            route=route,
            segment=segment,
            is_settled_by_segment=route.kind is PathKind.PREFIX and b"/%b" % (segment or b"") == _prefix(route.pattern),
            rank=(host_rank, _KIND_RANK[route.kind], path_rank, not methods, -len(headers), len(methods), tie),
        )
        for is_host, host_rank in hosts
    ]


def _compile_path(route: Route) -> tuple[_Test | None, bytes | None, tuple[int, ...]]:
    """Return the test of a canonical path, the first segment it needs, and its rank among those of its kind."""
    pattern = route.pattern.encode()
    match route.kind:
        case PathKind.REGEX:
            return re.compile(pattern).fullmatch, None, (-len(pattern),)
        case PathKind.GLOB:
            return _compile_glob(pattern)
        case PathKind.EXACT:
            exact = canonical_path(pattern)
            return exact.__eq__, _first_segment(exact), ()
        case PathKind.PREFIX:
            prefix = _prefix(route.pattern)
            if not prefix:
                return None, None, (0,)
            return re.compile(re.escape(prefix) + rb"(?:/|\Z)").match, _first_segment(prefix), (-len(prefix),)


def _compile_glob(pattern: bytes) -> tuple[_Test, bytes | None, tuple[int, ...]]:
    pieces = re.split(rb"([*?]+)", pattern)
    pieces[::2] = map(_canonical_octets, pieces[::2])
    pieces[1::2] = [wildcards.replace(b"*", _ANY).replace(b"?", _ONE) for wildcards in pieces[1::2]]
    glob = _without_empty_and_dot_segments(b"".join(pieces))
    chunks = re.split(_ANY + rb"{2,}", glob)
    spans, ones = len(chunks) - 1, glob.count(_ONE)
    stars = sum(chunk.count(_ANY) for chunk in chunks)
    literal = sum(map(len, chunks)) - stars - ones
    compiled = []
    for index, chunk in enumerate(chunks):
        # `/**/` also means one slash: the one before is the one after.
        shares_slash = index > 0 and chunk.startswith(b"/") and chunks[index - 1].endswith(b"/")
        parts = [
            _literal(part, _ONE, b"[^/]") for part in chunk.removeprefix(b"/" if shares_slash else b"").split(_ANY)
        ]
        regex = _runs_between(parts, b"[^/]", is_last=index == spans)
        compiled.append(b"(?<=/)" + regex if shares_slash else regex)
    regex = _runs_between(compiled, b".", is_last=True)
    segment = _first_segment(glob)
    is_known = _ANY not in segment and _ONE not in segment
    return re.compile(regex).fullmatch, segment if is_known else None, (-literal, spans, stars, -ones)


def _runs_between(parts: list[bytes], char: bytes, *, is_last: bool) -> bytes:
    """Return a regular expression for `parts` in this order with any run of `char` between them.

    Each part is sought from the left and then kept (an atomic group): for runs of one kind the first place is as good
    as any other, and the work does not multiply with the number of runs. `is_last`: nothing may follow the last part.
    """
    if len(parts) == 1:
        return parts[0]
    sought = parts[1:-1] if is_last else parts[1:]
    regex = parts[0] + b"".join(b"(?>%b*?%b)" % (char, part) for part in sought)
    return b"%b%b*%b" % (regex, char, parts[-1]) if is_last else regex


def _literal(text: bytes, one: bytes, char: bytes) -> bytes:
    """Return a regular expression for `text`, in which `one` means any `char`."""
    return char.join(map(re.escape, text.split(one)))


def _compile_value(glob: str) -> _Test:
    parts = [_literal(part, b"?", b".") for part in re.split(rb"\*+", glob.encode())]
    return re.compile(_runs_between(parts, b".", is_last=True)).fullmatch


def _compile_host(pattern: str) -> tuple[_Test, tuple[int, int]]:
    """Return the test of a host name, as :func:`_host_name` gives it, and the rank of `pattern`."""
    name = _host_name(pattern.removeprefix("*.").encode())
    if not pattern.startswith("*."):
        return name.__eq__, (0, 0)
    return re.compile(rb".+\." + re.escape(name)).fullmatch, (1, -len(name))


def _rows(candidates: list[_Candidate], segment: bytes | None) -> tuple[_Row, ...]:
    """Return, in order, what to test for a path that begins with `segment` (None: with one that no route names).

    Left out: what the segment decides already, and everything after a route that takes all requests.
    """
    rows: list[_Row] = []
    for candidate in candidates:
        if candidate.segment is not None and candidate.segment != segment:
            continue
        takes, methods, is_host, headers, route = candidate[:5]
        to_test = None if candidate.is_settled_by_segment else takes
        rows.append((to_test, methods, is_host, headers, route))
        if to_test is None and methods is None and is_host is None and not headers:
            break
    return tuple(rows)


def _is_expressed(route: Route) -> bool:
    return route.kind in _EXPRESSIONS or bool(route.match_headers)


def _first_segment(path: bytes) -> bytes:
    return path.split(b"/", 2)[1]


# Comparing


def _selecting_path(path: bytes) -> bytes:
    """Return the canonical form of `path`; that of ``/`` for ``*``, which asks about the server as a whole."""
    return b"/" if path == b"*" else canonical_path(path)


def _host_name(host: bytes) -> bytes:
    """Return the name in `host` as compared: without port and final dot, in lower case; IPv6 in its short form."""
    if host.startswith(b"["):
        return _ipv6(host.partition(b"]")[0][1:])
    return host.partition(b":")[0].lower().removesuffix(b".")


def _ipv6(text: bytes) -> bytes:
    from ipaddress import AddressValueError, IPv6Address  # most tables need none

    try:
        return b"[%b]" % IPv6Address(text.decode("ascii", "replace")).compressed.encode()
    except AddressValueError:
        return b"[%b]" % text.lower()


def _has_field(fields: Sequence[Field], name: bytes, is_value: _Test) -> bool:
    """Tell whether one of `fields` is called `name` and has such a value."""
    for field in fields:  # a generator would cost twice as much
        if field.name == name and is_value(field.value):
            return True
    return False


# Explaining: each check returns whether the condition holds and a sentence, empty when there is no condition


def _check_path(candidate: _Candidate, path: bytes, shown_path: str) -> tuple[bool, str]:
    route = candidate.route
    holds = candidate.takes is None or bool(candidate.takes(path))
    pattern = ticked(route.pattern.encode())
    match route.kind:
        case PathKind.EXACT:
            return holds, f"{shown_path} is {'' if holds else 'not '}exactly {pattern}"
        case PathKind.PREFIX:
            prefix = _prefix(route.pattern)
            if not prefix:
                return holds, "every path is below `/`"
            if holds:
                return holds, f"{shown_path} is {ticked(prefix)} or below it"
            segments = "segments" if prefix.count(b"/") > 1 else "segment"
            return holds, f"{shown_path} is not below the {segments} {ticked(prefix)}"
        case PathKind.GLOB | PathKind.REGEX:
            name = "glob" if route.kind is PathKind.GLOB else "regular expression"
            return holds, f"{shown_path} {'matches' if holds else 'does not match'} the {name} {pattern}"


def _check_method(candidate: _Candidate, method: bytes) -> tuple[bool, str]:
    methods = candidate.route.methods
    if candidate.methods is None:
        return True, ""
    holds, shown = method in candidate.methods, visible(method)
    if holds and shown not in methods:
        return True, f"method {shown} is matched as GET"
    relation = ("is " if holds else "is not ") + ("one of " if len(methods) > 1 else "")
    return holds, f"method {shown} {relation}{', '.join(methods)}"


def _check_host(candidate: _Candidate, host: bytes) -> tuple[bool, str]:
    hosts = candidate.route.match_host
    if candidate.is_host is None:
        return True, ""
    holds = bool(candidate.is_host(_host_name(host)))
    wanted = ", ".join(f"`{name}`" for name in hosts)
    relation = ("is " if holds else "is not ") + ("one of " if len(hosts) > 1 else "")
    return holds, f"the Host {ticked(host)} {relation}{wanted}" if host else f"there is no Host, and {wanted} is needed"


def _check_header(fields: Sequence[Field], wanted: tuple[str, str], compiled: tuple[bytes, _Test]) -> tuple[bool, str]:
    (name, glob), (lower, is_value) = wanted, compiled
    values = [field.value for field in fields if field.name == lower]
    if not values:
        return False, f"there is no header `{name}`"
    holds = any(is_value(value) for value in values)
    shown = " and ".join(map(ticked, values))
    return holds, f"the header `{name}` is {shown}, {'as' if holds else 'not'} {ticked(glob.encode())}"
