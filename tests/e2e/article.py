"""The article's stage: its backends, a page that may be opened at any origin, and real Chromium looking at it.

Owns: starting them, opening the page anew, calling the page's functions (``node/browser/article.js``) and reading the
console. Never: judges. Start reading at :class:`Stage`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from tests.e2e.harness import Configured, Server, node_server
from tests.support.browser import Page, open_page
from tests.support.gateway_process import GatewayProcess
from tests.support.processes import PATIENCE_S, Json

RESOLVER: Final = "--host-resolver-rules=MAP *.test 127.0.0.1"
"""Web sites whose names lead to this machine: their pages load, and their origins are foreign all the same."""
ONE_PAGE: Final = "--disable-features=BackForwardCache,IsolateSandboxedIframes"
"""A page that was left is gone at once, with its polls; a sandboxed frame writes to its page's console."""


BLOCKED: Final = "has been blocked by CORS policy: "
PREFLIGHT: Final = BLOCKED + "Response to preflight request doesn't pass access control check: "
NOT_THERE: Final = "No 'Access-Control-Allow-Origin' header is present on the requested resource."
MISSING: Final = BLOCKED + NOT_THERE
WILDCARD: Final = (
    "The value of the 'Access-Control-Allow-Origin' header in the response must not be the wildcard '*' "
    "when the request's credentials mode is 'include'."
)
UPGRADE_REFUSED: Final = "Error during WebSocket handshake: Unexpected response code: "
BLOCKED_POLL: Final = {"connected": False, "message": "xhr poll error", "status": 0, "body": ""}
"""All that Socket.IO learns when the browser keeps an answer from it."""

POLLING: Final = ["polling"]
WEBSOCKET: Final = ["websocket"]
TRANSPORTS: Final = pytest.mark.parametrize(
    "transports", [POLLING, None, WEBSOCKET], ids=["polling", "upgraded", "websocket"]
)


class Stage:
    """Chromium with one page, and the backends by their names in ``node/servers/article.mjs``.

    ``page``: where the page is served by itself (``http://127.0.0.1:PORT``), an origin of its own. ``port`` gives the
    port of a backend, ``origin`` its address.
    """

    def __init__(self, browser: Page, servers: Server, start: Configured) -> None:
        said = servers.json_line(lambda line: "ports" in line, "its ports")
        self._browser = browser
        self._ports: dict[str, int] = said["ports"]
        self._start = start
        self._visits = 0
        self.page_port: int = said["port"]
        self.page = f"http://127.0.0.1:{self.page_port}"

    async def gateway(
        self, backend: str | int, *lines: str, routes: tuple[str, ...] = ('path = "/socket.io/"',)
    ) -> GatewayProcess:
        """A devproxy for the page and a backend (its name or its port), with `lines` in each of its `routes`."""
        return await asyncio.to_thread(self._start, self.config(backend, *lines, routes=routes))

    def config(self, backend: str | int, *lines: str, routes: tuple[str, ...]) -> str:
        """The ``devproxy.toml`` of :meth:`gateway`, as a user writes it."""
        port = self.port(backend) if isinstance(backend, str) else backend
        text = [
            "[upstreams]",
            f'frontend = "http://localhost:{self.page_port}"',
            f'backend = "http://localhost:{port}"',
            "[[routes]]",
            'path = "/"',
            'upstream = "frontend"',
        ]
        for route in routes:
            text += ["[[routes]]", route, 'upstream = "backend"', *lines]
        return "\n".join(text) + "\n"

    def port(self, backend: str) -> int:
        """The port of a backend of ``article.mjs``."""
        return self._ports[backend]

    def origin(self, backend: str) -> str:
        """The address of a backend, without a slash at the end."""
        return f"http://127.0.0.1:{self._ports[backend]}"

    async def visit(self, origin: str) -> None:
        """Open the page at `origin`, with no cookies and an empty console."""
        self._visits += 1
        await self.leave()
        await self._browser.call("Network.clearBrowserCookies")
        await self._browser.goto(f"{origin}/visit?number={self._visits}")
        await self._browser.until(
            f"location.search === '?number={self._visits}' && typeof readSandboxed === 'function'"
        )
        self._browser.console.clear()

    async def leave(self) -> None:
        """Close the page, and with it whatever it still asks."""
        await self._browser.goto("about:blank")
        await self._browser.until("location.href === 'about:blank'")

    async def ask(self, function: str, *arguments: object) -> Any:
        """Call a function of the page and return what it answers."""
        return await self._browser.evaluate(f"{function}({', '.join(map(json.dumps, arguments))})")

    async def dial(self, url: str = "", /, **options: object) -> Json:
        """Connect with Socket.IO: to `url`, or to where the page came from."""
        said: Json = await self.ask("dial", url or "/", options)
        return said

    async def read(self, url: str, /, **init: object) -> Json:
        """Fetch: ``status``, ``headers`` and ``body`` as far as the page may read them, or ``failed``."""
        said: Json = await self.ask("read", url, init)
        return said

    async def console_line(self, *words: str) -> str:
        """Wait for a message in the console that contains all of `words`, and return it."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self._browser.console:
                if all(each in line for each in words):
                    return line
            await asyncio.sleep(0.01)
        raise AssertionError(f"the console does not say {words}: {self._browser.console}")

    def complaints(self) -> list[str]:
        """What the console says so far about CORS, WebSockets and requests that failed."""
        words = ("CORS policy", "WebSocket connection", "Failed to load resource", "net::")
        return [line for line in self._browser.console if any(each in line for each in words)]


@asynccontextmanager
async def staged(start: Configured) -> AsyncIterator[Stage]:
    """Start the backends and Chromium, and end both. `start`: how to start devproxy."""
    with node_server("article", {}) as servers:
        async with open_page(RESOLVER, ONE_PAGE) as browser:
            yield Stage(browser, servers, start)


def chosen(transports: list[str] | None) -> dict[str, object]:
    """The option of Socket.IO, or none for its own choice: polling, then an upgrade."""
    return {} if transports is None else {"transports": transports}
