"""The data path in memory: a client's connection and a server's, joined by transports that only keep what is written.

No socket, no kernel and no event loop turn, so what is left is devproxy's own work, and its *count* is the same
on every machine. ``python -m bench.pipeline`` prints microseconds of CPU per exchange and where they go; ``--count``
the instructions and calls (JSON); ``--baseline`` writes ``baseline.json``, which
``tests/unit/bench/test_pipeline.py`` compares with.
Start at :class:`Pipeline`; what is exchanged is in :mod:`bench.traffic`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count as counter
from pathlib import Path
from time import thread_time
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

from devproxy.config import load
from devproxy.config.model import Config, Cors, CorsMode
from devproxy.console.folding import Folding
from devproxy.console.lines import HumanLines, QuietLines
from devproxy.console.style import Style, glyphs_for
from devproxy.console.writer import Writer
from devproxy.events import Event, Observer, Wants
from devproxy.gateway.back import connection as upstream
from devproxy.gateway.back.pool import UpstreamPool
from devproxy.gateway.exchanges import exchange
from devproxy.gateway.front import client as downstream
from devproxy.gateway.front import http2
from devproxy.gateway.shared.observers import Observers
from devproxy.gateway.shared.state import Current, SharedState
from devproxy.http2 import frames
from devproxy.inspector.recorder import Recorder
from devproxy.plan import compile_snapshot
from tests.support import memory_transport
from tests.support.memory_transport import MemoryTransport

from bench import traffic
from bench.clients.http2 import Encoder, fields_of
from bench.peers import DEVPROXY, Ports

if TYPE_CHECKING:
    from devproxy.gateway.app import Gateway

BASELINE: Final = Path(__file__).parent / "baseline.json"
ALLOWED_GROWTH: Final = 0.02
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Instructions differ between these versions of Python, and not within one."""

ROUNDS: Final = 9
REPEATS: Final = 20
CONFIG: Final = DEVPROXY.format(ports=Ports(listen=8080, files=1, streams=2)).encode()
"""What devproxy does its job by beside its peers; nothing listens, and nobody is asked."""

PHASES: Final[tuple[tuple[str, tuple[tuple[ModuleType, str], ...]], ...]] = (
    (
        "recall",
        (
            (downstream, "recall_request_head"),
            (downstream, "parse_request_head"),
            (http2, "recall_request_head"),
            (http2, "parse_request_head"),
        ),
    ),
    ("plan", ((downstream, "plan_request"), (http2, "plan_request"))),
    ("render", ((exchange, "render_request"),)),
    ("parse", ((upstream, "recall_response_head"), (upstream, "parse_response_head"))),
    ("finish", ((exchange, "edit_response"), (downstream, "render_response"))),
)
"""What an exchange's pure parts are called where the gateway calls them; ``rest`` is what is left."""


_OWN: Final = (__file__, memory_transport.__file__)
"""What is not counted."""


class Wire(MemoryTransport):
    """Keeps what is written in ``pieces``, with no frame of Python of our own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: Any, port: int = 50_000) -> None:
        super().__init__(loop, protocol, port)
        self.protocol = protocol
        self.pieces: list[bytes] = []
        self.write = self.pieces.append  # type: ignore[method-assign, assignment]

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        super().set_protocol(protocol)
        self.protocol = protocol


@dataclass(frozen=True)
class Step:
    """A piece of work: what the client sends, and the pieces in which the server of `upstream` answers.

    ``line``: with what the request must reach the server; None: with its own first line.
    """

    upstream: str
    request: bytes
    answer: tuple[bytes, ...]
    line: bytes | None = None


@dataclass(frozen=True)
class Scenario:
    """Steps that are done again and again; one unit of work is `steps_per_unit` of them.

    ``build``: gives the steps of a pass; another pass number may give lines that have never been seen. ``opens``: what
    is exchanged first, on a connection that stays. ``has_log``: with the console's log, as it is by default;
    ``is_quiet``: with the observer that ``--quiet`` means. ``is_http2``: the client speaks that. ``keeps``: what the
    inspector keeps meanwhile: ``ends``, or ``all`` as with ``capture = true``; empty: nothing.
    """

    key: str
    title: str
    build: Callable[[int], Sequence[Step]]
    steps_per_unit: int = 1
    opens: Step | None = None
    has_log: bool = False
    is_quiet: bool = False
    is_http2: bool = False
    keeps: str = ""


class _Turn(asyncio.SelectorEventLoop):
    """A loop that never runs. ``soon``: what would be called in its next turn."""

    def __init__(self) -> None:
        super().__init__()
        self.soon: list[Callable[[], object]] = []
        self.call_soon = self.soon.append  # type: ignore[method-assign, assignment]  # nothing of ours is counted


class _Watched:
    """As much of a gateway as a recorder asks."""

    def __init__(self, shared: SharedState) -> None:
        self._observers = shared.observers
        self.observe, self.capture = self._observers.add, self._observers.capture


class Pipeline:
    """One client's connection and an idle one to each upstream, on a service of its own. Close it at the end.

    `has_log`: each exchange is put into the queue of a console, and its lines are composed at once instead of by a
    thread, so that they count. `is_quiet`: an observer wants failures, of which there are none. `is_http2`:
    the client speaks that, without TLS.
    """

    def __init__(
        self, *, has_log: bool = False, is_quiet: bool = False, is_http2: bool = False, keeps: str = ""
    ) -> None:
        self._loop = _Turn()
        config = configuration()
        shared = SharedState(self._loop, compile_snapshot(config, "bench", bound=("127.0.0.1",)), Observers())
        self.servers: dict[str, Wire] = {}
        pools = {one.name: UpstreamPool(shared, one) for one in config.upstreams}
        shared.current = Current(shared.current.snapshot, pools)
        for one in config.upstreams:
            pool = pools[one.name]
            connection = upstream.UpstreamConnection(shared, pool.servers[0])
            wire = self.servers[one.name] = Wire(self._loop, connection, 1)
            connection.connection_made(wire)
            pool.servers[0].release(connection, None, None)
        self._log = Log(config) if has_log else None
        if self._log is not None:
            shared.observers.add(Observer(self._log.tell, Wants.ENDS, self._log.keep))
        if is_quiet:
            shared.observers.add(Observer(_fail, Wants.FAILURES))
        if keeps:
            recorder = Recorder(cast("Gateway", _Watched(shared)), max_bytes=64 << 20)
            if keeps == "all":
                recorder.capture(has_reader=False)
        speaks = http2.Http2Connection if is_http2 else downstream.ClientConnection
        self.client = Wire(self._loop, speaks(shared, "http"))
        self.client.protocol.connection_made(self.client)

    def run(self, steps: Sequence[Step]) -> None:
        """Do `steps` one after another. Nothing is checked: see :meth:`check`."""
        client, servers, soon = self.client, self.servers, self._loop.soon
        for step in steps:
            server = servers[step.upstream]
            client.protocol.data_received(step.request)
            for piece in step.answer:
                server.protocol.data_received(piece)
            while soon:
                soon.pop()()

    def check(self, steps: Sequence[Step]) -> None:
        """Do `steps` once. Raises RuntimeError where a request or an answer does not come out as it should."""
        for step in steps:
            self.forget_written()
            self.run((step,))
            up, down = (b"".join(wire.pieces) for wire in (self.servers[step.upstream], self.client))
            first_line = step.request.partition(b"\r\n")[0] if step.line is None else step.line
            body = b"".join(step.answer).partition(b"\r\n\r\n")[2]
            if not up.startswith(first_line) and step.request not in up:
                raise RuntimeError(f"{first_line!r} did not reach the upstream: {down[:200]!r}")
            if not down.endswith(body) or self.client.is_closing():
                raise RuntimeError(f"{first_line!r} was not answered with what the upstream sent: {down[:200]!r}")
            if b"\r\nOrigin: " in step.request and b"Allow-Origin: " + traffic.OTHER_ORIGIN.encode() not in down:
                raise RuntimeError(f"{first_line!r} was answered without the CORS lines of its origin: {down[:300]!r}")
            if b"Access-Control-Allow-Origin: *" in down:
                raise RuntimeError(f"{first_line!r}: the upstream's CORS lines are still there")
        self.forget_written()

    def forget_written(self) -> None:
        """Drop what the wires have kept."""
        for wire in (self.client, *self.servers.values()):
            wire.pieces.clear()

    def close(self) -> None:
        """End the loop that never ran, and the log."""
        self._loop.close()
        if self._log is not None:
            self._log.close()


def _fail(event: Event) -> None:
    raise AssertionError(f"this is no failure: {event!r}")


class Log:
    """The console's way of an event: its queue, whose thread has nothing to write, and its lines."""

    def __init__(self, config: Config) -> None:
        style = Style(False, glyphs_for("utf-8"))
        lines = partial(HumanLines, config, version="bench", style=style, width=lambda: None, clock=lambda: 0.0)
        self._lines = lines(folding=Folding())
        self._null = os.open(os.devnull, os.O_WRONLY)
        self._writer = Writer(self._null, QuietLines(lines()), encoding="utf-8")

    def tell(self, event: Event) -> None:
        """Take an event."""
        self._writer.put(event)
        self._lines.lines(0.0, event)

    def keep(self, end: tuple[object, ...]) -> None:
        """Take the end of an exchange."""
        self._writer.keep(end)
        self._lines.ended(0.0, end)

    def close(self) -> None:
        """End the thread."""
        self._writer.close()
        os.close(self._null)


def configuration() -> Config:
    """Return three routes that rewrite CORS for loopback origins, which is what a file without ``cors`` means."""
    config = load(CONFIG, source="bench.toml")
    cors = Cors(mode=CorsMode.REWRITE, credentials=True)
    return replace(config, routes=tuple(replace(route, cors=cors) for route in config.routes))


# What is exchanged


def _modules(origin: str = "", *, is_new: bool = False, count: int = 400) -> Callable[[int], Sequence[Step]]:
    answer = (traffic.module_answer(),)
    salts = counter(1)

    def build(turn: int) -> Sequence[Step]:
        salt = next(salts) if is_new else 0
        requests = (traffic.module_request(number, origin=origin, salt=salt) for number in range(count))
        return [Step("files", request, answer) for request in requests]

    return build


_new_numbers: Final = counter(1)
"""For all scenarios: what one of them has sent is not new in another."""


def _first_load(turn: int) -> Sequence[Step]:
    numbers = [next(_new_numbers) for _ in range(400)]
    requests = [traffic.module_request(index, salt=1_000_000 + number) for index, number in enumerate(numbers)]
    return [
        Step("files", request, (traffic.new_answer(number),)) for number, request in zip(numbers, requests, strict=True)
    ]


def _over_http2(build: Callable[[int], Sequence[Step]]) -> Callable[[int], Sequence[Step]]:
    """Return what builds the same for a connection of HTTP/2, whose table and streams go on from pass to pass."""
    encoder, streams = Encoder(), counter(1, 2)

    def built(turn: int) -> Sequence[Step]:
        nonlocal encoder, streams
        if not turn:
            encoder, streams = Encoder(), counter(1, 2)
        steps = []
        for step in build(turn):
            block = encoder.encode(fields_of(step.request))
            request = frames.write_headers(next(streams), block, frames.END_STREAM)
            steps.append(replace(step, request=request, line=step.request.partition(b"\r\n")[0]))
        return steps

    return built


GREETING: Final = Step(
    "files",
    frames.PREFACE + frames.write_settings(()) + frames.write_window_update(0, frames.MAX_WINDOW_BYTES - 65_535),
    (),
    b"",
)


def _polls(turn: int) -> Sequence[Step]:
    steps = []
    for number in range(100):
        session = f"{number * 7919:020d}"
        get = traffic.poll_request(session, stamp=f"{number:x}", origin=traffic.OTHER_ORIGIN)
        post = traffic.poll_request(session, stamp=f"{number:x}p", body=b'42["a",1]', origin=traffic.OTHER_ORIGIN)
        steps.append(Step("streams", get, (traffic.answer(b'42["b",2]'),)))
        steps.append(Step("streams", post, (traffic.answer(b"ok"),)))
    return steps


def _chunked(turn: int) -> Sequence[Step]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"4000\r\n" + bytes(16_384) + b"\r\n"
    return [Step("files", traffic.module_request(1), (head, *[chunk] * 64, b"0\r\n\r\n"))]


def _messages(turn: int) -> Sequence[Step]:
    return [Step("streams", b"\x82\xc0" + bytes(4) + bytes(64), (b"\x82\x40" + bytes(64),))] * 100


HANDSHAKE: Final = Step(
    "streams",
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    (
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        ),
    ),
)

SCENARIOS: Final = (
    Scenario("module", "small GET, lines seen before", _modules()),
    Scenario("module_cors", "the same from an allowed origin", _modules(traffic.OTHER_ORIGIN)),
    Scenario("module_new", "small GET, new lines", _modules(is_new=True)),
    Scenario("first_load", "small GET, all new: target, lines both ways, length", _first_load),
    Scenario("module_quiet", "the first again, with --quiet", _modules(), is_quiet=True),
    Scenario("module_kept", "the same, and the inspector keeps ends", _modules(), is_quiet=True, keeps="ends"),
    Scenario("module_captured", "the same, and it keeps everything", _modules(), is_quiet=True, keeps="all"),
    Scenario("module_log", "the first again, with the log", _modules(), has_log=True),
    Scenario("first_load_log", "all new, with the log", _first_load, has_log=True),
    Scenario("poll_log", "Engine.IO poll cycle, with the log", _polls, steps_per_unit=2, has_log=True),
    Scenario("poll", "Engine.IO poll cycle (GET and POST)", _polls, steps_per_unit=2),
    Scenario("chunked", "chunked download, 64 chunks of 16 KiB", _chunked),
    Scenario("message", "WebSocket message there and back", _messages, opens=HANDSHAKE),
    Scenario(
        "http2_module",
        "small GET over HTTP/2, lines seen before",
        _over_http2(_modules()),
        opens=GREETING,
        is_http2=True,
    ),
    Scenario(
        "http2_first_load",
        "the same, all new: target, lines, length",
        _over_http2(_first_load),
        opens=GREETING,
        is_http2=True,
    ),
)


@contextmanager
def _warm(scenario: Scenario) -> Iterator[tuple[Pipeline, list[Sequence[Step]]]]:
    """Give a pipeline that has done and checked `scenario`, and the passes that it has not done yet."""
    pipeline = Pipeline(
        has_log=scenario.has_log, is_quiet=scenario.is_quiet, is_http2=scenario.is_http2, keeps=scenario.keeps
    )
    try:
        if scenario.opens is not None:
            pipeline.check((scenario.opens,))
        for turn in range(2):
            pipeline.check(scenario.build(turn))
        yield pipeline, [scenario.build(turn) for turn in range(2, 2 + ROUNDS)]
    finally:
        pipeline.close()


# Counting


def count(scenario: Scenario) -> dict[str, float]:
    """Return per unit of work: ``instructions`` (bytecodes executed) and ``calls`` (of Python and of C functions)."""
    with _warm(scenario) as (pipeline, passes):
        steps = passes[0]
        units = len(steps) / scenario.steps_per_unit
        instructions = _traced(lambda: pipeline.run(steps))
        pipeline.forget_written()
        calls = _profiled(lambda: pipeline.run(passes[1]))
        return {"instructions": round(instructions / units, 2), "calls": round(calls / units, 2)}


def _traced(work: Callable[[], None]) -> int:
    executed = 0

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal executed
        if event == "opcode":
            executed += 1
        return local

    def start(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename in _OWN:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    earlier = sys.gettrace()
    gc.disable()  # a collection may run callbacks that are none of ours
    sys.settrace(start)
    try:
        work()
    finally:
        sys.settrace(earlier)
        gc.enable()
    return executed


def _profiled(work: Callable[[], None]) -> int:
    calls = 0

    def note(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call") and frame.f_code.co_filename not in _OWN:
            calls += 1

    earlier = sys.getprofile()
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(earlier)
        gc.enable()
    return calls


def count_all() -> dict[str, dict[str, float]]:
    """Return the counts of every scenario, by its key."""
    return {scenario.key: count(scenario) for scenario in SCENARIOS}


def growth(counted: Mapping[str, Mapping[str, float]], saved: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a sentence for every count that is more than :data:`ALLOWED_GROWTH` above `saved`, or not in it."""
    found = []
    for key, counts in counted.items():
        for what, now in counts.items():
            before = saved.get(key, {}).get(what)
            if before is None:
                found.append(f"{key}: {what} are not in the baseline")
            elif now > before * (1 + ALLOWED_GROWTH):
                found.append(
                    f"{key}: {now:g} {what} for each, {now / before - 1:+.0%} against the baseline's {before:g}"
                )
    return found


def read_baseline() -> dict[str, Any]:
    """Return the baseline: ``counts`` by version of Python, and ``notes`` on what was allowed to grow."""
    if not BASELINE.exists():
        return {"counts": {}, "notes": []}
    saved: dict[str, Any] = json.loads(BASELINE.read_text())
    return saved


def write_baseline(note: str) -> list[str]:
    """Count, and write the baseline of this Python. Returns what has grown too much without a `note`: then it writes
    nothing."""
    counted, saved = count_all(), read_baseline()
    before = saved["counts"].get(VERSION)
    grown = [] if before is None else [line for line in growth(counted, before) if "not in the baseline" not in line]
    if grown and not note:
        return grown
    if grown:
        saved["notes"].append({"python": VERSION, "why": note, "grown": grown})
    saved["counts"][VERSION] = counted
    BASELINE.write_text(json.dumps(saved, indent=1, sort_keys=True) + "\n")
    return []


# Timing


def time_us(scenario: Scenario) -> tuple[float, dict[str, float | None]]:
    """Return microseconds per unit of work, and of them those of each phase; None for one that is called no more.

    Of the rounds, the least: what else runs on the machine only adds.
    """
    with _warm(scenario) as (pipeline, passes):
        units = len(passes[0]) / scenario.steps_per_unit
        rounds = []
        for steps in passes:
            # Neither is a line new twice, nor is a stream opened twice.
            is_once = scenario.is_http2 or scenario.key in ("module_new", "first_load", "first_load_log")
            repeats = 1 if is_once else REPEATS
            spent = _seconds(lambda steps=steps: pipeline.run(steps), repeats)  # type: ignore[misc]
            rounds.append(spent / units * 1_000_000)
            pipeline.forget_written()
        calls = _record(lambda: pipeline.run(scenario.build(ROUNDS + 2)))
        phases = {
            phase: None if calls[phase] is None else _replay_us(cast("list[_Call]", calls[phase])) / units
            for phase, _ in PHASES
        }
        return min(rounds), phases


_Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def _seconds(work: Callable[[], None], repeats: int) -> float:
    started = thread_time()
    for _ in range(repeats):
        work()
    return (thread_time() - started) / repeats


def _record(work: Callable[[], None]) -> dict[str, list[_Call] | None]:
    """Return the calls that `work` makes in each phase; None for a phase of which no function is there any more."""
    recorded: dict[str, list[_Call] | None] = {}
    replaced: list[tuple[ModuleType, str, Any]] = []
    for phase, names in PHASES:
        there = [(module, name) for module, name in names if hasattr(module, name)]
        calls: list[_Call] | None = [] if there else None
        recorded[phase] = calls
        for module, name in there:
            original = getattr(module, name)
            replaced.append((module, name, original))
            setattr(module, name, _recording(original, cast("list[_Call]", calls)))
    try:
        work()
    finally:
        for module, name, original in replaced:
            setattr(module, name, original)
    return recorded


def _recording(function: Callable[..., Any], calls: list[_Call]) -> Callable[..., Any]:
    def record(*args: Any, **kwargs: Any) -> Any:
        calls.append((function, args, kwargs))
        return function(*args, **kwargs)

    return record


def _replay_us(calls: Sequence[_Call]) -> float:
    """Return the microseconds that `calls` take when they are made again, without those of making calls at all.

    The functions are pure, so that they may be; what they remember is as warm as it was, or a little warmer.
    """

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    def run(these: Sequence[_Call]) -> float:
        started = thread_time()
        for function, args, kwargs in these:
            function(*args, **kwargs)
        return thread_time() - started

    empty = [(nothing, args, kwargs) for _, args, kwargs in calls]
    spent = min(run(calls) for _ in range(ROUNDS)) - min(run(empty) for _ in range(ROUNDS))
    return max(0.0, spent) * 1_000_000


def render() -> str:
    """Return the table of every scenario: microseconds per unit, by phase, and the counts."""
    names = [phase for phase, _ in PHASES]
    header = ["us per unit, in memory", "all", *names, "rest", "instructions", "calls"]
    lines = [header]
    for scenario in SCENARIOS:
        all_us, phases = time_us(scenario)
        counted = count(scenario)
        known = [us for us in phases.values() if us is not None]
        shown = ["inlined" if us is None else f"{us:.2f}" for us in phases.values()]
        rest = f"{all_us - sum(known):.2f}"
        lines.append(
            [scenario.title, f"{all_us:.2f}", *shown, rest, f"{counted['instructions']:g}", f"{counted['calls']:g}"]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rows = [
        [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))]
        for line in lines
    ]
    return "\n".join("  ".join(row) for row in rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print times, or counts, or write the baseline."""
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description="The data path in memory.")
    parser.add_argument("--count", action="store_true", help="print instructions and calls per unit as JSON")
    parser.add_argument("--baseline", action="store_true", help=f"write {BASELINE.name} for this version of Python")
    parser.add_argument("--note", default="", help="why a count may be more than 2 %% larger than before")
    options = parser.parse_args(arguments)
    if options.baseline:
        grown = write_baseline(options.note)
        if not grown:
            return 0
        print("\n".join(["error: more than 2 % above the baseline", *grown]), file=sys.stderr)
        print('help: make bench-baseline NOTE="why it is worth that"', file=sys.stderr)
        return 1
    if options.count:
        print(json.dumps({"python": VERSION, "counts": count_all()}))
    else:
        print(
            f"Python {platform.python_version()}; what a unit costs without sockets, kernel and loop\n\n{render()}",
            end="",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
