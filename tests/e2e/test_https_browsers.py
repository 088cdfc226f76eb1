"""Real Chromium and real Firefox over https: what starves over HTTP/1.1, hot reload, Socket.IO, cookies, mixed content.

Both take any certificate here; that they trust those of this machine is for ``test_certificates_browsers.py``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from devproxy.config.model import Config, PathKind, Route, Server, Upstream
from devproxy.events import ExchangeFinished, TunnelOpened
from tests.e2e.article import ONE_PAGE, RESOLVER
from tests.e2e.harness import ChatExample, Configured, StartServer
from tests.support.app_thread import app_thread, echo_socket
from tests.support.browser import BrowserPage, Page, open_page
from tests.support.certificates import certificate_files
from tests.support.firefox import open_firefox
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.wire import address_of, config_for, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMS = 12
"""Event streams, and polls; of HTTP/1.1 a browser opens six connections to one origin, and all else waits for them."""
POLLS = 6
MODULES = 40
CROWD = """<!doctype html><title>page</title><script type="module">
const said = window.said = {streams: 0, protocols: []};
async function run() {
  const sources = Array.from({length: %d}, (_, number) => new EventSource("/events?" + number));
  await Promise.all(sources.map((source) => new Promise((done) => source.onmessage = done)));
  said.streams = sources.length;
  const polls = Array.from({length: %d}, (_, number) => fetch("/poll?" + number));
  const started = performance.now();
  const modules = await Promise.all(Array.from({length: %d}, (_, number) => import(`/module.js?${number}`)));
  said.modules = modules.filter((one) => one.answer === 42).length;
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
  await fetch("/end-polls");
  said.polled = (await Promise.all(polls.map(async (poll) => await (await poll).text()))).join(" ");
  said.protocols = [...new Set(performance.getEntriesByType("resource").map((one) => one.nextHopProtocol))];
  said.done = true;
}
run().catch((error) => (said.done = said.error = String(error)));
</script>"""
SOCKET_IO = """<!doctype html><title>page</title><script src="/socket.io/socket.io.js"></script><script>
window.talk = (transports) => new Promise((done) => {
  const socket = io({forceNew: true, reconnection: false, ...(transports && {transports})});
  const said = {};
  const sent = {text: "Grüße", bytes: new Uint8Array([0, 1, 254, 255]).buffer};
  socket.on("connect_error", (error) => done({...said, error: String(error)}));
  socket.on("error", (error) => done({...said, error: String(error)}));
  socket.io.on("open", () => (said.first = socket.io.engine.transport.name));
  socket.on("connect", () => {
    const {engine} = socket.io;
    const echo = () => socket.emit("echo", sent, (value) => {
      said.last = engine.transport.name;
      said.echo = [value.text, ...new Uint8Array(value.bytes)];
      socket.disconnect();
      done(said);
    });
    if (transports || engine.transport.name === "websocket") echo();
    else engine.once("upgrade", echo);
  });
});
</script>"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["chromium", "firefox"])
async def browser(request: pytest.FixtureRequest) -> AsyncIterator[BrowserPage]:
    """A page of each browser, for all tests of this module."""
    if request.param == "firefox":
        async with open_firefox(local_names=("app.test", "api.test")) as firefox:
            yield firefox
    else:
        async with open_page("--ignore-certificate-errors", RESOLVER, ONE_PAGE) as chromium:
            yield chromium


COOKIES = (
    "plain=1; Path=/; HttpOnly",
    "secure=2; Path=/; Secure; SameSite=None",
    "__Host-session=3; Path=/; Secure; HttpOnly; SameSite=Lax",
    "__Secure-token=4; Path=/; Secure",
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def always(text: str, content_type: str = "text/html") -> Handler:
    """Return what answers any request with `text`."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return answer


class Backend:
    """Pages and what they ask for, in plain HTTP. ``port``: where. ``hosts``: whom ``/data`` was asked of."""

    def __init__(self) -> None:
        self.port = 0
        self.hosts: list[str] = []
        self._polls_end = asyncio.Event()
        self.app = web.Application(client_max_size=8_000_000)
        handlers: dict[str, Handler] = {
            "/blank": always("<!doctype html><title>page</title>"),
            "/crowd": self._crowd,
            "/socketio": always(SOCKET_IO),
            "/module.js": always("export const answer = 42", "text/javascript"),
            "/data": self._data,
            "/events": self._events,
            "/poll": self._poll,
            "/end-polls": self._end_polls,
            "/socket": echo_socket,
            "/login": self._login,
            "/who": self._who,
        }
        self.app.router.add_routes([web.get(path, handler) for path, handler in handlers.items()])
        self.app.router.add_post("/upload", self._upload)

    async def _crowd(self, request: web.Request) -> web.Response:
        self._polls_end = asyncio.Event()
        return web.Response(text=CROWD % (STREAMS, POLLS, MODULES), content_type="text/html")

    async def _data(self, request: web.Request) -> web.Response:
        self.hosts.append(request.host)
        return web.Response(text="data")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: hello\n\n")
        with suppress(ConnectionError):
            while True:
                await response.write(b": still here\n\n")
                await asyncio.sleep(0.1)
        return response

    async def _poll(self, request: web.Request) -> web.Response:
        await self._polls_end.wait()
        return web.Response(text="over")

    async def _end_polls(self, request: web.Request) -> web.Response:
        self._polls_end.set()
        return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def _login(self, request: web.Request) -> web.Response:
        response = web.Response(text="welcome")
        for cookie in COOKIES:
            response.headers.add("Set-Cookie", cookie)
        return response

    async def _who(self, request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("Cookie", ""))


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """A backend that knows nothing of https."""
    made = Backend()
    with app_thread(made.app) as made.port:
        yield made


@pytest.fixture(scope="module")
def gateway(backend: Backend) -> Iterator[GatewayThread]:
    config = config_for((address_of(backend.port),), server=Server(tls=certificate_files()))
    with gateway_thread(config) as running:
        yield running


def port_of(gateway: GatewayThread) -> int:
    port = urlsplit(gateway.url).port
    assert port is not None
    return port


async def test_many_event_streams_and_polls_starve_nothing(browser: BrowserPage, gateway: GatewayThread) -> None:
    tunnels, exchanges = len(gateway.seen(TunnelOpened)), len(gateway.seen(ExchangeFinished))
    await browser.goto(f"{gateway.url}crowd")
    await browser.until("window.said && said.done", within_s=60)
    said = json.loads(await browser.evaluate("JSON.stringify(said)"))
    assert said.get("error") is None
    assert (said["streams"], said["modules"], said["fetched"], said["message"]) == (
        STREAMS,
        MODULES,
        "data",
        "you said hi",
    )
    assert said["closed"] == [1000, True]
    assert said["posted"] == "2000000"
    assert said["polled"] == " ".join(["over"] * POLLS)
    assert said["protocols"] == ["h2"]
    assert said["waited_ms"] < 5_000
    assert len(gateway.seen(TunnelOpened)) == tunnels + 1
    await browser.goto("about:blank")
    await until(lambda: len(gateway.seen(ExchangeFinished)) >= exchanges + STREAMS + POLLS + MODULES + 3)


async def test_cookies_for_https_alone_are_kept_and_come_back(browser: BrowserPage, gateway: GatewayThread) -> None:
    await browser.goto(f"{gateway.url}blank")
    await browser.until("location.pathname === '/blank'")
    await browser.evaluate("fetch('/login').then((answer) => answer.text())")
    sent = await browser.evaluate("fetch('/who').then((answer) => answer.text())")
    assert sorted(sent.split("; ")) == sorted(cookie.partition(";")[0] for cookie in COOKIES)


async def test_a_page_on_https_reaches_a_backend_that_has_none_by_the_one_origin(
    browser: BrowserPage, gateway: GatewayThread, backend: Backend
) -> None:
    front = f"app.test:{port_of(gateway)}"
    await browser.goto(f"https://{front}/blank")
    await browser.until("location.hostname === 'app.test' && document.readyState === 'complete'")
    ask = "fetch({url!r}).then((answer) => answer.text(), (error) => error.name)"
    backend.hosts.clear()
    assert await browser.evaluate(ask.format(url=f"http://api.test:{backend.port}/data")) == "TypeError"
    assert await browser.evaluate(ask.format(url="/data")) == "data"
    assert backend.hosts == [front], "the first was not sent: it would have been mixed content"
    if isinstance(browser, Page):  # Firefox does not tell by WebDriver
        assert any(line.startswith("Mixed Content: The page at 'https://app.test") for line in browser.console)
    opened = (
        f"new Promise((done) => {{ const it = new WebSocket('wss://{front}/socket');"
        " it.onopen = () => (it.close(), done(true)); it.onerror = () => done(false) })"
    )
    assert await browser.evaluate(opened) is True


@pytest.mark.parametrize("major", [2, 3, 4])
async def test_socketio_begins_with_polls_upgrades_and_begins_with_a_websocket(
    browser: BrowserPage, gateway: GatewayThread, backend: Backend, shared_server: StartServer, major: int
) -> None:
    server = await asyncio.to_thread(shared_server, "socketio", major=major)
    config = Config(
        server=Server(tls=certificate_files()),
        upstreams=(
            Upstream(name="page", servers=(address_of(backend.port),)),
            Upstream(name="chat", servers=(address_of(server.port),)),
        ),
        routes=(
            Route(kind=PathKind.PREFIX, pattern="/", upstream="page"),
            Route(kind=PathKind.PREFIX, pattern="/socket.io/", upstream="chat"),
        ),
    )
    with gateway_thread(config) as running:
        await browser.goto(f"{running.url}socketio")
        await browser.until("typeof talk === 'function' && typeof io === 'function'")
        echo = ["Grüße", 0, 1, 254, 255]
        assert await browser.evaluate("talk(['polling'])") == {"first": "polling", "last": "polling", "echo": echo}
        assert await browser.evaluate("talk()") == {"first": "polling", "last": "websocket", "echo": echo}
        assert await browser.evaluate("talk(['websocket'])") == {
            "first": "websocket",
            "last": "websocket",
            "echo": echo,
        }
        await browser.goto("about:blank")


async def test_an_edit_reaches_the_page_by_vites_hot_reload_beside_the_chat(
    browser: BrowserPage, chat_example: ChatExample, shared_gateway: Configured
) -> None:
    pair = certificate_files()
    toml = (chat_example.folder / "devproxy.toml").read_text()
    toml = toml.replace("[server]\n", f'[server]\ntls = {{ cert = "{pair.cert}", key = "{pair.key}" }}\n')
    gateway = await asyncio.to_thread(shared_gateway, toml)
    assert gateway.url.startswith("https://")
    await browser.goto(gateway.url)
    await browser.until("document.querySelector('#transport[data-state=websocket]') !== null")
    await browser.evaluate("window.isTheSame = true")
    text = f"Edited over https for {type(browser).__name__}."
    chat_example.edit_greeting(text)
    await browser.until(f"document.getElementById('greeting').textContent === {json.dumps(text)}")
    assert await browser.evaluate("window.isTheSame") is True
    await browser.goto("about:blank")
