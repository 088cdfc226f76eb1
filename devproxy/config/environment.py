"""Variables of the environment as values: each with the place where it was said. Pure.

What they say about a configuration is for :mod:`devproxy.config.overlay`. Start at :class:`Variable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from devproxy.text.safe import visible

PREFIX: Final = "DEVPROXY_"
UPSTREAMS: Final = f"{PREFIX}UPSTREAMS_"
OTHERS: Final = frozenset((f"{PREFIX}CONFIG", f"{PREFIX}URL"))
"""What else devproxy reads (the file to use), or tells the programs that it starts (where it is reached)."""


class Variable(NamedTuple):
    """One variable. ``place``: of it in a file of variables, ``.env:3``; empty: the process was started with it."""

    value: str
    place: str = ""


Environment = Mapping[str, Variable]
"""Variables by name."""

NO_ENVIRONMENT: Final[Environment] = {}


def named(name: str, variable: Variable) -> str:
    """Return where a value was said that `variable` gave: ``DEVPROXY_SERVER_LISTEN (.env:3)``."""
    return f"{name} ({visible(variable.place)})" if variable.place else name


def relevant(environment: Environment) -> dict[str, Variable]:
    """Return what of `environment` is said to devproxy, without what is set to nothing."""
    return {name: one for name, one in environment.items() if name.startswith(PREFIX) and one.value}
