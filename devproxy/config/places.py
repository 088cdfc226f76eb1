"""Where each value of a configuration was said: a line of its file, or an option of the command line.

Pure. Start at :func:`place_of`, or at :func:`source_of` for the parts of it.
"""

from __future__ import annotations

from typing import NamedTuple

from devproxy.config.model import Config
from devproxy.text.safe import visible


def place_of(config: Config, *path: str | int) -> str:
    """Return where the value at `path` was said: ``devproxy.toml:12`` or ``--listen``; empty if it was not written.

    `path`: as in the file, ``("routes", 0, "cors", "origins")``. For what is left out, or part of a short form, it is
    the place of the table around it.
    """
    for end in range(len(path), 0, -1):
        said = config.said.get(path[:end])
        if said is not None:
            return said if isinstance(said, str) else f"{visible(config.source)}:{said}"
    return ""


class Source(NamedTuple):
    """Where something was said. ``file``: its path, or ``command line``. ``line``: 1-based; None: no file has it.

    ``key``: what said it, in dots (``routes.0.host``, as far as it was written), or the option.
    """

    file: str
    line: int | None
    key: str


def source_of(config: Config, *path: str | int) -> Source | None:
    """Return where the value at `path` was said, as :func:`place_of` has it, in parts; None: it was not written."""
    for end in range(len(path), 0, -1):
        said = config.said.get(path[:end])
        if isinstance(said, str):
            return Source("command line", None, said)
        if said is not None:
            return Source(config.source, said, ".".join(map(str, path[:end])))
    return None
