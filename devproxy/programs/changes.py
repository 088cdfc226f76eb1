"""Which programs a new configuration ends, starts and leaves alone; when one that has ended is started again. Pure.

Start at :func:`changes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from devproxy.config.model import Program, Restart

FIRST_DELAY_S: Final = 0.5
MAX_DELAY_S: Final = 30.0
LONG_RUN_S: Final = 10.0
"""After a run of this length the next restart comes as soon as the first one did."""
SIGNALS: Final = 128
"""What a shell adds to the number of the signal that ended a program (POSIX, XCU 2.8.2)."""


class Changes(NamedTuple):
    """``ended``: names of those that are ended; ``started``: programs that are started; ``served``: those that go on,
    although what they serve, or whether they are started again, has changed."""

    ended: tuple[str, ...]
    started: tuple[Program, ...]
    served: tuple[Program, ...]


def changes(running: Sequence[Program], wanted: Sequence[Program]) -> Changes:
    """Return what makes `wanted` of the programs that are `running`; one that is in both as it is goes on."""
    before = {program.name: program for program in running}
    after = {program.name: program for program in wanted}
    kept = [name for name in after if name in before and _is_same_process(before[name], after[name])]
    return Changes(
        ended=tuple(name for name in before if name not in kept),
        started=tuple(program for name, program in after.items() if name not in kept),
        served=tuple(after[name] for name in kept if before[name] != after[name]),
    )


def _is_same_process(one: Program, other: Program) -> bool:
    return replace(one, upstream="", restart=Restart.NEVER) == replace(other, upstream="", restart=Restart.NEVER)


def exit_status(return_code: int) -> int:
    """Return the exit status that a shell would show; negative: the signal that ended the program."""
    return return_code if return_code >= 0 else SIGNALS - return_code


def delay_s(restart: Restart, status: int, failures: int) -> float | None:
    """Return after how many seconds a program that ended with `status` is started again; None: it is not.

    `failures`: how many short runs came before this one without a long one between them.
    """
    if restart is Restart.NEVER or (restart is Restart.ON_FAILURE and status == 0):
        return None
    return min(FIRST_DELAY_S * 2.0 ** min(failures, 16), MAX_DELAY_S)
