"""Hot-reload handshakes: which they are, that they reach whoever serves the page, and with which Host and Origin."""

from __future__ import annotations

import pytest
from devproxy.config import load, warnings
from devproxy.config.model import Config, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, compile_snapshot, plan_request, render_request
from devproxy.policy.hop import Peer
from devproxy.realtime.hot_reload import read_hot_reload

SOCKET = (b"Connection: Upgrade", b"Upgrade: websocket")
OF_DEV_SERVERS = (
    (b"/", b"vite-hmr"),
    (b"/any", b"other, Vite-HMR"),
    (b"/api/?token=x", b"vite-ping"),
    (b"/_next/webpack-hmr?page=%2F", b""),
    (b"/_next/hmr?id=1", b""),
    (b"/rsbuild-hmr?token=x", b""),
    (b"/ng-cli-ws", b""),
    (b"/_bun/hmr", b""),
    (b"/storybook-server-channel?token=x", b""),
    (b"/_webpack/hmr", b""),
    (b"/sockjs-node/123/abc/websocket", b""),
)
"""Path with query, and subprotocol, of handshakes that are nobody else's."""


def request(path: bytes, *lines: bytes, host: bytes = b"localhost:8080") -> RequestHead:
    return parse_request_head(b"\r\n".join((b"GET " + path + b" HTTP/1.1", b"Host: " + host, *lines)), Limits())


def handshake(path: bytes, protocol: bytes = b"", *lines: bytes, host: bytes = b"localhost:8080") -> RequestHead:
    offer = (b"Sec-WebSocket-Protocol: " + protocol,) if protocol else ()
    return request(path, *SOCKET, *offer, *lines, host=host)


def configured(*routes: Route) -> Config:
    """Return a configuration with `routes` and ``/`` to ``page``; the servers of ``page`` are at port 3000."""
    routes = (*routes, Route(kind=PathKind.PREFIX, pattern="/", upstream="page"))
    names = dict.fromkeys(route.upstream for route in routes)
    return Config(
        server=Server(allowed_hosts=("app.test",)),
        upstreams=tuple(Upstream(name=name, servers=(server(3000 if name == "page" else 3001),)) for name in names),
        routes=routes,
    )


def server(port: int) -> ServerAddress:
    return ServerAddress(scheme=Scheme.HTTP, host="localhost", port=port, url=f"http://localhost:{port}")


def forward_of(head: RequestHead, *routes: Route) -> Forward:
    plan = plan_request(head, compile_snapshot(configured(*routes), "0000"))
    assert isinstance(plan, Forward)
    return plan


def upstream_of(head: RequestHead, *routes: tuple[str, str, PathKind]) -> str:
    """Return the upstream that `head` goes to among `routes` (pattern, upstream, kind) and ``/`` to ``page``."""
    written = (Route(kind=kind, pattern=pattern, upstream=name) for pattern, name, kind in routes)
    return forward_of(head, *written).compiled.upstream


def sent_by(head: RequestHead, *routes: Route) -> tuple[str, str]:
    """Return the Host and the Origin with which `head` goes out; empty for none."""
    forward = forward_of(head, *routes)
    port = 3000 if forward.compiled.upstream == "page" else 3001
    octets = render_request(forward, head, Peer("127.0.0.1", "http"), server(port))
    fields = dict(line.split(b": ", 1) for line in octets[:-4].split(b"\r\n")[1:])
    return fields[b"Host"].decode(), fields.get(b"Origin", b"").decode()


# Which they are


@pytest.mark.parametrize(("path", "protocol"), OF_DEV_SERVERS)
def test_the_sockets_of_dev_servers_are_recognised(path: bytes, protocol: bytes) -> None:
    assert read_hot_reload(handshake(path, protocol)) is not None


def test_what_sockjs_asks_by_plain_requests_belongs_to_its_socket() -> None:
    assert read_hot_reload(request(b"/sockjs-node/info?t=1")) is not None


@pytest.mark.parametrize(
    "head",
    [
        handshake(b"/"),
        handshake(b"/ws/?EIO=4&transport=websocket"),
        handshake(b"/ws?EIO=4&transport=websocket"),
        handshake(b"/ws/chat"),
        handshake(b"/", b"vite-hmr-not"),
        handshake(b"/hmr"),
        handshake(b"/@vite/client"),
        handshake(b"/x_next/hmr"),
        handshake(b"/sockjs-node"),
        request(b"/ws"),
        request(b"/_next/webpack-hmr-manifest"),
        request(b"/_next/hmr"),
        request(b"/", b"Sec-WebSocket-Protocol: vite-hmr"),
    ],
)
def test_nothing_else_is_taken_for_one(head: RequestHead) -> None:
    assert read_hot_reload(head) is None


# Where they go


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [("/_next/", PathKind.PREFIX), ("/**", PathKind.GLOB), ("/.*", PathKind.REGEX), ("/*/*hmr", PathKind.GLOB)],
)
@pytest.mark.parametrize(("path", "protocol"), OF_DEV_SERVERS)
def test_a_broad_route_never_takes_the_socket_of_a_dev_server(
    path: bytes, protocol: bytes, pattern: str, kind: PathKind
) -> None:
    # `/**` and `/.*` take `/` as well, so that they would serve the page: they have to be kept from that.
    routes = ((pattern, "other", kind), ("/", "page", PathKind.EXACT))
    assert upstream_of(handshake(path, protocol), *routes) == "page"


@pytest.mark.parametrize(
    ("pattern", "kind", "path", "protocol"),
    [
        ("/_next/hmr", PathKind.EXACT, b"/_next/hmr?id=1", b""),
        ("/_next/hmr", PathKind.PREFIX, b"/_next/hmr", b""),
        ("/_next/hmr", PathKind.REGEX, b"/_next/hmr", b""),
        ("/_bun/hmr", PathKind.GLOB, b"/_bun/hmr", b""),
        ("/app/", PathKind.PREFIX, b"/app/?token=x", b"vite-hmr"),
        ("/app", PathKind.PREFIX, b"/app/?token=x", b"vite-hmr"),
        ("/app/**", PathKind.GLOB, b"/app/?token=x", b"vite-hmr"),
        ("/sockjs-node/", PathKind.PREFIX, b"/sockjs-node/1/2/websocket", b""),
        ("/sockjs-node", PathKind.PREFIX, b"/sockjs-node/1/2/websocket", b""),
        ("/sockjs-node/**", PathKind.GLOB, b"/sockjs-node/1/2/websocket", b""),
        ("/sockjs-node/1/2/websocket", PathKind.EXACT, b"/sockjs-node/1/2/websocket", b""),
    ],
)
def test_a_route_that_names_the_path_takes_it(pattern: str, kind: PathKind, path: bytes, protocol: bytes) -> None:
    assert upstream_of(handshake(path, protocol), (pattern, "other", kind)) == "other"


def test_a_broad_route_to_the_page_s_own_server_keeps_the_socket_and_says_how_it_goes_out() -> None:
    broad = Route(kind=PathKind.PREFIX, pattern="/_next/", upstream="page", origin="upstream")
    head = handshake(b"/_next/hmr", b"", b"Origin: http://localhost:5173")
    assert sent_by(head, broad) == ("localhost:8080", "http://localhost:3000")


def test_what_sockjs_asks_by_plain_requests_goes_where_its_socket_goes() -> None:
    broad = ("/s*/**", "other", PathKind.GLOB)
    assert upstream_of(request(b"/sockjs-node/info"), broad) == "page"
    assert upstream_of(request(b"/socks/info"), broad) == "other"
    assert upstream_of(request(b"/sockjs-node/info"), ("/sockjs-node/", "chat", PathKind.PREFIX)) == "chat"


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("/ws/", PathKind.PREFIX),
        ("/ws", PathKind.PREFIX),
        ("/ws", PathKind.EXACT),
        ("/w*", PathKind.GLOB),
        ("/**", PathKind.GLOB),
        ("/(ws|api)", PathKind.REGEX),
        ("/.*", PathKind.REGEX),
    ],
)
def test_a_backend_s_socket_at_ws_goes_to_whichever_route_takes_it(pattern: str, kind: PathKind) -> None:
    assert upstream_of(handshake(b"/ws"), (pattern, "chat", kind)) == "chat"
    assert upstream_of(handshake(b"/ws?token=x"), (pattern, "chat", kind)) == "chat"


def test_ws_goes_to_the_page_s_server_where_no_route_but_that_takes_it() -> None:
    others = (("/api/", "chat", PathKind.PREFIX), ("/ws/", "chat", PathKind.EXACT), ("/wss", "chat", PathKind.PREFIX))
    assert upstream_of(handshake(b"/ws"), *others) == "page"
    assert upstream_of(handshake(b"/ws")) == "page"


def test_a_condition_that_does_not_hold_takes_no_socket_at_ws() -> None:
    head = handshake(b"/ws")
    here = Route(kind=PathKind.PREFIX, pattern="/ws/", upstream="chat", match_host=("api.test",))
    posts = Route(kind=PathKind.PREFIX, pattern="/ws/", upstream="chat", methods=("POST",))
    assert forward_of(head, here, posts).compiled.upstream == "page"


def test_webpack_and_socket_io_share_the_path_ws_where_the_route_is_exact() -> None:
    routes = ("/ws/", "chat", PathKind.EXACT)
    assert upstream_of(handshake(b"/ws"), routes) == "page"
    assert upstream_of(handshake(b"/ws/?EIO=4&transport=websocket&sid=x"), routes) == "chat"
    assert upstream_of(request(b"/ws/?EIO=4&transport=polling"), routes) == "chat"


# With which Host and Origin


@pytest.mark.parametrize("host", [b"127.0.0.1:8080", b"app.test", b"localhost:8080", b"[::1]:8080"])
@pytest.mark.parametrize(
    ("path", "protocol"), [*OF_DEV_SERVERS, (b"/ws", b""), (b"/docs/_next/hmr", b""), (b"/docs/_next/webpack-hmr", b"")]
)
def test_an_own_page_s_hot_reload_goes_out_as_from_the_frontend_itself(
    path: bytes, protocol: bytes, host: bytes
) -> None:
    head = handshake(path, protocol, b"Origin: http://" + host, host=host)
    assert sent_by(head) == ("localhost:3000", "http://localhost:3000")


@pytest.mark.parametrize("path", [b"/__nextjs_font/geist.woff2", b"/__nextjs_original-stack-frames", b"/_next/x.js"])
def test_so_does_what_next_gives_to_its_own_origin_alone(path: bytes) -> None:
    head = request(path, b"Origin: http://127.0.0.1:8080", host=b"127.0.0.1:8080")
    assert sent_by(head) == ("localhost:3000", "http://localhost:3000")


@pytest.mark.parametrize("written", ["keep", "remove", "http://localhost:4000", "upstream"])
def test_an_origin_that_the_route_names_goes_before(written: str) -> None:
    head = handshake(b"/_next/hmr", b"", b"Origin: http://localhost:8080")
    route = Route(kind=PathKind.EXACT, pattern="/_next/hmr", upstream="chat", origin=written)
    meant = {"keep": "http://localhost:8080", "remove": "", "upstream": "http://localhost:3001"}.get(written, written)
    assert sent_by(head, route) == ("localhost:8080", meant)


def test_the_own_origin_of_the_other_scheme_is_foreign_where_the_browser_says_so() -> None:
    head = handshake(b"/_next/hmr", b"", b"Origin: https://localhost:8080", b"Sec-Fetch-Site: cross-site")
    route = Route(kind=PathKind.EXACT, pattern="/_next/hmr", upstream="chat", guard=False)
    assert sent_by(head, route) == ("localhost:8080", "https://localhost:8080")


@pytest.mark.parametrize(
    "head",
    [
        handshake(b"/_next/hmr"),
        handshake(b"/_next/hmr", b"", b"Origin: http://localhost:5173"),
        handshake(b"/socket.io/?EIO=4&transport=websocket", b"", b"Origin: http://localhost:8080"),
        handshake(b"/live", b"", b"Origin: http://localhost:8080"),
        request(b"/__nextjs_font/geist.woff2", b"Origin: http://localhost:5173"),
        request(b"/__nextjs_font/geist.woff2"),
        request(b"/next/hmr", b"Origin: http://localhost:8080"),
        request(b"/sockjs-node/info", b"Origin: http://localhost:8080"),
    ],
)
def test_every_other_request_keeps_its_host_and_origin(head: RequestHead) -> None:
    assert sent_by(head) == ("localhost:8080", (head.first(b"origin") or b"").decode())


def test_a_backend_s_socket_at_ws_keeps_its_host_and_origin() -> None:
    head = handshake(b"/ws", b"", b"Origin: http://localhost:8080")
    route = Route(kind=PathKind.PREFIX, pattern="/ws/", upstream="chat")
    assert sent_by(head, route) == ("localhost:8080", "http://localhost:8080")


# What is said when the file is read

TEXT = (
    '[upstreams]\npage = "http://localhost:1"\nchat = "http://localhost:2"\n[[routes]]\npath = "/"\nupstream = "page"\n'
)


def warned(condition: str) -> tuple[str, ...]:
    return warnings(load(f'{TEXT}[[routes]]\n{condition}\nupstream = "chat"\n'.encode(), source="x"))


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        ('path = "/_next/"', 'path_exact = "/_next/webpack-hmr"'),
        ('path_glob = "/_bun/*"', 'path_exact = "/_bun/hmr"'),
        ('path_glob = "/sock*/**"', 'path = "/sockjs-node/"'),
    ],
)
def test_a_broad_route_over_a_hot_reload_socket_is_warned_about(condition: str, advice: str) -> None:
    (said,) = warned(condition)
    assert advice in said


@pytest.mark.parametrize(
    "condition",
    [
        'path = "/socket.io/"',
        'path = "/ws/"',
        'path = "/sockjs-node/"',
        'path_exact = "/_next/hmr"',
        'path_glob = "/w*"',
    ],
)
def test_a_route_that_gets_what_it_asks_for_is_not_warned_about(condition: str) -> None:
    assert not warned(condition)
