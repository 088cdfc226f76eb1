"""Which fields cross the gateway, and which it adds (RFC 9110 sections 7.6 and 7.8, RFC 7239's predecessors).

Pure. A field that no rule names crosses as the bytes it came in: order, case, duplicates and spacing are kept. Start at
:func:`request_lines` (towards the upstream) and :func:`response_lines` (towards the client).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from devproxy.config.model import HeaderEdits
from devproxy.http1.fields import make_field
from devproxy.messages import CHUNKED, Field, RequestHead, ResponseHead, Role

# Roles as plain integers: an IntEnum member costs a look-up for every comparison, and these are made for every field.
_HOP: Final = int(Role.HOP_BY_HOP)
_CONNECTION: Final = int(Role.CONNECTION)
_CONTENT_LENGTH: Final = int(Role.CONTENT_LENGTH)
_TRANSFER_ENCODING: Final = int(Role.TRANSFER_ENCODING)
_UPGRADE: Final = int(Role.UPGRADE)
_HOST: Final = int(Role.HOST)
_EXPECT: Final = int(Role.EXPECT)
_KEEP_ALIVE: Final = int(Role.KEEP_ALIVE)
_TE: Final = int(Role.TE)
_FORWARDED_FOR: Final = int(Role.FORWARDED_FOR)
_FORWARDED: Final = int(Role.FORWARDED)
_ACCESS_CONTROL: Final = int(Role.ACCESS_CONTROL)
_TRAILER: Final = int(Role.TRAILER)
_PROTECTED: Final = frozenset((_HOST, _CONTENT_LENGTH, _TRANSFER_ENCODING))
"""Fields that a ``Connection`` option must not be able to remove: they say where the message goes and ends."""

_CHUNKED_LINE: Final = b"Transfer-Encoding: chunked"
_DEFAULT_PORTS: Final = {"http": b"80", "https": b"443"}


class Peer:
    """The client's end of a connection, and the forwarding fields that it gives rise to.

    ``address``: an IP address, IPv4-mapped ones in their IPv4 form, or ``unix``. ``scheme``: ``http`` or ``https``,
    also for WebSockets: python-socketio compares it with the Origin's, which is never ``ws``.
    """

    __slots__ = ("_host", "_lines", "address", "scheme")

    def __init__(self, address: str, scheme: str) -> None:
        self.address = address.removeprefix("::ffff:") if "." in address else address
        self.scheme = scheme
        self._host: bytes | None = None
        self._lines: list[bytes] = []

    def forwarded_lines(self, host: bytes) -> list[bytes]:
        """Return ``X-Forwarded-Proto/-Host/-Port`` and ``X-Real-IP`` for a request that names `host`.

        The port is the one the browser used, as it stands in Host. Remembered: a connection keeps to one Host.
        """
        if host != self._host:
            _, colon, port = host.rpartition(b":")
            if not colon or not port.isdigit():
                port = _DEFAULT_PORTS[self.scheme]
            self._lines = [
                b"X-Forwarded-Proto: " + self.scheme.encode(),
                b"X-Forwarded-Host: " + host,
                b"X-Forwarded-Port: " + port,
                b"X-Real-IP: " + self.address.encode(),
            ]
            self._host = host
        return self._lines


@dataclass(frozen=True, slots=True)
class Edits:
    """Header edits of a route, compiled: names to leave out (lower case) and lines to put at the end."""

    leave_out: frozenset[bytes]
    put: tuple[bytes, ...]


def compile_edits(edits: HeaderEdits) -> Edits | None:
    """Return `edits` in the form that costs least per message, or None when there is nothing to do."""
    if not (edits.set or edits.add or edits.remove):
        return None
    written = [make_field(name.encode(), value.encode()) for name, value in (*edits.set, *edits.add)]
    replaced = {name.lower().encode() for name, _ in edits.set} | {name.lower().encode() for name in edits.remove}
    return Edits(frozenset(replaced), tuple(field.line for field in written))


@dataclass(slots=True)
class RequestLines:
    """The field lines of a request on its way up. The indices point at Host and Origin; -1 where there is none."""

    lines: list[bytes]
    host_index: int
    origin_index: int


def request_lines(head: RequestHead, peer: Peer, via: bytes, edits: Edits | None) -> RequestLines:
    """Return the field lines that go upstream for `head`, without the request line.

    Hop-by-hop fields and those that ``Connection`` lists are gone (RFC 9110 section 7.6.1), never Host and framing.
    ``X-Forwarded-For`` is appended to; the other forwarding fields are the gateway's own word. `via`: the whole line.
    """
    lines: list[bytes] = []
    forwarded_for: list[bytes] = []
    host_index = origin_index = -1
    leave_out = edits.leave_out if edits is not None else None
    listed = head.connection_options
    has_upgrade_line = False
    for field in head.fields:
        role = field.role
        if listed and field.name in listed and role not in _PROTECTED:
            continue
        if leave_out is not None and field.name in leave_out and role not in _PROTECTED:
            continue
        if role == 0 or role > _TRAILER:
            lines.append(field.line)
        elif role == _HOST:
            host_index = len(lines)
            lines.append(field.line)
        elif role == Role.ORIGIN:
            origin_index = len(lines)
            lines.append(field.line)
        elif role == _FORWARDED_FOR:
            if field.value:
                forwarded_for.append(field.value)
        elif role == _TRANSFER_ENCODING:
            lines.append(_CHUNKED_LINE)
        elif role == _UPGRADE:
            if head.upgrade and not has_upgrade_line:
                has_upgrade_line = True
                lines += (b"Connection: Upgrade", field.line)
        elif _crosses_upward(role, head):
            lines.append(field.line)
    if host_index < 0 and head.host:
        host_index = len(lines)
        lines.append(b"Host: " + head.host)
    forwarded_for.append(peer.address.encode())
    lines.append(b"X-Forwarded-For: " + b", ".join(forwarded_for))
    lines += peer.forwarded_lines(head.host)
    lines.append(via)
    if b"te" in listed and _accepts_trailers(head.fields):
        lines += (b"TE: trailers", b"Connection: TE")
    if edits is not None:
        lines += edits.put
    return RequestLines(lines, host_index, origin_index)


def _crosses_upward(role: int, head: RequestHead) -> bool:
    """Tell whether a field of this rarer `role` goes upstream."""
    if role == _EXPECT:
        return head.expects_continue
    if role == _TRAILER:
        return head.body_length == CHUNKED
    return role not in (_HOP, _CONNECTION, _KEEP_ALIVE, _TE, _FORWARDED)


def _accepts_trailers(fields: Iterable[Field]) -> bool:
    return any(field.role == _TE and b"trailers" in field.value.lower() for field in fields)


def response_lines(
    head: ResponseHead, *, strips_cors: bool, edits: Edits | None, keeps_chunked: bool, is_bodiless: bool
) -> list[bytes]:
    """Return the field lines that go to the client for `head`, without the status line and without ``Connection``.

    `keeps_chunked`: the client understands the chunked coding and the body passes in it. `is_bodiless`: the status
    forbids a body and its length (1xx, 204; RFC 9110 section 8.6). ``Upgrade`` stays on 101 and 426, where it means
    something to the client.
    """
    listed = head.connection_options
    if edits is None and not listed:
        leave_out: frozenset[bytes] = frozenset()
    else:
        leave_out = frozenset(listed) | (edits.leave_out if edits is not None else frozenset())
    lines: list[bytes] = []
    for field in head.fields:
        role = field.role
        if leave_out and field.name in leave_out and role not in _PROTECTED:
            continue
        if role == 0:
            lines.append(field.line)
        elif role == _CONTENT_LENGTH:
            if not is_bodiless:
                lines.append(field.line)
        elif role == _TRANSFER_ENCODING:
            if keeps_chunked and not is_bodiless:
                lines.append(_CHUNKED_LINE)
        elif role == _ACCESS_CONTROL:
            if not strips_cors:
                lines.append(field.line)
        elif role == _UPGRADE:
            if head.status in (101, 426):
                lines.append(field.line)
        elif role == _TRAILER:
            if keeps_chunked:
                lines.append(field.line)
        elif role not in (_HOP, _CONNECTION, _KEEP_ALIVE, _TE):
            lines.append(field.line)
    if edits is not None:
        lines += edits.put
    return lines
