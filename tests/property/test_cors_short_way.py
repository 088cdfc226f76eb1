"""Most responses get their CORS fields without a look at their lines: they are those of the way that looks at each."""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import (
    Config,
    Cors,
    CorsMode,
    HeaderEdits,
    PathKind,
    Route,
    Scheme,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, compile_snapshot, plan_request
from devproxy.policy.hop import Peer
from hypothesis import given
from hypothesis import strategies as st
from tests.support.heads import head_for_client

SERVER = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
NOTHING = HeaderEdits(remove=("X-Nothing",))
"""Changes no response here, but a route that edits fields has each of them looked at."""
POLICIES = st.builds(
    Cors,
    mode=st.sampled_from(list(CorsMode)),
    origins=st.sampled_from([None, (), ("https://app.test",), ("https://*.app.test", "http://localhost:3000")]),
    credentials=st.booleans(),
    expose=st.sampled_from([(), ("ETag",), ("ETag", "X-A")]),
    dangerously_allow_null_origin=st.booleans(),
    dangerously_allow_any_origin=st.booleans(),
    dangerously_with_credentials=st.booleans(),
)
ORIGINS = st.sampled_from(
    [
        *([], [b"http://localhost:3000"], [b"https://app.test"], [b"https://a.app.test"], [b"https://evil.test"]),
        *([b"null"], [b"http://localhost:8080"], [b"http://localhost:3000", b"https://app.test"]),
    ]
)
STATUSES = st.sampled_from(
    [b"200 OK", b"204 No Content", b"206 P", b"302 Found", b"304 Not Modified", b"404 N", b"500 "]
)
LINES = st.lists(
    st.sampled_from(
        [
            *(b"Access-Control-Allow-Origin: *", b"Access-Control-Allow-Origin: http://localhost:3000"),
            *(b"access-control-allow-origin:https://app.test", b"Access-Control-Allow-Credentials: true"),
            *(b"Access-Control-Expose-Headers: *", b"Access-Control-Max-Age: 5", b"Access-Control-X: 1"),
            *(b"Vary: Origin", b"vary: accept, ORIGIN", b"Vary: Accept", b"Vary: *", b"Vary:", b"Vary: Origin-X"),
            *(b"Cross-Origin-Resource-Policy: cross-origin", b"cross-origin-resource-policy:"),
            *(b"Content-Length: 0", b"Content-Length: 7", b"Transfer-Encoding: chunked", b"Connection: keep-alive"),
            *(b"Keep-Alive: timeout=5", b"Set-Cookie: a=b", b"Location: /x", b"ETag: 1", b"Content-Type: text/plain"),
        ]
    ),
    max_size=8,
)


def answered(route: Route, origins: list[bytes], status: bytes, lines: list[bytes]) -> tuple[bytes, bool] | None:
    """Return the head that a page of `origins` gets, and whether the connection ends; None: none of the upstream's."""
    config = Config(server=Server(), upstreams=(Upstream(name="b", servers=(SERVER,)),), routes=(route,))
    asking = [b"GET /a HTTP/1.1", b"Host: localhost:8080", *(b"Origin: " + origin for origin in origins)]
    request = parse_request_head(b"\r\n".join(asking), Limits())
    plan = plan_request(request, compile_snapshot(config, "0000"))
    if not isinstance(plan, Forward):
        return None
    head = parse_response_head(b"\r\n".join((b"HTTP/1.1 " + status, *lines)), Limits())
    length = head.body_length
    return head_for_client(plan, request, head, Peer("127.0.0.1", "http"), SERVER, body_length=length, close=False)


@given(POLICIES, ORIGINS, STATUSES, LINES)
def test_the_short_way_gives_what_the_long_way_gives(
    cors: Cors, origins: list[bytes], status: bytes, lines: list[bytes]
) -> None:
    framing = [line for line in lines if line.startswith((b"Content-Length", b"Transfer-Encoding"))]
    lines = [line for line in lines if line not in framing[1:]]
    route = Route(kind=PathKind.PREFIX, pattern="/", upstream="b", cors=cors, guard=False)
    long = answered(replace(route, response_headers=NOTHING), origins, status, lines)
    assert answered(route, origins, status, lines) == long
