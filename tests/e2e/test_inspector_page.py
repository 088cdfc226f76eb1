"""The inspector's page in a real Chromium, fed by its API without a devproxy behind it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from tests.e2e import install
from tests.support.browser import Page, open_page
from tests.support.inspector_api import KEY, FakeInspector, exchange, serving
from tests.support.inspector_scene import BLOCKED, FAILED, HELD, LOGO, POST, SOCKET, WORKER, scene
from tests.support.page_driver import click, eventually, press, size, text_of, type_text, until_text

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED = "document.querySelectorAll('#canvas .row:not([hidden])').length"
FOCUSED = "document.activeElement.id"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Page]:
    async with open_page("--disable-features=DialMediaRouteProvider") as page:
        yield page


@asynccontextmanager
async def shown(
    browser: Page, fake: FakeInspector, *, at: str = "", key: str = KEY, quiet: bool = True
) -> AsyncIterator[str]:
    """Open the page at a place in it. At the end its console must be empty, unless not `quiet`; yields the address."""
    async with serving(fake) as url:
        await size(browser, 1440, 860)
        await browser.goto("about:blank")
        browser.console.clear()
        await browser.goto(f"{url}#key={key}" if key else url)
        await browser.until("document.getElementById('health')?.dataset.state === 'live'", within_s=20)
        if at:
            await browser.evaluate(f"location.hash = {at!r}")
        yield url
        if quiet:
            assert browser.console == []
        await eventually(lambda: fake.streams <= 1)  # a page has one stream
        await browser.goto("about:blank")


def rows(count: int, **values: Any) -> list[dict[str, Any]]:
    return [exchange(number, **values) for number in range(1, count + 1)]


# ── what it shows


async def test_the_list_shows_what_happened_and_what_is_still_running(browser: Page) -> None:
    async with shown(browser, scene()):
        await browser.until(f"{LISTED} > 20")
        await until_text(browser, "#foot-count", "35 requests")
        await until_text(browser, "#foot-more", "5 running")
        line = "[...document.querySelectorAll('#canvas .row')].find((row) => row.innerText.includes('WHAT'))?.innerText"
        failed = await browser.evaluate(line.replace("WHAT", "503"))
        assert failed.split() == ["POST", "/api/items", "503", "json", "/api/backend", "592", "B", "0.6", "ms"]
        assert "held" in await browser.evaluate(line.replace("WHAT", "/api/cart"))
        assert "sent" in await browser.evaluate(line.replace("WHAT", "/api/search"))
        assert "×6" in await browser.evaluate(line.replace("WHAT", "transport=polling")), "repeats share a line"


@pytest.mark.parametrize(
    ("at", "texts"),
    [
        (f"{FAILED}/overview", ["It failed.", "connection refused", "upstream-refused"]),
        (f"{HELD}/overview", ["Held for its server", "2.79 s", "devproxy.toml:17"]),
        (f"{WORKER}/overview", ["A service worker of another project", "Clear what the browser keeps"]),
        (f"{POST}/headers", ["5 of 11 changed", "localhost:3001", "the route removes it", "devproxy.toml:27"]),
        (f"{POST}/body", ["order", "A-2026-118", "Utrecht"]),
        (f"{BLOCKED}/cors", ["Through devproxy: blocked", "has been blocked by CORS policy", 'mode = "rewrite"']),
        (f"{POST}/cors", ["Through devproxy: allowed", "Without devproxy: blocked", "CORS check, step 4"]),
        (f"{SOCKET}/messages", ["/chat “join” #7", "/chat ack #7", "17 of 19 messages"]),
        (f"{SOCKET}/session", ["kJ3xQ0bT9wZ2aaAC", "Polling", "in use", "every 25.0 s"]),
    ],
)
async def test_each_tab_shows_its_part(browser: Page, at: str, texts: list[str]) -> None:
    async with shown(browser, scene(), at=f"#/requests/{at}"):
        for text in texts:
            await until_text(browser, "#detail", text)


async def test_a_picture_is_shown_and_so_are_its_bytes(browser: Page) -> None:
    async with shown(browser, scene(), at=f"#/requests/{LOGO}/body"):
        await browser.until("document.querySelector('.picture img')?.naturalWidth === 64")
        await click(browser, ".body-part .segments button:last-child")
        await until_text(browser, ".hex", "000000  89 50 4e 47 0d 0a 1a 0a")


async def test_a_message_is_shown_whole_and_new_ones_come_live(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake, at=f"#/requests/{SOCKET}/messages"):
        await click(browser, "[data-message='6']")
        await until_text(browser, ".payload", "ack id 7")
        await until_text(browser, ".payload", '42/chat,7["join"')
        await eventually(lambda: fake.followed[-1] == str(SOCKET))
        new = {**fake.messages[SOCKET][-2], "id": 99, "text": "fresh", "packets": [], "opcode": 1, "kind": "message"}
        fake.tell("messages", {"messages": [new]})
        await until_text(browser, ".frames", "fresh")


async def test_the_sockets_are_shown_by_sid(browser: Page) -> None:
    async with shown(browser, scene(), at="#/sockets/Zw8yB1cDeF4ghIJ0aaAB"):
        await until_text(browser, ".session-card", "The upgrade to WebSocket failed")
        await until_text(browser, ".session-card", "Session ID unknown")
        assert await browser.evaluate("document.querySelectorAll('.session').length") == 3
        await click(browser, ".session:last-child")
        await until_text(browser, ".session-card", "transport close")


async def test_routes_upstreams_and_the_configuration_are_shown_and_a_path_can_be_tried(browser: Page) -> None:
    async with shown(browser, scene(), at="#/routes"):
        for text in ("sticky: socketio", "connection refused on", "not asked yet", "fault: latency 300 ms"):
            await until_text(browser, "#view-routes", text)
        await until_text(browser, "#view-routes", "has 1 problem; the one before stays in force")
        await until_text(browser, "#view-routes", "cors.mode: strip -> rewrite")
        await click(browser, ".tester .primary")
        await until_text(browser, ".tested", "takes it, and sends it to backend.")


async def test_a_rule_leads_to_its_line_in_the_file(browser: Page) -> None:
    async with shown(browser, scene(), at=f"#/requests/{POST}/headers"):
        await click(browser, ".diff .source[href='#/routes/line/27']")
        await until_text(browser, ".is-meant", "X-Powered-By")


# ── what one can do


async def test_words_kinds_and_switches_filter_the_list(browser: Page) -> None:
    async with shown(browser, scene()):
        await browser.evaluate("document.getElementById('filter-text').focus()")
        for words, count in (("post", 3), ("POST -orders", 2), ("/nowhere", 0), ("", 35)):
            await browser.evaluate("document.getElementById('filter-text').select()")
            await type_text(browser, words) if words else await press(browser, "Escape")
            await until_text(browser, "#foot-count", f"{count} of 35" if count < 35 else "35 requests")
        for kind, count in (("socket", 2), ("document", 2)):
            await click(browser, f"[data-kind={kind}]")
            await until_text(browser, "#foot-count", f"{count} of 35")
        await click(browser, "[data-kind='']")
        await click(browser, "#only-problems")
        await until_text(browser, "#foot-count", "5 of 35")
        await click(browser, "#only-problems")
        await click(browser, "#hide-polls")
        await until_text(browser, "#foot-count", "28 of 35")
        names = "[...document.getElementById('filter-route').options].map((each) => each.value)"
        assert await browser.evaluate(names) == ["", "/", "/api/", "/legacy/", "/socket.io/"]
        choose = "document.getElementById('filter-route').value = '/legacy/'"
        await browser.evaluate(f"{choose}, document.getElementById('filters').dispatchEvent(new Event('input'))")
        await until_text(browser, "#foot-count", "1 of 35")


async def test_pause_keeps_the_list_as_it_is_and_clear_empties_it_here_and_there(browser: Page) -> None:
    fake = FakeInspector()
    fake.put(*rows(5))
    async with shown(browser, fake):
        await until_text(browser, "#foot-count", "5 requests")
        await click(browser, "#pause")
        fake.put(exchange(6, target="/later"))
        await until_text(browser, "#foot-more", "paused, 1 newer")
        assert "/later" not in await text_of(browser, "#canvas")
        await click(browser, "#pause")
        await until_text(browser, "#canvas", "/later")
        await click(browser, "#clear")
        await until_text(browser, "#empty", "Nothing yet.")
        assert fake.posted == [("clear", {})]


async def test_repeats_fold_and_unfold(browser: Page) -> None:
    fake = FakeInspector()
    fake.put(*rows(6, target="/poll-me?x=1"), exchange(7, target="/poll-me?x=1", status=500, problem="failed"))
    async with shown(browser, fake):
        await browser.until(f"{LISTED} === 2")
        await until_text(browser, "#canvas", "×6")
        await click(browser, ".row .fold:not([hidden])")
        await browser.until(f"{LISTED} === 8")
        await click(browser, "#fold")
        await browser.until(f"{LISTED} === 7")


async def test_a_request_is_sent_again_and_edited_ones_say_only_what_was_edited(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake, at=f"#/requests/{POST}/overview"):
        await click(browser, "#detail .tool[title='Send again (r)']")
        await until_text(browser, "#note", "Sent again.")
        await until_text(browser, "#detail", f"request {POST}")
        assert fake.posted == [(f"exchanges/{POST}/replay", {})]
        await browser.evaluate(f"location.hash = '#/requests/{POST}/overview'")
        await until_text(browser, ".detail-title", "/api/orders")
        await press(browser, "e")
        await browser.until("document.querySelector('#replay[open] textarea')?.value.includes('Origin:')")
        await browser.evaluate("document.querySelector('#replay input').value = 'PUT'")
        await browser.evaluate("document.querySelectorAll('#replay textarea')[1].value = '{\"quantity\":3}'")
        await click(browser, "#replay .primary")
        await browser.until("!document.querySelector('#replay[open]')")
        assert fake.posted[-1] == (f"exchanges/{POST}/replay", {"method": "PUT", "body": '{"quantity":3}'})


async def test_secrets_are_asked_for_only_when_the_person_says_so(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake, at=f"#/requests/{POST}/headers"):
        await until_text(browser, "#detail", "session=…")
        assert fake.asked_with_secrets == []
        await click(browser, "#secrets")
        await eventually(lambda: fake.asked_with_secrets)
        await browser.until("document.getElementById('secrets').getAttribute('aria-pressed') === 'true'")


async def test_copies_and_the_har_are_what_the_api_gives(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake, at=f"#/requests/{POST}/overview") as url:
        origin = url.split("/__devproxy")[0]
        await browser.call("Browser.setDownloadBehavior", behavior="deny")
        await browser.call("Browser.grantPermissions", origin=origin, permissions=["clipboardReadWrite"])
        await until_text(browser, ".detail-title", "/api/orders")
        await press(browser, "c")
        await until_text(browser, "#note", "Copied the cURL command.")
        await click(browser, "#har")
        await until_text(browser, "#note", "secrets are masked")
        assert fake.posted == [("har", {})]


# ── the key


async def test_the_key_leaves_the_address_and_is_kept_for_the_tab(browser: Page) -> None:
    async with shown(browser, scene()) as url:
        assert "key" not in await browser.evaluate("location.href")
        await browser.goto(url)
        await browser.until("document.getElementById('health')?.dataset.state === 'live'")
        await browser.until("!document.getElementById('secrets').disabled")


async def test_without_the_key_secrets_and_replays_are_off_and_the_rest_is_there(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake, key="", at=f"#/requests/{POST}/headers"):
        # an earlier test's key may be in this tab's storage: another port is another origin, so it is not
        await until_text(browser, "#detail", "localhost:3001")
        assert await browser.evaluate("document.getElementById('secrets').disabled")
        assert await browser.evaluate("document.querySelector('.tools .tool').disabled")


async def test_a_key_of_an_earlier_start_is_dropped(browser: Page) -> None:
    async with shown(browser, scene(), key="old", quiet=False):
        await until_text(browser, "#note", "has another key")
        await browser.until(f"{LISTED} > 20")
        assert await browser.evaluate("sessionStorage.length") == 0


async def test_where_the_key_is_needed_the_page_asks_for_it(browser: Page) -> None:
    fake = scene()
    fake.needs_key = True
    async with serving(fake) as url:
        await browser.goto("about:blank")
        await browser.goto(url)
        await until_text(browser, "#view-key", "This page needs its key")
        await type_text(browser, f"http://localhost:8080/__devproxy/#key={KEY}")
        await press(browser, "Enter")
        await browser.until(f"{LISTED} > 20")
        await browser.goto("about:blank")


# ── the stream


async def test_a_stream_that_ends_is_begun_again_where_it_left_off(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake):
        first = len(fake.resumed)
        last = fake.last_event_id
        fake.drop_streams()
        await eventually(lambda: len(fake.resumed) > first and fake.streams)
        assert fake.resumed[-1] == last
        fake.put(exchange(900, target="/after"))
        await until_text(browser, "#canvas", "/after")


async def test_the_page_says_that_devproxy_stopped_and_goes_on_with_its_next_start(browser: Page) -> None:
    fake = scene()
    async with shown(browser, fake):
        fake.tell("bye", {})
        fake.drop_streams()
        await until_text(browser, "#banner", "devproxy stopped at")
        fake.rows.clear()
        fake.epoch = "e2"
        fake.put(exchange(1, target="/second-life"))
        await browser.until("document.getElementById('health').dataset.state === 'live'")
        await until_text(browser, "#canvas", "/second-life")
        await until_text(browser, "#foot-count", "1 request")


# ── keys alone


async def test_everything_is_reached_by_keys_alone(browser: Page) -> None:
    async with shown(browser, scene()):
        await browser.until(f"{LISTED} > 20")
        await press(browser, "/")
        assert await browser.evaluate(FOCUSED) == "filter-text"
        await type_text(browser, "/api/orders")
        await until_text(browser, "#foot-count", "2 of 35")
        await press(browser, "Enter")
        await browser.until(f"{FOCUSED} === 'grid'")
        await press(browser, "ArrowDown")
        await until_text(browser, ".detail-title", "OPTIONS")
        await press(browser, "ArrowDown")
        await until_text(browser, ".detail-title", "POST")
        assert await browser.evaluate(FOCUSED) == "grid", "arrow keys stay in the list"
        await press(browser, "Enter")
        await browser.until(f"{FOCUSED} === 'tab-overview'")
        await press(browser, "ArrowRight")
        await browser.until(f"{FOCUSED} === 'tab-headers'")
        await until_text(browser, "#detail", "5 of 11 changed")
        await press(browser, "Escape")
        await browser.until(f"{FOCUSED} === 'grid'")
        await press(browser, "Escape")
        await browser.until("document.getElementById('detail').hidden")
        await press(browser, "?")
        await browser.until("document.querySelector('#help').open")
        await press(browser, "Escape")
        await browser.until("!document.querySelector('#help').open")
        await press(browser, "2")
        await browser.until("!document.getElementById('view-sockets').hidden")
        await press(browser, "3")
        await browser.until("!document.getElementById('view-routes').hidden")
        await press(browser, "1", "p")
        await browser.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'")


async def test_what_has_the_focus_can_be_seen(browser: Page) -> None:
    async with shown(browser, scene()):
        await browser.until(f"{LISTED} > 20")
        seen = []
        for _ in range(24):
            await press(browser, "Tab")
            name, outline = await browser.evaluate(
                "[document.activeElement.id || document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            seen.append(name)
            assert outline != "none" or name == "BODY", name
        assert {"nav-requests", "filter-text", "grid", "pause"} <= set(seen)


# ── accessibility, types


@pytest.fixture(scope="module")
def checkers() -> None:
    try:
        install.ensure(install.PAGE)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (400, True)], ids=["wide-light", "narrow-dark"])
async def test_axe_finds_nothing(browser: Page, checkers: None, width: int, dark: bool) -> None:
    axe = (install.PAGE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    places = ["", *(f"{POST}/{tab}" for tab in ("headers", "body", "cors")), f"{BLOCKED}/cors", f"{WORKER}/overview"]
    places = [f"#/requests/{place}" for place in (*places, f"{SOCKET}/messages", f"{SOCKET}/session")]
    async with shown(browser, scene()):
        await size(browser, width, 900, dark=dark)
        await browser.evaluate(axe)
        for place in (*places, "#/sockets", "#/routes"):
            await browser.evaluate(f"location.hash = {place!r}")
            await browser.evaluate("new Promise((done) => setTimeout(done, 150))")
            found = await browser.evaluate(
                "axe.run(document, {resultTypes: ['violations']}).then(({violations}) => violations.map("
                "({id, nodes}) => [id, nodes.map(({target, failureSummary}) => [target, failureSummary])]))"
            )
            assert found == [], (place, json.dumps(found, indent=1))


async def test_the_types_in_the_modules_hold(checkers: None) -> None:
    command = ["node_modules/.bin/tsc", "-p", "."]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=install.PAGE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
