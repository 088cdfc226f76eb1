"""An exchange of which an observer wants to see more than its end: what is told of it while it runs.

So an exchange that is not watched never runs a line of this. Decides nothing: what it tells of is done by
:class:`~devproxy.gateway.exchanges.exchange.Exchange`. Start at :class:`WatchedExchange`; a late observer is served by
:func:`watch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy.gateway.exchanges.answering import OVER, PLANNED, RELAYING, OwnAnswer
from devproxy.gateway.exchanges.exchange import Exchange
from devproxy.gateway.exchanges.pages import PageExchange
from devproxy.gateway.exchanges.report import CapturingReport
from devproxy.http.messages import CHUNKED
from devproxy.plan import PAGES_UPSTREAM, Forward, render_request

if TYPE_CHECKING:
    from devproxy.gateway.exchanges.answering import Answering
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import ClientStream, Upstream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.plan import Plan, Respond


class WatchedExchange(Exchange):
    """A request that goes to an upstream before the eyes of those who want its progress, its heads or its bodies."""

    __slots__ = ()

    def __init__(self, shared: SharedState, client: ClientStream, request: RequestHead, plan: Forward) -> None:
        super().__init__(shared, client, request, plan)
        if shared.observers.budget is not None:
            capture = self._capture(shared.observers.budget)
            self._report = CapturingReport(shared, request, client.peer, self._started_at, capture)

    def start(self, body: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Tell that the request is there, and of what came of its body; then begin."""
        report = self._told
        report.tell_started(self._shared.observers)
        if self.request.facts.body_length:
            report.open_body(is_request=True, is_chunked=self.request.facts.body_length == CHUNKED)
            if body or ended:
                report.tell_body(body, is_request=True, ended=ended)
        super().start(body, ended, announced_bytes)

    def request_data(self, data: bytes, ended: bool, announced_bytes: int = 0) -> None:
        """Tell of a further piece of the request's body, then pass it on."""
        self._told.tell_body(data, is_request=True, ended=ended)
        super().request_data(data, ended, announced_bytes)

    def _send_on(self, connection: Upstream, body: bytes) -> None:
        super()._send_on(connection, body)
        report = self._told
        report.sent_s = report.duration_s
        if report.capture is not None:
            report.capture.server, report.capture.sent_s = self._server.server, report.sent_s
        self._tell_sent(self._shared.observers)

    def response_data(self, data: bytes, ended: bool) -> None:
        """Tell of a further piece of the response's body, then pass it on."""
        self._told.tell_body(data, is_request=False, ended=ended)
        super().response_data(data, ended)

    def tell_so_far(self, late: Observers) -> None:
        """Tell those who come `late` how far this has come. Of the response's head nothing is kept but its status."""
        super().tell_so_far(late)
        if self._phase not in (PLANNED, OVER):
            self._tell_sent(late)
        if self._phase is RELAYING:
            self._told.tell_begun(late, self._status, self._first_byte_s)

    def _tell_sent(self, to: Observers) -> None:
        server = self._server.server
        head = render_request(self._plan, self.request, self.client.peer, server) if to.to_heads else b""
        self._told.tell_sent(to, self._plan.compiled, server.url, head)


def answering_for(shared: SharedState, client: ClientStream, request: RequestHead, plan: Plan) -> Answering:
    """Return what answers `request` of `client` as `plan` says, watched if an observer looks closely."""
    if not isinstance(plan, Forward):
        return own_answering(shared, client, request, plan)
    return (WatchedExchange if shared.observers.is_watched_closely else Exchange)(shared, client, request, plan)


def own_answering(shared: SharedState, client: ClientStream, request: RequestHead, plan: Respond) -> Answering:
    """Return what answers `request` of `client` as `plan` says: devproxy itself, or the server of its own pages."""
    if plan.pages is not None and PAGES_UPSTREAM in shared.current.pools:
        return PageExchange(shared, client, request, plan.pages)
    answering = OwnAnswer(shared, client, request, plan)
    if shared.observers.budget is not None:
        answering.capture_from_now(shared.observers.budget)
    return answering


def watch(running: Answering | None, late: Observers) -> None:
    """Tell those who come `late` how far `running` has come, if there is one, and what they want of it from now on."""
    if type(running) is Exchange:
        running.__class__ = WatchedExchange  # it keeps its fields, and all references to it stay valid
    if running is not None and late.budget is not None and not isinstance(running, PageExchange):
        running.capture_from_now(late.budget)
    if running is not None:
        running.tell_so_far(late)
