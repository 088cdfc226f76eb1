"""Behind a proxy that speaks https: what the browser knows devproxy by, and redirects that would go round for ever."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from devproxy.config import load
from devproxy.config.model import Config
from tests.support.certificates import certificate_files, pair_for
from tests.support.exchanges import values_of
from tests.support.processes import Program, free_port, wait_for
from tests.support.tls_servers import serving
from tests.support.wire import Conversation, ScriptedUpstream, Wire, running, until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"  # Debian keeps it where only root looks
SAYS_HTTPS = (b"X-Forwarded-Proto: https",)


def configured(port: int, server: str = "", route: str = "") -> Config:
    text = f'[server]\nlisten = "127.0.0.1:0"\nallowed_hosts = ["app.test"]\n{server}\n'
    text += f'[upstreams]\nbackend = "http://127.0.0.1:{port}"\n[[routes]]\npath = "/"\nupstream = "backend"\n{route}\n'
    return load(text.encode(), source="devproxy.toml")


@asynccontextmanager
async def talking(server: str = "", route: str = "") -> AsyncIterator[Conversation]:
    upstream = ScriptedUpstream()
    async with running(configured(upstream.port, server, route), upstream) as talk:
        yield talk


def request(*lines: bytes, path: bytes = b"/x?a=1", host: bytes = b"app.test") -> bytes:
    return b"\r\n".join((b"GET %b HTTP/1.1" % path, b"Host: " + host, *lines, b"", b""))


def redirect(location: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 302 Found", b"Location: " + location, b"Content-Length: 0", *lines, b"", b""))


class Round:
    """A client that asks again and again on one connection, and the server's end."""

    def __init__(self, talk: Conversation) -> None:
        self.talk = talk
        self.client: Wire | None = None
        self.server: Wire | None = None

    async def goes(self, asked: bytes, answer: bytes) -> bytes:
        """Ask once more, answer that; return the head that the client gets."""
        if self.client is None:
            self.client = await self.talk.client()
        done = len(self.talk.finished())
        self.client.send(asked)
        if self.server is None:
            self.server = await self.talk.upstream.accept()
        await self.server.head()
        self.server.send(answer)
        head = await self.client.head()
        await until(lambda: len(self.talk.finished()) > done)
        return head

    @property
    def told(self) -> list[str]:
        """What has been said of loops."""
        return told(self.talk)


def told(talk: Conversation) -> list[str]:
    return [words for event in talk.finished() for words in event.advice if "a redirect goes round" in words]


# -- the front as the browser knows it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "front"),
    [
        ((), b"http://app.test"),
        ((b"X-Forwarded-Proto: https",), b"https://app.test"),
        ((b"X-Forwarded-Host: www.example.com",), b"http://www.example.com"),
        ((b"X-Forwarded-Port: 8443",), b"http://app.test:8443"),
        ((b"X-Forwarded-Proto: https", b"X-Forwarded-Port: 8443"), b"https://app.test:8443"),
        (
            (b"X-Forwarded-Proto: https", b"X-Forwarded-Host: www.example.com:8443", b"X-Forwarded-Port: 443"),
            b"https://www.example.com:8443",
        ),
        (
            (b"X-Forwarded-Proto: https", b"X-Forwarded-Host: x-8080.app.github.dev", b"X-Forwarded-Port: 443"),
            b"https://x-8080.app.github.dev",
        ),
    ],
)
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_redirects_and_cookies_follow_what_a_trusted_proxy_states(
    said: tuple[bytes, ...], front: bytes, is_trusted: bool
) -> None:
    key = "" if is_trusted else "trusted_proxies = []"
    async with talking(key, 'cookies = { secure = "auto", same_site = "auto" }') as talk:
        own = f"http://127.0.0.1:{talk.upstream.port}/login".encode()
        answer = redirect(own, b"Set-Cookie: a=1; Secure; SameSite=None")
        head = await Round(talk).goes(request(*said), answer)
    front = front if is_trusted else b"http://app.test"
    assert values_of(head, b"location") == [front + b"/login"]
    is_https = front.startswith(b"https:")
    assert values_of(head, b"set-cookie") == [b"a=1; Secure; SameSite=None" if is_https else b"a=1; SameSite=Lax"]


# -- what a page can set -----------------------------------------------------------------------------------------------

CLAIMS = (
    "Client-IP",
    "CF-Connecting-IP",
    "CF-Visitor",
    "CloudFront-Forwarded-Proto",
    "Fastly-Client-IP",
    "Forwarded",
    "Forwarded-For",
    "Forwarded-Host",
    "Forwarded-Proto",
    "Front-End-Https",
    "Proxy-Client-IP",
    "True-Client-IP",
    "Via",
    "X-Arr-Ssl",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded",
    "X-Forwarded-By",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-User",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-HTTP-Method-Override",
    "X-Original-Host",
    "X-Original-Proto",
    "X-Original-URL",
    "X-Originating-IP",
    "X-Real-IP",
    "X-Remote-Addr",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Url-Scheme",
)
VALUES = (b"localhost", b"127.0.0.1", b"http", b"https", b"on", b"for=127.0.0.1;host=localhost;proto=https", b"80")
UPGRADE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)
REFUSED = {
    "a name that was made to lead here": (request(host=b"evil.test"), b"421"),
    "a page of another site": (request(b"Origin: http://evil.test"), b"403"),
    "an image in another site": (request(b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: no-cors"), b"403"),
    "a WebSocket of another site": (request(b"Origin: http://evil.test", *UPGRADE), b"403"),
    "a form of another site": (
        request(b"Origin: http://evil.test", b"Sec-Fetch-Mode: navigate", b"Content-Length: 0").replace(
            b"GET", b"POST", 1
        ),
        b"403",
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_no_field_that_a_page_can_set_opens_anything(name: str) -> None:
    async with talking() as talk:
        for asked, status in REFUSED.values():
            client = await talk.client()
            for value in (*VALUES, b"evil.test"):
                client.send(asked[:-2] + name.encode() + b": " + value + b"\r\n\r\n")
                head = await client.head()
                assert head.startswith(b"HTTP/1.1 %b " % status)
                await client.read(int(values_of(head, b"content-length")[0]))
        assert {event.upstream for event in talk.finished()} == {""}, "none of it has reached a server"


# -- redirects that go round -------------------------------------------------------------------------------------------


async def test_a_server_that_forces_https_behind_a_proxy_that_is_not_trusted() -> None:
    async with talking('trusted_proxies = ["10.0.0.9"]') as talk:
        going = Round(talk)
        for count in range(12):
            await going.goes(request(*SAYS_HTTPS), redirect(b"https://app.test/x?a=1"))
            assert len(going.told) == (count >= 4)
        assert '`trusted_proxies = ["10.0.0.9", "loopback"]` in [server]' in going.told[0]
        assert "http://app.test/x?a=1 to the same URL by https" in going.told[0]


async def test_a_server_that_does_not_believe_the_proxy() -> None:
    async with talking() as talk:
        going = Round(talk)
        for _ in range(12):
            head = await going.goes(request(*SAYS_HTTPS), redirect(b"https://app.test/x?a=1"))
            assert values_of(head, b"location") == [b"https://app.test/x?a=1"]
        (words,) = going.told
        assert "was told `X-Forwarded-Proto: https`" in words
        assert "SECURE_PROXY_SSL_HEADER" in words


async def test_a_proxy_that_does_not_say_that_it_speaks_https() -> None:
    async with talking() as talk:
        going = Round(talk)
        for _ in range(12):
            await going.goes(request(), redirect(b"https://app.test/x?a=1"))
        (words,) = going.told
        assert "`tls = true` in [server]" in words
        assert "proxy_set_header X-Forwarded-Proto" in words


async def test_a_server_that_wants_its_own_name() -> None:
    async with talking() as talk:
        going = Round(talk)
        own = f"http://127.0.0.1:{talk.upstream.port}/x?a=1".encode()
        for _ in range(12):
            head = await going.goes(request(), redirect(own))
            assert values_of(head, b"location") == [b"http://app.test/x?a=1"]
        (words,) = going.told
        assert 'write `host = "upstream"` in this route' in words


@pytest.mark.parametrize(("rounds", "is_told"), [(6, False), (12, True)])
async def test_a_cookie_that_is_set_each_time_may_be_another_visit(rounds: int, is_told: bool) -> None:
    async with talking() as talk:
        going = Round(talk)
        for _ in range(rounds):
            await going.goes(request(b"Cookie: b=2"), redirect(b"/x?a=1", b"Set-Cookie: seen=1"))
        assert bool(going.told) is is_told


@pytest.mark.parametrize(
    "answer",
    [
        redirect(b"/y"),
        redirect(b"https://login.example/x?a=1"),
        redirect(b"/x?a=1").replace(b"302", b"201", 1),
        redirect(b"\xff\t//"),
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_other_answers_are_no_loop(answer: bytes) -> None:
    async with talking() as talk:
        going = Round(talk)
        for _ in range(12):
            await going.goes(request(), answer)
        assert going.told == []


@pytest.mark.parametrize(
    ("lines", "help"), [(SAYS_HTTPS, '`trusted_proxies = ["loopback"]`'), ((), "`tls = false` in [server]")]
)
async def test_devproxy_s_own_redirect_to_https_behind_a_proxy(lines: tuple[bytes, ...], help: str) -> None:
    files = certificate_files()
    key = f'trusted_proxies = []\ntls = {{ cert = "{files.cert}", key = "{files.key}" }}'
    async with talking(key) as talk:
        client = await talk.client(is_secure=False)
        for _ in range(12):
            client.send(request(b"Sec-Fetch-Mode: navigate", *lines))
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 307 ")
            await client.read(int(values_of(head, b"content-length")[0]))
        await until(lambda: len(talk.finished()) == 12)
        (words,) = told(talk)
        assert "devproxy sends http://app.test/x?a=1 to the same URL by https" in words
        assert help in words


# -- real proxies ------------------------------------------------------------------------------------------------------


@contextmanager
def caddy(folder: Path, beyond: int) -> Iterator[int]:
    """Run Caddy with a certificate for localhost in front of port `beyond`."""
    port = free_port()
    (folder / "Caddyfile").write_text(
        "{\n admin off\n auto_https off\n}\n"
        f"https://localhost:{port} {{\n tls {folder}/pair.pem {folder}/pair.pem\n"
        f" reverse_proxy 127.0.0.1:{beyond}\n}}\n"
    )
    command = ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with Program(command, name="caddy", environment={"HOME": str(folder)}):
        wait_for(lambda: _is_there(port), "Caddy")
        yield port


@contextmanager
def nginx(folder: Path, beyond: int) -> Iterator[int]:
    """Run nginx as people configure it for https in front of port `beyond`."""
    port = free_port()
    paths = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{ worker_connections 64; }}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/pair.pem; "
        f"ssl_certificate_key {folder}/pair.pem; location / {{ proxy_pass http://127.0.0.1:{beyond}; "
        "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; } } }\n"
    )
    with Program([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)], name="nginx"):
        wait_for(lambda: _is_there(port), "nginx")
        yield port


def _is_there(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def forcing_https(sock: socket.socket) -> None:
    """Answer as a server that insists on https, and believes X-Forwarded-Proto."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(65536)
        if not data:
            return
        head += data
    path = head.split(b" ")[1]
    host = values_of(head, b"host")[0]
    end = b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    if values_of(head, b"x-forwarded-proto") != [b"https"]:
        sock.sendall(b"HTTP/1.1 301 Moved\r\nLocation: https://%b%b\r\n%b" % (host, path, end))
    elif path == b"/old":
        own = b"http://127.0.0.1:%d/new" % sock.getsockname()[1]
        sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nSet-Cookie: a=1; Secure; SameSite=None\r\n%b" % (own, end))
    else:
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + end)


@pytest.mark.parametrize("front", [caddy, nginx])
async def test_behind_a_real_proxy_it_ends_where_it_is_trusted_and_is_explained_where_not(
    front: Callable[[Path, int], AbstractContextManager[int]], tmp_path: Path
) -> None:
    (tmp_path / "pair.pem").write_bytes(pair_for("localhost"))
    with serving(forcing_https) as backend:
        for key in ("", "trusted_proxies = []"):
            async with running(configured(backend, key), ScriptedUpstream()) as talk:
                with front(tmp_path, talk.port) as port:
                    done = await asyncio.to_thread(follow, f"https://localhost:{port}/old", tmp_path)
            if not key:
                assert done == f"200 1 https://localhost:{port}/new"
                assert "localhost\tFALSE\t/\tTRUE\t0\ta\t1" in (tmp_path / "jar").read_text()
                assert told(talk) == []
            else:
                assert done.startswith("301 15 ")
                (words,) = told(talk)
                assert '`trusted_proxies = ["loopback"]` in [server]' in words


def follow(url: str, folder: Path) -> str:
    """Have curl follow redirects from `url`; return the last status, their number, and where that was."""
    command = [
        "curl",
        "-sk",
        "-L",
        "--max-redirs",
        "15",
        "--max-time",
        "20",
        "-c",
        str(folder / "jar"),
        "-o",
        "/dev/null",
    ]
    command += ["--noproxy", "*", "-w", "%{http_code} %{num_redirects} %{url_effective}", url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
