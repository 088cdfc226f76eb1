"""Every key of ``devproxy.toml``, as its field in ``model`` declares it.

Validation (``shape``), the JSON Schema, the Markdown reference and ``config.example.toml`` are all read from
:data:`KEYS`, so that they cannot drift apart. What needs more than one key to judge (an upstream that exists, a route
that is there twice) is not here but in ``routes`` and ``conflicts``.

In a path, ``*`` means any name below a map and for any element of an array: ``upstreams.*.servers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Final, get_args, get_origin

from devproxy.config.key import ABSENT as ABSENT
from devproxy.config.key import INFERRED
from devproxy.config.key import Key as Key
from devproxy.config.key import Type as Type
from devproxy.config.model import Config

RELEASE: Final = "0.1"
"""The release whose keys these are."""

_PLAIN: Final = {bool: Type.BOOLEAN, int: Type.INTEGER, float: Type.NUMBER, str: Type.STRING}


def _keys_of(cls: type, parent: str) -> Iterator[Key]:
    """Yield the keys that the fields of `cls` declare, and below each table those of its own class."""
    for field in fields(cls):
        if get_origin(field.type) is not Annotated:
            continue
        kind, *declared = get_args(field.type)
        path = ""
        for key in declared:
            path = f"{parent}{key.name or field.name}"
            yield _completed(key, path, f"{cls.__name__}.{field.name}", field, kind)
        inner: Any = next((part for part in (kind, *get_args(kind)) if is_dataclass(part)), None)
        if inner is not None and Type.TABLE in (declared[-1].types or (Type.TABLE,)):
            yield from _keys_of(inner, f"{path}.")


def _completed(key: Key, path: str, declared_by: str, field: Field[Any], kind: Any) -> Key:
    """Return `key` with all that its field, of type `kind`, says about it."""
    if get_origin(kind) is UnionType:
        kind = get_args(kind)[0]  # the other is None: nothing was written
    is_plain = not key.types
    types = key.types or (_type_of(kind, key),)
    default = key.default
    if default is INFERRED:
        default = _written(field.default, key) if is_plain else ABSENT
    choices = key.choices or tuple(key.words) or (tuple(choice.value for choice in kind) if _is_enum(kind) else ())
    example = key.example
    if types == (Type.BOOLEAN,):
        example = "false" if default else "true"
    return replace(
        key,
        name=path.rpartition(".")[2],
        path=path,
        declared_by=key.declared_by or declared_by,
        types=types,
        default=default,
        choices=choices,
        example=example,
        target=field.name if is_plain else "",
        read=_reading(kind, key, path) if is_plain else None,
    )


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _type_of(kind: Any, key: Key) -> Type:
    if kind in _PLAIN and not key.words:
        return _PLAIN[kind]
    if get_origin(kind) is tuple:
        return Type.LIST if get_args(kind)[0] is str else Type.MAP
    return Type.TABLE if is_dataclass(kind) else Type.STRING


def _written(default: Any, key: Key) -> object:
    """Return the default of a field as the file would have it."""
    if default is MISSING or default is None or is_dataclass(default):
        return ABSENT
    if key.words:
        return next(word for word, value in key.words.items() if value == default)
    if isinstance(default, Enum):
        return default.value
    return list(default) if isinstance(default, tuple) else default


def _reading(kind: Any, key: Key, path: str) -> Callable[[Any], Any]:
    """Return what makes the value of a field of type `kind` from one of the file."""
    if key.words:
        return key.words.__getitem__
    if is_dataclass(kind) and isinstance(kind, type):
        return lambda table: kind(**values(table, path))
    if get_origin(kind) is not tuple:
        return kind  # type: ignore[no-any-return]
    if get_args(kind)[0] is str:
        return lambda items: tuple(dict.fromkeys(items))
    return lambda table: tuple(table.items())


KEYS: Final[dict[str, Key]] = {key.path: key for key in _keys_of(Config, "")}
"""Every key by its path, in the order in which documents show them."""


def _group(keys: dict[str, Key]) -> dict[str, dict[str, Key]]:
    grouped: dict[str, dict[str, Key]] = {}
    for key in keys.values():
        parent, _, name = key.path.rpartition(".")
        grouped.setdefault(parent, {})[name] = key
    return grouped


CHILDREN: Final[dict[str, dict[str, Key]]] = _group(KEYS)
"""The keys directly below a path, by name; ``""`` for the top of the file."""


def values(table: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the fields of the class that `path` is declared by, as far as `table`, which ``shape`` has passed, says.

    Left out is what the file writes in another form than the field: the builder of the value adds it.
    """
    keys = CHILDREN[path]
    return {key.target: key.read(table[name]) for name, key in keys.items() if key.read is not None and name in table}
