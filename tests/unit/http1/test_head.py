"""Heads: what is read, and what is refused with which status (RFC 9112 sections 2 to 6)."""

from __future__ import annotations

import pytest
from devproxy.errors import BadMessage
from devproxy.http.fields import MAX_REMEMBERED_LINE_BYTES, Role
from devproxy.http.memory import MEMORY
from devproxy.http.messages import CHUNKED, RequestHead, ResponseHead
from devproxy.http1.head import (
    parse_request_head,
    parse_response_head,
    recall_request_head,
    recall_response_head,
)
from devproxy.http1.reader import HeadReader, MessageKind
from devproxy.http1.start_line import Limits

LIMITS = Limits()


def request(*lines: bytes, line: bytes = b"POST /x HTTP/1.1", host: bool = True) -> RequestHead:
    """Parse a request head of `line`, a Host and `lines`."""
    return parse_request_head(b"\r\n".join((line, *((b"Host: a.test",) if host else ()), *lines)), LIMITS)


def response(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    """Parse a response head of `line` and `lines`."""
    return parse_response_head(b"\r\n".join((line, *lines)), LIMITS)


def refusal(*lines: bytes, line: bytes = b"POST /x HTTP/1.1", host: bool = True) -> BadMessage:
    """Return why the request is refused."""
    with pytest.raises(BadMessage) as caught:
        request(*lines, line=line, host=host)
    return caught.value


# --- request line -----------------------------------------------------------------------------------------------------


def test_a_request_line_gives_method_target_and_version() -> None:
    head = request(line=b"GET /a?b=c HTTP/1.0")
    assert (head.method, head.target, head.path, head.version_minor) == (b"GET", b"/a?b=c", b"/a?b=c", 0)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"//evil.test/p",
        b"/a%2Fb/../c;d=1/%zz",
        b"/?",
        b"/caf\xc3\xa9",
        b'/a?x={}|^`"<>\\',
        b"/\xff",
        b"/a?b?c",
        b"/http://other.test/",
    ],
)
def test_target_bytes_are_kept_as_they_came(target: bytes) -> None:
    head = request(line=b"GET " + target + b" HTTP/1.1")
    assert head.path == head.target == target


@pytest.mark.parametrize("method", [b"GET", b"PURGE", b"get", b"M-SEARCH", b"X!#$%&'*+-.^_`|~9"])
def test_any_token_is_a_method(method: bytes) -> None:
    assert request(line=method + b" / HTTP/1.1").method == method


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/3", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /\tHTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1,1", 400),
        (b"GET / HTTP/01.1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/1.\xd9\xa1", 400),
        (b"GET / HTTPS/1.1", 400),
        (b"GET /", 400),
        (b"GET", 400),
        (b"", 400),
        (b"GET / x HTTP/1.1", 400),
        (b"G\xc3\x89T / HTTP/1.1", 400),
        (b"G:T / HTTP/1.1", 400),
        (b"GET /\0 HTTP/1.1", 400),
        (b"GET /\x7f HTTP/1.1", 400),
        (b"GET /\x0b HTTP/1.1", 400),
        (b"GET /\r HTTP/1.1", 400),
        (b"GET /\n HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r", 400),
        (b"GET / HTTP/1.1\nX: y", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"GET a.test HTTP/1.1", 400),
        (b"GET @evil.test/ HTTP/1.1", 400),
        (b"GET ?a HTTP/1.1", 400),
        (b"GET /a\\b HTTP/1.1", 400),
        (b"GET \\\\evil.test HTTP/1.1", 400),
        (b"GET ftp://a.test/ HTTP/1.1", 400),
        (b"GET http:/a.test/ HTTP/1.1", 400),
        (b"GET http:///p HTTP/1.1", 400),
        (b"GET http://:80/p HTTP/1.1", 400),
        (b"GET http://user@a.test/ HTTP/1.1", 400),
        (b"GET http://a.test\\@b.test/ HTTP/1.1", 400),
        (b"GET http://a.test/b\\c HTTP/1.1", 400),
        (b"GET http://a b/ HTTP/1.1", 400),
        (b"CONNECT a.test:443 HTTP/1.1", 501),
        (b"CONNECT /x HTTP/1.1", 501),
        (b"CONNECT http://a.test/ HTTP/1.1", 501),
    ],
)
def test_a_bad_request_line_is_refused(line: bytes, status: int) -> None:
    assert refusal(line=line).status == status


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"GET /\0 HTTP/1.1", "the request line contains a control character"),
        (b"GET /\r HTTP/1.1", "the request line contains a control character"),
        (b"GET /\n HTTP/1.1", "the request line contains a control character"),
        (b"GET /a#b HTTP/1.1", "the request target has a fragment (#)"),
        (b"GET / HTTP/3", "the protocol version is neither HTTP/1.0 nor HTTP/1.1"),
        (b"\x16\x03\x01", "a TLS handshake arrived, but this port speaks http; --tls makes it speak both"),
        (b"GET /", "the request line is not `METHOD target HTTP/1.1`"),
    ],
)
def test_a_bad_request_line_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    assert refusal(line=line).reason == reason


def test_a_backslash_in_the_query_is_data() -> None:
    assert request(line=b"GET /a?b=\\c HTTP/1.1").path == b"/a?b=\\c"


def test_options_asterisk_keeps_its_target() -> None:
    assert request(line=b"OPTIONS * HTTP/1.1").path == b"*"


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://b.test/p?q", b"/p?q", b"b.test"),
        (b"http://b.test:8080", b"/", b"b.test:8080"),
        (b"HTTPS://b.test?q", b"/?q", b"b.test"),
        (b"http://[::1]:80/", b"/", b"[::1]:80"),
    ],
)
def test_an_absolute_target_replaces_the_host(target: bytes, path: bytes, host: bytes) -> None:
    head = request(b"X-Last: 1", line=b"GET " + target + b" HTTP/1.1")
    assert (head.path, head.host, head.target) == (path, host, target)
    assert [field.line for field in head.fields] == [b"Host: " + host, b"X-Last: 1"]


@pytest.mark.parametrize("lines", [(), (b"X-Last: 1",)])
def test_an_absolute_target_adds_the_host_that_http_1_0_left_out(lines: tuple[bytes, ...]) -> None:
    head = request(*lines, line=b"GET http://b.test/ HTTP/1.0", host=False)
    assert [field.line for field in head.fields] == [b"Host: b.test", *lines]


def test_options_for_a_whole_server_in_absolute_form_becomes_an_asterisk() -> None:
    assert request(line=b"OPTIONS http://b.test HTTP/1.1").path == b"*"
    assert request(line=b"OPTIONS http://b.test/ HTTP/1.1").path == b"/"


# --- Host -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"a.test",
        b"a.test:8080",
        b"a.test.",
        b"LOCALHOST",
        b"127.0.0.1:1",
        b"[::1]:80",
        b"a_b.test",
        b"a.test:",
        b"a%20",
    ],
)
def test_a_host_is_a_name_with_an_optional_port(value: bytes) -> None:
    assert request(b"Host: " + value, host=False).host == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":80",
        b"a b",
        b"u@a.test",
        b"a.test/",
        b"a.test:80:80",
        b"a.test:x",
        b"a.test:123456",
        b"a.test, b.test",
        b"http://a.test",
        b"[::1",
        b"::1",
        b"[x]",
        b"a.test\\",
        b"a\xc3\xa9.test",
        b"a?b",
        b"a#b",
        b"%zz",
        b"<script>",
    ],
)
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_a_host_outside_its_grammar_is_refused(value: bytes, version: bytes) -> None:
    assert refusal(b"Host: " + value, line=b"GET / " + version, host=False).status == 400


@pytest.mark.parametrize("second", [b"Host: a.test", b"host: b.test", b"HOST:"])
def test_two_hosts_are_refused(second: bytes) -> None:
    assert refusal(second).reason == "there is more than one Host"


def test_a_missing_host_is_refused_from_http_1_1_on() -> None:
    assert refusal(host=False).reason == "the Host is missing"
    assert request(line=b"GET / HTTP/1.0", host=False).host == b""


# --- framing of requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        ((b"Content-Length: 0",), 0),
        ((b"content-length:42",), 42),
        ((b"Content-Length:  007 ",), 7),
        ((b"Content-Length: 999999999999999999",), 999999999999999999),
        ((b"Transfer-Encoding: chunked",), CHUNKED),
        ((b"transfer-encoding:CHUNKED",), CHUNKED),
    ],
)
def test_a_request_states_the_extent_of_its_body(lines: tuple[bytes, ...], length: int) -> None:
    assert request(*lines).body_length == length


AMBIGUOUS_FRAMING = [
    pytest.param((b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400, id="CL+TE"),
    pytest.param((b"Transfer-Encoding: chunked", b"Content-Length: 0"), 400, id="TE+CL"),
    pytest.param((b"Content-Length: 3", b"Content-Length: 4"), 400, id="differing CL"),
    *(
        pytest.param((b"Content-Length: " + value,), 400, id=f"CL {value!r}")
        for value in (
            b"+3", b"-3", b"-0", b"3, 4", b"3,", b",3", b"3,03", b"3;3", b"0x3", b"3 3", b"1_0", b"3.0", b"1e1", b"",
            b"\xb2",
            b"\xd9\xa3", b"three", b'"3"', b"3\x0b", b"1000000000000000000", b"18446744073709551617", b"\t3", b"3\t",
        )
    ),
    *(
        pytest.param((b"Transfer-Encoding: " + value,), 400, id=f"TE {value!r}")
        for value in (
            b"xchunked", b"chunkedx", b"x chunked", b"chunked, identity", b"identity", b"identity, chunked", b"gzip",
            b"chunked, gzip", b"chunked, chunked", b"chunked,chunked", b"chunked,", b", chunked", b"", b"chunked;q=1",
            b'"chunked"', b"'chunked'", b"chun ked", b"\tchunked", b"chunked\t", b"chunked\x0b", b"\x00chunked",
            b"[chunked]", b"chunked\xa0", b"chun\xc5\x89ed",
        )
    ),
    pytest.param((b"Transfer-Encoding: gzip, chunked",), 501, id="gzip beneath chunked"),
    pytest.param((b"Transfer-Encoding: x-unknown ,\tchunked",), 400, id="a tab beside chunked"),
    pytest.param((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, id="TE twice"),
    pytest.param((b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), 400, id="TE then identity"),
    pytest.param((b"Transfer-Encoding : chunked",), 400, id="space before the colon of TE"),
    pytest.param((b"Transfer-Encoding\t: chunked",), 400, id="tab before the colon of TE"),
    pytest.param((b"Content-Length : 3",), 400, id="space before the colon of CL"),
    pytest.param((b" Transfer-Encoding: chunked",), 400, id="TE as a folded line"),
    pytest.param((b"X: y", b"\tTransfer-Encoding: chunked"), 400, id="TE folded behind another"),
    pytest.param((b"Transfer-Encoding:", b" chunked"), 400, id="TE folded"),
    pytest.param((b"X: y\nTransfer-Encoding: chunked",), 400, id="TE behind a bare LF"),
    pytest.param((b"X: y\rTransfer-Encoding: chunked",), 400, id="TE behind a bare CR"),
    pytest.param((b"Transfer-Encoding\0: chunked",), 400, id="NUL in a name"),
    pytest.param((b"X: a\0b",), 400, id="NUL in a value"),
    pytest.param((b"X",), 400, id="no colon"),
    pytest.param((b": x",), 400, id="no name"),
    pytest.param((b"X\xc3\xa9: x",), 400, id="a name that is no token"),
    pytest.param((b'"X": x',), 400, id="a quoted name"),
]  # fmt: skip


REFUSED_IN_REQUESTS_ALONE = [
    pytest.param((b"Content-Length: 3", b"content-length: 3"), 400, id="the same CL twice"),
    pytest.param((b"Content-Length: 0", b"Content-Length: 0"), 400, id="zero twice"),
    pytest.param((b"Content-Length: 3, 3",), 400, id="a list of equal CL"),
    pytest.param((b"Content-Length: 3,3",), 400, id="a list of equal CL without spaces"),
    pytest.param((b"X : y",), 400, id="a space before a colon"),
]


@pytest.mark.parametrize(("lines", "status"), [*AMBIGUOUS_FRAMING, *REFUSED_IN_REQUESTS_ALONE])
def test_what_two_parsers_could_frame_in_two_ways_is_refused_in_a_request(
    lines: tuple[bytes, ...], status: int
) -> None:
    assert refusal(*lines).status == status


@pytest.mark.parametrize(("lines", "status"), AMBIGUOUS_FRAMING)
def test_what_two_parsers_could_frame_in_two_ways_is_refused_in_a_response(
    lines: tuple[bytes, ...], status: int
) -> None:
    with pytest.raises(BadMessage):
        response(*lines)


def test_a_transfer_encoding_in_http_1_0_is_refused() -> None:
    assert refusal(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0").status == 400
    with pytest.raises(BadMessage):
        response(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK")


def test_a_refusal_names_its_rule() -> None:
    assert refusal(b"Content-Length: 3", b"Transfer-Encoding: chunked").source == "RFC 9112 section 6.3"


# --- persistence, expectation, upgrade --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "lines", "keep_alive", "options"),
    [
        (b"HTTP/1.1", (), True, ()),
        (b"HTTP/1.1", (b"Connection: close",), False, ()),
        (b"HTTP/1.1", (b"Connection: Close, X-Foo",), False, (b"x-foo",)),
        (b"HTTP/1.1", (b"Connection: X-Foo", b"Connection: close"), False, (b"x-foo",)),
        (b"HTTP/1.1", (b"Connection: , ,",), True, ()),
        (b"HTTP/1.1", (b"Connection:",), True, ()),
        (b"HTTP/1.1", (b"Connection: keep-alive, close",), False, ()),
        (b"HTTP/1.0", (), False, ()),
        (b"HTTP/1.0", (b"Connection: Keep-Alive",), True, ()),
        (b"HTTP/1.0", (b"Connection: keep-alive, close",), False, ()),
        (b"HTTP/1.0", (b"Connection: x",), False, (b"x",)),
    ],
)
def test_the_connection_field_decides_persistence(
    version: bytes, lines: tuple[bytes, ...], keep_alive: bool, options: tuple[bytes, ...]
) -> None:
    asked = request(*lines, line=b"GET / " + version)
    answered = response(*lines, line=version + b" 200 OK")
    assert (asked.facts.keep_alive, asked.facts.connection_options) == (keep_alive, options)
    assert (answered.facts.keep_alive, answered.facts.connection_options) == (keep_alive, options)


def test_a_connection_option_that_is_no_token_is_refused() -> None:
    assert refusal(b"Connection: a b").status == 400


def test_expect_100_continue_is_noticed_whatever_its_case() -> None:
    assert request(b"Expect: 100-Continue").facts.expects_continue
    assert not request().facts.expects_continue


def test_another_expectation_is_refused_with_417() -> None:
    assert refusal(b"Expect: 200-ok").status == 417


def test_an_expectation_of_http_1_0_is_ignored() -> None:
    assert not request(b"Expect: 100-continue", line=b"POST / HTTP/1.0").facts.expects_continue
    assert not request(b"Expect: tea", line=b"POST / HTTP/1.0").facts.expects_continue


def test_an_upgrade_needs_both_fields() -> None:
    assert request(b"Connection: Upgrade", b"Upgrade: WebSocket").upgrade == b"websocket"
    assert request(b"Connection: keep-alive, upgrade", b"Upgrade: a", b"Upgrade: b/2").upgrade == b"a, b/2"
    assert request(b"Upgrade: websocket").upgrade == b""
    assert request(b"Connection: Upgrade").upgrade == b""


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((b"Upgrade: h2c",), id="h2c"),
        pytest.param((b"Upgrade: websocket, h2c",), id="h2c among others"),
        pytest.param((b"Upgrade: websocket", b"Content-Length: 1"), id="with a body"),
        pytest.param((b"Upgrade: websocket", b"Transfer-Encoding: chunked"), id="with a chunked body"),
    ],
)
def test_an_upgrade_that_must_not_be_passed_on_is_ignored(lines: tuple[bytes, ...]) -> None:
    assert request(b"Connection: Upgrade", *lines).upgrade == b""


def test_http_1_0_cannot_upgrade() -> None:
    assert request(b"Connection: Upgrade", b"Upgrade: websocket", line=b"GET / HTTP/1.0").upgrade == b""


def test_fields_keep_their_order_case_and_bytes() -> None:
    lines = [b"Host: a.test", b"X-B: 1", b"x-a:\t2 ", b"X-B:   3", b"Cookie: caf\xc3\xa9=\xff"]
    head = request(*lines[1:])
    assert [field.line for field in head.fields] == lines
    assert head.first(b"x-b") == b"1"
    assert head.first(b"cookie") == b"caf\xc3\xa9=\xff"
    assert head.first(b"x-absent") is None


LEARNT_FROM = 8
"""Two would do, but where the mark of a line happens to take the place of the mark of the facts (see ``MARKS``)."""


def test_heads_that_differ_in_what_is_always_new_are_read_by_the_same_facts() -> None:
    heads = [
        b"POST /%d HTTP/1.1\r\nHost: a\r\nCookie: %d\r\nReferer: /%d\r\nContent-Length: %d\r\n\r\n" % ((number,) * 4)
        for number in range(1, 1001)
    ]
    MEMORY.forget()
    for head in heads[:LEARNT_FROM]:
        parse_request_head(head[:-4], LIMITS)
    used = MEMORY.used_bytes
    found = [recall_request_head(head, LIMITS) for head in heads[LEARNT_FROM:]]
    assert [recalled and (recalled[0].target, recalled[0].body_length) for recalled in found] == [
        (b"/%d" % number, number) for number in range(LEARNT_FROM + 1, 1001)
    ]
    assert len({id(recalled[0].facts) for recalled in found if recalled}) == 1
    assert MEMORY.used_bytes == used, "nothing of them comes twice"


def test_answers_that_differ_in_what_is_always_new_are_read_by_the_same_facts() -> None:
    heads = [
        b"HTTP/1.1 200 OK\r\nSet-Cookie: %d\r\nETag: %d\r\nLocation: /%d\r\nContent-Length: %d\r\n\r\n"
        % ((number,) * 4)
        for number in range(1, 1001)
    ]
    MEMORY.forget()
    for head in heads[:LEARNT_FROM]:
        parse_response_head(head[:-4], LIMITS)
    used = MEMORY.used_bytes
    found = [recall_response_head(head, LIMITS) for head in heads[LEARNT_FROM:]]
    assert [recalled and recalled[0].body_length for recalled in found] == list(range(LEARNT_FROM + 1, 1001))
    assert len({id(recalled[0].facts) for recalled in found if recalled}) == 1
    assert MEMORY.used_bytes == used, "nothing of them comes twice"


@pytest.mark.parametrize(
    "head",
    [
        b"X-A: b\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_never_taken_for_a_familiar_one(head: bytes) -> None:
    for block in (b"HTTP/1.1 200 OK\r\nContent-Length: 0", b"HTTP/1.1 200 OK\r\nContent-Length: 5"):
        for _ in range(3):
            parse_response_head(block, LIMITS)
    for _ in range(3):
        assert recall_response_head(head, LIMITS) is None


def test_a_head_of_many_lines_is_not_recalled_beyond_the_limit() -> None:
    MEMORY.forget()
    limits = Limits(max_fields=10)
    lines = [b"A:"] * 9
    heads = [b"\r\n".join((b"GET / HTTP/1.1", b"Host: a", *lines[:count], b"", b"")) for count in (9, 10)]
    for _ in range(3):
        parse_request_head(heads[0][:-4], limits)
    assert recall_request_head(heads[0], limits) is not None
    assert recall_request_head(heads[0].replace(b"A:", b"A:" + b"x" * 40), limits) is not None
    longer = heads[0].replace(b"Host: a", b"Host: a\r\nA:")
    assert recall_request_head(longer, limits) is None
    with pytest.raises(BadMessage):
        parse_request_head(longer[:-4], limits)


def test_a_head_of_long_lines_is_read_but_not_remembered() -> None:
    MEMORY.forget()
    for _ in range(3):
        assert request(b"Connection: " + b"x" * MAX_REMEMBERED_LINE_BYTES).facts.connection_options
        assert recall_request_head(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 512), LIMITS) is None
    assert MEMORY.used_bytes < 2000, "but for the Host"


# --- responses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK", 200),
        (b"HTTP/1.1 200 ", 200),
        (b"HTTP/1.1 200", 200),
        (b"HTTP/1.0 404 Nicht gefunden \xe4", 404),
        (b"HTTP/1.1 599 x\ty", 599),
    ],
)
def test_a_status_line_gives_the_status_and_stays_with_its_reason(line: bytes, status: int) -> None:
    head = response(line=line)
    assert (head.status, head.start) == (status, line)
    assert head.version_minor == int(line[7:8])


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.10 200 OK",
        b"HTTP/1. 200 OK",
        b"HTTP/1.2",
        b"HTTP/1.2  200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 20x OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200 O\0K",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 O\nK",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b"<!doctype html>",
        b"",
    ],
)
def test_a_bad_status_line_is_refused(line: bytes) -> None:
    with pytest.raises(BadMessage):
        response(line=line)


@pytest.mark.parametrize("status", [b"100", b"102", b"103"])
@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_an_interim_response_that_announces_a_body_is_refused(status: bytes, framing: bytes) -> None:
    with pytest.raises(BadMessage, match="announces a body"):
        response(framing, line=b"HTTP/1.1 " + status + b" x")


@pytest.mark.parametrize("status", [b"101", b"204", b"304"])
@pytest.mark.parametrize(
    "framing",
    [(b"Content-Length: 5",), (b"Transfer-Encoding: chunked",), (b"Content-Length: 5", b"Transfer-Encoding: chunked")],
)
def test_what_ends_with_its_head_may_speak_of_a_body(status: bytes, framing: tuple[bytes, ...]) -> None:
    head = response(*framing, line=b"HTTP/1.1 " + status + b" x")
    assert head.facts.body_length == 0
    is_cached = status == b"304" and framing == (b"Content-Length: 5",)
    assert head.facts.keep_alive is is_cached, "what is announced may come"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4, 5",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: x\nSet-Cookie: a=b",
        b"Transfer-Encoding: x\nSet-Cookie: a=b",
        b"Transfer-Encoding: x\ry",
        b"Transfer-Encoding: \0",
        b"Transfer-Encoding\x0b: chunked",
        b"Content-Length: 4\x01",
    ],
)
@pytest.mark.parametrize("status", [b"101", b"204", b"304"])
def test_lengths_that_differ_and_lines_that_could_be_two_are_refused_without_a_body_as_well(
    status: bytes, framing: bytes
) -> None:
    with pytest.raises(BadMessage):
        response(framing, line=b"HTTP/1.1 " + status + b" x")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: x",
        b"Content-Length:",
        b"Content-Length: -1",
        b"Content-Length : 5",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding\t: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip\r\nContent-Length: x",
    ],
)
@pytest.mark.parametrize("version", [b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/1.2 "])
@pytest.mark.parametrize("status", [b"101", b"204", b"304"])
def test_what_ends_with_its_head_may_speak_of_a_body_in_any_words(
    status: bytes, version: bytes, framing: bytes
) -> None:
    head = response(b"X-A: b", framing, b"Connection: keep-alive", line=version + status + b" x")
    assert (head.body_length, head.facts.keep_alive) == (0, False)
    assert head.first(b"transfer-encoding") is head.first(b"content-length") is None
    assert head.first(b"x-a") == b"b"


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        (b"a b", ()),
        (b"close;", ()),
        (b'"close"', ()),
        (b"keep-alive, timeout=5, max=10", ()),
        (b"x-hop, a/b", (b"x-hop",)),
        (b"Keep-Alive: timeout=5", ()),
    ],
)
def test_what_is_no_option_in_an_answer_ends_the_connection(value: bytes, listed: tuple[bytes, ...]) -> None:
    facts = response(b"Connection: " + value, b"Content-Length: 5").facts
    assert (facts.keep_alive, facts.connection_options) == (False, listed)
    assert refusal(b"Connection: " + value).status == 400


def test_a_later_minor_version_is_read_as_http_1_1() -> None:
    head = response(b"Transfer-Encoding: chunked", line=b"HTTP/1.7 200 OK")
    assert (head.start, head.version_minor, head.facts.body_length) == (b"HTTP/1.1 200 OK", 1, CHUNKED)
    assert head.block == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"


def test_of_an_answer_that_was_put_right_whoever_reads_it_next_sees_nothing_odd() -> None:
    lines = (b"A\t : 1", b"content-length: 3,3", b"B: \x01", b"Content-Length: 3")
    head = response(*lines, line=b"HTTP/1.3 200 OK")
    assert head.block == b"HTTP/1.1 200 OK\r\nA: 1\r\ncontent-length: 3\r\nB: \x01"
    assert parse_response_head(head.block, LIMITS) == head
    assert head.body_length == 3


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ((b"Content-Length: 5", b"Transfer-Encoding: chunked"), [b"Transfer-Encoding: chunked"]),
        ((b"transfer-encoding: chunked", b"content-length: 5, 5"), [b"transfer-encoding: chunked"]),
        ((b"Content-Length: 5",), [b"Content-Length: 5"]),
    ],
)
def test_an_answer_to_head_may_have_length_and_coding_of_which_the_coding_goes_on(
    lines: tuple[bytes, ...], sent: list[bytes]
) -> None:
    head = parse_response_head(b"\r\n".join((b"HTTP/1.1 200 OK", *lines)), LIMITS, b"HEAD")
    assert head.lines == [*sent, *([b"Connection: close"] if len(lines) == 2 else [])]
    if len(lines) == 2:
        with pytest.raises(BadMessage, match="there are both"):
            response(*lines)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Content-Length: 6", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5, 6", b"Transfer-Encoding: chunked"),
        (b"Content-Length: +5", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 5", b"Transfer-Encoding: gzip, chunked"),
    ],
)
def test_an_answer_to_head_still_speaks_the_grammar(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(BadMessage):
        parse_response_head(b"\r\n".join((b"HTTP/1.1 200 OK", *lines)), LIMITS, b"HEAD")


CONTROLS = [bytes((octet,)) for octet in (*range(1, 9), 11, 12, *range(14, 32), 127)]
GONE_BY = [
    b"Host", b"Origin", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"TE",
    b"Trailer", b"Via", b"Keep-Alive", b"Proxy-Connection", b"Sec-Fetch-Site", b"Sec-Fetch-Mode", b"Sec-Fetch-Dest",
    b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Real-IP", b"Access-Control-Request-Method",
    b"Access-Control-Allow-Origin", b"Location", b"Content-Location", b"Refresh", b"Link", b"Forwarded",
]  # fmt: skip


@pytest.mark.parametrize("name", [b"X-A", b"Cookie", b"Authorization", b"Accept", b"Content-Type", b"If-None-Match"])
@pytest.mark.parametrize("control", CONTROLS)
def test_a_page_may_send_a_control_in_what_we_do_not_go_by(name: bytes, control: bytes) -> None:
    line = name + b": a" + control + b"b"
    assert request(line).lines[-1] == line
    assert response(line).lines == [line]


@pytest.mark.parametrize("name", GONE_BY)
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_is_refused_in_what_frames_routes_or_names_a_host_or_an_origin(name: bytes, control: bytes) -> None:
    line = name + b": a" + control + b"b"
    with pytest.raises(BadMessage) as caught:
        request(line, host=name != b"Host")
    assert caught.value.line == line
    with pytest.raises(BadMessage) as caught:
        response(line)
    assert caught.value.line == line


@pytest.mark.parametrize("name", [b"Set-Cookie", b"Vary", b"Cross-Origin-Resource-Policy"])
def test_a_control_is_the_browsers_to_judge_in_what_an_answer_says_to_it(name: bytes) -> None:
    line = name + b": a\x01b"
    assert response(line).lines == [line]


@pytest.mark.parametrize("status", [b"204", b"101"])
def test_a_length_of_zero_is_tolerated_where_there_is_no_body(status: bytes) -> None:
    assert response(b"Content-Length: 0", line=b"HTTP/1.1 " + status + b" x").facts.body_length == 0


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_304_may_say_what_a_200_would_have_said(framing: bytes) -> None:
    assert response(framing, line=b"HTTP/1.1 304 Not Modified").status == 304


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 5),
        (b"max=100, Timeout = 72", 72),
        (b'timeout="5"', 5),
        (b"timeout=0", 0),
        (b"timeout", None),
        (b"timeout=-1", None),
        (b"timeout=5s", None),
        (b"timeout=99999999999999", None),
        (b"max=100", None),
        (b"", None),
    ],
)
def test_the_keep_alive_timeout_is_read_in_seconds(value: bytes, seconds: int | None) -> None:
    assert response(b"Keep-Alive: " + value).facts.keep_alive_timeout_s == seconds


def test_a_response_says_to_which_protocol_it_switches() -> None:
    lines = (b"Connection: Upgrade", b"Upgrade: WebSocket")
    assert response(*lines, line=b"HTTP/1.1 101 Switching Protocols").facts.upgrade == b"websocket"


def test_access_control_fields_are_marked() -> None:
    assert response(b"Access-Control-Allow-Origin: *").fields[0].role == Role.ACCESS_CONTROL


# --- limits -----------------------------------------------------------------------------------------------------------

TIGHT = Limits(max_target_bytes=100, max_head_bytes=400, max_fields=4)


def status_of(data: bytes, *, piece: int, kind: MessageKind = MessageKind.REQUEST) -> int:
    """Return the status with which `data`, fed in pieces, is refused; 0 when it is accepted."""
    reader = HeadReader(kind, TIGHT)
    parse = parse_request_head if kind is MessageKind.REQUEST else parse_response_head
    try:
        for start in range(0, len(data), piece):
            if (found := reader.feed(data[start : start + piece])) is not None:
                parse(found[0], TIGHT)
                return 0
    except BadMessage as refused:
        return refused.status
    raise AssertionError("the head never ended")


PIECES = pytest.mark.parametrize("piece", [1, 7, 10_000])


@PIECES
@pytest.mark.parametrize(("excess", "status"), [(0, 0), (1, 414), (1000, 414)])
def test_a_target_over_its_limit_is_answered_with_414(excess: int, status: int, piece: int) -> None:
    target = b"/" * (TIGHT.max_target_bytes + excess)
    assert status_of(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", piece=piece) == status


@PIECES
def test_a_method_without_end_is_answered_with_414(piece: int) -> None:
    assert status_of(b"G" * 200 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", piece=piece) == 414


@PIECES
@pytest.mark.parametrize(("excess", "status"), [(0, 0), (1, 431), (1000, 431)])
@pytest.mark.parametrize("kind", MessageKind)
def test_a_head_over_its_limit_is_answered_with_431(kind: MessageKind, excess: int, status: int, piece: int) -> None:
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: " if kind is MessageKind.REQUEST else b"HTTP/1.1 200 OK\r\nX: "
    head = start + b"x" * (TIGHT.max_head_bytes + excess - len(start))
    assert status_of(head + b"\r\n\r\n", piece=piece, kind=kind) == status


@PIECES
def test_it_is_the_head_that_is_too_large_when_its_target_is_not(piece: int) -> None:
    line = b"GET " + b"/" * TIGHT.max_target_bytes + b" HTTP/1.1\r\n"
    assert status_of(line + b"X: " + b"x" * TIGHT.max_head_bytes + b"\r\n\r\n", piece=piece) == 431


@pytest.mark.parametrize(("count", "status"), [(4, 0), (5, 431)])
@pytest.mark.parametrize("kind", MessageKind)
def test_too_many_fields_are_answered_with_431(kind: MessageKind, count: int, status: int) -> None:
    start = b"GET / HTTP/1.1\r\nHost: a\r\n" if kind is MessageKind.REQUEST else b"HTTP/1.1 200 OK\r\nX: y\r\n"
    assert status_of(start + b"A: b\r\n" * (count - 1) + b"\r\n", piece=10_000, kind=kind) == (
        status if kind is MessageKind.REQUEST else status and 400
    )


# --- finding the end of a head ----------------------------------------------------------------------------------------

HEAD = b"GET / HTTP/1.1\r\nHost: a.test"


def test_a_head_ends_at_an_empty_line_and_the_rest_is_given_back() -> None:
    assert HeadReader(MessageKind.REQUEST, LIMITS).feed(HEAD + b"\r\n\r\nbody\r\n\r\n") == (HEAD, b"body\r\n\r\n")


def test_a_head_may_arrive_byte_by_byte() -> None:
    reader = HeadReader(MessageKind.REQUEST, LIMITS)
    wire = HEAD + b"\r\n\r\n"
    assert not reader.has_started
    for octet in wire[:-1]:
        assert reader.feed(bytes((octet,))) is None
        assert reader.has_started
    assert reader.feed(wire[-1:]) == (HEAD, b"")
    assert not reader.has_started


def test_a_reader_goes_on_to_the_next_head() -> None:
    reader = HeadReader(MessageKind.REQUEST, LIMITS)
    assert reader.feed(HEAD + b"\r\n") is None
    found = reader.feed(b"\r\n" + HEAD)
    assert found == (HEAD, HEAD)
    assert reader.feed(found[1]) is None
    assert reader.feed(b"\r\n\r\n") == (HEAD, b"")


@pytest.mark.parametrize(
    "pieces", [[b"\r\n" + HEAD], [b"\r\n\r\n\r\n", HEAD], [b"\r", b"\n\r", b"\n", HEAD], [b"\r", b"\n" + HEAD]]
)
def test_empty_lines_before_a_request_are_skipped(pieces: list[bytes]) -> None:
    reader = HeadReader(MessageKind.REQUEST, LIMITS)
    assert [reader.feed(piece) for piece in pieces] == [None] * len(pieces)
    assert reader.feed(b"\r\n\r\n") == (HEAD, b"")


def test_empty_lines_alone_do_not_start_a_head() -> None:
    reader = HeadReader(MessageKind.REQUEST, LIMITS)
    assert reader.feed(b"\r\n\r\n") is None
    assert not reader.has_started


def test_an_empty_line_before_a_response_is_refused() -> None:
    with pytest.raises(BadMessage):
        HeadReader(MessageKind.RESPONSE, LIMITS).feed(b"\r\n")


def read_request(data: bytes, *, piece: int) -> None:
    reader = HeadReader(MessageKind.REQUEST, LIMITS)
    for start in range(0, len(data), piece):
        if (found := reader.feed(data[start : start + piece])) is not None:
            parse_request_head(found[0], LIMITS)


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"\x16\x03\x01\x02\x00\x01", 400, "TLS handshake"),
        (b"\x16\x03\x01\r\n\r\n", 400, "TLS handshake"),
        (b"\x80", 400, "not HTTP"),
        (b"\n", 400, "not HTTP"),
        (b" G", 400, "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 400, "request line"),
        (b"GET /\r\n", 400, "request line"),
        (b"GET / HTTP/2.0\r\n", 505, "version"),
        (b"GET / HTTP/1.1\n", 400, "bare CR or LF"),
        (b"GET / HTTP/1.1\r\nA: b\n", 400, "bare CR or LF"),
        (b"GET / HTTP/1.1\r\nA: b\rc", 400, "bare CR or LF"),
        (b"GET / HTTP/1.1\r\r\n", 400, "request line|bare CR"),
    ],
)
@pytest.mark.parametrize("piece", [1, 10_000])
def test_what_cannot_become_a_request_is_refused_before_it_is_complete(
    data: bytes, status: int, reason: str, piece: int
) -> None:
    with pytest.raises(BadMessage, match=reason) as caught:
        read_request(data, piece=piece)
    assert caught.value.status == status


@pytest.mark.parametrize("data", [b"<html>", b"HTTP/2", b"HTTP/1.1 abc\r\n", b"\x15\x03\x03", b'0{"sid"', b"\x88\x00"])
def test_what_cannot_become_a_response_is_refused_before_it_is_complete(data: bytes) -> None:
    with pytest.raises(BadMessage, match="status line"):
        HeadReader(MessageKind.RESPONSE, LIMITS).feed(data)
