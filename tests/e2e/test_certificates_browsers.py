"""What real browsers make of the certificates: trusted once `devproxy trust --install` has run, and not before."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from devproxy.certificates import authority
from devproxy.certificates.contexts import LocalCertificates
from devproxy.certificates.names import ServedNames
from devproxy.cli import main
from devproxy.trust import stores
from tests.support.browser import open_page
from tests.support.firefox import open_firefox
from tests.support.gateway_process import GatewayProcess

NAMES = "--host-resolver-rules=MAP *.test 127.0.0.1, MAP dev.example.com 127.0.0.1"
SERVED = ServedNames(names=frozenset(("app.test", "dev.example.com")))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for Chromium and its list of authorities; the system's list is left alone."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "CAROOT", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    look = stores.look
    monkeypatch.setattr(stores, "look", lambda: look(root=str(tmp_path / "root"), which=shutil.which))
    return tmp_path


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """A server that shows the certificates of this machine; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    certificates = LocalCertificates(authority.provide(), SERVED, ("http/1.1",), pytest.fail)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificates.context())
    async with server:
        yield server.sockets[0].getsockname()[1]


async def visited(*urls: str) -> list[str]:
    """What Chromium, started anew, says of each of `urls`: the page's text, or why there is none."""
    said = []
    async with open_page(NAMES) as page:
        for url in urls:
            found = await page.call("Page.navigate", url=url)
            said.append(str(found.get("errorText") or await page.until("document.body.innerText")))
    return said


async def test_chromium_trusts_every_name_of_this_machine_once_the_authority_is_installed() -> None:
    assert main(["trust", "--install"]) == 0
    names = ("localhost", "127.0.0.1", "app.test", "www.app.test", "x.localhost", "y.x.localhost")
    async with serving() as port:
        assert await visited(*(f"https://{name}:{port}/" for name in names)) == ["hello"] * len(names)


async def test_chromium_trusts_what_devproxy_serves_with_tls() -> None:
    assert main(["trust", "--install"]) == 0
    gateway = GatewayProcess("--tls", "--frontend", "9")
    try:
        urls = [f"https://{name}:{gateway.port}/__devproxy/health" for name in ("localhost", "app.localhost")]
        assert await visited(*urls) == ['{"status": "ok"}\n'] * 2
        plain = await visited(f"http://localhost:{gateway.port}/")
        assert "devproxy" in plain[0], "the page that says that nobody listens, by https"
    finally:
        gateway.stop(told="not trusted yet by")  # the list of the system


async def test_chromium_does_not_trust_it_before(home: Path) -> None:
    async with serving() as port:
        assert await visited(f"https://localhost:{port}/") == ["net::ERR_CERT_AUTHORITY_INVALID"]
        assert main(["trust", "--install"]) == 0
        assert main(["trust", "--uninstall"]) == 0
        assert await visited(f"https://localhost:{port}/") == ["net::ERR_CERT_AUTHORITY_INVALID"]


async def test_chromium_takes_a_public_name_from_an_authority_that_was_allowed_to_sign_it(home: Path) -> None:
    assert main(["trust", "--install"]) == 0
    async with serving() as port:
        assert await visited(f"https://dev.example.com:{port}/") == ["net::ERR_CERT_COMMON_NAME_INVALID"]
    assert main(["trust", "--allow", "dev.example.com", "--install"]) == 0
    async with serving() as port:
        assert await visited(f"https://dev.example.com:{port}/") == ["hello"]


async def test_chromium_refuses_what_the_authority_signs_beyond_its_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["trust", "--install"]) == 0
    monkeypatch.setattr(authority.Authority, "signs", lambda *_: True)
    async with serving() as port:
        assert await visited(f"https://dev.example.com:{port}/") == ["net::ERR_CERT_INVALID"]


async def test_firefox_trusts_what_devproxy_serves_once_the_authority_is_in_its_profile(home: Path) -> None:
    profile = home / ".mozilla" / "firefox" / "test.default"

    async def visit(url: str) -> str:
        async with open_firefox(profile=profile, takes_any_certificate=False) as page:
            try:
                await page.goto(url)
            except RuntimeError as error:
                return str(error)
            return str(await page.until("document.body.innerText"))

    gateway = await asyncio.to_thread(GatewayProcess, "--tls", "--frontend", "9")
    try:
        url = f"https://localhost:{gateway.port}/__devproxy/health"
        assert "SEC_ERROR_UNKNOWN_ISSUER" in await visit(url)  # it makes the profile, too
        assert main(["trust", "--install"]) == 0
        assert '"ok"' in await visit(url)  # in Firefox's viewer of JSON, once that has loaded
    finally:
        await asyncio.to_thread(gateway.stop, told="not trusted yet by")
