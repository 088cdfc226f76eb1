"""Requests without a pause while the configuration is written again and again."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from bench.clients.client import WrongAnswer
from bench.clients.exchange import Asks
from bench.clients.requests import Requests
from bench.load import Done
from bench.peers import VERSION_FIELD
from bench.traffic import SMALL_BODY, module_request

AFTERMATH_S: Final = 0.1
"""How long after the first answer of the new configuration slow requests still count as its doing."""

SEEN_LIMIT_S: Final = 5.0
_VERSION: Final = re.compile(rf'({VERSION_FIELD} = )"\d+"')
_SEEN: Final = re.compile(rb"\r\n" + VERSION_FIELD.lower().encode() + rb": (\d+)")


class Reloading(Requests):
    """GETs without a pause on every connection; in turns the file is written anew, and nothing is for as long.

    Units are reloads. The figure is by how many milliseconds the slowest request that was on its way within a reload is
    slower than the slowest within as much time without one, 0 when it is not.
    """

    def __init__(self, port: int, connections: int, config: str) -> None:
        super().__init__(port, connections)
        self._config = Path(config)
        self._text = self._config.read_text()
        found = _VERSION.search(self._text)
        self._version = int(re.sub(r"\D", "", found[0].rpartition("=")[2])) if found else 0
        self._requests = [module_request(number) for number in range(2000)]
        self._slowest = 0.0
        self._seen = -1
        self._changed = asyncio.Event()

    async def run(self, seconds: float) -> Done:
        """Reload until `seconds` are over, and twice at least."""
        started = time.monotonic()
        for number, exchange in enumerate(self.exchanges):
            self._next(exchange, number * 61)
        ending = asyncio.ensure_future(self.until_over())
        with_reload: list[float] = []
        without: list[float] = []
        await asyncio.sleep(AFTERMATH_S)
        while len(with_reload) < 2 or time.monotonic() < started + seconds:
            self._slowest, began = 0.0, time.monotonic()
            await asyncio.wait((ending, asyncio.ensure_future(self._reload())), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                break
            with_reload.append(self._slowest)
            took, self._slowest = time.monotonic() - began, 0.0
            await asyncio.sleep(took)
            without.append(self._slowest)
        self.finish()
        await ending
        more = max(0.0, max(with_reload) - max(without))
        return Done(len(with_reload), time.monotonic() - started, figure=more * 1000)

    async def _reload(self) -> None:
        self._version += 1
        self._changed.clear()
        text = _VERSION.sub(rf'\g<1>"{self._version}"', self._text)
        await asyncio.to_thread(self._write, text)
        try:
            async with asyncio.timeout(SEEN_LIMIT_S):
                while self._seen != self._version:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self.fail(WrongAnswer(f"the configuration was not reloaded within {SEEN_LIMIT_S:g} s"))
        await asyncio.sleep(AFTERMATH_S)

    def _write(self, text: str) -> None:
        fresh = self._config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self._config)

    def _next(self, exchange: Asks, number: int) -> None:
        began = time.perf_counter()

        def answered(head: bytes, body: bytes) -> None:
            self._slowest = max(self._slowest, time.perf_counter() - began)
            self.check(is_right=body == SMALL_BODY, what=f"the body is {body[:60]!r}")
            found = _SEEN.search(head)
            version = int(found[1]) if found else -1
            if version != self._seen:
                self._seen = version
                self._changed.set()
            if not self._over.done():
                self._next(exchange, (number + 1) % len(self._requests))

        exchange.ask(self._requests[number], answered)
