"""The inspector's page of a real devproxy, while a real page with Socket.IO runs through it: both in Chromium."""

from __future__ import annotations

import asyncio
import http.client
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.browser import open_page
from tests.support.page_driver import click, press, size, type_text, until_text
from tests.support.processes import PATIENCE_S, Program, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
ATTACK = "/api/hello?<img/src=x/onerror='window.pwned=1'>"
ROW_OF = "[...document.querySelectorAll('#canvas .row')].find((row) => row.innerText.includes({what!r}))"


def ask(url: str) -> int:
    """Ask devproxy what no browser would ask like this."""
    connection = http.client.HTTPConnection("localhost", urlsplit(url).port, timeout=30)
    connection.putrequest("GET", ATTACK)
    connection.putheader("X-Attack", ATTACK)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


async def test_the_page_shows_a_real_session_live() -> None:
    command = [sys.executable, "-m", "devproxy", "demo", "--listen", "localhost:0", "--no-open"]
    with Program(command, name="devproxy demo", environment={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}) as program:

        def address() -> str | None:
            found = (re.search(r"(http://localhost:\d+/__devproxy/#key=\S+)", line) for line in program.err)
            return next((match[1] for match in found if match), None)

        link = wait_for(address, "the inspector's link", timeout_s=2 * PATIENCE_S)
        assert link is not None
        front = link.partition("__devproxy")[0]
        async with open_page() as page, open_page() as application:
            await size(page, 1440, 860)
            await page.goto(link)
            await page.until("document.getElementById('health')?.dataset.state === 'live'")
            await application.goto(front)
            await application.until("document.getElementById('transport')?.textContent === 'websocket'")
            for text in ("/api/hello", "event stream", "websocket", "/socket.io/"):
                await until_text(page, "#canvas", text)

            await page.evaluate(ROW_OF.format(what="/api/hello") + ".click()")
            await click(page, "#tab-headers")
            await until_text(page, "#detail", "X-Forwarded-For")
            await until_text(page, "#detail", "the address of the client")
            await click(page, "#tab-body")
            await until_text(page, "#detail .tree", "request_fields")
            await press(page, "r")
            await page.until("document.querySelectorAll('#canvas .mark .icon-replay').length === 1", within_s=10)
            await click(page, "#tab-overview")
            await until_text(page, "#detail", "Sent again from")

            await page.evaluate(ROW_OF.format(what="transport=websocket") + ".click()")
            await click(page, "#tab-messages")
            await until_text(page, ".frames", "“news”")
            shown = "Number.parseInt(document.querySelector('.messages .right').innerText)"
            before = await page.evaluate(shown)
            await page.until(f"{shown} > {before}", within_s=20)
            await press(page, "2")
            await until_text(page, ".session-card", "in use")
            await until_text(page, ".session-card", "every 25.0 s")

            await press(page, "3")
            await until_text(page, "#view-routes", "answers on 127.0.0.1")
            await page.evaluate("document.querySelector('.tester .grow').select()")
            await type_text(page, "/api/anything")
            await press(page, "Enter")
            await until_text(page, ".tested", "takes it, and sends it to backend.")

            assert await asyncio.to_thread(ask, front) < 500
            await press(page, "Escape", "1")
            await until_text(page, "#canvas", "onerror=")
            await page.evaluate(ROW_OF.format(what="onerror=") + ".click()")
            await click(page, "#tab-headers")
            await until_text(page, "#detail", "X-Attack")
            assert await page.evaluate("window.pwned ?? null") is None
            assert page.console == []

            program.stop()
            await until_text(page, "#banner", "devproxy stopped at")
