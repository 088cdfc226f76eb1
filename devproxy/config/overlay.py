"""What the variables of the environment say about a configuration: ``DEVPROXY_SERVER_…`` and ``DEVPROXY_UPSTREAMS_…``.

Pure: the caller reads the environment, once, and hands it over as values. Which variables there are follows from the
table of keys: each key of ``[server]`` has one, named like its path (:func:`variable_of`). What is typed on the command
line goes before them, and they go before the file. Start at :func:`overlaid`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import tomli

from devproxy.config.addresses import split_list
from devproxy.config.environment import PREFIX, UPSTREAMS, Environment, Variable, named, relevant
from devproxy.config.key import ABSENT, FALSE, TRUE
from devproxy.config.keys import CHILDREN, KEYS, Key, Type
from devproxy.config.problems import Path, Problems, either
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

Table = dict[str, Any]

_MAX_NUMBER: Final = 40


def variable_of(path: str) -> str:
    """Return the variable that sets the key at `path`: ``server.tls.cert`` is ``DEVPROXY_SERVER_TLS_CERT``."""
    return PREFIX + path.upper().replace(".", "_")


SERVER: Final = {variable_of(path): key for path, key in KEYS.items() if path.startswith("server.")}
"""The keys of ``[server]`` by their variables."""


def overlaid(document: Table, environment: Environment, problems: Problems) -> tuple[Table, dict[Path, str]]:
    """Return `document` with what the variables set instead of it, and where they are by the path of what they set.

    `document` is not changed. A variable that is set to nothing sets nothing. Values that cannot be read become
    problems of their variables; the others are checked with the rest of the document.
    """
    ours = relevant(environment)
    if not ours:
        return document, {}
    said: dict[Path, str] = {}
    document = dict(document)
    for name, key in SERVER.items():
        if name in ours:
            _set(document, tuple(key.path.split(".")), name, ours[name], key, problems, said)
    key = KEYS["upstreams.*"]
    names = list(_table_at(document, "upstreams") or ())
    for name, one in ours.items():
        if not sets_upstream(name, one.value, names):
            continue
        meant = [known for known in names if _folded(known) == name.removeprefix(UPSTREAMS)]
        if len(meant) > 1:
            listed = " and ".join(map(quoted, meant))
            problems.elsewhere(named(name, one), f"this may mean the upstreams {listed}", "rename one of them")
            continue
        upstream = meant[0] if meant else name.removeprefix(UPSTREAMS).lower()
        inner = (_table_at(document, "upstreams") or {}).get(upstream)
        path: Path = ("upstreams", upstream, "servers") if isinstance(inner, dict) else ("upstreams", upstream)
        _set(document, path, name, one, key, problems, said)
    return document, said


def converted(text: str, key: Key, *, takes_toml: bool) -> Any:
    """Return the value for `key` that `text` is: the text itself, or a boolean, a number or a list for it.

    `takes_toml`: what is in brackets or braces is TOML. Raises :class:`BadText`.
    """
    kinds, word = key.types, text.strip()
    if takes_toml and (shape := _bracketed(word, kinds)):
        return _toml(word, shape)
    if Type.BOOLEAN in kinds and word.lower() in TRUE | FALSE and Type.STRING not in kinds:
        return word.lower() in TRUE
    if Type.STRING in kinds and key.choices and word.lower() not in key.choices and Type.INTEGER in kinds:
        return _number(word, key)  # `auto`, or a number
    if Type.STRING in kinds:
        return split_list(text) if Type.LIST in kinds and "," in text else text
    if Type.NUMBER in kinds or Type.INTEGER in kinds:
        return _number(word, key)
    if Type.LIST in kinds:
        return split_list(text)
    example = f"for example: {key.name} = {key.example}" if key.example else ""
    raise BadText(f"expected {either([kind.value for kind in kinds])}, got {quoted(text)}", example)


def _set(
    document: Table, path: Path, name: str, one: Variable, key: Key, problems: Problems, said: dict[Path, str]
) -> None:
    """Put the value of the variable `name` at `path` of `document`; copies the tables on the way."""
    place = named(name, one)
    if whole := said.get(path[:-1], "") if _value_at(document, path[:-1]) is False else "":
        problems.elsewhere(place, f"{whole} says that there is none", "unset one of them")
        return
    table = document
    for part in path[:-1]:
        inner = table.get(str(part), {})
        if not isinstance(inner, dict):
            if path[:2] != ("server", "tls"):
                return  # no table, which is a problem of the file
            inner = {}
        table[str(part)] = table = dict(inner)
    problems.come_from(path, name, place)
    value = problems.read(lambda text: converted(text, key, takes_toml=True), one.value, path)
    if value is None:
        table.pop(str(path[-1]), None)
        return
    table[str(path[-1])] = value
    said[path] = place


def _value_at(document: Table, path: Path) -> object:
    value: object = document
    for part in path:
        value = value.get(str(part)) if isinstance(value, dict) else None
    return value


def _table_at(document: Table, name: str) -> Table | None:
    table = document.get(name)
    return table if isinstance(table, dict) else None


def _folded(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def sets_upstream(name: str, value: str, upstreams: Iterable[str]) -> bool:
    """Tell whether the variable `name` with `value` sets an upstream; `upstreams`: the names that there are."""
    if not name.startswith(UPSTREAMS) or name == UPSTREAMS:
        return False
    if any(_folded(known) == name.removeprefix(UPSTREAMS) for known in upstreams):
        return True
    if key_of(name):
        return False
    from devproxy.config.kubernetes import service_of  # few are started with such a variable

    return not service_of(name, value)


def key_of(name: str) -> str:
    """Return the key of an upstream with which the name of a variable ends, which sets no key: ``hold_s``; or empty."""
    rest = name.removeprefix(UPSTREAMS)
    return next((key for key in CHILDREN["upstreams.*"] if rest.endswith(f"_{key.upper()}")), "")


def _bracketed(word: str, kinds: tuple[Type, ...]) -> str:
    """Return which value of TOML a text is meant to be, as its brackets say; empty: none."""
    if word.startswith("[") and word.endswith("]") and Type.LIST in kinds:
        return "list"
    return "table" if word.startswith("{") and (Type.TABLE in kinds or Type.MAP in kinds) else ""


def _toml(word: str, shape: str) -> Any:
    try:
        document = tomli.loads(f"value = {word}")
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        document = {}
    if len(document) != 1:  # a line break in it would begin another key
        raise BadText(f"{quoted(word)} is no {shape} as TOML writes it", "text in it needs quotes")
    return document["value"]


def _number(word: str, key: Key) -> int | float:
    is_integer = Type.NUMBER not in key.types
    read: Callable[[str], int | float] = int if is_integer else float
    try:
        if len(word) > _MAX_NUMBER or not word.isascii() or "_" in word or not math.isfinite(number := read(word)):
            raise ValueError
    except ValueError:
        help = "" if key.default is ABSENT else f"the default is {key.name} = {key.default:g}"
        raise BadText(f"expected {'an integer' if is_integer else 'a number'}, got {quoted(word)}", help) from None
    return int(number) if not is_integer and word.lstrip("+-").isdigit() else number
