"""Writes a file that was not there before, and never another one's content."""

from __future__ import annotations

import os
from contextlib import suppress

from devproxy.cli.refusal import FAILED, MISUSED, Refused
from devproxy.gateway.system.files import reason_of


def write_new(path: str, text: str, instead: str) -> None:
    """Write `text` to a new file at `path`. Nothing is left behind where that fails.

    `instead`: the command line that prints the text, with ``--print``. Raises :class:`Refused`, also where a file, a
    folder or a link of that name is there, wherever it leads.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise _is_there(path, instead) from None
    except (OSError, ValueError) as error:
        raise _unwritable(path, error, instead) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except (OSError, ValueError) as error:
        with suppress(OSError):
            os.unlink(path)
        raise _unwritable(path, error, instead) from None


def check_new(path: str, instead: str) -> None:
    """Raise :class:`Refused` where something is at `path`; `instead` as in :func:`write_new`."""
    if os.path.lexists(path):
        raise _is_there(path, instead)


def _is_there(path: str, instead: str) -> Refused:
    ways = (f"to see what would be written:  {instead}", "or move that file away first")
    return Refused(f"{path} is there already, and is not overwritten", *ways, exit_code=MISUSED)


def _unwritable(path: str, error: OSError | ValueError, instead: str) -> Refused:
    reason = reason_of(error) if isinstance(error, OSError) else str(error)
    return Refused(f"cannot write {path}: {reason}", f"to print it instead:  {instead}", exit_code=FAILED)
