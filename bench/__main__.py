"""``python -m bench``: run every row against every peer in turns, print one table, keep one JSON file.

The peers take turns within a round, so that a noisy moment hits all of them; medians over the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from compileall import compile_dir
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import load
from bench.bounds import PLAIN
from bench.measure import Cell, Failed
from bench.names import UnknownName, chosen
from bench.peers import PEERS, Peer
from bench.report import Table, cells_of, document, middle, render
from bench.rows import QUICK, ROWS, WORKS, Work
from bench.states import fault_of
from bench.targets import Target, Upstreams, running, running_upstreams

RESULTS: Final = Path(__file__).parent / "results"
ROUNDS: Final = 5
QUICK_ROUNDS: Final = 3
SECONDS: Final = 1.0


def run(works: Sequence[Work], peers: Sequence[Peer], *, rounds: int, seconds: float) -> Table:
    """Measure everything; return the cells by row and column."""
    table: dict[str, Mapping[str, Cell]] = {}
    names = [PLAIN, *names_of(peers)]
    compile_dir(Path(__file__).parent.parent / "devproxy", quiet=1)  # as pip does with what it installs
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = Path(directory)
        folder.chmod(0o755)
        behind = stack.enter_context(running_upstreams(folder))
        targets: dict[str, Target | Failed] = {}

        def target_of(peer: Peer) -> Target | Failed:
            if peer.name not in targets:
                targets[peer.name] = begun(peer, behind, stack, seconds)
            return targets[peer.name]

        for work in works:
            columns = {name: target_of(peer) for name, peer in work.columns.items() if name in names}
            turns, length = (rounds * work.slices, seconds / work.slices) if rounds > 1 else (1, seconds)
            cells = measured(work, columns, min(turns, work.rounds or turns), length)
            for row, line in zip(work.rows, cells, strict=True):
                say(f"{row.title}: " + ", ".join(f"{name} {cell.middle or 0:.1f}" for name, cell in line.items()))
                lacks = {name: Cell(lacks=why) for name, why in work.lacks.items() if name in names}
                table[row.key] = {**line, **lacks}
    return table


def begun(peer: Peer, behind: Upstreams, stack: contextlib.ExitStack, seconds: float) -> Target | Failed:
    """Start `peer` until `stack` is left, see that it does its job, and warm it up; return why not where it does not.

    Warming up is for Node, which compiles what it has run often, and for everybody's caches.
    """
    try:
        target = stack.enter_context(running(peer, behind))
        if fault := fault_of(target.port):
            return Failed(f"does not do the job: {fault}")
        for speech in load.speeches(target):
            load.client("modules", target, seconds=seconds, connections=32, speech=speech)
    except Failed as failure:
        say(f"{peer.name}: {failure}")
        return failure
    return target


def measured(work: Work, columns: Mapping[str, Target | Failed], rounds: int, seconds: float) -> list[dict[str, Cell]]:
    """Do `work` with every target, in turns and every other round backwards; return the cells of each of its rows."""
    lines = [{name: Cell() for name in columns} for _ in work.rows]
    for number in range(rounds):
        for name in [*columns][:: -1 if number % 2 else 1]:
            cells = [line[name] for line in lines]
            values = once(work, columns[name], seconds)
            for place, cell in enumerate(cells):
                if isinstance(values, Failed):
                    cell.failure = str(values)
                else:
                    cell.values.append(values[place])
    return lines


def once(work: Work, target: Target | Failed, seconds: float) -> tuple[float, ...] | Failed:
    """Do `work` once; return what it gives, or why there is nothing."""
    if isinstance(target, Failed):
        return target
    try:
        return work.run(target, seconds)
    except Failed as failure:
        return failure


def names_of(peers: Sequence[Peer]) -> list[str]:
    """Return the names of `peers`."""
    return [peer.name for peer in peers]


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds of the main rows, about 90 seconds")
    parser.add_argument("--rounds", type=int, help=f"rounds per row ({ROUNDS}; quick: {QUICK_ROUNDS})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"length of one measurement ({SECONDS:g})")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="these rows alone")
    parser.add_argument("--peers", default="", help="these peers alone, for example nginx,devproxy")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--name", help="keep the result as bench/results/NAME.json too")
    parser.add_argument("--no-keep", action="store_true", help="do not write bench/results")
    parser.add_argument("--median", nargs="+", metavar="FILE", help="measure nothing: print several results as one")
    options = parser.parse_args(arguments)
    if options.median:
        print(several(options.median, markdown=options.markdown), end="")
        return 0
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    try:
        works = works_for(options.only, is_quick=options.quick)
        wanted = chosen([options.peers], names_of(PEERS), what="peer")
    except UnknownName as error:
        parser.error(str(error))
    for peer in PEERS:
        if peer.name in wanted and not peer.is_there():
            say(f"missing: {peer.name} ({peer.install})")
    peers = [peer for peer in PEERS if peer.name in wanted and peer.is_there()]
    works = [work for work in works if any(peer.name in work.columns for peer in peers)]
    rows = [row for work in works for row in work.rows]
    try:
        table = run(works, peers, rounds=options.rounds, seconds=options.seconds)
    except Failed as failure:
        say(f"error: {failure}")
        return 1
    print(f"Python {python()}\n")
    print(render(rows, table, names_of(peers), markdown=options.markdown), end="")
    if not options.no_keep:
        keep(document(rows, table, facts(peers, options)), options.name)
    return 1 if any(cell.failure for cells in table.values() for cell in cells.values()) else 0


def several(files: Sequence[str], *, markdown: bool) -> str:
    """Return the table of the results in `files` together, and what was measured with which Python."""
    kept = [json.loads(Path(file).read_text()) for file in files]
    runs = middle(ROWS, [cells_of(one) for one in kept])
    rows = [row for row in ROWS if row.key in runs.runs]
    table = render(rows, runs.table, [*kept[0]["versions"]], markdown=markdown, runs=runs)
    said = sorted({f"{one['measured']}, {one['cores']} cores, Python {one['python']}" for one in kept})
    return "\n".join([*said, "", table])


def works_for(only: Sequence[str], *, is_quick: bool) -> list[Work]:
    """Return what has to be done for the rows in `only`, else for the main rows or for all.

    Raises :class:`~bench.names.UnknownName`.
    """
    keys = chosen(only or (QUICK if is_quick else ()), [row.key for row in ROWS], what="row")
    return [work for work in WORKS if any(row.key in keys for row in work.rows)]


def facts(peers: Sequence[Peer], options: argparse.Namespace) -> dict[str, object]:
    """Return where, when and with what was measured."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": python(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "versions": {peer.name: peer.version() for peer in peers},
    }


def python() -> str:
    """Return which Python this is: version, build and compiler."""
    return " ".join(sys.version.split())


def keep(result: dict[str, object], name: str | None) -> None:
    """Write the result to ``bench/results``."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    for file in ("latest", name):
        if file:
            (RESULTS / f"{file}.json").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
