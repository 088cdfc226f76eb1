"""Field lines: bytes -> :class:`~devproxy.http.messages.Field`, strictly (RFC 9110 section 5, RFC 9112 section 5).

Owns the field grammar and the table of names that a gateway must look at. The same line always states the same, so
what it states is remembered (:mod:`devproxy.http.memory`): a browser repeats nearly every line of a head. Start at
:func:`parse_field`; :data:`marks` says what a line contributes to the facts of a head, which for most is nothing. Why:
ADR 0007.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from devproxy.errors import BadMessage
from devproxy.http.memory import MEMORY, SLOT, Table, footprint

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
"""RFC 9110 section 5.6.2. Possessive: what follows a token is never part of one."""

MAX_REMEMBERED_LINE_BYTES: Final = 512
MAX_KNOWN_NAMES: Final = 1024
MAX_KNOWN_NAME_BYTES: Final = 64

# No CR, LF or NUL can be in a value (RFC 9110 section 5.5); obs-text (0x80-0xFF) passes as it is. No whitespace may
# occur before the colon or at the start of a line (RFC 9112 sections 5.1 and 5.2: obs-fold is refused).
_match_line = re.compile(rb"(" + TOKEN + rb"):([\t\x20-\x7e\x80-\xff]*+)").fullmatch
# Other controls are outside the grammar too, but pages send them (Fetch forbids none but these) and browsers take them.
_match_odd_line = re.compile(rb"(" + TOKEN + rb"):([^\r\n\0]*+)").fullmatch
_match_spaced_line = re.compile(rb"(" + TOKEN + rb")[\t ]++(:[^\r\n\0]*+)").fullmatch
_find_control = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_is_token = re.compile(TOKEN).fullmatch


class Role(IntEnum):
    """Why the gateway looks at a field; ``END_TO_END`` means that it does not.

    The order is meaningful. Up to ``ACCESS_CONTROL`` a field crosses the gateway as it is unless the route's policy
    says otherwise, up to ``HOP_BY_HOP`` it never crosses, from ``TE`` on it depends on the message.
    """

    END_TO_END = 0
    CONTENT_LENGTH = 1
    HOST = 2
    ORIGIN = 3
    VIA = 4
    FETCH_METADATA = 5
    """``Sec-Fetch-Site``, ``-Mode`` and ``-Dest``: what kind of request a browser makes (W3C Fetch Metadata)."""
    VARY = 6
    SET_COOKIE = 7
    REFERENCE = 8
    """Names a place that a browser goes to or remembers: ``Location``, ``Content-Location``, ``Refresh``, ``Link``."""
    RESOURCE_POLICY = 9
    """``Cross-Origin-Resource-Policy``."""
    PIN = 10
    """``Strict-Transport-Security`` and ``Alt-Svc``: bind a browser for long to a way by which a host is reached."""
    LOGIN = 11
    """Credentials or a challenge by which the connection itself is logged in, as NTLM and Negotiate do it."""
    ACCESS_CONTROL = 12
    """Any ``Access-Control-*`` field, of a request or a response."""
    CONNECTION = 13
    KEEP_ALIVE = 14
    HOP_BY_HOP = 15
    """Concerns one connection only (RFC 9110 section 7.6.1)."""
    TE = 16
    TRANSFER_ENCODING = 17
    UPGRADE = 18
    EXPECT = 19
    TRAILER = 20
    FORWARDED_FOR = 21
    FORWARDED = 22
    """Claims something about the client or the way that the request took: ``policy.hop`` owns what happens to it."""
    LOOK_ALIKE = 23
    """Becomes another field's name where a server (WSGI, CGI) knows names by their letters and digits alone."""


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


_NAMES: Final = {
    Role.CONTENT_LENGTH: b"content-length",
    Role.HOST: b"host",
    Role.ORIGIN: b"origin",
    Role.VIA: b"via",
    Role.FETCH_METADATA: b"sec-fetch-site sec-fetch-mode sec-fetch-dest",
    Role.VARY: b"vary",
    Role.SET_COOKIE: b"set-cookie",
    Role.REFERENCE: b"location content-location refresh link",
    Role.RESOURCE_POLICY: b"cross-origin-resource-policy",
    Role.PIN: b"strict-transport-security alt-svc",
    Role.CONNECTION: b"connection",
    Role.KEEP_ALIVE: b"keep-alive",
    Role.HOP_BY_HOP: b"proxy-connection proxy-authenticate proxy-authorization proxy-authentication-info "
    b"http2-settings",
    Role.TE: b"te",
    Role.TRANSFER_ENCODING: b"transfer-encoding",
    Role.UPGRADE: b"upgrade",
    Role.EXPECT: b"expect",
    Role.TRAILER: b"trailer",
    Role.FORWARDED_FOR: b"x-forwarded-for",
    # What some server or framework takes for a fact about the client or the request, as proxies state it.
    Role.FORWARDED: b"forwarded x-real-ip forwarded-for forwarded-host forwarded-proto x-forwarded "
    # the client's address
    b"client-ip x-client-ip x-cluster-client-ip true-client-ip x-true-client-ip x-remote-ip x-remote-addr "
    b"x-originating-ip x-original-forwarded-for x-original-for x-proxyuser-ip proxy-client-ip wl-proxy-client-ip "
    b"cf-connecting-ip cf-connecting-ipv6 cf-pseudo-ipv4 fastly-client-ip fly-client-ip do-connecting-ip "
    b"x-azure-clientip x-azure-socketip x-appengine-user-ip x-envoy-external-address cloudfront-viewer-address "
    # scheme, host and path of what was asked for
    b"front-end-https x-scheme x-proto x-url-scheme x-original-proto x-original-scheme x-arr-ssl cf-visitor "
    b"cloudfront-forwarded-proto x-host x-original-host x-http-host-override x-original-url x-original-uri "
    b"x-rewrite-url x-envoy-original-path x-script-name x-original-prefix",
}
_ROLES: Final = {name: role for role, names in _NAMES.items() for name in names.split()}
_LOGIN_FIELDS: Final = frozenset((b"authorization", b"www-authenticate", b"persistent-auth"))
"""Fields whose role depends on their value: a token in every request is no reason to look at each head again."""
_CONNECTION_SCHEMES: Final = frozenset((b"ntlm", b"negotiate", b"kerberos", b"nego2"))
"""Authentication schemes that speak for all that follows on the same connection (RFC 4559 section 6, MS-N2HT)."""
_COUNTERFEITED: Final = frozenset(
    (
        Role.CONTENT_LENGTH,
        Role.FETCH_METADATA,
        Role.ACCESS_CONTROL,
        Role.KEEP_ALIVE,
        Role.HOP_BY_HOP,
        Role.TRANSFER_ENCODING,
        Role.FORWARDED_FOR,
        Role.FORWARDED,
    )
)
"""Roles of fields that the gateway sets, frames by or decides by, as far as a name of theirs has a hyphen."""
_LETTERS_AND_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
_UNIFIED: Final = bytes(octet if octet in _LETTERS_AND_DIGITS else 0x2D for octet in range(256))

_known_roles: dict[bytes, int] = {}
"""The roles of the names that came first: a browser and a server use a hundred, and more are not kept."""
# What an end-to-end field is called in most heads: its line needs no look at the name's bytes.
FAMILIAR_NAMES: Final = frozenset(
    spelling + b":"
    for name in (
        b"Accept Accept-Encoding Accept-Language Accept-Ranges Age Allow Cache-Control "
        b"Content-Encoding Content-Disposition Content-Language Content-Range Content-Security-Policy "
        b"Content-Type Cookie Date ETag Expires If-Match If-Modified-Since If-None-Match If-Range "
        b"If-Unmodified-Since Last-Modified Origin-Agent-Cluster Pragma Priority Range Referer Referrer-Policy "
        b"Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-User Sec-WebSocket-Accept "
        b"Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server "
        b"Server-Timing Timing-Allow-Origin Traceparent Upgrade-Insecure-Requests "
        b"User-Agent X-Content-Type-Options X-Powered-By X-Request-Id X-Requested-With X-Response-Time"
    ).split()
    for spelling in (name, name.lower())
)
_VALUE_OCTETS: Final = bytes((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
"""What a value may hold, as in the grammar."""
_is_plain_length = re.compile(rb"content-length: *([0-9]{1,18}) *", re.IGNORECASE).fullmatch

_PASSED_OVER: Final = frozenset((Role.END_TO_END, Role.VARY, Role.SET_COOKIE, Role.RESOURCE_POLICY, Role.LOOK_ALIKE))
"""Roles of fields that frame nothing, route nothing, and name neither a host nor an origin.

In these alone may a value hold control characters.
"""
_NEVER_SPACED: Final = frozenset((Role.CONTENT_LENGTH, Role.TRANSFER_ENCODING, Role.HOST, Role.ORIGIN))
"""Fields by which the end of a body, the host or the origin is known: read in two ways, they are read wrongly."""

_VERSION: Final = b"HTTP/1."
_CRLF: Final = b"\r\n"
UNMARKED: Final = b"\0\r\n"
"""The mark of a line that is not a field, or one that must be looked at each time."""
STATED_LENGTH: Final = b"\0length\r\n"
ZERO_LENGTH: Final = b"\0no length\r\n"


_MARKED_BY_NAME: Final = frozenset(
    (
        Role.SET_COOKIE,
        Role.REFERENCE,
        Role.RESOURCE_POLICY,
        Role.TE,
        Role.TRAILER,
        Role.FORWARDED_FOR,
        Role.FORWARDED,
        Role.LOOK_ALIKE,
    )
)
"""Of these fields it matters to the facts of a head that they are there, not what they say."""


def _mark_of(line: bytes) -> bytes:
    """Return the mark of `line`, by the grammar alone (see :class:`Marks`)."""
    length = _is_plain_length(line)
    if length is not None:
        return STATED_LENGTH if length[1].strip(b"0") else ZERO_LENGTH
    if line.startswith(_VERSION):
        return line + _CRLF
    try:
        field = read_field(line)
    except BadMessage:
        return UNMARKED
    if field.role == Role.END_TO_END:
        return b""
    if field.role in (Role.CONTENT_LENGTH, Role.LOGIN):
        return UNMARKED
    return (field.name if field.role in _MARKED_BY_NAME else line) + _CRLF


class Marks(Table[bytes, bytes]):
    """What each line of a head contributes to its facts, by the line: ``marks[line]`` is its mark.

    Empty: nothing, it is a well-formed end-to-end field. For a Content-Length :data:`STATED_LENGTH` or
    :data:`ZERO_LENGTH`, for fields that count by being there their name, for others the line itself;
    :data:`UNMARKED` for what is no field. What begins as a status line is its own mark, and no field. Each mark ends
    with CRLF, so that they can be joined. Heads with the same marks in the same order state the same, but for the
    number after the length. A line that was seen before costs one look-up.
    """

    __slots__ = ()

    def __missing__(self, line: bytes) -> bytes:
        # As Table.keep_if_seen does it, at less than half its price: this is the path of all that is new.
        trace = hash(line)
        slot = trace & SLOT
        if _seen[slot] == trace:
            return self._take_again(line)
        _seen[slot] = trace
        if line[: line.find(b":") + 1] in FAMILIAR_NAMES and not line.translate(None, _VALUE_OCTETS):
            return b""
        return _mark_of(line)

    def _take_again(self, line: bytes) -> bytes:
        """Return the mark of a `line` that was seen before, and remember it."""
        mark = _mark_of(line)
        self.old.pop(line, None)
        if len(line) <= MAX_REMEMBERED_LINE_BYTES and mark != UNMARKED:
            self.keep(line, mark)
        return mark


_seen: Final = MEMORY.marks
marks: Final = Marks(MEMORY, footprint)
_fields: Final = Table[bytes, Field](MEMORY, footprint)


def parse_field(line: bytes) -> Field:
    """Return the field that `line` (without its CRLF) states; one that comes often costs one look-up.

    Raises :class:`BadMessage` for anything outside the grammar. Lines of at most :data:`MAX_REMEMBERED_LINE_BYTES`
    bytes are remembered when they come for the second time.
    """
    field = _fields[line]
    if field is None:
        field = read_field(line)
        if len(line) <= MAX_REMEMBERED_LINE_BYTES:
            _fields.keep_if_seen(line, field)
    return field


def parse_fields(lines: list[bytes]) -> list[Field]:
    """Return the fields that `lines` state (see :func:`parse_field`)."""
    return [_fields[line] or parse_field(line) for line in lines]


def read_field(line: bytes) -> Field:
    """Return the field that `line` states, by the grammar alone (see :func:`parse_field`)."""
    match = _match_line(line)
    if match is None:
        return _read_odd_field(line)
    name = match[1].lower()
    role = _known_roles.get(name)
    return Field(line, name, match[2].strip(b" \t"), _learn_role(name, match[2]) if role is None else role)


def _learn_role(name: bytes, value: bytes) -> int:
    if name in _LOGIN_FIELDS:
        return int(Role.LOGIN if _logs_connection_in(name, value) else Role.END_TO_END)
    role = int(role_of(name))
    if len(_known_roles) < MAX_KNOWN_NAMES and len(name) <= MAX_KNOWN_NAME_BYTES:
        _known_roles[name] = role
    return role


def unified_name(name: bytes) -> bytes:
    """Return what `name` (lower case) comes down to where only letters and digits count.

    CGI makes ``HTTP_X_FORWARDED_HOST`` of ``X-Forwarded-Host`` (RFC 3875 section 4.1.18). Servers make it of
    ``X_Forwarded_Host`` as well, PHP of ``X.Forwarded.Host`` and Apache of any other mark.
    """
    return name.translate(_UNIFIED)


def role_of(name: bytes) -> Role:
    """Return why the gateway looks at the field called `name` (lower case)."""
    role = _ROLES.get(name)
    if role is not None:
        return role
    unified = unified_name(name)
    if unified != name:
        return Role.LOOK_ALIKE if role_of(unified) in _COUNTERFEITED else Role.END_TO_END
    if name.startswith(b"x-forwarded-"):
        return Role.FORWARDED
    return Role.ACCESS_CONTROL if name.startswith(b"access-control-") else Role.END_TO_END


def _logs_connection_in(name: bytes, value: bytes) -> bool:
    """Tell whether the connection is logged in, or about to be, once a message with this field has passed.

    A challenge without data (``WWW-Authenticate: NTLM``) only names the scheme. Elements of a list are told apart by
    commas alone: a comma in a quoted string can make too much of a field, never too little.
    """
    if name == b"persistent-auth":
        return value.strip(b" \t").lower() == b"true"
    schemes = connection_schemes(value)
    return any(schemes.values()) if name == b"www-authenticate" else bool(schemes)


def connection_schemes(value: bytes) -> dict[bytes, bool]:
    """Return the schemes named in `value` that log a connection in (NTLM, Negotiate), and which of them bring data."""
    elements = (element.split(None, 1) for element in value.lower().split(b","))
    return {words[0]: len(words) > 1 for words in elements if words and words[0] in _CONNECTION_SCHEMES}


def _read_odd_field(line: bytes) -> Field:
    """Return the field that `line` states although its value holds control characters, where that may be."""
    match = _match_odd_line(line)
    if match is None:
        raise bad_field_line(line)
    name = match[1].lower()
    role = _learn_role(name, match[2])
    if role not in _PASSED_OVER:
        raise bad_field_line(line)
    return Field(line, name, match[2].strip(b" \t"), role)


def has_control(value: bytes) -> bool:
    """Tell whether `value` holds a control character other than the tab."""
    return _find_control(value) is not None


def without_space_before_colon(line: bytes) -> bytes | None:
    """Return `line` without the whitespace before its colon, which a proxy has to remove from answers; else None.

    RFC 9112 section 5.1. None where there is none, where more than that is wrong, and for what frames the body or names
    the host or the origin: there it stays refused.
    """
    match = _match_spaced_line(line)
    if match is None or role_of(match[1].lower()) in _NEVER_SPACED:
        return None
    return match[1] + match[2]


def make_field(name: bytes, value: bytes) -> Field:
    """Return the field ``name: value``. For names and values that are known to be well-formed, or to check that."""
    line = name + b": " + value
    if _match_line(line) is None:
        raise bad_field_line(line)
    return read_field(line)


def is_token(value: bytes) -> bool:
    """Tell whether `value` is a token (RFC 9110 section 5.6.2)."""
    return _is_token(value) is not None


def parse_token_list(value: bytes) -> tuple[bytes, ...]:
    """Return the lower-case tokens of a comma-separated list; empty elements are ignored (RFC 9110 section 5.6.1).

    Raises :class:`BadMessage` when an element is not a token.
    """
    tokens = elements_of(value.lower())
    if not all(map(_is_token, tokens)):
        raise BadMessage("an element of a token list is not a token", source="RFC 9110 section 5.6.1")
    return tuple(tokens)


def elements_of(value: bytes) -> list[bytes]:
    """Return the elements of a comma-separated list that are not empty (RFC 9110 section 5.6.1)."""
    return [element for part in value.split(b",") if (element := part.strip(b" \t"))]


def values_of(fields: Iterable[Field], name: bytes) -> list[bytes]:
    """Return the value of each of `fields` that is called `name` (lower case)."""
    return [field.value for field in fields if field.name == name]


def bad_field_line(line: bytes) -> BadMessage:
    """Return what is wrong with `line`, which is not a field line."""
    reason, source = _fault_of(line)
    return BadMessage(reason, source=source, line=line)


def _fault_of(line: bytes) -> tuple[str, str]:
    """Say in words why `line` is not a field line, and which rule that breaks."""
    if line[:1] in (b" ", b"\t"):
        return "a header line starts with whitespace (obsolete line folding)", "RFC 9112 section 5.2"
    if b"\r" in line or b"\n" in line:
        return "a header line contains a bare CR or LF", "RFC 9112 section 2.2"
    if b"\0" in line:
        return "a header line contains a NUL", "RFC 9110 section 5.5"
    name, colon, _ = line.partition(b":")
    if not colon:
        return "a header line has no colon", "RFC 9112 section 5"
    if name and name.rstrip(b" \t") != name:
        return "there is whitespace between a header name and its colon", "RFC 9112 section 5.1"
    if _is_token(name) is None:
        return "a header name is not a token", "RFC 9110 section 5.1"
    return "a header value contains a control character", "RFC 9110 section 5.5"
