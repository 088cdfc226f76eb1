"""What is remembered never differs from what would be worked out anew: plans, and heads both ways."""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import (
    Config,
    Cookies,
    Cors,
    CorsMode,
    Fault,
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
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head, parse_response_head, recall_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, Respond, Snapshot, compile_snapshot, plan_request, render_request
from devproxy.policy.hop import Peer
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.heads import head_for_client

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
    _route("/exact/deep", CorsMode.FIX, PathKind.EXACT),
    replace(_route("/open/", CorsMode.STRIP), guard=False),
    replace(_route("/open/api/", CorsMode.REWRITE), methods=("POST",)),
    replace(_route("/headed/", CorsMode.STRIP), match_headers=(("x-mode", "on"),)),
    replace(_route("/hosted/", CorsMode.STRIP), match_host=("a.localhost",)),
    replace(_route("/late/", CorsMode.REWRITE), fault=Fault(latency_ms=1)),
    replace(_route("/sockjs-node/", CorsMode.STRIP), guard=False),
    replace(_route("/_next/", CorsMode.FIX), methods=("GET",)),
    _route("/regex/.*[0-9]", CorsMode.FIX, PathKind.REGEX),
    replace(_route("/socket.io/", CorsMode.REWRITE), cors=Cors(mode=CorsMode.REWRITE, origins=("https://*.test",))),
    _route("/glob/*.js", CorsMode.PASSTHROUGH, PathKind.GLOB),
    _route("/", CorsMode.REWRITE),
)


SEGMENTED = tuple(route for route in ROUTES if route.kind is not PathKind.REGEX)
"""A route for any path keeps everything from being remembered; without it nearly everything is."""


def snapshot(routes: tuple[Route, ...] = ROUTES) -> Snapshot:
    config = Config(server=Server(max_body_bytes=100), upstreams=(Upstream(name="b", servers=(HTTP,)),), routes=routes)
    return compile_snapshot(config, "0000")


SEGMENTS = [
    *(b"a", b"b", b"api", b"deep", b"edited", b"cookies", b"upstream", b"exact", b"glob", b"regex", b"x.js", b"ws"),
    *(b"open", b"headed", b"late", b"hosted", b"socket.io", b"sockjs-node", b"info", b"__devproxy", b"health"),
    *(b"_next", b"hmr", b"webpack-hmr", b"__nextjs_font", b"__nextjs_x", b"..", b".", b"", b"..;x", b";", b"%2e%2e"),
    *(b"%2F", b"..%2fapi", b"%5c", b"%41pi", b"API", b"ap%69", b"7f3a", b"7f3b", b"7f3c"),
]
QUERIES = st.sampled_from(
    [
        *([b""] * 4),
        *(b"?", b"?a=1", b"?EIO=4&transport=polling&sid=x", b"?EIO=4&transport=polling", b"?EIO=4&transport=websocket"),
        *(b"?x=EIO=4", b"?EIO=", b"?a=/api/../x", b"?%2e%2e"),
    ]
)
PATHS = st.builds(
    lambda segments, query: b"/" + b"/".join(segments) + query,
    st.lists(st.sampled_from(SEGMENTS), max_size=3),
    QUERIES,
)
TARGETS = st.one_of(
    PATHS,
    PATHS,
    PATHS.map(lambda path: b"http://localhost" + path),
    PATHS.map(lambda path: b"HTTP://evil.test:80" + path),
    st.sampled_from([b"*", b"//a", b"/../api/x", b"http://localhost", b"/x%2F"]),
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
            b"content-length: 4",
            b"Content-Length: 0",
            b"Content-Length: 900",
            b"Transfer-Encoding: chunked",
            b"Expect: 100-continue",
            b"Sec-WebSocket-Protocol: vite-hmr",
            b"Origin: http://localhost:8080",
            b"Sec-Fetch-Site: same-origin",
            b"Sec-Fetch-Site: none",
            b"Sec-Fetch-Dest: document",
            b"X-Mode: on",
            b"X_Forwarded_Host: a",
            b"X-Forwarded-Proto: https",
            b"Authorization: NTLM x",
            b"Via: 1.1 devproxy-0000",
            b"Referer: http://localhost/api",
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
METHODS = st.sampled_from([b"GET", b"GET", b"POST", b"PUT", b"OPTIONS", b"HEAD", b"TRACE", b"CONNECT", b"X"])
HOSTS = st.sampled_from([b"localhost:8080", b"localhost:8080", b"a.localhost", b"evil.test", b"127.0.0.1", b"0.0.0.0"])
VERSIONS = st.sampled_from([b"1", b"1", b"0"])
Request = tuple[bytes, bytes, bytes, bytes, list[bytes]]
Response = tuple[bytes, list[bytes], bool]
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
                b"content-length: 8",
                b"Set-Cookie: b=2",
                b"ETag: 1",
                b"X-Real-IP: 1.2.3.4",
                b"Upgrade: websocket",
                b"WWW-Authenticate: NTLM x",
                b"Trailer: X-A",
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
    length = 0 if head.method == b"HEAD" else answer.body_length
    return head_for_client(forward, head, answer, PEER, HTTP, body_length=length, close=close)


class Comparison:
    """A snapshot that has seen much beside new ones. What a new one decides is worked out once for each request."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = routes
        self._old = snapshot(routes)
        self._decided: dict[object, Forward | Respond] = {}

    def compare(self, request: Request, responses: list[Response]) -> bool:
        """Check that the old snapshot decides as one that has seen nothing; tell whether it gave a remembered plan."""
        found = head_of(request)
        if found is None:
            return False
        head, recalled = found
        if recalled is not None:
            assert recalled == head
        key = (*request[:4], *request[4])
        fresh = self._decided.get(key)
        if fresh is None:
            fresh = self._decided[key] = plan_request(head, snapshot(self._routes))
        seen = plan_request(recalled or head, self._old)
        if isinstance(fresh, Respond):
            assert seen == fresh
            return False
        assert isinstance(seen, Forward)
        assert seen.compiled.label == fresh.compiled.label
        assert render_request(seen, head, PEER, HTTP) == render_request(fresh, head, PEER, HTTP)
        for name in ("path", "is_plain", "is_poll", "is_retriable", "upgrade", "preflight", "fallback", "is_special"):
            assert getattr(seen, name) == getattr(fresh, name), name
        assert (seen.cors.reason, seen.cors.lines) == (fresh.cors.reason, fresh.cors.lines)
        for response in responses:
            anew = plan_request(head, snapshot(self._routes))
            assert isinstance(anew, Forward)
            assert told(seen, head, response) == told(anew, head, response)
        return seen.is_remembered


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=150)
def test_a_snapshot_that_has_seen_much_decides_as_a_new_one(data: st.DataObject) -> None:
    """Few different requests, so that many have all but one thing in common with one before."""
    comparison = Comparison(data.draw(st.sampled_from([ROUTES, SEGMENTED, SEGMENTED])))
    lines = data.draw(st.lists(LINES, min_size=1, max_size=2))
    methods = data.draw(st.lists(METHODS, min_size=1, max_size=2))
    targets = data.draw(st.lists(TARGETS, min_size=1, max_size=5))
    talk = data.draw(
        st.lists(
            st.tuples(
                st.tuples(
                    *(st.sampled_from(methods), st.sampled_from(targets), HOSTS, VERSIONS, st.sampled_from(lines))
                ),
                st.lists(RESPONSES, max_size=2),
            ),
            min_size=2,
            max_size=6,
        )
    )
    for request, responses in talk * 3:
        comparison.compare(request, responses)


def test_who_answers_each_path_does_not_depend_on_any_other_that_was_asked_for() -> None:
    """Every pair of paths, each remembered before the other is asked for."""
    paths = [b"/" + one for one in SEGMENTS] + [
        b"/" + one + b"/" + other
        for one in SEGMENTS
        for other in (b"", b"info", b"health", b"api", b"..;x", b"%2e%2e", b"deep")
    ]
    remembered = 0
    for routes in (ROUTES, SEGMENTED):
        for lines in (
            [],
            [b"Origin: http://localhost:8080"],
            [b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site"],
        ):
            comparison = Comparison(routes)
            for _ in range(3):
                for path in paths:
                    remembered += comparison.compare((b"GET", path, b"localhost:8080", b"1", lines), [])
    assert remembered > 500, "this compares nothing that is remembered"


def test_what_a_decision_depends_on_beside_its_path_is_told_apart() -> None:
    """Every request of a product of all that decides, each after all the others."""
    polling = b"/socket.io/?EIO=4&transport=polling"
    paths = (b"/b", b"/api/deep/x", polling, polling + b"&sid=x", b"/socket.io/?EIO=4&transport=websocket")
    lines: tuple[list[bytes], ...] = (
        [],
        [b"Content-Length: 0"],
        [b"Content-Length: 3"],
        [b"Content-Length: 900"],
        [b"Transfer-Encoding: chunked"],
        [b"Origin: http://localhost:3000"],
        [b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site"],
        [b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: navigate"],
        [b"Origin: null", b"Access-Control-Request-Method: PUT"],
        [b"Connection: close", b"Cookie: a=1"],
        [b"Connection: upgrade", b"Upgrade: websocket"],
    )
    answers: list[Response] = [
        (b"200 OK", [b"Content-Length: 0"], False),
        (b"200 OK", [b"Content-Length: 7"], False),
        (b"200 OK", [b"Content-Length: 8", b"Set-Cookie: a=1; Secure"], False),
        (b"304 Not Modified", [b"Content-Length: 7"], False),
        (b"200 OK", [], False),
        (b"200 OK", [b"Content-Length: 7"], True),
    ]
    remembered = 0
    comparison = Comparison(SEGMENTED)
    for _ in range(3):
        for method in (b"GET", b"POST", b"HEAD", b"OPTIONS"):
            for path in paths:
                for host in (b"localhost:8080", b"evil.test"):
                    for minor in (b"1", b"0"):
                        for some in lines:
                            remembered += comparison.compare((method, path, host, minor, some), answers[:1])
                            answers.append(answers.pop(0))
    assert remembered > 100, "this compares nothing that is remembered"
