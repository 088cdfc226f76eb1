"""What comes of the bytes that a client sends: events, in the order in which they are to be taken.

Streams are known by their numbers. A stream that has been reset is not spoken of again.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from devproxy.http2.frames import ErrorCode


class RequestReceived(NamedTuple):
    """A request. `block`: its head, as of HTTP/1.1, without its last CRLFCRLF; `has_ended`: it has no body.

    `scheme`: http or https, as the client says. `protocol`: what the client wants to speak by an extended CONNECT (RFC
    8441), of which the block is a GET with Upgrade, and with a key if the client gave one, which HTTP/2 does not need;
    else empty. `body_length`: bytes of the body, or ``CHUNKED`` where the client does not say: the head says so, too,
    but the data come without the coding.
    """

    stream_id: int
    block: bytes
    has_ended: bool
    scheme: bytes
    protocol: bytes
    body_length: int


class RequestTooLarge(NamedTuple):
    """A request whose head is beyond the limits: 431 is due (RFC 6585 section 5).

    `block`: what of its head has room within the limits, as of HTTP/1.1: enough to find out who asks.
    """

    stream_id: int
    has_ended: bool
    block: bytes


class DataReceived(NamedTuple):
    """A piece of a body, or of what a tunnel carries. The client may send as much again once it was acknowledged.

    `has_ended`: nothing follows; `data` may be empty then.
    """

    stream_id: int
    data: bytes
    has_ended: bool


class TrailersReceived(NamedTuple):
    """The end of a body that has trailers; `lines`: as of HTTP/1.1."""

    stream_id: int
    lines: tuple[bytes, ...]


class StreamReset(NamedTuple):
    """A stream is over before its time. `code`: as in ``ErrorCode``, or unknown.

    `fault`: what the client did wrong, for which the stream was reset by us, and the section of the standard that says
    so, as in ``the :path is missing (RFC 9113, 8.3.1)``; empty: the client has reset it.
    """

    stream_id: int
    code: int
    fault: str


class DataSent(NamedTuple):
    """All that was held back of a stream's data has been written."""

    stream_id: int


class GoingAway(NamedTuple):
    """The client will open no more streams. `code`: as in ``ErrorCode``, or unknown."""

    code: int


class ConnectionFailed(NamedTuple):
    """The client broke a rule, or asked for too much: GOAWAY says so, and the connection is to be closed after it.

    `reason`: what it did, and the section of the standard, as in :class:`StreamReset`.
    """

    code: ErrorCode
    reason: str


Event: TypeAlias = (
    RequestReceived
    | RequestTooLarge
    | DataReceived
    | TrailersReceived
    | StreamReset
    | DataSent
    | GoingAway
    | ConnectionFailed
)
