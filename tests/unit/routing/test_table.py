"""Routing: the form of a path that is compared, conditions, precedence, explanations, labels and rewriting."""

from __future__ import annotations

import random
import time

import pytest
from devproxy.config.model import PathKind, Route
from devproxy.http.fields import Field, make_field
from devproxy.routing.table import RouteTable, RouteVerdict, canonical_path, rewritten_path

EXACT, PREFIX, GLOB, REGEX = PathKind.EXACT, PathKind.PREFIX, PathKind.GLOB, PathKind.REGEX


def prefix(
    pattern: str,
    *,
    methods: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
    kind: PathKind = PREFIX,
    rewrite: str | None = None,
) -> Route:
    return Route(
        kind=kind,
        pattern=pattern,
        upstream="backend",
        methods=methods,
        match_host=hosts,
        match_headers=headers,
        rewrite=rewrite,
    )


def exact(pattern: str, *, rewrite: str | None = None) -> Route:
    return prefix(pattern, kind=EXACT, rewrite=rewrite)


def glob(pattern: str) -> Route:
    return prefix(pattern, kind=GLOB)


def regex(pattern: str) -> Route:
    return prefix(pattern, kind=REGEX)


def fields(*lines: tuple[bytes, bytes]) -> list[Field]:
    return [make_field(name, value) for name, value in lines]


def takes(
    route: Route,
    path: bytes,
    *,
    method: bytes = b"GET",
    host: bytes = b"localhost:8080",
    given: list[Field] | None = None,
) -> bool:
    return RouteTable([route]).match(method, path, host, given or []) is route


def chosen(routes: list[Route], path: bytes, *, method: bytes = b"GET", host: bytes = b"localhost") -> Route | None:
    """The route that takes the request, the same in whatever order the routes are given."""
    found = RouteTable(routes).match(method, path, host, [])
    assert RouteTable(routes[::-1]).match(method, path, host, []) is found
    return found


# --- the form of a path that is compared ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "compared"),
    [
        (b"/%61pi/%7Euser/%2D%5F%2e%7e", b"/api/~user/-_.~"),
        (b"/%40scope/a%3Ab%3bc%2C", b"/@scope/a:b;c,"),
        (b"/a%2fb%2F%5c%25%3f%23", b"/a%2Fb%2F%5C%25%3F%23"),
        (b"/caf\xc3\xa9/%c3%a9", b"/caf%C3%A9/%C3%A9"),
        (b'/[id]/{a}|"<>^`\\', b"/%5Bid%5D/%7Ba%7D%7C%22%3C%3E%5E%60%5C"),
        (b"/a\x00\x7f", b"/a%00%7F"),
    ],
)
def test_an_octet_compares_alike_in_whatever_way_it_is_written(path: bytes, compared: bytes) -> None:
    assert canonical_path(path) == compared


@pytest.mark.parametrize("path", [b"/%zz", b"/100%", b"/%4", b"/%", b"/%g1%"])
def test_a_percent_that_encodes_nothing_stays(path: bytes) -> None:
    assert canonical_path(path) == path


@pytest.mark.parametrize(
    ("path", "compared"),
    [(b"/%%34%31", b"/%%341"), (b"/%4%31", b"/%4%31"), (b"/%2541", b"/%2541"), (b"/%%%61", b"/%%%61")],
)
def test_nothing_is_ever_decoded_twice(path: bytes, compared: bytes) -> None:
    assert canonical_path(path) == compared
    assert canonical_path(compared) == compared


@pytest.mark.parametrize(
    ("path", "compared"),
    [
        (b"//", b"/"),
        (b"//api///x//", b"/api/x/"),
        (b"/a/./b/.", b"/a/b/"),
        (b"/a/b/../c", b"/a/c"),
        (b"/a/b/..", b"/a/"),
        (b"/a/..", b"/"),
        (b"/../../etc/passwd", b"/etc/passwd"),
        (b"/x/%2e%2E/api", b"/api"),
        (b"/x/.%2e/%2e/api", b"/api"),
        (b"/a//../b", b"/b"),
        (b"/a/..%2Fb", b"/a/..%2Fb"),
        (b"/.../.a/a.", b"/.../.a/a."),
        (b"", b"/"),
        (b"api", b"/api"),
    ],
)
def test_empty_and_dot_segments_are_gone(path: bytes, compared: bytes) -> None:
    assert canonical_path(path) == compared


@pytest.mark.parametrize(
    "path", [b"/", b"*", b"/api/users/1", b"/node_modules/.vite/deps/x.js", b"/a%20b/%C3%A9", b"/a;b=c", b"/@fs/x"]
)
def test_a_path_that_has_the_form_already_comes_back_itself(path: bytes) -> None:
    assert canonical_path(path) is path


def test_encoded_octets_are_known_to_the_quick_check_as_they_are_to_the_thorough_one() -> None:
    for octet in range(256):
        upper, lower = b"/a%%%02X" % octet, b"/a%%%02x" % octet
        compared = canonical_path(b"/" + lower)  # the empty segment leaves it to the thorough one
        assert canonical_path(upper) == canonical_path(lower) == compared
        assert (canonical_path(upper) is upper) == (upper == compared)


# --- kinds of path conditions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["/api", "/api/", "/%61pi", "//api/"])
def test_a_prefix_takes_whole_segments(pattern: str) -> None:
    route = prefix(pattern)
    for path in (
        b"/api",
        b"/api/",
        b"/api/x",
        b"/api/x/y/",
        b"/api//x",
        b"/%61pi/x",
        b"//api",
        b"/x/../api",
        b"/API/../api",
    ):
        assert takes(route, path), path
    for path in (b"/apikey", b"/ap", b"/", b"/x/api", b"/API", b"/api%2Fx", b"/api;v=1", b"/api/..", b"/api/%2e%2e/x"):
        assert not takes(route, path), path


def test_a_prefix_of_several_segments_takes_all_of_them() -> None:
    route = prefix("/api/v1/")
    assert takes(route, b"/api/v1")
    assert takes(route, b"/api/v1/x")
    assert not takes(route, b"/api/v10")
    assert not takes(route, b"/api")
    assert not takes(route, b"/other/v1/")


def test_the_prefix_of_one_slash_takes_everything() -> None:
    for path in (b"/", b"//", b"/x", b"/..", b"/%zz", b"*"):
        assert takes(prefix("/"), path)


def test_a_prefix_written_in_unicode_takes_the_encoding_that_browsers_send() -> None:
    assert takes(prefix("/caf\u00e9/"), b"/caf%C3%A9/menu")
    assert takes(prefix("/caf\u00e9/"), b"/caf\xc3\xa9")


def test_an_exact_path_counts_the_slash_at_its_end() -> None:
    assert takes(exact("/a"), b"/%61")
    assert not takes(exact("/a"), b"/a/")
    assert takes(exact("/a/"), b"/a/")
    assert takes(exact("/a/"), b"/a/b/..")
    assert not takes(exact("/a/"), b"/a")
    assert takes(exact("/"), b"/")
    assert not takes(exact("/"), b"/x")


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("/*.js", [b"/a.js", b"/.js"], [b"/a/b.js", b"/a.jsx", b"/a.js/"]),
        ("/a/*/c", [b"/a/b/c"], [b"/a/c", b"/a/b/b/c"]),
        ("/a/**", [b"/a/", b"/a/b", b"/a/b/c"], [b"/a", b"/ab"]),
        ("/a/**/c", [b"/a/c", b"/a/b/c", b"/a/b/b/c"], [b"/ac", b"/a/bc", b"/a/xc"]),
        ("/**/x.map", [b"/x.map", b"/a/b/x.map"], [b"/ax.map"]),
        ("/assets/**.map", [b"/assets/a.map", b"/assets/a/b.map"], [b"/a.map", b"/assets/map"]),
        ("/**/**/x", [b"/x", b"/a/x", b"/a/b/c/x"], [b"/ax"]),
        ("/v?/x", [b"/v1/x"], [b"/v/x", b"/v12/x", b"/v//x"]),
        ("/a**b", [b"/ab", b"/a/b", b"/axxb"], [b"/a/"]),
        ("/*a*b/c", [b"/ab/c", b"/xayb/c", b"/aab/c"], [b"/ba/c", b"/a/b/c"]),
        ("/a.b", [b"/a.b"], [b"/axb"]),
        ("/a*b**c", [b"/axb/c", b"/abc"], [b"/ax/c", b"/axc/b"]),
        ("/%2A", [b"/*", b"/%2a"], [b"/x"]),
        ("/caf\u00e9/*", [b"/caf%c3%a9/x"], [b"/caf/x"]),
    ],
)
def test_a_glob_takes_the_whole_path(pattern: str, taken: list[bytes], left: list[bytes]) -> None:
    assert [path for path in taken + left if takes(glob(pattern), path)] == taken


def test_a_regular_expression_takes_the_whole_canonical_path() -> None:
    route = regex("/v[0-9]+/(users|rooms)")
    assert takes(route, b"/v1/users")
    assert takes(route, b"//v1/x/../%72ooms")
    assert not takes(route, b"/v1/users/1")
    assert not takes(route, b"/api/v1/users")
    assert not takes(regex("/a|/b"), b"/ab")


@pytest.mark.parametrize("pattern", ["/*a*a*a*a*a*a*a*b", "/**a**a**a**a**a**a**b", "/**a/**a/**a/**a/**a/*b"])
def test_a_glob_of_many_stars_is_done_with_a_hostile_path_at_once(pattern: str) -> None:
    table = RouteTable([glob(pattern)])
    path = b"/" + b"a" * 2000 + b"/a" * 1000
    start = time.process_time()
    assert table.match(b"GET", path, b"", []) is None
    assert time.process_time() - start < 5  # with one more loop for each star it would be years


# --- other conditions -------------------------------------------------------------------------------------------------


def test_methods_are_compared_in_their_own_case() -> None:
    route = prefix("/", methods=("POST", "PUT"))
    assert takes(route, b"/", method=b"PUT")
    assert not takes(route, b"/", method=b"put")
    assert not takes(route, b"/", method=b"GET")
    assert not takes(route, b"/", method=b"HEAD")


def test_head_goes_where_get_goes_unless_a_route_names_it() -> None:
    get, head = prefix("/", methods=("GET",)), prefix("/", methods=("HEAD",))
    assert takes(get, b"/", method=b"HEAD")
    assert chosen([get, head], b"/", method=b"HEAD") is head
    assert chosen([get, head], b"/", method=b"GET") is get
    assert not takes(head, b"/", method=b"GET")


@pytest.mark.parametrize(
    "host", [b"app.test", b"APP.Test", b"app.test:8080", b"app.test.", b"app.test.:80", b"app.test:"]
)
def test_a_host_is_compared_without_port_case_and_final_dot(host: bytes) -> None:
    assert takes(prefix("/", hosts=("app.test",)), b"/", host=host)
    assert takes(prefix("/", hosts=("App.Test.",)), b"/", host=host)


@pytest.mark.parametrize("host", [b"", b"xapp.test", b"app.test.evil", b"x.app.test", b"app.test..", b"[::1]"])
def test_another_host_is_not_taken(host: bytes) -> None:
    assert not takes(prefix("/", hosts=("app.test",)), b"/", host=host)


def test_a_wildcard_host_takes_names_of_any_depth_below_it() -> None:
    route = prefix("/", hosts=("*.app.test",))
    assert takes(route, b"/", host=b"x.app.test:1")
    assert takes(route, b"/", host=b"y.X.app.test.")
    assert not takes(route, b"/", host=b"app.test")
    assert not takes(route, b"/", host=b".app.test")
    assert not takes(route, b"/", host=b"xapp.test")


@pytest.mark.parametrize("host", [b"[::1]", b"[::1]:8080", b"[0:0::0001]"])
def test_an_ipv6_host_is_compared_in_its_short_form(host: bytes) -> None:
    assert takes(prefix("/", hosts=("[::1]",)), b"/", host=host)
    assert takes(prefix("/", hosts=("[0::1]",)), b"/", host=host)
    assert not takes(prefix("/", hosts=("[::2]",)), b"/", host=host)


@pytest.mark.parametrize("host", [b"[", b"[x]", b"[::1", b"[\xff]", b":80", b"\xff"])
def test_a_host_that_is_none_is_taken_by_no_host(host: bytes) -> None:
    assert not takes(prefix("/", hosts=("app.test", "*.test", "[::2]")), b"/", host=host)


def test_every_header_given_is_needed_and_any_of_its_lines_will_do() -> None:
    route = prefix("/", headers=(("X-Tenant", "blue*"), ("accept", "*")))
    accept = (b"Accept", b"text/html")
    assert takes(route, b"/", given=fields((b"x-tenant", b"red"), (b"X-TENANT", b"blue-1"), accept))
    assert not takes(route, b"/", given=fields((b"X-Tenant", b"blue-1")))
    assert not takes(route, b"/", given=fields((b"X-Tenant", b"light blue"), accept))
    assert not takes(route, b"/", given=fields((b"X-Tenant", b"Blue"), accept))


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("*", [b"", b"anything/at all"], []),
        ("", [b""], [b"x"]),
        ("a?c", [b"abc", b"a/c"], [b"ac", b"abbc"]),
        ("*json*", [b"application/json", b"a, x/json; q=1"], [b"text/html"]),
        ("a*b*c", [b"abc", b"a1b2c", b"abbcc"], [b"acb", b"abcd"]),
        ("1.0", [b"1.0"], [b"1x0"]),
        ("caf\u00e9", [b"caf\xc3\xa9"], [b"caf\xe9"]),
    ],
)
def test_the_value_of_a_header_is_a_glob(pattern: str, taken: list[bytes], left: list[bytes]) -> None:
    route = prefix("/", headers=(("X-A", pattern),))
    assert [value for value in taken + left if takes(route, b"/", given=fields((b"X-A", value)))] == taken


# --- precedence -------------------------------------------------------------------------------------------------------


def test_no_route_takes_what_none_matches() -> None:
    assert chosen([], b"/") is None
    assert chosen([prefix("/api"), exact("/x")], b"/y") is None


def test_the_longer_prefix_wins() -> None:
    root, api, v1 = prefix("/"), prefix("/api/"), prefix("/api/v1")
    assert chosen([root, api, v1], b"/api/v1/x") is v1
    assert chosen([root, api, v1], b"/api/v10") is api
    assert chosen([root, api, v1], b"/apikey") is root


def test_exact_wins_over_regular_expression_over_glob_over_prefix() -> None:
    by_kind = [exact("/api/x"), regex("/.*"), glob("/api/?"), prefix("/api/x")]
    while by_kind:
        assert chosen(by_kind, b"/api/x") is by_kind.pop(0)


def test_the_glob_with_more_literal_text_wins_and_then_the_narrower_wildcard() -> None:
    globs = [glob("/a/bc*"), glob("/a/b?"), glob("/a/b?*"), glob("/a/b*"), glob("/a/b**"), glob("/**")]
    while globs:
        assert chosen(globs, b"/a/bc") is globs.pop(0)


def test_the_longer_regular_expression_wins() -> None:
    short, long = regex("/.*"), regex("/api/.*")
    assert chosen([short, long], b"/api/x") is long


def test_a_host_counts_more_than_any_path() -> None:
    anywhere, wide, narrow, named = (
        exact("/api"),
        prefix("/", hosts=("*.test",)),
        prefix("/", hosts=("*.a.test",)),
        prefix("/", hosts=("x.a.test",)),
    )
    table = [anywhere, wide, narrow, named]
    assert chosen(table, b"/api", host=b"x.a.test") is named
    assert chosen(table, b"/api", host=b"y.a.test") is narrow
    assert chosen(table, b"/api", host=b"b.test") is wide
    assert chosen(table, b"/api", host=b"localhost") is anywhere


def test_a_route_with_several_hosts_counts_as_the_one_that_is_asked_for() -> None:
    one = prefix("/", hosts=("a.test", "*.b.test"))
    other = prefix("/", hosts=("x.b.test", "*.test"))
    assert chosen([one, other], b"/", host=b"a.test") is one
    assert chosen([one, other], b"/", host=b"x.b.test") is other
    assert chosen([one, other], b"/", host=b"y.b.test") is one


def test_methods_count_more_than_headers_and_headers_more_than_nothing() -> None:
    both = prefix("/", methods=("GET",), headers=(("X-A", "*"),))
    method = prefix("/", methods=("GET",))
    two, one = prefix("/", headers=(("X-A", "*"), ("X-B", "*"))), prefix("/", headers=(("X-A", "*"),))
    plain = prefix("/")
    remaining = [both, method, two, one, plain]
    given = fields((b"X-A", b"1"), (b"X-B", b"1"))
    while remaining:
        assert RouteTable(remaining[::-1]).match(b"GET", b"/", b"", given) is remaining.pop(0)


def test_routes_are_listed_in_order_of_precedence() -> None:
    ordered = (
        prefix("/", hosts=("a.test",)),
        exact("/x"),
        glob("/*"),
        prefix("/api", methods=("GET",)),
        prefix("/api"),
    )
    shuffled = random.Random(1).sample(ordered, len(ordered))
    assert RouteTable(shuffled).routes == ordered


def test_options_of_the_server_as_a_whole_go_where_the_root_goes() -> None:
    root, api = prefix("/"), prefix("/api")
    assert chosen([root, api], b"*", method=b"OPTIONS") is root
    assert chosen([api], b"*", method=b"OPTIONS") is None


# --- explanations -----------------------------------------------------------------------------------------------------


def verdict(
    route: Route, path: bytes = b"/x", *, host: bytes = b"a.test", given: list[Field] | None = None
) -> RouteVerdict:
    [only] = RouteTable([route]).explain(b"GET", path, host, given or [])
    return only


@pytest.mark.parametrize(
    ("route", "path", "reason"),
    [
        (prefix("/api"), b"/apikey", "`/apikey` is not below the segment `/api`"),
        (prefix("/api/v1/"), b"/api", "`/api` is not below the segments `/api/v1`"),
        (prefix("/api"), b"//%61pikey", "`//%61pikey` (compared as `/apikey`) is not below the segment `/api`"),
        (exact("/api"), b"/api/", "`/api/` is not exactly `/api`"),
        (glob("/*.js"), b"/a.css", "`/a.css` does not match the glob `/*.js`"),
        (regex("/v[0-9]"), b"/v1/", "`/v1/` does not match the regular expression `/v[0-9]`"),
        (prefix("/", methods=("POST", "PUT")), b"/x", "method GET is not one of POST, PUT"),
        (prefix("/", methods=("POST",)), b"/x", "method GET is not POST"),
        (prefix("/", hosts=("b.test",)), b"/x", "the Host `a.test` is not `b.test`"),
        (prefix("/", hosts=("b.test", "*.b.test")), b"/x", "the Host `a.test` is not one of `b.test`, `*.b.test`"),
        (prefix("/", headers=(("X-Tenant", "b*"),)), b"/x", "there is no header `X-Tenant`"),
    ],
)
def test_a_route_that_does_not_match_says_why(route: Route, path: bytes, reason: str) -> None:
    assert verdict(route, path) == RouteVerdict(route, False, False, (reason,))


def test_every_condition_that_fails_is_named() -> None:
    route = prefix("/api", methods=("POST",), hosts=("b.test",), headers=(("X-A", "1"),))
    assert verdict(route, given=fields((b"X-A", b"2"), (b"x-a", b"\xff3"))).reasons == (
        "`/x` is not below the segment `/api`",
        "method GET is not POST",
        "the Host `a.test` is not `b.test`",
        "the header `X-A` is `2` and `\\xff3`, not `1`",
    )


def test_a_request_without_host_is_said_to_have_none() -> None:
    assert verdict(prefix("/", hosts=("b.test",)), host=b"").reasons == ("there is no Host, and `b.test` is needed",)


def test_the_route_that_is_chosen_says_what_holds() -> None:
    route = prefix("/x", methods=("GET", "POST"), hosts=("a.test",), headers=(("X-A", "*"),))
    assert verdict(route, b"/x/y", given=fields((b"X-A", b"1"))).reasons == (
        "`/x/y` is `/x` or below it",
        "method GET is one of GET, POST",
        "the Host `a.test` is `a.test`",
        "the header `X-A` is `1`, as `*`",
    )


def test_head_is_said_to_follow_get() -> None:
    [only] = RouteTable([prefix("/", methods=("GET",))]).explain(b"HEAD", b"/", b"", [])
    assert only.reasons == ("every path is below `/`", "method HEAD is matched as GET")


def test_a_route_that_matches_but_is_not_chosen_names_the_one_that_is() -> None:
    root, v1 = prefix("/"), prefix("/api/v1/")
    verdicts = RouteTable([root, v1]).explain(b"GET", b"/api/v1/x", b"a.test", [])
    assert [(verdict.route, verdict.matched, verdict.chosen) for verdict in verdicts] == [
        (v1, True, True),
        (root, True, False),
    ]
    assert verdicts[1].reasons == ("matches, but route `/api/v1/` is more specific",)


def test_a_tie_is_said_to_be_one() -> None:
    one, other = prefix("/", headers=(("A", "*"),)), prefix("/", headers=(("B", "*"),))
    verdicts = RouteTable([other, one]).explain(b"GET", b"/", b"", fields((b"A", b""), (b"B", b"")))
    assert verdicts[1].reasons == ("matches, but route `/ (A: *)` is as specific, and comes first alphabetically",)


def test_the_order_of_an_explanation_is_that_of_the_hosts_asked_for() -> None:
    one = prefix("/", hosts=("a.test", "*.b.test"))
    other = prefix("/", hosts=("x.b.test", "*.test"))
    table = RouteTable([one, other])
    assert [verdict.route for verdict in table.explain(b"GET", b"/", b"x.b.test", [])] == [other, one]
    assert [verdict.route for verdict in table.explain(b"GET", b"/", b"a.test", [])] == [one, other]


def test_an_explanation_is_safe_to_print() -> None:
    [only] = RouteTable([prefix("/api", methods=("POST",))]).explain(b"G\x1b[31m", b"/\x1b\xff", b"", [])
    assert all(reason.isprintable() for reason in only.reasons)


# --- rewriting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "rewrite", "path", "sent"),
    [
        ("/api/", "/v1/", b"/api/users", b"/v1/users"),
        ("/api", "/v1", b"/api/users", b"/v1/users"),
        ("/api/", "/v1/", b"/api/", b"/v1/"),
        ("/api/", "/v1/", b"/api", b"/v1"),
        ("/", "/app/", b"/x", b"/app/x"),
        ("/", "/app", b"/", b"/app/"),
        ("/a/b/", "/c", b"/a/b/d", b"/c/d"),
    ],
)
def test_a_prefix_is_replaced_by_segment(pattern: str, rewrite: str, path: bytes, sent: bytes) -> None:
    assert rewritten_path(prefix(pattern, rewrite=rewrite), path) == sent


@pytest.mark.parametrize(
    ("path", "sent"), [(b"/api", b"/"), (b"/api/", b"/"), (b"/api/users/", b"/users/"), (b"/%61pi/users", b"/users")]
)
def test_a_prefix_is_stripped_to_a_slash(path: bytes, sent: bytes) -> None:
    assert rewritten_path(prefix("/api/", rewrite="/"), path) == sent


@pytest.mark.parametrize(
    "path", [b"/api//evil.test/x", b"/api///evil.test/x", b"//api//evil.test/x", b"/x/..//api//evil.test/x"]
)
def test_a_stripped_prefix_never_leaves_the_name_of_a_host(path: bytes) -> None:
    assert rewritten_path(prefix("/api", rewrite="/"), path) == b"/evil.test/x"


@pytest.mark.parametrize(
    "rest",
    [
        b"/a%2Fb/%2e%2e%2f",
        b"/caf\xc3\xa9/%c3%a9",
        b"/%zz%",
        b"/a;b=1//c/",
        b"//a",
        b"/a/../b",
        b"/./",
        b"/[x]|",
        b"/%41%5c",
    ],
)
def test_what_stands_behind_a_prefix_is_sent_octet_for_octet(rest: bytes) -> None:
    route = prefix("/api/", rewrite="/v1/")
    for before in (b"/api", b"/%61pi", b"//api", b"/./api", b"/x/../api", b"/api/../api"):
        assert rewritten_path(route, before + rest) == b"/v1" + rest


@pytest.mark.parametrize("path", [b"/api/../api/x", b"/api/a/../../api/x", b"/api/%2e%2E/api/x", b"/../api/x"])
def test_dot_segments_never_climb_out_of_what_a_prefix_is_replaced_by(path: bytes) -> None:
    assert rewritten_path(prefix("/api/", rewrite="/v1/"), path) == b"/v1/x"


@pytest.mark.parametrize(
    ("path", "sent"), [(b"/../x", b"/v1/x"), (b"/a/../../x", b"/v1/x"), (b"/a/../x", b"/v1/a/../x"), (b"/..", b"/v1/")]
)
def test_dot_segments_never_climb_out_of_what_the_root_is_replaced_by(path: bytes, sent: bytes) -> None:
    assert rewritten_path(prefix("/", rewrite="/v1/"), path) == sent


@pytest.mark.parametrize(("rewrite", "sent"), [("/new", b"/new"), ("/new/", b"/new/"), ("/", b"/"), ("//new", b"/new")])
def test_an_exact_path_is_replaced_as_a_whole(rewrite: str, sent: bytes) -> None:
    assert rewritten_path(exact("/old", rewrite=rewrite), b"/%6Fld") == sent


def test_what_a_prefix_is_replaced_by_begins_with_one_slash() -> None:
    assert rewritten_path(prefix("/api/", rewrite="//v1//"), b"/api/x") == b"/v1/x"


@pytest.mark.parametrize("route", [prefix("/api"), exact("/api"), glob("/*"), regex("/.*")])
def test_without_rewrite_a_path_is_sent_as_it_came(route: Route) -> None:
    path = b"//%61pi/../x"
    assert rewritten_path(route, path) is path


@pytest.mark.parametrize("kind", [GLOB, REGEX])
def test_where_there_is_no_prefix_nothing_is_replaced(kind: PathKind) -> None:
    assert rewritten_path(prefix("/.*", kind=kind, rewrite="/new"), b"/.x") == b"/.x"


def test_the_asterisk_is_never_rewritten() -> None:
    assert rewritten_path(prefix("/", rewrite="/v1/"), b"*") == b"*"
