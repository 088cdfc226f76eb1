"""Hot-reload handshakes: which they are, and that they reach whoever serves the page."""

from __future__ import annotations

import pytest
from devproxy.config import load, warnings
from devproxy.config.model import Config, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.hmr import is_hmr_handshake
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.messages import RequestHead
from devproxy.plan import Forward, compile_snapshot, plan_request

SOCKET = (b"Connection: Upgrade", b"Upgrade: websocket")


def request(path: bytes, *lines: bytes) -> RequestHead:
    return parse_request_head(b"\r\n".join((b"GET " + path + b" HTTP/1.1", b"Host: localhost:8080", *lines)), Limits())


def handshake(path: bytes, protocol: bytes = b"") -> RequestHead:
    return request(path, *SOCKET, *((b"Sec-WebSocket-Protocol: " + protocol,) if protocol else ()))


def upstream_of(head: RequestHead, *routes: tuple[str, str, PathKind]) -> str:
    """Return the upstream that `head` goes to among `routes` (pattern, upstream, kind) and ``/`` to ``page``."""
    server = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=1, url="http://127.0.0.1:1")
    table = (*routes, ("/", "page", PathKind.PREFIX))
    config = Config(
        server=Server(),
        upstreams=tuple(Upstream(name=name, servers=(server,)) for _, name, _ in table),
        routes=tuple(Route(kind=kind, pattern=pattern, upstream=name) for pattern, name, kind in table),
    )
    plan = plan_request(head, compile_snapshot(config, "0000"))
    assert isinstance(plan, Forward)
    return plan.compiled.upstream


@pytest.mark.parametrize(
    "head",
    [
        handshake(b"/", b"vite-hmr"),
        handshake(b"/api/?token=x", b"vite-ping"),
        handshake(b"/any", b"other, Vite-HMR"),
        handshake(b"/_next/webpack-hmr?page=%2F"),
        handshake(b"/_next/hmr?id=1"),
        handshake(b"/rsbuild-hmr?token=x"),
        handshake(b"/ng-cli-ws"),
        handshake(b"/ws"),
        handshake(b"/sockjs-node/123/abc/websocket"),
        request(b"/sockjs-node/info?t=1"),
    ],
)
def test_the_sockets_of_dev_servers_are_recognised(head: RequestHead) -> None:
    assert is_hmr_handshake(head)


@pytest.mark.parametrize(
    "head",
    [
        handshake(b"/"),
        handshake(b"/ws/?EIO=4&transport=websocket"),
        handshake(b"/ws?EIO=4&transport=websocket"),
        handshake(b"/ws/chat"),
        handshake(b"/", b"vite-hmr-not"),
        request(b"/ws"),
        request(b"/_next/webpack-hmr-manifest"),
        request(b"/_next/hmr"),
        request(b"/", b"Sec-WebSocket-Protocol: vite-hmr"),
    ],
)
def test_nothing_else_is_taken_for_one(head: RequestHead) -> None:
    assert not is_hmr_handshake(head)


@pytest.mark.parametrize(
    ("pattern", "kind", "path", "protocol"),
    [
        ("/_next/", PathKind.PREFIX, b"/_next/webpack-hmr", b""),
        ("/api/", PathKind.PREFIX, b"/api/hmr", b"vite-hmr"),
        ("/ws/", PathKind.PREFIX, b"/ws", b""),
        ("/w*", PathKind.GLOB, b"/ws", b""),
        ("/.*s.*", PathKind.REGEX, b"/sockjs-node/1/2/websocket", b""),
    ],
)
def test_a_broad_route_does_not_take_a_hot_reload_socket(
    pattern: str, kind: PathKind, path: bytes, protocol: bytes
) -> None:
    assert upstream_of(handshake(path, protocol), (pattern, "other", kind)) == "page"
    assert upstream_of(request(path.replace(b"sockjs-node", b"socks")), (pattern, "other", kind)) == "other"


@pytest.mark.parametrize(
    ("pattern", "kind", "path", "protocol"),
    [
        ("/ws", PathKind.EXACT, b"/ws", b""),
        ("/ws", PathKind.PREFIX, b"/ws", b""),
        ("/app/", PathKind.PREFIX, b"/app/?token=x", b"vite-hmr"),
        ("/app", PathKind.PREFIX, b"/app/?token=x", b"vite-hmr"),
    ],
)
def test_a_route_that_names_the_very_path_wins(pattern: str, kind: PathKind, path: bytes, protocol: bytes) -> None:
    assert upstream_of(handshake(path, protocol), (pattern, "other", kind)) == "other"


def test_webpack_and_socket_io_share_the_path_ws() -> None:
    routes = ("/ws/", "chat", PathKind.PREFIX)
    assert upstream_of(handshake(b"/ws"), routes) == "page"
    assert upstream_of(handshake(b"/ws/?EIO=4&transport=websocket&sid=x"), routes) == "chat"
    assert upstream_of(request(b"/ws/?EIO=4&transport=polling"), routes) == "chat"


def test_a_broad_route_over_a_hot_reload_socket_is_warned_about() -> None:
    text = '[upstreams]\npage = "http://localhost:1"\nchat = "http://localhost:2"\n'
    page = '[[routes]]\npath = "/"\nupstream = "page"\n'
    (said,) = warnings(load(f'{text}{page}[[routes]]\npath = "/_next/"\nupstream = "chat"\n'.encode(), source="x"))
    assert "/_next/webpack-hmr" in said
    assert 'path_exact = "/_next/webpack-hmr"' in said
    assert not warnings(load(f'{text}{page}[[routes]]\npath = "/socket.io/"\nupstream = "chat"\n'.encode(), source="x"))
