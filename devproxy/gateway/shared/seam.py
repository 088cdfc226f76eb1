"""What the parts of the gateway ask of each other: interfaces, and no code.

A *client stream* is one request of a client and the way back to it; an *asker* is what waits for the answer to a
request, usually an exchange; an *upstream* is what a request is sent on. So the client's side (`front`), what is
between (`exchanges`) and the upstream's side (`back`) know this module, and none of them knows the one above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import asyncio

    from devproxy.answers.rendering import Composed
    from devproxy.config.model import ServerAddress
    from devproxy.config.model import Upstream as UpstreamConfig
    from devproxy.errors import Absence, BadMessage, TlsFailure, UpstreamFault
    from devproxy.gateway.shared.observers import Observers
    from devproxy.http.edits import ResponseEdits
    from devproxy.http.messages import RequestHead, ResponseHead
    from devproxy.policy.hop import Peer
    from devproxy.routing.balance import Balancer, Choice, Process


class ByteStream(Protocol):
    """One end of a tunnel: bytes both ways. A transport of asyncio is one, and calls its protocol likewise.

    A stream that shares its connection with others has no socket of its own: ``get_extra_info("socket")`` is None.
    """

    def write(self, data: bytes) -> None:
        """Send `data`; what is not taken at once is kept, and the protocol told to pause."""

    def write_eof(self) -> None:
        """Say that nothing more will be sent."""

    def can_write_eof(self) -> bool:
        """Whether one direction can end before the other."""

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are kept."""

    def close(self) -> None:
        """Send what is kept, then end."""

    def abort(self) -> None:
        """End at once, so that the other side can tell."""

    def is_closing(self) -> bool:
        """Whether it has ended or is about to."""

    def is_reading(self) -> bool:
        """Whether what comes is taken."""

    def pause_reading(self) -> None:
        """Take nothing for now."""

    def resume_reading(self) -> None:
        """Take what comes again."""

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return what receives the events."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell `protocol` from now on."""

    def get_extra_info(self, name: str) -> Any:
        """Return what is known by `name`, or None."""


class TakenOver(NamedTuple):
    """A client's stream that is given to a tunnel. `early`: what the client sent after its request.

    `has_ended`: it sends nothing more.
    """

    stream: ByteStream
    early: bytes
    has_ended: bool


class Loss(NamedTuple):
    """That a connection ended before the response did, or that the response is not HTTP (`cause`: why).

    `may_be_unread`: it had served before and no byte of an answer came, so the server may have closed it before the
    request reached it. `was_logged_in`: it carried a login of the client's. `tls`: why there is no TLS any more.
    """

    fault: UpstreamFault
    detail: str
    was_reset: bool = False
    cause: BadMessage | None = None
    may_be_unread: bool = False
    was_logged_in: bool = False
    tls: TlsFailure | None = None


class ClientStream(Protocol):
    """A client, as an exchange sees it: one request, and the way back.

    Heads are given as the server's head and the edits to it; the stream writes them in its version of HTTP, and
    alone decides whether its connection goes on.

    ``logins``: upstream connections that are logged in for this client, which live and end with its connection.
    ``handshake_key``: of a WebSocket handshake that was made for the client, which so cannot check the answer to it;
    empty: it has made its own.
    """

    peer: Peer
    logins: dict[Pool, Connection]
    handshake_key: bytes

    @property
    def decodes_chunks(self) -> bool:
        """Whether bodies are given without the chunked coding, which the client's version of HTTP does not have."""

    def inform(self, head: ResponseHead, edits: ResponseEdits) -> None:
        """Give a 1xx head, if the client can take one."""

    def respond(self, head: ResponseHead, edits: ResponseEdits, body_length: int, payload: bytes, ended: bool) -> None:
        """Give the response's head, and what there is of its body; `ended`: nothing follows.

        `body_length`: of the whole body, ``CHUNKED`` or ``UNTIL_CLOSE``.
        """

    def answer(self, composed: Composed) -> None:
        """Give an answer of devproxy's own, whole."""

    def send(self, data: bytes, ended: bool) -> None:
        """Give a further piece of the response's body; `ended`: nothing follows."""

    def abort(self, *, resets: bool) -> None:
        """Break off, so that the client can tell that its response is not complete; `resets`: by a reset."""

    def take_over(self, head: ResponseHead, edits: ResponseEdits, glued: bytes) -> TakenOver:
        """Give the head of a switch of protocols and `glued`, what came after it; hand the stream over to a tunnel."""

    def pause_reading(self) -> None:
        """Take no more of the request for now."""

    def resume_reading(self) -> None:
        """Take from the client again."""

    def lose_login(self, connection: Connection) -> None:
        """`connection` has ended, which may carry a login of this client's."""


class Asker(Protocol):
    """What waits for the answer to a request, as seen by the connection that the request went out on."""

    request: RequestHead

    @property
    def client(self) -> ClientStream:
        """Who asked in the first place."""

    @property
    def is_request_sent(self) -> bool:
        """Whether all of the request's body has come, and none of it is held back."""

    def interim(self, head: ResponseHead) -> None:
        """Take a 1xx response."""

    def response(self, head: ResponseHead, body_length: int, payload: bytes, ended: bool) -> None:
        """Take the final response head and what of its body came with it; `ended`: nothing follows."""

    def response_data(self, data: bytes, ended: bool) -> None:
        """Take a further piece of the response's body; `ended`: nothing follows."""

    def upgraded(self, head: ResponseHead, glued: bytes, stream: ByteStream) -> None:
        """The upstream has switched protocols; `stream` is given away. `glued`: what it sent after its 101."""

    def upstream_lost(self, loss: Loss) -> None:
        """The connection ended before the response did."""

    def pause_request(self) -> None:
        """The upstream takes the request slowly: read no more of it."""

    def resume_request(self) -> None:
        """The upstream has caught up."""


class Upstream(Protocol):
    """What a request is sent on, as an exchange sees it: a connection, or a stand-in for one.

    ``holds_request``: something of a request that has come is still held.
    """

    @property
    def server_pool(self) -> Server:
        """The server at the other end."""

    @property
    def holds_request(self) -> bool:
        """Whether something of a request that has come is still held."""

    def begin(self, asker: Asker, data: bytes, /) -> None:
        """Send `data`, a request head and what there is of its body, for `asker`."""

    def send(self, data: bytes) -> None:
        """Send a further piece of the request's body."""

    def pause_reading(self) -> None:
        """Read no more of the response for now."""

    def resume_reading(self) -> None:
        """Read on."""

    def abandon(self) -> None:
        """End at once: the client has left."""


class Connection(Upstream, Protocol):
    """A connection to a server, as its pool sees it; for the attributes see the class that is one."""

    address: str
    expires_at: float
    owner: ClientStream | None
    process: Process | None
    served: int
    transport: asyncio.Transport
    user: object

    @property
    def is_open(self) -> bool:
        """Whether the connection has been made and not been closed."""

    @property
    def is_idle(self) -> bool:
        """Whether no exchange uses it."""

    @property
    def is_logged_in(self) -> bool:
        """Whether a login of the client's began here and was answered."""

    @property
    def is_silent(self) -> bool:
        """Whether its sender still waits for the first byte that this connection brings."""

    def bind(self, client: ClientStream) -> None:
        """Belong to `client` from now on."""

    def close(self) -> None:
        """Close an idle connection."""


class Server(Protocol):
    """The connections to one server. ``outstanding``: exchanges and tunnels that run there."""

    outstanding: int

    @property
    def index(self) -> int:
        """Its place in the configuration of its upstream."""

    @property
    def pool(self) -> Pool:
        """The upstream it belongs to."""

    @property
    def response_timeout_s(self) -> float:
        """How long it may be silent; 0: forever."""

    @property
    def server(self) -> ServerAddress:
        """Its address in the configuration."""

    def take_idle(self, client: ClientStream) -> Connection | None:
        """Return an idle connection, that which `client` used last if there is one, or None."""

    def take_for(self, process: Process, client: ClientStream) -> Connection | None:
        """Return an idle connection that may lead to `process`, or None."""

    async def connect(self) -> Connection:
        """Return a new connection. Raises :class:`~devproxy.errors.UpstreamError`."""

    def release(self, connection: Connection, client: object, announced_s: int | None) -> None:
        """Keep `connection`, which `client` used, for the next request."""

    def expect(self, connection: Connection) -> None:
        """A request has been sent on `connection`."""

    def forget(self, connection: Connection) -> None:
        """Drop `connection`, which has ended while it was idle."""

    def look_soon(self) -> None:
        """A connection has ended that was to stay: find out whether the server has gone."""

    def end_one(self, is_ended_there: bool) -> None:
        """One tunnel less runs there."""

    def close_idle(self) -> None:
        """Close all idle connections."""


class Pool(Protocol):
    """The servers of one upstream."""

    @property
    def upstream(self) -> UpstreamConfig:
        """What the configuration says of it."""

    @property
    def balancer(self) -> Balancer:
        """Who chooses among its servers."""

    @property
    def only(self) -> Server | None:
        """Its server, where there is nothing to choose."""

    @property
    def servers(self) -> Sequence[Server]:
        """In the order of the configuration."""

    def choose(self, request: RequestHead) -> Choice:
        """Return which server takes `request`, and why."""

    async def open(self, first: Server, request: RequestHead, *, is_bound: bool) -> Connection:
        """Return a new connection for `request`, to `first` or another server.

        Raises :class:`~devproxy.errors.UpstreamError`.
        """

    def learn_session(self, sid: bytes, connection: Connection) -> None:
        """Remember that the Engine.IO session `sid` was given out on `connection`."""

    def note_refusal(self, request: RequestHead, head: ResponseHead, body: bytes) -> None:
        """Say once where a 400 means that several processes share an address."""

    def absence(self, waited_s: float, *, may_wait: bool) -> Absence | None:
        """Return since when the upstream is away; None: it was never up."""

    def close_idle(self) -> None:
        """Close all idle connections."""


class ClientConnection(Protocol):
    """A client's connection, as the gateway keeps it: one with HTTP on it, that may be idle."""

    deadline: float

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come."""

    @property
    def running_exchanges(self) -> int:
        """How many exchanges run on it."""

    def tell_so_far(self, late: Observers, /) -> None:
        """Tell the `late` observers of the exchange that runs on it, and of what happens to that."""

    def expire(self) -> None:
        """The deadline is over."""

    def close_idle(self) -> None:
        """Close the connection, with the answer if an exchange runs on it."""

    def cut(self) -> None:
        """Close the connection whatever runs on it."""


class Timed(Protocol):
    """An exchange whose upstream has only so long to answer."""

    def look_at_clock(self, now: float) -> bool:
        """Answer if it is too late at `now`, the loop's time; return whether the upstream is still awaited."""


class OpenTunnel(Protocol):
    """A tunnel, as the gateway keeps it."""

    def tell_so_far(self, late: Observers, /) -> None:
        """Tell the `late` observers that it is open, and of what happens to it."""

    def review(self, where: Mapping[object, tuple[ServerAddress, ...]]) -> bool:
        """Judge the tunnel by the routes that hold now. True: it has to close."""

    def close(self) -> None:
        """End the tunnel cleanly."""

    def cut(self) -> None:
        """Close both ends now."""
