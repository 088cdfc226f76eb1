r"""What a program writes, in the pieces in which it comes -> whole lines, however it is written. Pure.

A progress bar (``10%\r20%\r``) is one line that changes: only what it says in the end is a line here. A prompt has no
line end: what is left for a while is taken for a line. Start at :class:`Splitter`.
"""

from __future__ import annotations

import codecs
from typing import Final

MAX_LINE: Final = 8192
"""Longest line, in characters; a longer one is cut into several."""


class Splitter:
    """Makes lines of pieces. ``is_waiting``: a line has begun and not ended."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def is_waiting(self) -> bool:
        """Whether there is a line that has begun and not ended."""
        return bool(self._rest)

    def take(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes, without line ends."""
        text = self._rest + self._decoder.decode(data)
        *whole, self._rest = text.split("\n")
        lines = [piece for line in whole for piece in _pieces(_last_state(line))]
        if "\r" in self._rest:  # what has been written over is not needed any more, but what may follow it is
            self._rest = _last_state(self._rest) + ("\r" if self._rest.endswith("\r") else "")
        while len(self._rest) > MAX_LINE:
            lines.append(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]
        return lines

    def flush(self) -> list[str]:
        """Return what there is of the line that has not ended, as a line of its own."""
        rest, self._rest = self._rest, ""
        return [piece for piece in _pieces(_last_state(rest)) if piece]

    def end(self) -> list[str]:
        """Return what is left when no more comes."""
        return [*self.take(self._decoder.decode(b"", final=True).encode()), *self.flush()]


def _last_state(line: str) -> str:
    """Return what `line` shows after everything in it has been written over by what follows a carriage return."""
    return line.rstrip("\r").rpartition("\r")[2]


def _pieces(line: str) -> list[str]:
    return [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)] or [""]
