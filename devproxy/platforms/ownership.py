"""Whose a file is, and whether others than this user can change it.

Start at :func:`owner_of_another` and :func:`is_open_to_all`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from devproxy.platforms.accounts import account_of, own_number
from devproxy.platforms.system import IS_WINDOWS


def owner_of_another(path: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return whose `path` is: ``the user bob``; empty where it is this user's or the system's. Raises OSError.

    On Windows it is always empty: :func:`is_open_to_all` judges there by the place.
    """
    own, owner = own_number(), os.stat(path).st_uid
    if own is None or owner in (0, own, os.getuid()) or environment.get("SUDO_UID") == str(owner):
        return ""
    account = account_of(owner)
    return f"another user ({owner})" if account is None else f"the user {account.name}"


def is_open_to_all(path: str, environment: Mapping[str, str] = os.environ, *, windows: bool = IS_WINDOWS) -> bool:
    """Tell whether every user of this machine can write to the file `path`, or put another one into the folder `path`.

    Windows lets all users write below ``C:\\``, apart from the system's folders and those of persons: so there it is
    whether `path` lies outside this person's folder. Raises OSError.
    """
    if windows:
        home = os.path.normcase(os.path.realpath(environment.get("USERPROFILE") or os.path.expanduser("~")))
        return not os.path.normcase(os.path.realpath(path)).startswith(os.path.join(home, ""))
    status = os.stat(path)
    # In a folder with the sticky bit, such as /tmp, only its owner can replace a file.
    is_sticky_folder = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return bool(status.st_mode & stat.S_IWOTH) and not is_sticky_folder


def closing_command(path: str, *, windows: bool = IS_WINDOWS) -> str:
    """Return what to type so that `path` is no longer open to all."""
    return f"move it below {os.path.expanduser('~')}" if windows else f"chmod o-w {path}"


def give(file: int | str, owner: tuple[int, int]) -> None:
    """Give `file`, an open one or a path, to the user and group `owner`; no link is followed. Raises OSError.

    Windows has no such owners, and no process there has one to give a file to.
    """
    if isinstance(file, int):
        os.fchown(file, *owner)
    else:
        os.chown(file, *owner, follow_symlinks=False)
