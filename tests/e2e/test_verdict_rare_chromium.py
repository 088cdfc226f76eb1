"""The verdict's rare corners against real Chromium: what few servers answer and few pages ask, and WebSockets.

The cases and the comparison are those of ``test_verdict_chromium``; here are values at the edges of the safelists and
of the grammar, whole chains of redirects with a preflight at each hop, and requests that leave their own origin on the
way.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pytest
from devproxy.http.fields import make_field
from devproxy.policy.verdict import RequestKind, Verdict, judge_handshake
from devproxy.policy.verdict.handshake import accept_for
from tests.e2e.test_verdict_chromium import (
    GOOD,
    Answer,
    Case,
    Lines,
    compared,
    credentials_line,
    origin_line,
    predicted,
    served,
)
from tests.support.browser import Page, open_page

METHODS: Final = "Access-Control-Allow-Methods"
HEADERS: Final = "Access-Control-Allow-Headers"
ANY: Final[Lines] = (origin_line("*"),)
NULL: Final[Lines] = (origin_line("null"), credentials_line("true"))
GRANTS: Final[Lines] = ((METHODS, "PUT, DELETE, FOO"), (HEADERS, "x-a, authorization, content-type, range"))
GRANTED: Final = Answer(lines=(*GOOD, *GRANTS))
REFUSED: Final = Answer(status=204, lines=(*GOOD, (METHODS, "DELETE"), (HEADERS, "x-z")))
FINE: Final = (Answer(lines=GOOD),)

ASKED_HEADERS: Final = (
    ("content-type", 'text/plain; charset="utf-8"'),
    ("content-type", "text/plain;a=b"),
    ("content-type", "text/plaintext"),
    ("content-type", "text/plain, application/json"),
    ("content-type", ""),
    ("content-type", "TEXT/Plain ;x"),
    ("content-type", "text/plain;" + "a" * 117),
    ("content-type", "text/plain;" + "a" * 118),
    ("range", "bytes=5-1"),
    ("range", "bytes=0-"),
    ("range", "bytes=-5"),
    ("range", "bytes=0-1,2-3"),
    ("accept", "a(b"),
    ("accept-language", "de_DE"),
    ("cookie", "a=1"),
    ("referer", "x"),
    ("sec-x", "1"),
    ("proxy-x", "1"),
    ("x-http-method-override", "TRACE"),
    ("x-http-method-override", "PUT"),
    ("user-agent", "x"),
    ("save-data", "on"),
    ("save-data", "off"),
    ("dpr", "2"),
    ("device-memory", "2"),
    ("downlink", "1"),
    ("priority", "u=1"),
    ("cache-control", "no-cache"),
    ("if-none-match", "x"),
    ("last-event-id", "3"),
    ("upgrade-insecure-requests", "1"),
)
LISTS: Final = ("GET,,PUT", ",PUT", "PUT PATCH", '"PUT"', "PUT\t", "PUT,", "", "P@T", "put", "*, PUT", "**")
VALUES: Final = tuple(
    "http://*.example.test|http://a:b|http://a b|http://[::1|https:|http:example|http:/example|null, null|NULL|"
    '"PAGE"|about:blank|//localhost:1|http://exa%mple|http://a:65535|http://a:65536|http://a:|http://:80|http://a@b|'
    "http://a@|http:///|http://?x|http://#x|https://[::1]|https://[zz]|http://a^b|http://a<b|http://1.2.3.255|"
    "http://1.2.3.256|http://256|http://4294967296|http://1.2.3.4.5|http://1.65536|http://a..b|http://.|http://%41|"
    "file:|mailto:a|a:|1a:b|ws://|wss:x|ftp://|x://y z|http://é|http://a\tb|blob:http://x|http://0x7f.1|"
    "http://a/b?c#d|*.localhost|http://*|PAGE:80|regex:x".split("|")
)
STATUSES: Final = (205, 300, 303, 304, 305, 407, 410, 418, 426, 451, 511, 599)


def rare() -> Iterator[Case]:
    for header in ASKED_HEADERS:
        yield Case(method="POST", headers=(header,), preflight=REFUSED, hops=FINE)
    for headers in ((("x-b", "1"), ("x-a", "1")), (("x-b", "1"), ("authorization", "1"))):
        yield Case(headers=headers, preflight=REFUSED, hops=FINE)
    for method in ("FOO", "foo", "head", "options", "OPTIONS", "Delete"):
        yield Case(method=method, preflight=GRANTED, hops=FINE)
    for status in (*STATUSES, 200, 206, 301, 302, 307, 308, 400, 401):
        yield Case(method="PUT", preflight=replace(GRANTED, status=status), hops=FINE)
        yield Case(method="PUT", preflight=Answer(status=status), hops=FINE)
    for listed, mode in itertools.product(LISTS, ("omit", "include")):
        of_methods, of_headers = (Answer(lines=(*GOOD, (name, listed))) for name in (METHODS, HEADERS))
        yield Case(method="PUT", credentials=mode, preflight=of_methods, hops=FINE)
        yield Case(headers=(("put", "1"),), credentials=mode, preflight=of_headers, hops=FINE)
    both_unreadable = Answer(lines=(*GOOD, (METHODS, "P@T"), (HEADERS, "a b")))
    yield Case(method="PUT", preflight=both_unreadable, hops=FINE)
    for value in VALUES:
        yield Case(hops=(Answer(lines=(origin_line(value),)),))
    for said in ((credentials_line("  true "),), (credentials_line("true"), credentials_line("")), (ANY[0],)):
        yield Case(credentials="include", hops=(Answer(lines=(origin_line("PAGE"), *said)),))
    yield Case(credentials="same-origin", hops=(Answer(lines=ANY),))
    for status, lines in itertools.product(STATUSES, ((), GOOD)):
        yield Case(hops=(Answer(status=status, lines=lines),))
    conditional = Answer(lines=(*GOOD, (HEADERS, "if-none-match")))
    for last in (Answer(status=304), Answer(status=304, lines=GOOD)):
        yield Case(headers=(("if-none-match", "x"),), preflight=conditional, hops=(last,))


def redirected() -> Iterator[Case]:
    to_any = Answer(lines=(*ANY, *GRANTS))
    for status, place in itertools.product((301, 302, 303, 307, 308), ("same", "page", "third")):
        first = Answer(status=status, lines=GOOD, location=place)
        for granted in (GOOD, NULL, (), ANY):
            yield Case(method="POST", hops=(first, Answer(lines=granted)))
        for before in (None, REFUSED, Answer(), Answer(lines=(*NULL, *GRANTS)), to_any):
            last = Answer(lines=ANY, preflight=before)
            yield Case(method="PUT", preflight=GRANTED, hops=(first, last))
            yield Case(headers=(("authorization", "x"),), preflight=GRANTED, hops=(first, last))
            yield Case(kind=RequestKind.XHR, headers=(("x-a", "1"),), preflight=to_any, hops=(first, last))
        post = (("content-type", "application/json"),)
        yield Case(method="POST", headers=post, preflight=to_any, hops=(first, Answer(lines=ANY, preflight=REFUSED)))
    for place in ("same-user", "page-user", "third-user"):
        for kind, status in itertools.product((RequestKind.FETCH, RequestKind.XHR), (302, 307)):
            yield Case(kind=kind, hops=(Answer(status=status, lines=GOOD, location=place), Answer(lines=ANY)))
    for one, two in itertools.product(("same", "page", "third"), repeat=2):
        for middle, final, boxed in itertools.product((GOOD, NULL, ANY), (GOOD, NULL, ANY), (False, True)):
            chain = (
                Answer(status=302, lines=GOOD, location=one),
                Answer(status=302, lines=middle, location=two),
                Answer(lines=final),
            )
            yield Case(is_sandboxed=boxed, hops=chain)


def without_cors() -> Iterator[Case]:
    stream = ("Content-Type", "text/event-stream")
    for kinds in ((), (("Content-Type", "text/html"),), (("Content-Type", "text/event-stream; charset=utf-8"),)):
        yield Case(kind=RequestKind.EVENT_SOURCE, hops=(Answer(lines=(*GOOD, *kinds)),))
    for status in (201, 204, 404, 500):
        yield Case(kind=RequestKind.EVENT_SOURCE, hops=(Answer(status=status, lines=(*GOOD, stream)),))
    for policy in ("same-origin", "cross-origin", "Same-Origin", "bogus"):
        line = ("Cross-Origin-Resource-Policy", policy)
        yield Case(kind=RequestKind.NO_CORS, hops=(Answer(lines=(line,)),))
        yield Case(kind=RequestKind.NO_CORS, is_sandboxed=True, hops=(Answer(lines=(line,)),))
        yield Case(hops=(Answer(lines=(*GOOD, line)),))


@pytest.mark.parametrize("starts_at_home", [False, True], ids=["from another origin", "from the page's own origin"])
async def test_chromium_agrees_in_rare_cases_too(starts_at_home: bool) -> None:
    listed = [*(() if starts_at_home else rare()), *redirected(), *without_cors()]
    async with served(listed) as world, open_page() as page:
        if starts_at_home:
            world.target = world.page
        verdicts = [predicted(case, world) for case in listed]
        wrong = await compared(listed, page, world, verdicts)
    assert not wrong, f"{len(wrong)} of {len(listed)}:\n" + "\n".join(wrong[:12])
    assert {verdict.is_blocked for verdict in verdicts} == {True, False}


# -- WebSockets --------------------------------------------------------------------------------------------------------

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
"""Stands for the key that the browser chooses; the server answers to that one where the case answers to this."""
UPGRADE: Final = ("Upgrade", "websocket")
CONNECTION: Final = ("Connection", "Upgrade")
ACCEPT: Final = ("Sec-WebSocket-Accept", accept_for(KEY).decode())
PROTOCOL: Final = "Sec-WebSocket-Protocol"
EXTENSIONS: Final = "Sec-WebSocket-Extensions"


@dataclass(frozen=True, kw_only=True)
class Handshake:
    status: int = 101
    lines: Lines = (UPGRADE, CONNECTION, ACCEPT)
    asked: tuple[str, ...] = ()


def handshakes() -> Iterator[Handshake]:
    whole = (UPGRADE, CONNECTION, ACCEPT)
    yield Handshake()
    for status in (200, 204, 301, 302, 400, 401, 403, 404, 407, 426, 500, 502, 503):
        yield Handshake(status=status, lines=())
    for origin in ("*", "http://other.test", "null"):
        yield Handshake(lines=(*whole, origin_line(origin)))
    for missing in whole:
        yield Handshake(lines=tuple(line for line in whole if line is not missing))
        yield Handshake(lines=(*whole, missing))
    for upgrade in ("WebSocket", "h2c", "websocket, h2c", ""):
        yield Handshake(lines=(("Upgrade", upgrade), CONNECTION, ACCEPT))
    for connection in ("keep-alive, Upgrade", "upgrade", "close", "", "Upgraded"):
        yield Handshake(lines=(UPGRADE, ("Connection", connection), ACCEPT))
    for accept in ("x", "", ACCEPT[1].lower()):
        yield Handshake(lines=(UPGRADE, CONNECTION, (ACCEPT[0], accept)))
    for asked, answered in itertools.product(((), ("one", "two")), ((), ("one",), ("two",), ("ONE",), ("one", "two"))):
        yield Handshake(asked=asked, lines=(*whole, *((PROTOCOL, name) for name in answered)))
    for extensions in ("permessage-deflate", "x-webkit-deflate-frame", "foo; bar=1", "permessage-deflate, foo"):
        yield Handshake(lines=(*whole, (EXTENSIONS, extensions)))


SOCKETS: Final = """
window.opened = (target, asked) => Promise.all(asked.map((protocols, number) => new Promise((done) => {
  const socket = new WebSocket(`${target}/socket/${number}/`, protocols);
  socket.onopen = () => { socket.close(); done(true); };
  socket.onerror = () => done(false);
})));
"""


async def test_chromium_fails_a_handshake_exactly_when_and_as_the_verdict_says() -> None:
    listed = list(handshakes())

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            key = head.lower().partition(b"sec-websocket-key:")[0]
            key = head[len(key) :].partition(b":")[2].partition(b"\r\n")[0].strip()
            writer.write(answered(listed, head.split(b" ")[1].decode(), accept_for(key).decode()))
            await writer.drain()
            await reader.read()  # until the browser has closed
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        target = f"localhost:{server.sockets[0].getsockname()[1]}"
        async with open_page() as page:
            await page.goto(f"http://{target}/")
            await page.until("typeof opened === 'function'")
            asked = [handshake.asked for handshake in listed]
            results = await page.evaluate(f"opened('ws://{target}', {json.dumps(asked)})")
            verdicts = [
                judge_handshake(
                    each.status,
                    [make_field(name.encode(), value.encode()) for name, value in each.lines],
                    key=KEY,
                    protocols=[name.encode() for name in each.asked],
                )
                for each in listed
            ]
            assert [not verdict.is_blocked for verdict in verdicts] == results, page.console
            assert await unsaid(page, verdicts) == []
    finally:
        server.close()


def answered(listed: list[Handshake], target: str, accept: str) -> bytes:
    if "/socket/" not in target:
        script = f"<!doctype html><script>{SOCKETS}</script>"
        return f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{script}".encode()
    handshake = listed[int(target.split("/")[2])]
    lines = [f"{name}: {accept if (name, value) == ACCEPT else value}" for name, value in handshake.lines]
    body = "" if handshake.status == 101 else "Content-Length: 0\r\n"
    return "\r\n".join((f"HTTP/1.1 {handshake.status} X", *lines, body, "")).encode()


async def unsaid(page: Page, verdicts: list[Verdict]) -> list[tuple[str, list[str]]]:
    """Return each text that the console lacks, with what it says instead. It speaks a little later than the page."""
    missing: list[tuple[str, list[str]]] = []
    for _ in range(40):
        missing = []
        for number, verdict in enumerate(verdicts):
            heard = [text for text in page.console if f"/socket/{number}/' failed: " in text]
            if not (any(verdict.text in text for text in heard) if verdict.is_blocked else not heard):
                missing.append((verdict.text, heard))
        if not missing:
            break
        await asyncio.sleep(0.1)
    return missing
