"""What is measured of a proxy that has just begun: that it does its job, how soon, its memory, and idle WebSockets."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, ignore_patterns
from statistics import median
from typing import Final

from tests.support.browser import open_page

from bench import load, page
from bench.clients.client import HTTP11, client_context
from bench.measure import Failed, family, resident_kib
from bench.peers import Peer
from bench.targets import Target, prepared, stop
from bench.traffic import SMALL_BODY

_PACKAGE: Final = Path(__file__).parent.parent / "devproxy"
IDLE_SOCKETS: Final = 2000
IDLE_FIRST: Final = 200
"""Sockets that are open before those that are measured: what is loaded or grows once counts for none of them."""
SETTLE_S: Final = 0.5
IDLE_FACTOR: Final = 3
"""The CPU of doing nothing is measured for so many times as long as other work."""
FIRST_ANSWER_LIMIT_S: Final = 10
STARTS: Final = 5
"""Pairs of starts of which the difference is measured."""


def idle(
    target: Target, seconds: float, kind: str = "idle", speech: load.Speech = load.Speech.PLAIN
) -> tuple[float, float]:
    """Return what one idle WebSocket costs in KiB, and the CPU in percent of a core while nothing happens on all.

    `kind`: of the client, which may have connections instead. In a process of its own: what other work has left there
    would be used again and not count. Some are open before, so that what is loaded once counts for none.
    """
    with target.another() as fresh:
        if fault := fault_of(fresh.port):
            raise Failed(fault)
        before = grown = 0
        done = load.Done(0, 0)

        def open_the_others() -> None:
            nonlocal before, done
            time.sleep(SETTLE_S)
            before = resident_kib(family(fresh.pid))
            done = load.client(
                kind, fresh, seconds=seconds * IDLE_FACTOR, ready=look, speech=speech, connections=IDLE_SOCKETS
            )

        def look() -> None:
            nonlocal grown
            time.sleep(SETTLE_S)
            grown = resident_kib(family(fresh.pid)) - before

        load.client(kind, fresh, seconds=0, ready=open_the_others, speech=speech, connections=IDLE_FIRST)
        return grown / IDLE_SOCKETS, done.cpu_s / done.seconds * 100


def start(target: Target, _seconds: float) -> tuple[float, float]:
    """Start another one; return the milliseconds from the spawn to the first 200, and its memory then in MiB."""
    port, _, command = prepared(target.peer, target.upstreams)
    return _started(command, port)


def first_start(target: Target, _seconds: float) -> tuple[float]:
    """Start a devproxy that Python has not compiled yet; return the milliseconds from the spawn to the first 200."""
    port, folder, command = prepared(target.peer, target.upstreams)
    copytree(_PACKAGE, folder / _PACKAGE.name, ignore=ignore_patterns("__pycache__"))
    return _started(command, port, cwd=folder)[:1]


def start_with_tls(target: Target, plain_peer: Peer) -> tuple[float]:
    """Start some with a certificate that is there and some without TLS; return how many milliseconds it takes more.

    `plain_peer`: the same without TLS. Each pair is compared on its own, and the median counts. The first answer comes
    over TLS where that is spoken.
    """
    local, plain = (prepared(peer, target.upstreams) for peer in (target.peer, plain_peer))
    _started(local[2], local[0], is_secure=True)  # makes the certificate
    more = []
    for _ in range(STARTS):
        times = [_started(one[2], one[0], is_secure=one is local)[0] for one in (plain, local)]
        more.append(times[1] - times[0])
    return (median(more),)


def _started(
    command: Sequence[str], port: int, *, cwd: Path | None = None, is_secure: bool = False
) -> tuple[float, float]:
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd) as child:
        try:
            seconds = first_answer_s(port, started, is_secure=is_secure)
            return seconds * 1000, resident_kib(family(child.pid)) / 1024
        finally:
            stop(child)


def in_browser(target: Target, _seconds: float) -> tuple[float, float]:
    """Load the page of modules in Chromium, empty, through another one that is as fresh.

    Returns the milliseconds until the last module has run, and those of CPU that the proxy took.
    """
    with target.another() as fresh:
        if fault := fault_of(fresh.port):
            raise Failed(fault)
        before = fresh.cpu_s()
        try:
            loaded = asyncio.run(_loaded_ms(f"http://127.0.0.1:{fresh.port}{page.DOCUMENT}"))
        except (AssertionError, TimeoutError) as error:
            raise Failed(str(error)) from None
        return loaded, (fresh.cpu_s() - before) * 1000


async def _loaded_ms(url: str) -> float:
    async with open_page() as browser:
        await browser.goto(url)
        return float(await browser.until("window.loaded"))


def fault_of(port: int) -> str:
    """Return "" when the proxy on `port` forwards and rewrites as it should, else what is wrong with its answer."""
    for origin, allowed in ((None, None), ("http://localhost:3000", "http://localhost:3000")):
        try:
            wrong = _wrong_with_answer(port, origin, allowed)
        except (OSError, http.client.HTTPException) as error:
            wrong = f"gives no answer: {error}"
        if wrong:
            return wrong
    return ""


def _wrong_with_answer(port: int, origin: str | None, allowed: str | None) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(
        "GET", "/src/main.js", headers={"Host": "localhost:8080", **({"Origin": origin} if origin else {})}
    )
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200 or body != SMALL_BODY:
        return f"answered {response.status} with {body[:40]!r}"
    granted = response.getheader("Access-Control-Allow-Origin")
    if granted != allowed:
        return f"grants {granted} to {origin}"
    return "" if response.getheader("Vary") == "Origin" else "does not vary by Origin"


def first_answer_s(port: int, started: float, *, is_secure: bool = False) -> float:
    """Wait for the first 200 from `port`; return the seconds since `started` (``time.perf_counter``)."""
    while time.perf_counter() - started < FIRST_ANSWER_LIMIT_S:
        connection = (
            http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=client_context(HTTP11))
            if is_secure
            else http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        )
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return time.perf_counter() - started
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.001)
    raise Failed(f"no answer within {FIRST_ANSWER_LIMIT_S} s")
