"""The environment that a program gets, and its command with the port in it. Pure. Start at :func:`environment_for`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from devproxy.config.model import Program
from devproxy.config.programs import PORT

_NO_COLOUR: Final = ("NO_COLOR", "FORCE_COLOR")
"""Variables that say already what is wanted: https://no-color.org, https://force-color.org."""
MIN_COLUMNS: Final = 20


class Terminal(NamedTuple):
    """Where a program's lines are shown. ``columns``: what there is for them; ``is_coloured``: colours are shown."""

    columns: int
    is_coloured: bool


def environment_for(
    program: Program, base: Mapping[str, str], *, url: str, authority: str = "", terminal: Terminal | None = None
) -> dict[str, str]:
    """Return the environment of `program`: `base`, what devproxy says, and what the configuration says, which wins.

    `url`: devproxy's own, without the last slash. `authority`: a file with the one that signs its certificates; empty:
    none is needed. `terminal`: None where the lines go elsewhere.
    """
    said = {"DEVPROXY_URL": url}
    # The output is a pipe, in which Python keeps some kilobytes back unless it is told otherwise.
    said["PYTHONUNBUFFERED"] = base.get("PYTHONUNBUFFERED") or "1"
    if authority:
        said["NODE_EXTRA_CA_CERTS"] = authority
    if program.port:
        said["PORT"] = str(program.port)
    if terminal is not None:
        said["COLUMNS"] = str(max(MIN_COLUMNS, terminal.columns))
        if terminal.is_coloured and not any(base.get(name) for name in _NO_COLOUR):
            said["FORCE_COLOR"] = _colours(base)
    return {**base, **said, **dict(program.env)}


def _colours(base: Mapping[str, str]) -> str:
    """Return the level of ``FORCE_COLOR``: 16 colours, 256, or all of them."""
    if base.get("COLORTERM") in ("truecolor", "24bit"):
        return "3"
    return "2" if "256color" in base.get("TERM", "") else "1"


def command_of(program: Program) -> tuple[str, ...]:
    """Return the words of the command, with the port in the place of ``{port}``."""
    return tuple(word.replace(PORT, str(program.port)) if program.port else word for word in program.command)
