"""Where every key and value of a TOML document is.

``tomli`` gives values without places, so this scanner walks over a text that ``tomli`` has already accepted and notes,
for each path, where its key and its value are. It never judges the text and never reads a value: that keeps it short,
linear in time and free of recursion. Standard: TOML 1.0 (and the line breaks in inline tables of 1.1).

Start at :func:`positions`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, NamedTuple

import tomli

from devproxy.config.problems import Path

_BLANK: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[^\s.=\]#\"']+")
_BASIC_STRING: Final = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"')
_LITERAL_STRING: Final = re.compile(r"'[^'\n]*'")
_BASIC_BLOCK: Final = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}', re.DOTALL)
_LITERAL_BLOCK: Final = re.compile(r"'''(?:[^']|'(?!''))*+'{3,5}", re.DOTALL)
_BARE_VALUE: Final = re.compile(r"[^,\]}#\n]+")

MAX_DEPTH: Final = 16
"""What lies deeper has no place of its own. No known key does, and paths that grow without bound cost memory."""


class Span(NamedTuple):
    """Offsets into the text, ends exclusive. Of an array's element the key is the value."""

    key_start: int
    key_end: int
    value_start: int
    value_end: int


class _Lost(Exception):
    """The text is not what ``tomli`` accepts; whatever was found so far still holds."""


def positions(text: str) -> dict[Path, Span]:
    """Return the span of every path in `text`, whose line ends are LF and which ``tomli`` accepts.

    A table that a header opens has the header as its span. Bounded by the length of `text`; raises nothing.
    """
    scanner = _Scanner(text)
    try:
        scanner.document()
    except _Lost:  # better some places than none
        pass
    return scanner.spans


class Lines:
    """Line and column of offsets into one text."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, start: int, end: int) -> tuple[int, int, int]:
        """Return 1-based line and column of `start`, and how many characters up to `end` that line has, at least 1."""
        line = bisect_right(self._starts, start)
        line_end = self._starts[line] - 1 if line < len(self._starts) else self._length
        return line, start - self._starts[line - 1] + 1, max(1, min(end, line_end) - start)


class Places:
    """Where the paths of one text are; the text is scanned once."""

    def __init__(self, text: str) -> None:
        self._spans = positions(text)
        self._lines = Lines(text)

    def lines(self) -> dict[Path, int]:
        """Return the 1-based line in which each path starts."""
        return {path: self._lines.place(span.key_start, span.key_start)[0] for path, span in self._spans.items()}

    def place(self, path: Path, at_key: bool) -> tuple[int, int, int]:
        """Return 1-based line and column of the value at `path`, or of its key, and its length; all 0 for nowhere.

        What has no place of its own has that of its container: a short form has no keys.
        """
        for end in range(len(path), 0, -1):
            span = self._spans.get(path[:end])
            if span is not None:
                has_key = end == len(path) or span.key_end > span.key_start
                return self._lines.place(*(span[:2] if at_key and has_key else span[2:]))
        return 0, 0, 0


class _Open:
    """An array or inline table whose end has not come yet. ``index``: of the element that comes next."""

    def __init__(self, path: Path, key: tuple[int, int], start: int, *, is_array: bool) -> None:
        self.path = path
        self.key = key
        self.start = start
        self.is_array = is_array
        self.index = 0


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: dict[Path, Span] = {}
        self._counts: dict[Path, int] = {}
        """How many elements each array of tables has so far."""

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """Read ``[a.b]`` or ``[[a.b]]``; return the path of the table that it opens."""
        start = self.at
        is_element = self.text.startswith("[[", start)
        self.at += 2 if is_element else 1
        parts = self._keys()
        self._expect("]")
        if is_element:
            self._expect("]")
        path: Path = ()
        for position, (name, key_start, key_end) in enumerate(parts):
            path = _below(path, name)
            is_last = position == len(parts) - 1
            if is_last and is_element:
                self._counts[path] = self._counts.get(path, 0) + 1
            self.spans.setdefault(path, Span(key_start, key_end, start, self.at))
            if path in self._counts:
                path = _below(path, self._counts[path] - 1)
                self.spans.setdefault(path, Span(start, self.at, start, self.at))
        return path

    def _pair(self, table: Path) -> None:
        """Read ``key = value`` and everything inside the value, without recursion."""
        stack: list[_Open] = []
        self._start_value(*self._key_and_equals(table), stack)
        while stack:
            self._skip(_BLANK)
            top = stack[-1]
            char = self.text[self.at : self.at + 1]
            if char == ("]" if top.is_array else "}"):
                self.at += 1
                stack.pop()
                self.spans[top.path] = Span(*top.key, top.start, self.at)
            elif char == ",":
                self.at += 1
            elif top.is_array:
                path = _below(top.path, top.index)
                top.index += 1
                self._start_value(path, None, stack)
            else:
                self._start_value(*self._key_and_equals(top.path), stack)

    def _key_and_equals(self, table: Path) -> tuple[Path, tuple[int, int]]:
        """Read a key, dotted or not, and its ``=``; note the tables that a dotted key makes on its way."""
        path = table
        parts = self._keys()
        self._expect("=")
        self._skip(_SPACE)
        for name, start, end in parts[:-1]:
            path = _below(path, name)
            self.spans.setdefault(path, Span(start, end, start, end))
        name, start, end = parts[-1]
        return _below(path, name), (start, end)

    def _keys(self) -> list[tuple[str, int, int]]:
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            parts.append((self._key(), start, self.at))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _key(self) -> str:
        char = self.text[self.at : self.at + 1]
        if char == '"':
            raw = self._take(_BASIC_STRING)
            return _unescaped(raw) if "\\" in raw else raw[1:-1]
        if char == "'":
            return self._take(_LITERAL_STRING)[1:-1]
        return self._take(_BARE_KEY)

    def _start_value(self, path: Path, key: tuple[int, int] | None, stack: list[_Open]) -> None:
        """Read a whole plain value, or open an array or an inline table."""
        start = self.at
        char = self.text[start : start + 1]
        if char in ("[", "{"):
            self.at += 1
            stack.append(_Open(path, key or (start, start + 1), start, is_array=char == "["))
            return
        if char == '"':
            self._take(_BASIC_BLOCK if self.text.startswith('"""', start) else _BASIC_STRING)
        elif char == "'":
            self._take(_LITERAL_BLOCK if self.text.startswith("'''", start) else _LITERAL_STRING)
        else:
            self.at = start + len(self._take(_BARE_VALUE).rstrip())
        self.spans[path] = Span(*(key or (start, self.at)), start, self.at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Lost
        self.at = match.end()
        return match[0]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _expect(self, char: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(char, self.at):
            raise _Lost
        self.at += 1


def _below(path: Path, part: str | int) -> Path:
    return (*path, part) if len(path) < MAX_DEPTH else path


def _unescaped(raw: str) -> str:
    try:
        return str(tomli.loads(f"key = {raw}")["key"])
    except tomli.TOMLDecodeError:
        raise _Lost from None
