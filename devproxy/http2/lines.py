"""Fields of HTTP/2 as entries: what a field comes down to, found out once, when it is decoded (RFC 9113 section 8.2).

Most become finished lines of HTTP/1.1, to be joined as they are. HPACK's tables hold entries, so that a field that is
repeated costs one look-up and no check. Start at :func:`make_entry`.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

# Lower case alone (RFC 9113 section 8.2.1), else a token as in HTTP/1.1.
_is_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++").fullmatch
_is_value = re.compile(rb"(?![\t ])[^\r\n\0]*+(?<![\t ])").fullmatch
_PSEUDO: Final = frozenset((b":authority", b":method", b":path", b":protocol", b":scheme"))
"""Of requests (RFC 9113 section 8.3.1, RFC 8441 section 4)."""
COOKIE: Final = b"cookie"
HOST: Final = b"host"
CONTENT_LENGTH: Final = b"content-length"
_SPECIAL: Final = frozenset((COOKIE, HOST, CONTENT_LENGTH))
CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
"""What no message of HTTP/2 may have (RFC 9113 section 8.2.2)."""
LINE_OVERHEAD: Final = 28
"""Bytes that HPACK counts for a field beyond those of its line with its CRLF, colon and space."""


class Pseudo(NamedTuple):
    """A pseudo-field of a request."""

    name: bytes
    value: bytes


class Special(NamedTuple):
    """A field that says something about the request as a whole: a crumb of a cookie, the host, the content-length."""

    name: bytes
    value: bytes


class Malformed:
    """A field that makes its message malformed."""

    __slots__ = ("name", "reason", "value")

    def __init__(self, name: bytes, value: bytes, reason: str) -> None:
        self.name = name
        self.value = value
        self.reason = reason


Entry: TypeAlias = bytes | Pseudo | Special | Malformed
"""A field: its line after a CRLF, as ``b"\\r\\naccept: */*"``, or what is special about it."""


def make_entry(name: bytes, value: bytes) -> Entry:
    """Return what the field ``name: value`` comes down to in a request."""
    if name in _PSEUDO:
        return Pseudo(name, value) if _is_value(value) else Malformed(name, value, _bad_value(value))
    if _is_name(name) is None:
        return Malformed(name, value, _bad_name(name))
    if name in CONNECTION_SPECIFIC:
        return Malformed(name, value, f"{name.decode()} belongs to HTTP/1.1")
    if name == b"te" and value.lower() != b"trailers":
        return Malformed(name, value, "te asks for more than trailers")
    if _is_value(value) is None:
        return Malformed(name, value, _bad_value(value))
    return Special(name, value) if name in _SPECIAL else b"\r\n%b: %b" % (name, value)


def name_of(entry: Entry) -> bytes:
    """Return the name of the field that `entry` is."""
    return entry[2 : entry.index(b":", 2)] if isinstance(entry, bytes) else entry.name


def _bad_name(name: bytes) -> str:
    if name[:1] == b":":
        return "a pseudo-field is not one of a request"
    return "a field name has an upper-case letter" if _is_name(name.lower()) else "a field name is not a token"


def _bad_value(value: bytes) -> str:
    outside = value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t")
    return "there is whitespace around a field value" if outside else "a field value contains a CR, LF or NUL"
