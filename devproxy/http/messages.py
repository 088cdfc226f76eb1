"""HTTP messages as values: request heads and response heads.

Owns the vocabulary that every other floor speaks. Never frames (that is ``http1``) and never decides (that is
``policy`` and ``plan``). Terms follow RFC 9110: a *message* has a *head* (start line and fields) and a *body*, whose
extent is its *framing*.

Instances are built once by ``http1.head`` and must be treated as immutable; the dataclasses are not ``frozen`` only
because freezing triples the cost of building one, and one is built for every message on the data path.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from devproxy.http.fields import Field, parse_fields, values_of

_search_length = re.compile(rb"\r\n(?i:content-length)[ \t]*:[ \t]*([0-9]+)").search

UNTIL_CLOSE: Final = -2
"""``body_length`` of a response whose body ends with its connection (RFC 9112 section 6.3, item 8)."""

find_length = cast("Callable[[bytes], re.Match[bytes]]", _search_length)
"""Finds the Content-Length of a head that was found to have one: its number is the first group."""

STATED: Final = -3
"""``body_length`` of facts whose message has a Content-Length other than 0: the head knows the number."""

CHUNKED: Final = -1
"""``body_length`` of a message framed by the chunked transfer coding (RFC 9112 section 7.1)."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the version and the special fields of a request establish; for an absolute-form target ``host`` is its
    authority.

    ``version_minor`` is 0 or 1 (the major version is always 1). ``host``: empty only for HTTP/1.0. ``body_length``: 0,
    :data:`CHUNKED` or :data:`STATED`. ``upgrade``: the protocol asked for, in lower case, when both ``Upgrade`` and
    ``Connection: upgrade`` ask (RFC 9110 section 7.8); else empty. ``connection_options``: lower case, without
    ``close``, ``keep-alive`` and ``upgrade``. ``is_plain``: to forward the message means to leave out the lines in
    ``dropped``, and nothing more; each is there between two CRLFs, as often as it came. It is empty where the message
    is not plain. ``via``: the values of Via, joined. ``origins``: of every Origin, of which a browser sends at most
    one. ``fetch_site``, ``fetch_mode`` and ``fetch_dest``: of the last ``Sec-Fetch-*``, empty when there is none.
    ``logs_in``: the message logs the connection in on which it passes (NTLM, Negotiate).

    ``is_remembered``: these facts are shared by all requests whose special fields are the same but for the number that
    is their length, and may be distinguished by their identity: so they hash.
    """

    __hash__ = object.__hash__

    version_minor: int = 1
    host: bytes = b""
    body_length: int = 0
    keep_alive: bool = True
    expects_continue: bool = False
    upgrade: bytes = b""
    connection_options: tuple[bytes, ...] = ()
    is_plain: bool = True
    dropped: tuple[bytes, ...] = ()
    via: bytes = b""
    origins: tuple[bytes, ...] = ()
    fetch_site: bytes = b""
    fetch_mode: bytes = b""
    fetch_dest: bytes = b""
    logs_in: bool = False
    is_remembered: bool = dataclasses.field(default=False, compare=False)


class Head:
    """A head, of either kind: its field lines, taken apart when asked for; to forward most messages ``block`` does."""

    __slots__ = ()
    block: bytes

    @property
    def lines(self) -> list[bytes]:
        """The field lines."""
        return self.block.split(b"\r\n")[1:]

    @property
    def fields(self) -> list[Field]:
        """The fields, in order."""
        return parse_fields(self.lines)

    def first(self, name: bytes) -> bytes | None:
        """Return the first value of the field called `name` (lower case), or None."""
        return next(iter(values_of(self.fields, name)), None)


@dataclass(slots=True)
class RequestHead(Head):
    """A request's start line and fields, with what its grammar check established (see :class:`RequestFacts`).

    ``path``: the target in origin-form (``*`` for
    ``OPTIONS *``), bytes untouched. ``block``: the whole head as it came, without its last CRLFCRLF; for an
    absolute-form target with the Host that this names (RFC 9112 section 3.2.2). ``segment``: the first segment of the
    path with its slash, where nothing in the whole path could be written in another way (RFC 3986 section 6.2.2: no
    percent, no empty and no dot segment); else None.
    """

    method: bytes
    target: bytes
    path: bytes
    block: bytes
    facts: RequestFacts
    segment: bytes | None = None

    @property
    def version_minor(self) -> int:
        """0 or 1; the major version is always 1."""
        return self.facts.version_minor

    @property
    def host(self) -> bytes:
        """The Host, or the authority that replaces it (RFC 9112 section 3.2.2)."""
        return self.facts.host

    @property
    def body_length(self) -> int:
        """Bytes of the body, or :data:`CHUNKED`."""
        length = self.facts.body_length
        return length if length != STATED else int(find_length(self.block)[1])

    @property
    def upgrade(self) -> bytes:
        """The protocol that the client asks to switch to, in lower case; empty for none."""
        return self.facts.upgrade


REDIRECTS: Final = (301, 302, 303, 307, 308)
"""Statuses that lead a browser to ``Location`` (Fetch section 2.2.6, redirect status)."""

REFUSALS: Final = (400, 403)
"""Statuses by which servers refuse the Host or the Origin that they are asked with."""


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """What the status line and the special fields of a response establish.

    ``version_minor`` is 0 or 1. ``body_length``: 0, :data:`CHUNKED`, :data:`UNTIL_CLOSE` or :data:`STATED`.
    ``keep_alive_timeout_s``: what ``Keep-Alive: timeout=N`` says. ``access_control``: the lines of
    ``Access-Control-*`` fields, as in ``dropped``; ``pins``: those of ``Role.PIN``. ``varies_on_origin``: ``Vary`` says
    so, or ``*``.
    ``has_set_cookie``, ``has_reference``, ``has_resource_policy``: there are fields with that role.
    ``is_remarkable``: there may be something to say about it even if its page is of the same origin: it sets a cookie,
    or its status is an error. The others as in :class:`RequestFacts`.
    """

    __hash__ = object.__hash__

    status: int = 200
    version_minor: int = 1
    body_length: int = UNTIL_CLOSE
    keep_alive: bool = True
    keep_alive_timeout_s: int | None = None
    upgrade: bytes = b""
    connection_options: tuple[bytes, ...] = ()
    is_plain: bool = True
    dropped: tuple[bytes, ...] = ()
    access_control: tuple[bytes, ...] = ()
    pins: tuple[bytes, ...] = ()
    varies_on_origin: bool = False
    has_set_cookie: bool = False
    is_remarkable: bool = False
    has_reference: bool = False
    has_resource_policy: bool = False
    logs_in: bool = False
    is_remembered: bool = dataclasses.field(default=False, compare=False)


@dataclass(slots=True)
class ResponseHead(Head):
    """A response's status line and fields, with what its grammar check established (see :class:`ResponseFacts`).

    ``block``: as in :class:`RequestHead`. ``body_length``: bytes of the body in answer to any method but HEAD, or
    :data:`CHUNKED` or :data:`UNTIL_CLOSE`.
    """

    block: bytes
    facts: ResponseFacts
    body_length: int

    @property
    def start(self) -> bytes:
        """The status line."""
        return self.block.partition(b"\r\n")[0]

    @property
    def status(self) -> int:
        """The status code (RFC 9110 section 15)."""
        return self.facts.status

    @property
    def version_minor(self) -> int:
        """0 or 1; the major version is always 1."""
        return self.facts.version_minor
