"""What holds for a process that is to serve: signals, descriptors, limits, and the child that may have to end it.

Start at :func:`prepare`.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
from typing import Final, NamedTuple

from devproxy.cli.ending import Keeper, watch_over
from devproxy.cli.terminal import Terminal

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
    _allow_many_connections()
    return Process(terminal, watch_over())


def _occupy_standard_descriptors() -> None:
    """Open what is closed of the first three: after ``2>&-`` the log would else be written to some client's socket."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.dup(descriptor)
    os.close(descriptor)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, often 1024: every exchange and every tunnel needs two of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            return  # macOS has another limit, below the one that it tells
