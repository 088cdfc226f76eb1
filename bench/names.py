"""Names given on the command line, against those there are."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class UnknownName(Exception):
    """A name that nothing has, with what was meant perhaps."""


def chosen(given: Sequence[str], known: Sequence[str], *, what: str) -> list[str]:
    """Return those of `known` that are `given`, in the order of `known`; all where none is given.

    `given`: each may be several with commas between. `what`: a row or a peer. Raises :class:`UnknownName`.
    """
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            meant = f"did you mean {close[0]}? " if close else ""
            raise UnknownName(f"there is no {what} called {name!r}: {meant}({', '.join(known)})")
    return [name for name in known if not names or name in names]
