"""Servers that are reached by way of an HTTP proxy: what it is asked, what goes through, what is said when it fails."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from devproxy.cli import main
from devproxy.config import load
from devproxy.config.diff import diff
from devproxy.config.model import Config
from devproxy.events import UpstreamState
from tests.support.certificates import TestAuthority
from tests.support.connect_proxy import ConnectProxy, connect_proxy
from tests.support.exchanges import OK, values_of
from tests.support.processes import Program, free_port, wait_for
from tests.support.tls_servers import answering, serving
from tests.support.wire import Conversation, ScriptedUpstream, running, until

pytestmark = pytest.mark.both_loops

NAME = "api.example.com"
GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
AUTHORITY = TestAuthority("Company Authority")


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with connect_proxy() as running_proxy:
        yield running_proxy


def configured(url: str, proxy: str, lines: str = "", source: str = "devproxy.toml") -> Config:
    text = f'[server]\nlisten = "127.0.0.1:0"\n[upstreams.api]\nservers = ["{url}"]\nproxy = "{proxy}"\n{lines}\n'
    return load(f'{text}[[routes]]\npath = "/"\nupstream = "api"\n'.encode(), source=source)


@asynccontextmanager
async def talking(proxy: ConnectProxy, credentials: str = "", lines: str = "") -> AsyncIterator[Conversation]:
    """Run a gateway whose upstream is spoken to in plain HTTP by `proxy`."""
    upstream = ScriptedUpstream()
    config = configured(f"http://{NAME}:{upstream.port}", f"http://{credentials}127.0.0.1:{proxy.port}", lines)
    async with running(config, upstream) as talk:
        yield talk


async def asked(talk: Conversation) -> tuple[bytes, dict[str, str]]:
    """Ask once more; return the head and the JSON of the answer."""
    client = await talk.client()
    client.send(GET)
    head = await client.head()
    return head, json.loads(await client.read(int(values_of(head, b"content-length")[0])))


# -- what goes through -----------------------------------------------------------------------------------------------


async def test_a_request_goes_through_a_tunnel_that_is_kept_for_the_next(proxy: ConnectProxy) -> None:
    async with talking(proxy) as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        opened = len(proxy.heads)
        for _ in range(2):
            head = await server.head()
            assert head.startswith(b"GET /x HTTP/1.1\r\n"), "in origin form, as to the server itself"
            assert values_of(head, b"proxy-authorization") == []
            server.send(OK)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            await client.read(2)
            client.send(GET)
        assert len(proxy.heads) == opened, "a tunnel is kept like any connection"
        assert set(proxy.targets) == {f"{NAME}:{talk.upstream.port}".encode()}, "the proxy looks the name up, too"
        assert talk.seen(UpstreamState)[0].address == f"127.0.0.1:{proxy.port} (proxy)"


async def test_who_asks_is_told_to_the_proxy_and_no_server(proxy: ConnectProxy) -> None:
    async with talking(proxy, "me:s%40cret%3A@") as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        assert b"roxy-Authorization" not in await server.head()
        expected = b64encode(b"me:s@cret:")
        assert all(b"\r\nProxy-Authorization: Basic " + expected + b"\r\n" in head for head in proxy.heads)


async def test_a_websocket_goes_through(proxy: ConnectProxy) -> None:
    async with talking(proxy) as talk:
        client = await talk.client()
        client.send(HANDSHAKE)
        server = await talk.upstream.accept()
        await server.head()
        server.send(SWITCHED + b"\x81\x02hi")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.read(4) == b"\x81\x02hi"
        client.send(b"\x81\x80abcd")
        assert await server.read(6) == b"\x81\x80abcd"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("proxied")
    (made / "ca.pem").write_bytes(AUTHORITY.pem)
    (made / "server.pem").write_bytes(AUTHORITY.pair(NAME, (NAME,)))
    return made


def secure(folder: Path, names: list[str | None] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    if names is not None:
        context.sni_callback = lambda _, name, __: names.append(name)
    return context


async def test_https_is_spoken_with_the_server_itself(proxy: ConnectProxy, folder: Path) -> None:
    names: list[str | None] = []
    with serving(answering(secure(folder, names))) as port:
        config = configured(
            f"https://{NAME}:{port}",
            f"http://127.0.0.1:{proxy.port}",
            'tls_ca = "ca.pem"',
            str(folder / "devproxy.toml"),
        )
        async with running(config, ScriptedUpstream()) as talk:
            client = await talk.client()
            client.send(GET)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            assert await client.read(2) == b"ok"
    assert set(names) == {NAME}
    assert set(proxy.targets) == {f"{NAME}:{port}".encode()}


async def test_a_websocket_over_https_goes_through(proxy: ConnectProxy, folder: Path) -> None:
    def behave(sock: socket.socket) -> None:
        with secure(folder).wrap_socket(sock, server_side=True) as wire:
            if wire.recv(65536):
                wire.sendall(SWITCHED)
                wire.sendall(wire.recv(65536))

    with serving(behave) as port:
        lines = 'tls_ca = "ca.pem"'
        config = configured(
            f"https://{NAME}:{port}", f"http://127.0.0.1:{proxy.port}", lines, str(folder / "devproxy.toml")
        )
        async with running(config, ScriptedUpstream()) as talk:
            client = await talk.client()
            client.send(HANDSHAKE)
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            client.send(b"\x81\x80abcd")
            assert await client.read(6) == b"\x81\x80abcd"


async def test_a_certificate_that_is_refused_behind_the_proxy_is_told_as_without(
    proxy: ConnectProxy, folder: Path
) -> None:
    with serving(answering(secure(folder))) as port:
        async with running(
            configured(f"https://{NAME}:{port}", f"http://127.0.0.1:{proxy.port}"), ScriptedUpstream()
        ) as talk:
            head, document = await asked(talk)
    assert b"\r\nX-Devproxy-Error: upstream-tls-failed\r\n" in head
    assert document["certificate signed by"] == "CN=Company Authority"
    assert "tls_ca" in document["help"]


# -- a real proxy ----------------------------------------------------------------------------------------------------


@contextmanager
def tinyproxy(folder: Path, beyond: int, *lines: str) -> Iterator[int]:
    """Run tinyproxy, which asks the proxy at port `beyond` in turn: that one takes every name for this machine."""
    found = shutil.which("tinyproxy")
    assert found is not None, "tinyproxy is needed: apt install tinyproxy-bin"
    port = free_port()
    settings = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "MaxClients 20", "Timeout 30", *lines]
    (folder / "tinyproxy.conf").write_text("\n".join([*settings, f"Upstream http 127.0.0.1:{beyond}", ""]))

    def is_there() -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    with Program([found, "-d", "-c", str(folder / "tinyproxy.conf")], name="tinyproxy"):
        wait_for(is_there, "tinyproxy")
        yield port


async def test_tinyproxy_lets_http_https_and_websockets_through(
    proxy: ConnectProxy, folder: Path, tmp_path: Path
) -> None:
    with tinyproxy(tmp_path, proxy.port, "BasicAuth me secret") as port, serving(answering(secure(folder))) as there:
        url = f"http://me:secret@127.0.0.1:{port}"
        upstream = ScriptedUpstream()
        async with running(configured(f"http://{NAME}:{upstream.port}", url), upstream) as talk:
            client = await talk.client()
            client.send(GET)
            server = await talk.upstream.accept()
            await server.head()
            server.send(OK)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            client = await talk.client()
            client.send(HANDSHAKE)
            await server.head()  # by the tunnel that was kept
            server.send(SWITCHED)
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        source = str(folder / "devproxy.toml")
        config = configured(f"https://{NAME}:{there}", url, 'tls_ca = "ca.pem"', source)
        async with running(config, ScriptedUpstream()) as talk:
            client = await talk.client()
            client.send(GET)
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("credentials", "what", "help"),
    [("", "wants to know who asks (407", "USER:PASSWORD@"), ("me:wrong@", "does not accept the user and", "Correct")],
)
async def test_tinyproxy_that_wants_a_login_is_explained(
    proxy: ConnectProxy, tmp_path: Path, credentials: str, what: str, help: str
) -> None:
    with tinyproxy(tmp_path, proxy.port, "BasicAuth me secret") as port:
        config = configured(f"https://{NAME}", f"http://{credentials}127.0.0.1:{port}")
        async with running(config, ScriptedUpstream()) as talk:
            head, document = await asked(talk)
            await until(talk.finished)
            assert talk.finished()[0].advice == (document["help"],)
    assert b"\r\nX-Devproxy-Error: upstream-proxy-refused\r\n" in head
    assert document["cause"] in ("proxy-login-wanted", "proxy-refused")
    if document["cause"] == "proxy-login-wanted":
        assert what in document["message"]
        assert help in document["help"]
    else:  # tinyproxy answers 401 to credentials that are wrong
        assert "does not connect to it: 401" in document["message"]


# -- what is said where it fails -------------------------------------------------------------------------------------

LOGIN = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: %b\r\nContent-Length: 0\r\n\r\n"
ANSWERS = {
    "a login is wanted": (LOGIN % b'Basic realm="x"', 502, "proxy-login-wanted", "wants to know who asks", "USER:PASS"),
    "another login": (
        LOGIN % b"NTLM\r\nProxy-Authenticate: Negotiate",
        502,
        "proxy-login-wanted",
        "a login by ntlm or negotiate",
        "cntlm",
    ),
    "forbidden": (b"HTTP/1.1 403 Forbidden\r\n\r\n", 502, "proxy-refused", "does not connect to it: 403", "only 443"),
    "not a method it knows": (b"HTTP/1.0 405 Nope\r\n\r\n", 502, "proxy-refused", "405 Nope", "rules"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", 502, "proxy-refused", "302 Found", "rules"),
    "the server is not there": (
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9999\r\n\r\nxx",
        503,
        "proxy-found-no-server",
        "cannot reach it: 502 Bad Gateway",
        "Check name and port",
    ),
    "the server is silent": (b"HTTP/1.1 504 \r\n\r\n", 503, "proxy-found-no-server", "504", "Check name and port"),
    "it is no HTTP": (b"SSH-2.0-OpenSSH\r\n", 502, "proxy-bad-answer", "not an answer of a proxy", "SOCKS"),
    "it is SOCKS": (b"\x05\xff", 502, "proxy-bad-answer", "not an answer of a proxy", "SOCKS"),
    "an interim answer": (b"HTTP/1.1 101 Switching\r\n\r\n", 502, "proxy-bad-answer", "interim", "SOCKS"),
    "a head without end": (
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
        502,
        "proxy-bad-answer",
        "not an answer of a proxy",
        "SOCKS",
    ),
    "very many lines": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, 502, "proxy-bad-answer", "answer", "SOCKS"),
    "a reason that moves the cursor": (b"HTTP/1.1 403 \x1b[2J\r\n\r\n", 502, "proxy-refused", "403", "rules"),
}


@pytest.mark.parametrize(("answer", "status", "cause", "what", "help"), ANSWERS.values(), ids=ANSWERS)
async def test_what_a_proxy_answers_is_explained(
    proxy: ConnectProxy, answer: bytes, status: int, cause: str, what: str, help: str
) -> None:
    proxy.answer = answer
    async with talking(proxy, "" if answer.startswith(b"HTTP/1.1 407 ") else "me:secret@") as talk:
        head, document = await asked(talk)
        await until(talk.finished)
        told = talk.finished()[0]
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert document["cause"] == cause
    assert what in document["message"]
    assert help in document["help"]
    assert f"127.0.0.1:{proxy.port}" in document["proxy"]
    assert "secret" not in f"{document} {told} {head!r}"
    assert "\x1b" not in f"{document}{told}"


async def test_a_proxy_that_closes_at_once(proxy: ConnectProxy) -> None:
    with serving(lambda sock: sock.recv(65536)) as port:
        async with talking(replace(proxy, port=port)) as talk:
            head, document = await asked(talk)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert document["cause"] == "proxy-closed"


async def test_a_proxy_that_is_not_there(proxy: ConnectProxy) -> None:
    async with talking(replace(proxy, port=free_port())) as talk:
        head, document = await asked(talk)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nX-Devproxy-Error: upstream-unreachable\r\n" in head
    assert document["cause"] == "proxy-unreachable"
    assert "connection refused" in document["message"]


async def test_a_proxy_whose_name_is_unknown() -> None:
    async with running(configured(f"https://{NAME}", "http://proxy.invalid:3128"), ScriptedUpstream()) as talk:
        head, document = await asked(talk)
    assert b"\r\nX-Devproxy-Error: upstream-name-not-found\r\n" in head
    assert "the name of the proxy http://proxy.invalid:3128 does not resolve" in document["message"]


async def test_a_proxy_that_never_answers_has_its_time(proxy: ConnectProxy) -> None:
    proxy.is_silent = True
    async with talking(proxy, lines="connect_timeout_s = 0.2") as talk:
        head, document = await asked(talk)
    assert head.startswith(b"HTTP/1.1 504 ")
    assert document["cause"] == "proxy-silent"
    assert "opened no connection in time (no answer within 0.2 s)" in document["message"]


async def test_a_client_that_leaves_ends_the_way_to_the_proxy(proxy: ConnectProxy) -> None:
    proxy.is_silent = True
    async with talking(proxy) as talk:
        client = await talk.client()
        client.send(GET)
        await until(lambda: proxy.heads)
        client.reset()
        await until(talk.finished, within_s=3)


async def test_what_a_server_says_unasked_right_behind_the_tunnel_is_told_as_ever(proxy: ConnectProxy) -> None:
    proxy.glued = b"220 mail ready\r\n"
    async with talking(proxy) as talk:
        head, document = await asked(talk)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert "220 mail ready" in document["message"]


async def test_what_comes_before_the_handshake_is_no_answer_of_a_proxy(proxy: ConnectProxy, folder: Path) -> None:
    proxy.glued = b"\x16\x03\x03"
    with serving(answering(secure(folder))) as port:
        async with running(
            configured(f"https://{NAME}:{port}", f"http://127.0.0.1:{proxy.port}"), ScriptedUpstream()
        ) as talk:
            _, document = await asked(talk)
    assert document["cause"] == "proxy-bad-answer"


# -- what the environment names --------------------------------------------------------------------------------------


async def test_a_proxy_that_the_environment_names_is_not_used_but_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.test:3128")
    text = '[server]\nlisten = "127.0.0.1:0"\n[upstreams]\napi = "https://api.invalid"\n'
    config = load(f'{text}[[routes]]\npath = "/"\nupstream = "api"\n'.encode(), source="devproxy.toml")
    async with running(config, ScriptedUpstream()) as talk:
        head, document = await asked(talk)
    assert b"upstream-name-not-found" in head
    assert '`proxy = "http://USER:PASSWORD@proxy.test:3128"` in [upstreams.api]' in document["help"]
    assert "secret" not in str(document)


# -- the configuration -----------------------------------------------------------------------------------------------


def problems(proxy: str, servers: str, capsys: pytest.CaptureFixture[str], folder: Path) -> list[dict[str, str | int]]:
    file = folder / "devproxy.toml"
    file.write_text(
        f'[upstreams.api]\nservers = [{servers}]\nproxy = "{proxy}"\n[[routes]]\npath = "/"\nupstream = "api"\n'
    )
    main(["check", "--json", str(file)])
    (document,) = json.loads(capsys.readouterr().out)
    return document.get("problems", [])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "server",
    [
        "http://localhost:1",
        "https://127.0.0.1",
        "http://[::1]:1",
        "http://a.localhost",
        "unix:/a.sock",
        "http://0.0.0.0:1",
    ],
)
def test_a_server_of_this_machine_is_behind_no_proxy(
    server: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (problem,) = problems("http://proxy.test:3128", f'"https://api.example.com", "{server}"', capsys, tmp_path)
    assert "is on this machine, and `proxy` would look for it on another" in str(problem["what"])
    assert problem["line"] == 2


@pytest.mark.parametrize(
    ("proxy", "what", "help"),
    [
        ("proxy.test:3128", "is not the URL of a proxy", 'write "http://proxy.test:3128"'),
        ("https://me:secret@proxy.test:3128", 'not by "https"', "TLS itself is not supported"),
        ("socks5h://me:secret@proxy.test:1080", 'not by "socks5h"', "SOCKS is not supported"),
        ("http://me:secret@proxy.test", "has no port", "3128 or 8080"),
        ("http://me:secret@proxy.test:3128/x", "ends with its port", "proxy.example"),
        ("http://me:sec/ret@proxy.test:3128", "ends with its port", "%2F"),
        ("http://:secret@proxy.test:3128", "user of a proxy is missing", "%3A"),
        ("http://me:secret%0d%0a@proxy.test:3128", "control character", "encode"),
        ("http://me%3Ax:secret@proxy.test:3128", "has a colon", "encode"),
        ("http://me:secret@proxy.test:99999", "from 1 to 65535", ""),
        ("http://me:secret@:3128", "the host is missing", ""),
        ("", "is not the URL of a proxy", "proxy.example"),
    ],
)
def test_a_url_that_is_no_proxy_s_is_refused_without_repeating_a_secret(
    proxy: str, what: str, help: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (problem,) = problems(proxy, '"https://api.example.com"', capsys, tmp_path)
    assert what in str(problem["what"])
    assert help in str(problem["help"])
    assert "sec" not in f"{problem['what']}{problem['help']}"
    main(["check", str(tmp_path / "devproxy.toml")])
    shown = capsys.readouterr().err
    assert f"{tmp_path}/devproxy.toml:3:" in shown
    assert "secret" not in shown
    assert "sec/ret" not in shown


def test_credentials_are_shown_nowhere(proxy: ConnectProxy, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    proxy.answer = ANSWERS["forbidden"][0]
    assert problems(f"http://me:secret@127.0.0.1:{proxy.port}", '"https://api.example.com"', capsys, tmp_path) == []
    named = ["--config", str(tmp_path / "devproxy.toml")]
    for command in (["routes"], ["routes", "--test", "GET", "/"], ["explain", "/"], ["explain", "/", "--send"]):
        main([*command, *named])
        shown = capsys.readouterr()
        assert "secret" not in shown.out + shown.err
        if command == ["explain", "/"]:
            assert f"by way of the proxy http://…@127.0.0.1:{proxy.port}" in shown.out
        if "--send" in command:
            assert "does not connect to it: 403 Forbidden" in shown.err


def test_another_password_is_a_change_that_is_told_without_it() -> None:
    old, new = (configured(f"https://{NAME}", f"http://me:{word}@p.test:1") for word in ("secret", "other"))
    assert [change.detail for change in diff(old, new)] == ["proxy: another user or password"]
    moved = configured(f"https://{NAME}", "http://me:secret@q.test:1")
    assert [change.detail for change in diff(old, moved)] == ["proxy: http://…@p.test:1 -> http://…@q.test:1"]
    assert "secret" not in repr(old)


def test_explain_asks_by_the_proxy(
    proxy: ConnectProxy, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copy(folder / "ca.pem", tmp_path / "ca.pem")
    with serving(answering(secure(folder))) as port:
        file = tmp_path / "devproxy.toml"
        file.write_text(
            f'[upstreams.api]\nservers = ["https://{NAME}:{port}"]\nproxy = "http://127.0.0.1:{proxy.port}"\n'
            'tls_ca = "ca.pem"\n[[routes]]\npath = "/"\nupstream = "api"\n'
        )
        assert main(["explain", "/", "--send", "--config", str(file)]) == 0
    assert "HTTP/1.1 200" in capsys.readouterr().out
    assert proxy.targets == [f"{NAME}:{port}".encode()]


async def test_a_reload_takes_another_proxy(proxy: ConnectProxy) -> None:
    async with talking(replace(proxy, port=free_port())) as talk:
        assert (await asked(talk))[1]["cause"] == "proxy-unreachable"
        url = f"http://127.0.0.1:{proxy.port}"
        await talk.gateway.apply(configured(f"http://{NAME}:{talk.upstream.port}", url))
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        assert (await server.head()).startswith(b"GET /x ")
        await asyncio.sleep(0)
