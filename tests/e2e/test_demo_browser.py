"""The demo's page in a real Chromium: refused by the browser on the left, one origin on the right."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.support.browser import open_page
from tests.support.processes import PATIENCE_S, Program, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent


async def test_the_demo_page_shows_the_refusal_and_the_one_origin_side_by_side() -> None:
    command = [sys.executable, "-m", "devproxy", "demo", "--listen", "localhost:0", "--no-open"]
    with Program(command, name="devproxy demo", environment={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}) as program:

        def address() -> str | None:
            return next(
                (found[1] for line in program.err if (found := re.search(r"(http://localhost:\d+/)", line))), None
            )

        url = wait_for(address, "the demo's address", timeout_s=2 * PATIENCE_S)
        assert url is not None
        async with open_page() as page:
            await page.goto(url)
            await page.until("document.getElementById('direct-state')?.textContent === 'blocked by the browser'")
            await page.until("document.getElementById('transport')?.textContent === 'websocket'")
            await page.until("document.querySelectorAll('#bars i').length >= 2")
            await page.until("document.getElementById('rest-state')?.textContent === '200 OK'")
            await page.evaluate("document.getElementById('text').value = 'hello from the test'")
            await page.evaluate("document.getElementById('say').requestSubmit()")
            await page.until("document.getElementById('messages').innerText.includes('you: hello from the test')")

            shown = await page.evaluate("document.getElementById('direct-console').textContent")
            written = [text for text in page.console if "/socket.io/" in text and "CORS policy" in text]
            assert len(written) == 1, page.console
            assert re.sub(r"&t=[^']*", "&t=…", written[0]) == shown, "the page quotes what the browser writes"
            elsewhere = [text for text in page.console if "CORS policy" not in text and "net::ERR_FAILED" not in text]
            assert elsewhere == [], "nothing but the refusals that the page provokes on purpose"
