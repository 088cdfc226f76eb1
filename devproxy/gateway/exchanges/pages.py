"""A request for one of devproxy's own pages: it goes to a server of this process, and no observer is told of it.

So what shows the traffic is no part of it. In everything else it is an exchange like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy.gateway.exchanges.exchange import Exchange
from devproxy.gateway.exchanges.report import MuteReport

if TYPE_CHECKING:
    from devproxy.events import Outcome
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import ClientStream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.messages import RequestHead
    from devproxy.plan import Forward


class PageExchange(Exchange):
    """A request that goes to the server of devproxy's own pages, as `plan` says."""

    __slots__ = ()

    def __init__(self, shared: SharedState, client: ClientStream, request: RequestHead, plan: Forward) -> None:
        super().__init__(shared, client, request, plan)
        self._report = MuteReport(shared, request, client.peer, self._started_at)

    def tell_so_far(self, late: Observers) -> None:
        """Tell nothing."""

    def _tell_end(self, outcome: Outcome, route: str, upstream: str, server: str, error: str, detail: str) -> None:
        """Tell nothing."""
