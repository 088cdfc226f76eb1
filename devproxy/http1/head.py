"""Heads: blocks of bytes -> :class:`RequestHead` or :class:`ResponseHead`, strictly (RFC 9112 sections 2 to 6).

Whatever two parsers could read in two ways is refused: differing or repeated lengths, a length next to a transfer
coding, obsolete folding, bare line ends, whitespace in the wrong place, targets and hosts outside the grammar. Nothing
here reads a body; that is :mod:`devproxy.http1.framing`. Start at :func:`parse_request_head`; where a head ends in
arriving bytes is for :mod:`devproxy.http1.reader`. What is refused and why: ADR 0002. Why heads are looked up before
they are parsed (``recall_request_head``, ``recall_response_head``): ADR 0007.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar, cast

from devproxy.errors import BadMessage
from devproxy.http.fields import (
    MAX_REMEMBERED_LINE_BYTES,
    STATED_LENGTH,
    UNMARKED,
    Field,
    Role,
    elements_of,
    make_field,
    marks,
    parse_fields,
    parse_token_list,
    values_of,
)
from devproxy.http.memory import MEMORY, SLOT, Table, footprint
from devproxy.http.messages import (
    CHUNKED,
    STATED,
    UNTIL_CLOSE,
    RequestFacts,
    RequestHead,
    ResponseFacts,
    ResponseHead,
    find_length,
)
from devproxy.http1.refusals import bad_status_line
from devproxy.http1.repairs import BODILESS, put_right
from devproxy.http1.start_line import (
    REQUEST_LINE_MARGIN,
    Limits,
    as_known_version,
    bad_request_line,
    match_plain_request_line,
    match_request_line,
    match_status_line,
    target_too_long,
)

_match_absolute = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*+)(.*+)", re.DOTALL).fullmatch
# uri-host [ ":" port ] (RFC 3986 section 3.2), without the userinfo that RFC 9110 section 4.2.4 forbids, without the
# empty host that section 4.2.1 forbids, and without the comma that would read as a list of two hosts.
_is_authority = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})++)(?::[0-9]{0,5})?"
).fullmatch
_mark_of = cast("Callable[[bytes], bytes]", marks.__getitem__)

_CRLF: Final = b"\r\n"
_CRLF2: Final = b"\r\n\r\n"
_MAX_LENGTH_DIGITS: Final = 18
_LENGTH_AT: Final = len(b"Content-Length:")
"""Where the number begins in a line that is marked as one with a length: there may be spaces around it."""
_MAX_LEFT_OUT: Final = 32
"""Lines that are taken out of the bytes of a head one by one. A head that has more is written again, line by line."""
_SLASH: Final = 0x2F
_FRAMING: Final = (Role.CONTENT_LENGTH, Role.TRANSFER_ENCODING)

_SPECIAL_OPTIONS: Final = frozenset((b"close", b"keep-alive", b"upgrade"))

_Facts = TypeVar("_Facts", RequestFacts, ResponseFacts)
_RequestLine = tuple[bytes, bytes, bytes]
"""Method, target and first segment of a plain request line of HTTP/1.1."""


class _RequestLines(Table[bytes, _RequestLine]):
    """What plain request lines of HTTP/1.1 state; None for any other line. Long lines are not remembered."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> _RequestLine | None:
        match = match_plain_request_line(line)
        if match is None or match[4] == b"0":
            return None
        stated = match[1], match[2], match[3]
        trace = hash(line)
        if _seen[trace & SLOT] != trace:
            _seen[trace & SLOT] = trace
        elif len(line) <= MAX_REMEMBERED_LINE_BYTES:
            self.old.pop(line, None)
            self.keep(line, stated)
        return stated


_seen: Final = MEMORY.marks


_request_lines: Final = _RequestLines(MEMORY, footprint)
_requests: Final = (Table[bytes, RequestFacts](MEMORY, footprint), Table[bytes, RequestFacts](MEMORY, footprint))
"""By the minor version, then by the marks of the lines, joined (:class:`devproxy.http.fields.Marks`)."""
_requests_1: Final = _requests[1]
_responses: Final = Table[bytes, ResponseFacts](MEMORY, footprint)
"""By the status line and the marks of all lines, of which a status line is its own, joined."""


def recall_request_head(octets: bytes, limits: Limits) -> tuple[RequestHead, bytes] | None:
    """Return the head that `octets` begin with and what follows it, if all of the head is familiar; else None.

    This is how most requests come: the path is plain, every line of the head has been seen before or looks like one
    that has, and usually nothing follows it. None says nothing about `octets`: ``HeadReader`` and
    :func:`parse_request_head` find out, and give the same head where this gives one.
    """
    if octets[-4:] == _CRLF2:
        block, rest = octets[:-4], b""
    else:
        block, end, rest = octets.partition(_CRLF2)
        if not end:
            return None
    if len(block) > limits.brief_bytes and (len(block) > limits.least_bytes or block.count(_CRLF) > limits.max_fields):
        return None
    lines = block.split(_CRLF)
    stated = _request_lines[lines[0]]
    if stated is None:
        return None
    del lines[0]
    # An empty line in between is not a field, and no facts are remembered for it.
    key = b"".join(map(_mark_of, lines))
    facts = _requests_1[key]
    if facts is None:
        return None
    method, target, segment = stated
    return RequestHead(method, target, target, block, facts, segment), rest


def parse_request_head(block: bytes, limits: Limits) -> RequestHead:
    """Return the request head that `block` states (as ``HeadReader`` gives it).

    Raises :class:`BadMessage` with the status that is due: 400, or 414, 431, 417, 501 or 505 where these say more.
    """
    start, *lines = block.split(b"\r\n")
    match = match_request_line(start)
    if match is None:
        raise bad_request_line(start)
    method, target, minor = match.groups()
    if len(target) > limits.max_target_bytes or len(start) > limits.max_target_bytes + REQUEST_LINE_MARGIN:
        raise target_too_long()
    if method == b"CONNECT":
        # Its answer is not framed as others are; whatever its target looks like, it must not be forwarded.
        raise BadMessage("CONNECT is for forward proxies", status=501, source="RFC 9110 section 9.3.6")
    if len(lines) > limits.max_fields:
        raise BadMessage(
            f"there are more than the {limits.max_fields} header lines that `max_fields` allows",
            status=431,
            source="RFC 6585 section 5",
        )
    version_minor = 1 if minor == b"1" else 0
    facts = _request_facts_of(lines, version_minor)
    plain = match_plain_request_line(start)
    segment = plain[3] if plain is not None else None
    head = RequestHead(method, target, target, block, facts, segment)
    if target[0] != _SLASH:
        _resolve_target(head)
    elif b"\\" in target:
        _refuse_backslash(target)
    return head


def _request_facts_of(lines: list[bytes], version_minor: int) -> RequestFacts:
    """Return the facts that `lines` state, having checked the grammar of each."""
    memory = _requests[version_minor]
    key = b"".join(map(_mark_of, lines))
    return memory[key] or _remember(memory, key, _request_facts(version_minor, _special_fields(lines)))


def _special_fields(lines: list[bytes]) -> list[Field]:
    return [field for field in parse_fields(lines) if field.role]


def _request_facts(version_minor: int, special: list[Field]) -> RequestFacts:
    """Establish framing, persistence, upgrade, expectation and Host from the fields; refuse contradictions."""
    options, upgrade, length, is_chunked = _read_common(special, version_minor)
    if is_chunked and length is not None:
        raise _length_beside_coding(special)
    expectations = [field.value.lower() for field in special if field.role == Role.EXPECT and version_minor]
    if any(expectation != b"100-continue" for expectation in expectations):
        raise BadMessage("the expectation is not 100-continue", status=417, source="RFC 9110 section 10.1.1")
    body_length = CHUNKED if is_chunked else length or 0
    # h2c would tunnel requests past every check (RFC 9113 dropped it); an upgrade with a body has no agreed order.
    switches = b"upgrade" in options and version_minor == 1 and body_length == 0 and b"h2c" not in upgrade
    listed = _other_options(options)
    is_plain = _is_plain(special, listed)
    return RequestFacts(
        version_minor=version_minor,
        host=_read_host(special, version_minor),
        body_length=STATED if body_length > 0 else body_length,
        keep_alive=_keeps_alive(options, version_minor),
        expects_continue=bool(expectations),
        upgrade=upgrade if switches else b"",
        connection_options=listed,
        is_plain=is_plain,
        dropped=_dropped(special) if is_plain else (),
        via=b", ".join(field.value for field in special if field.role == Role.VIA),
        origins=tuple(field.value for field in special if field.role == Role.ORIGIN),
        fetch_site=_last(special, b"sec-fetch-site"),
        fetch_mode=_last(special, b"sec-fetch-mode"),
        fetch_dest=_last(special, b"sec-fetch-dest"),
        logs_in=any(field.role == Role.LOGIN for field in special),
    )


def _read_common(special: list[Field], version_minor: int) -> tuple[list[bytes], bytes, int | None, bool]:
    """Return what both kinds of message state alike.

    That is the options of ``Connection``, in lower case; the protocols of ``Upgrade``, joined; the Content-Length, None
    where there is none; and whether the body is chunked.
    """
    options: list[bytes] = []
    upgrades: list[bytes] = []
    length: int | None = None
    is_chunked = False
    for field in special:
        role = field.role
        if role == Role.CONNECTION:
            options += parse_token_list(field.value)
        elif role == Role.UPGRADE:
            upgrades.append(field.value.lower())
        elif role == Role.CONTENT_LENGTH:
            if length is not None:
                raise _more_than_one(special, role)
            length = _read_length(field)
        elif role == Role.TRANSFER_ENCODING:
            if is_chunked:
                raise _more_than_one(special, role)
            is_chunked = _read_transfer_encoding(field, version_minor)
    return options, b", ".join(upgrades), length, is_chunked


def _last(special: list[Field], name: bytes) -> bytes:
    return next((field.value.lower() for field in reversed(special) if field.name == name), b"")


def _read_host(special: list[Field], version_minor: int) -> bytes:
    hosts = [field.value for field in special if field.role == Role.HOST]
    if len(hosts) > 1:
        raise BadMessage("there is more than one Host", source="RFC 9112 section 3.2")
    if not hosts and version_minor:
        raise BadMessage("the Host is missing", source="RFC 9112 section 3.2")
    if hosts and _is_authority(hosts[0]) is None:
        raise BadMessage("the Host is not a host name with an optional port", source="RFC 9112 section 3.2")
    return hosts[0] if hosts else b""


def _keeps_alive(options: list[bytes], version_minor: int) -> bool:
    return b"close" not in options and (version_minor == 1 or b"keep-alive" in options)


def _other_options(options: list[bytes]) -> tuple[bytes, ...]:
    return tuple(option for option in options if option not in _SPECIAL_OPTIONS)


_USUAL_CODING: Final = b"Transfer-Encoding: chunked"


def _is_plain(special: list[Field], listed: tuple[bytes, ...]) -> bool:
    """Tell whether to leave lines out is all there is to do, and few enough to look for each of them in the bytes."""
    left_out = sum(field.role >= Role.ACCESS_CONTROL for field in special)
    return not listed and left_out <= _MAX_LEFT_OUT and all(field.role <= Role.HOP_BY_HOP for field in special)


def _dropped(special: list[Field]) -> tuple[bytes, ...]:
    return tuple(b"\r\n%b\r\n" % field.line for field in special if field.role > Role.ACCESS_CONTROL)


def _remember(memory: Table[bytes, _Facts], key: bytes, facts: _Facts) -> _Facts:
    """Return `facts`, remembered if `key` was seen before: the same marks in the same order always state the same.

    But for one number, the length of the body, for which there must be one place then. Long lines are not remembered,
    nor are the steps of a login, which never come again: no message that is recalled is one.
    """
    if UNMARKED in key or key.count(STATED_LENGTH) > 1 or len(key) > MAX_REMEMBERED_LINE_BYTES:
        return facts
    if not memory.memory.has_seen(hash(key)):
        return facts
    kept = replace(facts, is_remembered=True)
    memory.keep(key, kept)
    return kept


def recall_response_head(octets: bytes, limits: Limits) -> tuple[ResponseHead, bytes] | None:
    """Return the head that `octets` begin with and what follows it, if all of the head is familiar; else None.

    The counterpart of :func:`recall_request_head`: None says nothing about `octets`.
    """
    block, end, rest = octets.partition(_CRLF2)
    lines = block.split(_CRLF)
    found = [*map(_mark_of, lines)]
    # The status line as it is, so that no field can come before it.
    facts = _responses[lines[0] + b"".join(found)]
    if facts is None or not end:
        return None
    if len(block) > limits.brief_bytes and (len(block) > limits.max_head_bytes or len(lines) > limits.max_fields):
        return None
    length = facts.body_length
    if length == STATED:
        length = int(lines[found.index(STATED_LENGTH)][_LENGTH_AT:])  # there is one, as these facts are remembered
    return ResponseHead(block, facts, length), rest


def parse_response_head(block: bytes, limits: Limits, method: bytes = b"GET") -> ResponseHead:
    """Return the response head that `block` states in answer to `method`.

    What every browser takes and what cannot change where the body ends is put right, so that no reader of the head
    after us can read it in another way: a later minor version of HTTP (RFC 9110 section 2.5) and what
    :func:`devproxy.http1.repairs.put_right` lists. Raises :class:`BadMessage` for everything else that is outside the
    grammar: the upstream cannot be trusted then.
    """
    start, *lines = block.split(b"\r\n")
    match = match_status_line(start)
    if match is None:
        known = as_known_version(start)
        if match_status_line(known) is None:
            raise bad_status_line(block)
        return parse_response_head(known + block[len(start) :], limits, method)
    minor, status, _ = match.groups()
    if len(lines) > limits.max_fields:
        raise BadMessage(
            f"the answer has more than the {limits.max_fields} header lines that `max_fields` allows",
            source="RFC 6585 section 5",
        )
    key = start + b"".join(map(_mark_of, (start, *lines)))
    facts = _responses[key]
    if facts is None:
        try:
            found = _response_facts(int(status), 1 if minor == b"1" else 0, _special_fields(lines))
        except BadMessage:
            mended = put_right(lines, method, int(status))
            if mended == lines:
                raise
            return parse_response_head(b"\r\n".join((start, *mended)), limits, method)
        facts = _remember(_responses, key, found)
    length = facts.body_length
    return ResponseHead(block, facts, length if length != STATED else int(find_length(block)[1]))


def _response_facts(status: int, version_minor: int, special: list[Field]) -> ResponseFacts:
    """Establish framing, persistence and upgrade from the fields; refuse contradictions."""
    options, upgrade, length, is_chunked = _read_common(special, version_minor)
    roles = {field.role for field in special}
    varies_on = elements_of(b",".join(values_of(special, b"vary")).lower())
    has_body = status not in BODILESS
    # A server that announces a body where none can be may send it, too: nothing is asked of it again. A 304 may repeat
    # the length of the 200.
    announces_body = is_chunked or (status != 304 and bool(length))
    if has_body and is_chunked and length is not None:
        raise _length_beside_coding(special)
    if status < 200 and has_body and (is_chunked or length):
        # Some parsers read a body then, others the next answer. A length of 0 is common, and the same to all of them.
        raise BadMessage(f"a {status} announces a body", source="RFC 9110 section 15.2", line=_framing_lines(special))
    listed = _other_options(options)
    body_length = _response_body_length(status, length, is_chunked)
    # The coding of a body that passes in it stays as it is, if it is written in the usual way.
    looked_at = [one for one in special if one.line != _USUAL_CODING] if body_length == CHUNKED else special
    is_plain = _is_plain(looked_at, listed)
    return ResponseFacts(
        status=status,
        version_minor=version_minor,
        body_length=STATED if body_length > 0 else body_length,
        keep_alive=_keeps_alive(options, version_minor) and (has_body or not announces_body),
        keep_alive_timeout_s=_read_keep_alive_timeout(special),
        upgrade=upgrade,
        connection_options=listed,
        is_plain=is_plain,
        dropped=_dropped(looked_at) if is_plain else (),
        access_control=_between_crlf(special, Role.ACCESS_CONTROL),
        pins=_between_crlf(special, Role.PIN),
        varies_on_origin=not {b"origin", b"*"}.isdisjoint(varies_on),
        has_set_cookie=Role.SET_COOKIE in roles,
        is_remarkable=(Role.SET_COOKIE in roles or (status >= 300 and (status >= 400 or Role.REFERENCE in roles))),
        has_reference=Role.REFERENCE in roles,
        has_resource_policy=Role.RESOURCE_POLICY in roles,
        logs_in=Role.LOGIN in roles,
    )


def _between_crlf(special: list[Field], role: Role) -> tuple[bytes, ...]:
    return tuple(b"\r\n%b\r\n" % field.line for field in special if field.role == role)


def _response_body_length(status: int, length: int | None, is_chunked: bool) -> int:
    """Return where the body ends (RFC 9112 section 6.3, items 1, 4, 6 and 8)."""
    if status < 200 or status == 204 or status == 304:
        return 0
    if length is not None:
        return length
    return CHUNKED if is_chunked else UNTIL_CLOSE


def _framing_lines(special: list[Field]) -> bytes:
    return b"\r\n".join(field.line for field in special if field.role in _FRAMING)


def _more_than_one(special: list[Field], role: int) -> BadMessage:
    lines = [field.line for field in special if field.role == role]
    name = lines[0].partition(b":")[0].title()
    source = "RFC 9110 section 8.6" if role == Role.CONTENT_LENGTH else "RFC 9112 section 6.3"
    return BadMessage(f"there is more than one {name.decode()}", source=source, line=b"\r\n".join(lines))


def _length_beside_coding(special: list[Field]) -> BadMessage:
    reason = "there are both Content-Length and Transfer-Encoding"
    return BadMessage(reason, source="RFC 9112 section 6.3", line=_framing_lines(special))


def _read_length(field: Field) -> int:
    """Return a Content-Length: digits alone. Signs and lists are how requests get smuggled."""
    value = field.value
    if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
        what = "a list of lengths" if b"," in value else "too long" if value.isdigit() else "not a number"
        raise BadMessage(f"the Content-Length is {what}", source="RFC 9110 section 8.6", line=field.line)
    _refuse_tab(field)
    return int(value)


def _read_transfer_encoding(field: Field, version_minor: int) -> bool:
    if not version_minor:
        raise _bad_coding(field, "an HTTP/1.0 message has Transfer-Encoding", section="6.1")
    _refuse_tab(field)
    value = field.value
    if value.lower() == b"chunked":
        return True
    codings = [coding.strip(b" \t") for coding in value.lower().split(b",")]
    if codings[-1] == b"chunked" and codings.count(b"chunked") == 1 and all(codings) and b"identity" not in codings:
        raise _bad_coding(field, "only the transfer coding `chunked` is known", section="6.1", status=501)
    raise _bad_coding(field, "the Transfer-Encoding is not `chunked`", section="6.3")


def _bad_coding(field: Field, reason: str, *, section: str, status: int = 400) -> BadMessage:
    return BadMessage(reason, status=status, source=f"RFC 9112 section {section}", line=field.line)


def _refuse_tab(field: Field) -> None:
    """Refuse a tab in a framing field: allowed (RFC 9110 section 5.6.3), but not every server reads past it."""
    if b"\t" in field.line:
        name = field.name.title().decode()
        raise BadMessage(f"{name} contains a tab", source="RFC 9112 section 11.2", line=field.line)


def _read_keep_alive_timeout(special: list[Field]) -> int | None:
    """Return N of the last ``Keep-Alive: timeout=N`` (seconds), None when absent or not a number."""
    for part in elements_of(_last(special, b"keep-alive")):
        name, _, number = part.partition(b"=")
        number = number.strip(b' \t"')
        if name.rstrip(b" \t") == b"timeout" and number.isdigit() and len(number) < 10:
            return int(number)
    return None


def _refuse_backslash(target: bytes) -> None:
    """Refuse a backslash in the path: some servers read it as a slash, others do not. In a query it is data."""
    if b"\\" in target.partition(b"?")[0]:
        raise BadMessage("the path contains a backslash", source="WHATWG URL, special schemes")


def _resolve_target(head: RequestHead) -> None:
    """Bring asterisk-form and absolute-form to ``path`` and ``host`` (RFC 9112 section 3.2)."""
    target = head.target
    if target == b"*" and head.method == b"OPTIONS":
        return
    match = _match_absolute(target)
    if match is None or _is_authority(match[1]) is None:
        raise BadMessage("the request target is neither a path nor an http URL", source="RFC 9112 section 3.2")
    authority, path = match.groups()
    _refuse_backslash(path)
    if not path and head.method == b"OPTIONS":
        head.path = b"*"  # RFC 9112 section 3.2.4
    else:
        head.path = path if path[:1] == b"/" else b"/" + path
    # RFC 9112 section 3.2.2: the authority of the target replaces whatever Host said.
    host = make_field(b"Host", authority)
    if head.host:
        lines = [host.line if field.role == Role.HOST else field.line for field in head.fields]
    else:
        lines = [host.line, *head.lines]
    head.block = b"\r\n".join((head.block.partition(b"\r\n")[0], *lines))
    head.facts = replace(head.facts, host=authority)
