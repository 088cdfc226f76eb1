from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, compile_snapshot, edit_response, plan_request, render_request
from devproxy.plan.differences import Difference, request_differences, response_differences
from devproxy.policy.hop import Peer

UPSTREAMS = '[upstreams]\nbackend = "http://localhost:3001"\n'
PEER = Peer("127.0.0.1", "http")


def both(route: str, request: str, response: str = "200 OK") -> tuple[list[Difference], list[Difference]]:
    """The differences of a request with these fields, and of a response with this head, on a route with these lines."""
    config = load(f'{UPSTREAMS}[[routes]]\npath = "/api/"\nupstream = "backend"\n{route}'.encode(), source="a.toml")
    snapshot = compile_snapshot(config, "x")
    head = parse_request_head(f"GET /api/x HTTP/1.1\r\nHost: localhost:8080{request}".encode(), Limits())
    plan = plan_request(head, snapshot)
    assert isinstance(plan, Forward)
    server = config.upstreams[0].servers[0]
    sent = render_request(plan, head, PEER, server)[:-4].split(b"\r\n")
    up = request_differences(head.block.split(b"\r\n"), sent, plan.compiled)
    answer = parse_response_head(f"HTTP/1.1 {response}\r\nContent-Length: 0".encode(), Limits(), b"GET")
    edits = edit_response(plan, head, answer, PEER, server)
    after = [answer.start, *edits.lines_of(answer)]
    return up, response_differences(answer.block.split(b"\r\n"), after, plan, head, PEER, server)


def found(differences: list[Difference], name: bytes) -> list[tuple[bytes | None, bytes | None, str]]:
    return [
        (one.before, one.after, one.rule.name)
        for one in differences
        if (one.before or one.after or b"").lower().startswith(name.lower())
    ]


@pytest.mark.parametrize(
    ("route", "request_fields", "name", "expected"),
    [
        ("", "", b"Via", [(None, True, "via")]),
        ("", "", b"X-Forwarded-For", [(None, True, "forwarded")]),
        ("", "\r\nConnection: x\r\nX: 1", b"X:", [(True, None, "")]),
        ("", "\r\nKeep-Alive: 5", b"Keep-Alive", [(True, None, "hop-by-hop")]),
        ("", "\r\nX_Forwarded_For: 1", b"X_", [(True, None, "look-alike")]),
        ('host = "upstream"', "", b"Host", [(True, True, "host")]),
        ('origin = "remove"', "\r\nOrigin: http://localhost:8080", b"Origin", [(True, None, "origin")]),
        ('origin = "upstream"', "\r\nOrigin: http://localhost:8080", b"Origin", [(True, True, "origin")]),
        ("strip_prefix = true", "", b"GET", [(True, True, "strip_prefix")]),
        ('rewrite = "/v1/"', "", b"GET", [(True, True, "rewrite")]),
        ("strip_prefix = true", "", b"X-Forwarded-Prefix", [(None, True, "forwarded")]),
        ('headers.request.set = { X-A = "1" }', "\r\nX-A: 0", b"X-A", [(True, True, "headers.request.set")]),
        ('headers.request.add = { X-A = "1" }', "", b"X-A", [(None, True, "headers.request.add")]),
        ('headers.request.remove = ["x-a"]', "\r\nX-A: 0", b"X-A", [(True, None, "headers.request.remove")]),
        ("", "\r\nAccept: a\r\nAccept: a", b"Accept", []),
    ],
    ids=str,
)
def test_each_line_of_a_request_that_differs_has_its_rule(
    route: str, request_fields: str, name: bytes, expected: list[tuple[bool | None, bool | None, str]]
) -> None:
    up, _ = both(route, request_fields)
    assert [(before and True, after and True, rule) for before, after, rule in found(up, name)] == expected


ORIGIN = "\r\nOrigin: http://localhost:3000"


@pytest.mark.parametrize(
    ("route", "response", "name", "expected"),
    [
        ("", "200 OK", b"Access-Control-Allow-Origin", [(None, True, "cors")]),
        ("", "200 OK\r\nAccess-Control-Allow-Origin: *", b"Access-Control-Allow-Origin", [(True, True, "cors")]),
        ('cors = "strip"', "200 OK\r\nAccess-Control-Allow-Origin: *", b"Access-Control", [(True, None, "cors")]),
        ('cors = "passthrough"', "200 OK\r\nAccess-Control-Allow-Origin: *", b"Access-Control", []),
        ("", "200 OK", b"Vary", [(None, True, "cors")]),
        ("", "302 Found\r\nLocation: http://localhost:3001/api/y", b"Location", [(True, True, "redirects")]),
        ('cookies.domain = ""', "200 OK\r\nSet-Cookie: a=b; Domain=x.test", b"Set-Cookie", [(True, True, "cookies")]),
        ("", "200 OK\r\nStrict-Transport-Security: max-age=1", b"Strict", [(True, None, "strict_transport_security")]),
        ("", "200 OK\r\nConnection: keep-alive", b"Connection", [(True, None, "hop-by-hop")]),
        (
            'headers.response.remove = ["Server"]',
            "200 OK\r\nServer: x",
            b"Server",
            [(True, None, "headers.response.remove")],
        ),
    ],
    ids=str,
)
def test_each_line_of_a_response_that_differs_has_its_rule(
    route: str, response: str, name: bytes, expected: list[tuple[bool | None, bool | None, str]]
) -> None:
    _, down = both(route, ORIGIN, response)
    assert [(before and True, after and True, rule) for before, after, rule in found(down, name)] == expected


def test_the_reason_is_that_of_this_very_line() -> None:
    _, down = both(
        'cookies.domain = ""', "", "200 OK\r\nSet-Cookie: a=b; Domain=x.test\r\nSet-Cookie: c=d; Domain=y.test"
    )
    (first, second) = [one for one in down if one.rule.name == "cookies"]
    assert "Domain" in first.rule.why
    assert first.rule.path == ("route", "cookies")
    assert second.after == b"Set-Cookie: c=d"
