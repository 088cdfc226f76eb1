"""The rows of the table: what is done, by whom, in which unit, and what devproxy may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench import load, states
from bench.bounds import EVERY_PEER, Bound
from bench.load import MIB, Done
from bench.peers import PEERS, Peer
from bench.targets import Target

DEVPROXY: Final = next(peer for peer in PEERS if peer.name == "devproxy")
VITE: Final = next(peer for peer in PEERS if peer.name == "vite")


IDLE_CPU: Final = 0.5
"""Percent of a core: less than this is 0 % in any monitor."""


@dataclass(frozen=True)
class Row:
    """A line of the table. ``unit``: of its numbers. ``bounds``: all of them hold; none where nothing is promised."""

    key: str
    title: str
    unit: str
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True)
class Work:
    """What is done to every peer in turns, and the rows that it gives a number for, in this order.

    ``run``: does it once, for about so many seconds; raises :class:`~bench.load.Failed`. ``columns``: who does it, by
    the column of the table. ``lacks``: why the other peers do not. ``rounds``: at most so many.
    """

    rows: tuple[Row, ...]
    run: Callable[[Target, float], tuple[float, ...]]
    columns: Mapping[str, Peer]
    lacks: Mapping[str, str] = field(default_factory=dict)
    rounds: int | None = None

    @property
    def key(self) -> str:
        """The name of the work is its first row's."""
        return self.rows[0].key


EVERYBODY: Final = {peer.name: peer for peer in PEERS}
PROXIES: Final = {name: peer for name, peer in EVERYBODY.items() if peer is not VITE}
NO_VITE: Final = {"vite": "compared only in what its proxy does all day: small GETs and page loads"}


def cpu(
    key: str, title: str, unit: str, run: Callable[[Target, float], Done], *bounds: Bound, vite: bool = False
) -> Work:
    """Return work of which the proxy's CPU time counts, in microseconds per unit."""

    def us_per_unit(target: Target, seconds: float) -> tuple[float]:
        done = run(target, seconds)
        return (done.cpu_s / done.units * 1_000_000,)

    row = Row(key, title, f"us per {unit}", bounds)
    return Work((row,), us_per_unit, EVERYBODY if vite else PROXIES, {} if vite else NO_VITE)


def small_gets(connections: int) -> Callable[[Target, float], Done]:
    """Return the load of small GETs over so many connections."""
    return lambda target, s: load.wrk(target, "", connections=connections, seconds=s)


def websockets(connections: int, size: int) -> Callable[[Target, float], Done]:
    """Return the load of messages of `size` octets over so many WebSockets."""
    return lambda target, s: load.client("websocket", target, seconds=s, connections=connections, size=size)


WORKS: Final = (
    cpu(
        "get32",
        "small GET, 32 connections",
        "request",
        small_gets(32),
        Bound(1.8),
        Bound(1 / 4, "caddy"),
        Bound(1 / 5, "http-proxy"),
        Bound(1 / 12, "vite"),
        vite=True,
    ),
    cpu("get1", "small GET, 1 connection", "request", small_gets(1), Bound(1.5)),
    cpu("get512", "small GET, 512 connections", "request", small_gets(512), Bound(1.3)),
    cpu(
        "download",
        "1 MiB download",
        "download",
        lambda target, s: load.wrk(target, "/download/1m", connections=8, seconds=s),
        Bound(0.4),
        Bound(1.2, "haproxy"),
    ),
    cpu(
        "upload",
        "16 MiB upload, per MiB",
        "MiB",
        lambda target, s: load.client("upload", target, seconds=s, connections=4, size=16 * MIB),
        Bound(0.6),
        Bound(1.2, "haproxy"),
    ),
    cpu("ws64", "WebSocket 64 B echo, 32 conn.", "message", websockets(32, 64), Bound(1.7)),
    cpu("ws64x1", "WebSocket 64 B echo, 1 conn.", "message", websockets(1, 64), Bound(1.3)),
    cpu("ws1m", "WebSocket 1 MiB echo, 4 conn.", "message", websockets(4, MIB), Bound(0.5), Bound(1.0, EVERY_PEER)),
    Work(
        (
            Row("idle", f"idle WebSocket ({states.IDLE_SOCKETS} open)", "KiB each", (Bound(6, unit="KiB"),)),
            Row("idlecpu", "their CPU while idle", "% of a core", (Bound(IDLE_CPU, unit="%"),)),
        ),
        states.idle,
        PROXIES,
        NO_VITE,
        rounds=1,
    ),
    Work(
        (
            Row("start", "spawn to first 200", "ms, wall", (Bound(200, unit="ms"),)),
            Row("memory", "memory then", "MiB", (Bound(32, unit="MiB"),)),
        ),
        states.start,
        PROXIES,
        NO_VITE,
    ),
)
ROWS: Final = tuple(row for work in WORKS for row in work.rows)
QUICK: Final = ("get32", "download", "upload", "ws64", "start")
