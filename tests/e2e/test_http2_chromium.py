"""Real Chromium over HTTP/2: many event streams and polls beside requests and a WebSocket, on one connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from aiohttp import web
from devproxy.config.model import Server
from devproxy.events import ExchangeFinished, TunnelOpened
from tests.support.app_thread import app_thread, echo_socket
from tests.support.browser import open_page
from tests.support.certificates import certificate_files
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.wire import address_of, config_for

MANY = 12
"""Event streams; of HTTP/1.1 a browser opens six to one origin, and all else waits behind them."""
PAGE = """<!doctype html><title>page</title><script>
const said = window.said = {streams: 0, protocols: []};
async function run() {
  const sources = Array.from({length: %d}, (_, number) => new EventSource("/events?" + number));
  await Promise.all(sources.map((source) => new Promise((done) => source.onmessage = done)));
  said.streams = sources.length;
  const started = performance.now();
  said.fetched = await (await fetch("/data")).text();
  said.waited_ms = performance.now() - started;
  const socket = new WebSocket("wss://" + location.host + "/socket");
  said.message = await new Promise((done, fail) => {
    socket.onopen = () => socket.send("hi");
    socket.onmessage = (event) => done(event.data);
    socket.onerror = () => done("error");
  });
  const closed = new Promise((done) => socket.onclose = (event) => done([event.code, event.wasClean]));
  socket.close(1000);
  said.closed = await closed;
  said.posted = await (await fetch("/upload", {method: "POST", body: new Uint8Array(2000000)})).text();
  said.protocols = [...new Set(performance.getEntriesByType("resource").map((one) => one.nextHopProtocol))];
  said.done = true;
}
run().catch((error) => (said.done = said.error = String(error)));
</script>"""


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE % MANY, content_type="text/html")


async def _events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: hello\n\n")
    await asyncio.sleep(60)
    return response


async def _data(request: web.Request) -> web.Response:
    return web.Response(text="data")


async def _upload(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayThread]:
    app = web.Application(client_max_size=8_000_000)
    app.router.add_get("/", _page)
    app.router.add_get("/events", _events)
    app.router.add_get("/data", _data)
    app.router.add_post("/upload", _upload)
    app.router.add_get("/socket", echo_socket)
    with app_thread(app) as port:
        config = config_for((address_of(port),), server=Server(tls=certificate_files()))
        with gateway_thread(config) as running:
            yield running


async def test_many_event_streams_starve_nothing(gateway: GatewayThread) -> None:
    async with open_page("--ignore-certificate-errors") as page:
        await page.goto(gateway.url)
        await page.until("window.said && said.done", within_s=30)
        said = json.loads(await page.evaluate("JSON.stringify(said)"))
    assert said.get("error") is None
    assert (said["streams"], said["fetched"], said["message"]) == (MANY, "data", "you said hi")
    assert said["closed"] == [1000, True]
    assert said["posted"] == "2000000"
    assert said["protocols"] == ["h2"]
    assert said["waited_ms"] < 2_000
    assert len(gateway.seen(TunnelOpened)) == 1
    for _ in range(100):
        if len(gateway.seen(ExchangeFinished)) >= MANY + 3:
            break
        await asyncio.sleep(0.05)
    assert len(gateway.seen(ExchangeFinished)) >= MANY + 3, "event streams end with the page"
