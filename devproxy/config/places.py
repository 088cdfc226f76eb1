"""Where each value of a configuration was said: a line of its file, an option of the command line, a variable.

Pure. Start at :func:`place_of`, or at :func:`source_of` for the parts of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from devproxy.config.model import Config
from devproxy.config.problems import Path
from devproxy.text.safe import visible

Said = Mapping[Path, int | str]
"""By the path of a value: its line, 1-based, or what else said it."""


def place_of(config: Config, *path: str | int) -> str:
    """Return where the value at `path` was said; empty if it was not written.

    ``devproxy.toml:12``, ``--listen``, ``DEVPROXY_SERVER_LISTEN``, or ``DEVPROXY_SERVER_LISTEN (.env:3)``.

    `path`: as in the file, ``("routes", 0, "cors", "origins")``. For what is left out, or part of a short form, it is
    the place of the table around it.
    """
    for end in range(len(path), 0, -1):
        said = config.said.get(path[:end])
        if said is not None:
            return said if isinstance(said, str) else f"{visible(config.source)}:{said}"
    return ""


def with_said(old: Said, new: Mapping[Path, str]) -> Said:
    """Return where each value was said if `new` says some of those of `old` instead: what was in these is gone."""
    kept = {path: place for path, place in old.items() if not any(path[: len(one)] == one for one in new)}
    return {**kept, **new}


def is_option(place: str) -> bool:
    """Tell whether a place that is no line is an option of the command line, not a variable of the environment."""
    return place.startswith("--")


def variables_in(config: Config) -> tuple[str, ...]:
    """Return the places of the variables that set something in `config`."""
    return tuple(dict.fromkeys(said for said in config.said.values() if isinstance(said, str) and not is_option(said)))


class Source(NamedTuple):
    """Where something was said. ``file``: its path, ``command line`` or ``environment``. ``line``: 1-based; None: no
    file has it.

    ``key``: what said it, in dots (``routes.0.host``, as far as it was written), or the option or variable.
    """

    file: str
    line: int | None
    key: str


def source_of(config: Config, *path: str | int) -> Source | None:
    """Return where the value at `path` was said, as :func:`place_of` has it, in parts; None: it was not written."""
    for end in range(len(path), 0, -1):
        said = config.said.get(path[:end])
        if isinstance(said, str):
            return Source("command line" if is_option(said) else "environment", None, said)
        if said is not None:
            return Source(config.source, said, ".".join(map(str, path[:end])))
    return None
