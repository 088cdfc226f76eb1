"""Hot reload behind devproxy, under every name that it is opened by, with dev servers as strict as the real ones."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from devproxy.config.model import Config, PathKind, Route, Server, Upstream
from devproxy.console.jsonlines import JsonLines
from devproxy.console.lines import HumanLines
from devproxy.console.style import Glyphs, Style
from tests.support.wire import Conversation, ScriptedUpstream, address_of, config_for, conversation, running, until

pytestmark = pytest.mark.both_versions

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
PAGE = (Route(kind=PathKind.PREFIX, pattern="/", upstream="backend"),)
NAMES = ("localhost:8080", "127.0.0.1:8080", "[::1]:8080", "app.test", "app.test:8080")


def handshake(path: str, host: str, origin: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def name_of(authority: bytes) -> bytes:
    return authority.rpartition(b"//")[2].rpartition(b":")[0]


async def next_answers(talk: Conversation) -> None:
    """Answer as Next's ``blockCrossSiteDEV`` does: its own name, or a word that is no HTTP."""
    server = await talk.upstream.accept()
    fields = dict(line.split(b": ", 1) for line in (await server.head())[:-4].split(b"\r\n")[1:])
    is_own = name_of(fields[b"Origin"]) == b"127.0.0.1" and b"127.0.0.1:%d" % talk.upstream.port in fields[b"Origin"]
    server.send(SWITCH if is_own else b"Unauthorized")
    if not is_own:
        server.close()


async def webpack_answers(talk: Conversation) -> None:
    """Answer as webpack-dev-server does where ``allowedHosts`` is ``auto``: Host and Origin have to agree."""
    server = await talk.upstream.accept()
    fields = dict(line.split(b": ", 1) for line in (await server.head())[:-4].split(b"\r\n")[1:])
    is_known = name_of(fields[b"Host"]) in (b"localhost", b"127.0.0.1")
    agrees = is_known and name_of(fields[b"Host"]) == name_of(fields[b"Origin"])
    server.send(SWITCH if agrees else b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("host", NAMES)
@pytest.mark.parametrize("path", ["/_next/webpack-hmr?page=%2F", "/_next/hmr?id=x", "/docs/_next/hmr"])
async def test_next_takes_its_hot_reload_socket_under_every_name(host: str, path: str) -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake(path, host, f"http://{host}"))
        await next_answers(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("host", NAMES)
@pytest.mark.parametrize("path", ["/ws", "/ng-cli-ws", "/sockjs-node/1/2/websocket", "/_webpack/hmr"])
async def test_webpack_takes_its_hot_reload_socket_under_every_name(host: str, path: str) -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake(path, host, f"http://{host}"))
        await webpack_answers(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("path", ["/ws", "/ng-cli-ws", "/sockjs-node/1/2/websocket", "/_webpack/hmr"])
async def test_webpack_gets_the_origin_of_the_page_where_the_route_keeps_its_host(path: str) -> None:
    async with conversation(routes=(replace(PAGE[0], host="keep"),)) as talk:
        client = await talk.client()
        client.send(handshake(path, "localhost:8080", "http://localhost:8080"))
        await webpack_answers(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("path", ["/_next/webpack-hmr", "/docs/_next/hmr"])
async def test_next_gets_its_own_origin_where_the_route_keeps_the_host_too(path: str) -> None:
    async with conversation(routes=(replace(PAGE[0], host="keep"),)) as talk:
        client = await talk.client()
        client.send(handshake(path, "app.test:8080", "http://app.test:8080"))
        await next_answers(talk)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://127.0.0.1.evil.test", "http://app.test:9999"])
async def test_nobody_else_gets_in_by_that(origin: str) -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake("/_next/hmr", "app.test:8080", origin))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert b"X-Devproxy-Error: websocket-origin-not-allowed" in head


async def test_an_allowed_origin_that_is_not_devproxy_s_own_stays_as_it_is() -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake("/_next/hmr", "localhost:8080", "http://localhost:5173"))
        server = await talk.upstream.accept()
        head = await server.head()
        assert b"\r\nOrigin: http://localhost:5173\r\n" in head
        assert b"\r\nHost: localhost:8080\r\n" in head


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [(PathKind.PREFIX, "/ws/"), (PathKind.PREFIX, "/ws"), (PathKind.EXACT, "/ws"), (PathKind.GLOB, "/w?")],
)
async def test_a_backend_s_socket_at_ws_reaches_the_backend_as_the_page_sent_it(kind: PathKind, pattern: str) -> None:
    backend, page = ScriptedUpstream(), ScriptedUpstream()
    config = Config(
        server=Server(),
        upstreams=(
            Upstream(name="backend", servers=(address_of(backend.port),)),
            Upstream(name="page", servers=(address_of(page.port),)),
        ),
        routes=(
            Route(kind=kind, pattern=pattern, upstream="backend"),
            Route(kind=PathKind.PREFIX, pattern="/", upstream="page"),
        ),
    )
    async with running(config, backend) as talk:
        client = await talk.client()
        client.send(handshake("/ws?token=1", "localhost:8080", "http://localhost:8080"))
        server = await backend.accept()
        head = await server.head()
        assert b"\r\nOrigin: http://localhost:8080\r\n" in head
        assert b"\r\nHost: localhost:8080\r\n" in head
        server.send(SWITCH)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    page.close()


@pytest.mark.parametrize(
    ("answer", "status"),
    [(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403), (b"", 502), (b"Unauthorized", 502)],
)
async def test_a_handshake_that_failed_is_logged_as_one(answer: bytes, status: int) -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake("/live", "localhost", "http://localhost"))
        server = await talk.upstream.accept()
        await server.head()
        if answer:
            server.send(answer)
        server.close()
        assert (await client.head()).startswith(b"HTTP/1.1 %d " % status)
        await until(talk.finished)
    (event,) = talk.finished()
    assert (event.method, event.protocol, event.status) == (b"GET", "websocket", status)
    style = Style(False, Glyphs())
    human = HumanLines(config_for(()), version="", style=style, width=lambda: None, clock=lambda: 0.0)
    row = human.rendered(0, event)[0]
    assert " WS " in row
    assert " GET " not in row
    (line,) = JsonLines().lines(0, event)
    assert json.loads(line)["protocol"] == "websocket"


@pytest.mark.parametrize(("pattern", "is_advised"), [("/ws/", True), ("/", False)])
async def test_a_socket_at_ws_that_nobody_answers_leads_to_what_webpack_wants(pattern: str, is_advised: bool) -> None:
    routes = (*PAGE, Route(kind=PathKind.PREFIX, pattern="/ws/", upstream="backend")) if pattern != "/" else PAGE
    async with conversation(routes=routes) as talk:
        client = await talk.client()
        client.send(handshake("/ws", "localhost", "http://localhost"))
        server = await talk.upstream.accept()
        await server.head()
        server.close()
        assert b"X-Devproxy-Error: upstream-closed-before-answer" in await client.head()
        await until(talk.finished)
    (event,) = talk.finished()
    assert ("webSocketURL" in "".join(event.advice)) is is_advised


async def test_next_s_word_that_is_no_http_is_shown_and_leads_to_its_own_origin() -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(handshake("/_next/hmr", "localhost:8080", "http://localhost:5173"))
        await next_answers(talk)
        head = await client.head()
        body = await client.read(int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]))
        assert b"X-Devproxy-Error: upstream-bad-response" in head
        assert b"Unauthorized" in body
        assert b'origin = "upstream"' in body
        await until(talk.finished)
    (event,) = talk.finished()
    assert 'origin = "upstream"' in event.advice[0]
    assert "Unauthorized" in event.detail


async def test_a_name_that_the_dev_server_does_not_know_leads_to_the_line_in_the_log() -> None:
    async with conversation(routes=PAGE) as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        words = b'Blocked request. This host ("app.test") is not allowed.'
        server.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(words), words))
        assert words in await client.until(words)
        await until(talk.finished)
    (advice,) = talk.finished()[0].advice
    assert 'host = "upstream"' in advice
