"""What keeps a request from leaving the browser, predicted and then tried in real Chromium.

A page "from elsewhere" is served here, too: a flag of Chromium tells it that the address is a public one.
"""

from __future__ import annotations

import asyncio
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from devproxy.policy.verdict import obstacles
from tests.support.browser import open_page
from tests.support.certificates import server_context


class Handler(http.server.BaseHTTPRequestHandler):
    """Lets every page read its answers."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


ASKS = {
    False: "fetch('http://localhost:PORT/').then(() => 'read', () => 'blocked')",
    True: "new Promise(done => { new WebSocket('ws://localhost:PORT/').onerror = () => done('blocked') })",
}


async def said_of(page_port: int, port: int, *, is_secure: bool, is_websocket: bool) -> tuple[object, str]:
    """Return how a request of a page from elsewhere to this machine ends in Chromium, and what its console says."""
    origin = f"http://app.example:{page_port}"
    flags = ["--host-resolver-rules=MAP app.example 127.0.0.1"]
    flags.append(f"--ip-address-space-overrides=127.0.0.1:{page_port}=public")
    if is_secure:
        flags.append(f"--unsafely-treat-insecure-origin-as-secure={origin}")
    async with open_page(*flags) as page:
        await page.goto(f"{origin}/")
        await page.until("document.readyState === 'complete' && location.hostname === 'app.example'")
        ended = await page.evaluate(ASKS[is_websocket].replace("PORT", str(port)))
        return ended, await page.until_said(f"localhost:{port}")


@pytest.mark.parametrize("is_websocket", [False, True], ids=["fetch", "WebSocket"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
def test_chromium_keeps_pages_from_elsewhere_away_from_this_machine_in_the_words_predicted(
    is_secure: bool, is_websocket: bool
) -> None:
    with served() as page_port, served() as port:
        ended, console = asyncio.run(said_of(page_port, port, is_secure=is_secure, is_websocket=is_websocket))
    # The page of https stands for one whose person does not allow it: headless Chromium asks nobody.
    page = b"https://app.example" if is_secure else b"http://app.example"
    (predicted,) = obstacles(page, b"http://localhost:%d" % port, is_websocket=is_websocket)
    assert ended == "blocked"
    assert predicted.verdict.text in console
    assert ("if the person does not allow it" in predicted.condition) == is_secure


@pytest.mark.parametrize("is_websocket", [False, True], ids=["fetch", "WebSocket"])
def test_a_page_of_this_machine_is_kept_from_nothing(is_websocket: bool) -> None:
    assert obstacles(b"http://localhost:5173", b"http://localhost:8080", is_websocket=is_websocket) == ()


async def mixed(port: int, target: str, *, is_websocket: bool) -> str:
    """Return what the console says when a page of https asks `target`, by plain http."""
    ask = f"new WebSocket('{target}')" if is_websocket else f"await fetch('{target}')"
    async with open_page("--ignore-certificate-errors") as page:
        await page.goto(f"https://localhost:{port}/")
        await page.until("location.protocol === 'https:' && document.readyState === 'complete'")
        await page.evaluate(f"(async () => {{ try {{ {ask} }} catch {{ }} }})()")
        return await page.until_said("Mixed Content")


@pytest.mark.parametrize("is_websocket", [False, True], ids=["fetch", "WebSocket"])
def test_chromium_blocks_plain_http_of_a_page_of_https_in_the_words_predicted(
    is_websocket: bool,
) -> None:
    scheme = "ws" if is_websocket else "http"
    with served(server_context()) as port:
        console = asyncio.run(mixed(port, f"{scheme}://api.example/items", is_websocket=is_websocket))
    (predicted,) = obstacles(b"https://localhost:%d" % port, b"http://api.example", is_websocket=is_websocket)
    assert predicted.is_certain
    assert predicted.verdict.text in console
