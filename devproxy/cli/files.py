"""Where the configuration file is. Reads the environment and the file system; never what a file says."""

from __future__ import annotations

import os

from devproxy.cli.refusal import Refused
from devproxy.gateway.system.files import read_file, reason_of
from devproxy.platforms.ownership import closing_command, is_open_to_all, owner_of_another

FILE_NAME = "devproxy.toml"
ENVIRONMENT = "DEVPROXY_CONFIG"

_SERVERS = "--frontend 5173 --backend 3001  (the ports of your dev server and your backend)"
_EXAMPLE = (
    f"or have a {FILE_NAME} written, by what runs here:  devproxy init",
    "or try it out first:  devproxy demo",
)


def find(given: str | None, command: str = "up") -> str:
    """Return the path of the configuration: `given`, else ``$DEVPROXY_CONFIG``, else the nearest ``devproxy.toml``.

    `command`: the one that needs it. Every command but ``up`` is then told which options to add.

    That one is looked for in the working directory and upward, and named relative to it. Raises :class:`Refused`.
    """
    named = given or os.environ.get(ENVIRONMENT)
    if named:
        return named
    found = find_upward()
    if found is None:
        what = f"there is no {FILE_NAME} in this directory or above it"
        if command == "check":
            raise Refused(
                what, "name the file:  devproxy check PATH", f"no file is needed with:  devproxy up {_SERVERS}"
            )
        start = "devproxy up" if command == "up" else "add"
        raise Refused(what, f"name your servers:  {start} {_SERVERS}", *_EXAMPLE)
    return found


def is_named(given: str | None) -> bool:
    """Tell whether :func:`find` takes a file that was named, and does not search for one."""
    return bool(given or os.environ.get(ENVIRONMENT))


def find_upward() -> str | None:
    """Return the nearest ``devproxy.toml`` in the working directory or above, relative to it; None: there is none."""
    try:
        directory = os.getcwd()
    except OSError:
        return None  # it has been deleted
    prefix = ""
    while not os.path.isfile(os.path.join(directory, FILE_NAME)):
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory, prefix = parent, os.path.join(prefix, os.pardir)
    return os.path.join(prefix, FILE_NAME)


def distrust(path: str) -> tuple[str, ...]:
    """Return a sentence on the file at `path`, as :func:`find_upward` gives it, if others can change its content.

    Only about one in a parent folder: anyone who can write there decides where the requests of this project go.
    """
    if not path.startswith(os.pardir):
        return ()
    advice = f"it decides where requests go. Name your own file with --config PATH, or write a {FILE_NAME} here."
    folder = os.path.dirname(path)
    try:
        for where, one in ((path, path), (f"the folder of {path}", folder)):
            if whose := owner_of_another(one):
                return (f"{path} was found in a parent folder, and {where} belongs to {whose}: {advice}",)
        open_to_all = next((one for one in (folder, path) if is_open_to_all(one)), "")
    except OSError:
        return ()
    if not open_to_all:
        return ()
    what = path if open_to_all == path else f"the folder of {path}"
    sentence = f"{path} was found in a parent folder, and every user of this machine can change {what}: {advice}"
    return (sentence + f" To keep using it: {closing_command(open_to_all)}",)


def read(path: str) -> bytes:
    """Return the bytes of the file at `path`, one too many where it is too long. Raises :class:`Refused`."""
    try:
        return read_file(path)
    except OSError as error:
        raise Refused(f"cannot read {path}: {reason_of(error)}", "name another file with --config PATH") from None
    except ValueError:  # a NUL in its name
        raise Refused(f"cannot read {path}: that is not the name of a file") from None
