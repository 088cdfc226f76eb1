"""Whether a file is a mount of its own, as a container's engine makes it of a single file that is given to it.

Such a mount leads to the file itself and not to its name. Editors and Git do not change a file: they put another one in
its place, and the mount goes on leading to the one before, which has no name any more. Linux alone has such mounts; a
folder that is mounted has no such trouble. Start at :func:`is_mounted_alone` and :func:`has_no_name`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

_TABLE: Final = "/proc/self/mountinfo"
_ESCAPES: Final = ((rb"\011", b"\t"), (rb"\012", b"\n"), (rb"\040", b" "), (rb"\134", b"\\"))
"""What the table writes for bytes that would end a field or a line; the backslash is the last to be put back."""


def is_mounted_alone(path: str) -> bool:
    """Tell whether the file at `path` is a mount; False where the system does not tell."""
    with suppress(OSError), open(_TABLE, "rb") as table:
        return os.fsencode(os.path.realpath(path)) in mount_points(table.read())
    return False


def mount_points(table: bytes) -> frozenset[bytes]:
    """Return the mount points in `table`, the text of ``mountinfo`` (proc(5): the fifth field, with octal escapes)."""
    rows = (line.split(b" ") for line in table.splitlines())
    return frozenset(_unescaped(row[4]) for row in rows if len(row) > 4)


def _unescaped(written: bytes) -> bytes:
    for escape, byte in _ESCAPES:
        written = written.replace(escape, byte)
    return written


def has_no_name(path: str) -> bool:
    """Tell whether what is at `path` has no name left where it came from: it was replaced or removed there.

    Some file systems count no names at all: who asks should have seen one that had a name.
    """
    with suppress(OSError):
        return os.stat(path).st_nlink == 0
    return False
