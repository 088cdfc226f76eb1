"""One page in a headless Firefox, spoken to by WebDriver BiDi over a WebSocket: what :mod:`tests.support.browser` is.

The preferences keep Firefox from looking anything up outside this machine. Nothing is downloaded: the browser is the
system's, found on PATH.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
from tests.support.browser import BrowserPage

NAMES: Final = ("firefox-esr", "firefox")
START_TIMEOUT_S: Final = 60.0
_NOWHERE: Final = "data:,"
PREFERENCES: Final[dict[str, bool | int | str]] = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "messaging-system.rsexperimentloader.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.http.speculative-parallel-limit": 0,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "privacy.trackingprotection.enabled": False,
    "security.certerrors.mitm.priming.enabled": False,
    "services.settings.server": _NOWHERE + "#remote-settings-dummy/v1",
    "signon.autofillForms": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": _NOWHERE,
}


class FirefoxPage(BrowserPage):
    """A page and what its console reported. ``capabilities``: what Firefox says about itself."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__()
        self.capabilities: dict[str, Any] = {}
        self._connection = connection
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._context = ""
        self._reading = asyncio.create_task(self._read())

    async def begin(self, *, takes_any_certificate: bool) -> None:
        """Take over the page that Firefox has opened."""
        always = {"acceptInsecureCerts": takes_any_certificate}
        session = await self.call("session.new", capabilities={"alwaysMatch": always})
        self.capabilities = session["capabilities"]
        tree = await self.call("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        await self.call("session.subscribe", events=["log.entryAdded"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; raises RuntimeError with its error."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send_json({"id": number, "method": method, "params": parameters})
        result = await answer
        if result["type"] == "error":
            raise RuntimeError(f"{method}: {result['error']}: {result['message']}")
        return dict(result["result"])

    async def goto(self, url: str) -> None:
        """Start to load `url`; :meth:`until` says when it is there."""
        await self.call("browsingContext.navigate", context=self._context, url=url, wait="none")

    async def evaluate(self, expression: str) -> Any:
        """Return the JSON value of a JavaScript expression, awaited."""
        answer = await self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify([await ({expression})]))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])[0]

    async def _read(self) -> None:
        async for message in self._connection:
            data = json.loads(message.data)
            if (answer := self._answers.pop(data.get("id") or 0, None)) is not None:
                answer.set_result(data)
            elif data.get("method") == "log.entryAdded":
                self.console.append(str(data["params"].get("text")))

    async def close(self) -> None:
        """Stop listening to the browser."""
        await self._connection.close()
        await self._reading


@asynccontextmanager
async def open_firefox(
    *, profile: Path | None = None, local_names: Iterable[str] = (), takes_any_certificate: bool = True
) -> AsyncIterator[FirefoxPage]:
    """Start Firefox, open one page in it, and end it, by its own process group, at the end.

    `profile`: a folder that is kept; without, there is an empty one. `local_names`: names that lead to this machine.
    """
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program is not None, f"this test needs Firefox: none of {', '.join(NAMES)} is on PATH"
    with tempfile.TemporaryDirectory(prefix="devproxy-firefox-", ignore_cleanup_errors=True) as home:
        folder = profile or Path(home, "profile")
        preferences = {**PREFERENCES, "network.dns.localDomains": ",".join(local_names)}
        await asyncio.to_thread(_prepare, folder, preferences)
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless",
            "--no-remote",
            "--remote-debugging-port=0",
            "--profile",
            str(folder),
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": home, "MOZ_CRASHREPORTER_DISABLE": "1"},
        )
        try:
            port = await _port(folder / "WebDriverBiDiServer.json", process)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0) as connection,
            ):
                page = FirefoxPage(connection)
                await page.begin(takes_any_certificate=takes_any_certificate)
                yield page
                await page.close()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _prepare(profile: Path, preferences: Mapping[str, bool | int | str]) -> None:
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "WebDriverBiDiServer.json").unlink(missing_ok=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines))


async def _port(announced: Path, process: asyncio.subprocess.Process) -> int:
    """Wait for the file in which Firefox announces its port."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.returncode is None, f"Firefox ended with exit code {process.returncode}"
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return int(json.loads(await asyncio.to_thread(announced.read_text))["ws_port"])
        await asyncio.sleep(0.05)
    raise TimeoutError("Firefox did not announce its port")
