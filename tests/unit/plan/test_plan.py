"""Plans: what becomes of a request head, and of the response head that answers it. No loop, no socket."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import (
    Config,
    Cors,
    CorsMode,
    HeaderEdits,
    Listen,
    PathKind,
    Route,
    Scheme,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.http.messages import CHUNKED, RequestHead
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.plan import (
    Forward,
    Plan,
    Respond,
    Snapshot,
    changes_to,
    compile_snapshot,
    edit_response,
    plan_request,
    render_request,
)
from devproxy.policy.hop import Peer
from tests.support.heads import head_for_client

PEER = Peer("127.0.0.1", "http")
HTTP = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
EVERYTHING = Route(
    kind=PathKind.PREFIX, pattern="/", upstream="backend", cors=Cors(mode=CorsMode.PASSTHROUGH), guard=False
)
"""Leaves the response's fields as they are, so that what else happens to them can be seen."""


def snapshot(*routes: Route, server: Server | None = None) -> Snapshot:
    """Return a snapshot of `routes`, all to one upstream; without any, of one route for everything."""
    upstream = Upstream(name="backend", servers=(HTTP,))
    server = replace(server or Server(), allowed_hosts=("*",))
    config = Config(server=server, upstreams=(upstream,), routes=routes or (EVERYTHING,))
    return compile_snapshot(config, "0000")


def request(line: bytes = b"GET / HTTP/1.1", *lines: bytes, host: bytes = b"localhost:8080") -> RequestHead:
    """Return the head of `line`, a Host unless `host` is empty, and `lines`."""
    block = b"\r\n".join((line, *((b"Host: " + host,) if host else ()), *lines))
    return parse_request_head(block, snapshot().limits)


def plan(line: bytes, *lines: bytes, among: Snapshot | None = None) -> Plan:
    """Return the plan for a request of `line` and `lines`."""
    return plan_request(request(line, *lines), among or snapshot())


def forwarded(line: bytes, *lines: bytes, among: Snapshot | None = None) -> Forward:
    """Return the plan for a request that must be forwarded."""
    found = plan(line, *lines, among=among)
    assert isinstance(found, Forward)
    return found


def refused(line: bytes, *lines: bytes, among: Snapshot | None = None) -> tuple[int, str]:
    """Return status and code of the answer to a request that must not be forwarded."""
    found = plan(line, *lines, among=among)
    assert isinstance(found, Respond)
    return found.answer.status, found.answer.code


def rendered(line: bytes, *lines: bytes, among: Snapshot | None = None, server: ServerAddress = HTTP) -> bytes:
    """Return the head that goes to `server` for a request that must be forwarded."""
    head = request(line, *lines)
    found = plan_request(head, among or snapshot())
    assert isinstance(found, Forward)
    return render_request(found, head, PEER, server)


def sent(line: bytes, *lines: bytes, route: Route = EVERYTHING, server: ServerAddress = HTTP) -> list[bytes]:
    """Return the lines of the head that goes to `server` for a request under `route`."""
    head = rendered(line, *lines, among=snapshot(route), server=server)
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


# -- who answers -------------------------------------------------------------------------------------------------------


def test_a_request_that_no_route_takes_is_a_404() -> None:
    assert refused(b"GET /other HTTP/1.1", among=snapshot(replace(EVERYTHING, pattern="/api/"))) == (404, "no-route")


@pytest.mark.parametrize(
    "path",
    [
        b"/__devproxy/health",
        b"//__devproxy/health",
        b"/__devproxy//health",
        b"/%5F_devproxy/health",
        b"/%5f%5Fdevprox%79/health",
        b"/x/../__devproxy/health",
        b"/./__devproxy/health",
        b"/x/%2e%2E/__devproxy/health",
        b"/__devproxy/health?a=/../x",
    ],
)
def test_health_is_told_however_its_path_is_written(path: bytes) -> None:
    assert refused(b"GET " + path + b" HTTP/1.1") == (200, "")
    assert refused(b"HEAD " + path + b" HTTP/1.1") == (200, "")


@pytest.mark.parametrize(
    "path", [b"/__devproxy/", b"/__devproxy/other", b"/%5f_devproxy/x", b"//__devproxy/", b"/a/..//__devproxy/"]
)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
def test_nothing_below_the_reserved_prefix_reaches_a_route_however_it_is_written(path: bytes, method: bytes) -> None:
    assert refused(method + b" " + path + b" HTTP/1.1") == (404, "reserved-path")


def test_health_takes_no_other_method() -> None:
    assert refused(b"POST /__devproxy/health HTTP/1.1") == (404, "reserved-path")


@pytest.mark.parametrize(
    "path",
    [
        b"/__devproxy",
        b"/__devproxyx/",
        b"/x/__devproxy/",
        b"/__devproxy%2Fhealth",
        b"/__DEVPROXY/health",
        b"/?/__devproxy/health",
        b"/__devproxy/../x",
        b"/%",
    ],
)
def test_what_only_resembles_the_reserved_prefix_goes_to_its_route_untouched(path: bytes) -> None:
    assert rendered(b"GET " + path + b" HTTP/1.1").startswith(b"GET " + path + b" HTTP/1.1\r\n")


def test_trace_is_refused_with_the_methods_that_are_not() -> None:
    found = plan(b"TRACE / HTTP/1.1")
    assert isinstance(found, Respond)
    assert (found.answer.status, found.answer.code) == (405, "method-refused")
    assert "GET" in dict(found.answer.fields)["Allow"]


def test_a_declared_body_beyond_the_limit_is_refused_before_anything_is_sent() -> None:
    limited = snapshot(server=Server(max_body_bytes=10))
    assert refused(b"POST / HTTP/1.1", b"Content-Length: 11", among=limited) == (413, "request-body-too-large")
    forwarded(b"POST / HTTP/1.1", b"Content-Length: 10", among=limited)
    forwarded(b"POST / HTTP/1.1", b"Content-Length: 99999999999", among=snapshot())


def test_a_request_that_comes_back_is_recognised_by_its_via() -> None:
    assert refused(b"GET / HTTP/1.1", b"Via: 1.1 other, 1.1 devproxy-0000") == (508, "loop-detected")
    assert refused(b"GET / HTTP/1.1", b"Via: 1.0 a", b"Via: 1.1 devproxy-0000, 1.1 b") == (508, "loop-detected")
    forwarded(b"GET / HTTP/1.1", b"Via: 1.1 devproxy-1111")


def test_options_asterisk_asks_the_server_of_the_root_or_devproxy_itself() -> None:
    assert rendered(b"OPTIONS * HTTP/1.1").startswith(b"OPTIONS * HTTP/1.1\r\n")
    stripping = replace(EVERYTHING, rewrite="/base/")
    assert rendered(b"OPTIONS * HTTP/1.1", among=snapshot(stripping)).startswith(b"OPTIONS * HTTP/1.1\r\n")
    assert refused(b"OPTIONS * HTTP/1.1", among=snapshot(replace(EVERYTHING, pattern="/api/"))) == (204, "")


# -- may it be sent twice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_an_idempotent_request_without_a_body_may_be_sent_again(method: bytes) -> None:
    assert forwarded(method + b" / HTTP/1.1").is_retriable
    assert not forwarded(method + b" / HTTP/1.1", b"Content-Length: 1").is_retriable
    assert not forwarded(method + b" / HTTP/1.1", b"Transfer-Encoding: chunked").is_retriable


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"QUERY", b"get"])
def test_any_other_method_is_never_sent_again(method: bytes) -> None:
    assert not forwarded(method + b" / HTTP/1.1").is_retriable


@pytest.mark.parametrize("query", [b"EIO=4&transport=polling&sid=x", b"sid=x&transport=polling&EIO=3&t=1"])
def test_a_poll_is_known_as_one_and_never_sent_again(query: bytes) -> None:
    found = forwarded(b"GET /socket.io/?" + query + b" HTTP/1.1")
    assert (found.is_poll, found.is_retriable) == (True, False)


@pytest.mark.parametrize("query", [b"EIO", b"EIO=4&transport=polling"])
def test_an_ordinary_query_or_a_handshake_without_a_session_is_no_poll(query: bytes) -> None:
    found = forwarded(b"GET /socket.io/?" + query + b" HTTP/1.1")
    assert (found.is_poll, found.is_retriable) == (False, True)


# -- the request upstream ----------------------------------------------------------------------------------------------


def test_the_target_goes_up_octet_by_octet_where_no_route_rewrites() -> None:
    assert sent(b"GET //a%2fb/../c?x=%zz&y HTTP/1.1")[0] == b"GET //a%2fb/../c?x=%zz&y HTTP/1.1"


def test_an_absolute_target_goes_up_as_its_path_with_its_authority_as_host() -> None:
    lines = sent(b"GET http://app.test:81/x?y HTTP/1.1")
    assert lines[0] == b"GET /x?y HTTP/1.1"
    assert [line for line in lines if line.lower().startswith(b"host:")] == [b"Host: app.test:81"]


def test_a_request_of_http_1_0_goes_up_as_http_1_1() -> None:
    assert sent(b"GET /x HTTP/1.0")[0] == b"GET /x HTTP/1.1"


@pytest.mark.parametrize(
    ("rewrite", "target"), [("/", b"/v1?q=/api/"), ("/base", b"/base/v1?q=/api/"), ("/base/", b"/base/v1?q=/api/")]
)
def test_a_rewrite_replaces_the_prefix_and_leaves_the_query(rewrite: str, target: bytes) -> None:
    route = replace(EVERYTHING, pattern="/api/", rewrite=rewrite)
    assert sent(b"GET /api/v1?q=/api/ HTTP/1.1", route=route)[0] == b"GET " + target + b" HTTP/1.1"


@pytest.mark.parametrize(
    ("server", "authority", "origin"),
    [
        (HTTP, b"127.0.0.1:3000", b"http://127.0.0.1:3000"),
        (replace(HTTP, port=80), b"127.0.0.1", b"http://127.0.0.1"),
        (replace(HTTP, host="::1"), b"[::1]:3000", b"http://[::1]:3000"),
        (replace(HTTP, scheme=Scheme.HTTPS, host="api.test", port=443), b"api.test", b"https://api.test"),
        (replace(HTTP, scheme=Scheme.HTTPS, host="api.test", port=80), b"api.test:80", b"https://api.test:80"),
        (replace(HTTP, scheme=Scheme.UNIX, host="", port=0, path="/a.sock"), b"localhost", b"http://localhost"),
    ],
)
def test_host_and_origin_of_the_upstream_are_its_own(server: ServerAddress, authority: bytes, origin: bytes) -> None:
    route = replace(EVERYTHING, host="upstream", origin="upstream")
    lines = sent(b"GET / HTTP/1.1", b"Origin: http://localhost:8080", b"X-A: 1", route=route, server=server)
    assert lines[1:4] == [b"Host: " + authority, b"Origin: " + origin, b"X-A: 1"]


def test_host_and_origin_are_kept_replaced_by_a_value_or_removed() -> None:
    origin = b"Origin: http://localhost:8080"
    assert sent(b"GET / HTTP/1.1", origin)[1:3] == [b"Host: localhost:8080", origin]
    named = replace(EVERYTHING, host="app.test", origin="https://app.test")
    assert sent(b"GET / HTTP/1.1", origin, route=named)[1:3] == [b"Host: app.test", b"Origin: https://app.test"]
    removed = sent(b"GET / HTTP/1.1", origin, route=replace(EVERYTHING, origin="remove"))
    assert removed[1] == b"Host: localhost:8080"
    assert not any(line.startswith(b"Origin") for line in removed)


def test_a_host_beyond_ascii_goes_up_in_its_ascii_form() -> None:
    assert sent(b"GET / HTTP/1.1", route=replace(EVERYTHING, host="bücher.test"))[1] == b"Host: xn--bcher-kva.test"


def test_a_missing_origin_stays_missing_and_a_missing_host_is_given() -> None:
    route = replace(EVERYTHING, host="upstream", origin="upstream")
    head = request(b"GET / HTTP/1.0", host=b"")
    found = plan_request(head, snapshot(route))
    assert isinstance(found, Forward)
    lines = render_request(found, head, PEER, HTTP).split(b"\r\n")
    assert b"Host: 127.0.0.1:3000" in lines
    assert not any(line.startswith(b"Origin") for line in lines)


def test_a_changed_host_does_not_change_what_is_told_about_the_client() -> None:
    lines = sent(b"GET / HTTP/1.1", route=replace(EVERYTHING, host="upstream"))
    assert b"X-Forwarded-Host: localhost:8080" in lines
    assert b"X-Forwarded-Port: 8080" in lines


def test_a_plan_is_the_same_for_every_server_until_it_is_rendered() -> None:
    among = snapshot(replace(EVERYTHING, host="upstream"))
    head = request(b"GET / HTTP/1.1")
    found = plan_request(head, among)
    assert isinstance(found, Forward)
    first, second = (render_request(found, head, PEER, server) for server in (HTTP, replace(HTTP, port=4000)))
    assert (b"Host: 127.0.0.1:3000\r\n" in first, b"Host: 127.0.0.1:4000\r\n" in second) == (True, True)
    assert render_request(found, head, PEER, HTTP) == first


# -- the response down -------------------------------------------------------------------------------------------------


def finished(
    *lines: bytes,
    status: bytes = b"HTTP/1.1 200 OK",
    line: bytes = b"GET / HTTP/1.1",
    asked: tuple[bytes, ...] = (),
    route: Route = EVERYTHING,
    close: bool = False,
) -> tuple[list[bytes], bool]:
    """Return the lines of the response head for the client, and whether its connection closes."""
    head = request(line, *asked)
    found = plan_request(head, snapshot(route))
    assert isinstance(found, Forward)
    response = parse_response_head(b"\r\n".join((status, *lines)), snapshot().limits)
    length = 0 if head.method == b"HEAD" or response.status < 200 else response.body_length
    octets, closes = head_for_client(found, head, response, PEER, HTTP, body_length=length, close=close)
    assert octets.endswith(b"\r\n\r\n")
    # What is remembered must not differ from what was worked out.
    assert head_for_client(found, head, response, PEER, HTTP, body_length=length, close=close) == (octets, closes)
    return octets[:-4].split(b"\r\n"), closes


def test_a_response_goes_down_as_it_came_but_for_what_concerned_one_connection() -> None:
    lines, close = finished(
        b"date: x", b"Set-Cookie: a=1", b"Keep-Alive: timeout=5", b"set-cookie: b=2", b"Content-Length: 0"
    )
    assert lines == [b"HTTP/1.1 200 OK", b"date: x", b"Set-Cookie: a=1", b"set-cookie: b=2", b"Content-Length: 0"]
    assert not close


@pytest.mark.parametrize("status", [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 299 Sch\xf6n", b"HTTP/1.1 200 a b"])
def test_a_status_line_goes_down_as_it_came(status: bytes) -> None:
    assert finished(b"Content-Length: 0", status=status)[0][0] == status


def test_an_http_1_0_answer_goes_down_as_http_1_1() -> None:
    lines, close = finished(b"Content-Length: 0", status=b"HTTP/1.0 200 Fine")
    assert (lines, close) == ([b"HTTP/1.1 200 Fine", b"Content-Length: 0"], False)


def test_connection_close_of_the_server_says_nothing_about_the_client() -> None:
    assert finished(b"Connection: close", b"Content-Length: 0") == (
        [b"HTTP/1.1 200 OK", b"Content-Length: 0"],
        False,
    )


def test_the_connection_ends_where_it_must_and_says_so() -> None:
    plain, closing = b"Content-Length: 0", b"Connection: close"
    assert finished(plain, close=True) == ([b"HTTP/1.1 200 OK", plain, closing], True)
    assert finished(plain, asked=(closing,)) == ([b"HTTP/1.1 200 OK", plain, closing], True)
    assert finished(b"X-A: 1") == ([b"HTTP/1.1 200 OK", b"X-A: 1", closing], True)
    assert finished() == ([b"HTTP/1.1 200 OK", closing], True)


def test_a_client_of_http_1_0_keeps_its_connection_only_when_it_asked_and_hears_so() -> None:
    plain = b"Content-Length: 0"
    old = b"GET / HTTP/1.0"
    assert finished(plain, line=old)[0][-1] == b"Connection: close"
    assert finished(plain, line=old, asked=(b"Connection: Keep-Alive",))[0][-1] == b"Connection: keep-alive"


def test_a_client_of_http_1_0_gets_chunks_decoded_until_the_connection_ends() -> None:
    lines, close = finished(
        b"Transfer-Encoding: chunked", b"Trailer: X-A", line=b"GET / HTTP/1.0", asked=(b"Connection: keep-alive",)
    )
    assert (lines, close) == ([b"HTTP/1.1 200 OK", b"Connection: close"], True)


def test_a_client_of_http_1_1_gets_the_chunks_as_they_are() -> None:
    lines, close = finished(b"Transfer-Encoding: Chunked", b"Trailer: X-A")
    assert (lines, close) == ([b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Trailer: X-A"], False)


@pytest.mark.parametrize("status", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 103 Early Hints"])
def test_a_response_that_cannot_have_a_body_has_no_length(status: bytes) -> None:
    assert finished(b"Content-Length: 0", b"X-A: 1", status=status)[0] == [status, b"X-A: 1"]


@pytest.mark.parametrize(
    ("status", "line"), [(b"HTTP/1.1 304 Not Modified", b"GET / HTTP/1.1"), (b"HTTP/1.1 200 OK", b"HEAD / HTTP/1.1")]
)
def test_the_length_of_a_body_that_is_not_sent_is_kept(status: bytes, line: bytes) -> None:
    assert finished(b"Content-Length: 77", status=status, line=line)[0] == [status, b"Content-Length: 77"]


def test_an_interim_response_never_ends_a_connection() -> None:
    lines, close = finished(
        b"Link: </a>", status=b"HTTP/1.1 103 Early Hints", asked=(b"Connection: close",), close=True
    )
    assert (lines, close) == ([b"HTTP/1.1 103 Early Hints", b"Link: </a>"], False)


def test_cors_fields_are_stripped_or_passed_as_the_route_says() -> None:
    cors = (b"Access-Control-Allow-Origin: *", b"ACCESS-CONTROL-EXPOSE-HEADERS: X")
    stripping = replace(EVERYTHING, cors=Cors(mode=CorsMode.STRIP))
    assert finished(*cors, b"Vary: Origin", b"Content-Length: 0", route=stripping)[0] == [
        b"HTTP/1.1 200 OK",
        b"Vary: Origin",
        b"Content-Length: 0",
        b"Cross-Origin-Resource-Policy: same-origin",
    ]
    assert finished(*cors, b"Content-Length: 0")[0][1:] == [*cors, b"Content-Length: 0"]


@pytest.mark.parametrize("mode", [CorsMode.STRIP, CorsMode.PASSTHROUGH])
def test_a_switch_of_protocols_keeps_its_upgrade_and_has_one_connection_line(mode: CorsMode) -> None:
    lines, _ = finished(
        b"connection: upgrade, X-Hop",
        b"X-Hop: 1",
        b"Upgrade: websocket",
        b"Access-Control-Allow-Origin: *",
        b"Sec-WebSocket-Accept: abc",
        status=b"HTTP/1.1 101 Switching Protocols",
        asked=(b"Connection: Upgrade", b"Upgrade: websocket"),
        route=replace(EVERYTHING, cors=Cors(mode=mode)),
    )
    cors = [b"Access-Control-Allow-Origin: *"] if mode is CorsMode.PASSTHROUGH else []
    assert lines == [
        b"HTTP/1.1 101 Switching Protocols",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        *cors,
        b"Sec-WebSocket-Accept: abc",
    ]


def test_edits_of_a_route_reach_its_requests_and_its_responses_alone() -> None:
    edits = HeaderEdits(set=(("X-Env", "dev"),), remove=("Server",))
    edited = replace(EVERYTHING, pattern="/api/", request_headers=edits, response_headers=edits)
    both = snapshot(edited, EVERYTHING)
    assert b"X-Env: dev" in rendered(b"GET /api/ HTTP/1.1", b"X-Env: prod", among=both)
    assert b"X-Env: prod" in rendered(b"GET / HTTP/1.1", b"X-Env: prod", among=both)
    lines, _ = finished(b"Server: x", b"Content-Length: 0", line=b"GET /api/ HTTP/1.1", route=edited)
    assert lines == [b"HTTP/1.1 200 OK", b"Content-Length: 0", b"X-Env: dev"]


def test_limits_of_zero_are_none() -> None:
    unlimited = snapshot(server=Server(max_body_bytes=0, idle_timeout_s=0, head_timeout_s=0))
    assert min(unlimited.max_body_bytes, unlimited.idle_timeout_s, unlimited.head_timeout_s) == float("inf")
    assert CHUNKED < unlimited.max_body_bytes


# -- the Host ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "host", "is_answered"),
    [
        (Listen(host="mybox.test", port=8080), b"mybox.test:8080", True),
        (Listen(host="mybox.test", port=8080), b"evil.mybox.test:8080", False),
        (Listen(host="192.168.1.20", port=8080), b"192.168.1.20:8080", True),
        (Listen(host="192.168.1.20", port=8080), b"192.168.1.21:8080", True),
        (Listen(host="localhost", port=8080), b"10.0.2.2:8080", True),
        (Listen(host="localhost", port=8080), b"0.0.0.0:8080", False),
        (Listen(host="0.0.0.0", port=8080), b"0.0.0.0:8080", False),
        (Listen(host="", port=8080), b"[::ffff:127.0.0.1]:8080", False),
        (Listen(host="", port=8080), b"10.0.0.7:8080", True),
        (Listen(host="", port=8080), b"mybox.test:8080", False),
    ],
)
def test_the_names_and_addresses_in_listen_are_hosts_that_devproxy_answers_to(
    listen: Listen, host: bytes, is_answered: bool
) -> None:
    config = Config(
        server=Server(listen=(listen,)), upstreams=(Upstream(name="backend", servers=(HTTP,)),), routes=(EVERYTHING,)
    )
    found = plan_request(request(host=host), compile_snapshot(config, "0000"))
    assert isinstance(found, Forward) == is_answered
    if isinstance(found, Respond):
        assert found.answer.status == 421


# -- what is remembered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [(b"/__devproxy", b"/__devproxy/health"), (b"/__devproxy", b"/__devproxy/x"), (b"/sockjs-node", b"/sockjs-node/i")],
)
def test_who_answered_a_path_does_not_change_who_answers_one_below_it(first: bytes, second: bytes) -> None:
    routes = (EVERYTHING, replace(EVERYTHING, pattern="/sockjs-node/", cors=Cors(mode=CorsMode.STRIP)))
    seen = snapshot(*routes)
    for _ in range(3):
        plan(b"GET %b HTTP/1.1" % first, among=seen)
    line = b"GET %b HTTP/1.1" % second
    found, anew = plan(line, among=seen), plan(line, among=snapshot(*routes))
    assert type(found) is type(anew)
    if isinstance(found, Forward) and isinstance(anew, Forward):
        assert found.compiled.label == anew.compiled.label


TENANT = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", match_headers=(("X-Tenant", "blue*"),))


@pytest.mark.parametrize("value", [b"blue\x01", b"\x1bblue", b"red\x7f"])
def test_a_control_in_a_field_that_a_route_matches_is_refused(value: bytes) -> None:
    found = plan(b"GET / HTTP/1.1", b"X-Tenant: " + value, among=snapshot(TENANT, EVERYTHING))
    assert isinstance(found, Respond)
    assert (found.answer.status, found.answer.code) == (400, "bad-request")
    assert "control character" in found.answer.what
    assert isinstance(plan(b"GET / HTTP/1.1", b"X-Tenant: " + value), Forward), "nothing goes by it there"
    assert isinstance(plan(b"GET / HTTP/1.1", b"X-Other: " + value, among=snapshot(TENANT, EVERYTHING)), Forward)


@pytest.mark.parametrize(
    ("line", "lines", "sent"),
    [
        (
            b"HTTP/1.1 426 U",
            (b"Connection: Upgrade", b"Upgrade: websocket"),
            [b"Upgrade: websocket", b"Connection: Upgrade"],
        ),
        (
            b"HTTP/1.1 426 U",
            (b"Upgrade: TLS/1.0", b"Connection: close, upgrade"),
            [b"Upgrade: TLS/1.0", b"Connection: Upgrade"],
        ),
        (b"HTTP/1.1 426 U", (b"Connection: close",), []),
        (b"HTTP/1.1 200 OK", (b"Connection: Upgrade", b"Upgrade: h2c"), []),
    ],
)
def test_a_426_keeps_the_upgrade_that_it_asks_for(line: bytes, lines: tuple[bytes, ...], sent: list[bytes]) -> None:
    asked = request()
    forward = plan_request(asked, snapshot())
    assert isinstance(forward, Forward)
    head = parse_response_head(b"\r\n".join((line, *lines, b"Content-Length: 0")), snapshot().response_limits)
    octets, closes = head_for_client(forward, asked, head, PEER, HTTP, body_length=0, close=False)
    assert not closes
    assert [one for one in octets.split(b"\r\n")[1:-2] if one != b"Content-Length: 0"] == sent
    octets, closes = head_for_client(forward, asked, head, PEER, HTTP, body_length=0, close=True)
    assert closes
    assert octets.endswith(b"Connection: close\r\n\r\n")


# -- what binds a browser to a server ----------------------------------------------------------------------------------

PINS = (b"Strict-Transport-Security: max-age=31536000", b'alt-svc: h3=":443"')


@pytest.mark.parametrize(
    ("lines", "keeps", "stays"),
    [
        ((), False, False),
        ((), True, True),
        ((b"X-Forwarded-Proto: https",), False, True),
        ((b"Te: trailers", b"Connection: te"), False, False),
    ],
)
@pytest.mark.parametrize("more", [(), (b"Access-Control-Allow-Origin: *",), (b"Connection: x", b"X: y")])
def test_what_binds_a_browser_to_a_server_stays_behind_unless_a_proxy_is_the_front(
    lines: tuple[bytes, ...], keeps: bool, stays: bool, more: tuple[bytes, ...]
) -> None:
    among = snapshot(server=Server(drops_pins=not keeps))
    for _ in range(3):  # what is remembered says the same
        head = request(b"GET / HTTP/1.1", *lines)
        found = plan_request(head, among)
        assert isinstance(found, Forward)
        block = b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Length: 0", *PINS, *more))
        answer = parse_response_head(block, among.response_limits, b"GET")
        edits = edit_response(found, head, answer, PEER, HTTP)
        assert [line for line in edits.lines_of(answer) if line in PINS] == (list(PINS) if stays else [])
        assert (not stays) == any("strict_transport" in one for one in changes_to(found, head, answer, PEER, HTTP))


@pytest.mark.parametrize(("scheme", "line"), [("https", b"Set-Cookie: a=1; Secure"), ("http", b"Set-Cookie: a=1")])
def test_where_tls_is_spoken_secure_follows_the_scheme_by_which_the_browser_came(scheme: str, line: bytes) -> None:
    among = snapshot(server=Server(tls=True))
    head = request(b"GET / HTTP/1.1", host=b"app.test")
    found = plan_request(head, among)
    assert isinstance(found, Forward)
    answer = parse_response_head(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Secure", among.response_limits, b"GET")
    assert line in edit_response(found, head, answer, Peer("127.0.0.1", scheme), HTTP).lines_of(answer)


@pytest.mark.parametrize(
    ("sent_up", "arrives"),
    [
        (b"Cookie: a=1; b=2", b"Cookie: a=1; b=2"),
        (b"Cookie: insecure-__Host-a=1; b=2", b"Cookie: __Host-a=1; b=2"),
        (b"X: insecure-", b"X: insecure-"),
    ],
)
def test_where_tls_is_spoken_names_are_undone_and_plans_are_remembered_all_the_same(
    sent_up: bytes, arrives: bytes
) -> None:
    among = snapshot(server=Server(tls=True))
    first, second, third = (request(b"GET /a HTTP/1.1", sent_up) for _ in range(3))
    found = [plan_request(head, among) for head in (first, second, third)]
    assert found[1] is found[2]
    assert isinstance(found[2], Forward)
    assert arrives in render_request(found[2], third, PEER, HTTP).split(b"\r\n")
