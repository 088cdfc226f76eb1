"""Both sides of an exchange in memory, with no loop and no socket: a client stream, and a server to send on.

Start at :class:`Stage`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from devproxy.answers.rendering import Composed
from devproxy.config.model import Config
from devproxy.errors import UpstreamError
from devproxy.events import Event, ExchangeFinished, Observer, Wants
from devproxy.gateway.exchanges.answering import Answering
from devproxy.gateway.exchanges.watched import answering_for
from devproxy.gateway.shared.observers import Observers
from devproxy.gateway.shared.seam import Asker, ByteStream, Connection, Pool, Server, TakenOver
from devproxy.gateway.shared.state import Current, SharedState
from devproxy.http.edits import ResponseEdits
from devproxy.http.messages import RequestHead, ResponseHead
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.plan import compile_snapshot, plan_request
from devproxy.policy.hop import Peer
from devproxy.routing.balance import Balancer, Choice
from tests.support.clock import Clock
from tests.support.wire import address_of, config_for


@dataclass(eq=False)
class MemoryClient:
    """A client stream. ``end``: how its response ended: ``complete``, ``reset``, ``closed``, ``tunnel``, or not yet.

    ``informed``: the statuses of the 1xx heads it was given.
    """

    stream: ByteStream | None = None
    early: bytes = b""
    peer: Peer = field(default_factory=lambda: Peer("127.0.0.1", "http"))
    decodes_chunks: bool = False
    is_paused: bool = False
    informed: list[int] = field(default_factory=list)
    status: int = 0
    lines: list[bytes] = field(default_factory=list)
    body: bytes = b""
    end: str = ""
    logins: dict[Pool, Connection] = field(default_factory=dict)
    handshake_key: bytes = b""

    def inform(self, head: ResponseHead, edits: ResponseEdits) -> None:
        self.informed.append(head.status)

    def respond(self, head: ResponseHead, edits: ResponseEdits, body_length: int, payload: bytes, ended: bool) -> None:
        self.status, self.lines = head.status, [*edits.lines_of(head), *edits.last]
        self.send(payload, ended)

    def answer(self, composed: Composed) -> None:
        self.status, self.lines = composed.status, composed.lines
        self.send(composed.body, ended=True)

    def send(self, data: bytes, ended: bool) -> None:
        assert not self.end, "nothing is sent after the end"
        self.body += data
        self.end = "complete" if ended else ""

    def abort(self, *, resets: bool) -> None:
        self.end = "reset" if resets else "closed"

    def take_over(self, head: ResponseHead, edits: ResponseEdits, glued: bytes) -> TakenOver:
        assert self.stream is not None
        self.stream.write(glued)
        self.status, self.end = head.status, "tunnel"
        return TakenOver(self.stream, self.early, has_ended=False)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def lose_login(self, connection: Connection) -> None:
        """Nobody logs in here."""


class Loop(Clock):
    """A clock that also runs, at once, what never has to wait."""

    def create_task(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            work.send(None)
        except StopIteration:
            return
        raise AssertionError("this would wait for something")

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.call_later(0.0, callback)


class MemoryUpstream:
    """A connection to `server_pool`. ``sent``: all that went out on it; ``asker``: who waits for its answer."""

    holds_request = False
    owner = None

    def __init__(self, server: MemoryServer) -> None:
        self.server_pool = server
        self.asker: Asker | None = None
        self.sent = b""
        self.is_paused = False
        self.is_abandoned = False

    def begin(self, asker: Asker, data: bytes, /) -> None:
        self.asker = asker
        self.sent += data

    def send(self, data: bytes) -> None:
        self.sent += data

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def abandon(self) -> None:
        self.is_abandoned = True


@dataclass(eq=False)
class MemoryServer:
    """A server and, where there is no other, its upstream. ``idle``, ``fresh``: connections to be given out."""

    config: Config
    idle: list[MemoryUpstream] = field(default_factory=list)
    fresh: list[MemoryUpstream] = field(default_factory=list)
    outstanding: int = 0
    index: int = 0
    failure: UpstreamError | None = None
    is_up: bool | None = True

    def __post_init__(self) -> None:
        self.upstream = self.config.upstreams[0]
        self.server = self.upstream.servers[0]
        self.response_timeout_s = self.upstream.response_timeout_s
        self.balancer = Balancer(self.upstream)
        self.pool = self.only = self
        self.servers = [self]

    def take_idle(self, client: object) -> MemoryUpstream | None:
        return self.idle.pop() if self.idle else None

    def choose(self, request: RequestHead) -> Choice:
        return self.balancer.choose(request, self.servers)

    async def open(self, first: Server, request: RequestHead, *, is_bound: bool) -> MemoryUpstream:
        if self.failure is not None:
            raise self.failure
        return self.fresh.pop(0)

    def expect(self, connection: object) -> None:
        """It is quick to answer."""

    def close_idle(self) -> None:
        self.idle.clear()

    def end_one(self, is_ended_there: bool) -> None:
        self.outstanding -= 1

    def absence(self, waited_s: float, *, may_wait: bool) -> None:
        """It has never been up."""


class Stage:
    """A request in the middle: `head` comes from ``client``, and ``connection`` leads to the server.

    `is_idle`: the connection has served before; else it has to be dialled. `wants`: what is told to ``events``.
    """

    def __init__(
        self,
        head: bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        *,
        config: Config | None = None,
        is_idle: bool = False,
        wants: Wants = Wants.ENDS,
    ) -> None:
        config = config or config_for((address_of(1),))
        self.loop = Loop()
        self.events: list[Event] = []
        self.observers = Observers()
        self.observers.add(Observer(self.events.append, wants))
        snapshot = compile_snapshot(config, "unit")
        self.shared = SharedState(cast("Any", self.loop), snapshot, self.observers, self.loop.time)
        self.server = MemoryServer(config)
        self.shared.current = Current(snapshot, cast("dict[str, Pool]", {config.upstreams[0].name: self.server}))
        self.connection = MemoryUpstream(self.server)
        (self.server.idle if is_idle else self.server.fresh).append(self.connection)
        self.client = MemoryClient()
        self.request: RequestHead = parse_request_head(head[:-4], Limits())
        plan = plan_request(self.request, snapshot)
        self.exchange: Answering = answering_for(self.shared, self.client, self.request, plan)

    def answer(self, head: bytes, payload: bytes = b"", *, ended: bool = True) -> None:
        """Let the server answer with `head` and what comes with it."""
        assert self.connection.asker is not None
        parsed = parse_response_head(head[:-4], Limits(), self.request.method)
        self.connection.asker.response(parsed, parsed.body_length, payload, ended)

    @property
    def finished(self) -> ExchangeFinished:
        """The one report of the exchange's end."""
        (event,) = self.events
        assert isinstance(event, ExchangeFinished)
        return event
