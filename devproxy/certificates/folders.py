"""Where certificates and keys are kept, for whom, and how they are written: whole, and a key for its owner alone.

Under ``sudo`` that is the person who typed it: a key that belonged to root could not be read by the next ``up``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from devproxy.certificates.problems import CertificateProblem
from devproxy.platforms.accounts import account_of, person_behind_sudo
from devproxy.platforms.ownership import give


class Person(NamedTuple):
    """Whose certificates they are. ``home``: their folder. ``owner``: user and group for new files; None: as it comes.

    ``name``: of the account that ran ``sudo``; empty for the current user.
    """

    home: str
    owner: tuple[int, int] | None = None
    name: str = ""


def person(environment: Mapping[str, str] = os.environ) -> Person:
    """Return the user who runs this process; with root's rights by ``sudo``, the one who typed that."""
    number = person_behind_sudo(environment)
    account = account_of(number) if number else None
    if account is not None:
        return Person(account.home, (account.user, account.group), account.name)
    return Person(environment.get("HOME") or os.path.expanduser("~"))


def write(path: str, data: bytes, owner: tuple[int, int] | None, *, mode: int = 0o600, replace: bool = True) -> None:
    """Write `data` to `path`, whole or not at all, and make the folders above it, for their owner alone.

    `replace` False: what is there stays. Raises :class:`CertificateProblem` where that cannot be.
    """
    draft = f"{path}.{os.urandom(4).hex()}"
    try:
        _make_folder(os.path.dirname(path), owner)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                if owner is not None:
                    give(descriptor, owner)  # not by its name, under which its new owner may put something else
            if replace:
                os.replace(draft, path)
            else:
                with suppress(FileExistsError):
                    os.link(draft, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)
    except OSError as error:
        raise CertificateProblem(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}",
            "name a folder that can be written in the variable XDG_DATA_HOME, "
            'or give a certificate of your own: tls = { cert = "…", key = "…" }',
        ) from None


def _make_folder(folder: str, owner: tuple[int, int] | None) -> None:
    if os.path.isdir(folder):
        return
    _make_folder(os.path.dirname(folder), owner)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
        if owner is not None:
            give(folder, owner)
