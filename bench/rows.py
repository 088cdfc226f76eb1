"""The rows of the table: what is done, in which unit, and what devproxy may cost at this stage."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import load, upstreams
from bench.load import MIB, Done
from bench.measure import family, resident_kib

IDLE_SOCKETS = 2000
FIRST_ANSWER_LIMIT_S = 10


@dataclass(frozen=True)
class Row:
    """One kind of work. ``budget``: how many times nginx devproxy may cost, None where nothing is promised yet."""

    key: str
    title: str
    unit: str
    budget: float | None
    run: Callable[[int, float], Done]


ROWS = (
    Row(
        "get32",
        "small GET, 32 connections",
        "request",
        1.8,
        lambda port, s: load.wrk(port, "", connections=32, seconds=s),
    ),
    Row(
        "get1", "small GET, 1 connection", "request", 1.5, lambda port, s: load.wrk(port, "", connections=1, seconds=s)
    ),
    Row(
        "get512",
        "small GET, 512 connections",
        "request",
        1.3,
        lambda port, s: load.wrk(port, "", connections=512, seconds=s),
    ),
    Row(
        "download",
        "1 MiB download",
        "download",
        0.4,
        lambda port, s: load.wrk(port, "/download/1m", connections=8, seconds=s),
    ),
    Row("upload", "16 MiB upload, per MiB", "MiB", 0.6, lambda port, s: load.client("upload", port, 4, s, 16 * MIB)),
    Row(
        "ws64",
        "WebSocket 64 B echo, 32 conn.",
        "message",
        1.7,
        lambda port, s: load.client("websocket", port, 32, s, 64),
    ),
    Row(
        "ws64x1",
        "WebSocket 64 B echo, 1 conn.",
        "message",
        1.3,
        lambda port, s: load.client("websocket", port, 1, s, 64),
    ),
    Row(
        "ws1m",
        "WebSocket 1 MiB echo, 4 conn.",
        "message",
        0.5,
        lambda port, s: load.client("websocket", port, 4, s, MIB),
    ),
)


def idle_kib(port: int, pid: int) -> Done:
    """Return the memory that one idle WebSocket costs, in KiB, from the growth of :data:`IDLE_SOCKETS` of them."""
    command = [sys.executable, "-m", "bench.load", "idle", str(port), str(IDLE_SOCKETS), "0", "64"]
    before = resident_kib(family(pid))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        if holder.stdout.readline() != "open\n":
            return Done(0, 0, "the idle WebSockets could not be opened")
        time.sleep(0.5)
        grown = resident_kib(family(pid)) - before
        holder.communicate()
    return Done(grown / IDLE_SOCKETS, 0)


def does_its_job(port: int) -> str:
    """Return "" when the proxy on `port` forwards and rewrites as it should, else what is wrong with its answer."""
    for origin, allowed in ((None, None), ("http://localhost:3000", "http://localhost:3000")):
        wrong = _wrong_with_answer(port, origin, allowed)
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
    if response.status != 200 or body != upstreams.SMALL_BODY:
        return f"answered {response.status} with {body[:40]!r}"
    granted = response.getheader("Access-Control-Allow-Origin")
    if granted != allowed:
        return f"grants {granted} to {origin}"
    return "" if response.getheader("Vary") == "Origin" else "does not vary by Origin"


def first_answer_s(port: int, started: float) -> float:
    """Wait for the first 200 from `port`; return the seconds since `started` (``time.perf_counter``)."""
    while time.perf_counter() - started < FIRST_ANSWER_LIMIT_S:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return time.perf_counter() - started
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.001)
    raise TimeoutError(f"no answer within {FIRST_ANSWER_LIMIT_S} s")
