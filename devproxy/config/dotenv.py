"""A file of variables (``.env``) -> the variables, or every problem at once with its line and column.

Pure: opens no file, and runs nothing. The format is what docker compose and the dotenv libraries agree on:

- ``NAME=value``, with ``export`` before it or not, and blanks around ``=``; empty lines; lines that begin with ``#``.
- A value without quotes ends with the line, or before `` #``; blanks around it go.
- In single quotes only ``\\'`` and ``\\\\`` have a meaning, in double quotes ``\\n``, ``\\r``, ``\\t``, ``\\"``,
  ``\\'``, ``\\\\`` and ``\\$``. Either may go over several lines.
- ``${NAME}`` and ``${NAME:-default}`` are replaced, except in single quotes: by what the process was started with, else
  by what is further up in the file, else by nothing.
- ``NAME`` alone says that the process's own value is meant, as all of its values go before those of a file.

Start at :func:`read_variables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from devproxy.config.problems import ConfigError, Problem
from devproxy.text.bad import BadText
from devproxy.text.limits import MAX_FILE_BYTES
from devproxy.text.safe import quoted

MAX_VARIABLES: Final = 10_000
MAX_REPLACED: Final = 1 << 20
"""Most characters that come from variables which values name, in the whole file."""

_BLANK: Final = re.compile(r"[ \t\n]*(?:#[^\n]*(?:\n[ \t\n]*|\Z))*")
_NAME: Final = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*")
_PLAIN: Final = re.compile(r"[^\n]*")
_SINGLE: Final = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_DOUBLE: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_COMMENT: Final = re.compile(r"[ \t]#")
_REST: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPED: Final = re.compile(r"\\([nrt\"'\\$])|\$\{([^{}\n]*)\}")
_NAMED: Final = re.compile(r"\$\{([^{}\n]*)\}")
_SINGLE_ESCAPED: Final = re.compile(r"\\([\\'])")
_MEANT: Final = {"n": "\n", "r": "\r", "t": "\t"}


class Line(NamedTuple):
    """One variable, and its 1-based line."""

    name: str
    value: str
    line: int


def read_variables(text: bytes, known: Mapping[str, str]) -> tuple[Line, ...]:
    """Return what `text` (UTF-8, a byte order mark is ignored) sets; `known`: what the process was started with.

    Of a name that is there twice, the last one counts, and both are returned. Raises :class:`ConfigError` with the
    first thing that is wrong.
    """
    if len(text) > MAX_FILE_BYTES:
        what = f"the file has more than the {MAX_FILE_BYTES} bytes that a file of variables may have"
        raise ConfigError((Problem(what=what, help="is this the right file?"),))
    try:
        decoded = text.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        what = f"the file is not UTF-8: byte 0x{error.object[error.start]:02x}"
        raise ConfigError((Problem(what=what, help="save the file as UTF-8", line=line, column=1, length=1),)) from None
    return tuple(_Reader(decoded.replace("\r\n", "\n"), known).lines())


class _Reader:
    def __init__(self, text: str, known: Mapping[str, str]) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._known = known
        self._left = MAX_REPLACED
        self._found: dict[str, str] = {}

    def lines(self) -> list[Line]:
        lines: list[Line] = []
        while True:
            self._take(_BLANK)
            if self._at >= len(self._text):
                return lines
            if len(lines) >= MAX_VARIABLES:
                self._refuse(self._at, f"more than {MAX_VARIABLES} variables", "is this the right file?")
            start = self._at
            name = self._name()
            if not self._text.startswith("=", self._at):
                self._end(start, f"there is no `=` after {quoted(name)}", f"write {name}=value")
                continue
            self._at += 1
            value = self._value(name)
            if "\0" in value:
                self._refuse(start, f"the value of {quoted(name)} has a NUL", "no variable can hold one")
            self._found[name] = value
            lines.append(Line(name, value, self._line_of(start)))

    def _name(self) -> str:
        match = self._take(_NAME)
        if match is None:
            word = re.compile(r"[^\s=]*").match(self._text, self._at)
            shown = quoted(word[0] if word else "")
            self._refuse(self._at, f"{shown} is not the name of a variable", "letters, digits and _, as in PORT=3001")
        return match[1]

    def _value(self, name: str) -> str:
        start = self._at
        self._take(re.compile(r"[ \t]*"))
        quote = self._text[self._at : self._at + 1]
        if quote not in ("'", '"'):
            plain = self._plain(start)
            return self._replaced(_NAMED, plain, start)
        match = self._take(_SINGLE if quote == "'" else _DOUBLE)
        if match is None:
            self._refuse(self._at, "the closing quote is missing", f"write {quote} at the end of the value")
        self._end(self._at, f"there is more after the value of {quoted(name)}", "write the whole value in quotes")
        if quote == "'":
            return _SINGLE_ESCAPED.sub(r"\1", match[1])
        return self._replaced(_ESCAPED, match[1], start)

    def _plain(self, start: int) -> str:
        """Return the rest of the line without its comment; `start`: where the value begins, behind the ``=``."""
        self._at = start
        match = self._take(_PLAIN)
        text = match[0] if match else ""
        comment = _COMMENT.search(text)
        return (text[: comment.start()] if comment else text).strip()

    def _replaced(self, pattern: re.Pattern[str], text: str, start: int) -> str:
        """Return `text` with its escapes and the variables that it names replaced."""
        try:
            value = pattern.sub(self._meant, text)
        except BadText as error:
            self._refuse(start, error.what, error.help)
        return value

    def _meant(self, match: re.Match[str]) -> str:
        inner = match[match.re.groups]
        if inner is None:
            return _MEANT.get(match[1], match[1])
        name, has_default, default = inner.partition(":-")
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name) is None:
            raise BadText(
                f"{quoted('${' + inner + '}')} does not name a variable", "for a plain `$`, use single quotes"
            )
        value = self._known.get(name, self._found.get(name, ""))
        self._left -= len(value)
        if self._left < 0:
            what = f"the values that this file names come to more than {MAX_REPLACED} characters"
            raise BadText(what, "is this the right file?")
        return default if has_default and not value else value

    def _end(self, start: int, what: str, help: str) -> None:
        """Go over the end of the line; refuse with `what` where there is more."""
        if self._take(_REST) is None:
            self._refuse(start, what, help)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def _line_of(self, at: int) -> int:
        """Return the 1-based line of `at`, which is not before what was asked for last."""
        self._line += self._text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _refuse(self, at: int, what: str, help: str) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        end = self._text.find("\n", at)
        length = max(1, (len(self._text) if end < 0 else end) - at)
        raise ConfigError((Problem(what=what, help=help, line=line, column=column, length=length),))
