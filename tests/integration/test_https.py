"""HTTPS beside plain HTTP on one port: real clients, what is told by the scheme, and what a reload changes."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from devproxy.config.model import Server
from devproxy.events import ConfigApplied, Outcome, Trouble, TunnelClosed
from devproxy.gateway.front.client import ClientConnection
from tests.support.certificates import certificate_files, pair_for
from tests.support.exchanges import GET, OK, values_of
from tests.support.gateway_process import GatewayProcess
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.reloading import ConfigurationFile, following, toml
from tests.support.wire import (
    ScriptedUpstream,
    TlsWire,
    Wire,
    address_of,
    config_for,
    conversation,
    running,
    soon,
    until,
)

SECURE = Server(tls=certificate_files())
PAGE = b"GET /page HTTP/1.1\r\nHost: localhost:8080\r\nSec-Fetch-Mode: navigate\r\n\r\n"


# -- one port ----------------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_one_port_speaks_both_and_the_server_is_told_which() -> None:
    async with conversation(server=SECURE) as talk:
        for is_secure, scheme in ((True, b"https"), (False, b"http")):
            client = await talk.client(is_secure=is_secure)
            client.send(GET)
            server = await talk.upstream.accept()
            assert values_of(await server.head(), b"x-forwarded-proto") == [scheme]
            server.send(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await client.head()).startswith(b"HTTP/1.1 200 ")
            assert await client.read(2) == b"ok"
        assert talk.gateway.urls[0].startswith("https://localhost:")


@pytest.mark.both_loops
async def test_a_page_in_plain_http_is_sent_to_https_and_the_connection_goes_on() -> None:
    async with conversation(server=SECURE) as talk:
        client = await talk.client(is_secure=False)
        client.send(PAGE)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 307 ")
        assert values_of(head, b"location") == [b"https://localhost:8080/page"]
        await client.read(int(values_of(head, b"content-length")[0]))
        client.send(GET)
        assert (await (await talk.upstream.accept()).head()).startswith(b"GET / ")
        assert [event.status for event in talk.finished()] == [307]


@pytest.mark.parametrize("first", [b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
@pytest.mark.both_loops
@pytest.mark.jumping_clock
async def test_half_a_handshake_has_its_deadline_and_is_no_news(first: bytes) -> None:
    async with conversation(server=Server(tls=certificate_files(), head_timeout_s=1.0)) as talk:
        client = await talk.client(is_secure=False)
        client.send(first)
        started = asyncio.get_running_loop().time()
        await soon(client.is_ended())
        assert asyncio.get_running_loop().time() - started < 3.0
        assert talk.seen(Trouble) == []
        assert talk.finished() == []


@pytest.mark.both_loops
@pytest.mark.jumping_clock
async def test_who_says_nothing_at_all_is_closed_like_any_idle_client() -> None:
    async with conversation(server=Server(tls=certificate_files(), idle_timeout_s=2.0)) as talk:
        client = await talk.client(is_secure=False)
        started = asyncio.get_running_loop().time()
        await soon(client.is_ended())
        assert 1.0 < asyncio.get_running_loop().time() - started < 4.0


@pytest.mark.both_loops
@pytest.mark.both_schemes
async def test_what_is_written_piece_by_piece_does_not_wait_for_an_acknowledgement() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await client.head()
        shared = talk.gateway._shared
        assert shared is not None
        (connection,) = shared.connections
        assert isinstance(connection, ClientConnection)
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_a_client_that_leaves_ends_the_exchange_within_a_second() -> None:
    async with conversation(server=SECURE) as talk:
        for leave in (TlsWire.close, TlsWire.reset):
            client = await talk.client(is_secure=True)
            assert isinstance(client, TlsWire)
            client.send(GET)
            server = await talk.upstream.accept()
            await server.head()
            server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")
            await client.head()
            leave(client)
            await until(lambda: talk.finished(), within_s=1.0)
            assert talk.finished()[0].outcome is Outcome.CLIENT_LEFT
            talk.events.clear()


@pytest.mark.both_loops
async def test_a_connection_that_devproxy_closes_ends_with_a_close_notify_and_at_once() -> None:
    async with conversation(server=SECURE) as talk:
        client = await talk.client(is_secure=True)
        assert isinstance(client, TlsWire)
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        server = await talk.upstream.accept()
        server.send(OK)
        await client.head()
        assert await client.read(2) == b"ok"
        assert await client.is_ended()
        assert client.was_told_the_end


# -- real clients ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayThread]:
    with gateway_thread(config_for((address_of(1),), server=SECURE)) as running:
        yield running


def run(*command: str, given: str = "") -> str:
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=30, check=False).stdout


NODE = """
const https = require("node:https"), fs = require("node:fs");
https.get(process.argv[1] + "/__devproxy/health", {ca: fs.readFileSync(process.argv[2])}, (answer) => {
  let body = "";
  answer.on("data", (data) => (body += data)).on("end", () => console.log(answer.statusCode, body));
});
"""


def test_real_clients_that_trust_the_certificate_get_an_answer(gateway: GatewayThread) -> None:
    pem = certificate_files().cert
    url = gateway.url + "__devproxy/health"
    assert '"status": "ok"' in run("curl", "--http1.1", "-sS", "--cacert", pem, url)
    assert '"status": "ok"' in run("curl", "-sS", "--cacert", pem, "--tls-max", "1.2", url)
    assert '200 {"status": "ok"}' in run("node", "-e", NODE, gateway.origin, pem)
    place = gateway.origin.partition("://")[2]
    request = "GET /__devproxy/health HTTP/1.1\nHost: localhost\nConnection: close\n\n"
    said = run("openssl", "s_client", "-connect", place, "-CAfile", pem, "-crlf", "-ign_eof", "-quiet", given=request)
    assert '"status": "ok"' in said


def test_a_real_client_that_does_not_trust_it_is_no_news(gateway: GatewayThread) -> None:
    assert run("curl", "-sS", gateway.url) == ""
    assert gateway.seen(Trouble) == []


async def test_websockets_speak_over_tls_as_they_do_without() -> None:
    async def echo(connection: websockets.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    context = ssl.create_default_context(cafile=certificate_files().cert)
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        config = config_for((address_of(port),), server=SECURE)
        async with running(config, ScriptedUpstream()) as talk:
            url = f"wss://localhost:{talk.port}/"
            async with websockets.connect(url, ssl=context, max_size=None, host="127.0.0.1") as client:
                for size in (0, 1, 70_000, 3_000_000):
                    await client.send(b"x" * size)
                    assert await soon(client.recv()) == b"x" * size
            await until(lambda: talk.seen(TunnelClosed))
            assert talk.seen(TunnelClosed)[0].close_code == 1000


def test_a_browser_comes_to_https_by_itself(gateway: GatewayThread) -> None:
    plain = gateway.url.replace("https:", "http:")
    said = run(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--dump-dom", plain
    )
    assert "503" in said
    finished = [event for event in list(gateway._events) if hasattr(event, "status") and hasattr(event, "target")]
    assert 307 in [event.status for event in finished]


# -- the configuration -------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> ConfigurationFile:
    return ConfigurationFile(tmp_path / "project")


def with_tls(text: str, tls: str) -> str:
    return text.replace("[server]\n", f"[server]\ntls = {tls}\n")


async def is_served(client: Wire) -> bool:
    client.send(b"GET /__devproxy/health HTTP/1.1\r\nHost: a\r\n\r\n")
    head = await client.head()
    await client.read(int(values_of(head, b"content-length")[0]))
    return head.startswith(b"HTTP/1.1 200 ")


async def test_a_reload_switches_tls_on_and_off_and_open_connections_stay(file: ConfigurationFile) -> None:
    plain = toml(("backend", 9))
    async with following(file, plain) as gateway:
        before = await gateway.talk.client(is_secure=False)
        await is_served(before)
        pem = Path(str(file)).parent / "pair.pem"
        pem.write_bytes(pair_for("localhost"))
        file.write(with_tls(plain, '{ cert = "pair.pem", key = "pair.pem" }'))
        applied = await gateway.next(ConfigApplied)
        assert applied.urls[0].startswith("https://")
        assert any("tls: false -> pair.pem" in change.detail for change in applied.changes)
        secure = await gateway.talk.client(is_secure=True)
        file.write(plain)
        assert (await gateway.next(ConfigApplied)).urls[0].startswith("http://")
        assert await is_served(before)
        assert await is_served(secure)
        late = await gateway.talk.client(is_secure=False)
        late.send(PAGE)
        assert (await late.head()).startswith(b"HTTP/1.1 503 ")


async def test_a_reload_that_switches_tls_on_says_who_does_not_trust_it_yet_and_which_names_cannot_be_signed(
    file: ConfigurationFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CAROOT", raising=False)
    plain = toml(("backend", 9))
    async with following(file, plain) as gateway:
        on = with_tls(plain, "true").replace('"*"', '"dev.example.com"')
        file.write(on)
        await gateway.next(ConfigApplied)
        assert "https://dev.example.com" in (await gateway.next(Trouble)).what
        assert "not trusted yet by" in (await gateway.next(Trouble)).what
        file.write(on.replace("drain_s = 3", "drain_s = 4"))
        await gateway.next(ConfigApplied)
        file.write(on.replace("dev.example.com", "www.example.com"))
        assert "https://www.example.com" in (await gateway.next(Trouble)).what, "the rest was told before"


async def test_a_certificate_that_is_none_is_told_and_the_rest_of_the_configuration_holds(
    file: ConfigurationFile,
) -> None:
    text = toml(("backend", 9))
    async with following(file, text) as gateway:
        file.write(
            with_tls(text, '{ cert = "missing.pem", key = "missing.pem" }').replace("drain_s = 3", "drain_s = 4")
        )
        trouble = await gateway.next(Trouble)
        assert "missing.pem" in trouble.what
        assert "`tls` stays as it was" in trouble.what
        assert [change.detail for change in (await gateway.next(ConfigApplied)).changes] == ["drain_s: 3 -> 4"]
        client = await gateway.talk.client(is_secure=False)
        client.send(PAGE)
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")


def test_up_with_tls_serves_https_with_a_certificate_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CAROOT", raising=False)
    gateway = GatewayProcess("--tls", "--backend", "9", cwd=tmp_path)
    try:
        assert gateway.url.startswith("https://localhost:")
        (authority,) = tmp_path.rglob("authority.crt")
        said = run("curl", "-sS", "--cacert", str(authority), f"{gateway.url}__devproxy/health")
        assert json.loads(said) == {"status": "ok"}
        named = f"https://app.localhost:{gateway.port}/__devproxy/health"
        assert json.loads(run("curl", "-sS", "--cacert", str(authority), named)) == {"status": "ok"}
        gateway.event("trouble", lambda event: "not trusted yet by" in event["what"], "that nobody trusts it yet")
    finally:
        gateway.stop(told="not trusted yet by")


def test_up_with_certificates_that_are_none_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(with_tls(toml(("backend", 9)), '{ cert = "a.pem", key = "b.pem" }'))
    with pytest.raises(AssertionError, match=re.compile(r"cannot read .*a\.pem", re.DOTALL)):
        GatewayProcess(cwd=tmp_path)
