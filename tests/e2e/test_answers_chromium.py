"""What a page in Chromium gets of every byte form of an answer, from the server itself and through devproxy.

Where devproxy takes a form (``TAKEN`` of :mod:`tests.support.answer_forms`) the page sees no difference; where it
refuses one, the page gets its 502.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.answer_forms import REFUSED, TAKEN, Form
from tests.support.browser import Page, open_page
from tests.support.wire import ScriptedUpstream, address_of, config_for, running

FORMS: list[tuple[str, Form]] = [*TAKEN.items(), *REFUSED.items()]

ASK = """
(async () => {
  const found = [];
  for (const [index, method] of METHODS.entries()) {
    try {
      const answer = await fetch(`/form/${index}`, { method, cache: "no-store" });
      const body = await answer.text();
      found.push([answer.status, answer.statusText, answer.headers.has("X-Devproxy-Error") ? "" : body]);
    } catch (error) {
      found.push(null);
    }
  }
  return found;
})()
""".replace("METHODS", json.dumps([form.method for _, form in FORMS]))


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a server that answers ``/form/N`` with the octets of form N and ends the connection.

    Gives its port and the heads of the requests that it gets.
    """

    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await reader.readuntil(b"\r\n\r\n")
            heads.append(asked)
            target = asked.split(b" ")[1]
            if target.startswith(b"/form/"):
                writer.write(FORMS[int(target[6:])][1].octets)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nready")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a probe, or the browser's spare connection
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


async def outcomes(page: Page, port: int) -> list[object]:
    await page.goto(f"http://127.0.0.1:{port}/")
    await page.until(f"document.body?.innerText === 'ready' && location.port === '{port}'")
    found = await page.evaluate(ASK)
    assert isinstance(found, list)
    return [None if one is None else tuple(one) for one in found]


async def test_a_page_gets_the_same_through_devproxy_or_its_502() -> None:
    async with (
        serving() as (port, _),
        running(config_for((address_of(port),)), ScriptedUpstream()) as talk,
        open_page() as page,
    ):
        direct = await outcomes(page, port)
        through = await outcomes(page, talk.port)
    names = [name for name, _ in FORMS]
    assert dict(zip(names, direct, strict=True)) == {name: form.page for name, form in FORMS}
    expected = {name: form.page if form.sent is not None else (502, "Bad Gateway", "") for name, form in FORMS}
    assert dict(zip(names, through, strict=True)) == expected


SENDABLE = [octet for octet in range(1, 256) if octet not in (10, 13)]
"""What a page may put into a value (Fetch section 2.2.2)."""


async def test_what_a_page_may_send_in_a_value_reaches_the_server_as_it_came() -> None:
    value = bytes(octet for octet in SENDABLE if octet not in (9, 32))
    script = f"""fetch("/", {{ headers: {{ "X-All": String.fromCharCode({",".join(map(str, value))}) }} }})
        .then(answer => answer.status)"""
    async with (
        serving() as (port, heads),
        running(config_for((address_of(port),)), ScriptedUpstream()) as talk,
        open_page() as page,
    ):
        for at in (port, talk.port):
            await page.goto(f"http://127.0.0.1:{at}/")
            await page.until(f"document.body?.innerText === 'ready' && location.port === '{at}'")
            assert await page.evaluate(script) == 200
    sent = [line for head in heads for line in head.split(b"\r\n") if line.lower().startswith(b"x-all:")]
    assert len(sent) == 2
    assert sent[0].partition(b": ")[2] == sent[1].partition(b": ")[2] == value
