"""CPU time and memory of processes, and the statistics over rounds. Reads ``/proc`` (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return `pid` and all its descendants."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds (user and system, all threads) that `pids` have used."""
    ticks = 0
    for pid in pids:
        columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(columns[11]) + int(columns[12])
    return ticks / TICKS_PER_S


def resident_kib(pids: Iterable[int]) -> int:
    """Return the resident memory of `pids` in KiB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1])
    return total


@dataclass
class Cell:
    """What one peer gave in one row: a value per round, or why there is none."""

    values: list[float] = field(default_factory=list)
    failure: str = ""

    @property
    def middle(self) -> float | None:
        """The median of the rounds, None without any or after a failure: a failed run is never a fast one."""
        return median(self.values) if self.values and not self.failure else None


def ratio(cell: Cell, yardstick: Cell) -> float | None:
    """Return how many times `yardstick` a cell costs, None where either has no value."""
    mine, theirs = cell.middle, yardstick.middle
    return None if mine is None or not theirs else mine / theirs


def spread(values: Sequence[float]) -> float:
    """Return (largest - smallest) / median, 0 for fewer than two values."""
    return (max(values) - min(values)) / median(values) if len(values) > 1 else 0.0
