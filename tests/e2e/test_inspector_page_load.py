"""The inspector's page under load and under attack: ten thousand rows, 200 requests a second, markup in every field."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest
from tests.support.browser import Page, open_page
from tests.support.inspector_api import KEY, FakeInspector, exchange, serving
from tests.support.inspector_scene import FAILED, scene
from tests.support.page_driver import eventually, size, until_text

ROWS = 10_000
RATE = 200
"""Requests a second, each with a beginning and an end that are told."""
SECONDS = 3.0
FRAME_MS = 16.0
"""What the page's thread may compute for a frame while all rows in view change with it: a screen shows 60 a second.
Measured: 7.7 ms. CPU time, so that what else the machine does is not measured."""
CHANGE_MS = 80.0
"""For another filter over all rows. Measured: 28 ms; browsers call 50 ms long."""
SHARE = 0.5
"""Of one core, while 200 requests a second are shown."""

SCROLL = """
new Promise((done) => {
  const grid = document.getElementById("grid");
  let at = 0;
  const step = () => {
    grid.scrollTop = at;
    at += 1200;
    if (at < grid.scrollHeight) requestAnimationFrame(step);
    else done(grid.scrollHeight);
  };
  step();
})
"""
ATTACK = '"\'><img src=x onerror="window.pwned=1"><script>window.pwned=2</script>${window.pwned=3}javascript:pwned=4'


async def computed_ms(page: Page, action: str) -> tuple[float, int]:
    """Return what the page's thread computed for an action (JavaScript, awaited), and in how many frames."""
    await page.evaluate(
        "window.frames_seen = 0, (function frame() { window.frames_seen++; requestAnimationFrame(frame) })(), 1"
        if not await page.evaluate("'frames_seen' in window")
        else "window.frames_seen = 0"
    )
    before = await thread_ms(page)
    await page.evaluate(action)
    return await thread_ms(page) - before, int(await page.evaluate("window.frames_seen"))


async def thread_ms(page: Page) -> float:
    """Return the CPU time that the page's main thread has used, in milliseconds."""
    metrics = (await page.call("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "ThreadTime")) * 1000


@pytest.mark.alone
async def test_ten_thousand_rows_scroll_filter_and_grow_without_a_stutter() -> None:
    fake = FakeInspector()
    kinds = ("fetch", "script", "image", "poll")
    fake.put(
        *(
            exchange(number, kind=kinds[number % 4], status=500 if number % 50 == 0 else 200, target=f"/{number}/x?y=1")
            for number in range(1, ROWS + 1)
        )
    )
    async with serving(fake) as url, open_page() as page:
        await size(page, 1440, 860)
        await page.goto(f"{url}#key={KEY}")
        await until_text(page, "#foot-count", "10,000 requests")
        assert await page.evaluate("document.querySelectorAll('#canvas .row').length") < 80, (
            "only what is in view exists"
        )
        await page.call("Performance.enable")
        scrolled, frames = await computed_ms(page, SCROLL)
        assert frames > 150
        changes = []
        for words in ("500", "image -500", ""):
            apply = (
                f"document.getElementById('filter-text').value = {words!r},"
                "document.getElementById('filters').dispatchEvent(new Event('input')),"
                "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"
            )
            changes.append((await computed_ms(page, apply))[0])
        before = await thread_ms(page)
        for number in range(ROWS + 1, ROWS + 101, 20):
            fake.put(*(exchange(each) for each in range(number, number + 20)))
            await until_text(page, "#foot-count", f"{number + 19:,} requests")
        grown = (await thread_ms(page) - before) / 5
        print(  # noqa: T201
            f"10,000 rows: {scrolled / frames:.1f} ms for a frame of scrolling, "
            f"{', '.join(f'{each:.0f}' for each in changes)} ms for a filter, {grown:.0f} ms for a batch of 20 more"
        )
        assert scrolled / frames <= FRAME_MS
        assert max(changes) <= CHANGE_MS
        assert grown <= CHANGE_MS
        assert page.console == []


@pytest.mark.alone
async def test_two_hundred_requests_a_second_are_shown_as_they_come() -> None:
    fake = FakeInspector()
    fake.put(*(exchange(number) for number in range(1, 501)))
    async with serving(fake) as url, open_page() as page:
        await size(page, 1440, 860)
        await page.goto(f"{url}#key={KEY}")
        await until_text(page, "#foot-count", "500 requests")
        await page.call("Performance.enable")
        started, before = time.monotonic(), await thread_ms(page)
        times = {"sent_s": None, "first_byte_s": None, "ended_s": None}
        number = 500
        for _ in range(int(SECONDS * 10)):
            batch = range(number + 1, number + 1 + RATE // 10)
            running = {"state": "waiting", "status": None, "outcome": None, "times": times}
            fake.put(*(exchange(each, target=f"/live/{each}", **running) for each in batch))
            fake.put(*(exchange(each, target=f"/live/{each}") for each in batch))
            number = batch[-1]
            await asyncio.sleep(0.1)
        await until_text(page, "#canvas", f"/live/{number}")
        await until_text(page, "#foot-count", f"{number:,} requests")
        await page.until("!document.getElementById('foot-more').innerText.includes('running')")
        share = (await thread_ms(page) - before) / 1000 / (time.monotonic() - started)
        print(f"{RATE} requests/s: {share:.0%} of a core")  # noqa: T201
        assert share <= SHARE
        assert page.console == []


def attacked(value: Any) -> Any:
    """Put the attack behind every string of a document; not where the key means a choice among few."""
    if isinstance(value, str):
        return value + ATTACK
    if isinstance(value, list):
        return [attacked(each) for each in value]
    if isinstance(value, dict):
        return {key: each if CHOICES.fullmatch(key) else attacked(each) for key, each in value.items()}
    return value


CHOICES = re.compile(r"state|kind|direction|view|action|problem|sticky|layer|upgrade|base64|sid|session|charset")


async def test_markup_in_every_field_from_the_wire_stays_text() -> None:
    fake = scene()
    fake.rows = {number: attacked(row) for number, row in fake.rows.items()}
    fake.details = {number: attacked(detail) for number, detail in fake.details.items()}
    fake.messages = {number: attacked(messages) for number, messages in fake.messages.items()}
    fake.sessions = {sid: attacked(session) for sid, session in fake.sessions.items()}
    fake.bodies = {place: json.dumps({ATTACK: ATTACK}).encode() for place in fake.bodies}
    for name in ("routes", "upstreams", "configuration", "tested", "about"):
        setattr(fake, name, attacked(getattr(fake, name)))
    async with serving(fake) as url, open_page() as page:
        await size(page, 1440, 860)
        await page.goto(f"{url}#key={KEY}")
        await until_text(page, "#canvas", "onerror")
        for number in sorted({*fake.details, *fake.messages, FAILED}):
            for tab in ("overview", "headers", "body", "cors", "messages", "session"):
                await page.evaluate(f"location.hash = '#/requests/{number}/{tab}'")
                await page.evaluate("new Promise((done) => setTimeout(done, 25))")
                if tab == "messages":
                    await page.evaluate("document.querySelector('[data-message]')?.click()")
        for sid in fake.sessions:
            await page.evaluate(f"location.hash = '#/sockets/{sid}'")
            await until_text(page, ".session-card", "onerror")
        await page.evaluate("location.hash = '#/routes'")
        await until_text(page, ".source-lines", "onerror")
        await page.evaluate("document.querySelector('.tester .primary').click()")
        await until_text(page, ".tested", "onerror")
        fake.tell("configuration", {**fake.configuration, "text": None})
        await eventually(lambda: fake.streams == 1)
        assert await page.evaluate("window.pwned ?? null") is None
        assert await page.evaluate("document.querySelectorAll('img[src=x], body script, [onerror]').length") == 0
        links = await page.evaluate("[...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))")
        assert all(link.startswith("#/") for link in links)
        assert page.console == [], "nothing was even refused by the policy"
