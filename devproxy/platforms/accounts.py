"""The user that this process runs as, and the one who became root by ``sudo``.

Windows has no numbers for users: what belongs to a person there lies in the person's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple


class Account(NamedTuple):
    """A user of this system, as ``passwd`` has it."""

    name: str
    home: str
    user: int
    group: int


def own_number() -> int | None:
    """Return the number of the user whose rights this process has; None on Windows."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def is_root() -> bool:
    """Tell whether this process may do everything. On Windows it never is: it asks for no such rights."""
    return own_number() == 0


def person_behind_sudo(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the number of the user who typed ``sudo``; None where this process is not root by that."""
    number = environment.get("SUDO_UID", "")
    return int(number) if is_root() and number.isdigit() else None


def account_of(number: int) -> Account | None:
    """Return the user with `number`; None where the system knows no such user."""
    with suppress(ImportError, KeyError):
        import pwd  # no such module on Windows

        found = pwd.getpwuid(number)
        return Account(found.pw_name, found.pw_dir, found.pw_uid, found.pw_gid)
    return None
