"""No path reaches a server that would read it as a path of another route; every other path passes as it came.

The servers are models, written after their documentation and apart from :mod:`devproxy.policy.readings`:
``tests/integration/test_careless_servers.py`` has a real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import pytest
from devproxy.config.model import Config, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.errors import BadMessage
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, Respond, compile_snapshot, plan_request, render_request
from devproxy.policy.hop import Peer
from devproxy.routing.table import RouteTable, canonical_path
from hypothesis import example, given, settings
from hypothesis import strategies as st

PEER = Peer("127.0.0.1", "http")
HTTP = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
HOOKS = Route(kind=PathKind.PREFIX, pattern="/hooks/", upstream="b", guard=False)
API = Route(kind=PathKind.PREFIX, pattern="/api/", upstream="b", rewrite="/v1/")
STRIPPED = Route(kind=PathKind.PREFIX, pattern="/strip/", upstream="b", rewrite="/")
EXACT = Route(kind=PathKind.EXACT, pattern="/hooks/exact", upstream="b")
EVERYTHING = Route(kind=PathKind.PREFIX, pattern="/", upstream="b")
ROUTES = (HOOKS, API, STRIPPED, EXACT, EVERYTHING)
CONFIG = Config(server=Server(), upstreams=(Upstream(name="b", servers=(HTTP,)),), routes=ROUTES)
SNAPSHOT = compile_snapshot(CONFIG, "0000")
TABLE = RouteTable(ROUTES)


def remove_dot_segments(path: bytes) -> bytes:
    """RFC 3986 section 5.2.4, step by step."""
    output = b""
    while path:
        if path.startswith(b"/../") or path == b"/..":
            path = b"/" + path[4:]
            output = output[: max(output.rfind(b"/"), 0)]
        elif path.startswith(b"/./") or path == b"/.":
            path = b"/" + path[3:]
        else:
            end = path.find(b"/", 1)
            output, path = (output + path, b"") if end < 0 else (output + path[:end], path[end:])
    return output or b"/"


def nginx(path: bytes) -> bytes:
    """Decodes everything, merges slashes, resolves (ngx_http_parse_complex_uri)."""
    return remove_dot_segments(re.sub(rb"/+", b"/", unquote_to_bytes(path)))


def nginx_unmerged(path: bytes) -> bytes:
    """The same with ``merge_slashes off``."""
    return remove_dot_segments(unquote_to_bytes(path))


def tomcat(path: bytes) -> bytes:
    """Cuts path parameters, decodes all but the slash, merges, resolves (CoyoteAdapter.postParseRequest)."""
    cut = re.sub(rb";[^/]*", b"", path)
    decoded = unquote_to_bytes(re.sub(rb"(?i)%(2f|5c)", rb"%25\1", cut))
    return remove_dot_segments(re.sub(rb"/+", b"/", decoded))


def old_tomcat(path: bytes) -> bytes:
    """With ``ALLOW_ENCODED_SLASH`` and ``ALLOW_BACKSLASH``."""
    cut = re.sub(rb";[^/]*", b"", path)
    return remove_dot_segments(re.sub(rb"/+", b"/", unquote_to_bytes(cut).replace(b"\\", b"/")))


def iis(path: bytes) -> bytes:
    """Takes backslashes for slashes, decoded or not."""
    return remove_dot_segments(re.sub(rb"/+", b"/", unquote_to_bytes(path).replace(b"\\", b"/")))


def old_iis(path: bytes) -> bytes:
    """Accepts overlong UTF-8 as well (MS00-078)."""
    decoded = unquote_to_bytes(path)
    for octet in b"./\\":
        longer = (
            bytes((0xC0 | octet >> 6, 0x80 | octet & 0x3F)),
            bytes((0xE0, 0x80 | octet >> 6, 0x80 | octet & 0x3F)),
            bytes((0xF0, 0x80, 0x80 | octet >> 6, 0x80 | octet & 0x3F)),
        )
        for form in longer:
            decoded = decoded.replace(form, bytes((octet,)))
    return remove_dot_segments(re.sub(rb"/+", b"/", decoded.replace(b"\\", b"/")))


def node_url(path: bytes) -> bytes:
    """``new URL(path, base).pathname``: knows ``%2e``, decodes nothing, does not merge. Not for ``//host``."""
    segments = re.sub(rb"(?i)%2e", b".", path)
    return remove_dot_segments(segments)


def werkzeug(path: bytes) -> bytes:
    """``PATH_INFO`` is decoded, and merged; a static folder resolves it (posixpath.normpath)."""
    return nginx(path)


SERVERS: tuple[Callable[[bytes], bytes], ...] = (
    *(nginx, nginx_unmerged, tomcat, old_tomcat, iis, old_iis, node_url, werkzeug),
)

SEGMENTS = st.sampled_from(
    [
        *(
            b"hooks",
            b"api",
            b"admin",
            b"strip",
            b"v1",
            b"exact",
            b"a",
            b"x.js",
            b"",
            b".",
            b"..",
            b"...",
            b"..;",
            b".;",
        ),
        *(b"..;x=1", b";", b";y", b"a;b", b"%2e%2e", b"%2E.", b".%2e;z", b"%c0%ae%c0%ae", b"..%00", b"%252e%252e"),
        *(b"%e0%80%ae.", b"@scope", b"group", b"%20", b"caf%C3%A9", b"__devprox"),
    ]
)
SLASHES = st.sampled_from(
    [b"/", b"/", b"/", b"/", b"%2f", b"%2F", b"%5c", b"%5C", b"//", b"%c0%af", b"%252f", b"%e0%80%af", b"%c1%9c"]
)
PATHS = st.lists(st.tuples(SLASHES, SEGMENTS), max_size=7).map(
    lambda parts: b"/" + b"".join(slash + segment for slash, segment in parts).removeprefix(b"/")
)


def route_of(path: bytes) -> Route | None:
    return TABLE.match(b"GET", path, b"localhost", ())


def place(path: bytes) -> bytes:
    """A path without what makes no difference to where it leads: one slash at its end, slashes that are merged."""
    return canonical_path(path.replace(b"%", b"%25").replace(b"?", b"%3F")).removesuffix(b"/")


@given(PATHS)
@example(b"/admin//../hooks/a")
@example(b"/hooks//..%2fadmin")
@example(b"/api/..%2fapi/secret")
@example(b"/api/a%5c..%5c..%5capi/secret")
@example(b"/api/..;/api/secret")
@example(b"/hooks/..%2fexact")
@example(b"/hooks%2fexact")
@settings(max_examples=3000, deadline=None)
def test_a_path_that_is_forwarded_is_of_that_route_to_every_server(path: bytes) -> None:
    try:
        head = parse_request_head(b"GET " + path + b" HTTP/1.1\r\nHost: localhost", Limits())
    except BadMessage:
        return
    plan = plan_request(head, SNAPSHOT)
    if isinstance(plan, Respond):
        assert plan.answer.code in ("ambiguous-path", "reserved-path")
        if plan.answer.code == "ambiguous-path":
            # Never for what none of them reads in its own way.
            assert re.search(rb"(?i)%2f|%5c|;|//|%c0|%c1|%e0|%f0", path)
        return
    sent = render_request(plan, head, PEER, HTTP).split(b" ", 2)[1]
    if plan.compiled.route.rewrite is None:
        assert sent == path
    for server in SERVERS:
        read = server(path)
        assert route_of(read.replace(b"%", b"%25")) is plan.compiled.route, (server.__name__, read)
        base = (plan.compiled.route.rewrite or "/").encode().removesuffix(b"/")
        assert place(server(sent)).startswith(place(base)), (server.__name__, sent)


PLAIN = st.lists(
    st.sampled_from([b"hooks", b"api", b"a.b", b"@scope%20name", b"caf%C3%A9", b"x;y=1", b"...", b"%252f", b"~"]),
    max_size=5,
).map(lambda parts: b"/" + b"/".join(parts))


@given(PLAIN, st.sampled_from([b"", b"/", b"/group%2Fname", b"/a%5Cb", b"/https%3A%2F%2Fa.example%2Fb"]))
def test_data_below_a_route_passes_octet_for_octet(path: bytes, data: bytes) -> None:
    path = path.rstrip(b"/") + data or b"/"
    plan = plan_request(parse_request_head(b"GET " + path + b" HTTP/1.1\r\nHost: localhost", Limits()), SNAPSHOT)
    if isinstance(plan, Forward):
        sent = render_request(plan, parse_request_head(b"GET " + path + b" HTTP/1.1\r\nHost: a", Limits()), PEER, HTTP)
        start = path if plan.compiled.route is not API else b"/v1" + path[4:]
        assert sent.startswith(b"GET " + start + b" ")
    else:  # `/hooks%2F…` is data to devproxy and a route of its own to others
        assert plan.answer.code == "ambiguous-path"
        assert route_of(nginx(path)) is not route_of(path) or route_of(iis(path)) is not route_of(path)


@pytest.mark.parametrize("pattern", ["/projects/a%2Fb", "/projects/a%2Fb/"])
@pytest.mark.parametrize("path", [b"/projects/a%2Fb/c", b"/projects/a%2fb", b"/projects/a%2Fb/"])
def test_a_route_that_is_written_with_an_encoded_slash_takes_it(pattern: str, path: bytes) -> None:
    own = Route(kind=PathKind.PREFIX, pattern=pattern, upstream="b")
    config = Config(server=Server(), upstreams=CONFIG.upstreams, routes=(own, EVERYTHING))
    head = parse_request_head(b"GET " + path + b" HTTP/1.1\r\nHost: localhost", Limits())
    plan = plan_request(head, compile_snapshot(config, "0000"))
    assert isinstance(plan, Forward)
    assert plan.compiled.route is own


@pytest.mark.parametrize(
    ("path", "is_forwarded"),
    [
        (b"/projects/a%2Fb/issues", True),
        (b"/projects/a%2fb/issues", True),
        (b"/projects/a%2F../issues", False),
        (b"/projects/..%2F..%2Fhooks/issues", False),
        (b"/projects/x%2Fopen/issues", False),
    ],
)
@pytest.mark.parametrize(
    ("kind", "pattern"), [(PathKind.REGEX, "/projects/[^/]+%2F[^/]+/issues"), (PathKind.GLOB, "/projects/*%2F*/issues")]
)
def test_an_expression_that_names_an_encoded_slash_takes_it(
    kind: PathKind, pattern: str, path: bytes, is_forwarded: bool
) -> None:
    own = Route(kind=kind, pattern=pattern, upstream="b", guard=False)
    narrow = Route(kind=PathKind.PREFIX, pattern="/projects/x/open/", upstream="b")
    config = Config(server=Server(), upstreams=CONFIG.upstreams, routes=(own, narrow, HOOKS, EVERYTHING))
    head = parse_request_head(b"GET " + path + b" HTTP/1.1\r\nHost: localhost", Limits())
    plan = plan_request(head, compile_snapshot(config, "0000"))
    assert isinstance(plan, Forward) == is_forwarded
    if isinstance(plan, Forward):
        assert plan.compiled.route is own
    else:
        assert plan.answer.code == "ambiguous-path"
