"""The real Next dev server behind devproxy, opened by names that it does not know: hot reload and its error overlay."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import copytree
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from aiohttp import web
from devproxy.init import kinds
from devproxy.init.asking import ask_all
from devproxy.init.evidence import Whose
from devproxy.init.identify import server_of
from devproxy.platforms.listeners import Listener
from tests.e2e import install
from tests.e2e.harness import StartGateway
from tests.support.app_thread import app_thread
from tests.support.browser import Page, open_page
from tests.support.gateway_process import GatewayProcess, one_origin
from tests.support.processes import Program, free_port, wait_for
from tests.support.wire import until

NAMES = ("127.0.0.1", "app.test")
OWN_NAME = "--host-resolver-rules=MAP app.test 127.0.0.1"
SAVES = 20
POSTS_FOR_THE_OVERLAY = "/__nextjs_original-stack-frames"


class Next(Program):
    """``next dev`` with a copy of the page in ``folder``, which lies where Next finds its packages."""

    def __init__(self, folder: Path) -> None:
        self.page = folder / "app" / "page.js"
        self.port = free_port()
        next_dev = install.NEXT / "node_modules" / "next" / "dist" / "bin" / "next"
        command: list[str | Path] = ["node", next_dev, "dev", "-H", "localhost", "-p", str(self.port)]
        environment = {"NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"}
        super().__init__(command, name="next dev", cwd=folder, environment=environment)


@pytest.fixture(scope="module")
def next_server() -> Iterator[Next]:
    try:
        install.ensure(install.NEXT)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)
    with tempfile.TemporaryDirectory(dir=install.NEXT, prefix=".run-", ignore_cleanup_errors=True) as folder:
        copytree(install.NEXT / "app", Path(folder) / "app")
        with Next(Path(folder)) as running:
            wait_for(lambda: any("Ready in" in line for line in running.out), "that Next is ready")
            yield running


@pytest.mark.parametrize("name", NAMES)
async def test_an_edit_reaches_a_page_of_another_name_which_keeps_its_state(
    name: str, next_server: Next, devproxy: StartGateway, tmp_path: Path
) -> None:
    gateway = behind(next_server, devproxy, tmp_path)
    async with open_page(OWN_NAME) as page:
        await page.goto(f"http://{name}:{gateway.port}/")
        await page.until("document.querySelector('h1')?.innerText === 'first text'")
        await counted(page)
        original = next_server.page.read_text()
        try:
            await edited(next_server, page)
        finally:
            next_server.page.write_text(original)
        assert await page.evaluate("document.querySelector('button').innerText") != "0", "it was reloaded"
    opened = gateway.events("tunnel_opened")
    assert opened
    assert not [event for event in gateway.events("exchange_finished") if event["status"] in (403, 502)]


@pytest.mark.parametrize("name", NAMES)
async def test_the_error_overlay_of_a_page_of_another_name_gets_what_it_asks_for(
    name: str, next_server: Next, devproxy: StartGateway, tmp_path: Path
) -> None:
    gateway = behind(next_server, devproxy, tmp_path)
    async with open_page(OWN_NAME) as page:
        await page.goto(f"http://{name}:{gateway.port}/")
        await page.until("document.querySelector('h1')?.innerText === 'first text'")
        status = await page.evaluate(
            f"fetch('{POSTS_FOR_THE_OVERLAY}', {{ method: 'POST', body: JSON.stringify({{ frames: [] }}) }})"
            ".then(answer => answer.status)"
        )
        assert status != 403
        font = "'/__nextjs_font/geist-latin.woff2'"
        assert await page.evaluate(f"new FontFace('f', 'url(' + {font} + ')').load().then(() => true)")


def behind(server: Next, devproxy: StartGateway, folder: Path) -> GatewayProcess:
    file = folder / "devproxy.toml"
    file.write_text(
        f'[server]\nallowed_hosts = ["app.test"]\n[upstreams]\nfrontend = "http://localhost:{server.port}"\n'
        '[[routes]]\npath = "/"\nupstream = "frontend"\n'
    )
    return devproxy("--config", file)


async def edited(server: Next, page: Page) -> None:
    """Save another text and wait until the page shows it; save again where Next's watcher, just started, missed it."""
    text = server.page.read_text().replace("first text", "second text")
    for _ in range(SAVES):
        server.page.write_text(text)
        with suppress(TimeoutError):
            await page.until("document.querySelector('h1').innerText === 'second text'", within_s=3)
            return
        text += "// saved again\n"
    pytest.fail(f"no edit reached the page; its console: {page.console}")


async def counted(page: Page) -> None:
    """Wait until hot reload is connected, which misses the edits before, and click the button until it counts."""
    await until(lambda: any("[HMR] connected" in text for text in page.console))
    await page.until("(document.querySelector('button').click(), document.querySelector('button').innerText !== '0')")


def test_a_404_of_the_backend_names_the_option_that_leaves_api_routes_to_next(next_server: Next) -> None:
    with app_thread(web.Application()) as backend:
        gateway = GatewayProcess(*one_origin(frontend=f"localhost:{next_server.port}", backend=str(backend)))
        try:
            with pytest.raises(HTTPError, match="404"), urlopen(f"{gateway.url}api/hello"):
                pass
            trouble = gateway.event("trouble", lambda event: "/api/hello" in event["what"], "the hint")
        finally:
            gateway.stop(told="/api/hello")
    assert "the frontend is Next" in trouble["what"]


def test_devproxy_init_knows_it(next_server: Next) -> None:
    (heard,) = asyncio.run(ask_all([Listener(next_server.port, "", 1, "x", "/p")], ["/socket.io/"], limit_s=30))
    found = server_of(heard, Whose.OURS)
    assert found is not None
    assert (found.kind, found.engine) == (kinds.NEXT, None)
