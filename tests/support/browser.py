"""One page in a headless Chromium, spoken to by the Chrome DevTools Protocol over a WebSocket.

The flags keep Chromium from looking anything up outside this machine. Nothing is downloaded: the browser is the
system's, found on PATH.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_TIMEOUT_S: Final = 60.0


class BrowserPage(ABC):
    """A page of any browser. ``console``: one string for each message."""

    def __init__(self) -> None:
        self.console: list[str] = []

    @abstractmethod
    async def goto(self, url: str) -> None:
        """Start to load `url`; :meth:`until` says when it is there."""

    @abstractmethod
    async def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, awaited. Raises RuntimeError."""

    async def until(self, expression: str, *, within_s: float = 60.0) -> Any:
        """Return the first truthy value of an expression; raises TimeoutError with the page's text and console."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            with suppress(RuntimeError):  # between two documents, or before the page's script has run
                if value := await self.evaluate(expression):
                    return value
            await asyncio.sleep(0.05)
        text = await self.evaluate("document.body.innerText")
        raise TimeoutError(f"{expression} stayed false; the page says:\n{text}\nand its console:\n{self.console}")


class Page(BrowserPage):
    """A page of Chromium and what its console and its developer tools reported.

    ``reports``: those of the browser itself, each with the URL concerned.
    """

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__()
        self.reports: list[tuple[str, str]] = []
        self._connection = connection
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._reading = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; raises RuntimeError with its error."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send_json({"id": number, "method": method, "params": parameters})
        result = await answer
        if "error" in result:
            raise RuntimeError(f"{method}: {result['error']}")
        return dict(result["result"])

    async def goto(self, url: str) -> None:
        """Start to load `url`; :meth:`until` says when it is there."""
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, awaited."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    async def until_said(self, words: str, *, within_s: float = 20.0) -> str:
        """Return the console when it has `words` in it; raises TimeoutError with what it says instead."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if words in (console := "\n".join(self.console)):
                return console
            await asyncio.sleep(0.02)
        raise TimeoutError(f"the console does not say {words!r}:\n{self.console}")

    async def screenshot(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Write a PNG of the whole page."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        picture = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(picture["data"]))

    async def _read(self) -> None:
        async for message in self._connection:
            data = json.loads(message.data)
            if (answer := self._answers.pop(data.get("id", 0), None)) is not None:
                answer.set_result(data)
            elif data.get("method") == "Log.entryAdded":
                entry = data["params"]["entry"]
                self.console.append(entry["text"])
                self.reports.append((entry.get("url", ""), entry["text"]))
            elif data.get("method") == "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(each.get("value", "")) for each in data["params"]["args"]))
            elif data.get("method") == "Runtime.exceptionThrown":
                self.console.append(str(data["params"]["exceptionDetails"]))

    async def close(self) -> None:
        """Stop listening to the browser."""
        await self._connection.close()
        await self._reading


@asynccontextmanager
async def open_page(*flags: str) -> AsyncIterator[Page]:
    """Start Chromium with an empty profile, open one page in it, and end it, by its own process group, at the end.

    `flags`: of its command line, besides :data:`FLAGS`.
    """
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program is not None, f"this test needs Chromium: none of {', '.join(NAMES)} is on PATH"
    with tempfile.TemporaryDirectory(prefix="devproxy-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            *flags,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            port = await _debugging_port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                address = await _page_url(session, port)
                async with session.ws_connect(address, max_msg_size=0) as connection:
                    page = Page(connection)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.call(f"{domain}.enable")
                    yield page
                    await page.close()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _debugging_port(announced: Path, process: asyncio.subprocess.Process) -> int:
    """Wait for the file in which Chromium announces its port."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.returncode is None, f"Chromium ended with exit code {process.returncode}"
        with suppress(FileNotFoundError):
            if lines := (await asyncio.to_thread(announced.read_text)).splitlines():
                return int(lines[0])
        await asyncio.sleep(0.05)
    raise TimeoutError("Chromium did not announce its debugging port")


async def _page_url(session: aiohttp.ClientSession, port: int) -> str:
    """Return the WebSocket address of the page that Chromium opened at its start."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            for target in await answer.json():
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])
        await asyncio.sleep(0.05)
    raise TimeoutError("Chromium opened no page")
