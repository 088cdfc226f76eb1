"""What the table of keys says about one key, and short ways to say it. The table itself is in ``keys``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

_DAY: Final = 86_400.0


class Type(StrEnum):
    """What a value may be; the value is the phrase that problems use."""

    BOOLEAN = "a boolean"
    INTEGER = "an integer"
    NUMBER = "a number"
    STRING = "a string"
    LIST = "a list"
    TABLE = "a table"
    """With the keys that the table of keys lists below it."""
    MAP = "a table of names"
    """Names are chosen by the author of the file; each value is described by ``path + ".*"``."""
    ARRAY = "an array of tables"


class _Absent(Enum):
    ABSENT = None


ABSENT: Final = _Absent.ABSENT
"""Default of a key that means something other than any value when it is not written."""


@dataclass(slots=True, kw_only=True)
class Key:
    """One key.

    ``types``: any of them will do. ``items``: what a list may hold. ``choices``: the strings allowed, all if empty;
    with ``ignores_case`` in any case. ``minimum`` / ``maximum``: inclusive.
    ``reserved``: what to do instead, when this release refuses anything but the default; empty for a key that works.
    ``example``: the right-hand side in TOML. ``pattern``: for editors only (JSON Schema); ``load`` says it better.
    """

    path: str
    types: tuple[Type, ...]
    meaning: str
    default: object = ABSENT
    items: tuple[Type, ...] = (Type.STRING,)
    choices: tuple[str, ...] = ()
    ignores_case: bool = False
    minimum: float | None = None
    maximum: float | None = None
    reserved: str = ""
    example: str = ""
    pattern: str = ""
    required: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_container(self) -> bool:
        """Whether it holds other keys and nothing else."""
        return all(kind in (Type.TABLE, Type.MAP, Type.ARRAY) for kind in self.types)


def seconds(path: str, default: float, meaning: str, *, maximum: float = 7 * _DAY) -> Key:
    """Return a key for a duration in seconds, from 0 to `maximum`."""
    return Key(path=path, types=(Type.NUMBER,), default=default, minimum=0, maximum=maximum, meaning=meaning)


def octets(path: str, default: int, meaning: str, *, minimum: int, maximum: int) -> Key:
    """Return a key for a count or a size in octets."""
    return Key(path=path, types=(Type.INTEGER,), default=default, minimum=minimum, maximum=maximum, meaning=meaning)


def table(path: str, meaning: str, *, example: str = "") -> Key:
    """Return a key for a table with fixed keys."""
    return Key(path=path, types=(Type.TABLE,), meaning=meaning, example=example)


def switch(path: str, default: bool, meaning: str) -> Key:
    """Return a key that is on or off."""
    return Key(
        path=path, types=(Type.BOOLEAN,), default=default, example="false" if default else "true", meaning=meaning
    )


def word(path: str, choices: type[StrEnum], default: str, example: str, meaning: str) -> Key:
    """Return a key for one of the words that `choices` lists."""
    values = tuple(choice.value for choice in choices)
    return Key(path=path, types=(Type.STRING,), default=default, choices=values, example=example, meaning=meaning)


def names(path: str, default: tuple[str, ...], example: str, meaning: str) -> Key:
    """Return a key for a list of strings."""
    return Key(path=path, types=(Type.LIST,), default=list(default), example=example, meaning=meaning)
