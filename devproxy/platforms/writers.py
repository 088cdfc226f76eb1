"""Whether other users can have written what is in a file: its owner and rights, those of its folder and those above.

What is decided is pure; :func:`look` asks the file system. Windows has neither: there the place decides, as in
:mod:`devproxy.platforms.ownership`. Start at :func:`objection`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from shlex import quote
from typing import Final, NamedTuple

from devproxy.platforms.accounts import account_of, own_number
from devproxy.platforms.ownership import closing_command, is_open_to_all
from devproxy.platforms.system import IS_WINDOWS

_MAX_LINKS: Final = 40
"""As many as Linux follows."""


class Owned(NamedTuple):
    """A file or folder. ``owner``: number and name; ``group``: the name; ``is_private``: that group has no other
    members. ``is_above``: a folder above the one of the file."""

    path: str
    mode: int
    owner: int
    owner_name: str = ""
    group: str = ""
    is_private: bool = False
    is_above: bool = False


def objection(found: Sequence[Owned], own: frozenset[int]) -> tuple[str, ...]:
    """Return which of `found` others can change, and what to do, a line each; empty: none.

    `own`: the numbers of the user and of root.
    """
    for one in found:
        what = f"the folder {one.path}" if stat.S_ISDIR(one.mode) else one.path
        path = quote(one.path)
        if one.owner not in own:
            command = "sudo chown -h" if stat.S_ISLNK(one.mode) else "sudo chown"
            return f"{what} belongs to {one.owner_name}", f'if you trust what it says:  {command} "$USER" {path}'
        if stat.S_ISLNK(one.mode):
            continue  # it has no rights of its own
        # In a sticky folder only its owner can replace a file, but anyone can put a new one there.
        is_sticky = bool(one.mode & stat.S_ISVTX)
        if one.is_above and is_sticky:
            continue
        if one.mode & stat.S_IWOTH:
            help = "move the project into a folder of your own" if is_sticky else f"chmod o-w {path}"
            return f"every user of this machine can write to {what}", help
        if one.mode & stat.S_IWGRP and not one.is_private:
            return f"the members of the group {one.group} can write to {what}", f"chmod g-w {path}"
    return ()


def others_can_write(
    path: str, environment: Mapping[str, str] = os.environ, *, windows: bool = IS_WINDOWS
) -> tuple[str, ...]:
    """Return how others can change the file at `path`, and what to do, a line each; empty: they cannot.

    Symbolic links are followed, and who can change one of them can change the file. Raises OSError.
    """
    if windows:
        real = os.path.realpath(path)
        if is_open_to_all(real, environment):
            return f"every user of this machine may be able to write to {real}", closing_command(real)
        return ()
    return objection(look(path), own_users(environment))


def look(path: str) -> tuple[Owned, ...]:
    """Return the file at `path`, its folder and those above, as they are now. Raises OSError.

    For a symbolic link: where it leads, then the same of each link on the way there.
    """
    found: dict[str, Owned] = {}
    for place in reversed(_way(path)):
        folder = os.path.dirname(place)
        for one in (place, folder):
            found[one] = _owned(one, is_above=False)
        while (parent := os.path.dirname(folder)) != folder:
            folder = parent
            found.setdefault(folder, _owned(folder, is_above=True))
    return tuple(found.values())


def _way(path: str) -> list[str]:
    """Return `path` and each place that it leads to, the file itself last, all in folders that are no links."""
    way = [_in_real_folder(os.path.abspath(path))]
    while os.path.islink(way[-1]) and len(way) < _MAX_LINKS:
        way.append(_in_real_folder(os.path.join(os.path.dirname(way[-1]), os.readlink(way[-1]))))
    return way


def _in_real_folder(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def own_users(environment: Mapping[str, str] = os.environ) -> frozenset[int]:
    """Return the numbers of the user of this process, of the one who may have typed ``sudo``, and of root."""
    typed = environment.get("SUDO_UID", "")
    own = own_number()
    return frozenset({0, 0 if own is None else own, int(typed) if typed.isdigit() else 0})


def _owned(path: str, *, is_above: bool) -> Owned:
    status = os.lstat(path)
    account = account_of(status.st_uid)
    owner = f"another user ({status.st_uid})" if account is None else f"the user {account.name}"
    group, is_private = str(status.st_gid), False
    if status.st_mode & stat.S_IWGRP:
        group, is_private = _group(status.st_gid)
    return Owned(path, status.st_mode, status.st_uid, owner, group, is_private, is_above)


def _group(number: int) -> tuple[str, bool]:
    """Return the name of a group, and whether only this user is in it: most distributions make one for each user."""
    with suppress(ImportError, KeyError):
        import grp  # no such modules on Windows
        import pwd

        entry = grp.getgrgid(number)
        members = {account.pw_uid for account in pwd.getpwall() if account.pw_gid == number}
        for name in entry.gr_mem:
            with suppress(KeyError):
                members.add(pwd.getpwnam(name).pw_uid)
        return entry.gr_name, members <= own_users()
    return str(number), False
