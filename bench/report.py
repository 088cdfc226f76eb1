"""The table and the JSON that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.bounds import PLAIN, judge
from bench.measure import Cell, ratio, spread
from bench.rows import Row

Table = Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Middle:
    """Several runs as one: of each row, the run in the middle by what its first bound is about.

    ``runs``: that run, by row. ``ranges``: what all of them had, in words, by row.
    """

    runs: Mapping[str, Table]
    ranges: Mapping[str, str]

    @property
    def table(self) -> Table:
        """The cells of each row, which are of one run."""
        return {key: run[key] for key, run in self.runs.items()}


def middle(rows: Sequence[Row], tables: Sequence[Table]) -> Middle:
    """Return `tables`, of one run each, as one. A row that a run lacks is left out; one that failed in a run fails."""
    runs: dict[str, Table] = {}
    ranges: dict[str, str] = {}
    for row in rows:
        if not all(row.key in table for table in tables):
            continue
        measured = [_measured(row, table) for table in tables]
        known = sorted(value for value in measured if value is not None)
        whole = len(known) == len(tables)
        runs[row.key] = tables[measured.index(known[len(known) // 2] if whole else None)]
        if whole:
            ranges[row.key] = f"{known[0]:.3g} to {known[-1]:.3g} in {len(known)} runs"
    return Middle(runs, ranges)


def _measured(row: Row, table: Table) -> float | None:
    """Return by what the runs of a row are put in order: what its first bound is about, or else devproxy's number."""
    cells = table[row.key]
    return judge(row.bounds[0], cells, table).measured if row.bounds else cells.get("devproxy", Cell()).middle


def render(
    rows: Sequence[Row], table: Table, peers: Sequence[str], *, markdown: bool, runs: Middle | None = None
) -> str:
    """Return the table: a line per row, a column per peer, ratios to nginx behind the numbers, each bound's verdict.

    Below it, why a peer is not measured in a row. `runs`: where `table` is of several.
    """
    header = ["CPU of the proxy", *peers, "devproxy may cost"]
    lines = [header]
    for row in rows:
        cells = table[row.key]
        values = [_shown(peer, cells) for peer in peers]
        whole = table if runs is None else runs.runs[row.key]
        verdicts = [str(judge(bound, cells, whole)) for bound in row.bounds]
        verdicts += [] if runs is None or row.key not in runs.ranges else [runs.ranges[row.key]]
        lines.append([f"{row.title} ({row.unit})", *values, "; ".join(verdicts)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if markdown:
        rule = ["-" * width for width in widths]
        drawn = ["| " + " | ".join(_padded(line, widths)) + " |" for line in (header, rule, *lines[1:])]
    else:
        drawn = ["  ".join(_padded(line, widths)).rstrip() for line in lines]
    return "\n".join([*drawn, *_notes(rows, table, peers)]) + "\n"


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [text.ljust(width) for text, width in zip(line, widths, strict=True)]


def _shown(peer: str, cells: Mapping[str, Cell]) -> str:
    cell = cells.get(peer, Cell(failure="missing"))
    if cell.lacks:
        return "n/a"
    if cell.middle is None:
        return cell.failure[:24] or "-"
    times = ratio(cell, cells.get("nginx", Cell()))
    plain = cells[PLAIN].middle if peer == "devproxy" and PLAIN in cells else None
    notes = [f"{times:.2f}x"] if times is not None and peer != "nginx" else []
    notes += [f"plain {_number(plain)}"] if plain is not None else []
    return f"{_number(cell.middle)} ({', '.join(notes)})" if notes else _number(cell.middle)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _notes(rows: Sequence[Row], table: Table, peers: Sequence[str]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for name, cell in table[row.key].items():
            named = reasons.setdefault(cell.lacks, []) if cell.lacks and name in peers else [name]
            if name not in named:
                named.append(name)
    return ["", *(f"n/a: {', '.join(names)}: {reason}" for reason, names in reasons.items())] if reasons else []


def cells_of(kept: Mapping[str, Any]) -> Table:
    """Return the table of a document that :func:`document` has made."""
    return {
        key: {peer: Cell(cell["rounds"], cell["failure"], cell["not_measured"]) for peer, cell in row["peers"].items()}
        for key, row in kept["rows"].items()
    }


def document(rows: Sequence[Row], table: Table, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything measured, for ``bench/results``.

    For each row its unit, its bounds with what was measured against them, and by peer each round's value, the median,
    the spread and the ratio to nginx.
    """
    kept: dict[str, Any] = {}
    for row in rows:
        cells = table[row.key]
        yardstick = cells.get("nginx", Cell())
        kept[row.key] = {
            "title": row.title,
            "unit": row.unit,
            "bounds": [judge(bound, cells, table).record() for bound in row.bounds],
            "peers": {
                peer: {
                    "median": cell.middle,
                    "ratio_to_nginx": ratio(cell, yardstick),
                    "spread": round(spread(cell.values), 3) if cell.values else None,
                    "rounds": cell.values,
                    "failure": cell.failure,
                    "not_measured": cell.lacks,
                }
                for peer, cell in cells.items()
            },
        }
    return {**facts, "rows": kept}
