"""What probes saw, as values: answers, handshakes, sessions, and all of them together. No judgement, no I/O.

Start at :class:`Seen`, one way to a server; :class:`Examined` is everything that a diagnosis is made of.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from devproxy.doctor.target import Target
from devproxy.http.fields import Field, values_of

JOIN_S: Final = 5.0
"""How long a namespace is waited for."""


class Failure(StrEnum):
    """Why there is no answer."""

    NONE = ""
    NOT_ASKED = "not asked"
    REFUSED = "connection refused"
    UNRESOLVED = "name not found"
    UNREACHABLE = "no way to the address"
    NOT_CONNECTED = "no connection in time"
    TLS = "the TLS handshake failed"
    SILENT = "no answer in time"
    CLOSED = "closed without an answer"
    NOT_HTTP = "not an answer of HTTP"


class Answer(NamedTuple):
    """What came back to one request.

    ``status``: 0 where nothing did, and ``failure`` says why, ``detail`` in which words. ``body``: at most its first
    64 KiB; ``is_whole``: all of it came. ``head_s``, ``body_s`` and ``end_s``: seconds from the request to the head, to
    the first byte of the body (0: none came), and until reading ended. ``raw``: the first bytes of what is not HTTP.
    """

    status: int = 0
    fields: tuple[Field, ...] = ()
    body: bytes = b""
    failure: Failure = Failure.NONE
    detail: str = ""
    is_whole: bool = False
    head_s: float = 0.0
    body_s: float = 0.0
    end_s: float = 0.0
    raw: bytes = b""

    @property
    def is_there(self) -> bool:
        """Whether there is an answer, of whatever status."""
        return self.status != 0

    @property
    def was_asked(self) -> bool:
        """Whether the question was put at all."""
        return self.failure is not Failure.NOT_ASKED

    def value(self, name: str) -> bytes:
        """Return the first value of the field called `name`, in lower case; empty where there is none."""
        return next(iter(values_of(self.fields, name.encode())), b"")

    def values(self, name: str) -> list[bytes]:
        """Return the values of all fields called `name`, in lower case."""
        return values_of(self.fields, name.encode())


NOT_ASKED = Answer(failure=Failure.NOT_ASKED)


class Handshake(NamedTuple):
    """A WebSocket handshake.

    ``key``: that it asked with. ``first``: the first message after 101, ``None`` if none came. ``ended``: how the
    connection ended where no message came: ``close 1008``, ``closed``; empty while it was open.
    """

    answer: Answer = NOT_ASKED
    key: bytes = b""
    first: str | None = None
    ended: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the server accepted it."""
        return self.answer.status == 101


class Opened(NamedTuple):
    """An open packet of Engine.IO. ``eio``: the protocol it is written in. Times in milliseconds."""

    sid: str
    eio: int
    upgrades: tuple[str, ...] = ()
    ping_interval_ms: int = 25_000
    ping_timeout_ms: int = 20_000
    keys: tuple[str, ...] = ()

    @property
    def idle_s(self) -> float:
        """How long a connection may be quiet: ``pingInterval`` and ``pingTimeout`` together."""
        return (self.ping_interval_ms + self.ping_timeout_ms) / 1000


class Joining(NamedTuple):
    """How a namespace answered. ``said``: the text of a refusal, or nothing. ``waited_s``: for an answer."""

    result: str = ""
    said: str = ""
    waited_s: float = 0.0


class Round(NamedTuple):
    """A session that was opened to see who knows it, each time over a new connection.

    ``known`` and ``unknown``: how many requests met a server that knows it, or does not. ``kept``: whether the
    connection that opened it led to it again; None: not asked.
    """

    known: int = 0
    unknown: int = 0
    kept: bool | None = None


class Session(NamedTuple):
    """One session from its beginning to its end.

    ``join``: of the namespace asked for. ``upgrade``: the handshake with ``sid``. ``probe_s``: from ``2probe`` to
    ``3probe``; ``poll_s``: until the pending poll was let go; negative: it did not come. ``lost``: answers by which a
    server did not know the session.
    """

    opened: Opened | None = None
    join: Joining = Joining()
    upgrade: Handshake = Handshake()
    probe_s: float = 0.0
    poll_s: float = 0.0
    lost: tuple[Answer, ...] = ()
    cookies_help: bool = False


class Idle(NamedTuple):
    """A quiet connection. ``held_s``: how long; ``ended``: by what it ended too early, empty: it did not.

    ``needed_s``: for how long it has to last; 0: nothing was held.
    """

    held_s: float = 0.0
    needed_s: float = 0.0
    ended: str = ""


class Connection(NamedTuple):
    """An attempt to connect. ``failure``: empty if it was good."""

    address: str
    failure: Failure
    seconds: float = 0.0
    detail: str = ""


class Streamed(NamedTuple):
    """An event stream asked for twice. ``plain_s`` and ``packed_s``: seconds to the first event without and with
    compression offered; negative: none came in ``waited_s``.
    """

    plain_s: float = 0.0
    packed_s: float = 0.0
    waited_s: float = 0.0
    coding: bytes = b""


class Seen(NamedTuple):
    """One way to a server: straight, or through something in front of it.

    ``where``: ``direct`` or ``through``. ``page``: the origin of the page; ``stranger``: that of a web site of which
    the server cannot know. ``certificate``: why it is not trusted, in OpenSSL's words, or empty. ``other_scheme``: the
    server answers when it is asked the other way, in TLS or in plain. ``elsewhere``: addresses of this machine, besides
    those of the URL, where the port answers. ``is_lone``: an open connection kept this one waiting.

    ``polled_other``: the first poll, at the other address of ``localhost``, where both answer.

    Answers to a poll that begins a session: ``polled`` without an Origin, ``polled_page``, ``polled_stranger``,
    ``polled_old`` in the other protocol. ``unupgraded``: ``transport=websocket`` without Upgrade. ``paths``: answers at
    other paths. ``allowed``: origins, found by asking, that may read. ``preflight``: of a poll; ``preflight_in``: of a
    poll within a session. ``resource``, ``resource_page``, ``resource_stranger``, ``resource_preflight``: the same of
    the URL itself.
    """

    where: str
    target: Target
    page: bytes
    stranger: bytes
    includes_credentials: bool = False
    is_page_given: bool = True
    connections: tuple[Connection, ...] = ()
    elsewhere: tuple[str, ...] = ()
    certificate: str = ""
    other_scheme: bool = False
    is_lone: bool = False
    polled: Answer = NOT_ASKED
    polled_page: Answer = NOT_ASKED
    polled_stranger: Answer = NOT_ASKED
    polled_old: Answer = NOT_ASKED
    polled_other: Answer = NOT_ASKED
    unupgraded: Answer = NOT_ASKED
    unknown_session: Answer = NOT_ASKED
    paths: tuple[tuple[str, Answer], ...] = ()
    followed: tuple[str, Answer] = ("", NOT_ASKED)
    allowed: tuple[bytes, ...] = ()
    preflight: Answer = NOT_ASKED
    preflight_in: Answer = NOT_ASKED
    resource: Answer = NOT_ASKED
    resource_page: Answer = NOT_ASKED
    resource_stranger: Answer = NOT_ASKED
    resource_preflight: Answer = NOT_ASKED
    streamed: Streamed = Streamed()
    socket_page: Handshake = Handshake()
    socket_stranger: Handshake = Handshake()
    socket_own: Handshake = Handshake()
    socket_none: Handshake = Handshake()
    socket_resource: Handshake = Handshake()
    session: Session = Session()
    rounds: tuple[Round, ...] = ()
    idle_poll: Idle = Idle()
    idle_socket: Idle = Idle()
    hints: tuple[tuple[str, Answer], ...] = ()

    @property
    def is_same_origin(self) -> bool:
        """Whether the page is one of this server's, so that CORS has no part in it."""
        return self.page == self.target.origin


class Examined(NamedTuple):
    """Everything that was seen. ``through``: by way of ``--through``. ``limit_s``: the time that was given."""

    direct: Seen
    through: Seen | None = None
    limit_s: float = 15.0
