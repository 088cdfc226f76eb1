"""The edits to a response's head on its way to the client, as a value: which lines are dropped and which are added.

Says nothing of the connection to the client, nor of the version of HTTP that is spoken there: the writer of the head
adds that (:mod:`devproxy.http1.render`). ``plan`` makes these values. Why heads are edits: ADR 0010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from devproxy.http.messages import ResponseHead


class FieldRepair(NamedTuple):
    """A field line that takes the place of another, and why: a clause without a full stop for each change."""

    line: bytes
    reasons: tuple[str, ...]


@dataclass(slots=True, eq=False)
class ResponseEdits:
    """What to do to a response's head; immutable but for what is remembered.

    ``lines``: all that there are in the end; None: the same is to be done to every head with the same facts, and no
    more than this. ``dropped``: the lines that go, each between two CRLFs; ``added``: those that come after the
    others. ``last``: lines that come after those of the connection.

    Remembered: ``tail``, what ends the head where HTTP/1.1 adds nothing (empty: it was not asked for, or adds
    something); ``verdicts``, what a browser does with the head (see :func:`devproxy.plan.advice_on`), None: not asked.
    """

    lines: list[bytes] | None = None
    dropped: tuple[bytes, ...] = ()
    added: tuple[bytes, ...] = ()
    last: tuple[bytes, ...] = ()
    tail: bytes = b""
    verdicts: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None

    def is_known_to_be_fine(self, scheme: str) -> bool:
        """Tell whether a browser that asked by `scheme` is known to take the head, with cookies and without."""
        return self.verdicts == (scheme, (), ())

    def lines_of(self, head: ResponseHead) -> list[bytes]:
        """Return the lines of `head` after these edits, but for ``last``."""
        if self.lines is not None:
            return self.lines
        lines = [*head.lines]
        for dropped in self.dropped:
            line = dropped[2:-2]
            while line in lines:
                lines.remove(line)
        lines += self.added
        return lines

    def ending_with(self, line: bytes) -> ResponseEdits:
        """Return these edits with `line` after all others."""
        return ResponseEdits(self.lines, self.dropped, self.added, (*self.last, line))
