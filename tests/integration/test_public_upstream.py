"""A server elsewhere, ``https://api.staging.example.com``: it is asked by its own name, and its cookies are kept."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from devproxy.config import load
from devproxy.config.model import Config
from tests.support.exchanges import OK, asked, forwarded, values_of
from tests.support.wire import Conversation, ScriptedUpstream, running

pytestmark = pytest.mark.both_versions

PUBLIC = "api.staging.example.com"
FRONT = b"http://localhost:8080"
NEAR = ("localhost", "api.localhost", "127.0.0.1", "backend", "app.test", "host.docker.internal", "nas.local")


@pytest.fixture(autouse=True)
def every_name_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name resolve to 127.0.0.1, as a resolver with such a zone does."""

    def resolver(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        return ask("127.0.0.1" if any(char.isalpha() for char in host) else host, port, *args, **more)

    ask = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolver)


def configured(servers: list[str], route: str, server: str = "") -> Config:
    listed = ", ".join(f'"{server}"' for server in servers)
    text = f'[server]\nlisten = "127.0.0.1:0"\n{server}\n'
    text += f"[upstreams.backend]\nservers = [{listed}]\ntls_verify = false\n"
    return load(f'{text}[[routes]]\nupstream = "backend"\npath = "/"\n{route}\n'.encode(), source="devproxy.toml")


@asynccontextmanager
async def talking(name: str = PUBLIC, route: str = "") -> AsyncIterator[Conversation]:
    upstream = ScriptedUpstream()
    async with running(configured([f"http://{name}:{upstream.port}"], route), upstream) as talk:
        yield talk


def request(*lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join((method + b" /x HTTP/1.1", b"Host: localhost:8080", *lines, b"", b""))


# -- Host and Origin ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [FRONT, b"http://localhost:3000"])
async def test_a_public_server_is_asked_by_its_own_name(origin: bytes) -> None:
    async with talking() as talk:
        _, _, head = await forwarded(talk, request(b"Origin: " + origin))
        own = f"{PUBLIC}:{talk.upstream.port}".encode()
        assert values_of(head, b"host") == [own]
        assert values_of(head, b"origin") == [b"http://" + own]
        assert values_of(head, b"x-forwarded-host") == [b"localhost:8080"]


async def test_a_public_server_gets_no_origin_where_the_browser_sent_none() -> None:
    async with talking() as talk:
        _, _, head = await forwarded(talk, request())
        assert values_of(head, b"origin") == []


@pytest.mark.parametrize("name", NEAR)
async def test_a_server_nearby_gets_what_the_browser_sent(name: str) -> None:
    async with talking(name) as talk:
        _, _, head = await forwarded(talk, request(b"Origin: " + FRONT))
        assert values_of(head, b"host") == [b"localhost:8080"]
        assert values_of(head, b"origin") == [FRONT]


async def test_a_handshake_goes_the_same_way() -> None:
    async with talking() as talk:
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        _, _, head = await forwarded(talk, request(*upgrade, b"Sec-WebSocket-Version: 13", b"Origin: " + FRONT))
        own = f"{PUBLIC}:{talk.upstream.port}".encode()
        assert values_of(head, b"host") == [own]
        assert values_of(head, b"origin") == [b"http://" + own]


@pytest.mark.parametrize(
    ("written", "host", "origin"),
    [
        ('host = "keep"', [b"localhost:8080"], [FRONT]),
        ('host = "keep"\norigin = "keep"', [b"localhost:8080"], [FRONT]),
        ('origin = "keep"', None, [FRONT]),
        ('origin = "remove"', None, []),
        ('host = "other.example.com"', [b"other.example.com"], [FRONT]),
        ('host = "auto"\norigin = "http://a.test"', None, [b"http://a.test"]),
    ],
)
async def test_what_is_written_stands(written: str, host: list[bytes] | None, origin: list[bytes]) -> None:
    async with talking(route=written) as talk:
        _, _, head = await forwarded(talk, request(b"Origin: " + FRONT))
        assert values_of(head, b"host") == (host or [f"{PUBLIC}:{talk.upstream.port}".encode()])
        assert values_of(head, b"origin") == origin


async def test_each_server_of_an_upstream_is_addressed_by_itself() -> None:
    upstream = ScriptedUpstream()
    names = [PUBLIC, "localhost", "10.0.0.1.nip.io"]
    servers = [f"http://{name}:{upstream.port}" for name in names]
    async with running(configured(servers, ""), upstream) as talk:
        seen = []
        for _ in names:
            _, server, head = await forwarded(talk, request(b"Origin: " + FRONT))
            seen.append((values_of(head, b"host")[0], values_of(head, b"origin")[0]))
            server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")  # under way, so that the next goes elsewhere
        port = upstream.port
        far = [f"{name}:{port}".encode() for name in names if name != "localhost"]
        assert sorted(seen) == sorted([(b"localhost:8080", FRONT), *((one, b"http://" + one) for one in far)])


# -- CORS --------------------------------------------------------------------------------------------------------------


async def test_a_page_of_another_port_may_read_although_the_server_never_saw_its_origin() -> None:
    async with talking() as talk:
        client, server, head = await forwarded(talk, request(b"Origin: http://localhost:3000"))
        own = values_of(head, b"origin")[0]
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: " + own + b"\r\n\r\n")
        answer = await client.head()
        assert values_of(answer, b"access-control-allow-origin") == [b"http://localhost:3000"]
        assert values_of(answer, b"access-control-allow-credentials") == [b"true"]


@pytest.mark.parametrize("mode", ["passthrough", "fix"])
async def test_where_the_servers_word_on_cors_counts_it_sees_which_page_asks(mode: str) -> None:
    async with talking(route=f'cors = "{mode}"') as talk:
        client, server, head = await forwarded(talk, request(b"Origin: http://localhost:3000"))
        assert values_of(head, b"origin") == [b"http://localhost:3000"]
        assert values_of(head, b"host") == [f"{PUBLIC}:{talk.upstream.port}".encode()]
        line = b"Access-Control-Allow-Origin: http://localhost:3000"
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n")
        assert values_of(await client.head(), b"access-control-allow-origin") == [b"http://localhost:3000"]
        client.send(request(b"Origin: " + FRONT))
        assert values_of(await server.head(), b"origin") == [f"http://{PUBLIC}:{talk.upstream.port}".encode()]


async def test_the_guard_judges_the_page_and_not_what_the_server_gets() -> None:
    async with talking() as talk:
        foreign = b"Origin: http://" + f"{PUBLIC}:{talk.upstream.port}".encode()
        head = await (await asked(talk, request(foreign))).head()
        assert head.startswith(b"HTTP/1.1 403 ")


# -- cookies and places ------------------------------------------------------------------------------------------------


async def cookie_of(name: str, route: str, value: bytes) -> bytes:
    """Return what becomes of a Set-Cookie."""
    async with talking(name, route) as talk:
        client, server, _ = await forwarded(talk, request())
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: " + value + b"\r\n\r\n")
        [found] = values_of(await client.head(), b"set-cookie")
        return found


SESSION = b"sid=1; Domain=staging.example.com; Path=/; Secure; HttpOnly; SameSite=None"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", b"sid=1; Path=/; HttpOnly; SameSite=Lax"),
        ('cookies = { domain = "keep" }', b"sid=1; Domain=staging.example.com; Path=/; HttpOnly; SameSite=Lax"),
        ('cookies = { domain = "localhost" }', b"sid=1; Domain=localhost; Path=/; HttpOnly; SameSite=Lax"),
        ('cookies = { domain = { "other.com" = "" } }', SESSION.replace(b" Secure;", b"").replace(b"None", b"Lax")),
        ('cookies = { secure = "keep" }', b"sid=1; Path=/; Secure; HttpOnly; SameSite=None"),
        ("cookies = { secure = true }", b"sid=1; Path=/; Secure; HttpOnly; SameSite=None"),
        ('cookies = { same_site = "strict" }', b"sid=1; Path=/; HttpOnly; SameSite=Strict"),
        ('cookies = { domain = "keep", secure = "keep", same_site = "keep" }', SESSION),
    ],
)
async def test_a_public_servers_cookie_becomes_one_that_this_origin_can_keep(written: str, expected: bytes) -> None:
    assert await cookie_of(PUBLIC, written, SESSION) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SESSION, SESSION.replace(b" Domain=staging.example.com;", b"")),
        (b"__Host-sid=1; Path=/; Secure", b"__Host-sid=1; Path=/; Secure"),
        (b"sid=1; SameSite=None", b"sid=1; SameSite=None; Secure"),
    ],
)
async def test_secure_follows_the_scheme_that_a_trusted_proxy_speaks_with_the_browser(
    value: bytes, expected: bytes
) -> None:
    async with talking() as talk:
        client, server, _ = await forwarded(talk, request(b"X-Forwarded-Proto: https"))
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: " + value + b"\r\n\r\n")
        assert values_of(await client.head(), b"set-cookie") == [expected]


async def test_nobody_else_says_by_which_scheme_the_browser_asked() -> None:
    upstream = ScriptedUpstream()
    config = configured([f"http://{PUBLIC}:{upstream.port}"], "", "trusted_proxies = []")
    async with running(config, upstream) as talk:
        client, server, _ = await forwarded(talk, request(b"X-Forwarded-Proto: https"))
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: " + SESSION + b"\r\n\r\n")
        assert values_of(await client.head(), b"set-cookie") == [b"sid=1; Path=/; HttpOnly; SameSite=Lax"]


@pytest.mark.parametrize("name", NEAR)
async def test_a_cookie_of_a_server_nearby_stays_as_it_is(name: str) -> None:
    assert await cookie_of(name, "", SESSION) == SESSION


async def test_a_name_that_promises_secure_comes_back_as_the_server_gave_it() -> None:
    async with talking() as talk:
        client, server, _ = await forwarded(talk, request())
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: __Host-sid=1; Path=/; Secure\r\n\r\nok")
        assert values_of(await client.head(), b"set-cookie") == [b"insecure-__Host-sid=1; Path=/"]
        await client.read(2)
        client.send(request(b"Cookie: insecure-__Host-sid=1; a=2"))
        assert values_of(await server.head(), b"cookie") == [b"__Host-sid=1; a=2"]


async def test_in_an_upstream_of_both_kinds_each_servers_cookies_are_its_own() -> None:
    upstream = ScriptedUpstream()
    servers = [f"http://{name}:{upstream.port}" for name in (PUBLIC, "localhost")]
    async with running(configured(servers, ""), upstream) as talk:
        seen: dict[bytes, list[bytes]] = {}
        for _ in servers:
            client, server, head = await forwarded(talk, request())
            server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: " + SESSION + b"\r\n\r\n")
            seen[values_of(head, b"host")[0]] = values_of(await client.head(), b"set-cookie")
        own = f"{PUBLIC}:{upstream.port}".encode()
        assert seen == {own: [b"sid=1; Path=/; HttpOnly; SameSite=Lax"], b"localhost:8080": [SESSION]}


async def test_a_redirect_of_a_public_server_to_itself_stays_in_the_one_origin() -> None:
    async with talking() as talk:
        client, server, head = await forwarded(talk, request())
        place = b"http://" + values_of(head, b"host")[0] + b"/login"
        server.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + place + b"\r\n\r\n")
        assert values_of(await client.head(), b"location") == [FRONT + b"/login"]


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Make a certificate for the public name; return it and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={PUBLIC}", "-addext", f"subjectAltName=DNS:{PUBLIC}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize("name", [PUBLIC, PUBLIC + "."])
async def test_the_name_in_tls_and_the_host_agree(name: str, certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    names: list[str | None] = []
    context.sni_callback = lambda _sock, asked_for, _context: names.append(asked_for)
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await reader.read()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        async with running(configured([f"https://{name}:{port}"], ""), ScriptedUpstream()) as talk:
            client = await asked(talk, request(b"Origin: " + FRONT))
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    finally:
        server.close()
        await server.wait_closed()
    assert set(names) == {PUBLIC}
    assert values_of(heads[0], b"host") == [f"{name}:{port}".encode()]
    assert values_of(heads[0], b"origin") == [f"https://{name}:{port}".encode()]
