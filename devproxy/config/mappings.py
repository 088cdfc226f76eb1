"""A mapping of a program's -> :class:`~devproxy.config.model.Config`, with the keys and the checks of a file.

Pure. Problems name the key as a path, ``routes[0].cors``, as there are no lines. Start at :func:`from_mapping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, Final

from devproxy.config.loading import build
from devproxy.config.model import Config
from devproxy.config.problems import ConfigError, Path, Problem, Problems, spelled
from devproxy.config.shape import Table, shaped
from devproxy.text.safe import clipped, is_unicode, quoted, visible

MAX_DEPTH: Final = 16
"""How deep tables and lists may be nested; no key needs more than five levels."""
SOURCE: Final = "mapping"
"""What a configuration calls its source that came from a mapping."""


class _PathProblems(Problems):
    """Problems that say in words where they are."""

    def __init__(self) -> None:
        super().__init__(lambda path, is_key: (0, 0, 0))

    def _add(self, path: Path, what: str, help: str, *, at_key: bool) -> None:
        super()._add(path, f"{spelled(path)}: {what}" if path else what, help, at_key=at_key)


def from_mapping(table: Mapping[str, Any]) -> Config:
    """Return the configuration that `table` states, with the keys of a ``devproxy.toml``.

    Values are those of TOML; tuples and paths will do, too, and None stands for a key that is not written. Raises
    :class:`ConfigError` with every problem found.
    """
    problems = _PathProblems()
    document = _plain(table, (), problems)
    config = build(shaped(document, problems), document, {}, SOURCE, problems)
    if problems.found:
        raise ConfigError(problems.in_order())
    return replace(config, said=dict(_places(document, ())))


def refusal_of_mapping(found: Iterable[tuple[Path, str, str]]) -> ConfigError:
    """Return the error for what a caller has `found` wrong with the files that a mapping names: path, what, help."""
    return ConfigError(tuple(Problem(f"{spelled(path)}: {visible(what)}", visible(help)) for path, what, help in found))


_NOTHING: Final = object()
"""Stands for a value that no file could have: it is left out."""


def _plain(value: Any, path: Path, problems: Problems) -> Any:
    """Return `value` as the parser of a file would give it, or, with a problem, ``_NOTHING``."""
    if len(path) > MAX_DEPTH:
        problems.at_value(path, "this is nested too deeply", "does the mapping contain itself?")
        return _NOTHING
    if isinstance(value, Mapping):
        return _table(value, path, problems)
    if isinstance(value, list | tuple):
        items = [_plain(item, (*path, index), problems) for index, item in enumerate(value)]
        return [item for item in items if item is not _NOTHING]
    if isinstance(value, Enum):
        value = value.value
    if hasattr(value, "__fspath__"):
        value = value.__fspath__()
    if isinstance(value, str) and not is_unicode(value, octets=True):
        problems.at_value(path, f"{quoted(value)} has half a surrogate pair", "no file can hold one")
        return _NOTHING
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    what = f"expected a string, a number, a boolean, a list or a mapping, got {clipped(type(value).__name__)}"
    problems.at_value(path, what)
    return _NOTHING


def _table(value: Mapping[Any, Any], path: Path, problems: Problems) -> Table:
    result: Table = {}
    for name, child in value.items():
        if not isinstance(name, str) or not is_unicode(name):
            problems.at_value(path, f"the keys of a table are text, got {clipped(repr(name))}")
        elif child is not None:
            plain = _plain(child, (*path, name), problems)
            if plain is not _NOTHING:
                result[name] = plain
    return result


def _places(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Give the path of all that `value`, at `path`, holds, and how people write it."""
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key), spelled((*path, key))
        if isinstance(child, dict | list):
            yield from _places(child, (*path, key))
