"""Which fields cross the gateway (RFC 9110 sections 7.6 and 7.8); those that it adds are of :mod:`devproxy.policy.hop`.

Pure. A field that no rule names crosses as the bytes it came in: order, case, duplicates and spacing are kept. Start at
:func:`request_lines` (towards the upstream) and :func:`response_fields` (towards the client).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import Final, NamedTuple

from devproxy.authority.hosts import bracketed
from devproxy.config.model import HeaderEdits, ServerAddress
from devproxy.config.placeholders import split_value
from devproxy.http.fields import Field, Role, make_field, read_field, unified_name, values_of
from devproxy.http.messages import CHUNKED, RequestHead, ResponseHead
from devproxy.policy.hop import NOBODY, Hop, Peer, crosses, hop_lines

# Plain integers: an IntEnum member costs a look-up for every comparison.
_LAST_CROSSING: Final = int(Role.ACCESS_CONTROL)
_LAST_DROPPED: Final = int(Role.HOP_BY_HOP)
_PROTECTED: Final = frozenset((Role.HOST, Role.CONTENT_LENGTH, Role.TRANSFER_ENCODING))
"""Fields that a ``Connection`` option must not be able to remove: they say where the message goes and ends."""

_CHUNKED_LINE: Final = b"Transfer-Encoding: chunked"
SWITCHES: Final = b"Connection: Upgrade"
"""The line that goes with ``Upgrade`` (RFC 9110 section 7.8)."""
_SWITCHES_FIELD: Final = read_field(SWITCHES)
_CHUNKED_FIELD: Final = read_field(_CHUNKED_LINE)
_CONTROLS: Final = bytes((*(octet for octet in range(0x20) if octet != 0x09), 0x7F))
"""What no field value may hold (RFC 9110 section 5.5)."""


class Template(NamedTuple):
    """A line with placeholders. ``pieces``: bytes and names by turns, as :func:`split_value` gives them."""

    name: bytes
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Edits:
    """Header edits of a route, compiled: names to leave out (lower case) and lines to put at the end.

    ``late``: the lines to put when one of them has a placeholder, all of them, so that they keep their order; ``put``
    is empty then. They are known when the server is: :func:`late_lines`. ``look_alikes``: what the names to leave out
    come down to where servers know them by letters and digits alone (``fields.unified_name``).
    """

    leave_out: frozenset[bytes]
    put: tuple[bytes, ...]
    late: tuple[Template, ...] = ()
    look_alikes: frozenset[bytes] = data_field(default=frozenset(), compare=False)


def compile_edits(edits: HeaderEdits) -> Edits | None:
    """Return `edits` in the form that costs least per message, or None when there is nothing to do.

    Raises :class:`~devproxy.errors.BadMessage` for what cannot be a field line, ValueError for a placeholder that does
    not exist.
    """
    if edits == HeaderEdits():
        return None
    leave_out = frozenset([name.lower().encode() for name in (*(name for name, _ in edits.set), *edits.remove)])
    templates = tuple(_compile_line(name, value) for name, value in (*edits.set, *edits.add))
    look_alikes = frozenset(map(unified_name, leave_out))
    if any(len(template.pieces) > 1 for template in templates):
        return Edits(leave_out, (), templates, look_alikes)
    put = tuple(template.name + b": " + template.pieces[0] for template in templates)
    return Edits(leave_out, put, (), look_alikes)


def _compile_line(name: str, value: str) -> Template:
    make_field(name.encode(), value.encode())  # raises for what no line may hold
    return Template(name.encode(), tuple(piece.encode() for piece in split_value(value)))


def late_lines(edits: Edits, *, peer: Peer, host: bytes, server: ServerAddress) -> list[bytes]:
    """Return the lines that `edits` put once the `server` is known: none, unless a value has a placeholder.

    `host`: the Host that the client named, with its port; empty for none. An IPv6 address of the upstream is in
    brackets, so that ``${upstream.host}:${upstream.port}`` is an authority; a Unix socket is ``localhost`` and has no
    port. What no field value may hold is taken out of every value (RFC 9110 section 5.5).
    """
    if not edits.late:
        return []
    is_socket = not server.has_port
    values = {
        b"upstream.host": "localhost" if is_socket else bracketed(server.host),
        b"upstream.port": "" if is_socket else str(server.port),
        b"upstream.url": server.url,
        b"client.address": peer.address,
        b"scheme": peer.scheme,
    }
    known = {name: value.encode().translate(None, _CONTROLS) for name, value in values.items()}
    known[b"host"] = host.translate(None, _CONTROLS)
    return [_filled(template, known) for template in edits.late]


def _filled(template: Template, known: dict[bytes, bytes]) -> bytes:
    pieces = list(template.pieces)
    pieces[1::2] = [known[name] for name in pieces[1::2]]
    return template.name + b": " + b"".join(pieces)


def request_lines(head: RequestHead, peer: Peer, via: bytes, edits: Edits | None, hop: Hop = NOBODY) -> list[bytes]:
    """Return the field lines that go upstream for `head`, without the request line.

    Hop-by-hop fields and those that ``Connection`` lists are gone (RFC 9110 section 7.6.1), never Host and framing.
    What looks like another field to some servers is gone too, if that one is devproxy's business or in `edits`. The
    forwarding fields are the gateway's own word, or that of a proxy that `hop` trusts, unless `edits` say otherwise.
    `via`: the whole line, always sent, with the version that the peer spoke.
    """
    facts = head.facts
    lines: list[bytes] = []
    switches = False
    fields = without_listed(head.fields, facts.connection_options)
    for field in fields if edits is None else _without_edited(fields, edits):
        if field.role <= _LAST_CROSSING:
            lines.append(field.line)
        elif field.role == Role.UPGRADE and facts.upgrade:
            lines += (field.line,) if switches else (SWITCHES, field.line)
            switches = True
        elif field.role > _LAST_DROPPED:
            lines += _request_line(field, head, peer, hop)
    own = hop_lines(fields, facts.host, peer, hop)
    lines += own if edits is None else [line for line in own if line.partition(b":")[0].lower() not in edits.leave_out]
    lines.append(peer.via(via))
    if b"te" in facts.connection_options and b"trailers" in b",".join(values_of(head.fields, b"te")).lower():
        lines += (b"TE: trailers", b"Connection: TE")
    if edits is not None:
        lines += edits.put
    return lines


def without_listed(fields: list[Field], listed: tuple[bytes, ...]) -> list[Field]:
    """Return `fields` without those that ``Connection`` lists."""
    if not listed:
        return fields
    names = frozenset(listed)  # there may be thousands of both
    return [field for field in fields if field.name not in names or field.role in _PROTECTED]


def _without_edited(fields: list[Field], edits: Edits) -> Iterator[Field]:
    """Give `fields` without those that `edits` leave out, and without what looks like one of these to a server."""
    for field in fields:
        is_out = field.name in edits.leave_out or unified_name(field.name) in edits.look_alikes
        if not is_out or field.role in _PROTECTED:
            yield field


def _request_line(field: Field, head: RequestHead, peer: Peer, hop: Hop) -> tuple[bytes, ...]:
    """Return what goes upstream for a `field` of which only the message says whether it crosses."""
    role = field.role
    if role == Role.FORWARDED:
        return (field.line,) if crosses(field, peer, hop) else ()
    if role == Role.TRANSFER_ENCODING:
        return (_CHUNKED_LINE,)
    if (role == Role.EXPECT and head.facts.expects_continue) or (role == Role.TRAILER and head.body_length == CHUNKED):
        return (field.line,)
    return ()


def response_fields(head: ResponseHead) -> list[Field]:
    """Return the fields of `head` that go to the client, before any policy of the route.

    ``Connection`` is left to the caller, but for a 101: there it stays where it stood, for what it must say is known.
    A status that forbids a body forbids its length as well (1xx, 204; RFC 9110 section 8.6). ``Upgrade`` stays on 101
    and 426, where it means something to the client.
    """
    is_bodiless = head.status < 200 or head.status == 204
    keeps_chunked = not is_bodiless and head.status != 304
    fields: list[Field] = []
    switches = False
    for field in without_listed(head.fields, head.facts.connection_options):
        role = field.role
        if role == Role.CONTENT_LENGTH and is_bodiless:
            continue
        if role <= _LAST_CROSSING:
            fields.append(field)
        elif role > _LAST_DROPPED:
            fields += _response_field(field, head, keeps_chunked=keeps_chunked)
        elif head.status == 101 and role == Role.CONNECTION and not switches:
            fields.append(_SWITCHES_FIELD)
            switches = True
    return fields


def _response_field(field: Field, head: ResponseHead, *, keeps_chunked: bool) -> tuple[Field, ...]:
    """Return what goes to the client for a `field` of which only the message says whether it crosses."""
    role = field.role
    if role == Role.TRANSFER_ENCODING:
        return (_CHUNKED_FIELD,) if keeps_chunked else ()
    if role == Role.UPGRADE:
        return (field,) if head.status in (101, 426) else ()
    if role == Role.TRAILER:
        return (field,) if keeps_chunked else ()
    return () if role == Role.TE else (field,)
