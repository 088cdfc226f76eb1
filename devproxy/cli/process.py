"""What holds for a process that is to serve: signals, descriptors, limits, and the child that may have to end it.

Start at :func:`prepare`.
"""

from __future__ import annotations

import gc
import os
import signal
from typing import Final, NamedTuple

from devproxy.platforms.ending import Keeper, watch_over
from devproxy.platforms.limits import allow_open_files
from devproxy.platforms.terminal import Terminal

MAX_OPEN_FILES: Final = 65536


class Process(NamedTuple):
    """`terminal`: as it was when the process began. `keeper`: ends the process by force where its loop does not."""

    terminal: Terminal
    keeper: Keeper | None


def prepare() -> Process:
    """Get this process ready to serve. In the main thread, once, before there are other threads."""
    gc.disable()  # collections find nothing while modules are imported, and are a tenth of the start
    # The first process of a container has no default actions: without a handler, SIGTERM would do nothing.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = Terminal()  # takes SIGHUP over
    _occupy_standard_descriptors()
    allow_open_files(MAX_OPEN_FILES)  # often 1024: every exchange and every tunnel needs two
    return Process(terminal, watch_over())


def _occupy_standard_descriptors() -> None:
    """Open what is closed of the first three: after ``2>&-`` the log would else be written to some client's socket."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)
