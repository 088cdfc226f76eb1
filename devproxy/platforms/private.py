"""A folder that no other user can look into, for the sockets of a person's running devproxys.

Under ``sudo`` it is that of the person who typed it, as for certificates. On Windows it is below the folder of the
person, which Windows keeps other users out of. Start at :func:`runtime_folder` and :func:`bind`.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from devproxy.platforms.accounts import own_number, person_behind_sudo
from devproxy.platforms.ownership import give
from devproxy.platforms.sockets import unix_socket
from devproxy.platforms.system import SYSTEM

MAX_PATH_BYTES: Final = 100
"""Of a socket's path, with room to spare: macOS takes 104 bytes, Linux 108 (``unix(7)``)."""

_LONGEST_NAME: Final = "/4194304.inspector.sock"


def owner(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the number of the user whose folder it is; with root's rights by ``sudo``, of the one who typed that.

    None on Windows, which has no such numbers.
    """
    person = person_behind_sudo(environment)
    return own_number() if person is None else person


def runtime_folder(environment: Mapping[str, str] = os.environ, system: str = SYSTEM, user: int | None = None) -> str:
    """Return the folder of the sockets, which may not exist yet: the first of the usual ones that is short enough.

    ``$XDG_RUNTIME_DIR/devproxy`` (XDG Base Directory Specification) or, on macOS, one in ``$TMPDIR``, which is the
    user's own there; else ``/tmp/devproxy-USER``. On Windows ``%LOCALAPPDATA%\\devproxy\\run``. `user`: default
    :func:`owner`.
    """
    if system == "win32":
        home = environment.get("LOCALAPPDATA") or os.path.join(os.path.expanduser("~"), "AppData", "Local")
        return os.path.join(home, "devproxy", "run")
    number = owner(environment) if user is None else user
    last = f"/tmp/devproxy-{number}"
    if number != own_number():
        first = f"/run/user/{number}/devproxy" if os.path.isdir(f"/run/user/{number}") else ""
    elif system == "darwin":
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
    if number is None:
        os.makedirs(folder, 0o700, exist_ok=True)
    else:
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
            if number != own_number():
                give(folder, (number, -1))
    check_folder(folder, number)


def check_folder(folder: str, user: int | None) -> None:
    """Raise PermissionError unless `folder` is a folder that only `user`, who owns it, can look into."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or (user is not None and status.st_uid not in (user, own_number())):
        raise PermissionError(0, f"{folder} belongs to another user")
    if user is not None and status.st_mode & 0o077:
        os.chmod(folder, 0o700)


def bind(name: str, *, folder: str | None = None) -> socket.socket:
    """Return a listening, non-blocking Unix socket called `name` in the runtime folder, for its owner alone.

    It gets its name when it listens already, so that one that refuses is stale. Raises OSError.
    """
    sock, place = unix_socket(), runtime_folder() if folder is None else folder
    path, draft = os.path.join(place, name), os.path.join(place, f".{name}")
    try:
        make_folder(place)
        with suppress(FileNotFoundError):
            os.unlink(draft)
        sock.bind(draft)
        os.chmod(draft, 0o600)
        if (number := owner()) is not None and number != own_number():
            give(draft, (number, -1))
        sock.listen(16)
        sock.setblocking(False)
        os.rename(draft, path)
    except OSError:
        sock.close()
        raise
    return sock


def path_of(name: str, *, folder: str | None = None) -> str:
    """Return where :func:`bind` puts the socket called `name`."""
    return os.path.join(runtime_folder() if folder is None else folder, name)
