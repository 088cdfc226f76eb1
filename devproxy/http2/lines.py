"""Fields of HTTP/2 as entries: what a field comes down to, found out once, when it is decoded (RFC 9113 section 8.2).

Most become finished lines of HTTP/1.1, to be joined as they are. HPACK's tables hold entries, so that a field that is
repeated costs one look-up and no check. Start at :func:`make_entry`.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypeVar

# Lower case alone (RFC 9113 section 8.2.1), else a token as in HTTP/1.1.
_is_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++").fullmatch
is_value = re.compile(rb"(?![\t ])[^\r\n\0]*+(?<![\t ])").fullmatch
_PSEUDO: Final = frozenset((b":authority", b":method", b":path", b":protocol", b":scheme"))
"""Of requests (RFC 9113 section 8.3.1, RFC 8441 section 4)."""
COOKIE: Final = b"cookie"
HOST: Final = b"host"
CONTENT_LENGTH: Final = b"content-length"
_SPECIAL: Final = frozenset((COOKIE, HOST, CONTENT_LENGTH))
_TE: Final = b"te"
CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
"""What no message of HTTP/2 may have (RFC 9113 section 8.2.2)."""
_ATTRIBUTES_BYTES: Final = 200
"""What the attributes of an aside take, apart from the bytes in them."""
LINE_OVERHEAD: Final = 28
"""Bytes that HPACK counts for a field beyond those of its line with its CRLF, colon and space."""


class Aside(bytes):
    """A field that adds no line of its own: empty and false, so that entries can be joined and filtered as they are."""

    name: bytes
    value: bytes

    def __sizeof__(self) -> int:
        """Count what is remembered with it, too."""
        return super().__sizeof__() + len(self.name) + len(self.value) + _ATTRIBUTES_BYTES


class Pseudo(Aside):
    """A pseudo-field of a request."""


class Special(Aside):
    """A field that says something about the request as a whole: a crumb of a cookie, the host, the content-length."""


class Malformed(Aside):
    """A field that makes its message malformed; ``reason``: why."""

    reason = ""


class _WantsTrailers(bytes):
    """The field TE, with the one that it needs in HTTP/1.1, where it is for the next hop (RFC 9110 section 10.1.4)."""

    __slots__ = ()


_WANTS_TRAILERS: Final = _WantsTrailers(b"\r\nconnection: TE\r\nte: trailers")
_BAD_TE: Final = "te asks for more than trailers (RFC 9113, 8.2.2)"
_Kind = TypeVar("_Kind", bound=Aside)
Entry: TypeAlias = bytes
"""A field: its line after a CRLF, as ``b"\\r\\naccept: */*"``, or an :class:`Aside`."""


def make_entry(name: bytes, value: bytes) -> Entry:
    """Return what the field ``name: value`` comes down to in a request."""
    if name in _PSEUDO:
        return _aside(Pseudo, name, value) if is_value(value) else _malformed(name, value, _bad_value(value))
    if _is_name(name) is None:
        return _malformed(name, value, _bad_name(name))
    if name in CONNECTION_SPECIFIC:
        return _malformed(name, value, f"{name.decode()} belongs to HTTP/1.1 (RFC 9113, 8.2.2)")
    if name == _TE:
        return _WANTS_TRAILERS if value.lower() == b"trailers" else _malformed(name, value, _BAD_TE)
    if is_value(value) is None:
        return _malformed(name, value, _bad_value(value))
    return _aside(Special, name, value) if name in _SPECIAL else b"\r\n%b: %b" % (name, value)


def name_of(entry: Entry) -> bytes:
    """Return the name of the field that `entry` is."""
    if isinstance(entry, Aside):
        return entry.name
    return _TE if entry is _WANTS_TRAILERS else entry[2 : entry.index(b":", 2)]


def _aside(kind: type[_Kind], name: bytes, value: bytes) -> _Kind:
    made = kind()
    made.name, made.value = name, value
    return made


def _malformed(name: bytes, value: bytes, reason: str) -> Malformed:
    made = _aside(Malformed, name, value)
    made.reason = reason
    return made


def _bad_name(name: bytes) -> str:
    if name[:1] == b":":
        return "a pseudo-field is not one of a request (RFC 9113, 8.3)"
    what = "has an upper-case letter" if _is_name(name.lower()) else "is not a token"
    return f"a field name {what} (RFC 9113, 8.2.1)"


def _bad_value(value: bytes) -> str:
    outside = value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t")
    what = "has whitespace around it" if outside else "contains a CR, LF or NUL"
    return f"a field value {what} (RFC 9113, 8.2.1)"
