"""What the inspector knows: rows made of what the recorder has kept, bounded in number and in bytes.

Of one thread alone, the inspector's. Knows nothing of JSON, HTTP or pages: :mod:`devproxy.inspector.rows` and its
neighbours show what is here. Rows have a version that rises with each change of any of them, so that a page that was
away learns what it missed by one number. Start at :class:`Store`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from devproxy.events import (
    Capturing,
    ConfigApplied,
    ConfigMissing,
    ConfigRejected,
    Entry,
    Event,
    Evidence,
    ExchangeStarted,
    RequestSent,
    ResponseBegun,
    TunnelClosed,
    TunnelOpened,
    UpstreamState,
)
from devproxy.inspector import rows
from devproxy.inspector.findings import findings_on
from devproxy.inspector.rows import DONE, OPEN, SENT, STREAMING, WAITING, Row, Tunnel

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Budget, Capture
    from devproxy.inspector.recorder import End

MAX_ROWS: Final = 10_000
MAX_RELOADS: Final = 50


class Store:
    """Rows of exchanges by their ids, and what is known besides.

    `since_at`, `since`: the same moment by the time since the epoch and by the gateway's clock. `budget`: from which
    bodies have been kept; what is forgotten is given back.

    ``version``: of the latest change. ``forgotten``: up to which version changes cannot be told any more.
    ``upstreams``: the last state of each server and since when, by upstream and URL. ``reloads``: the latest ones.
    ``rejected``: the file that does not load, if it does not. ``replays``: of exchanges whose row is not there yet,
    which one they repeat.
    """

    def __init__(self, budget: Budget, *, since_at: float, since: float, max_rows: int = MAX_ROWS) -> None:
        self._budget = budget
        self._offset = since_at - since
        self._max_rows = max_rows
        self._rows: dict[int, Row] = {}
        self._changed: OrderedDict[int, None] = OrderedDict()
        self._kept: OrderedDict[int, None] = OrderedDict()
        self._kept_bytes = 0
        self._by_tunnel: dict[int, int] = {}
        self.version = 0
        self.forgotten = 0
        self.upstreams: dict[tuple[str, str], tuple[float, UpstreamState]] = {}
        self.replays: dict[int, int] = {}
        self.reloads: list[tuple[float, ConfigApplied]] = []
        self.rejected: tuple[float, ConfigRejected | ConfigMissing] | None = None

    # -- what is asked for ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, exchange_id: int) -> Row | None:
        """Return the row of an exchange, None where it is not known any more."""
        return self._rows.get(exchange_id)

    def row_of_tunnel(self, tunnel_id: int) -> Row | None:
        """Return the row of the exchange that became a tunnel."""
        return self._rows.get(self._by_tunnel.get(tunnel_id, 0))

    def latest(self, *, before: int | None, limit: int) -> tuple[list[Row], bool]:
        """Return at most `limit` rows with smaller ids than `before`, the newest first, and whether there are more."""
        found = [key for key in self._rows if before is None or key < before]
        found.sort(reverse=True)
        return [self._rows[key] for key in found[:limit]], len(found) > limit

    def changed_since(self, version: int, *, limit: int) -> list[Row]:
        """Return the rows that have changed since `version`, at most `limit`, in the order of their versions."""
        newer: list[Row] = []
        for key in reversed(self._changed):
            row = self._rows[key]
            if row.version <= version:
                break
            newer.append(row)
        newer.reverse()
        return newer[:limit]

    def all(self) -> Iterator[Row]:
        """Give every row, the oldest first."""
        return (self._rows[key] for key in sorted(self._rows))

    # -- what is told --------------------------------------------------------------------------------------------

    def take_end(self, end: End) -> Row:
        """Take the end of an exchange; return its row."""
        entry = Entry._make(end)
        row = self._row_for(entry.exchange_id, self._offset + entry.started)
        if row.outcome is not None:
            return row  # told again
        rows.describe_request(row, entry.method, entry.target, entry.facts)
        row.started_at = self._offset + entry.started
        row.client, row.scheme, row.http = entry.client, entry.scheme, entry.http.decode("latin-1")
        row.route, row.upstream, row.server = entry.route, entry.upstream, entry.server
        row.status = entry.status or None
        row.state, row.outcome = DONE, entry.outcome
        row.ended_s = max(entry.ended - entry.started, 0.0)
        row.first_byte_s = entry.first_byte_s or row.first_byte_s
        row.request_bytes, row.response_bytes = entry.request_bytes, entry.response_bytes
        row.error, row.detail, row.is_blocked = entry.error, entry.detail, entry.has_advice
        if entry.capture is not None:
            self._keep(row, entry.capture)
        row.held_s = self._held_s(row)
        self._touch(row)
        return row

    def take_evidence(self, evidence: Evidence) -> None:
        """Take the heads of an exchange, which may have ended or not."""
        capture: Capture = evidence.capture
        row = self._rows.get(evidence.exchange_id)
        if row is None:
            row = self._row_for(evidence.exchange_id, 0.0)
            rows.describe_request(row, capture.request.method, capture.request.target, capture.request.facts)
        if row.capture is None:
            self._keep(row, capture)
            self._touch(row)

    def take(self, at: float, event: Event) -> None:
        """Take any other event, which was told `at`, in seconds since the epoch."""
        match event:
            case ExchangeStarted() | RequestSent() | ResponseBegun() | Capturing():
                self._take_progress(event)
            case TunnelOpened():
                self._open_tunnel(event)
            case TunnelClosed():
                self._close_tunnel(event)
            case UpstreamState():
                self.upstreams[event.upstream, event.server] = at, event
                self.version += 1
            case ConfigApplied():
                self.reloads = [*self.reloads, (at, event)][-MAX_RELOADS:]
                self.rejected = None
                self.version += 1
            case ConfigRejected() | ConfigMissing():
                self.rejected = at, event
                self.version += 1

    def clear(self) -> None:
        """Forget every exchange that has ended."""
        for row in [row for row in self._rows.values() if row.state == DONE]:
            self._forget(row)
        self.version += 1
        self.forgotten = self.version

    def touch(self, row: Row) -> None:
        """Take note that something about `row` has changed."""
        if row.id in self._rows:
            self._touch(row)

    def _take_progress(self, event: ExchangeStarted | RequestSent | ResponseBegun | Capturing) -> None:
        """Take how far an exchange has come; the same may be told again and again."""
        row = self._rows.get(event.exchange_id)
        if isinstance(event, ExchangeStarted):
            if row is None:
                row = self._row_for(event.exchange_id, event.started_at)
                rows.describe_request(row, event.method, event.target, None)
                row.client = event.client
                self._touch(row)
            return
        if row is None or row.state in (DONE, OPEN):
            return
        if isinstance(event, Capturing):
            body = event.capture.response_body
            if body is not None and body.size != row.response_bytes:
                row.response_bytes = body.size
                self._touch(row)
            if row.capture is None:
                capture: Capture = event.capture
                row.scheme, row.http = capture.peer.scheme, capture.peer.version.decode("latin-1")
                rows.describe_request(row, capture.request.method, capture.request.target, capture.request.facts)
                self._keep(row, capture)
                self._touch(row)
        elif isinstance(event, RequestSent):
            if row.state == WAITING or row.server != event.server:
                row.state = SENT
                row.sent_s = event.after_s or None
                row.route, row.upstream, row.server = event.route, event.upstream, event.server
                self._touch(row)
        elif row.state != STREAMING:
            row.state, row.status = STREAMING, event.status
            row.first_byte_s = event.first_byte_s or None
            if row.capture is not None:
                rows.describe_answer(row, row.capture)
            self._touch(row)

    def _open_tunnel(self, event: TunnelOpened) -> None:
        row = self._row_for(event.exchange_id, event.opened_at - event.duration_s)
        if row.tunnel is not None:
            return
        if not row.method:
            rows.describe_request(row, b"GET", event.target, None)
        row.started_at = event.opened_at - event.duration_s
        row.kind = "websocket" if event.protocol == "websocket" else "tunnel"
        row.status, row.state = 101, OPEN
        row.first_byte_s = event.duration_s
        row.client, row.route, row.upstream, row.server = event.client, event.route, event.upstream, event.server
        row.is_blocked = bool(event.advice)
        row.tunnel = Tunnel(event.tunnel_id, event.protocol)
        self._by_tunnel[event.tunnel_id] = row.id
        self._touch(row)

    def _close_tunnel(self, event: TunnelClosed) -> None:
        row = self._rows.get(event.exchange_id)
        if row is None or row.tunnel is None:
            return
        tunnel = row.tunnel
        tunnel.sent_bytes, tunnel.received_bytes = event.sent_bytes, event.received_bytes
        tunnel.closed_by, tunnel.close_code = event.closed_by, event.close_code or None
        row.state = DONE
        row.ended_s = (row.first_byte_s or 0.0) + event.duration_s
        self._touch(row)

    # -- what is kept --------------------------------------------------------------------------------------------

    def _row_for(self, exchange_id: int, started_at: float) -> Row:
        row = self._rows.get(exchange_id)
        if row is None:
            row = self._rows[exchange_id] = Row(exchange_id, started_at)
            row.replay_of = self.replays.pop(exchange_id, None)
            self._changed[exchange_id] = None
            if len(self._rows) > self._max_rows:
                self._forget_oldest()
        return row

    def _touch(self, row: Row) -> None:
        self.version += 1
        row.version = self.version
        self._changed.move_to_end(row.id)

    def _keep(self, row: Row, capture: Capture) -> None:
        if row.capture is not None and row.capture is not capture:
            self._drop_capture(row)
        row.capture = capture
        rows.describe_answer(row, capture)
        row.marks = tuple(one.code for one in findings_on(capture)) if row.state == DONE else row.marks
        if capture.sent_s:
            row.sent_s = capture.sent_s
        self._kept_bytes += capture.size - row.weight
        row.weight = capture.size
        self._kept[row.id] = None
        limit = self._budget.max_bytes
        while self._kept and (self._kept_bytes > limit or self._budget.left < limit // 4):
            oldest = self._rows.get(next(iter(self._kept)))
            if oldest is None or oldest is row:
                break
            self._drop_capture(oldest)
            self._touch(oldest)

    def _drop_capture(self, row: Row) -> None:
        if row.capture is not None:
            self._budget.freed += row.capture.kept_bytes
            self._kept_bytes -= row.weight
            self._kept.pop(row.id, None)
            row.capture, row.weight = None, 0

    def _held_s(self, row: Row) -> float | None:
        """Return how long `row` was held until its server was back; None: it was not, as far as that is known."""
        at, event = self.upstreams.get((row.upstream, row.server), (0.0, None))
        if event is None or not event.is_up or row.sent_s is None:
            return None
        held_s = at - row.started_at
        return held_s if 0 < held_s <= row.sent_s else None

    def _forget_oldest(self) -> None:
        """Forget the oldest row; of the oldest ones, rather one that has ended."""
        oldest = sorted(islice(self._rows, 100))
        ended = (key for key in oldest if self._rows[key].state == DONE)
        self._forget(self._rows[next(ended, oldest[0])])

    def _forget(self, row: Row) -> None:
        self._drop_capture(row)
        del self._rows[row.id]
        self._changed.pop(row.id, None)
        if row.tunnel is not None:
            self._by_tunnel.pop(row.tunnel.tunnel_id, None)
