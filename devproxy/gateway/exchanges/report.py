"""What is told of one exchange before its end: that it started, where it was sent, that its response has begun, what
its heads and bodies are.

Owns the number of the exchange, not when to tell: the exchange does. There is no report before something is to be told
or remarked upon, so most exchanges have none: their end is told by :mod:`devproxy.gateway.exchanges.answering`. Start
at :class:`Report`.
"""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Final

from devproxy.events import (
    BodyData,
    Evidence,
    ExchangeStarted,
    HeadSeen,
    RequestSent,
    ResponseBegun,
)
from devproxy.gateway.exchanges.advice import NONE, Remarks
from devproxy.gateway.shared.capture import Body
from devproxy.gateway.shared.observers import Observers, tell_each
from devproxy.http1.framing import ChunkedReader
from devproxy.http1.reasons import reason_phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devproxy.answers.rendering import Composed
    from devproxy.gateway.shared.capture import Capture
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead
    from devproxy.plan.compiled import CompiledRoute
    from devproxy.policy.hop import Peer


MAX_INTERIM: Final = 16
"""1xx heads that are kept of one exchange."""


class Report:
    """The report on an exchange that started at `started_at`, by the clock of `shared`; `peer`: the sender.

    ``exchange_id``: is in everything that is told of it. ``sent_s``: when the request left, in seconds since the start;
    0: not yet, or no observer. ``remarks``: what is to be said of the answer besides the fact of it.
    """

    __slots__ = (
        "_bodies",
        "_clock",
        "_observers",
        "_peer",
        "_request",
        "_started_at",
        "exchange_id",
        "remarks",
        "sent_s",
    )

    def __init__(self, shared: SharedState, request: RequestHead, peer: Peer, started_at: float) -> None:
        self._observers = shared.observers
        self._request = request
        self._peer = peer
        self._started_at = started_at
        self._clock = shared.clock
        self._bodies: dict[bool, ChunkedReader | None] | None = None
        self.sent_s = 0.0
        self.exchange_id = shared.next_exchange_id()
        self.remarks: Remarks = NONE

    @property
    def capture(self) -> Capture | None:
        """What is kept of the exchange; None: nothing."""
        return None

    @property
    def duration_s(self) -> float:
        """How long the exchange has lasted so far."""
        return self._clock() - self._started_at

    def tell_started(self, to: Observers) -> None:
        """Tell that the request's head is complete."""
        request = self._request
        if to.to_progress:
            started_at = time() - self.duration_s
            event = ExchangeStarted(self.exchange_id, request.method, request.target, self._peer.address, started_at)
            tell_each(to.to_progress, event)
        self.tell_head(to, request.block, is_request=True, is_sent=False)

    def tell_sent(self, to: Observers, compiled: CompiledRoute, server: str, head: bytes) -> None:
        """Tell that the request has left for `server`, a URL, with `head`, which may precede CRLFCRLF."""
        if to.to_progress:
            event = RequestSent(self.exchange_id, compiled.label, compiled.upstream, server, self.sent_s)
            tell_each(to.to_progress, event)
        self.tell_head(to, head.removesuffix(b"\r\n\r\n"), is_request=True, is_sent=True)

    def tell_begun(self, to: Observers, status: int, first_byte_s: float) -> None:
        """Tell that the response's head goes to the client, `first_byte_s` seconds after the start."""
        if to.to_progress:
            tell_each(to.to_progress, ResponseBegun(self.exchange_id, status, first_byte_s))

    def tell_response(
        self,
        head: ResponseHead,
        edits: ResponseEdits,
        payload: bytes,
        first_byte_s: float,
        *,
        ended: bool,
        is_chunked: bool,
    ) -> None:
        """Tell that the final response goes to the client: `head`, as `edits` say, and what came of its body with it,
        in the chunked coding or without."""
        self.tell_begun(self._observers, head.status, first_byte_s)
        self.tell_response_head(head, edits)
        self.open_body(is_request=False, is_chunked=is_chunked)
        if payload:
            self.tell_body(payload, is_request=False, ended=ended)

    def tell_response_head(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Tell of a response's `head`, which goes on as `edits` say."""
        if self._observers.to_heads:
            self.tell_head(self._observers, head.block, is_request=False, is_sent=False)
            self.tell_head(self._observers, _sent(head, edits), is_request=False, is_sent=True)

    def tell_own(self, answer: Composed) -> None:
        """Tell of an answer of devproxy's own, which is given whole."""
        self.tell_head(self._observers, _own(answer.status, answer.lines), is_request=False, is_sent=True)
        if answer.body:
            tell_each(self._observers.to_bodies, BodyData(self.exchange_id, False, answer.body, True))

    def tell_head(self, to: Observers, head: bytes, *, is_request: bool, is_sent: bool) -> None:
        """Tell of `head`; for the arguments see :class:`~devproxy.events.HeadSeen`."""
        if to.to_heads:
            tell_each(to.to_heads, HeadSeen(self.exchange_id, is_request, is_sent, head))

    def open_body(self, *, is_request: bool, is_chunked: bool) -> None:
        """Take note that a body begins, in the chunked coding or without, if an observer wants to see it."""
        if self._observers.to_bodies:
            reader = ChunkedReader(is_decoding=True, is_answer=not is_request) if is_chunked else None
            self._bodies = {**(self._bodies or {}), is_request: reader}

    def tell_body(self, data: bytes, *, is_request: bool, ended: bool) -> None:
        """Tell of a further piece of a body, which has been checked, unless it began before an observer wanted it."""
        if self._bodies is None or is_request not in self._bodies:
            return
        reader = self._bodies[is_request]
        content = data if reader is None else reader.feed(data)[0]
        if content or ended:
            tell_each(self._observers.to_bodies, BodyData(self.exchange_id, is_request, content, ended))

    def tell_evidence(self, capture: Capture) -> None:
        """Tell of all heads at once, for those who want them of exchanges that need a look."""
        tell_each(self._observers.to_evidence, Evidence(self.exchange_id, capture))


class CapturingReport(Report):
    """The report on an exchange that keeps what it is made of, in ``capture``."""

    __slots__ = ("_capture",)

    def __init__(
        self, shared: SharedState, request: RequestHead, peer: Peer, started_at: float, capture: Capture
    ) -> None:
        super().__init__(shared, request, peer, started_at)
        self._capture = capture

    @classmethod
    def after(cls, before: Report, shared: SharedState, capture: Capture) -> CapturingReport:
        """Return the report that goes on where `before` ends: the exchange was running when this was asked for."""
        report = cls(shared, before._request, before._peer, before._started_at, capture)
        report.exchange_id, report.remarks = before.exchange_id, before.remarks
        report.sent_s, report._bodies = before.sent_s, before._bodies
        return report

    @property
    def capture(self) -> Capture:
        """What is kept of the exchange."""
        return self._capture

    def tell_response_head(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Keep a response's `head` and what happens to it."""
        capture = self._capture
        if head.status >= 200 or head.status == 101:
            capture.response, capture.edits = head, edits
        elif len(capture.interim) < MAX_INTERIM:
            capture.interim.append((head, edits))
        super().tell_response_head(head, edits)

    def tell_own(self, answer: Composed) -> None:
        """Keep an answer of devproxy's own."""
        self._capture.own = answer
        super().tell_own(answer)

    def open_body(self, *, is_request: bool, is_chunked: bool) -> None:
        """Begin to keep a body."""
        body = Body(self._capture.budget, is_chunked=is_chunked)
        if is_request:
            self._capture.request_body = body
        else:
            self._capture.response_body = body
        super().open_body(is_request=is_request, is_chunked=is_chunked)

    def tell_body(self, data: bytes, *, is_request: bool, ended: bool) -> None:
        """Keep a further piece of a body."""
        body = self._capture.request_body if is_request else self._capture.response_body
        if body is not None:
            body.add(data, ended=ended)
        super().tell_body(data, is_request=is_request, ended=ended)


class MuteReport(Report):
    """The report on what no observer is told of: requests for devproxy's own pages."""

    __slots__ = ()

    def __init__(self, shared: SharedState, request: RequestHead, peer: Peer, started_at: float) -> None:
        super().__init__(shared, request, peer, started_at)
        self._observers = Observers()


def _sent(head: ResponseHead, edits: ResponseEdits) -> bytes:
    return b"\r\n".join((head.start, *edits.lines_of(head), *edits.last))


def _own(status: int, lines: Iterable[bytes]) -> bytes:
    start = f"HTTP/1.1 {status} {reason_phrase(status)}".encode("latin-1")
    return b"\r\n".join((start, *lines))
