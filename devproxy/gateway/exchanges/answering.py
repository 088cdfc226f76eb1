"""A request being answered: what all answers have in common, and devproxy's own answers.

Owns how an answer of devproxy's own goes out, that the end is told exactly once, and what is told of it. What is
forwarded is an :class:`~devproxy.gateway.exchanges.exchange.Exchange`. Start at :meth:`OwnAnswer.start`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import TYPE_CHECKING

from devproxy import answers
from devproxy.events import Capturing, ExchangeFinished, Outcome, is_failure
from devproxy.gateway.exchanges.advice import NONE, remarks_on_own
from devproxy.gateway.exchanges.report import CapturingReport, Report
from devproxy.gateway.shared.capture import Capture
from devproxy.gateway.shared.observers import tell_each

if TYPE_CHECKING:
    from devproxy.answers import Answer
    from devproxy.answers.rendering import Composed
    from devproxy.gateway.shared.capture import Budget
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import ClientStream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead
    from devproxy.plan import Respond
    from devproxy.plan.snapshot import Snapshot

MAX_IGNORED_BYTES = 64 * 1024
"""Bytes of a request's body that are taken while its answer is delayed on purpose."""


class Phase(Enum):
    """How far an exchange has come, in the words of RFC 9110."""

    PLANNED = auto()
    """No connection to an upstream yet."""
    AWAITING_RESPONSE = auto()
    """The request head is out."""
    RELAYING = auto()
    """The response head is out; its body follows."""
    OVER = auto()


# The members by module-level names: looking one up in its class costs as much as ten comparisons.
PLANNED, AWAITING_RESPONSE, RELAYING, OVER = Phase
_COMPLETE = Outcome.COMPLETE


class Answering(ABC):
    """A request being answered. ``is_request_sent``: all of the request's body has come, and is passed on at once.

    ``_first_byte_s``: when the response began, in seconds since the start; 0: not yet, or no observer.
    """

    __slots__ = (
        "_first_byte_s",
        "_phase",
        "_report",
        "_request_bytes",
        "_response_bytes",
        "_shared",
        "_snapshot",
        "_started_at",
        "_status",
        "client",
        "is_request_sent",
        "request",
    )

    _first_byte_s: float
    _phase: Phase
    _report: Report | None
    _request_bytes: int
    _response_bytes: int
    _shared: SharedState
    _snapshot: Snapshot
    _started_at: float
    _status: int
    client: ClientStream
    is_request_sent: bool
    request: RequestHead

    @property
    def sent_bytes(self) -> int:
        """Bytes of the response's body that have been sent to the client, its head counted as one more."""
        return self._response_bytes + (self._status != 0)

    @property
    def is_poll(self) -> bool:
        """Whether this is an Engine.IO poll, which must end upstream as soon as its client has left."""
        return False

    @abstractmethod
    def start(self, body: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Set it going; `body`: what of the request's body came with its head.

        `ended`: nothing follows. `announced_bytes`: how much there is so far of a body whose length was not given.
        """

    @abstractmethod
    def request_data(self, data: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Take a further piece of the request's body; the rest as for :meth:`start`."""

    @abstractmethod
    def request_broken(self, answer: Answer) -> None:
        """The request's body turned out to be invalid or too large."""

    @abstractmethod
    def pause_response(self) -> None:
        """The client takes its response slowly."""

    @abstractmethod
    def resume_response(self) -> None:
        """The client has caught up."""

    def tell_so_far(self, late: Observers) -> None:
        """Tell those who come `late` how far this has come."""
        if self._phase is not OVER:
            self._told.tell_started(late)
            capture = self._told.capture
            if capture is not None:
                tell_each(late.to_progress, Capturing(self._told.exchange_id, capture))

    def client_left(self) -> None:
        """The client is gone: end the upstream's part at once, so that a poll does not overlap with the next one."""
        if self._phase is not OVER:
            self._drop()
            self._report_end(Outcome.CLIENT_LEFT)

    def stop(self) -> None:
        """End the exchange where it is, because the client's connection is cut: devproxy stops."""
        if self._phase is not OVER:
            self._drop()
            self._report_end(Outcome.STOPPED)

    def _respond(self, answer: Answer, lines: tuple[bytes, ...], *, route: str = "", detail: str = "") -> None:
        """Answer without an upstream."""
        composed = answers.compose(answer, self.request, lines)
        self.client.answer(composed)
        self._status = answer.status
        remarks = remarks_on_own(self._shared, answer, route, self.request, self.client.peer)
        if remarks is not NONE:
            self._told.remarks = remarks
        observers = self._shared.observers
        if observers.is_watched_closely:
            self._told.tell_own(composed)
        if observers.to_evidence and answer.status >= 400:
            self._tell_evidence(own=composed)
        self._response_bytes = len(composed.body)
        self._report_end(Outcome.ANSWERED, error=answer.code, detail=detail or answer.what)

    @abstractmethod
    def _drop(self) -> None:
        """Wait for nothing any more, and give up what has been asked for."""

    @abstractmethod
    def _report_end(self, outcome: Outcome, *, error: str = "", detail: str = "") -> None:
        """Report the end, of which the client has been told."""

    def _tell_evidence(
        self,
        response: ResponseHead | None = None,
        edits: ResponseEdits | None = None,
        own: Composed | None = None,
    ) -> None:
        """Tell of the heads of an exchange that needs a look, if they are not kept anyway."""
        if self._told.capture is None:
            capture = self._capture(None)
            capture.response, capture.edits, capture.own = response, edits, own
            self._told.tell_evidence(capture)

    def _capture(self, budget: Budget | None) -> Capture:
        """Return what can be kept of this so far."""
        return Capture(self._snapshot.config, self.request, self.client.peer, None, budget)

    def capture_from_now(self, budget: Budget) -> None:
        """Keep what this is made of from now on."""
        if self._phase is not OVER and self._told.capture is None:
            self._report = CapturingReport.after(self._told, self._shared, self._capture(budget))

    @property
    def exchange_id(self) -> int:
        """Its number, which is in everything that is told of it."""
        return self._told.exchange_id

    @property
    def _told(self) -> Report:
        """What is told of it before its end, from when something is."""
        if self._report is None:
            self._report = Report(self._shared, self.request, self.client.peer, self._started_at)
        return self._report

    def _tell_end(self, outcome: Outcome, route: str, upstream: str, server: str, error: str, detail: str) -> None:
        """Tell how it ended, if an observer wants it; for the arguments see
        :class:`~devproxy.events.ExchangeFinished`."""
        shared, report, request, status = self._shared, self._report, self.request, self._status
        observers, facts, peer = shared.observers, request.facts, self.client.peer
        if report is None:
            exchange_id, remarks, has_advice = shared.next_exchange_id(), NONE, False
        else:
            exchange_id, remarks, has_advice = report.exchange_id, report.remarks, report.remarks.has_advice
        ended_at = shared.clock()
        if observers.keepers:
            entry = (  # the fields of an Entry
                exchange_id,
                request.method,
                request.target,
                facts,
                peer.address,
                peer.scheme,
                peer.version,
                self._started_at,
                ended_at,
                self._first_byte_s,
                status,
                route,
                upstream,
                server,
                outcome,
                self._request_bytes,
                self._response_bytes,
                error,
                detail,
                has_advice,
                None if report is None else report.capture,
            )
            for keep in observers.keepers:
                keep(entry)
        if outcome is _COMPLETE and not has_advice:  # as `is_plain_end` has it
            if not observers.to_plain_ends:
                return
        elif not observers.to_ends and not is_failure(outcome, status, remarks.advice):
            return
        event = ExchangeFinished(
            request.method,
            request.target,
            status,
            route,
            upstream,
            server,
            outcome,
            ended_at - self._started_at,
            self._first_byte_s,
            self._request_bytes,
            self._response_bytes,
            peer.address,
            error,
            detail,
            remarks.advice,
            remarks.changes,
            has_advice,
            facts.upgrade.decode("latin-1") if facts.upgrade else "",
            exchange_id,
            facts.fetch_dest,
        )
        observers.tell_end(event)


class OwnAnswer(Answering):
    """A request that devproxy itself answers, as `plan` says."""

    __slots__ = ("_plan", "_timer")

    def __init__(self, shared: SharedState, client: ClientStream, request: RequestHead, plan: Respond) -> None:
        self._shared = shared
        self._snapshot = shared.current.snapshot
        self._plan = plan
        self._timer: asyncio.TimerHandle | None = None
        self._phase = PLANNED
        self._status = 0
        self._started_at = shared.clock()
        self._first_byte_s = 0.0
        self._request_bytes = 0
        self._response_bytes = 0
        self._report = None
        self.client = client
        self.request = request

    def start(self, body: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Answer, after a delay if the plan wants one. What comes of a body meanwhile is not needed."""
        self.is_request_sent = ended
        if self._shared.observers.is_watched_closely:
            self._told.tell_started(self._shared.observers)
        if self._plan.delay_s:
            self._timer = self._shared.loop.call_later(self._plan.delay_s, self._give)
        else:
            self._give()

    def _give(self) -> None:
        plan = self._plan
        self._respond(plan.answer, plan.lines, route=plan.route)

    def request_data(self, data: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Ignore a further piece of the request's body; more than a little waits in the kernel."""
        self._request_bytes += len(data)
        self.is_request_sent = ended
        limit = self._snapshot.max_body_bytes
        if announced_bytes > limit:
            self.request_broken(answers.body_too_large(self._snapshot.config.server.max_body_bytes))
        elif self._request_bytes > MAX_IGNORED_BYTES:
            self.client.pause_reading()

    def request_broken(self, answer: Answer) -> None:
        """The request's body turned out to be invalid or too large: say that instead."""
        self._drop()
        self._respond(answer, ())

    def pause_response(self) -> None:
        """Do nothing: the answer goes out whole."""

    def resume_response(self) -> None:
        """Do nothing, likewise."""

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _report_end(self, outcome: Outcome, *, error: str = "", detail: str = "") -> None:
        self._phase = OVER
        if self._shared.observers.wants_ends:
            self._tell_end(outcome, self._plan.route, "", "", error, detail)
