"""The order of decisions: Host, guard, expressions. What gets through goes where plain precedence takes it."""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import Config, Cors, PathKind, PreflightMode, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, Respond, Snapshot, compile_snapshot, plan_request
from devproxy.policy.cors import compile_cors, decide
from devproxy.policy.hosts import compile_hosts, judge_source
from devproxy.policy.preflight import judge_preflight, read_preflight
from devproxy.routing.table import RouteTable
from hypothesis import given, settings
from hypothesis import strategies as st

HTTP = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
HOSTS = compile_hosts((), ())

conditions = st.one_of(
    st.tuples(st.just(PathKind.PREFIX), st.sampled_from(["/", "/a/", "/a/b/", "/ws"])),
    st.tuples(st.just(PathKind.EXACT), st.sampled_from(["/a", "/a/b", "/ws"])),
    st.tuples(st.just(PathKind.GLOB), st.sampled_from(["/a/*", "/**", "/**/b", "/*/b"])),
    st.tuples(st.just(PathKind.REGEX), st.sampled_from(["/a.*", "/(a|b)/.*", ".*b", "/[a-z]"])),
)
policies = st.builds(
    Cors,
    origins=st.sampled_from([None, (), ("https://evil.test",), ("https://*.test",)]),
    preflight=st.sampled_from(list(PreflightMode)),
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    kind, pattern = draw(conditions)
    return Route(
        kind=kind,
        pattern=pattern,
        upstream=draw(st.sampled_from(["b", "c"])),
        methods=draw(st.sampled_from([(), ("GET",), ("POST",)])),
        match_headers=draw(st.sampled_from([(), (("X-A", "1*"),)])),
        guard=draw(st.booleans()),
        cors=draw(policies),
    )


requests = st.builds(
    lambda method, path, host, lines: parse_request_head(
        b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: " + host, *lines)), Limits()
    ),
    st.sampled_from([b"GET", b"POST", b"OPTIONS"]),
    st.sampled_from([b"/", b"/a", b"/a/", b"/a/b", b"/a/b/c", b"/b/b", b"/ws", b"/x", b"/a/c"]),
    st.sampled_from([b"localhost", b"127.0.0.1:8080", b"evil.test", b"0.0.0.0"]),
    st.lists(
        st.sampled_from(
            [
                b"X-A: 12",
                b"Origin: https://evil.test",
                b"Origin: http://localhost:3000",
                b"Sec-Fetch-Site: cross-site",
                b"Sec-Fetch-Mode: navigate",
                b"Access-Control-Request-Method: PUT",
                b"Connection: Upgrade\r\nUpgrade: websocket",
            ]
        ),
        max_size=5,
        unique=True,
    ).map(lambda lines: b"\r\n".join(lines).split(b"\r\n") if lines else []),
)


def snapshot_of(table: list[Route]) -> Snapshot:
    upstreams = tuple(Upstream(name=name, servers=(HTTP,)) for name in "bc")
    distinct = {repr(replace(route, guard=True, cors=Cors(), upstream="")): route for route in table}
    return compile_snapshot(Config(server=Server(), upstreams=upstreams, routes=tuple(distinct.values())), "0000")


def naive(head: RequestHead, snapshot: Snapshot) -> Route | None:
    """The route that gets `head`, found first and judged then; None where devproxy answers by itself."""
    if not HOSTS.judge(head.facts.host).is_allowed:
        return None
    route = RouteTable(snapshot.config.routes).match(head.method, head.path, head.facts.host, head.fields)
    if route is None:
        return None
    policy = compile_cors(route.cors, "")
    preflight = read_preflight(head)
    if preflight is not None:
        return None if policy.preflight is PreflightMode.ANSWER else route
    facts = head.facts
    is_allowed = decide(policy, facts.origins).is_allowed
    refusal = judge_source(head.method, facts, route.cors, is_origin_allowed=is_allowed)
    return None if route.guard and refusal is not None else route


@given(st.lists(routes(), max_size=5), requests)
@settings(max_examples=1200, deadline=None)
def test_who_gets_a_request_is_whom_plain_precedence_and_the_guard_choose(
    table: list[Route], head: RequestHead
) -> None:
    snapshot = snapshot_of(table)
    plan, expected = plan_request(head, snapshot), naive(head, snapshot)
    if head.path == b"/ws" and head.upgrade:
        return  # the rule of hot reload has its own tests
    if isinstance(plan, Forward):
        assert plan.compiled.route is expected
    else:
        assert expected is None


@given(st.lists(routes(), max_size=5), requests)
@settings(max_examples=500, deadline=None)
def test_a_preflight_that_is_allowed_is_answered_as_its_route_says(table: list[Route], head: RequestHead) -> None:
    snapshot = snapshot_of(table)
    plan, preflight = plan_request(head, snapshot), read_preflight(head)
    if preflight is None or not HOSTS.judge(head.facts.host).is_allowed:
        return
    route = RouteTable(snapshot.config.routes).match(head.method, head.path, head.facts.host, head.fields)
    if route is not None and route.cors.preflight is PreflightMode.ANSWER:
        verdict = judge_preflight(compile_cors(route.cors, ""), preflight)
        assert isinstance(plan, Respond)
        if verdict.is_allowed:
            assert plan.lines == verdict.lines
        else:
            assert plan.answer.status == 403


SLOW = "/(?:.*/)(?:.*/)(?:.*/)edit"
"""Cubic: with the path below, hours."""
LONG = b"/" + b"a/" * 7000


def slow_table() -> Snapshot:
    slow = Route(kind=PathKind.REGEX, pattern=SLOW, upstream="b")
    glob = Route(kind=PathKind.GLOB, pattern="/**/a/**/b/**/c", upstream="b")
    rest = Route(kind=PathKind.PREFIX, pattern="/", upstream="c")
    return snapshot_of([slow, glob, rest])


def test_no_expression_is_compared_with_what_a_host_or_a_page_that_is_refused_has_chosen() -> None:
    """Would not end otherwise: 7,000 segments, three of them sought anywhere."""
    refused = (
        (b"Host: evil.test",),
        (b"Host: 0.0.0.0",),
        (b"Host: localhost", b"Origin: https://evil.test"),
        (b"Host: localhost", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors"),
        (b"Host: localhost", b"Origin: null", b"Connection: Upgrade", b"Upgrade: websocket"),
    )
    for lines in refused:
        head = parse_request_head(b"\r\n".join((b"GET " + LONG + b" HTTP/1.1", *lines)), Limits())
        plan = plan_request(head, slow_table())
        assert isinstance(plan, Respond)
        assert plan.answer.status in (403, 421)
    lines = (b"Host: localhost", b"Origin: https://evil.test", b"Access-Control-Request-Method: PUT")
    head = parse_request_head(b"\r\n".join((b"OPTIONS " + LONG + b" HTTP/1.1", *lines)), Limits())
    plan = plan_request(head, slow_table())
    assert isinstance(plan, Respond)
    assert plan.answer.code == "preflight-refused"
