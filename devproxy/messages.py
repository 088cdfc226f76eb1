"""HTTP messages as values: fields, request heads, response heads.

Owns the vocabulary that every other floor speaks. Never parses (that is ``http1``) and never decides (that is
``policy`` and ``plan``). Terms follow RFC 9110: a *message* has a *head* (start line and fields) and a *body*, whose
extent is its *framing*.

Instances are built once by ``http1.head`` and must be treated as immutable; the dataclasses are not ``frozen`` only
because freezing triples the cost of building one, and one is built for every message on the data path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

UNTIL_CLOSE: Final = -2
"""``body_length`` of a response whose body ends with its connection (RFC 9112 section 6.3, item 8)."""

CHUNKED: Final = -1
"""``body_length`` of a message framed by the chunked transfer coding (RFC 9112 section 7.1)."""


class Role(IntEnum):
    """Why the gateway looks at a field; ``END_TO_END`` means that it does not."""

    END_TO_END = 0
    HOP_BY_HOP = 1
    """Concerns one connection only and is never forwarded (RFC 9110 section 7.6.1)."""
    CONNECTION = 2
    CONTENT_LENGTH = 3
    TRANSFER_ENCODING = 4
    UPGRADE = 5
    HOST = 6
    EXPECT = 7
    KEEP_ALIVE = 8
    TE = 9
    FORWARDED_FOR = 10
    FORWARDED = 11
    """Set by the gateway alone: ``X-Forwarded-Proto/-Host/-Port`` and ``X-Real-IP``."""
    VIA = 12
    ORIGIN = 13
    ACCESS_CONTROL = 14
    """Any ``Access-Control-*`` field, of a request or a response."""
    TRAILER = 15


@dataclass(frozen=True, slots=True)
class Field:
    """One field line, as it came.

    ``line``: the bytes on the wire without the line end; forwarding a field means sending exactly these.
    ``name``: lower case. ``value``: without surrounding whitespace. ``role``: see :class:`Role`.
    """

    line: bytes
    name: bytes
    value: bytes
    role: int = Role.END_TO_END


@dataclass(slots=True)
class RequestHead:
    """A request's start line and fields, with the framing facts that its grammar check established.

    ``version_minor`` is 0 or 1 (the major version is always 1). ``body_length``: octets, or :data:`CHUNKED`.
    ``host``: the Host field's value, or the authority of an absolute-form target, which replaces it (RFC 9112 section
    3.2.2); empty only for HTTP/1.0. ``path``: the target in origin-form (``*`` for ``OPTIONS *``), bytes untouched.
    ``upgrade``: the protocol asked for, in lower case, when both ``Upgrade`` and ``Connection: upgrade`` ask (RFC 9110
    section 7.8); else empty. ``connection_options``: lower case, without ``close``, ``keep-alive`` and ``upgrade``.
    """

    method: bytes
    target: bytes
    path: bytes
    version_minor: int
    fields: list[Field]
    host: bytes = b""
    body_length: int = 0
    keep_alive: bool = True
    expects_continue: bool = False
    upgrade: bytes = b""
    connection_options: tuple[bytes, ...] = ()

    def first(self, name: bytes) -> bytes | None:
        """Return the first value of the field called `name` (lower case), or None."""
        return first(self.fields, name)


@dataclass(slots=True)
class ResponseHead:
    """A response's status line and fields.

    ``content_length``: octets or None. ``body_length`` needs the request's method and is therefore computed by
    :func:`devproxy.http1.framing.response_body_length`. ``keep_alive_timeout_s``: what ``Keep-Alive: timeout=N`` says.
    """

    status: int
    reason: bytes
    version_minor: int
    fields: list[Field]
    content_length: int | None = None
    is_chunked: bool = False
    keep_alive: bool = True
    keep_alive_timeout_s: int | None = None
    upgrade: bytes = b""
    connection_options: tuple[bytes, ...] = ()

    def first(self, name: bytes) -> bytes | None:
        """Return the first value of the field called `name` (lower case), or None."""
        return first(self.fields, name)


def first(fields: list[Field], name: bytes) -> bytes | None:
    """Return the value of the first field called `name` (lower case), or None."""
    for field in fields:
        if field.name == name:
            return field.value
    return None
