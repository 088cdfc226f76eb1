"""Opening connections: both families behind a name, silent addresses, socket files, TLS, and what is no server."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from devproxy.config.addresses import parse_server
from devproxy.config.model import Scheme, ServerAddress, Upstream
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import Outcome, UpstreamState
from devproxy.gateway.back.dial import ATTEMPT_DELAY_S, Dialler
from tests.support.wire import ScriptedUpstream, address_of, config_for, running, soon, until

pytestmark = [pytest.mark.jumping_clock, pytest.mark.both_versions]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def silent_listener(host: str, port: int = 0) -> Iterator[int]:
    """Listen at `host` with a queue that is full, so that nobody gets an answer any more; give the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    fillers: list[socket.socket] = []
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()[:2]
        for _ in range(8):
            filler = socket.socket(family)
            fillers.append(filler)
            filler.settimeout(0.15)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        else:
            raise AssertionError("the queue of the listener does not get full")
        yield int(address[1])
    finally:
        for sock in (listener, *fillers):
            sock.close()


async def dialled(server: ServerAddress, *, timeout_s: float = 20.0, loop: object = None) -> tuple[str, Dialler]:
    """Dial `server` once, close what was opened, and return the address that answered and the dialler."""
    used = cast("asyncio.AbstractEventLoop", loop or asyncio.get_running_loop())
    dialler = Dialler(used, server, timeout_s=timeout_s, tls=None)
    return await dial_again(dialler), dialler


class _Recorder(asyncio.Protocol):
    """Keeps its transport, to close it."""

    transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


async def dial_again(dialler: Dialler) -> str:
    made: list[_Recorder] = []

    def build() -> asyncio.Protocol:
        made.append(_Recorder())
        return made[-1]

    try:
        return await soon(dialler.dial(build))
    finally:
        for protocol in made:
            if protocol.transport is not None:
                protocol.transport.close()
        await asyncio.sleep(0)


# -- both families -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("127.0.0.1", "127.0.0.1")])
async def test_localhost_works_on_either_family_and_the_event_says_on_which(host: str, shown: str) -> None:
    upstream = ScriptedUpstream(host)
    server = address_of(upstream.port, host="localhost")
    async with running(config_for((server,)), upstream) as talk:
        client = await talk.client()
        client.send(GET)
        behind = await upstream.accept()
        await behind.head()
        behind.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert [(one.is_up, one.address) for one in talk.seen(UpstreamState)] == [(True, f"{shown}:{upstream.port}")]


@pytest.mark.parametrize("name", ["api.localhost", "a.b.c.localhost", "localhost.", "api.localhost.", "API.LocalHost"])
@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
async def test_a_name_below_localhost_is_this_machine_whatever_the_resolver_says(
    name: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolver(asked: str, *args: Any, **more: Any) -> list[Any]:
        if asked in ("::1", "127.0.0.1"):
            return ask(asked, *args, **more)
        raise AssertionError(f"{asked} is no question for a resolver")

    ask = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    upstream = ScriptedUpstream(host)
    server = parse_server(f"http://{name}:{upstream.port}")
    async with running(config_for((server,)), upstream) as talk:
        client = await talk.client()
        client.send(GET)
        behind = await upstream.accept()
        await behind.head()
        behind.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("name", ["notlocalhost", "localhost.example.test", "localhost-2"])
async def test_other_names_are_asked_about(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolver(host: str, *args: Any, **more: Any) -> list[Any]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(UpstreamError) as caught:
        await dialled(address_of(4711, host=name))
    assert caught.value.fault is UpstreamFault.UNRESOLVED
    assert asked == [name]


@pytest.mark.parametrize(("host", "order"), [("::1", ["[::1]", "127.0.0.1"]), ("127.0.0.1", ["127.0.0.1", "[::1]"])])
async def test_the_family_that_answered_is_tried_first_the_next_time(host: str, order: list[str]) -> None:
    upstream = ScriptedUpstream(host)
    address, dialler = await dialled(address_of(upstream.port, host="localhost"))
    assert address == f"{order[0]}:{upstream.port}"
    upstream.close()
    with pytest.raises(UpstreamError) as caught:
        await dial_again(dialler)
    assert caught.value.fault is UpstreamFault.REFUSED
    assert caught.value.tried == tuple((f"{one}:{upstream.port}", "connection refused") for one in order)


async def test_a_silent_address_delays_the_next_one_by_a_moment_and_not_by_its_time_out() -> None:
    upstream = ScriptedUpstream("127.0.0.1")
    loop = asyncio.get_running_loop()
    try:
        with silent_listener("::1", upstream.port):
            started = loop.time()
            address, _ = await dialled(address_of(upstream.port, host="localhost"))
            assert address == f"127.0.0.1:{upstream.port}"
            assert ATTEMPT_DELAY_S * 0.9 <= loop.time() - started < 5.0
    finally:
        upstream.close()


async def test_a_server_that_answers_no_attempt_is_a_504_that_tells_how_long_was_waited() -> None:
    with silent_listener("127.0.0.1") as port:
        settings = Upstream(name="backend", servers=(address_of(port),), connect_timeout_s=0.3)
        async with running(config_for((), upstream=settings), ScriptedUpstream()) as talk:
            client = await talk.client()
            client.send(GET)
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 504 ")
            assert b"\r\nX-Devproxy-Error: upstream-connect-timeout\r\n" in head
            await client.until(b"no answer within 0.3 s")


async def test_a_client_that_leaves_while_its_server_is_dialled_is_reported_at_once() -> None:
    with silent_listener("127.0.0.1") as port:
        async with running(config_for((address_of(port),)), ScriptedUpstream()) as talk:
            client = await talk.client()
            client.send(GET)
            await until(lambda: talk.gateway.connection_count == 1)
            client.reset()
            async with asyncio.timeout(2.0):
                await until(talk.finished)
            assert talk.finished()[0].outcome is Outcome.CLIENT_LEFT


class _FromPort:
    """The running loop, but for connections that come from one local port."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def create_connection(self, factory: Callable[[], asyncio.Protocol], *args: Any, **options: Any) -> object:
        loop = asyncio.get_running_loop()
        return await loop.create_connection(factory, *args, local_addr=("127.0.0.1", self._port), **options)


async def test_a_socket_that_connected_to_itself_is_no_server() -> None:
    port = free_port()
    with pytest.raises(UpstreamError) as caught:
        await dialled(address_of(port), loop=_FromPort(port))
    assert caught.value.fault is UpstreamFault.REFUSED
    assert caught.value.tried == ((f"127.0.0.1:{port}", "connection refused"),)


# -- socket files ------------------------------------------------------------------------------------------------------


async def test_a_server_behind_a_socket_file_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    upstream = ScriptedUpstream()
    upstream.listener.close()
    upstream.listener = socket.socket(socket.AF_UNIX)
    upstream.listener.bind(str(path))
    upstream.listener.listen()
    upstream.listener.setblocking(False)
    server = address_of(0, host="", scheme=Scheme.UNIX, path=str(path))
    async with running(config_for((server,)), upstream) as talk:
        client = await talk.client()
        client.send(GET)
        behind = await upstream.accept()
        assert b"\r\nHost: a\r\n" in await behind.head()
        behind.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert talk.seen(UpstreamState)[0].address == str(path)


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a self-signed certificate for localhost; return it and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def tls_server(certificate: tuple[Path, Path], seen: list[bytes]) -> AsyncIterator[int]:
    """Answer every request over TLS; give the port. `seen` gets the request heads."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            await reader.read()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


async def tls_answer(port: int, *, verify: bool) -> tuple[bytes, bytes]:
    """Ask for ``/`` through a gateway whose upstream is ``https`` at `port`; return the head and the whole body."""
    servers = (address_of(port, scheme=Scheme.HTTPS),)
    settings = Upstream(name="backend", servers=servers, tls_verify=verify)
    async with running(config_for((), upstream=settings), ScriptedUpstream()) as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return await client.head(), await client.rest()


async def test_a_self_signed_certificate_is_refused_with_the_reason(certificate: tuple[Path, Path]) -> None:
    async with tls_server(certificate, []) as port:
        head, body = await tls_answer(port, verify=True)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"\r\nX-Devproxy-Error: upstream-tls-failed\r\n" in head
    assert b"self-signed certificate" in body
    assert 0 <= body.index(b"tls_ca = ") < body.index(b"tls_verify = false")


async def test_what_to_do_about_a_certificate_is_in_the_log_too(certificate: tuple[Path, Path]) -> None:
    async with tls_server(certificate, []) as port:
        servers = (address_of(port, scheme=Scheme.HTTPS),)
        async with running(
            config_for((), upstream=Upstream(name="backend", servers=servers)), ScriptedUpstream()
        ) as talk:
            client = await talk.client()
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.head()
            await until(talk.finished)
            (advice,) = talk.finished()[0].advice
    assert 0 <= advice.index("tls_ca = ") < advice.index("tls_verify = false")


async def test_the_authorities_of_the_system_are_those_of_openssl_s_own_variable(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with tls_server(certificate, []) as port:
        head, body = await tls_answer(port, verify=True)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"ok"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_name_that_perhaps_a_proxy_knows_is_said_to_be_asked_for_without_it(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://proxy.test:3128")
    servers = (address_of(443, host="api.invalid", scheme=Scheme.HTTPS),)
    async with running(config_for((), upstream=Upstream(name="backend", servers=servers)), ScriptedUpstream()) as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, body = await client.head(), await client.rest()
        await until(talk.finished)
    assert b"\r\nX-Devproxy-Error: upstream-name-not-found\r\n" in head
    assert f"`{variable}` is set".encode() in body
    assert f"`{variable}` is set" in talk.finished()[0].advice[0]


async def test_a_self_signed_certificate_is_taken_where_nobody_verifies(certificate: tuple[Path, Path]) -> None:
    seen: list[bytes] = []
    async with tls_server(certificate, seen) as port:
        head, body = await tls_answer(port, verify=False)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"ok"
    assert seen[0].lower().startswith(b"get / http/1.1\r\nhost: a\r\n")
    assert b"\r\nX-Forwarded-Proto: http\r\n" in seen[0]


async def test_plain_http_where_tls_is_expected_is_a_502_that_says_so() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        head, body = await tls_answer(int(server.sockets[0].getsockname()[1]), verify=False)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"\r\nX-Devproxy-Error: upstream-tls-failed\r\n" in head
    assert b"Use http://" in body
