"""The facts of the hop on the wire: whose word counts, what is dropped, and that the guard believes none of it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import HTTP
from wsgiref.simple_server import WSGIRequestHandler

import pytest
from devproxy.config import load
from devproxy.config.model import Config
from tests.support.exchanges import OK, asked, forwarded, lines_of, own_lines_of, values_of
from tests.support.wire import Conversation, ScriptedUpstream, running

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]

CLAIMS = (
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: app.example.com",
    b"X-Forwarded-Port: 8443",
    b"X-Real-IP: 203.0.113.7",
)
OWN = {
    b"x-forwarded-for": [b"127.0.0.1"],
    b"x-forwarded-proto": [b"http"],
    b"x-forwarded-host": [b"localhost:8080"],
    b"x-forwarded-port": [b"8080"],
    b"x-real-ip": [b"127.0.0.1"],
}
LOOK_ALIKES = (
    b"X_Forwarded_For: 6.6.6.6",
    b"X_Forwarded-Proto: https",
    b"X-Forwarded_Host: evil.test",
    b"x_forwarded_port: 1",
    b"X_REAL_IP: 6.6.6.6",
    b"X.Forwarded.Prefix: /evil",
    b"Content_Length: 999",
    b"content.length: 999",
    b"Transfer_Encoding: chunked",
    b"Keep_Alive: 1",
    b"Proxy_Connection: close",
    b"Sec_Fetch_Site: same-origin",
    b"Access_Control_Request_Method: PUT",
    b"X_Original_URL: /admin",
)


def configured(port: int, lines: str = "", route: str = 'path = "/"') -> Config:
    text = f'[server]\nlisten = "127.0.0.1:0"\n{lines}\n[upstreams]\nbackend = "http://127.0.0.1:{port}"\n'
    return load(f'{text}[[routes]]\nupstream = "backend"\n{route}\n'.encode(), source="devproxy.toml")


@asynccontextmanager
async def talking(lines: str = "", route: str = 'path = "/"') -> AsyncIterator[Conversation]:
    upstream = ScriptedUpstream()
    async with running(configured(upstream.port, lines, route), upstream) as talk:
        yield talk


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes = b"localhost:8080") -> bytes:
    return b"\r\n".join((start, b"Host: " + host, *lines, b"", b""))


async def test_a_proxy_on_this_machine_is_believed_by_default() -> None:
    async with talking() as talk:
        lines = (*CLAIMS, b"X-Forwarded-For: 203.0.113.7", b"Forwarded: for=6.6.6.6;host=evil.test;proto=gopher")
        _, _, head = await forwarded(talk, request(*lines))
        assert values_of(head, b"x-forwarded-for") == [b"203.0.113.7, 127.0.0.1"]
        assert values_of(head, b"x-forwarded-proto") == [b"https"]
        assert values_of(head, b"x-forwarded-host") == [b"app.example.com"]
        assert values_of(head, b"x-forwarded-port") == [b"8443"]
        assert values_of(head, b"x-real-ip") == [b"203.0.113.7"]
        what = b'host="app.example.com";proto=https'
        assert values_of(head, b"forwarded") == [b"for=203.0.113.7;%b, for=127.0.0.1;%b" % (what, what)]


@pytest.mark.parametrize("key", ["trusted_proxies = []", 'trusted_proxies = ["private", "127.0.0.2"]'])
@pytest.mark.parametrize("more", [(), (b"X-Custom_Name: new", b"Cookie: a=1")], ids=["plain", "more"])
async def test_nobody_else_is_believed(key: str, more: tuple[bytes, ...]) -> None:
    async with talking(key) as talk:
        claims = (*CLAIMS, b"X-Forwarded-For: 6.6.6.6", b"X-Forwarded-Prefix: /evil", b"X-Forwarded-Ssl: on")
        _, _, head = await forwarded(talk, request(*claims, *more, b"Forwarded: for=6.6.6.6"))
        assert {name: values_of(head, name) for name in OWN} == OWN
        assert own_lines_of(head) == [b"Host: localhost:8080", *more]


async def test_a_reload_changes_who_is_believed_on_connections_that_stay_open() -> None:
    async with talking() as talk:
        client, server, head = await forwarded(talk, request(*CLAIMS))
        assert values_of(head, b"x-real-ip") == [b"203.0.113.7"]
        server.send(OK)
        await client.head()
        await client.read(2)
        await talk.gateway.apply(configured(talk.upstream.port, "trusted_proxies = []"))
        client.send(request(*CLAIMS))
        head = await server.head()
        assert {name: values_of(head, name) for name in OWN} == OWN


@pytest.mark.parametrize("key", ["", "trusted_proxies = []"])
async def test_look_alikes_go_to_no_server(key: str) -> None:
    async with talking(key) as talk:
        for line in LOOK_ALIKES:
            _, server, head = await forwarded(talk, request(b"A: 1", line, b"X_Custom: 2"))
            assert own_lines_of(head) == [b"Host: localhost:8080", b"A: 1", b"X_Custom: 2"]
            assert {name: values_of(head, name) for name in OWN} == OWN
            server.close()


async def test_a_look_alike_does_not_come_in_a_trailer_either() -> None:
    async with talking() as talk:
        octets = request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1")
        body = b"2\r\nok\r\n0\r\nX_Forwarded_Host: evil.test\r\nForwarded: host=evil.test\r\nX-Sum: 1\r\n\r\n"
        _, server, _ = await forwarded(talk, octets + body)
        assert (await server.until(b"\r\n\r\n")).lower() == b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"


async def test_what_wsgi_makes_of_a_head_is_what_devproxy_says() -> None:
    async with talking("trusted_proxies = []") as talk:
        lines = (*LOOK_ALIKES, *CLAIMS, b"Content-Length: 2")
        _, _, head = await forwarded(talk, request(*lines, start=b"POST / HTTP/1.1") + b"hi")
        environ = wsgi_environ(head)
        assert environ["CONTENT_LENGTH"] == "2"
        assert environ["HTTP_X_FORWARDED_HOST"] == "localhost:8080"
        assert environ["HTTP_X_FORWARDED_PROTO"] == "http"
        assert environ["HTTP_X_FORWARDED_FOR"] == environ["HTTP_X_REAL_IP"] == "127.0.0.1"
        assert "HTTP_TRANSFER_ENCODING" not in environ
        assert "HTTP_X_ORIGINAL_URL" not in environ


def wsgi_environ(head: bytes) -> dict[str, str]:
    """Return what Python's own WSGI server makes of `head`."""
    handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.headers = message_from_bytes(head.partition(b"\r\n")[2], policy=HTTP)
    handler.path, handler.command, handler.request_version = "/", "POST", "HTTP/1.1"
    handler.client_address = ("127.0.0.1", 1)
    handler.server = type("Server", (), {"base_environ": {}})()
    handler.rfile = io.BytesIO()
    return handler.get_environ()


# -- the prefix --------------------------------------------------------------------------------------------------------

STRIPS = 'path = "/api/"\nstrip_prefix = true'


@pytest.mark.parametrize(
    ("key", "said", "told"),
    [
        ("", (), [b"/api"]),
        ("", (b"X-Forwarded-Prefix: /outer",), [b"/outer/api"]),
        ("", (b"X-Forwarded-Prefix: //evil.test",), [b"/api"]),
        ("trusted_proxies = []", (b"X-Forwarded-Prefix: /evil",), [b"/api"]),
    ],
)
async def test_a_server_is_told_which_prefix_was_taken_off(
    key: str, said: tuple[bytes, ...], told: list[bytes]
) -> None:
    async with talking(key, STRIPS) as talk:
        _, _, head = await forwarded(talk, request(*said, start=b"GET /api/items HTTP/1.1"))
        assert head.startswith(b"GET /items HTTP/1.1\r\n")
        assert values_of(head, b"x-forwarded-prefix") == told


@pytest.mark.parametrize(
    ("route", "target", "told"),
    [
        ('path = "/api/"', b"/api/items", []),
        ('path = "/"\nstrip_prefix = true', b"/items", []),
        ('path = "/app/v1/"\nrewrite = "/v1/"', b"/app/v1/items", [b"/app"]),
        ('path = "/api/"\nrewrite = "/v1/"', b"/api/items", []),
        ('path = "/xapi/"\nrewrite = "/api/"', b"/xapi/items", []),
        ('path_exact = "/old"\nrewrite = "/"', b"/old", []),
        (STRIPS + '\n[routes.headers.request]\nremove = ["X-Forwarded-Prefix"]', b"/api/items", []),
    ],
)
async def test_no_prefix_is_told_where_none_stands_in_front(route: str, target: bytes, told: list[bytes]) -> None:
    async with talking("", route) as talk:
        _, _, head = await forwarded(talk, request(start=b"GET " + target + b" HTTP/1.1"))
        assert values_of(head, b"x-forwarded-prefix") == told


# -- the guard ---------------------------------------------------------------------------------------------------------

BELIEVED_ELSEWHERE = (
    b"Forwarded: for=127.0.0.1;host=localhost;proto=http",
    b"X-Forwarded-For: 127.0.0.1",
    b"X-Forwarded-Host: localhost",
    b"X-Forwarded-Proto: http",
    b"X-Forwarded-Port: 80",
    b"X-Forwarded-Prefix: /",
    b"X-Forwarded-Server: localhost",
    b"X-Forwarded-Scheme: http",
    b"X-Forwarded-Ssl: off",
    b"X-Real-IP: 127.0.0.1",
    b"X-Host: localhost",
    b"X-Original-Host: localhost",
    b"X-Original-URL: /",
    b"X-Rewrite-URL: /",
    b"X-HTTP-Host-Override: localhost",
    b"Front-End-Https: off",
    b"Sec_Fetch_Site: same-origin",
    b"X_Forwarded_Host: localhost",
)


@pytest.mark.parametrize("line", BELIEVED_ELSEWHERE, ids=lambda line: line.partition(b":")[0].decode())
async def test_the_guard_believes_none_of_it(line: bytes) -> None:
    async with talking() as talk:
        head = await (await asked(talk, request(line, host=b"evil.test"))).head()
        assert head.startswith(b"HTTP/1.1 421 ")
        head = await (await asked(talk, request(line, b"Origin: http://evil.test"))).head()
        assert head.startswith(b"HTTP/1.1 403 ")
        head = await (await asked(talk, request(line, b"Sec-Fetch-Site: cross-site"))).head()
        assert head.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("line", [b"X-Forwarded-Host: evil.test", b"Forwarded: host=evil.test"])
async def test_a_foreign_page_does_not_become_the_fronts_own_by_a_claim(line: bytes) -> None:
    async with talking() as talk:
        head = await (await asked(talk, request(line, b"Origin: http://evil.test", start=b"POST / HTTP/1.1"))).head()
        assert head.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "line",
    [
        b"X-Forwarded-Port: " + b"9" * 9000,
        b"X-Forwarded-For: " + b"," * 9000,
        b"X-Forwarded-For: " + b'a b;c="d' * 900,
        b"X-Forwarded-Host: [" + b":" * 9000,
        b"X-Forwarded-Prefix: " + b"/a" * 4500,
        b"Forwarded: " + b'"\\' * 4500,
        b"X-Real-IP: \xff\xfe",
        b"X-Forwarded-Proto: \xe9",
    ],
)
async def test_what_a_trusted_proxy_states_badly_harms_nothing(line: bytes) -> None:
    async with talking() as talk:
        _, _, head = await forwarded(talk, request(line, b"Forwarded: for=1"))
        known = set(OWN) - {b"x-forwarded-for"}
        assert {name: values_of(head, name) for name in known} == {name: OWN[name] for name in known}
        [chain] = values_of(head, b"x-forwarded-for")
        assert chain.split(b", ")[-1] == b"127.0.0.1"
        assert len(lines_of(head)) == len({line.partition(b":")[0].lower() for line in lines_of(head)})
