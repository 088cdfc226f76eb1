"""Start lines: their grammar, how large a head may be, what is wrong with a refused one (RFC 9112 sections 3 and 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from devproxy.errors import BadMessage
from devproxy.http.fields import TOKEN

match_request_line = re.compile(rb"(" + TOKEN + rb") ([\x21\x22\x24-\x7e\x80-\xff]++) HTTP/1\.([01])").fullmatch
# Nearly every request: a path that can be written in one way only, also to servers that cut parameters off a segment
# before they resolve it (`..;x`, `;x`). Its first segment, with the slash, is a group.
_SEGMENT: Final = rb"(?!;|\.\.?[/?; ])[A-Za-z0-9\-._~!$&'()*+,;=:@]++"
match_plain_request_line = re.compile(
    rb"(?!CONNECT )(%b) ((?!//)(/(?:%b)?+)(?:/%b)*+/?+(?:\?[\x21\x22\x24-\x7e\x80-\xff]*+)?+) HTTP/1\.([01])"
    % (TOKEN, _SEGMENT, _SEGMENT)
).fullmatch
# A reason phrase is for people and frames nothing: browsers take every byte but those that end a line, and NUL.
match_status_line = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n\0]*+))?").fullmatch
_match_later_version = re.compile(rb"HTTP/1\.[2-9]").match
_find_http_version = re.compile(rb" HTTP/[0-9](?:\.[0-9])?\Z").search

TOKEN_BYTES: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
REQUEST_LINE_MARGIN: Final = 64
"""Bytes that a request line may hold besides its target: a method, two spaces and the version."""

_TLS_HANDSHAKE: Final = 0x16


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a head may be: bytes of the target, bytes of the whole head, number of fields.

    ``least_bytes``: the smaller of both sizes. ``brief_bytes``: a head within it is within all limits, because a field
    line with its CRLF takes at least four bytes.
    """

    max_target_bytes: int = 32768
    max_head_bytes: int = 65536
    max_fields: int = 256
    least_bytes: int = field(init=False)
    brief_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "least_bytes", min(self.max_target_bytes, self.max_head_bytes))
        object.__setattr__(self, "brief_bytes", min(self.least_bytes, 4 * self.max_fields))


def bad_request_line(line: bytes) -> BadMessage:
    """Return what is wrong with `line`, which is not a request line, and the status due for it."""
    source = "RFC 9112 section 3"
    if line[:1] and line[0] not in TOKEN_BYTES:
        is_tls = line[0] == _TLS_HANDSHAKE
        hint = (
            "a TLS handshake arrived, but this port speaks http; --tls makes it speak both"
            if is_tls
            else "this is not HTTP"
        )
        return BadMessage(hint, source=source)
    if _find_http_version(line) and not line.endswith((b" HTTP/1.0", b" HTTP/1.1")):
        return BadMessage("the protocol version is neither HTTP/1.0 nor HTTP/1.1", status=505, source=source)
    if b"\r" in line or b"\n" in line or b"\0" in line:
        return BadMessage("the request line contains a control character", source=source)
    parts = line.split(b" ")
    if len(parts) == 3 and b"#" in parts[1]:
        return BadMessage("the request target has a fragment (#)", source="RFC 9112 section 3.2")
    return BadMessage("the request line is not `METHOD target HTTP/1.1`", source=source)


def target_too_long() -> BadMessage:
    """Return the refusal of a request target beyond its limit."""
    return BadMessage("the request target is too long", status=414, source="RFC 9112 section 3")


def as_known_version(line: bytes) -> bytes:
    """Return the status line `line` with HTTP/1.1 in place of a later minor version (RFC 9110 section 2.5).

    A message with a higher minor version is to be read as the highest that is known. Any other line stays.
    """
    return b"HTTP/1.1" + line[8:] if _match_later_version(line) else line
