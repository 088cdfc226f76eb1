"""The page for a server that is not there yet, in a real Chromium: it waits, and then it is the application's page."""

from __future__ import annotations

from devproxy.config.model import Upstream
from devproxy.events import ExchangeFinished, UpstreamState
from tests.e2e.harness import StartServer
from tests.support.browser import open_page
from tests.support.gateway_thread import gateway_thread
from tests.support.processes import free_port, wait_for
from tests.support.wire import address_of, config_for


async def test_a_page_opened_too_early_turns_into_the_applications_own(own_server: StartServer) -> None:
    port = free_port()
    upstream = Upstream(name="backend", servers=(address_of(port, host="localhost"),), hold_s=10)
    with gateway_thread(config_for((), upstream=upstream)) as gateway:
        wait_for(lambda: gateway.seen(UpstreamState), "that the server is known to be away")
        async with open_page() as page:
            await page.goto(gateway.url + "page?a=b")
            await page.until("document.body.innerText.includes('reloads by itself')")
            wait_for(
                lambda: [one for one in gateway.seen(ExchangeFinished) if one.method == b"HEAD"], "that the page asks"
            )
            own_server("socketio", major=4, port=port)
            await page.until("document.body && !document.body.innerText.includes('devproxy')")
            assert await page.evaluate("location.pathname + location.search") == "/page?a=b"
            assert [text for text in page.console if "Content Security Policy" in text] == []

        asked = [(one.method, one.status) for one in gateway.seen(ExchangeFinished) if b"/page" in one.target]
        assert asked.count((b"GET", 503)) == 1, "the waiting page is loaded once"
        assert asked[-1][0] == b"GET"
        assert asked[-1][1] == 404
