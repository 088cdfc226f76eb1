"""A request that no client sent: made again from one that was kept, on devproxy's usual way, its answer is thrown away.

It takes the same plan, guard and upstream as any other, and observers are told of it likewise. Start at
:class:`Replay`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from devproxy.gateway.exchanges.watched import answering_for, watch
from devproxy.plan import plan_request
from devproxy.policy.hop import Peer

if TYPE_CHECKING:
    from devproxy.answers.rendering import Composed
    from devproxy.gateway.exchanges.answering import Answering
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import Connection, Pool, TakenOver
    from devproxy.gateway.shared.state import SharedState
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead


class Replay:
    """A client stream for one request, which asks by `scheme`. No switch of protocols: the caller asks for none."""

    handshake_key = b""
    deadline = math.inf
    decodes_chunks = False
    is_idle = False

    def __init__(self, shared: SharedState, scheme: str) -> None:
        self._shared = shared
        self._exchange: Answering | None = None
        self.peer = Peer("127.0.0.1", scheme)
        self.logins: dict[Pool, Connection] = {}

    def start(self, head: RequestHead, body: bytes) -> int:
        """Send the request; return the id of its exchange."""
        shared = self._shared
        exchange = answering_for(shared, self, head, plan_request(head, shared.current.snapshot))
        self._exchange = exchange
        shared.connections.add(self)
        number = exchange.exchange_id
        exchange.start(body, True, len(body))
        return number

    @property
    def running_exchanges(self) -> int:
        """How many exchanges run: one or none."""
        return int(self._exchange is not None)

    def inform(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Ignore a 1xx head."""

    def respond(self, head: ResponseHead, edits: ResponseEdits, body_length: int, payload: bytes, ended: bool) -> None:
        """Ignore the head; `ended`: it is over."""
        if ended:
            self._end()

    def answer(self, composed: Composed) -> None:
        """Take an answer of devproxy's own: it is over."""
        self._end()

    def send(self, data: bytes, ended: bool) -> None:
        """Ignore a piece of the body; `ended`: it is over."""
        if ended:
            self._end()

    def abort(self, *, resets: bool) -> None:
        """Take note that the answer is not complete: it is over."""
        self._end()

    def take_over(self, head: ResponseHead, edits: ResponseEdits, glued: bytes) -> TakenOver:
        """Refuse: no switch of protocols was asked for."""
        raise AssertionError("a replayed request asks for no upgrade")

    def pause_reading(self) -> None:
        """Do nothing: the request is whole."""

    def resume_reading(self) -> None:
        """Do nothing, likewise."""

    def lose_login(self, connection: Connection) -> None:
        """Do nothing: what was logged in was this request's alone."""

    def tell_so_far(self, late: Observers) -> None:
        """Tell the `late` observers of the request, and of what happens to it."""
        watch(self._exchange, late)

    def expire(self) -> None:
        """Do nothing: there is no deadline."""

    def close_idle(self) -> None:
        """Do nothing: it ends with its exchange."""

    def cut(self) -> None:
        """End it now."""
        exchange = self._exchange
        self._end()
        if exchange is not None:
            exchange.stop()

    def _end(self) -> None:
        self._exchange = None
        self._shared.remove_connection(self)
        for connection in self.logins.values():
            if connection.is_idle:
                connection.close()
