"""Forms of other sites in a real Chromium: refused with the line to write, and let in where it is written.

The login page is of ``http://login.example`` or ``https://login.example``, which lead to a server of this test. What
``policy.forms`` says of ``Origin: null`` is checked here: a page of https hides its origin from ``http://localhost``.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from devproxy.config.model import Config, HeaderEdits, Listen, PathKind, Route, Server
from tests.support.browser import Page, open_page
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.wire import address_of, config_for

NAMES = ("login.example", "broker.example", "app.test")
EVERYTHING = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend")
CALLBACK = Route(
    kind=PathKind.EXACT, pattern="/auth/callback", upstream="backend", form_post=("https://login.example",)
)
LOCAL_CALLBACK = replace(CALLBACK, form_post=("http://login.example:*",))
FORM = (
    '<form method="post" action="{to}" {more}><input name="a" value="b"></form>'
    "<script>document.forms[0].submit()</script>"
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request: a page with a form that submits itself, a frame around one, a redirect, or what it is asked.

    ``to``: where the form or the redirect leads. ``policy``: the page's ``Referrer-Policy``.
    """
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n")[0].split()
        asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        start, more, body = "200 OK", "", f"<h1>{method} reached the application</h1>"
        match urlsplit(target).path:
            case "/form":
                body = FORM.format(to=asked["to"], more=asked.get("more", ""))
                more = f"Referrer-Policy: {asked['policy']}\r\n" if "policy" in asked else ""
            case "/frame":
                body = f'<iframe {asked.get("more", "")} src="{asked["to"]}"></iframe>'
            case "/redirect":
                start, more, body = "307 Temporary Redirect", f"Location: {asked['to']}\r\n", ""
        octets = f"HTTP/1.1 {start}\r\nContent-Type: text/html\r\n{more}Connection: close\r\n\r\n{body}".encode()
        writer.write(octets)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


class Stage:
    """A devproxy in front of an application, pages of other sites, and a browser that knows their names."""

    def __init__(self, page: Page, gateway: GatewayThread, plain: int, secure: int) -> None:
        self.page = page
        self.port = int(gateway.origin.rsplit(":", 1)[1])
        self.own = f"http://localhost:{self.port}"
        self.named = f"http://app.test:{self.port}"
        self.login = f"http://login.example:{plain}"
        self.secure_login = f"https://login.example:{secure}"
        self.secure_broker = f"https://broker.example:{secure}"

    async def comes_back(self, url: str) -> str:
        """Open `url`, whose form leads to devproxy, and return the page that the browser shows in the end."""
        await self.page.goto("about:blank")
        await self.page.until("location.href === 'about:blank'")
        await self.page.goto(url)
        ends = "['localhost', 'app.test'].includes(location.hostname) && !location.pathname.startsWith('/f')"
        await self.page.until(f"{ends} && document.body && document.body.innerText.length > 20")
        return str(await self.page.evaluate("document.body.innerText"))


def form(at: str, to: str, **settings: str) -> str:
    return f"{at}/form?to={quote(to, safe='')}" + "".join(f"&{name}={quote(text)}" for name, text in settings.items())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=login.example", "-days", "2", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return files


@asynccontextmanager
async def staged(certificate: tuple[Path, Path], *routes: Route) -> AsyncIterator[Stage]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    plain = await asyncio.start_server(_serve, "127.0.0.1", 0)
    secure = await asyncio.start_server(_serve, "127.0.0.1", 0, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, secure)]
    config = Config(
        server=Server(listen=(Listen(host="localhost", port=0),), allowed_hosts=("app.test",)),
        upstreams=config_for((address_of(ports[0]),)).upstreams,
        routes=routes,
    )
    rules = ",".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    async with plain, secure:
        with gateway_thread(config) as gateway:
            async with open_page("--ignore-certificate-errors", f"--host-resolver-rules={rules}") as page:
                yield Stage(page, gateway, *ports)


async def test_a_form_of_another_site_is_refused_with_the_line_and_passes_where_it_is_written(
    certificate: tuple[Path, Path],
) -> None:
    async with staged(certificate, LOCAL_CALLBACK, EVERYTHING) as stage:
        for kind in ("", 'enctype="text/plain"', 'enctype="multipart/form-data"'):
            shown = await stage.comes_back(form(stage.login, f"{stage.own}/other", more=kind))
            assert f'form_post = ["{stage.login}"]' in shown
            assert "form-not-allowed" in shown
        assert "POST reached" in await stage.comes_back(form(stage.login, f"{stage.own}/auth/callback"))
        named = await stage.comes_back(form(stage.login, f"{stage.named}/other"))
        assert f'form_post = ["{stage.login}"]' in named, "no Fetch metadata for this name"
        assert "POST reached" in await stage.comes_back(form(stage.login, f"{stage.named}/auth/callback"))
        hidden = await stage.comes_back(form(stage.login, f"{stage.own}/auth/callback", policy="no-referrer"))
        assert 'form_post = ["http://login.example:*", "https://login.example"]' in hidden


async def test_a_login_page_of_https_comes_back_though_the_browser_hides_its_origin(
    certificate: tuple[Path, Path],
) -> None:
    async with staged(certificate, CALLBACK, EVERYTHING) as stage:
        callback, chain = f"{stage.own}/auth/callback", f"{stage.secure_broker}/redirect?to="
        assert "POST reached" in await stage.comes_back(form(stage.secure_login, callback))
        assert "POST reached" in await stage.comes_back(form(stage.secure_login, callback, policy="no-referrer"))
        over_a_broker = form(stage.secure_login, chain + quote(callback, safe=""))
        assert "POST reached" in await stage.comes_back(over_a_broker)
        refused = await stage.comes_back(form(stage.secure_login, f"{stage.own}/other"))
        assert "a web site that hides its origin" in refused
        assert 'form_post = ["https://login.example"]' in refused


async def test_frames_of_other_sites_are_no_way_in_and_own_forms_pass(certificate: tuple[Path, Path]) -> None:
    async with staged(certificate, EVERYTHING) as stage:
        own = form(stage.own, f"{stage.own}/other")
        assert "POST reached" in await stage.comes_back(own)
        assert "POST reached" in await stage.comes_back(form(stage.own, "/other", policy="no-referrer"))
        sandbox = 'sandbox="allow-forms allow-scripts allow-top-navigation"'
        inner = form(stage.login, f"{stage.own}/other", more='target="_top"')
        outer = f"{stage.login}/frame?more={quote(sandbox)}&to={quote(inner, safe='')}"
        assert "form-not-allowed" in await stage.comes_back(outer)


async def test_the_safe_line_lets_own_forms_pass_under_a_name_of_ones_own(certificate: tuple[Path, Path]) -> None:
    """Helmet's default policy hides the page's origin; the browser says nothing else to plain http."""
    line = HeaderEdits(set=(("Referrer-Policy", "same-origin"),))
    async with staged(certificate, EVERYTHING) as stage:
        shown = await stage.comes_back(form(stage.named, "/other", policy="no-referrer"))
        assert '[routes.headers.response] set = { "Referrer-Policy" = "same-origin" }' in shown
    async with staged(certificate, replace(EVERYTHING, response_headers=line)) as stage:
        assert "POST reached" in await stage.comes_back(form(stage.named, "/other", policy="no-referrer"))
