"""What a field of the configuration says about its key: meaning, type, default, bounds. Pure.

A key is declared once, as a :class:`Key` in the annotation of its field in ``model``. What the field says already (its
type, its default, its name, what the docstring below it says) need not be said again: ``keys`` reads it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final


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


TRUE: Final = frozenset(("true", "yes", "on", "1"))
FALSE: Final = frozenset(("false", "no", "off", "0"))
"""Texts that mean a boolean, in any case."""


class _Absent(Enum):
    ABSENT = None


ABSENT: Final = _Absent.ABSENT
"""Default of a key that means something other than any value when it is not written."""


class _Inferred(Enum):
    INFERRED = None


INFERRED: Final = _Inferred.INFERRED
"""The default is that of the field, as the file writes it; ABSENT where it has none, or None."""


@dataclass(slots=True)
class Key:
    """One key.

    ``meaning``: empty where the docstring below the field says it: ask ``documents.meaning``. ``name``: below its
    table, where it is not that of the field. ``types``: any of them will do; empty: that of the field. ``items``: what
    a list may hold. ``choices``: the strings allowed, all if empty; with ``ignores_case`` in any case. ``words``: the
    same, with what each means in the field. ``minimum`` / ``maximum``: inclusive. ``example``: the right-hand
    side in TOML. ``pattern``: for editors only (JSON Schema); ``load`` says it better. ``required``: it has to
    be written, or ``instead`` of it the key of that name. ``is_expression``: the text is a
    regular expression, in which ``$`` has a meaning. ``has_placeholders``: it may name facts of an exchange
    (:mod:`devproxy.config.placeholders`).

    The rest is worked out by ``keys``. ``path``: from the top of the file. ``declared_by``: the field of ``model``, or
    the member of an enumeration, whose docstring says what it means: ``Route.cors``. ``target``: the field that the
    value goes to. ``read``: gives its value for one in the file that has the right type.
    """

    meaning: str = ""
    name: str = ""
    types: tuple[Type, ...] = ()
    default: object = INFERRED
    items: tuple[Type, ...] = (Type.STRING,)
    choices: tuple[str, ...] = ()
    words: Mapping[str, object] = field(default_factory=dict)
    ignores_case: bool = False
    minimum: float | None = None
    maximum: float | None = None
    example: str = ""
    pattern: str = ""
    required: bool = False
    instead: str = ""
    is_expression: bool = False
    has_placeholders: bool = False
    path: str = ""
    declared_by: str = ""
    target: str = ""
    read: Callable[[Any], Any] | None = None

    @property
    def is_container(self) -> bool:
        """Whether it holds other keys and nothing else."""
        return all(kind in (Type.TABLE, Type.MAP, Type.ARRAY) for kind in self.types)


def seconds(*, maximum: float = 7 * 86_400.0) -> Key:
    """Return a key for a duration in seconds, from 0 to `maximum`."""
    return Key(minimum=0, maximum=maximum)


def path_pattern(kind: StrEnum, example: str, pattern: str = "^/", *, is_expression: bool = False) -> Key:
    """Return the key for one of the ways to say which paths a route takes, named like `kind` and explained there."""
    return Key(
        name=kind.value,
        types=(Type.STRING,),
        default=ABSENT,
        example=example,
        pattern=pattern,
        is_expression=is_expression,
        declared_by=f"{type(kind).__name__}.{kind.name}",
    )


def element(name: str, example: str, meaning: str, *, has_placeholders: bool = False) -> Key:
    """Return the key for each value, a string, of a table whose names are the author's."""
    return Key(meaning, name=name, types=(Type.STRING,), example=example, has_placeholders=has_placeholders)
