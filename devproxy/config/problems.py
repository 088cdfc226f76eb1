"""What is wrong with a configuration, as values.

A check never stops at the first mistake: it adds a :class:`Problem` to :class:`Problems` by the path of what is wrong,
which becomes a place in the file, and goes on. The sentences are plain text without control characters;
``reporting`` lays them out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from devproxy.errors import DevproxyError
from devproxy.text.bad import BadText
from devproxy.text.safe import MAX_SHOWN, clipped, quoted, visible

_T = TypeVar("_T")
_In = TypeVar("_In")

Path = tuple[str | int, ...]
"""From the top of the document: names of keys and indices of array elements, for example ``("routes", 0, "path")``."""

COMMAND_LINE: Final = "command line"
"""The source of a configuration that no file holds."""

MAX_PROBLEMS: Final = 100
"""More than a person repairs at once. Those found after that are left out, which also bounds what they cost."""

_MAX_COMPARED: Final = 100


class Problem(NamedTuple):
    """One thing that is wrong, and what to do about it.

    ``line`` and ``column`` are 1-based and count characters of the text without its byte order mark; 0 means that the
    problem has no place in the file. ``length``: how many characters of that line are at fault, at least 1.
    ``source``: what said it, where that is not the file: a variable of the environment.
    """

    what: str
    help: str = ""
    line: int = 0
    column: int = 0
    length: int = 0
    source: str = ""


class ConfigError(DevproxyError):
    """A configuration that cannot be used. ``problems``: all of them, at least one, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{problem.line}:{problem.column}: {problem.what}" for problem in problems))
        self.problems = problems


Place = Callable[[Path, bool], tuple[int, int, int]]
"""Gives line, column and length, as in :class:`Problem`, of the value at a path; of its key if the second one says so.
All are 0 where it has no place."""


class Problems:
    """Collects at most :data:`MAX_PROBLEMS` in ``found``, and remembers what is not to be judged any further."""

    def __init__(self, place: Place) -> None:
        self.found: dict[Problem, None] = {}
        self.bad: set[Path] = set()
        """Paths of wrong values."""
        self._place = place
        self._touched: dict[Path, set[str | int]] = {}
        self._meant: dict[Path, list[str]] = {}
        """By table, what is said about its unknown keys."""
        self._origins: dict[Path, tuple[str, str]] = {}
        """What variables set: the variable, and where it is; empty: it is named in the file, in a value."""

    def in_order(self) -> tuple[Problem, ...]:
        """Return all of them in the order of the file; those of the whole file come last."""
        return tuple(sorted(self.found, key=lambda problem: (problem.line or 1 << 30, problem.column)))

    @property
    def is_full(self) -> bool:
        """Whether no more problems are taken, so that looking for what to suggest is in vain."""
        return len(self.found) >= MAX_PROBLEMS

    def come_from(self, path: Path, variable: str, place: str = "") -> None:
        """Note that the value at `path` is that of `variable`. `place`: where that is; empty: the file names it."""
        self._origins[path] = (variable, place)

    def elsewhere(self, source: str, what: str, help: str = "") -> None:
        """Add a problem of what `source` says, which is not the file."""
        if not self.is_full:
            self.found[Problem(what=what, help=help, source=source)] = None

    def at_value(self, path: Path, what: str, help: str = "") -> None:
        """Add a problem of the value at `path`, which counts as bad from now on."""
        self.bad.add(path)
        self._add(path, what, help, at_key=False)

    def at_key(self, path: Path, what: str, help: str = "", *, other: Path = ()) -> None:
        """Add a problem of the key, or of the table, at `path`. `other`: a path whose line is named with it."""
        line, _, _ = self._place(other, True)
        self._add(path, f"{what} (line {line})" if line else what, help, at_key=True)

    def read(self, parse: Callable[[_In], _T], text: _In, path: Path, *, at_key: bool = False) -> _T | None:
        """Return what `parse` makes of `text`, the value (or the key) at `path`; None where it raises :class:`BadText`.

        That becomes a problem.
        """
        try:
            return parse(text)
        except BadText as error:
            from devproxy.config.foreign import meant_variable  # only problems need it

            add = self.at_key if at_key else self.at_value
            help = "" if self._origin(path) else meant_variable(text)
            add(path, visible(error.what), visible(help or error.help))
            return None

    def read_all(
        self, parse: Callable[[_In], _T], texts: Sequence[_In], path: Path, *, most: int, noun: str, help: str
    ) -> tuple[_T, ...]:
        """Return what `parse` makes of each of `texts`, the list at `path`, without repeats and those that are wrong.

        `noun`, `help`: of the problem that there are more than `most` of them, in which case none is read.
        """
        if len(texts) > most:
            self.at_value(path, f"at most {most} {noun}, got {len(texts)}", help)
            return ()
        return tuple(dict.fromkeys(one for one in self.read_each(parse, texts, path) if one is not None))

    def read_each(self, parse: Callable[[_In], _T], texts: Sequence[_In], path: Path) -> list[_T | None]:
        """Do for each of `texts`, the list at `path`, what :meth:`read` does."""
        return [self.read(parse, text, (*path, index)) for index, text in enumerate(texts)]

    def unknown(self, path: Path, what: str, help: str) -> None:
        """Add a problem of the key at `path`, which there is not; `help` names the one that was meant, if any."""
        self._meant.setdefault(path[:-1], []).append(help)
        self.at_key(path, what, help)

    def excuses(self, table: Path, *names: str) -> bool:
        """Tell whether a problem explains that `table` has none of `names`: a wrong value, or a key that meant one."""
        if any(self.is_bad(*table, name) for name in names):
            return True
        # Not as a part of another name (`cookies.path`), nor as a value (`host = "upstream"`).
        is_named = re.compile(rf"""(?<![.\w"/])(?:{"|".join(names)})(?![.\w])""").search
        return any(is_named(help) and not help.startswith("known here") for help in self._meant.get(table, ()))

    def is_bad(self, *path: str | int) -> bool:
        """Tell whether the value at `path`, or one that holds it, has been found to be wrong."""
        return any(path[:end] in self.bad for end in range(1, len(path) + 1))

    def has_any_in(self, *path: str | int) -> bool:
        """Tell whether there is a problem at `path`, two parts long, or below it."""
        return path in self._touched

    def keys_in(self, *path: str | int) -> frozenset[str | int]:
        """Return the keys of the table at `path`, two parts long, at or below which there are problems."""
        return frozenset(self._touched.get(path, ()))

    def _origin(self, path: Path) -> Path:
        """Return the path, that of the value at `path` or of what holds it, which a variable set; empty: none did."""
        return next((path[:end] for end in range(len(path), 0, -1) if path[:end] in self._origins), ())

    def _add(self, path: Path, what: str, help: str, *, at_key: bool) -> None:
        self._touched.setdefault(path[:2], set()).update(path[2:3])
        if self.is_full:
            return
        origin = self._origin(path)
        variable, source = self._origins.get(origin, ("", ""))
        if source:
            # A line to type is one of the file: `listen = 8080` is DEVPROXY_SERVER_LISTEN=8080 here.
            help = re.sub(rf"\b{re.escape(str(origin[-1]))} = ", f"{variable}=", help)
            self.elsewhere(source, what, help)
        else:
            what = f"{what} (the value of {variable})" if variable else what
            line, column, length = self._place(path, at_key)
            self.found[Problem(what=what, help=help, line=line, column=column, length=length)] = None


def spelled(path: Path) -> str:
    """Return `path` as people write it: ``routes[0].cors``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + key_text(part)
    return text


def key_text(name: str) -> str:
    """Return a key as it is written in TOML, quoted where it must be."""
    is_bare = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return clipped(name) if is_bare or name == "-" else quoted(name)


def suggestion(wrong: str, known: list[str]) -> str:
    """Return the member of `known` that `wrong` most likely means, or an empty string."""
    from difflib import get_close_matches  # only errors need it

    if len(wrong) > MAX_SHOWN:
        return ""
    folded = {name.lower().replace("-", "_"): name for name in known[:_MAX_COMPARED]}
    close = get_close_matches(wrong.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def one_of(names: tuple[str, ...] | list[str]) -> str:
    """Return ``"a", "b" or "c"``."""
    return either([quoted(name) for name in names])


def either(words: Sequence[str]) -> str:
    """Return ``a, b or c``."""
    return " or ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else str(words[0])
