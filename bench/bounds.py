"""What devproxy may cost in a row, and whether it does: pure, from the cells that were measured.

A row can be bounded by a peer (``1.8x nginx``), by all of them, by devproxy itself in another state (``+3 %``), and by
an amount in its own unit (``200 ms``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.measure import Cell, paired_ratio, ratio

EVERY_PEER: Final = "every peer"
PLAIN: Final = "plain"
"""The column of devproxy as it is by default, in the rows that compare it with itself."""

_LEAST_FRACTION: Final = 3
"""Bounds from a third downwards are written as fractions."""


@dataclass(frozen=True, slots=True)
class Bound:
    """devproxy may cost at most `most` times what `of` costs; with a `unit` instead, at most `most` of that unit.

    `of`: a peer, :data:`PLAIN`, or :data:`EVERY_PEER`, which devproxy must be ahead of: equal is not enough. `row`:
    devproxy in that row instead, by its key.
    """

    most: float
    of: str = "nginx"
    unit: str = ""
    row: str = ""

    def __str__(self) -> str:
        if self.unit:
            return f"{self.most:g} {self.unit}"
        if self.row:
            return f"{self.most:g}x {self.row}"
        if self.of == EVERY_PEER:
            return "ahead of all"
        if self.of == PLAIN:
            return f"+{round((self.most - 1) * 100, 3):g} %"
        parts = round(1 / self.most, 6)
        if parts >= _LEAST_FRACTION and parts.is_integer():
            return f"1/{parts:g} of {self.of}"
        return f"{self.most:g}x {self.of}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`measured`: what stands against ``bound.most``; None, as is `is_met`, where something was not measured."""

    bound: Bound
    measured: float | None
    is_met: bool | None

    def __str__(self) -> str:
        if self.measured is None:
            return str(self.bound)
        said = "met" if self.is_met else "not met"
        if self.bound.unit or (self.bound.of == "nginx" and not self.bound.row):  # the cells show it already
            return f"{self.bound}: {said}"
        shown = f"{(self.measured - 1) * 100:+.1f} %" if self.bound.of == PLAIN else f"{self.measured:.2g}"
        return f"{self.bound}: {said} ({shown})"

    def record(self) -> dict[str, Any]:
        """Return what the JSON keeps."""
        bound = self.bound
        return {
            "bound": str(bound),
            "most": bound.most,
            "of": bound.unit or bound.row or bound.of,
            "measured": self.measured,
            "met": self.is_met,
        }


def judge(bound: Bound, cells: Mapping[str, Cell], table: Mapping[str, Mapping[str, Cell]]) -> Verdict:
    """Return whether the cell ``devproxy`` keeps to `bound`, judged by the other `cells` of its row, or by `table`."""
    mine = cells.get("devproxy", Cell())
    if bound.unit:
        return Verdict(bound, mine.middle, None if mine.middle is None else mine.middle <= bound.most)
    if bound.of == EVERY_PEER:
        others = [cell for name, cell in cells.items() if name not in ("devproxy", PLAIN) and not cell.lacks]
        times = [ratio(mine, cell) for cell in others]
        if not times or any(one is None for one in times):
            return Verdict(bound, None, None)
        worst = max(one for one in times if one is not None)
        return Verdict(bound, worst, worst < bound.most)
    yardstick = table.get(bound.row, {}).get("devproxy", Cell()) if bound.row else cells.get(bound.of, Cell())
    measured = paired_ratio(mine, yardstick) if bound.of == PLAIN else ratio(mine, yardstick)
    return Verdict(bound, measured, None if measured is None else measured <= bound.most)
