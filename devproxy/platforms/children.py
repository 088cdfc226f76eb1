"""Programs that this one starts: in a group of their own, so that a terminal's Ctrl-C is not for them."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any, Final

from devproxy.platforms.system import IS_WINDOWS

PROGRAM_SUFFIX: Final = ".exe" if IS_WINDOWS else ""
"""What the name of a program's file ends with."""


def own_group() -> dict[str, Any]:
    """Return what to add to the arguments of ``subprocess.Popen``."""
    if IS_WINDOWS:
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)}
    return {"process_group": 0}


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End `process`, started with :func:`own_group`, and what it started, at once; on Windows it alone."""
    if IS_WINDOWS:
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
