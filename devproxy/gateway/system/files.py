"""How the file of a configuration is read, and what keeps it from being read. Imports nothing that is slow."""

from __future__ import annotations

import os
import stat

from devproxy.text.limits import MAX_FILE_BYTES


def read_file(path: str) -> bytes:
    """Return what the file at `path` holds, one byte too many where it is too long. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def reason_of(error: OSError) -> str:
    """Return what the system says is wrong, in lower case: ``no such file or directory``."""
    return (error.strerror or str(error)).lower()


def is_regular(path: str) -> bool:
    """Tell whether `path` leads to a file that can be read again and again: no pipe, no terminal. Raises OSError."""
    return stat.S_ISREG(os.stat(path).st_mode)
