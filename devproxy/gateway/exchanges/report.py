"""What is told of one exchange: that it started, where it was sent, that its response has begun, how it ended.

Owns the number of the exchange and its times, not when to tell: the exchange does. There is no report before somebody
looks. Start at :class:`Report`.
"""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from devproxy.events import ExchangeFinished, ExchangeStarted, Outcome, RequestSent, ResponseBegun, is_failure
from devproxy.gateway.exchanges.advice import NONE, Remarks

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import Server
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.plan.compiled import CompiledRoute


class Report:
    """The report on an exchange that started at `started_at`, by :func:`time.perf_counter`; `client`: who asked.

    ``exchange_id``: is in all that is told of it. ``first_byte_s``: when the response began, in seconds since the
    start; 0: not yet. ``remarks``: what is to be said of the answer beside that it was given.
    """

    __slots__ = ("_client", "_observers", "_request", "_started_at", "exchange_id", "first_byte_s", "remarks")

    def __init__(self, shared: SharedState, request: RequestHead, client: str, started_at: float) -> None:
        self._observers = shared.observers
        self._request = request
        self._client = client
        self._started_at = started_at
        self.first_byte_s = 0.0
        self.exchange_id = shared.next_exchange_id()
        self.remarks: Remarks = NONE

    @property
    def duration_s(self) -> float:
        """How long the exchange has lasted so far."""
        return perf_counter() - self._started_at

    def tell_started(self) -> None:
        """Tell that the request's head is complete."""
        request = self._request
        event = ExchangeStarted(self.exchange_id, request.method, request.target, self._client, time())
        self._observers.tell_progress(event)

    def tell_sent(self, compiled: CompiledRoute, server: Server) -> None:
        """Tell that the request leaves for `server`."""
        url = server.server.url
        event = RequestSent(self.exchange_id, compiled.label, compiled.upstream, url, self.duration_s)
        self._observers.tell_progress(event)

    def tell_begun(self, status: int) -> None:
        """Tell that the response's head goes to the client."""
        self._observers.tell_progress(ResponseBegun(self.exchange_id, status, self.first_byte_s))

    def tell_end(
        self,
        outcome: Outcome,
        status: int,
        route: str,
        upstream: str,
        server: str,
        request_bytes: int,
        response_bytes: int,
        error: str,
        detail: str,
    ) -> None:
        """Tell how it ended, if somebody wants it; for the arguments see :class:`~devproxy.events.ExchangeFinished`."""
        advice, changes, has_advice = self.remarks
        if not self._observers.to_ends and not is_failure(outcome, status, advice):
            return
        request = self._request
        facts = request.facts
        event = ExchangeFinished(
            request.method,
            request.target,
            status,
            route,
            upstream,
            server,
            outcome,
            perf_counter() - self._started_at,
            self.first_byte_s,
            request_bytes,
            response_bytes,
            self._client,
            error,
            detail,
            advice,
            changes,
            has_advice,
            facts.upgrade.decode("latin-1") if facts.upgrade else "",
            self.exchange_id,
            facts.fetch_dest,
        )
        self._observers.tell_end(event)
