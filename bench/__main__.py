"""``python -m bench``: run every row against every peer in turns, print one table, keep one JSON file.

The peers take turns within a round, so that a noisy moment hits all of them; medians over the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import upstreams
from bench.load import Done
from bench.measure import Cell, cpu_s, family, resident_kib
from bench.peers import PEERS, Peer, Ports
from bench.report import document, render
from bench.rows import IDLE_SOCKETS, ROWS, Row, does_its_job, first_answer_s, idle_kib

RESULTS = Path(__file__).parent / "results"


def free_port() -> int:
    """Return a port that is free and below the ephemeral range, where a client's socket could connect to itself."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def process(command: Sequence[str], port: int) -> Iterator[int]:
    """Run `command` until it listens on `port`; give its process id; stop it, and it alone, at the end."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            wait_for(port, child)
            yield child.pid
        finally:
            child.terminate()


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens on `port`."""
    deadline = time.monotonic() + 20
    while child.poll() is None and time.monotonic() < deadline:
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.connect(("127.0.0.1", port))
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port}: {child.args!r}")


def measure(row: Row, port: int, pid: int, seconds: float, cell: Cell) -> None:
    """Run `row` once and add the proxy's CPU microseconds per unit to `cell`."""
    pids = family(pid)
    before = cpu_s(pids)
    done: Done = row.run(port, seconds)
    used = cpu_s(pids) - before
    if done.error or not done.units:
        cell.failure = done.error or "no work was done"
    else:
        cell.values.append(used / done.units * 1_000_000)


def start_up(peer: Peer, work: Path, ports: Ports) -> tuple[float, float]:
    """Start `peer`; return the milliseconds from the spawn to the first 200, and its memory then in MiB."""
    command = peer.command(work, ports)
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            seconds = first_answer_s(ports.listen, started)
            return seconds * 1000, resident_kib(family(child.pid)) / 1024
        finally:
            child.terminate()


def run(options: argparse.Namespace, peers: Sequence[Peer], rows: Sequence[Row]) -> dict[str, dict[str, Cell]]:
    """Measure everything; return the cells by row and peer."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        work = Path(directory)
        work.chmod(0o755)
        files, streams = free_port(), free_port()
        config = work / "upstream.conf"
        config.write_text(upstreams.nginx_config(work, files))
        stack.enter_context(process(["nginx", "-c", str(config)], files))
        stack.enter_context(process([sys.executable, "-m", "bench.upstreams", str(streams)], streams))
        running: dict[str, tuple[int, int]] = {}
        table: dict[str, dict[str, Cell]] = {}
        extra: dict[str, dict[str, Cell]] = {} if options.only else {"idle": {}, "start": {}, "memory": {}}
        for peer in peers:
            ports = Ports(free_port(), files, streams)
            if not options.only:
                starts = [start_up(peer, work, ports) for _ in range(options.rounds)]
                extra["start"][peer.name] = Cell([milliseconds for milliseconds, _ in starts])
                extra["memory"][peer.name] = Cell([mib for _, mib in starts])
            port, pid = ports.listen, stack.enter_context(process(peer.command(work, ports), ports.listen))
            running[peer.name] = (port, pid)
            if fault := does_its_job(port):
                raise RuntimeError(f"{peer.name} does not do the job: {fault}")
            if not options.only:  # before any other load has made the process larger
                done = idle_kib(port, pid)
                extra["idle"][peer.name] = Cell([done.units], done.error)
        for row in rows:
            cells = table[row.key] = {name: Cell() for name in running}
            for _ in range(options.rounds):
                for name, (port, pid) in running.items():
                    measure(row, port, pid, options.seconds, cells[name])
            say(f"{row.title}: " + ", ".join(f"{name} {cell.middle or 0:.1f}" for name, cell in cells.items()))
        return {**table, **extra}


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three short rounds of the main rows, about 90 seconds")
    parser.add_argument("--rounds", type=int, help="rounds per row (5; quick: 3)")
    parser.add_argument("--seconds", type=float, help="length of one measurement (3; quick: 1)")
    parser.add_argument("--only", action="append", choices=[row.key for row in ROWS], help="these rows alone")
    parser.add_argument("--peers", help="these peers alone, for example nginx,devproxy")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--name", help="keep the result as bench/results/NAME.json too")
    parser.add_argument("--no-keep", action="store_true", help="do not write bench/results")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    wanted = options.peers.split(",") if options.peers else [peer.name for peer in PEERS]
    for peer in PEERS:
        if peer.name in wanted and not peer.is_there():
            say(f"missing: {peer.name} ({peer.install})")
    peers = [peer for peer in PEERS if peer.name in wanted and peer.is_there()]
    quick_rows = ("get32", "download", "upload", "ws64")
    rows = [
        row for row in ROWS if (row.key in options.only if options.only else not options.quick or row.key in quick_rows)
    ]
    table = run(options, peers, rows)
    titles: dict[str, tuple[str, float | None]] = {
        row.key: (f"{row.title} (us per {row.unit})", row.budget) for row in ROWS
    }
    titles["idle"] = (f"idle WebSocket (KiB each, {IDLE_SOCKETS} open)", None)
    titles["start"] = ("spawn to first 200 (ms, wall)", None)
    titles["memory"] = ("memory then (MiB)", None)
    print(render(titles, table, [peer.name for peer in peers], markdown=options.markdown), end="")
    if not options.no_keep:
        keep(document(table, facts(peers, options)), options.name)
    return 1 if any(cell.failure for cells in table.values() for cell in cells.values()) else 0


def facts(peers: Sequence[Peer], options: argparse.Namespace) -> dict[str, object]:
    """Return where, when and with what was measured."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "versions": {peer.name: peer.version() for peer in peers},
    }


def keep(result: dict[str, object], name: str | None) -> None:
    """Write the result to ``bench/results``."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    for file in ("latest", name):
        if file:
            (RESULTS / f"{file}.json").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
