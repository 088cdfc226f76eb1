"""Where the configuration file is. Reads the environment and the file system; never what a file says."""

from __future__ import annotations

import os

from devproxy.cli.refusal import Refused

FILE_NAME = "devproxy.toml"
ENVIRONMENT = "DEVPROXY_CONFIG"
MAX_FILE_BYTES = 1 << 20

_EXAMPLE = (
    "name your servers:  devproxy up --frontend 5173 --backend 3001  (the ports of your dev server and your backend)",
    f"or write a {FILE_NAME} that does: see config.example.toml, or docs/configuration.md",
    "or see it at work first:  devproxy demo",
)


def find(given: str | None) -> str:
    """Return the path of the configuration: `given`, else ``$DEVPROXY_CONFIG``, else the nearest ``devproxy.toml``.

    That one is looked for in the working directory and upward, and named relative to it. Raises :class:`Refused`.
    """
    named = given or os.environ.get(ENVIRONMENT)
    if named:
        return named
    found = find_upward()
    if found is None:
        raise Refused(f"there is no {FILE_NAME} in this directory or above it", *_EXAMPLE)
    return found


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


def read(path: str) -> bytes:
    """Return the octets of the file at `path`. Raises :class:`Refused`."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"cannot read {path}: {reason}", "name another file with --config PATH") from None
    except ValueError:  # a NUL in its name
        raise Refused(f"cannot read {path}: that is not the name of a file") from None
    if len(text) > MAX_FILE_BYTES:
        raise Refused(f"cannot read {path}: it is larger than {MAX_FILE_BYTES >> 20} MiB, so it is something else")
    return text
