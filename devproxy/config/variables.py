"""Variables of the environment in values of the file: ``${env:NAME}``, and ``${env:NAME:-default}`` for one that is not
set or empty. ``$${env:`` is a plain ``${env:``.

Pure. A value is replaced after the file has been read as TOML, and as a whole text: nothing in it is TOML, another
variable or a placeholder. Where a key takes no text, the text is read as what it takes. Names of tables, regular
expressions (``path_regex``, and origins that begin with ``regex:``) have none. Start at :func:`expanded`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from itertools import islice
from typing import Any, Final

from devproxy.config.environment import Environment, Variable, relevant
from devproxy.config.keys import CHILDREN, KEYS, Key
from devproxy.config.overlay import converted
from devproxy.config.placeholders import escaped
from devproxy.config.problems import Path, Problems, key_text
from devproxy.text.bad import BadText
from devproxy.text.safe import clipped, quoted, visible

MARK: Final = "${env:"
MAX_EXPANDED: Final = 1 << 20
"""Most characters that variables put into one file, each as often as it is named."""

_MARK: Final = re.compile(r"\$?\$\{env:(?P<inner>[^{}]*)\}|\$?\$\{env:")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ALIKE: Final = 0.75
"""How alike names are of which one may be meant by the other: those of the environment are many."""
_MAX_COMPARED: Final = 1000
_EXPRESSION: Final = "regex:"


def expanded(
    document: dict[str, Any], environment: Environment, problems: Problems, besides: Container[Path] = ()
) -> dict[str, Any]:
    """Return `document` with the variables of its values replaced; what cannot be is left out, and a problem.

    `document` is not changed. Keys that there are not, and what is at the paths `besides`, are left as they are.
    """
    return _Expansion(environment, problems, besides).table(document, "", ())


def used(text: str, environment: Environment) -> dict[str, Variable]:
    """Return what of `environment` says something in a configuration of `text`."""
    names = {match["inner"].partition(":-")[0] for match in _MARK.finditer(text) if match["inner"]}
    return relevant(environment) | {name: environment[name] for name in names if name in environment}


class _Expansion:
    def __init__(self, environment: Environment, problems: Problems, besides: Container[Path]) -> None:
        self._besides = besides
        self._environment = environment
        self._problems = problems
        self._left = MAX_EXPANDED

    def table(self, table: dict[str, Any], key_path: str, path: Path) -> dict[str, Any]:
        """Return `table`, whose keys are those below `key_path`, or the author's."""
        known, any_name = CHILDREN.get(key_path, {}), KEYS.get(f"{key_path}.*")
        result = {}
        for name, child in table.items():
            key = any_name or known.get(name)
            value = child if key is None or (*path, name) in self._besides else self._value(child, key, (*path, name))
            if value is not None:
                result[name] = value
        return result

    def _value(self, value: Any, key: Key, path: Path) -> Any:
        """Return `value`, or None where it cannot be made."""
        if isinstance(value, str):
            return self._text(value, key, path, is_whole=True) if MARK in value else value
        if isinstance(value, dict):
            return self.table(value, key.path, path)
        if not isinstance(value, list):
            return value
        element = KEYS.get(f"{key.path}.*", key)
        items = [
            self._text(item, key, (*path, index), is_whole=False)
            if isinstance(item, str) and MARK in item
            else self.table(item, element.path, (*path, index))
            if isinstance(item, dict)
            else item
            for index, item in enumerate(value)
        ]
        return None if any(item is None for item in items) else items

    def _text(self, text: str, key: Key, path: Path, *, is_whole: bool) -> Any:
        """Return what `text` is for `key`; `is_whole`: it is the value of the key, and not one of a list."""
        if key.is_expression or text.startswith(_EXPRESSION):
            what = "a regular expression has no variables: `$` has a meaning there"
            return self._bad(path, what, "write the text itself, or match by `path`" if key.is_expression else "")
        used: list[str] = []
        try:
            value = _MARK.sub(lambda mark: self._replaced(mark, text, key, path, used), text)
            if used:
                self._problems.come_from(path, used[0])
            return converted(value, key, takes_toml=False) if is_whole and used else value
        except BadText as error:
            return self._bad(path, visible(error.what), visible(error.help))

    def _bad(self, path: Path, what: str, help: str) -> None:
        self._problems.at_value(path, what, help)
        if isinstance(path[-1], int):
            self._problems.bad.add(path[:-1])  # the list is left out with it

    def _replaced(self, mark: re.Match[str], text: str, key: Key, path: Path, used: list[str]) -> str:
        """Return what `mark` in `text` stands for; note the variable in `used`. Raises :class:`BadText`."""
        if mark[0].startswith("$$"):
            return mark[0] if key.has_placeholders else mark[0][1:]
        inner = mark["inner"]
        if inner is None:
            raise BadText(
                f"{quoted(MARK)} has no end", f"close it with `}}`, or write `$${MARK[1:]}` for a plain `{MARK}`"
            )
        name, has_default, default = inner.partition(":-")
        if _NAME.fullmatch(name) is None:
            raise BadText(f"{quoted(name)} is not the name of a variable", "letters, digits and _, as in ${env:PORT}")
        variable = self._environment.get(name)
        if variable is None and not has_default:
            raise _not_set(name, text, path, () if self._problems.is_full else self._environment)
        used.append(name)
        value = (
            default if has_default and (variable is None or not variable.value) else (variable or Variable("")).value
        )
        self._left -= len(value)
        if self._left < 0:
            what = f"the variables of this file come to more than {MAX_EXPANDED} characters"
            raise BadText(what, f"is {clipped(name)} the right one?")
        return escaped(value) if key.has_placeholders else value


def _not_set(name: str, text: str, path: Path, known: Iterable[str]) -> BadText:
    """Return that the variable `name` is not set, and the line to type. `known`: of which one may be meant."""
    from difflib import get_close_matches  # only errors need it

    what = f"the variable {clipped(name)} is not set, and has no default"
    near = get_close_matches(name, [*islice(known, _MAX_COMPARED)], 1, _ALIKE)
    meant = f"did you mean ${{env:{clipped(near[0])}}}? " if near else ""
    with_default = quoted(text.replace(f"{MARK}{name}}}", f"{MARK}{name}:-…}}"))
    key = next((f"{key_text(part)} = " for part in path[-1:] if isinstance(part, str)), "")
    return BadText(
        what, f"{meant}set it ({clipped(name)}=… devproxy up, or --env-file .env), or write {key}{with_default}"
    )


TEXT_PATTERN: Final = r"\$\{env:[A-Za-z_]"
"""Of a text that names a variable, for editors (JSON Schema)."""


def takes_variables(key: Key) -> bool:
    """Tell whether a text with a variable may be the value of `key`, whatever its type."""
    return not key.is_container and not key.is_expression
