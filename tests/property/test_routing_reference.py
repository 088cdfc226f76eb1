"""Properties of routing, most of them against a reference that sorts all routes and tries each, written for reading."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import replace

from devproxy.config.model import PathKind, Route
from devproxy.http.fields import Field
from devproxy.routing.table import RouteTable, canonical_path, rewritten_path
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

# --- the reference ----------------------------------------------------------------------------------------------------

HEX = set(b"0123456789abcdefABCDEF")
UNENCODED = set((string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/").encode())


def reference_octets(text: bytes) -> list[bytes]:
    """One item for each octet of a path as compared: itself, or its encoding. Encoded slashes are not slashes."""
    items: list[bytes] = []
    index = 0
    since_stray = 9
    while index < len(text):
        is_encoding = text[index] == 0x25 and len(text) > index + 2 and {*text[index + 1 : index + 3]} <= HEX
        if is_encoding:
            octet = int(text[index + 1 : index + 3], 16)
            is_plain = octet in UNENCODED - {0x2F} and since_stray > 1
            items.append(bytes([octet]) if is_plain else b"%%%02X" % octet)
            since_stray = 9
            index += 3
            continue
        octet = text[index]
        items.append(bytes([octet]) if octet in UNENCODED | {0x25} else b"%%%02X" % octet)
        since_stray = 0 if octet == 0x25 else since_stray + 1 if octet in HEX else 9
        index += 1
    return items


def reference_canonical(path: bytes) -> bytes:
    if path == b"*":
        return path
    segments = b"".join(reference_octets(path)).split(b"/")
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            kept = kept[:-1]
        elif segment not in (b"", b"."):
            kept.append(segment)
    ends_open = segments[-1] in (b"", b".", b"..") and kept != []
    return b"/" + b"".join(segment + b"/" for segment in kept)[: None if ends_open else -1]


def reference_glob(pattern: str, path: str) -> bool:
    """Backtracks over every way to read the glob."""
    if not pattern:
        return not path
    if pattern.startswith("/**/") and reference_glob(pattern[3:], path):
        return True
    if pattern.startswith("**"):
        return any(reference_glob(pattern[2:], path[index:]) for index in range(len(path) + 1))
    if pattern.startswith("*"):
        run = len(path.split("/")[0])
        return any(reference_glob(pattern[1:], path[index:]) for index in range(run + 1))
    if not path:
        return False
    if pattern[0] == "?":
        return path[0] != "/" and reference_glob(pattern[1:], path[1:])
    return pattern[0] == path[0] and reference_glob(pattern[1:], path[1:])


def segments_of(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def takes_path(route: Route, path: str) -> bool:
    match route.kind:
        case PathKind.EXACT:
            return reference_canonical(route.pattern.encode()).decode() == path
        case PathKind.REGEX:
            return re.fullmatch(route.pattern, path) is not None
        case PathKind.GLOB:
            return reference_glob(route.pattern, path)
        case PathKind.PREFIX:
            prefix = segments_of(reference_canonical(route.pattern.encode()).decode())
            return segments_of(path)[: len(prefix)] == prefix


def is_host(pattern: str, host: str) -> bool:
    name = host.split(":")[0].lower()
    name = name[:-1] if name.endswith(".") else name
    if not pattern.startswith("*."):
        return name == pattern
    labels, below = name.split("."), pattern.split(".")[1:]
    return len(labels) > len(below) and labels[-len(below) :] == below


def takes_method(route: Route, method: str) -> bool:
    return not route.methods or method in route.methods or (method == "HEAD" and "GET" in route.methods)


def has_headers(route: Route, fields: Sequence[Field]) -> bool:
    def has(name: str, glob: str) -> bool:
        regex = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
        return any(
            field.name.decode() == name.lower() and re.fullmatch(regex, field.value.decode()) for field in fields
        )

    return all(has(name, glob) for name, glob in route.match_headers)


def host_rank(route: Route, host: str) -> tuple[int, int]:
    """Of the best of the hosts that match."""
    if not route.match_host:
        return (2, 0)
    ranks = [((1, -len(p)) if p.startswith("*.") else (0, 0)) for p in route.match_host if is_host(p, host)]
    return min(ranks)


def path_rank(route: Route) -> tuple[int, ...]:
    pattern = route.pattern
    match route.kind:
        case PathKind.EXACT:
            return (0,)
        case PathKind.REGEX:
            return (1, -len(pattern))
        case PathKind.GLOB:
            spans = len(re.findall(r"\*\*", pattern))
            stars = pattern.count("*") - 2 * spans
            ones = pattern.count("?")
            return (2, -(len(pattern) - pattern.count("*") - ones), spans, stars, -ones)
        case PathKind.PREFIX:
            return (3, -len(reference_canonical(pattern.encode()).rstrip(b"/")))


def all_methods(route: Route) -> set[str]:
    return set(route.methods) | ({"HEAD"} if "GET" in route.methods else set())


def reference_match(
    routes: Sequence[Route], method: bytes, path: bytes, host: bytes, fields: Sequence[Field]
) -> Route | None:
    compared = "/" if path == b"*" else reference_canonical(path).decode()
    name = host.decode()
    matching = [
        route
        for route in routes
        if takes_path(route, compared)
        and takes_method(route, method.decode())
        and (not route.match_host or any(is_host(pattern, name) for pattern in route.match_host))
        and has_headers(route, fields)
    ]
    matching.sort(
        key=lambda route: (
            host_rank(route, name),
            path_rank(route),
            not route.methods,
            -len(route.match_headers),
            len(all_methods(route)),
            repr(replace(route, line=0)),
        )
    )
    return matching[0] if matching else None


# --- what routes and requests are made of: few parts, so that they meet -----------------------------------------------

SEGMENTS = ["a", "api", "apikey", "b", "v1", "x.map", "a;p", "@s"]
EXTRA = [
    "",
    ".",
    "..",
    "%2e%2E",
    "%61",
    "%41pi",
    "a%2Fb",
    "%zz",
    "%",
    "%%34%31",
    "caf\u00e9",
    "[i]",
    "%7e",
    "%5c",
    "%40s",
]


def joined(parts: list[str]) -> str:
    return "/" + "/".join(parts)


plain_paths = st.lists(st.sampled_from(SEGMENTS), max_size=4).map(joined)
plain_or_closed = st.builds(lambda path, end: path.rstrip("/") + end or "/", plain_paths, st.sampled_from(["", "/"]))
raw_paths = (
    st.lists(st.sampled_from(SEGMENTS) | st.sampled_from(EXTRA), max_size=6).map(joined).map(lambda path: path.encode())
)
globs = st.lists(st.sampled_from(["a", "api", "*", "**", "?", "/", "/a", "/b", "x.map", "/**/"]), max_size=6).map(
    lambda parts: re.sub(r"\*{3,}", "**", re.sub("/+", "/", "/" + "".join(parts)))
)
regexes = st.sampled_from(["/.*", "/api|/b", "/a.*/b", "/(?i:API)/.*", "/v[0-9]+/?", ".*", "/a"])
methods = st.lists(st.sampled_from(["GET", "HEAD", "POST", "get"]), max_size=2, unique=True).map(tuple)
hosts = st.lists(st.sampled_from(["a.test", "b.test", "*.a.test", "*.test", "x.a.test"]), max_size=2, unique=True)
headers = st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.sampled_from(["*", "1", "1*2", "?"]), max_size=2)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    kind = draw(st.sampled_from(PathKind))
    source = {PathKind.GLOB: globs, PathKind.REGEX: regexes}.get(kind, plain_or_closed)
    return Route(
        kind=kind,
        pattern=draw(source),
        upstream=draw(st.sampled_from(["one", "two"])),
        methods=draw(methods),
        match_host=tuple(draw(hosts)),
        match_headers=tuple(draw(headers).items()),
        line=draw(st.integers(0, 9)),
    )


tables = st.lists(routes(), max_size=8)
request_methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"get", b"PURGE"])
request_hosts = st.sampled_from(
    [b"", b"a.test", b"A.TEST:80", b"x.a.test.", b"y.x.a.test:1", b"b.test", b"other", b".test"]
)
request_fields = st.lists(
    st.builds(
        lambda name, value: Field(name + b": " + value, name, value),
        st.sampled_from([b"x-a", b"x-b"]),
        st.sampled_from([b"", b"1", b"12", b"132"]),
    ),
    max_size=3,
)


# --- the form that is compared ----------------------------------------------------------------------------------------

octets = st.lists(
    st.sampled_from(
        [b"/", b".", b"%", b"2", b"4", b"e", b"E", b"F", b"f", b"1", b"a", b"\xff", b"\\", b"[", b"%25", b"~"]
    ),
    max_size=12,
).map(b"".join)
any_path = octets | raw_paths | st.binary(max_size=12)


@given(any_path)
@example(b"%%34%31")
@example(b"/%4%31")
@example(b"/..")
def test_the_canonical_form_is_that_of_the_reference(path: bytes) -> None:
    assert canonical_path(path) == reference_canonical(path)


@given(any_path)
def test_the_canonical_form_of_a_canonical_form_is_itself(path: bytes) -> None:
    once = canonical_path(path)
    assert canonical_path(once) == once


@given(any_path)
def test_a_canonical_form_is_ascii_and_has_no_empty_or_dot_segments(path: bytes) -> None:
    compared = canonical_path(path)
    assume(compared != b"*")
    assert compared.startswith(b"/")
    assert compared.isascii()
    assert not {b"", b".", b".."} & set(compared[1:].removesuffix(b"/").split(b"/")) or compared == b"/"


@given(plain_or_closed, st.data())
def test_encoding_octets_of_a_path_never_changes_its_canonical_form(path: str, data: st.DataObject) -> None:
    encoded = "".join(
        char if char == "/" or data.draw(st.booleans()) else data.draw(st.sampled_from([f"%{ord(char):02x}", char]))
        for char in path
    )
    assert canonical_path(encoded.encode()) == canonical_path(path.encode())


# --- the choice -------------------------------------------------------------------------------------------------------


@given(tables, request_methods, raw_paths, request_hosts, request_fields)
def test_the_route_chosen_is_that_of_the_reference(
    table: list[Route], method: bytes, path: bytes, host: bytes, fields: list[Field]
) -> None:
    expected = reference_match(table, method, path, host, fields)
    chosen = RouteTable(table).match(method, path, host, fields)
    assert (chosen is None) == (expected is None)
    if chosen is not None and expected is not None:
        assert replace(chosen, line=0) == replace(expected, line=0)
        assert any(chosen is route for route in table)


@given(globs, raw_paths)
@example("/**a*/**/x.map", b"/aa/b/x.map")
@settings(max_examples=400)
def test_a_glob_takes_the_paths_that_a_backtracking_reading_takes(pattern: str, path: bytes) -> None:
    table = RouteTable([Route(kind=PathKind.GLOB, pattern=pattern, upstream="one")])
    expected = reference_glob(pattern, reference_canonical(path).decode())
    assert (table.match(b"GET", path, b"", []) is not None) == expected


@given(tables.flatmap(lambda table: st.tuples(st.just(table), st.permutations(table))), request_methods, raw_paths)
def test_the_order_of_declaration_never_matters(
    tables: tuple[list[Route], list[Route]], method: bytes, path: bytes
) -> None:
    one, other = (RouteTable(table) for table in tables)
    for host in (b"a.test", b"x.a.test", b""):
        chosen, again = one.match(method, path, host, []), other.match(method, path, host, [])
        assert chosen is again or (
            chosen is not None and again is not None and replace(chosen, line=0) == replace(again, line=0)
        )


@given(tables, request_methods, raw_paths | st.just(b"*"), request_hosts, request_fields)
def test_the_explanation_agrees_with_the_choice(
    routes: list[Route], method: bytes, path: bytes, host: bytes, fields: list[Field]
) -> None:
    table = RouteTable(routes)
    verdicts = table.explain(method, path, host, fields)
    assert sorted(id(verdict.route) for verdict in verdicts) == sorted({id(route) for route in routes})
    assert all(verdict.reasons and all(verdict.reasons) for verdict in verdicts)
    chosen = [verdict.route for verdict in verdicts if verdict.chosen]
    expected = table.match(method, path, host, fields)
    assert chosen == ([] if expected is None else [expected])
    assert not chosen or chosen[0] is expected
    assert [verdict.route for verdict in verdicts if verdict.matched][:1] == chosen


# --- rewriting --------------------------------------------------------------------------------------------------------

# Nothing in these climbs out of them.
suffixes = st.lists(
    st.sampled_from(
        [*SEGMENTS, "", ".", "%2e", "%61", "a%2Fb", "%zz", "%", "%%34%31", "caf\u00e9", "a/..", "a//%2e%2E"]
    ),
    max_size=5,
).map(lambda parts: "".join("/" + part for part in parts).encode())


def prefixed(pattern: str, rewrite: str) -> Route:
    return Route(kind=PathKind.PREFIX, pattern=pattern, upstream="one", rewrite=rewrite)


@given(plain_or_closed, suffixes)
def test_everything_behind_a_prefix_stays_octet_for_octet(prefix: str, suffix: bytes) -> None:
    path = prefix.rstrip("/").encode() + suffix
    assert rewritten_path(prefixed(prefix, "/new/"), path or b"/") == b"/new" + (suffix or (b"" if path else b"/"))


@given(plain_or_closed, suffixes)
def test_a_stripped_prefix_leaves_the_rest_with_one_slash_before_it(prefix: str, suffix: bytes) -> None:
    path = prefix.rstrip("/").encode() + suffix
    assert rewritten_path(prefixed(prefix, "/"), path or b"/") == b"/" + suffix.lstrip(b"/")


@given(plain_or_closed, plain_or_closed, raw_paths)
def test_a_rewritten_path_is_where_the_rewrite_and_the_rest_of_the_path_lead(
    prefix: str, rewrite: str, path: bytes
) -> None:
    route = prefixed(prefix, rewrite)
    assume(RouteTable([route]).match(b"GET", path, b"", []))
    rest = reference_canonical(path)[len(prefix.rstrip("/")) :]
    result = rewritten_path(route, path)
    assert result.startswith(b"/")
    assert not result.startswith(b"//")
    assert reference_canonical(result) == reference_canonical(rewrite.rstrip("/").encode() + rest)


@given(plain_or_closed, plain_or_closed, raw_paths)
def test_what_stays_of_a_path_is_the_end_of_it_as_it_came(prefix: str, rewrite: str, path: bytes) -> None:
    route = prefixed(prefix, rewrite)
    assume(RouteTable([route]).match(b"GET", path, b"", []))
    base = rewrite.rstrip("/").encode()
    rest = rewritten_path(route, path)[len(base) :]
    assert path.endswith(rest) or (rest == b"/" and not base)


@given(plain_or_closed, plain_or_closed)
def test_rewriting_to_the_same_prefix_changes_no_plain_path(prefix: str, path: str) -> None:
    route = prefixed(prefix, prefix)
    assume(RouteTable([route]).match(b"GET", path.encode(), b"", []))
    assert rewritten_path(route, path.encode()) == path.encode()
