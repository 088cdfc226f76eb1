"""What real Chromium does with Set-Cookie lines, against the verdict and after repair: no disagreement.

Every variant is set by its own response and the jar is emptied in between, so that none depends on another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from devproxy.config.model import Cookies, PathKind, Route, SameSiteRule, SecureRule
from devproxy.fields import make_field
from devproxy.policy.cookies import browser_verdict, compile_cookies, front_of, repair, restore
from tests.support.browser import Page, open_page

# `.test` names reach this machine by http and are not loopback to the browser, like a phone's view of a laptop.
RESOLVER: Final = "--host-resolver-rules=MAP *.test 127.0.0.1"
HOSTS: Final = ("localhost", "127.0.0.1", "app.localhost", "app.test", "www.app.test")

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

    def __init__(self, page: Page, port: int, lines: list[str]) -> None:
        self._page, self._port, self._lines = page, port, lines

    async def visit(self, host: str) -> None:
        """Be on a page of `host`."""
        await self._page.goto(f"http://{host}:{self._port}/")
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
async def jar() -> AsyncIterator[Jar]:
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

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with open_page(RESOLVER) as page:
        yield Jar(page, server.sockets[0].getsockname()[1], lines)
    server.close()
    await asyncio.gather(*filter(None, tasks))  # the browser is gone, so each has seen the end of its connection


def repaired(value: str) -> str:
    """Return what goes down for `value` on a route with every rule on ``auto``."""
    rules = compile_cookies(AUTO, ROUTE, front_scheme="http")
    assert rules is not None
    change = repair(rules, make_field(b"Set-Cookie", value.encode()))
    return value if change is None else change.line.removeprefix(b"Set-Cookie: ").decode()


@pytest.mark.parametrize("host", HOSTS)
async def test_chromium_takes_the_cookies_that_the_verdict_says_it_takes(host: str) -> None:
    front = front_of("http", f"{host}:8080".encode())
    disagreements = []
    async with jar() as browser:
        await browser.visit(host)
        verdicts = {}
        for value in (*REPAIRABLE, *BEYOND_REPAIR):
            verdicts[value] = browser_verdict(value.encode(), front=front)
            if bool(await browser.returned(value)) == bool(verdicts[value]):
                disagreements.append((value[:80], verdicts[value]))
    assert disagreements == []
    assert any(verdicts.values())
    assert not all(verdicts.values())


@pytest.mark.parametrize("host", HOSTS)
async def test_chromium_takes_every_cookie_after_repair_and_its_name_comes_back(host: str) -> None:
    rules = compile_cookies(AUTO, ROUTE, front_scheme="http")
    assert rules is not None
    wrong = []
    async with jar() as browser:
        await browser.visit(host)
        for value in REPAIRABLE:
            sent = await browser.returned(repaired(value))
            up = [restore(rules, make_field(b"Cookie", line.removeprefix(b"Cookie: "))) or line for line in sent]
            name, equals, content = value.partition(";")[0].partition("=")
            name, content = (name, content) if equals else ("", name)
            pair = f"{name.strip()}={content.strip()}" if name.strip() else content.strip()
            if up != [f"Cookie: {pair}".encode()]:
                wrong.append((value[:80], repaired(value)[:80], sent))
    assert wrong == []


async def test_two_projects_on_one_host_do_not_see_each_others_session() -> None:
    async with jar() as browser:
        await browser.visit("localhost")
        seen = {}
        sent: list[bytes] = []
        for project in ("shop.", "blog."):
            rules = compile_cookies(Cookies(prefix=project), ROUTE, front_scheme="http")
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
