"""Where the sockets of a person's running devproxys are: a folder that no other user can look into.

Under ``sudo`` it is that of the person who typed it, as for certificates. Start at :func:`runtime_folder`.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

MAX_PATH_BYTES: Final = 100
"""Of a socket's path, with room to spare: macOS takes 104 bytes, Linux 108 (``unix(7)``)."""

_LONGEST_NAME: Final = "/4194304.inspector.sock"


def owner(environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of the user whose folder it is; with root's rights by ``sudo``, of the one who typed that."""
    number = environment.get("SUDO_UID", "")
    return int(number) if os.geteuid() == 0 and number.isdigit() else os.geteuid()


def runtime_folder(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform, user: int | None = None
) -> str:
    """Return the folder of the sockets, which may not exist yet: the first of the usual ones that is short enough.

    ``$XDG_RUNTIME_DIR/devproxy`` (XDG Base Directory Specification) or, on macOS, one in ``$TMPDIR``, which is the
    user's own there; else ``/tmp/devproxy-USER``. `user`: default :func:`owner`.
    """
    number = owner(environment) if user is None else user
    last = f"/tmp/devproxy-{number}"
    if number != os.geteuid():
        first = f"/run/user/{number}/devproxy" if os.path.isdir(f"/run/user/{number}") else ""
    elif platform == "darwin":
        first = os.path.join(environment["TMPDIR"], "devproxy") if environment.get("TMPDIR") else ""
    else:
        first = os.path.join(environment["XDG_RUNTIME_DIR"], "devproxy") if environment.get("XDG_RUNTIME_DIR") else ""
    is_good = os.path.isabs(first) and len(os.fsencode(first + _LONGEST_NAME)) <= MAX_PATH_BYTES
    return first if is_good else last


def make_folder(folder: str) -> None:
    """Make `folder`, for its owner alone, if it is not there. Raises OSError where that cannot be.

    In ``/tmp`` another user may have made it before: one that is not the owner's own is not used.
    """
    number = owner()
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
        if number != os.geteuid():
            os.chown(folder, number, -1, follow_symlinks=False)
    check_folder(folder, number)


def check_folder(folder: str, user: int) -> None:
    """Raise PermissionError unless `folder` is a folder that only `user`, who owns it, can look into."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (user, os.geteuid()):
        raise PermissionError(0, f"{folder} belongs to another user")
    if status.st_mode & 0o077:
        os.chmod(folder, 0o700)
