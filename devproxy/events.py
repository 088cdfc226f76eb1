"""What happened, as records: the gateway emits them, the console and others listen.

Nothing here formats and nothing here waits: an :class:`Observer` is told in the loop turn in which something happened,
and must return at once. Of traffic, only what an observer wants to see becomes a record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, StrEnum, auto
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from devproxy.http.messages import RequestFacts


class Wants(Flag):
    """What of the traffic an observer wants to see. What belongs to no exchange and no tunnel is reported to all of
    them."""

    NOTHING = 0
    FAILURES = auto()
    """The ends of exchanges that need a look: see :func:`is_failure`."""
    ENDS = auto()
    """The end of every exchange; tunnels."""
    PROGRESS = auto()
    """How each exchange begins: that it has started, where it was sent, that its response has begun."""
    CHANGES = auto()
    """With the ends: what devproxy changed in the answer, and why."""
    HEADS = auto()
    """Every head, as it came and as it went on. Nothing in it is masked."""
    BODIES = auto()
    """What there is in bodies, piece by piece. A body that began before an observer wants it is not reported."""
    FRAMES = auto()
    """What passes through tunnels, piece by piece."""
    EVIDENCE = auto()
    """The heads of exchanges that need a look, all at once: see :class:`Evidence`; tunnels."""


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETE = "complete"
    CLIENT_LEFT = "client-left"
    UPSTREAM_LOST = "upstream-lost"
    """The upstream's connection ended in mid-body; the client's was cut so that it can tell."""
    ANSWERED = "answered-here"
    """devproxy itself answered: an error, a refusal or one of its own pages."""
    STOPPED = "stopped"
    """Cut because devproxy is stopping and ``drain_s`` is over."""


@dataclass(slots=True)
class ExchangeStarted:
    """A request's head is complete. ``exchange_id`` is in every event of this exchange, and of a tunnel that comes
    of it. ``started_at``: in seconds since the epoch; durations are measured by another clock.
    """

    exchange_id: int
    method: bytes
    target: bytes
    client: str
    started_at: float


@dataclass(slots=True)
class RequestSent:
    """The head of the request has left for ``server``, ``after_s`` seconds after the start: until then there was no
    connection, or it was held back. Told again when the request is sent once more because a kept connection was dead.
    ``after_s`` is 0 if no observer was there when it left.
    """

    exchange_id: int
    route: str
    upstream: str
    server: str
    after_s: float


@dataclass(slots=True)
class ResponseBegun:
    """The head of the upstream's response goes to the client. devproxy's own answers begin and end at once:
    only their end is reported. ``first_byte_s`` is 0 if no observer was there when it began."""

    exchange_id: int
    status: int
    first_byte_s: float


@dataclass(slots=True)
class HeadSeen:
    """A head. ``is_request``: the request's, else a response's, of which 1xx come before the final one. ``is_sent``: as
    devproxy sent it on, else as it came.

    ``head``: the start line and the field lines with CRLF between them. Of a response as it is sent without the lines
    that concern the client's connection alone. There is no response as it came where no server answered.
    """

    exchange_id: int
    is_request: bool
    is_sent: bool
    head: bytes


@dataclass(slots=True)
class BodyData:
    """A further piece of a body, as it came. ``is_request``: of the request's, else of the response's. ``is_last``:
    the body is complete with it; a body that never becomes complete has none.

    ``data``: without the chunked coding (RFC 9112 section 7.1), and with any ``Content-Encoding``; may be empty in the
    last piece. A message without a body has no piece.
    """

    exchange_id: int
    is_request: bool
    data: bytes
    is_last: bool


@dataclass(slots=True)
class ExchangeFinished:
    """One request and its answer are over (or it became a tunnel and that is over: see :class:`TunnelClosed`).

    ``target``: raw request target. ``route``: the route's label, empty when none matched. ``upstream``: the upstream's
    name, ``server``: the address that answered. ``status``: 0 when nothing was sent. ``duration_s``: from the complete
    request head to the last byte written; ``first_byte_s``: to the response head, 0 when there was none.
    ``request_bytes`` / ``response_bytes``: body bytes. ``error``: an ``X-Devproxy-Error`` code with its detail.
    ``advice``: what a browser does with the answer if that is not what its page wants, each cause once a minute.
    ``has_advice``: there is such a cause, told of already or not.
    ``changes``: what devproxy changed in the answer and why, for those who want :attr:`Wants.CHANGES`.
    ``destination``: what a browser wants it for, as in ``Sec-Fetch-Dest``; empty where that was not said.
    ``protocol``: what the client asked to switch to and did not get, as in ``Upgrade`` but in lower case; empty for
    every other request.
    """

    method: bytes
    target: bytes
    status: int
    route: str
    upstream: str
    server: str
    outcome: Outcome
    duration_s: float
    first_byte_s: float
    request_bytes: int
    response_bytes: int
    client: str
    error: str = ""
    detail: str = ""
    advice: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    has_advice: bool = False
    protocol: str = ""
    exchange_id: int = 0
    destination: bytes = b""


@dataclass(slots=True)
class Evidence:
    """The heads of an exchange that failed or was refused, or of whose answer a browser makes something else than its
    page wants. Told before its end, when that is known. ``capture``: as in :class:`Entry`, without bodies.
    """

    exchange_id: int
    capture: Any


class Entry(NamedTuple):
    """An exchange that has ended, in the shortest form: what an observer that keeps all ends and looks at few is given.

    It is given as a plain tuple in this order, which costs a fifth of a record; ``Entry._make`` names the fields.
    ``facts``: None where there was no request that could be read. ``scheme``, ``http``: of the client's side, ``1.1``.
    ``started``, ``ended``: by the gateway's clock, in seconds. ``capture``: what was kept of the whole exchange, a
    :class:`devproxy.gateway.shared.capture.Capture`; None: nothing was. The others as in :class:`ExchangeFinished`.
    """

    exchange_id: int
    method: bytes
    target: bytes
    facts: RequestFacts | None
    client: str
    scheme: str
    http: bytes
    started: float
    ended: float
    first_byte_s: float
    status: int
    route: str
    upstream: str
    server: str
    outcome: Outcome
    request_bytes: int
    response_bytes: int
    error: str
    detail: str
    has_advice: bool
    capture: Any


@dataclass(slots=True)
class Capturing:
    """What is being kept of an exchange that runs, for those who ask what runs now. ``capture``: see :class:`Entry`."""

    exchange_id: int
    capture: Any


Keep = Callable[["tuple[object, ...]"], object]
"""Takes the fields of an :class:`Entry`. Must return at once, and never raises."""


def finished_of(end: tuple[object, ...]) -> ExchangeFinished:
    """Return the record of `end`, the fields of an :class:`Entry` that says all (:func:`is_plain_end`)."""
    entry = Entry._make(end)
    facts = entry.facts
    return ExchangeFinished(
        entry.method,
        entry.target,
        entry.status,
        entry.route,
        entry.upstream,
        entry.server,
        entry.outcome,
        entry.ended - entry.started,
        entry.first_byte_s,
        entry.request_bytes,
        entry.response_bytes,
        entry.client,
        entry.error,
        entry.detail,
        has_advice=entry.has_advice,
        protocol="" if facts is None else facts.upgrade.decode("latin-1"),
        exchange_id=entry.exchange_id,
        destination=b"" if facts is None else facts.fetch_dest,
    )


@dataclass(slots=True)
class TunnelOpened:
    """An upgrade was accepted (101). ``protocol``: the token of ``Upgrade``. ``tunnel_id`` pairs it with its end,
    ``exchange_id`` with its beginning.

    ``advice``: as in :class:`ExchangeFinished`, where a browser does not take the 101. ``opened_at``: in seconds since
    the epoch.
    """

    tunnel_id: int
    target: bytes
    protocol: str
    route: str
    upstream: str
    server: str
    client: str
    duration_s: float
    advice: tuple[str, ...] = ()
    exchange_id: int = 0
    opened_at: float = 0.0


@dataclass(slots=True)
class TunnelData:
    """Bytes that passed through a tunnel, in the pieces in which they came. ``is_from_client``: else from the upstream.

    ``is_start``: ``data`` begins between two WebSocket messages, so that a late observer knows where to start reading
    (see :class:`devproxy.realtime.frames.FrameReader`). Always True in a tunnel of another protocol.
    """

    tunnel_id: int
    is_from_client: bool
    data: bytes
    is_start: bool


@dataclass(slots=True)
class TunnelClosed:
    """A tunnel is over. ``closed_by``: ``client``, ``upstream``, ``idle``, ``fault`` or ``devproxy``.

    Bytes as seen by the client. ``close_code``: of the WebSocket Close frame when one was seen, else 0.
    """

    tunnel_id: int
    target: bytes
    protocol: str
    route: str
    upstream: str
    server: str
    client: str
    duration_s: float
    sent_bytes: int
    received_bytes: int
    closed_by: str
    close_code: int = 0
    exchange_id: int = 0


@dataclass(slots=True)
class UpstreamState:
    """Whether an upstream's server accepts connections, when that is first known and when it changes.

    ``address``: which of the name's addresses answered, for example ``[::1]:5173``.
    """

    upstream: str
    server: str
    is_up: bool
    address: str = ""
    detail: str = ""


@dataclass(slots=True)
class RequestsWaiting:
    """Requests wait for the servers of an upstream to come back, ``count`` of them so far; said once until they do.

    ``left_s``: how long they go on waiting at most. ``method``, ``target``: of the first that waits.
    """

    upstream: str
    count: int
    left_s: float
    method: bytes = b""
    target: bytes = b""


@dataclass(slots=True)
class Ready:
    """Listening, configuration applied. ``urls``: one for each address; ``startup_s``: since the process began.

    ``inspector``: the address of the inspector's page, with the key that opens it; empty: there is none. ``has_keys``:
    the terminal's keys do something.
    """

    urls: tuple[str, ...]
    startup_s: float
    inspector: str = ""
    has_keys: bool = False


@dataclass(slots=True)
class ConfigChange:
    """One thing that a new configuration changes, on one line.

    ``what``: ``server``, ``upstream backend``, ``route /api/``. ``detail``: where it leads (added, removed) or the key
    with its old and its new value: ``cors.mode: strip -> rewrite``.
    """

    what: str
    kind: Literal["added", "removed", "changed"]
    detail: str


@dataclass(slots=True)
class ConfigApplied:
    """Another configuration holds from now on. What ran before ends as it began.

    ``changes``: empty when the file says the same as before. ``departing_tunnels``: how many are closed after
    ``drain_s`` seconds, because their route is gone or leads elsewhere. ``urls``: as in :class:`Ready`, empty when they
    are the same as before. ``routes`` and ``upstreams``: the labels and names of all there are now. ``cause``: why,
    where it is not that the file says something else.
    """

    source: str
    changes: tuple[ConfigChange, ...]
    departing_tunnels: int
    drain_s: float
    urls: tuple[str, ...]
    routes: tuple[str, ...]
    upstreams: tuple[str, ...]
    cause: str = ""


@dataclass(slots=True)
class ConfigRejected:
    """The file does not load, and the previous configuration stays in force. ``report``: every problem, as people read
    them.

    ``problems``: how many there are.
    """

    source: str
    problems: int
    report: str


@dataclass(slots=True)
class ConfigMissing:
    """The file is gone or cannot be read, and the previous configuration stays in force. ``reason``: in the system's
    words."""

    source: str
    reason: str


@dataclass(slots=True)
class Stopping:
    """Asked to stop. ``exchanges`` / ``tunnels``: how many still run."""

    exchanges: int
    tunnels: int
    drain_s: float


@dataclass(slots=True)
class Stopped:
    """Everything is closed. ``cut``: exchanges that did not finish within ``drain_s``."""

    cut: int


@dataclass(slots=True)
class DescriptorShortage:
    """File descriptors are short and new clients wait at the door, or (``is_over``) they are accepted again.

    ``limit``: how many this process may have (``ulimit -n``). Both are said once, also when it comes and goes.
    """

    limit: int
    is_over: bool


@dataclass(slots=True)
class ProgramStarted:
    """A program that devproxy runs has been started. ``pid``: of the process that keeps its processes together."""

    name: str
    command: str
    pid: int


@dataclass(slots=True)
class ProgramOutput:
    """Lines that a program has written, as it wrote them, without line ends."""

    name: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class ProgramAnswers:
    """A program takes connections. ``upstream``: what it serves, empty for none; ``url``: where that is now.

    ``after_s``: since it was started. ``expected``: the port that the configuration named, if it is another one; else
    0.
    """

    name: str
    upstream: str
    url: str
    port: int
    after_s: float
    expected: int = 0


@dataclass(slots=True)
class ProgramEnded:
    """A program has ended on its own, and none of its processes is left. ``status``: as a shell counts it;
    ``by_signal``: the name of the signal that ended it, or empty. ``restart_s``: when it is started again; None: not.
    """

    name: str
    status: int
    by_signal: str
    after_s: float
    restart_s: float | None = None


@dataclass(slots=True)
class Note:
    """Lines that a person has asked for, or may want to know: no warning.

    ``is_painted``: they are for a terminal as they are.
    """

    lines: tuple[str, ...]
    is_painted: bool = False


@dataclass(slots=True)
class Trouble:
    """Something a person should know that belongs to no exchange: a warning with what to do about it."""

    what: str
    help: str = ""


Event = (
    ExchangeStarted
    | RequestSent
    | ResponseBegun
    | HeadSeen
    | BodyData
    | Capturing
    | Evidence
    | ExchangeFinished
    | TunnelOpened
    | TunnelData
    | TunnelClosed
    | UpstreamState
    | RequestsWaiting
    | Ready
    | ConfigApplied
    | ConfigRejected
    | ConfigMissing
    | Stopping
    | Stopped
    | DescriptorShortage
    | ProgramStarted
    | ProgramOutput
    | ProgramAnswers
    | ProgramEnded
    | Note
    | Trouble
)
Tell = Callable[[Event], None]


class Observer(NamedTuple):
    """Receives events: ``tell`` is called with each event that it ``wants``.

    ``keep``: is called with the end of every exchange, as an :class:`Entry`; None: not. Then ``tell`` is not called
    with those of which that says all (:func:`is_plain_end`), unless changes are wanted.
    """

    tell: Tell
    wants: Wants = Wants.ENDS
    keep: Keep | None = None


def is_plain_end(outcome: Outcome, has_advice: bool) -> bool:
    """Tell whether an :class:`Entry` says all that there is to say of an exchange, but for what was changed."""
    return outcome is Outcome.COMPLETE and not has_advice


def is_failure(outcome: Outcome, status: int, advice: tuple[str, ...]) -> bool:
    """Tell whether an exchange that ended so needs a look: the upstream was lost or gave no answer, or
    there is something to advise. A refusal, and a client that left, are not failures."""
    is_error_here = outcome is Outcome.ANSWERED and status >= 500
    return is_error_here or outcome is Outcome.UPSTREAM_LOST or bool(advice)
