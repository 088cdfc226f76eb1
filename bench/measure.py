"""CPU time and memory of processes, and the statistics over rounds. Reads ``/proc`` (Linux)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


class Failed(Exception):
    """A run that gives no number, and why."""


def family(pid: int) -> list[int]:
    """Return `pid` and all its descendants."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU seconds (user and system, all threads, ended ones too) that `pids` have used.

    From each process's own clock, which counts nanoseconds where ``/proc/PID/stat`` counts ticks of ten milliseconds.
    Raises :class:`OSError` when one of them is gone.
    """
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in pids)


def _cpu_clock(pid: int) -> int:
    """Return the clock of `pid`, as clock_getcpuclockid(3) makes it on Linux: the pid's complement, and CPUCLOCK_SCHED.

    Python has that function for threads only.
    """
    return (~pid << 3) | 2


def resident_kib(pids: Sequence[int]) -> int:
    """Return the resident memory of `pids`, a process and its descendants, in KiB.

    What a child still shares with its parent is there once: of each further process only what it has for itself counts.
    """
    first, *others = pids
    return _memory_kib(first, ("Rss",)) + sum(_memory_kib(pid, ("Private_Clean", "Private_Dirty")) for pid in others)


def _memory_kib(pid: int, kinds: tuple[str, ...]) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in kinds)


@dataclass
class Cell:
    """What one peer gave in one row: a value per round, or why there is none.

    ``failure``: what went wrong. ``lacks``: why the peer is not measured here at all.
    """

    values: list[float] = field(default_factory=list)
    failure: str = ""
    lacks: str = ""

    @property
    def middle(self) -> float | None:
        """The median of the rounds, None without any or after a failure: a failed run is never a fast one."""
        return median(self.values) if self.values and not self.failure else None


def ratio(cell: Cell, yardstick: Cell) -> float | None:
    """Return how many times `yardstick` a cell costs, None where either has no value."""
    mine, theirs = cell.middle, yardstick.middle
    return None if mine is None or not theirs else mine / theirs


def paired_ratio(cell: Cell, yardstick: Cell) -> float | None:
    """Return the median of the rounds' own ratios, None where either has no value.

    For small differences: what slows the machine down for a while slows both of a round.
    """
    if ratio(cell, yardstick) is None:
        return None
    return median(mine / theirs for mine, theirs in zip(cell.values, yardstick.values, strict=True))


def spread(values: Sequence[float]) -> float:
    """Return (largest - smallest) / median, 0 for fewer than two values or a median of 0."""
    middle = median(values) if len(values) > 1 else 0.0
    return (max(values) - min(values)) / middle if middle else 0.0
