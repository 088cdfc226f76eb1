"""Whether a document has the shape that the table of keys asks for: names, types, choices, ranges.

Pure, and driven by ``keys`` alone. Gives back the document with every default filled in and every bad value left out,
so that the checks that follow need not doubt what they read. Start at :func:`shaped`.
"""

from __future__ import annotations

import math
from typing import Any, Final

from devproxy.config.foreign import translation
from devproxy.config.key import FALSE, TRUE
from devproxy.config.keys import ABSENT, CHILDREN, KEYS, Key, Type
from devproxy.config.problems import Path, Problems, either, key_text, one_of, spelled, suggestion
from devproxy.text.safe import clipped, quoted, visible

Table = dict[str, Any]
"""A table as the TOML parser gives it: values are str, int, float, bool, dates, lists and tables."""

_MAX_DIGITS: Final = 20
"""Longer integers are not shown: CPython refuses to convert those of more than 4,300 digits."""


def shaped(document: Table, problems: Problems) -> Table:
    """Return `document` with defaults filled in; what is wrong with it goes to `problems` and is left out."""
    return _table(document, "", (), problems)


def _table(value: Table, key_path: str, path: Path, problems: Problems) -> Table:
    """Check a table whose keys are fixed."""
    known = CHILDREN.get(key_path, {})
    result: Table = {}
    for name, child in value.items():
        key = known.get(name)
        if key is None:
            _unknown(name, child, key_path, (*path, name), problems)
        else:
            checked = _value(child, key, (*path, name), problems)
            if checked is not ABSENT:
                result[name] = checked
    for name, key in known.items():
        if name not in value and key.default is not ABSENT:
            result[name] = key.default
    return result


def _map(value: Table, key: Key, path: Path, problems: Problems) -> Table:
    """Check a table whose keys are the author's."""
    element = KEYS[f"{key.path}.*"]
    checked = ((name, _value(child, element, (*path, name), problems)) for name, child in value.items())
    return {name: child for name, child in checked if child is not ABSENT}


def _array(value: list[Any], key: Key, path: Path, problems: Problems) -> list[Table]:
    """Check an array of tables. A bad element becomes an empty table, so that indices stay what they are."""
    element = KEYS[f"{key.path}.*"]
    checked = [_value(child, element, (*path, index), problems) for index, child in enumerate(value)]
    return [{} if child is ABSENT else child for child in checked]


def _value(value: Any, key: Key, path: Path, problems: Problems) -> Any:
    """Return `value` if it is one for `key` (tables with their defaults), else ABSENT."""
    match = _matching(value, key.types)
    if match is None:
        problems.at_value(path, f"expected {_expected(key)}, got {_shown(value)}", _help_for(value, key, path))
        return ABSENT
    if match is Type.TABLE:
        return _table(value, key.path, path, problems)
    if match is Type.MAP:
        return _map(value, key, path, problems)
    if match is Type.ARRAY:
        return _array(value, key, path, problems)
    if match is Type.LIST:
        return _list(value, key, path, problems)
    return _scalar(value, key, path, problems)


def _list(value: list[Any], key: Key, path: Path, problems: Problems) -> Any:
    is_good = True
    for index, item in enumerate(value):
        if _matching(item, key.items) is None:
            is_good = False
            what = f"expected {either(key.items)} in `{path[-1]}`, got {_shown(item)}"
            problems.at_value((*path, index), what, f"for example: {key.name} = {key.example}")
    return value if is_good else ABSENT


def _scalar(value: Any, key: Key, path: Path, problems: Problems) -> Any:
    if isinstance(value, str):
        return _choice(value, key, path, problems) if key.choices else value
    if isinstance(value, bool):
        return value
    return _number(value, key, path, problems)


def _choice(value: str, key: Key, path: Path, problems: Problems) -> Any:
    choice = value.lower() if key.ignores_case else value
    if choice in key.choices:
        return choice
    name = key_text(str(path[-1]))
    meant = "" if problems.is_full else suggestion(value, list(key.choices))
    help = f"write {name} = {quoted(meant)}" if meant else ""
    problems.at_value(path, f"expected {one_of(key.choices)} for `{name}`, got {quoted(value)}", help)
    return ABSENT


def _number(value: int | float, key: Key, path: Path, problems: Problems) -> Any:
    minimum = -math.inf if key.minimum is None else key.minimum
    maximum = math.inf if key.maximum is None else key.maximum
    if (isinstance(value, int) or math.isfinite(value)) and minimum <= value <= maximum:
        return value
    bounds = f"from {_bound(minimum)} to {_bound(maximum)}" if maximum < math.inf else f"of at least {_bound(minimum)}"
    help = f"for example: {key.name} = {key.example}" if key.example and not key.default else ""
    if not help and key.default is not ABSENT:
        help = f"the default is {key.name} = {_bound(key.default)}"
    if (minimum, maximum) == (0, 1) and 1 < value <= 100:
        help = f"write {key.name} = {value / 100:g} for {value:g} %"
    problems.at_value(path, f"`{key.name}` must be a number {bounds}, got {_shown(value)}", help)
    return ABSENT


def _bound(value: Any) -> str:
    return f"{value:,.0f}".replace(",", "") if value == int(value) else str(value)


def _unknown(name: str, value: Any, key_path: str, path: Path, problems: Problems) -> None:
    where = f" in `{spelled(path[:-1])}`" if len(path) > 1 else ""
    help = "" if problems.is_full else _help_for_unknown(name, value, key_path)
    problems.unknown(path, f"unknown key `{key_text(name)}`{where}", help)


def _help_for_unknown(name: str, value: Any, key_path: str) -> str:
    if key_path == "routes.*.headers" and isinstance(value, str):
        return f"to match requests by a header, write match_headers = {{ {key_text(name)} = {quoted(value)} }}"
    if translated := translation(name, value, key_path):
        return translated
    known = list(CHILDREN.get(key_path, {}))
    for nested in known:
        if name in CHILDREN.get(f"{key_path}.{nested}".lstrip("."), {}):
            return f"did you mean `{nested}.{name}`?"
    for heading, home in _HEADINGS.items():
        if name in CHILDREN[home] and home != key_path:
            if home == "routes.*" and isinstance(value, dict):
                return f"write [routes.{name}] below the [[routes]] that it is for"
            return f"`{name}` belongs below {heading}"
    meant = suggestion(name, known)
    if meant:
        return f"did you mean `{meant}`?"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 20 else ""


_HEADINGS: Final = {
    "[server]": "server",
    "[upstreams.NAME]": "upstreams.*",
    "[[routes]]": "routes.*",
    "[run.NAME]": "run.*",
}


_TYPES: Final = {
    bool: Type.BOOLEAN,
    int: Type.INTEGER,
    float: Type.NUMBER,
    str: Type.STRING,
    list: Type.LIST,
    dict: Type.TABLE,
}
_WIDER: Final[dict[Type | None, Type]] = {Type.INTEGER: Type.NUMBER, Type.TABLE: Type.MAP, Type.LIST: Type.ARRAY}


def _matching(value: Any, allowed: tuple[Type, ...]) -> Type | None:
    """Return which of `allowed` a value is taken for, or None."""
    kind = _TYPES.get(type(value))
    return next((one for one in (kind, _WIDER.get(kind)) if one in allowed), None)


def _expected(key: Key) -> str:
    items = "strings" if key.items == (Type.STRING,) else "strings or integers"
    return either([f"a list of {items}" if kind is Type.LIST else kind for kind in key.types])


def _shown(value: Any) -> str:
    """Return `value` with its type in words: ``the string "false"``."""
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if isinstance(value, dict):
        return "a table"
    kind = {bool: "the boolean ", str: "the string "}.get(type(value), "")
    return f"{kind}{_literal(value)}" if type(value) in _TYPES else f"the date or time {visible(clipped(str(value)))}"


def _literal(value: Any) -> str:
    """Return a value other than a list, table, date or time as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        return "an integer of many digits"
    return quoted(value) if isinstance(value, str) else str(value)


def _help_for(value: Any, key: Key, path: Path) -> str:
    """Say what to write instead of a value of the wrong type; where the meaning is plain, with the author's value."""
    name = key_text(str(path[-1]))
    meant = _converted(value, key)
    if meant:
        return f"write {name} = {meant}"
    if Type.ARRAY in key.types:
        return f"write [[{key.name}]], with two brackets, above each of them"
    if isinstance(path[-1], int):
        return ""
    if key.example:
        return f"for example: {name} = {key.example}"
    return f"write [{spelled(path)}] and its keys below" if key.is_container else ""


def _converted(value: Any, key: Key) -> str:
    """Return TOML for what the author most likely meant, or an empty string."""
    types = key.types
    if isinstance(value, str):
        word = value.strip().lower()
        if Type.BOOLEAN in types and word in TRUE | FALSE:
            return "true" if word in TRUE else "false"
        if (Type.NUMBER in types or Type.INTEGER in types) and word.isascii() and word.isdigit():
            return clipped(word.lstrip("0") or "0")
        # Not "*" for origins: to allow every web site takes another key.
        if Type.LIST in types and Type.STRING in key.items and (key.name, value) != ("origins", "*"):
            return f"[{quoted(value)}]"
    elif isinstance(value, bool):
        return ""
    elif isinstance(value, int | float):
        if Type.BOOLEAN in types and value in (0, 1):
            return "true" if value else "false"
        if Type.INTEGER in types and isinstance(value, float) and value.is_integer():
            return _literal(int(value))
        if Type.STRING in types:
            return quoted(_literal(value))
    elif isinstance(value, list) and Type.STRING in types and len(value) == 1 and isinstance(value[0], str):
        return quoted(value[0])
    return ""
