"""How long this process has been running, imports and all: what a person waited for."""

from __future__ import annotations

import os
import time


def seconds_since_start() -> float:
    """Return the seconds since the system started this process; where it does not tell: its CPU time so far.

    Linux alone tells (proc(5): field 22 of ``/proc/self/stat`` is the start, in ticks since the boot).
    """
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
            started_ticks = int(file.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()
