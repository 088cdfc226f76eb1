"""The table and the JSON that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure import Cell, ratio, spread

Table = Mapping[str, Mapping[str, Cell]]


def render(
    titles: Mapping[str, tuple[str, float | None]], table: Table, peers: Sequence[str], *, markdown: bool
) -> str:
    """Return the table: a line per row of `table`, a column per peer, ratios to nginx behind the numbers.

    `titles`: by row key, the title with its unit and devproxy's budget as a multiple of nginx.
    """
    header = ["CPU of the proxy", *peers, "devproxy may cost"]
    lines = [header]
    for key, cells in table.items():
        title, budget = titles[key]
        yardstick = cells.get("nginx", Cell())
        values = [_shown(cells.get(peer, Cell(failure="missing")), yardstick, peer) for peer in peers]
        lines.append([title, *values, _verdict(cells, yardstick, budget)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if markdown:
        rule = ["-" * width for width in widths]
        return "\n".join("| " + " | ".join(_padded(line, widths)) + " |" for line in (header, rule, *lines[1:])) + "\n"
    return "\n".join("  ".join(_padded(line, widths)).rstrip() for line in lines) + "\n"


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [text.ljust(width) for text, width in zip(line, widths, strict=True)]


def _shown(cell: Cell, yardstick: Cell, peer: str) -> str:
    if cell.middle is None:
        return cell.failure[:24] or "-"
    times = ratio(cell, yardstick)
    number = f"{cell.middle:,.0f}" if cell.middle >= 100 else f"{cell.middle:.1f}"
    return number if peer == "nginx" or times is None else f"{number} ({times:.2f}x)"


def _verdict(cells: Mapping[str, Cell], yardstick: Cell, budget: float | None) -> str:
    if budget is None:
        return ""
    times = ratio(cells.get("devproxy", Cell()), yardstick)
    if times is None:
        return f"{budget:g}x"
    return f"{budget:g}x nginx: {'met' if times <= budget else 'not met'}"


def document(table: Table, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything measured, for ``bench/results``: each round's value, the median, the spread, the ratio."""
    rows: dict[str, Any] = {}
    for key, cells in table.items():
        yardstick = cells.get("nginx", Cell())
        rows[key] = {
            peer: {
                "median": cell.middle,
                "ratio_to_nginx": ratio(cell, yardstick),
                "spread": round(spread(cell.values), 3) if cell.values else None,
                "rounds": cell.values,
                "failure": cell.failure,
            }
            for peer, cell in cells.items()
        }
    return {**facts, "rows": rows}
