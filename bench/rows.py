"""The rows of the table: what is done, by whom, in which unit, and what devproxy may cost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bench import load, states
from bench.bounds import EVERY_PEER, PLAIN, Bound
from bench.load import MIB, Done, Speech
from bench.peers import (
    CONFIG,
    DEVPROXY_LOCAL_TLS,
    PEERS,
    RELOADING,
    WATCHED,
    WITH_50_ROUTES,
    WITH_LOG,
    WITH_SINK,
    WITH_TLS,
    Peer,
)
from bench.targets import Target, on_own_cores

DEVPROXY: Final = next(peer for peer in PEERS if peer.name == "devproxy")
VITE: Final = next(peer for peer in PEERS if peer.name == "vite")

SLICES: Final = 4
RELOAD_FACTOR: Final = 4
"""Reloads are measured for so many times as long as other work: each takes a third of a second."""
REPEATED: Final = 600
"""Files of the row that is compared with a first load."""
_passes: Final = itertools.count(1)
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
    the column of the table. ``lacks``: why the other peers do not. ``rounds``: at most so many. ``slices``: so many
    times as many rounds, each that much shorter, where the difference is small and the machine's mood not to be in it.
    """

    rows: tuple[Row, ...]
    run: Callable[[Target, float], tuple[float, ...]]
    columns: Mapping[str, Peer]
    lacks: Mapping[str, str] = field(default_factory=dict)
    rounds: int | None = None
    slices: int = 1

    @property
    def key(self) -> str:
        """The name of the work is its first row's."""
        return self.rows[0].key


EVERYBODY: Final = {peer.name: peer for peer in PEERS}
PROXIES: Final = {name: peer for name, peer in EVERYBODY.items() if peer is not VITE}
NOT_ITSELF: Final = {
    name: "devproxy in one state against devproxy in another" for name in EVERYBODY if name != "devproxy"
}
NO_TLS: Final = {name: "compared over plain HTTP" for name in EVERYBODY if name not in WITH_TLS}
NO_WEBSOCKETS: Final = {
    "nginx": "has no WebSockets over HTTP/2",
    "caddy": "offers no WebSockets over HTTP/2 as it is installed",
}
WEBSOCKETS_BY_HTTP2: Final = {name: peer for name, peer in WITH_TLS.items() if name not in NO_WEBSOCKETS}
NO_VITE: Final = {"vite": "compared only in what its proxy does all day: small GETs and page loads"}


def cpu(
    key: str, title: str, unit: str, run: Callable[[Target, float], Done], *bounds: Bound, vite: bool = False
) -> Work:
    """Return work of which the proxy's CPU time counts, in microseconds per unit."""
    row = Row(key, title, f"us per {unit}", bounds)
    return Work((row,), us_per_unit(run), EVERYBODY if vite else PROXIES, {} if vite else NO_VITE)


def small_gets(connections: int, *, times: int = 1) -> Callable[[Target, float], Done]:
    """Return the load of small GETs over so many connections, `times` as long as others where opening them counts."""
    return lambda target, s: load.wrk(target, "", connections=connections, seconds=s * times)


def over_tls(key: str, title: str, unit: str, run: Callable[[Target, float], Done], *bounds: Bound) -> Work:
    """Return work over TLS of which the proxy's CPU time counts, in microseconds per unit."""
    return Work((Row(key, title, f"us per {unit}", bounds),), us_per_unit(run), WITH_TLS, NO_TLS)


def secure_gets(path: str, connections: int) -> Callable[[Target, float], Done]:
    """Return the load of GETs of `path` over TLS and HTTP/1.1, of a page's modules without one."""
    return lambda target, s: load.wrk(target, path, connections=connections, seconds=s, speech=Speech.TLS)


def by_http2(kind: str, in_flight: int) -> Callable[[Target, float], Done]:
    """Return the load of so many requests in flight on one connection of HTTP/2 over TLS."""
    return lambda target, s: load.client(kind, target, seconds=s, connections=in_flight, speech=Speech.HTTP2)


def first_load(
    connections: int, *, distinct: int = 0, speech: Speech = Speech.PLAIN
) -> Callable[[Target, float], Done]:
    """Return the load of files that nobody has asked for before; `distinct`: of so many, again and again.

    Over HTTP/2 the `connections` are requests in flight.
    """

    def run(target: Target, seconds: float) -> Done:
        first = 0 if distinct else next(_passes) << 24
        return load.client(
            "first", target, seconds=seconds, speech=speech, connections=connections, first=first, distinct=distinct
        )

    return run


def polls(sessions: int) -> Callable[[Target, float], Done]:
    """Return the load of so many Engine.IO sessions."""
    return lambda target, s: load.client("polling", target, seconds=s, connections=sessions)


def websockets(connections: int, size: int, speech: Speech = Speech.PLAIN) -> Callable[[Target, float], Done]:
    """Return the load of messages of `size` bytes over so many WebSockets."""
    return lambda target, s: load.client(
        "websocket", target, seconds=s, speech=speech, connections=connections, size=size
    )


def us_per_unit(run: Callable[[Target, float], Done]) -> Callable[[Target, float], tuple[float]]:
    """Return what measures the proxy's CPU time while `run` is done, in microseconds per unit."""

    def measured(target: Target, seconds: float) -> tuple[float]:
        done = run(target, seconds)
        return (done.cpu_s / done.units * 1_000_000,)

    return measured


def with_log(key: str, title: str, unit: str, run: Callable[[Target, float], Done], *bounds: Bound) -> Work:
    """Return work that devproxy does with its log going to a file, and without beside it; nginx writes none."""
    columns = {"nginx": EVERYBODY["nginx"], PLAIN: DEVPROXY, "devproxy": WITH_LOG}
    lacks = dict.fromkeys(PROXIES, "writes no log here, and is compared in the same row without")
    lacks = {name: why for name, why in (NO_VITE | lacks).items() if name not in columns}
    row = Row(key, title, f"us per {unit}", (Bound(1.15, PLAIN), *bounds))
    return Work((row,), us_per_unit(run), columns, lacks, slices=SLICES)


def against_itself(key: str, title: str, changed: Peer, bound: float) -> Work:
    """Return work that compares devproxy with itself: small GETs through both, `changed` may cost `bound` times it."""

    def run(target: Target, seconds: float) -> Done:
        return load.client("modules", target, seconds=seconds, connections=32)

    row = Row(key, title, "us per request", (Bound(bound, PLAIN),))
    return Work((row,), us_per_unit(run), {PLAIN: DEVPROXY, "devproxy": changed}, NOT_ITSELF, slices=SLICES)


def page_load(target: Target, seconds: float) -> tuple[float]:
    """Return the milliseconds that the 2,000 modules of a page take through six connections."""
    with on_own_cores(target):
        return (load.client("page", target, seconds=seconds).figure,)


def added_latency(target: Target, seconds: float) -> tuple[float]:
    """Return by how many microseconds a request is slower than straight to the upstream."""
    return (load.client("latency", target, seconds=seconds, direct=target.upstreams.files).figure,)


def reload(target: Target, seconds: float) -> tuple[float]:
    """Return by how many milliseconds the slowest request is slower while the file is written anew."""
    config = str(target.folder / CONFIG)
    return (load.client("reloading", target, seconds=seconds * RELOAD_FACTOR, connections=8, config=config).figure,)


HTTP2_BOUNDS: Final = (Bound(1.8), Bound(1 / 3, "caddy"))
WORKS: Final = (
    cpu(
        "get32",
        "small GET, 32 connections",
        "request",
        small_gets(32),
        Bound(1.4),
        Bound(1 / 4, "caddy"),
        Bound(1 / 5, "http-proxy"),
        Bound(1 / 12, "vite"),
        vite=True,
    ),
    cpu("get1", "small GET, 1 connection", "request", small_gets(1), Bound(1.5)),
    cpu("get512", "small GET, 512 connections", "request", small_gets(512, times=2), Bound(1.4)),
    cpu(
        "first32",
        "first load, 32 connections",
        "request",
        first_load(32),
        Bound(1.8),
        Bound(1 / 2, "http-proxy"),
        Bound(1.25, row="again32"),
    ),
    cpu("again32", "the same files again, 32 conn.", "request", first_load(32, distinct=REPEATED), Bound(1.4)),
    cpu("first512", "first load, 512 connections", "request", first_load(512), Bound(1.9)),
    cpu("poll", "Engine.IO cycle, 500 sessions", "cycle", polls(500), Bound(1.5)),
    cpu("poll32", "Engine.IO cycle, 50 sessions", "cycle", polls(50), Bound(1.5)),
    cpu(
        "download",
        "1 MiB download",
        "download",
        lambda target, s: load.wrk(target, "/download/1m", connections=8, seconds=s),
        Bound(0.4),
        Bound(1.2, "haproxy"),
    ),
    cpu(
        "chunked",
        "1 MiB in chunks of 16 KiB",
        "download",
        lambda target, s: load.client("chunked", target, seconds=s, connections=8),
        Bound(1.0),
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
    cpu("ws64x1", "WebSocket 64 B echo, 1 conn.", "message", websockets(1, 64), Bound(1.5)),
    cpu("ws1m", "WebSocket 1 MiB echo, 4 conn.", "message", websockets(4, MIB), Bound(0.5), Bound(1.0, EVERY_PEER)),
    over_tls("tls32", "small GET over TLS, 32 connections", "request", secure_gets("", 32), Bound(1.8)),
    over_tls("tlsdownload", "1 MiB download over TLS", "request", secure_gets("/download/1m", 8), Bound(1.0)),
    over_tls("h2get6", "small GET over HTTP/2, 6 in flight", "request", by_http2("modules", 6), *HTTP2_BOUNDS),
    over_tls("h2get32", "small GET over HTTP/2, 32 in flight", "request", by_http2("modules", 32), *HTTP2_BOUNDS),
    over_tls(
        "h2first6",
        "first load over HTTP/2, 6 in flight",
        "request",
        first_load(6, speech=Speech.HTTP2),
        *HTTP2_BOUNDS,
    ),
    over_tls(
        "h2first32",
        "first load over HTTP/2, 32 in flight",
        "request",
        first_load(32, speech=Speech.HTTP2),
        *HTTP2_BOUNDS,
    ),
    over_tls("h2download", "1 MiB download over HTTP/2", "download", by_http2("download", 8), Bound(1.0)),
    over_tls(
        "wss64",
        "WebSocket 64 B echo over TLS, 32 conn.",
        "message",
        websockets(32, 64, Speech.TLS),
        Bound(1.3, row="ws64"),
    ),
    replace(
        over_tls(
            "h2ws64",
            "WebSocket 64 B echo over HTTP/2, 32 streams",
            "message",
            websockets(32, 64, Speech.HTTP2),
            Bound(2.0, row="ws64"),
        ),
        columns=WEBSOCKETS_BY_HTTP2,
        lacks=NO_TLS | NO_WEBSOCKETS,
    ),
    Work(
        (Row("page", "page of 2,000 modules", "ms, wall", (Bound(1.1), Bound(1 / 5, "vite"))),),
        page_load,
        EVERYBODY,
    ),
    Work(
        (
            Row("chromium", "page of 2,000 modules in Chromium", "ms, wall", (Bound(1.03),)),
            Row("chromiumcpu", "CPU of the proxy for it", "ms", (Bound(2),)),
        ),
        states.in_browser,
        {"nginx": EVERYBODY["nginx"], "http-proxy": EVERYBODY["http-proxy"], "devproxy": WITH_LOG},
        dict.fromkeys(("haproxy", "caddy"), "a browser is slow: compared only with nginx and http-proxy") | NO_VITE,
    ),
    Work((Row("latency", "one request alone: p50 over direct", "us, wall"),), added_latency, PROXIES, NO_VITE),
    against_itself("routes50", "50 routes instead of 3", WITH_50_ROUTES, 1.03),
    against_itself("log", "console log to a file", WITH_LOG, 1.15),
    with_log("firstlog", "first load, 32 conn., log to a file", "request", first_load(32)),
    with_log("first512log", "first load, 512 conn., log to a file", "request", first_load(512)),
    with_log("againlog", "the same again, 32 conn., log to a file", "request", first_load(32, distinct=REPEATED)),
    with_log("polllog", "Engine.IO cycle, 50 sessions, log to a file", "cycle", polls(50), Bound(1.5)),
    against_itself("sink", "event sink without a reader", WITH_SINK, 1.05),
    against_itself("watched", "observer that wants nothing", WATCHED, 1.03),
    Work(
        (Row("reload", "reload of 50 routes: slowest request", "ms more", (Bound(20, unit="ms"),)),),
        reload,
        {"devproxy": RELOADING},
        NOT_ITSELF,
    ),
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
        (Row("idletls", "idle connection over TLS", "KiB each", (Bound(12, unit="KiB"),)),),
        lambda target, s: states.idle(target, s, "connections", Speech.TLS)[:1],
        WITH_TLS,
        NO_TLS,
        rounds=1,
    ),
    Work(
        (Row("idlewss", "idle WebSocket over HTTP/2", "KiB each", (Bound(6, unit="KiB"),)),),
        lambda target, s: states.idle(target, s, "idle", Speech.HTTP2)[:1],
        WEBSOCKETS_BY_HTTP2,
        NO_TLS | NO_WEBSOCKETS,
        rounds=1,
    ),
    Work(
        (
            Row("start", "spawn to first 200", "ms, wall", (Bound(120, unit="ms"),)),
            Row("memory", "memory then", "MiB", (Bound(32, unit="MiB"),)),
        ),
        states.start,
        PROXIES,
        NO_VITE,
    ),
    Work(
        (Row("starttls", "start with a certificate that is there", "ms more", (Bound(10, unit="ms"),)),),
        lambda target, _: states.start_with_tls(target, DEVPROXY),
        {"devproxy": DEVPROXY_LOCAL_TLS},
        NOT_ITSELF,
    ),
    Work(
        (Row("firststart", "the first time, not compiled yet", "ms, wall", (Bound(350, unit="ms"),)),),
        states.first_start,
        {"devproxy": DEVPROXY},
        {name: "starts the first time as any other time" for name in EVERYBODY if name != "devproxy"},
    ),
)
ROWS: Final = tuple(row for work in WORKS for row in work.rows)
QUICK: Final = ("get32", "download", "upload", "ws64", "start")
