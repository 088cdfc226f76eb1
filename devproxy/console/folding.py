"""Which exchanges share a line that counts them, and when that line is over.

Pure: what ended, in its shortest form, and the time go in, folds come out. A page's own files and the polls of
Engine.IO sessions are folded where all went well; whatever failed, was slow or has something to be said of it has a
line of its own, as has every document, API call and WebSocket. Start at :class:`Folding`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from devproxy.events import Entry, Event, ExchangeFinished, Outcome, TunnelClosed, TunnelOpened, finished_of
from devproxy.realtime.engineio import passes_messages

Kind = Literal["file", "poll"]
FILE: Final = "file"
POLL: Final = "poll"

SLOW_S: Final = 1.0
"""What took longer has its own line; but for a poll, which lasts until the server has something to say."""

QUIET_S: Final = 1.0
"""Where nothing has come for so long, whatever has a line of its own ends the fold, so that lines stay in order."""

GOES_ON_S: Final = {FILE: QUIET_S, POLL: 30.0}
"""Where nothing has come for so long, a fold is over; servers of Engine.IO answer a poll after 25 seconds at most."""

MAX_FOLDS: Final = 4
"""Folds at a time. Where there are more, the one ends in which nothing has come for longest."""

_FILES: Final = frozenset(
    b"audio audioworklet font image json manifest paintworklet script serviceworker sharedworker style text track "
    b"video worker xslt".split()
)
"""Destinations of what a page consists of (Fetch standard, section 2.2.5): no documents, no reports, no `fetch`."""

_NOT_MODIFIED: Final = 304
_COMPLETE: Final = Outcome.COMPLETE  # looking it up in its class costs as much as ten comparisons


def kind_of(method: bytes, target: bytes, status: int, destination: bytes, duration_s: float) -> Kind | None:
    """Return as what an exchange is folded that is complete and of which there is no more to say; None: it has a line
    of its own."""
    if not (200 <= status < 300 or status == _NOT_MODIFIED):
        return None
    if target.find(b"EIO=") >= 0:  # half the price of `in`
        is_fine = method == b"GET" or (method == b"POST" and duration_s < SLOW_S)
        return POLL if is_fine and passes_messages(target) else None
    return FILE if destination in _FILES and method == b"GET" and duration_s < SLOW_S else None


@dataclass(slots=True, eq=False)
class Fold:
    """Exchanges that share a line, at least one. ``first``: the first of them.

    ``counts``: how many there are, by method and status. ``began_at``, ``ended_at``: when the first was asked for and
    the last was over, in seconds since the epoch. ``request_bytes``, ``response_bytes``: of all of them. ``until_s``,
    ``last_s``: when it is over at the latest, and when the last came, by the clock of the :class:`Folding`.
    """

    kind: Kind
    first: ExchangeFinished
    began_at: float
    until_s: float
    ended_at: float = 0.0
    last_s: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0
    counts: defaultdict[tuple[bytes, int], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def over_at(self) -> float:
        """When it is over, if nothing comes."""
        return min(self.last_s + GOES_ON_S[self.kind], self.until_s)

    @property
    def count(self) -> int:
        """How many exchanges there are."""
        return sum(self.counts.values())


class Folding:
    """The folds that are open: one for the files, and one for the polls, of each route and upstream.

    `max_age_s`: a fold is over after that at the latest, for readers that see it only then. ``open``: in the order in
    which they began. Times are seconds of one clock, whichever it is, but for `at`: since the epoch.
    """

    def __init__(self, *, max_age_s: float = float("inf")) -> None:
        self._max_age_s = max_age_s
        self._open: dict[tuple[Kind, str, str], Fold] = {}

    @property
    def open(self) -> list[Fold]:
        """The folds that more may come to."""
        return list(self._open.values())

    @property
    def deadline(self) -> float | None:
        """When the next of them is over, if nothing comes; None: there is none."""
        return min((fold.over_at for fold in self._open.values()), default=None)

    def add(self, at: float, end: tuple[object, ...], now: float) -> list[Fold] | None:
        """Count `end`, the fields of an :class:`~devproxy.events.Entry`; return the folds that are over then, usually
        none. None: it has a line of its own, and is not counted.
        """
        # fmt: off
        (
            _, method, target, facts, _, _, _, started, ended, _, status, route, upstream, _, outcome,
            request_bytes, response_bytes, _, detail, has_advice, _,
        ) = cast("Entry", end)
        # fmt: on
        if outcome is not _COMPLETE or has_advice or detail or facts is None or facts.upgrade:
            return None
        duration_s = ended - started
        kind = kind_of(method, target, status, facts.fetch_dest, duration_s)
        if kind is None:
            return None
        key = kind, route, upstream
        fold = self._open.get(key)
        over: list[Fold] = []
        if fold is None or now >= fold.last_s + GOES_ON_S[kind] or now >= fold.until_s:
            over = self.due(now)
            if len(self._open) >= MAX_FOLDS:
                over += self._end([min(self._open.values(), key=lambda one: one.last_s)])
            fold = self._open[key] = Fold(kind, finished_of(end), at, now + self._max_age_s)
        fold.counts[method, status] += 1
        fold.request_bytes += request_bytes
        fold.response_bytes += response_bytes
        if at - duration_s < fold.began_at:
            fold.began_at = at - duration_s
        fold.ended_at, fold.last_s = at, now
        return over

    def interrupt(self, event: Event, now: float) -> list[Fold]:
        """Return the folds that are over because `event` has a line of its own, which comes below theirs.

        A page that is opened or loaded again ends them all, and so does what belongs to no exchange, such as a server
        that has gone; all else has its line while they go on, if they do.
        """
        if isinstance(event, ExchangeFinished | TunnelOpened | TunnelClosed) and not _is_document(event):
            return self._end_quiet(now)
        return self.end()

    def due(self, now: float) -> list[Fold]:
        """Return the folds that are over because nothing has come for long, or because they are old.

        Where there is one, it ends those that are quiet as any other line does.
        """
        deadline = self.deadline
        return [] if deadline is None or now < deadline else self._end_quiet(now)

    def end(self) -> list[Fold]:
        """Return all folds: no more comes to them."""
        return self._end(self.open)

    def _end_quiet(self, now: float) -> list[Fold]:
        return self._end([fold for fold in self.open if now >= fold.last_s + QUIET_S or now >= fold.until_s])

    def _end(self, over: list[Fold]) -> list[Fold]:
        self._open = {key: fold for key, fold in self._open.items() if fold not in over}
        return sorted(over, key=lambda fold: fold.last_s)


def _is_document(event: ExchangeFinished | TunnelOpened | TunnelClosed) -> bool:
    return isinstance(event, ExchangeFinished) and event.destination == b"document"
