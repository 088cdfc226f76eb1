"""Which server of an upstream takes a request: the least busy one, or the one that the client began with.

Pure: no clock, no socket. Owns the memory of who began where (Engine.IO sessions, bounded) and the name and the values
of devproxy's own cookie. Does not find out which servers are up: the caller says so (:class:`Standing`).
Start at :meth:`Balancer.choose`; a :class:`Choice` carries its reason, because what follows a failure depends on it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from devproxy.config.model import Sticky, Upstream
from devproxy.http.messages import RequestHead
from devproxy.realtime.engineio import EngineRequest, parse_engine_request, session_id

MAX_SESSIONS: Final = 100_000
"""Engine.IO sessions remembered for one upstream; beyond it those that were silent the longest are forgotten."""

MAX_OTHERS: Final = 256
"""Processes of which one remembers that it is another."""

_NO_TOKEN: Final = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")
_COOKIE_PREFIX: Final = "devproxy_"


class Reason(StrEnum):
    """Why a server was chosen."""

    LEAST = "least-outstanding"
    """Nothing ties the request to a server."""
    SESSION = "session"
    """The server created the Engine.IO session that the request names."""
    UNKNOWN_SESSION = "unknown-session"
    """The request names a session whose beginning was not seen; all its requests go to the same server."""
    COOKIE = "cookie"
    """The client carries devproxy's cookie for this server."""
    LOGIN = "login"
    """The client's connection is logged in there (NTLM, Negotiate)."""


class Choice(NamedTuple):
    """``server``: its place in the configuration."""

    server: int
    reason: Reason

    @property
    def is_bound(self) -> bool:
        """Whether no other server can answer the request: the session lives in the memory of this one."""
        return self.reason in (Reason.SESSION, Reason.UNKNOWN_SESSION, Reason.LOGIN)


class Process:
    """One of the processes that share a server's address (PM2's cluster mode, Node's ``cluster``, ``--workers``).

    It is unknown which one accepts a connection, but it serves all that comes on it, and it alone knows the sessions
    that it gave out. So there is one of these for each connection on which a session was opened or accepted, and two
    are joined when they turn out to be the same. ``is_gone``: its sessions were looked for in vain.
    """

    __slots__ = ("_joined", "_others", "is_gone")

    def __init__(self) -> None:
        self._joined: Process | None = None
        self._others: set[Process] = set()
        self.is_gone = False

    @property
    def root(self) -> Process:
        """The one that represents all that have been joined with this one."""
        root = self
        while root._joined is not None:
            root = root._joined
        if root is not self:
            self._joined = root
        return root

    def join(self, other: Process) -> Process:
        """Take note that `other` is the same process; return the one that represents both."""
        root, joined = self.root, other.root
        if root is not joined:
            joined._joined = root
            for one in joined._others:
                one._others.discard(joined)
                root.differ(one)
            joined._others.clear()
        root.is_gone = False
        return root

    def differ(self, other: Process) -> None:
        """Take note that `other` is another process. What is remembered of this is bounded: the rest is found again."""
        for one, another in ((self.root, other.root), (other.root, self.root)):
            if one is another:
                return
            if len(one._others) >= MAX_OTHERS:
                for forgotten in one._others:
                    forgotten._others.discard(one)
                one._others.clear()
            one._others.add(another)

    def is_other(self, other: Process) -> bool:
        """Tell whether `other` is known to be another process."""
        return other.root in self.root._others


class Standing(Protocol):
    """What the choice asks of a server. ``is_up``: None when not known; ``outstanding``: exchanges and tunnels."""

    is_up: bool | None
    outstanding: int


class Balancer:
    """The choice among the servers of one upstream, and the sessions bound to them.

    `sessions`: those that another balancer has learnt, kept when a configuration is replaced: they are bound to
    servers by their URLs.
    """

    __slots__ = ("_indices", "_sticky", "_turn", "_turn_of_sessions", "_urls", "cookie", "cookie_values", "sessions")

    def __init__(self, upstream: Upstream, sessions: Sessions | None = None) -> None:
        self._sticky = upstream.sticky
        self._urls = [server.url for server in upstream.servers]
        self._indices = {url: index for index, url in enumerate(self._urls)}
        self._turn = 0
        self._turn_of_sessions = 0
        self.sessions = sessions if sessions is not None else Sessions()
        self.cookie = cookie_name(upstream.name).encode() if upstream.sticky is Sticky.COOKIE else b""
        self.cookie_values = [server_id(url) for url in self._urls]

    def choose(self, request: RequestHead, standings: Sequence[Standing]) -> Choice:
        """Return the server for `request`; `standings`: of the servers, in the order of the configuration."""
        if self._sticky is Sticky.SOCKETIO:
            engine = parse_engine_request(request.path)
            if engine is not None:
                return self._choose_for_session(engine, standings)
        elif self._sticky is Sticky.COOKIE:
            bound = self._bound_by_cookie(request)
            if bound is not None and standings[bound].is_up is not False:
                return Choice(bound, Reason.COOKIE)
        self._turn = index = least_outstanding(standings, self._turn + 1)
        return Choice(index, Reason.LEAST)

    def opens_session(self, request: RequestHead) -> bool:
        """Tell whether the answer to `request` will name a session.

        A session that begins as a WebSocket lives on that one connection: no other request will name it.
        """
        if request.method != b"GET" or request.upgrade:
            return False
        engine = parse_engine_request(request.path)
        return engine is not None and not engine.sid

    @property
    def keeps_sessions(self) -> bool:
        """Whether a session stays with the process that issued it."""
        return self._sticky is Sticky.SOCKETIO

    def session_of(self, request: RequestHead) -> bytes:
        """Return the id of the session that `request` belongs to where sessions are kept, else nothing."""
        engine = parse_engine_request(request.path) if self.keeps_sessions else None
        return b"" if engine is None else session_id(engine)

    def _choose_for_session(self, engine: EngineRequest, standings: Sequence[Standing]) -> Choice:
        if not engine.sid:
            # Sessions have turns of their own: a page that asks for one thing more each time it opens a session would
            # otherwise put all its sessions on one server.
            self._turn_of_sessions = index = least_outstanding(standings, self._turn_of_sessions + 1)
            return Choice(index, Reason.LEAST)
        sid = session_id(engine)
        known = self._indices.get(self.sessions.server_of(sid))
        if known is not None:
            return Choice(known, Reason.SESSION)
        return Choice(rendezvous(sid, self._urls, standings), Reason.UNKNOWN_SESSION)

    def _bound_by_cookie(self, request: RequestHead) -> int | None:
        """Return the server that devproxy's cookie in `request` names, None when there is none or it is gone."""
        if self.cookie not in request.block:
            return None
        for field in request.fields:
            if field.name != b"cookie":
                continue
            for pair in field.value.split(b";"):
                name, _, value = pair.strip().partition(b"=")
                if name == self.cookie and value in self.cookie_values:
                    return self.cookie_values.index(value)
        return None

    def learn(self, sid: bytes, index: int, process: Process | None = None) -> None:
        """Bind the session `sid` to the server that created it, and to its `process` there."""
        self.sessions.bind(sid, self._urls[index], process)

    def cookie_line(self, index: int) -> bytes:
        """Return the field line that binds a client to a server; it ends with the browser's session."""
        return b"Set-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax" % (self.cookie, self.cookie_values[index])


class Sessions:
    """Which server, by its URL, and which of its processes created which session.

    Holds at most `limit`; the longest unused go first.
    """

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, tuple[str, Process | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def bind(self, sid: bytes, url: str, process: Process | None = None) -> None:
        """Remember that the server at `url` created `sid`, in `process` as far as that is known."""
        self._known[sid] = url, process
        self._known.move_to_end(sid)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def server_of(self, sid: bytes) -> str:
        """Return the URL of the server that created `sid`, empty when it is not known; that counts as use."""
        known = self._known.get(sid)
        if known is None:
            return ""
        self._known.move_to_end(sid)
        return known[0]

    def process_of(self, sid: bytes) -> Process | None:
        """Return the process that created `sid`, None when it is not known."""
        known = self._known.get(sid)
        return None if known is None or known[1] is None else known[1].root

    def forget(self, sid: bytes) -> None:
        """Remember nothing of `sid`: no server knows it any more."""
        self._known.pop(sid, None)


def least_outstanding(standings: Sequence[Standing], start: int) -> int:
    """Return the index of the server with the least to do, the first from `start` on where several are equal.

    Servers known to be down are left out, unless all are.
    """
    count = len(standings)
    order = [(start + step) % count for step in range(count)]
    candidates = [index for index in order if standings[index].is_up is not False] or order
    return min(candidates, key=lambda index: standings[index].outstanding)


def rendezvous(key: bytes, urls: Sequence[str], standings: Sequence[Standing]) -> int:
    """Return the server whose hash with `key` is highest: always the same one, for every client and after any restart.

    A server that is left out because it is down moves its own keys alone (rendezvous hashing).
    """
    indices = [index for index, one in enumerate(standings) if one.is_up is not False] or range(len(urls))
    return max(indices, key=lambda index: blake2b(key + b"\0" + urls[index].encode(), digest_size=8).digest())


def cookie_name(upstream: str) -> str:
    """Return the name of devproxy's cookie for `upstream`, a token (RFC 9110 section 5.6.2)."""
    return _COOKIE_PREFIX + _NO_TOKEN.sub(lambda match: f"%{ord(match[0]):02x}", upstream)


def server_id(url: str) -> bytes:
    """Return what the cookie contains for the server at `url`: reveals nothing about it and outlives restarts."""
    return blake2b(url.encode(), digest_size=6).hexdigest().encode()
