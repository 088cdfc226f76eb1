"""What real Chromium does with Set-Cookie lines, against the verdict and after repair: no disagreement.

Every variant is set by its own response and the jar is emptied in between, so that none depends on another.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from devproxy.config.model import Cookies, PathKind, Route, SameSiteRule, SecureRule
from devproxy.http.fields import make_field
from devproxy.policy.cookies import CookieRules, browser_verdict, compile_cookies, front_of, repair, restore
from tests.support.browser import Page, open_page

# `.test` names reach this machine by http and are not loopback to the browser, like a phone's view of a laptop.
RESOLVER: Final = "--host-resolver-rules=MAP *.test 127.0.0.1"
FRONTS: Final = [
    ("http", "localhost"),
    ("http", "127.0.0.1"),
    ("http", "app.localhost"),
    ("http", "app.test"),
    ("http", "www.app.test"),
    ("https", "www.app.test"),
]

ROUTE: Final = Route(kind=PathKind.PREFIX, pattern="/", upstream="api")
AUTO: Final = Cookies(domain="", secure=SecureRule.AUTO, same_site=SameSiteRule.AUTO)

REPAIRABLE: Final = (
    "a=1",
    "a=1; Secure",
    "a=1; secure",
    "a=1; Secure=x",
    "a=1; SameSite=None",
    "a=1; SameSite = None",
    "a=1; SameSite=None; Secure",
    "a=1; Secure; SameSite=none",
    "a=1; SameSite=Lax",
    "a=1; SameSite=Strict",
    "a=1; SameSite=Weird",
    "a=1; SameSite",
    "a=1; SameSite=None; SameSite=Lax",
    "a=1; SameSite=Lax; SameSite=None",
    "a=1; SameSite=None; SameSite=" + "x" * 1100,
    "a=1; Secure; Partitioned",
    "a=1; Secure; Path=/; Partitioned; SameSite=None; HttpOnly",
    "a=1; Partitioned",
    "a=1;Partitioned=1",
    "a=1; Path=/; Partitioned; SameSite=None",
    "__Host-a=1; Secure; Path=/",
    "__Host-a=1; Secure; Path=/; HttpOnly; SameSite=Strict",
    "__Host-a=1; Secure",
    "__Host-a=1; Path=/",
    "__Host-a=1; Secure; Path=/; Domain=localhost",
    "__Host-a=1; Secure; Path=/; Domain=",
    "__Host-a=1; Secure; Path=/; Domain=x; Domain=",
    "__Host-a=1; Secure; Path=/; Path",
    "__Host-a=1; Secure; Path=/; Path=/" + "x" * 1100,
    "__HOST-a=1; Path=/",
    "__Secure-a=1; Secure",
    "__Secure-a=1",
    "__secure-a=1; HttpOnly",
    "__Http-a=1; Secure; HttpOnly",
    "__Http-a=1; Secure",
    "__Host-Http-a=1; Secure; Path=/; HttpOnly",
    "__Host-Http-a=1; Secure; Path=/",
    "insecure-__Host-a=1; Path=/",
    "a=1; Domain=localhost",
    "a=1; Domain=.localhost",
    "a=1; Domain=LOCALHOST",
    "a=1; Domain = localhost",
    "a=1; Domain=localhost.",
    "a=1; Domain=..localhost",
    "a=1; Domain=localhost:8080",
    "a=1; Domain=127.0.0.1",
    "a=1; Domain=.127.0.0.1",
    "a=1; Domain=127.1",
    "a=1; Domain=app.localhost",
    "a=1; Domain=www.app.localhost",
    "a=1; Domain=app.test",
    "a=1; Domain=.app.test; Secure",
    "a=1; Domain=test",
    "a=1; Domain=api.example.com",
    "a=1; Domain=com",
    "a=1; Domain=.",
    "a=1; Domain=",
    "a=1; Domain=example.com; Domain=localhost",
    "a=1; Domain=localhost; Domain=example.com",
    "a=1; Domain=example.com; Domain=",
    "a=1; Domain=" + "x" * 1100,
    "a=1;\tPath=/\t;Secure",
    "a=1; Path=/;;; ;Secure;",
    'a="q;w"',
    "a =1",
    "a==",
    "a=",
    "value",
    "=value",
    " = value",
    "a=__Host-a",
    "a=" + "x" * 4095,
    "a=" + "x" * 4080 + "; Path=/; HttpOnly; SameSite=Lax",
)
BEYOND_REPAIR: Final = (
    "",
    "=",
    "a=" + "x" * 4096,
    "x" * 4097,
    "a\tb=1",
    "a=b\tc",
    "a=1; Path=/x\ty",
    "a=1; extension=x\ty",
    "__Host-a",
    "=__Host-a",
    "=__secure-a=1; Secure",
    "=__Http-a",
)


class Jar:
    """A browser and a server of pages; each variant gets its own response."""

    def __init__(self, page: Page, scheme: str, port: int, lines: list[str]) -> None:
        self._page, self._scheme, self._port, self._lines = page, scheme, port, lines

    async def visit(self, host: str) -> None:
        """Be on a page of `host`."""
        await self._page.goto(f"{self._scheme}://{host}:{self._port}/")
        await self._page.until(f"document.readyState == 'complete' && location.hostname == {json.dumps(host)}")

    async def returned(self, value: str) -> list[bytes]:
        """Return the Cookie lines of the request after the response that sets `value`, beginning with an empty jar."""
        await self._page.call("Network.clearBrowserCookies")
        self._lines.append(value)
        echo = await self._page.evaluate(
            f"fetch('/set?{len(self._lines) - 1}').then(() => fetch('/echo')).then(it => it.text())"
        )
        return [line for line in str(echo).encode().split(b"\n") if line]


@asynccontextmanager
async def jar(scheme: str, folder: Path) -> AsyncIterator[Jar]:
    lines: list[str] = []
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                _, _, number = path.partition("/set?")
                cookie = f"Set-Cookie: {lines[int(number)]}\r\n".encode("latin-1") if number else b""
                fields = head.split(b"\r\n")
                body = b"\n".join(line for line in fields if line.lower().startswith(b"cookie:"))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n"
                    b"Content-Length: %d\r\n%b\r\n%b" % (len(body), cookie, body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    tls = await asyncio.to_thread(own_certificate, folder) if scheme == "https" else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        async with open_page(RESOLVER, "--ignore-certificate-errors") as page:
            yield Jar(page, scheme, server.sockets[0].getsockname()[1], lines)
    finally:
        server.close()
        await asyncio.gather(*filter(None, tasks))  # the browser is gone: each has seen the end of its connection


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate that nobody signed."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=www.app.test", "-addext", "subjectAltName=DNS:www.app.test", "-days", "2"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def repaired(value: str, rules: CookieRules, scheme: str) -> str:
    """Return what goes down for `value`."""
    change = repair(rules, make_field(b"Set-Cookie", value.encode()), is_https=scheme == "https")
    return value if change is None else change.line.removeprefix(b"Set-Cookie: ").decode()


@pytest.mark.parametrize(("scheme", "host"), FRONTS)
async def test_chromium_takes_the_cookies_that_the_verdict_says_it_takes(
    scheme: str, host: str, tmp_path: Path
) -> None:
    front = front_of(scheme, f"{host}:8080".encode())
    disagreements = []
    async with jar(scheme, tmp_path) as browser:
        await browser.visit(host)
        verdicts = {}
        for value in (*REPAIRABLE, *BEYOND_REPAIR):
            verdicts[value] = browser_verdict(value.encode(), front=front)
            if bool(await browser.returned(value)) == bool(verdicts[value]):
                disagreements.append((value[:80], verdicts[value]))
    assert disagreements == []
    assert any(verdicts.values())
    assert not all(verdicts.values())


@pytest.mark.parametrize(("scheme", "host"), FRONTS)
async def test_chromium_takes_every_cookie_after_repair_and_its_name_comes_back(
    scheme: str, host: str, tmp_path: Path
) -> None:
    rules = compile_cookies(AUTO, ROUTE)
    assert rules is not None
    wrong = []
    async with jar(scheme, tmp_path) as browser:
        await browser.visit(host)
        for value in REPAIRABLE:
            sent = await browser.returned(repaired(value, rules, scheme))
            up = [restore(rules, make_field(b"Cookie", line.removeprefix(b"Cookie: "))) or line for line in sent]
            name, equals, content = value.partition(";")[0].partition("=")
            name, content = (name, content) if equals else ("", name)
            pair = f"{name.strip()}={content.strip()}" if name.strip() else content.strip()
            if up != [f"Cookie: {pair}".encode()]:
                wrong.append((value[:80], repaired(value, rules, scheme)[:80], sent))
    assert wrong == []


async def test_two_projects_on_one_host_do_not_see_each_others_session(tmp_path: Path) -> None:
    async with jar("http", tmp_path) as browser:
        await browser.visit("localhost")
        seen = {}
        sent: list[bytes] = []
        for project in ("shop.", "blog."):
            rules = compile_cookies(Cookies(prefix=project), ROUTE)
            assert rules is not None
            change = repair(rules, make_field(b"Set-Cookie", f"sid={project}1; Path=/; HttpOnly".encode()))
            assert change is not None
            sent += await browser.returned(change.line.removeprefix(b"Set-Cookie: ").decode())
            seen[project] = rules
        both = make_field(b"Cookie", b"; ".join(line.removeprefix(b"Cookie: ") for line in sent))
        # A session of each is in the browser; each upstream gets its own alone, under its own name.
        assert {project: (restore(rules, both) or b"").strip() for project, rules in seen.items()} == {
            "shop.": b"Cookie: sid=shop.1",
            "blog.": b"Cookie: sid=blog.1",
        }
