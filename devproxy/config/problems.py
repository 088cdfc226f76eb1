"""What is wrong with a configuration, as values: collected as faults with a path, given out as problems with a place.

A check never stops at the first mistake: it adds a :class:`Fault` to :class:`Faults` and goes on. :class:`Problem` is
what leaves this package. The sentences are plain text without control characters; ``reporting`` lays them out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from devproxy.errors import DevproxyError
from devproxy.text.safe import MAX_SHOWN, clipped, quoted

Path = tuple[str | int, ...]
"""From the top of the document: names of keys and indices of array elements, for example ``("routes", 0, "path")``."""

COMMAND_LINE: Final = "command line"
"""The source of a configuration that no file holds."""

MAX_PROBLEMS: Final = 100
"""More than anybody repairs in one go. Those found after that are left out, which also bounds what they cost."""

_MAX_COMPARED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and what to do about it.

    ``line`` and ``column`` are 1-based and count characters of the text without its byte order mark; 0 means that the
    problem has no place in the file. ``length``: how many characters of that line are at fault, at least 1.
    """

    what: str
    help: str = ""
    line: int = 0
    column: int = 0
    length: int = 0


class ConfigError(DevproxyError):
    """A configuration that cannot be used. ``problems``: all of them, at least one, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{problem.line}:{problem.column}: {problem.what}" for problem in problems))
        self.problems = problems


@dataclass(slots=True, kw_only=True)
class Fault:
    """A problem before its place is known. ``at_key``: the key is at fault, not its value.

    ``other``: another path that the sentence is about; its line is appended in parentheses.
    """

    path: Path
    what: str
    help: str = ""
    at_key: bool = False
    other: Path | None = None


class Faults:
    """Collects at most :data:`MAX_PROBLEMS` faults in ``found``, and remembers what is not to be judged any further."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.bad: set[Path] = set()
        """Paths of wrong values."""
        self._touched: dict[Path, set[str | int]] = {}
        self._meant: dict[Path, list[str]] = {}
        """By table, what is said about its unknown keys."""

    @property
    def is_full(self) -> bool:
        """Whether no more faults are taken, so that looking for what to suggest is in vain."""
        return len(self.found) >= MAX_PROBLEMS

    def at_value(self, path: Path, what: str, help: str = "") -> None:
        """Add a fault of the value at `path`, which counts as bad from now on."""
        self.bad.add(path)
        self._add(Fault(path=path, what=what, help=help))

    def at_key(self, path: Path, what: str, help: str = "", *, other: Path | None = None) -> None:
        """Add a fault of the key, or of the table, at `path`."""
        self._add(Fault(path=path, what=what, help=help, at_key=True, other=other))

    def unknown(self, path: Path, what: str, help: str) -> None:
        """Add a fault of the key at `path`, which there is not; `help` names the one that was meant, if any."""
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
        """Tell whether there is a fault at `path`, two parts long, or below it."""
        return path in self._touched

    def keys_in(self, *path: str | int) -> frozenset[str | int]:
        """Return the keys of the table at `path`, two parts long, at or below which there are faults."""
        return frozenset(self._touched.get(path, ()))

    def _add(self, fault: Fault) -> None:
        self._touched.setdefault(fault.path[:2], set()).update(fault.path[2:3])
        if not self.is_full:
            self.found.append(fault)


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
    """Return a key as it stands in TOML, quoted where it must be."""
    is_bare = bool(name) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return clipped(name) if is_bare or name == "-" else quoted(name)


def suggestion(wrong: str, known: list[str]) -> str:
    """Return the member of `known` that `wrong` most likely stands for, or an empty string."""
    from difflib import get_close_matches  # only errors need it

    if len(wrong) > MAX_SHOWN:
        return ""
    folded = {name.lower().replace("-", "_"): name for name in known[:_MAX_COMPARED]}
    close = get_close_matches(wrong.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def one_of(names: tuple[str, ...] | list[str]) -> str:
    """Return ``"a", "b" or "c"``."""
    shown = [quoted(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
