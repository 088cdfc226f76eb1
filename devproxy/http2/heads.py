"""Requests of HTTP/2 as heads of HTTP/1.1 that say the same (RFC 9113 section 8.3).

What HTTP/2 itself asks of a request is judged here: its pseudo-fields, which of them go together, the length that it
states. Method, target, Host and all else are judged by ``http1.head``, which reads what comes from here, so that there
is one grammar. Start at :func:`read_request`.
"""

from __future__ import annotations

from itertools import filterfalse
from typing import Final

from devproxy.errors import DevproxyError
from devproxy.http.fields import is_token
from devproxy.http.messages import CHUNKED
from devproxy.http1.start_line import Limits
from devproxy.http2.events import RequestReceived
from devproxy.http2.lines import (
    CONTENT_LENGTH,
    COOKIE,
    HOST,
    LINE_OVERHEAD,
    Entry,
    Malformed,
    Pseudo,
    Special,
    name_of,
)

_SCHEMES: Final = (b"http", b"https")
_KEY: Final = b"\r\nsec-websocket-key: "
_MAX_LENGTH_DIGITS: Final = 18
OTHER_LENGTH: Final = "the content-length is not that of the body (RFC 9113, 8.1.1)"
_FEW: Final = 64
"""Fields that can be joined before it is known how long they are, since each is in the table or in the block."""


class MalformedMessage(DevproxyError):
    """A message that HTTP/2 calls malformed (RFC 9113 section 8.1.1); its argument says why, and by which section."""


class TooLarge(DevproxyError):
    """A head beyond the limits, to be answered with 431 (RFC 6585 section 5).

    ``block``: what of a request's head has room within them, as of HTTP/1.1; so long a line is not in it.
    """

    def __init__(self, block: bytes = b"") -> None:
        super().__init__("a head is beyond the limits")
        self.block = block


def read_request(
    stream_id: int, entries: list[Entry], has_ended: bool, limits: Limits, *, takes_protocols: bool
) -> RequestReceived:
    """Return the request that `entries` state; `has_ended`: without a body.

    `takes_protocols`: extended CONNECT was offered (RFC 8441). The size of the fields, each counted with 32 bytes more
    than its name and value, is held against ``max_head_bytes``. Raises :class:`MalformedMessage` or :class:`TooLarge`.
    """
    pseudo: dict[bytes, bytes] = {}
    for entry in entries:
        if entry.__class__ is not Pseudo:
            break
        pseudo[entry.name] = entry.value
    asides = [*filterfalse(None, entries)]
    # One that comes twice leaves its second among the others, where there must be none.
    special = _special(asides[len(pseudo) :], limits)
    method, path, scheme, protocol = _control_data(pseudo, takes_protocols)
    authority = pseudo.get(b":authority")
    length, more = 0, b""
    if HOST in special:
        if special[HOST] != (special[HOST] if authority is None else authority):
            raise MalformedMessage("the host is not the :authority (RFC 9113, 8.3.1)")
        authority = special[HOST]
    host = b"\r\nhost: " + authority if authority is not None else b""
    if CONTENT_LENGTH in special:
        length = _read_length(special[CONTENT_LENGTH])
        if length and (has_ended or protocol):
            raise MalformedMessage(OTHER_LENGTH)
        more = b"\r\ncontent-length: " + special[CONTENT_LENGTH]
    elif not has_ended and not protocol:
        length = CHUNKED
        more = b"\r\ntransfer-encoding: chunked"
    if protocol:
        entries = _with_one_key(entries)
        host += b"\r\nconnection: Upgrade\r\nupgrade: " + protocol
    if COOKIE in special:
        more += b"\r\ncookie: " + special[COOKIE]
    try:
        block = b"%b %b HTTP/1.1%b%b%b" % (method, path, host, _joined(entries, len(asides), limits), more)
        if len(block) + LINE_OVERHEAD * len(entries) > limits.max_head_bytes:
            raise TooLarge
    except TooLarge:
        raise TooLarge(_abridged(b"%b %b HTTP/1.1%b" % (method, path, host), entries, limits)) from None
    return RequestReceived(stream_id, block, has_ended, scheme, protocol, length)


def _special(asides: list[Entry], limits: Limits) -> dict[bytes, bytes]:
    """Return what the special ones say that `asides` are, by name; crumbs make one cookie (section 8.2.3)."""
    special: dict[bytes, bytes] = {}
    crumbs: list[bytes] = []
    for aside in asides:
        if not isinstance(aside, Special):
            raise _what_is_wrong(aside)
        name = aside.name
        if name == COOKIE:
            crumbs.append(aside.value)
        elif name not in special:
            special[name] = aside.value
        else:
            raise MalformedMessage(f"there are two fields {name.decode()} (RFC 9110, 5.3)")
    if crumbs:
        if len(crumbs) > _FEW and sum(map(len, crumbs)) > limits.max_head_bytes:
            raise TooLarge
        special[COOKIE] = b"; ".join(crumbs)
    return special


def read_trailers(entries: list[Entry], limits: Limits) -> tuple[bytes, ...]:
    """Return the lines of trailers. Raises :class:`MalformedMessage` or :class:`TooLarge`."""
    for aside in filterfalse(None, entries):
        if isinstance(aside, Special):
            raise MalformedMessage("a trailer is one of the fields of heads alone (RFC 9110, 6.5.1)")
        raise _what_is_wrong(aside)
    block = _joined(entries, 0, limits)
    if len(block) + LINE_OVERHEAD * len(entries) > limits.max_head_bytes:
        raise TooLarge
    return tuple(block.split(b"\r\n")[1:])


def _joined(entries: list[Entry], asides: int, limits: Limits) -> bytes:
    """Return the lines among `entries` as one; raises before anything long is made of many short references.

    `asides`: how many of them are no lines.
    """
    if len(entries) - asides > limits.max_fields:
        raise TooLarge
    if len(entries) > _FEW and sum(map(len, entries)) + LINE_OVERHEAD * len(entries) > limits.max_head_bytes:
        raise TooLarge
    return b"".join(entries)


def _abridged(start: bytes, entries: list[Entry], limits: Limits) -> bytes:
    """Return what of a head has room within the limits: who asks for what is to be found in it."""
    kept, size = [start[: limits.max_head_bytes]], len(start)
    for line in list(filter(None, entries))[: limits.max_fields]:
        if size + len(line) <= limits.max_head_bytes:
            kept.append(line)
            size += len(line)
    return b"".join(kept)


def _with_one_key(entries: list[Entry]) -> list[Entry]:
    """Return `entries` without the keys of a handshake of HTTP/1.1, unless there is one and no other."""
    others = [entry for entry in entries if not entry.startswith(_KEY)]
    return entries if len(others) == len(entries) - 1 else others


def key_in(block: bytes) -> bytes:
    """Return the key of a handshake in the `block` of a request that asks for one; empty if the client gave none."""
    _, found, rest = block.partition(_KEY)
    return rest.partition(b"\r\n")[0] if found else b""


def _what_is_wrong(aside: Entry) -> MalformedMessage:
    if isinstance(aside, Malformed):
        return MalformedMessage(aside.reason)
    return MalformedMessage(
        f"the {name_of(aside).decode()} comes twice, after a field or among trailers (RFC 9113, 8.3)"
    )


def _control_data(pseudo: dict[bytes, bytes], takes_protocols: bool) -> tuple[bytes, bytes, bytes, bytes]:
    """Return method, target, scheme and protocol; an extended CONNECT becomes the GET that asks for a switch."""
    try:
        method = pseudo[b":method"]
        if method == b"CONNECT" and b":protocol" not in pseudo:
            if len(pseudo) > 2:
                raise MalformedMessage("CONNECT has more than an :authority (RFC 9113, 8.5)")
            return method, pseudo[b":authority"], b"", b""
        scheme, path = pseudo[b":scheme"], pseudo[b":path"]
    except KeyError as missing:
        raise MalformedMessage(f"the {missing.args[0].decode()} is missing (RFC 9113, 8.3.1)") from None
    if scheme not in _SCHEMES:
        raise MalformedMessage("the :scheme is neither http nor https (RFC 9113, 8.3.1)")
    if path[:1] != b"/" and (path != b"*" or method != b"OPTIONS"):
        raise MalformedMessage("the :path is not a path (RFC 9113, 8.3.1)")
    if b":protocol" not in pseudo:
        return method, path, scheme, b""
    protocol = pseudo[b":protocol"]
    if method != b"CONNECT" or not takes_protocols or not is_token(protocol) or b":authority" not in pseudo:
        raise MalformedMessage("there is a :protocol where none is allowed (RFC 8441, 4)")
    return b"GET", path, scheme, protocol


def _read_length(value: bytes) -> int:
    if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
        raise MalformedMessage("the content-length is not a number (RFC 9110, 8.6)")
    return int(value)
