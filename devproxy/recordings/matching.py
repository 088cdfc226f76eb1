"""Which recorded answer a request gets: by method, path and query, in the order of the recording.

What has been answered as often as it was recorded gets the last of these answers again. Pure, but for how often each
has been asked for. Start at :meth:`Replay.find`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from devproxy.recordings.model import Entry, Recording
from devproxy.text.safe import clipped, visible

Key = tuple[bytes, bytes, tuple[bytes, ...]]
"""Method, path and the parts of the query, in an order of their own."""

MAX_NEAR: Final = 3
_MAX_COMPARED: Final = 200
_MAX_LOOKED: Final = 5000
_MAX_SHOWN: Final = 120
_CHANGES_EACH_TIME: Final = (b"_",)
"""Parameters by which clients keep caches from answering (jQuery)."""
_CHANGES_IN_ENGINEIO: Final = (b"_", b"t")


class Miss(NamedTuple):
    """That nothing is recorded for a request. ``near``: what is, that comes nearest: ``GET /api/items``."""

    near: tuple[str, ...]


class Replay:
    """The answers of `recording`, of which each request gets the next."""

    def __init__(self, recording: Recording) -> None:
        self._groups: dict[tuple[Key, bytes], list[Entry]] = {}
        self._asked: dict[tuple[Key, bytes, bytes | None], int] = {}
        for entry in recording.entries:
            self._groups.setdefault((key_of(entry.method, entry.target), entry.range), []).append(entry)

    def find(self, method: bytes, *targets: bytes, range: bytes = b"", body: bytes = b"") -> Entry | Miss:
        """Return what answers a request for the first of `targets`, by which it is known, that is recorded.

        A part of a body answers nothing but a request for the same `range`. Of requests with a `body`, those that were
        recorded with the same one count, where there are any. HEAD gets what GET was answered.
        """
        for name in dict.fromkeys((method, b"GET" if method == b"HEAD" else method)):
            for target in targets:
                key = key_of(name, target)
                for part in dict.fromkeys((range, b"")):
                    if group := self._groups.get((key, part)):
                        return self._next(key, part, group, body)
        return Miss(tuple(self._near(method, targets[0])))

    def _next(self, key: Key, part: bytes, group: list[Entry], body: bytes) -> Entry:
        alike = [entry for entry in group if entry.sent == body] if body else []
        place = (key, part, body if alike else None)
        number = self._asked.get(place, 0)
        self._asked[place] = number + 1
        found = alike or group
        return found[min(number, len(found) - 1)]

    def _near(self, method: bytes, target: bytes) -> Iterator[str]:
        """Give what is recorded that comes nearest: other methods of the path, then other queries, then other paths."""
        from difflib import get_close_matches  # only misses need it

        wanted = key_of(method, target)
        first: dict[Key, Entry] = {}
        for (key, _), group in islice(self._groups.items(), _MAX_LOOKED):
            first.setdefault(key, group[0])
        same = [entry for key, entry in first.items() if key[1] == wanted[1]]
        names = {_shown(entry): None for entry in first.values()}
        close = get_close_matches(
            f"{method.decode('latin-1')} {target.decode('latin-1')}"[:_MAX_SHOWN],
            list(names)[:_MAX_COMPARED],
            n=MAX_NEAR,
        )
        yield from list(dict.fromkeys((*map(_shown, same[:MAX_NEAR]), *close)))[:MAX_NEAR]


def _shown(entry: Entry) -> str:
    return visible(clipped(f"{entry.method.decode('latin-1')} {entry.target.decode('latin-1')}", _MAX_SHOWN))


def key_of(method: bytes, target: bytes) -> Key:
    """Return by what a request is known: encoding and the order of a query do not matter.

    Nor do parameters that are new each time: `_`, and `t` in requests of Engine.IO.
    """
    path, _, query = target.partition(b"?")
    new = _CHANGES_IN_ENGINEIO if b"EIO=" in query else _CHANGES_EACH_TIME
    parts = [part for part in query.split(b"&") if part and part.partition(b"=")[0] not in new]
    return method, unquote_to_bytes(path), tuple(sorted(unquote_to_bytes(part.replace(b"+", b" ")) for part in parts))
