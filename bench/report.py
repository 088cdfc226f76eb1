"""The table and the JSON that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.bounds import PLAIN, judge
from bench.measure import Cell, ratio, spread
from bench.rows import Row

Table = Mapping[str, Mapping[str, Cell]]


def render(rows: Sequence[Row], table: Table, peers: Sequence[str], *, markdown: bool) -> str:
    """Return the table: a line per row, a column per peer, ratios to nginx behind the numbers, each bound's verdict.

    Below it, why a peer is not measured in a row.
    """
    header = ["CPU of the proxy", *peers, "devproxy may cost"]
    lines = [header]
    for row in rows:
        cells = table[row.key]
        values = [_shown(peer, cells) for peer in peers]
        verdicts = "; ".join(str(judge(bound, cells, table)) for bound in row.bounds)
        lines.append([f"{row.title} ({row.unit})", *values, verdicts])
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
