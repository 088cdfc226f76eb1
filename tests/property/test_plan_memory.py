"""What is remembered never differs from what would be worked out anew: plans, and heads both ways."""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import (
    Config,
    Cookies,
    Cors,
    CorsMode,
    HeaderEdits,
    PathKind,
    Route,
    Scheme,
    SecureRule,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.errors import BadMessage
from devproxy.http1.framing import response_body_length
from devproxy.http1.head import parse_request_head, parse_response_head, recall_request_head
from devproxy.http1.start_line import Limits
from devproxy.messages import RequestHead
from devproxy.plan import Forward, Respond, Snapshot, compile_snapshot, finish_response, plan_request, render_request
from devproxy.policy.hop import Peer
from hypothesis import given, settings
from hypothesis import strategies as st

HTTP = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
PEER = Peer("127.0.0.1", "http")
LIMITS = Limits()


def _route(pattern: str, mode: CorsMode, kind: PathKind = PathKind.PREFIX) -> Route:
    return Route(kind=kind, pattern=pattern, upstream="b", cors=Cors(mode=mode))


ROUTES = (
    replace(_route("/api/", CorsMode.REWRITE), rewrite="/"),
    replace(
        _route("/edited/", CorsMode.STRIP), response_headers=HeaderEdits(set=(("X-A", "${host}"),), remove=("X-B",))
    ),
    replace(_route("/api/deep/", CorsMode.FIX), methods=("GET", "POST")),
    replace(_route("/cookies/", CorsMode.REWRITE), cookies=Cookies(domain="", secure=SecureRule.NEVER, prefix="p_")),
    replace(_route("/upstream/", CorsMode.REWRITE), host="upstream", origin="upstream", guard=False),
    replace(_route("/a", CorsMode.PASSTHROUGH), match_host=("a.localhost",)),
    _route("/exact", CorsMode.STRIP, PathKind.EXACT),
    _route("/glob/*.js", CorsMode.PASSTHROUGH, PathKind.GLOB),
    _route("/", CorsMode.REWRITE),
)


def snapshot() -> Snapshot:
    config = Config(server=Server(), upstreams=(Upstream(name="b", servers=(HTTP,)),), routes=ROUTES)
    return compile_snapshot(config, "0000")


PATHS = st.sampled_from(
    [
        b"/",
        b"/a",
        b"/a/b",
        b"/api/x",
        b"/api/deep/x",
        b"/api",
        b"/exact",
        b"/exact/",
        b"/glob/x.js",
        b"/glob/x",
        b"/ws",
        b"/cookies/x",
        b"/upstream/x",
        b"/edited/x",
        b"/socket.io/?EIO=4&transport=polling&sid=x",
        b"/x%2F",
        b"//a",
        b"/socket.io/?EIO=4&transport=polling",
        b"/__devproxy",
        b"/__devproxy/health",
        b"/__devproxy/x",
        b"/sockjs-node",
        b"/sockjs-node/info",
        b"/api/..;x/exact",
        b"/../api/x",
        b"/a?EIO=",
        b"*",
    ]
)
LINES = st.lists(
    st.sampled_from(
        [
            b"Origin: http://localhost:3000",
            b"Origin: https://evil.test",
            b"Origin: http://localhost",
            b"Origin: null",
            b"Sec-Fetch-Site: cross-site",
            b"Sec-Fetch-Mode: navigate",
            b"Sec-Fetch-Mode: cors",
            b"Cookie: p_a=1; b=2",
            b"Connection: keep-alive",
            b"Connection: close",
            b"Connection: X-A",
            b"X-A: 1",
            b"Content-Length: 3",
            b"Upgrade: websocket",
            b"Connection: upgrade",
            b"X-Forwarded-For: 1.2.3.4",
            b"Authorization: Basic x",
            b"Access-Control-Request-Method: PUT",
            b"Access-Control-Request-Headers: x-a",
            b"TE: trailers",
            b"Via: 1.1 x",
        ]
    ),
    max_size=5,
    unique=True,
)
REQUESTS = st.tuples(
    st.sampled_from([b"GET", b"POST", b"OPTIONS", b"HEAD", b"TRACE", b"CONNECT"]),
    PATHS,
    st.sampled_from([b"localhost:8080", b"a.localhost", b"evil.test", b"127.0.0.1"]),
    st.sampled_from([b"1", b"0"]),
    LINES,
)
RESPONSES = st.tuples(
    st.sampled_from([b"200 OK", b"204 No Content", b"304 Not Modified", b"302 Found", b"404 N", b"103 E", b"101 S"]),
    st.lists(
        st.sampled_from(
            [
                b"Access-Control-Allow-Origin: *",
                b"Access-Control-Allow-Origin: http://localhost:3000",
                b"X-B: 1",
                b"Access-Control-Allow-Credentials: true",
                b"Vary: Origin",
                b"Vary: Accept",
                b"Vary: *",
                b"Content-Length: 0",
                b"Content-Length: 7",
                b"Connection: keep-alive",
                b"Connection: close",
                b"Keep-Alive: timeout=5",
                b"Set-Cookie: a=1; Secure; Domain=x.test",
                b"Location: http://127.0.0.1:3000/x",
                b"Transfer-Encoding: chunked",
                b"Cross-Origin-Resource-Policy: cross-origin",
                b"Connection: X-B",
                b"Link: </a.js>; rel=preload",
            ]
        ),
        max_size=5,
        unique=True,
    ),
    st.booleans(),
)


def head_of(request: tuple[bytes, bytes, bytes, bytes, list[bytes]]) -> tuple[RequestHead, RequestHead | None] | None:
    """Return a request's head as it is read in full, and as it is recalled, if it can be."""
    method, path, host, minor, lines = request
    block = b"\r\n".join((b"%b %b HTTP/1.%b" % (method, path, minor), b"Host: " + host, *lines))
    recalled = recall_request_head(block + b"\r\n\r\n", LIMITS)
    try:
        return parse_request_head(block, LIMITS), None if recalled is None else recalled[0]
    except BadMessage:
        assert recalled is None
        return None


def told(forward: Forward, head: RequestHead, response: tuple[bytes, list[bytes], bool]) -> object:
    """Return what goes down for `response`, or the word that no client may get it."""
    status, lines, close = response
    try:
        answer = parse_response_head(b"\r\n".join((b"HTTP/1.1 " + status, *lines)), LIMITS)
    except BadMessage:
        return "refused"
    length = response_body_length(answer, head.method)
    return finish_response(forward, head, answer, PEER, HTTP, body_length=length, close=close)


@given(st.lists(st.tuples(REQUESTS, st.lists(RESPONSES, max_size=3)), min_size=2, max_size=8))
@settings(derandomize=True, deadline=None, max_examples=600)
def test_a_snapshot_that_has_seen_much_decides_as_a_new_one(
    talk: list[tuple[tuple[bytes, bytes, bytes, bytes, list[bytes]], list[tuple[bytes, list[bytes], bool]]]],
) -> None:
    old = snapshot()
    for request, responses in talk + talk:
        found = head_of(request)
        if found is None:
            continue
        head, recalled = found
        if recalled is not None:
            assert recalled == head
        seen, fresh = plan_request(recalled or head, old), plan_request(head, snapshot())
        if isinstance(fresh, Respond):
            assert seen == fresh
            continue
        assert isinstance(seen, Forward)
        assert render_request(seen, head, PEER, HTTP) == render_request(fresh, head, PEER, HTTP)
        assert (seen.is_poll, seen.is_retriable, seen.upgrade) == (fresh.is_poll, fresh.is_retriable, fresh.upgrade)
        assert (seen.cors.reason, seen.compiled.label) == (fresh.cors.reason, fresh.compiled.label)
        for response in responses:
            assert told(seen, head, response) == told(plan_anew(head), head, response)


def plan_anew(head: RequestHead) -> Forward:
    plan = plan_request(head, snapshot())
    assert isinstance(plan, Forward)
    return plan
