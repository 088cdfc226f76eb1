"""Servers that are spoken to by https: whom devproxy trusts, what it shows, and what is said where that fails."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from devproxy.config import load
from devproxy.config.model import Config
from devproxy.events import Trouble
from devproxy.gateway.back import tls
from tests.support.certificates import TestAuthority, pair_for
from tests.support.processes import Program, free_port, wait_for
from tests.support.tls_servers import Behaviour, answering, closing, plain_http, resetting, serving
from tests.support.wire import Conversation, ScriptedUpstream, running, until

pytestmark = pytest.mark.both_loops

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"  # Debian keeps it where only root looks
OURS = TestAuthority("Our Authority")
OTHER = TestAuthority("Another Authority")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the configuration of a test names."""
    made = tmp_path_factory.mktemp("certificates")
    files = {
        "ca.pem": OURS.pem,
        "server.pem": OURS.pair(),
        "client.pem": OURS.pair("me"),
        "foreign.pem": OTHER.pair("me"),
        "self.pem": pair_for("localhost"),
        "expired.pem": OURS.pair(days=(-30, -2)),
        "early.pem": OURS.pair(days=(2, 30)),
        "elsewhere.pem": OURS.pair("api.test", ("api.test", "10.1.2.3")),
    }
    for name, data in files.items():
        (made / name).write_bytes(data)
    (made / "authorities").mkdir()
    (made / "authorities" / "ours.crt").write_bytes(OURS.pem)
    (made / "authorities" / "README").write_text("none of ours")
    return made


def server_context(file: Path, **settings: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if settings.pop("old", False):
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # Python does not want them any more, either
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def demanding(folder: Path, **settings: object) -> ssl.SSLContext:
    """Return the context of a server that demands a certificate of our authority."""
    context = server_context(folder / "server.pem", verify_mode=ssl.CERT_REQUIRED, **settings)
    context.load_verify_locations(folder / "ca.pem")
    return context


def configured(folder: Path, port: int, lines: str, *, host: str = "localhost", route: str = "") -> Config:
    text = f'[server]\nlisten = "127.0.0.1:0"\n[upstreams.backend]\nservers = ["https://{host}:{port}"]\n{lines}\n'
    text += f'[[routes]]\npath = "/"\nupstream = "backend"\n{route}\n'
    return load(text.encode(), source=str(folder / "devproxy.toml"))


class Seen(NamedTuple):
    """``document``: the answer in JSON, or the whole body. ``detail``, ``advice``: of the log."""

    status: int
    head: bytes
    document: dict[str, str]
    detail: str
    advice: tuple[str, ...]


async def ask(config: Config, accept: str = "application/json") -> Seen:
    async with running(config, ScriptedUpstream()) as talk:
        return await ask_on(talk, accept)


async def ask_on(talk: Conversation, accept: str = "application/json") -> Seen:
    talk.events.clear()
    client = await talk.client()
    client.send(f"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode())
    head, body = await client.head(), await client.rest()
    await until(talk.finished)
    finished = talk.finished()[0]
    try:
        document = json.loads(body)
    except ValueError:
        document = {"body": body.decode()}
    return Seen(finished.status, head, document, finished.detail, finished.advice)


# -- whom devproxy trusts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'tls_ca = "ca.pem"',
        'tls_ca = "authorities"',
        'tls_ca = ["system", "ca.pem"]',
        'tls_ca = ["authorities", "self.pem"]',
        'tls_ca = "server.pem"',
        "tls_verify = false",
    ],
)
async def test_what_is_named_is_trusted(folder: Path, line: str) -> None:
    with serving(answering(server_context(folder / "server.pem"))) as port:
        assert (await ask(configured(folder, port, line))).status == 200


async def test_the_certificate_of_the_server_itself_will_do(folder: Path) -> None:
    with serving(answering(server_context(folder / "self.pem"))) as port:
        assert (await ask(configured(folder, port, 'tls_ca = "self.pem"'))).status == 200


async def test_to_name_an_authority_is_to_trust_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    with serving(answering(server_context(folder / "server.pem"))) as port:
        assert (await ask(configured(folder, port, ""))).status == 200, "the system's store names it"
        assert (await ask(configured(folder, port, 'tls_ca = "self.pem"'))).status == 502
        assert (await ask(configured(folder, port, 'tls_ca = ["self.pem", "system"]'))).status == 200


# -- which name is asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ["", 'host = "other.test"', 'host = "keep"', 'host = "upstream"'])
async def test_the_name_in_the_handshake_is_that_of_the_url(folder: Path, route: str) -> None:
    names: list[str | None] = []
    context = server_context(folder / "server.pem", sni_callback=lambda _, name, __: names.append(name))
    heads: list[bytes] = []
    with serving(answering(context, heads)) as port:
        seen = await ask(configured(folder, port, 'tls_ca = "ca.pem"', route=route))
    assert seen.status == 200
    assert set(names) == {"localhost"}
    if "other.test" in route:
        assert b"\r\nHost: other.test\r\n" in heads[0]


async def test_an_address_is_asked_for_without_a_name_and_has_to_be_in_the_certificate(folder: Path) -> None:
    names: list[str | None] = []
    context = server_context(folder / "server.pem", sni_callback=lambda _, name, __: names.append(name))
    with serving(answering(context)) as port:
        assert (await ask(configured(folder, port, 'tls_ca = "ca.pem"', host="127.0.0.1"))).status == 200
    assert set(names) == {None}


# -- what devproxy shows ---------------------------------------------------------------------------------------------

TLS_1_2 = {"maximum_version": ssl.TLSVersion.TLSv1_2}


@pytest.mark.parametrize("version", [{}, TLS_1_2], ids=["1.3", "1.2"])
async def test_a_server_that_demands_a_certificate_is_shown_ours(folder: Path, version: dict[str, object]) -> None:
    with serving(answering(demanding(folder, **version))) as port:
        assert (await ask(configured(folder, port, 'tls_ca = "ca.pem"\ntls_cert = "client.pem"'))).status == 200


@contextmanager
def openssl_server(folder: Path) -> Iterator[int]:
    """Run ``openssl s_server -Verify``: it demands a certificate of our authority."""
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "server.pem", "-key", "server.pem"]
    command += ["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem", "-www"]
    with Program(command, name="openssl", cwd=folder) as program:
        program.line("ACCEPT")
        yield port


@contextmanager
def nginx_server(folder: Path) -> Iterator[int]:
    """Run an nginx that demands a certificate of our authority, and says so in an answer."""
    port, place = free_port(), folder / f"nginx-{free_port()}"
    place.mkdir()
    (place / "nginx.conf").write_text(
        f"daemon off; pid {place}/pid; error_log stderr; events {{ worker_connections 64; }}\n"
        f"http {{ access_log off; client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path "
        f"{place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s; server {{ listen 127.0.0.1:{port} ssl; "
        f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem; "
        f"ssl_client_certificate {folder}/ca.pem; ssl_verify_client on; location / {{ return 200 ok; }} }} }}\n"
    )
    with Program([NGINX, "-c", str(place / "nginx.conf"), "-p", str(place)], name="nginx"):
        wait_for((place / "pid").exists, "nginx")
        yield port


@pytest.mark.parametrize("server", [openssl_server, nginx_server])
async def test_real_servers_accept_what_is_shown(
    folder: Path, server: Callable[[Path], AbstractContextManager[int]]
) -> None:
    lines = 'tls_ca = "ca.pem"\ntls_cert = "client.pem"\ntls_key = "client.pem"'
    with server(folder) as port:
        assert (await ask(configured(folder, port, lines))).status == 200


async def test_openssl_s_own_server_without_a_certificate_to_see(folder: Path) -> None:
    with openssl_server(folder) as port:
        seen = await ask(configured(folder, port, 'tls_ca = "ca.pem"'))
    assert seen.document["cause"] == "client-certificate-wanted"


async def test_what_nginx_says_without_a_certificate_to_see_leads_to_the_line(folder: Path) -> None:
    with nginx_server(folder) as port:
        seen = await ask(configured(folder, port, 'tls_ca = "ca.pem"'))
    assert seen.status == 400, "it answers, and that is relayed"
    assert "tls_cert" in seen.advice[0]


# -- what is said where it fails -------------------------------------------------------------------------------------


class Case(NamedTuple):
    """``server``: made from the folder. ``lines``: of the upstream. ``what``, ``help``: parts of the answer."""

    server: Callable[[Path], Behaviour]
    cause: str
    what: str
    help: str
    lines: str = 'tls_ca = "ca.pem"'
    certificate: str = ""
    status: int = 502


def shown(file: str, **settings: object) -> Callable[[Path], Behaviour]:
    return lambda folder: answering(server_context(folder / file, **settings))


def unknown_name(folder: Path) -> Behaviour:
    refuse = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return answering(server_context(folder / "server.pem", sni_callback=lambda *_: refuse))


FAILURES = {
    "nothing trusts a self-signed certificate": Case(
        shown("self.pem"), "self-signed", "is self-signed", 'tls_ca = "server.pem"', "", "CN=localhost"
    ),
    "an authority that the system does not know": Case(
        shown("server.pem"), "issuer-not-trusted", "CN=Our Authority", 'tls_ca = "ca.pem"', "", "CN=localhost"
    ),
    "an authority that tls_ca does not name": Case(
        shown("server.pem"),
        "issuer-not-trusted",
        "not trusted here (CN=Our Authority)",
        'tls_ca = ["self.pem", "ca.pem"]',
        'tls_ca = "self.pem"',
        "CN=localhost",
    ),
    "expired": Case(shown("expired.pem"), "expired", "its certificate expired on 20", "Renew", certificate="CN=local"),
    "not yet valid": Case(shown("early.pem"), "not-yet-valid", "not valid before 20", "clock", certificate="CN=local"),
    "for another name": Case(
        shown("elsewhere.pem"),
        "wrong-name",
        "for api.test, 10.1.2.3, not for localhost",
        "in the URL of the upstream",
        certificate="CN=api.test",
    ),
    "a certificate of the client is demanded, TLS 1.3": Case(
        lambda folder: answering(demanding(folder)),
        "client-certificate-wanted",
        "a certificate of its client",
        'tls_cert = "client.pem"',
    ),
    "a certificate of the client is demanded, TLS 1.2": Case(
        lambda folder: answering(demanding(folder, **TLS_1_2)), "handshake-refused", "refused the TLS", "tls_cert"
    ),
    "the certificate of the client is not accepted": Case(
        lambda folder: answering(demanding(folder)),
        "client-certificate-refused",
        "does not accept the certificate that devproxy shows (alert unknown ca)",
        "tls_key",
        'tls_ca = "ca.pem"\ntls_cert = "foreign.pem"',
    ),
    "plain http": Case(lambda _: plain_http, "plain-http", "is not TLS", "http:// instead of https://"),
    "no version of TLS in common": Case(
        shown("server.pem", old=True), "nothing-in-common", "no version of TLS or no cipher in common", "TLS 1.2 or 1.3"
    ),
    "the name is unknown to the server": Case(
        unknown_name, "name-unknown-to-server", "no certificate for the name localhost", "URL of the upstream"
    ),
    "closed within the handshake": Case(lambda _: closing, "cut-short", "within the TLS", "http://", status=503),
    "reset within the handshake": Case(lambda _: resetting, "cut-short", "within the TLS", "http://", status=503),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES)
async def test_a_failure_says_which_certificate_why_and_what_to_write(folder: Path, case: Case) -> None:
    with serving(case.server(folder)) as port:
        seen = await ask(configured(folder, port, case.lines))
    assert seen.status == case.status
    assert seen.document["cause"] == case.cause
    assert case.what in seen.document["message"]
    assert case.help in seen.document["help"]
    if case.status == 502:
        assert seen.advice == (seen.document["help"],), "the terminal says it, too"
    assert case.certificate in seen.document.get("certificate", "")
    assert case.certificate in seen.detail
    if case.certificate:
        assert seen.document["certificate signed by"]
        assert seen.document["certificate valid"].endswith(" UTC")
    if "tls_verify" in seen.document["help"] and "tls_ca" in seen.document["help"]:
        assert seen.document["help"].index("tls_ca") < seen.document["help"].index("tls_verify")


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
async def test_the_page_and_the_text_say_the_same(folder: Path, accept: str) -> None:
    with serving(answering(server_context(folder / "server.pem"))) as port:
        seen = await ask(configured(folder, port, ""), accept)
    assert b"\r\nX-Devproxy-Error: upstream-tls-failed\r\n" in seen.head
    for words in ("CN=Our Authority", "localhost, 127.0.0.1, ::1", "tls_ca", "tls_verify = false", " UTC"):
        assert words in seen.document["body"]


async def test_a_certificate_is_not_asked_for_again_each_time(folder: Path) -> None:
    count = 0
    answer = answering(server_context(folder / "server.pem"))

    def behave(sock: object) -> None:
        nonlocal count
        count += 1
        answer(sock)  # type: ignore[arg-type]

    with serving(behave) as port:
        async with running(configured(folder, port, ""), ScriptedUpstream()) as talk:
            await until(lambda: count == 2, within_s=5)  # the probe at the start, and a look at what it was shown
            for expected in (3, 4):
                assert "CN=localhost" in (await ask_on(talk)).detail
                assert count == expected


async def test_a_probe_fails_as_a_request_does_and_a_server_that_is_trusted_is_up(folder: Path) -> None:
    with serving(answering(server_context(folder / "server.pem"))) as port:
        for line, is_up in (("", None), ('tls_ca = "ca.pem"', True)):
            async with running(configured(folder, port, line), ScriptedUpstream()) as talk:
                status = (await ask_on(talk)).status
                assert status == (200 if is_up else 502)
                assert [one.is_up for one in talk.gateway._pools["backend"].servers] == [is_up]


# -- files that change -----------------------------------------------------------------------------------------------


@pytest.fixture
def every_look_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files for each connection, however soon."""
    monkeypatch.setattr(tls, "LOOK_AGAIN_S", 0.0)


@pytest.mark.usefixtures("every_look_counts")
async def test_renewed_files_are_noticed_and_bad_ones_leave_what_was_read_before(folder: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(OTHER.pem)
    with serving(answering(server_context(folder / "server.pem"))) as port:
        async with running(configured(tmp_path, port, 'tls_ca = "ca.pem"'), ScriptedUpstream()) as talk:
            assert (await ask_on(talk)).status == 502
            ca.write_bytes(OURS.pem)
            await ask_on(talk)  # it may still be written
            assert (await ask_on(talk)).status == 200
            ca.write_bytes(b"half")
            statuses = [(await ask_on(talk)).status]
            talk.events.clear()
            client = await talk.client()
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            statuses.append(int((await client.head())[9:12]))
            assert statuses == [200, 200]
            await until(lambda: talk.seen(Trouble))
            (trouble,) = talk.seen(Trouble)
            assert "ca.pem contains no certificate in PEM; what was read before is still in use" in trouble.what
            assert (await ask_on(talk)).status == 200
            assert talk.seen(Trouble) == [], "once for each change"


async def test_files_that_have_gone_before_the_first_use_are_named(folder: Path, tmp_path: Path) -> None:
    with serving(answering(server_context(folder / "server.pem"))) as port:
        seen = await ask(configured(tmp_path, port, 'tls_ca = "gone.pem"'))
    assert seen.document["cause"] == "own-files"
    assert "gone.pem: no such file or directory" in seen.document["message"]


async def test_what_is_read_is_read_once_and_traffic_goes_on_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []
    make = tls.UpstreamTls._made

    def noted(self: tls.UpstreamTls) -> ssl.SSLContext:
        readers.append(threading.current_thread())
        return make(self)

    monkeypatch.setattr(tls.UpstreamTls, "_made", noted)
    with serving(answering(server_context(folder / "server.pem"))) as port:
        async with running(configured(folder, port, 'tls_ca = ["system", "ca.pem"]'), ScriptedUpstream()) as talk:
            assert [(await ask_on(talk)).status for _ in range(3)] == [200, 200, 200]
    assert len(readers) == 1
    assert readers[0] is not threading.current_thread()


# -- explain ---------------------------------------------------------------------------------------------------------


async def test_explain_asks_as_a_request_is_sent(folder: Path, tmp_path: Path) -> None:
    file = folder / f"explain-{tmp_path.name}.toml"

    def explain(lines: str, port: int) -> subprocess.CompletedProcess[str]:
        text = (
            f'[upstreams.b]\nservers = ["https://localhost:{port}"]\n{lines}\n[[routes]]\npath = "/"\nupstream = "b"\n'
        )
        file.write_text(text)
        command = [sys.executable, "-m", "devproxy", "explain", "/", "--send", "--config", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with serving(answering(demanding(folder))) as port:
        done = await asyncio.to_thread(explain, 'tls_ca = "ca.pem"\ntls_cert = "client.pem"', port)
        assert done.returncode == 0, done.stderr
        done = await asyncio.to_thread(explain, "", port)
        assert done.returncode == 1
        assert "signed by an authority that is not trusted here (CN=Our Authority)" in done.stderr
        assert 0 < done.stderr.index('tls_ca = "ca.pem"') < done.stderr.index("tls_verify = false")
