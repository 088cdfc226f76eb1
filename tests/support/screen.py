"""A terminal's screen, as far as devproxy uses one: it shows what was written, and what was written over is gone."""

from __future__ import annotations

import re

_STEP = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|(\r\n|[\r\n])|([^\x1b\r\n\x07]+)|\x07")


class Screen:
    """Endlessly high and wide. ``rows``: what is to be seen, from above."""

    def __init__(self) -> None:
        self._rows = [""]
        self._row = self._column = 0

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self._rows]

    def write(self, text: str) -> None:
        """Show `text`. Raises AssertionError for what this terminal does not know."""
        position = 0
        while position < len(text):
            step = _STEP.match(text, position)
            assert step, text[position : position + 20]
            position = step.end()
            number, command, control, words = step.groups()
            if words:
                self._show(words)
            elif control:
                self._column = 0
                if control != "\r":
                    self._row += 1
                    self._rows += [""] * (self._row + 1 - len(self._rows))
            elif command == "A":
                self._row -= int(number or 1)
                assert self._row >= 0
            elif command == "J":
                self._rows[self._row :] = [self._rows[self._row][: self._column]]
            else:
                assert command in {None, "m", "h", "l"}, command

    def _show(self, words: str) -> None:
        row = self._rows[self._row].ljust(self._column)
        self._rows[self._row] = row[: self._column] + words + row[self._column + len(words) :]
        self._column += len(words)
