"""Field lines: the grammar, the roles, and what is remembered."""

from __future__ import annotations

from contextlib import suppress

import pytest
from devproxy.errors import BadMessage
from devproxy.http import fields
from devproxy.http.fields import (
    MAX_REMEMBERED_LINE_BYTES,
    STATED_LENGTH,
    UNMARKED,
    ZERO_LENGTH,
    Role,
    is_token,
    make_field,
    marks,
    parse_field,
    parse_token_list,
    read_field,
    without_space_before_colon,
)
from devproxy.http.memory import MEMORY


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"Host: a", b"host", b"a"),
        (b"X:", b"x", b""),
        (b"X: ", b"x", b""),
        (b"X:a:b", b"x", b"a:b"),
        (b"X: \t a\tb \t", b"x", b"a\tb"),
        (b"X: caf\xc3\xa9 \xff", b"x", b"caf\xc3\xa9 \xff"),
        (b"!#$%&'*+-.^_`|~09aZ: x", b"!#$%&'*+-.^_`|~09az", b"x"),
        (b"X: \x01a\x1b \x7f ", b"x", b"\x01a\x1b \x7f"),
    ],
)
def test_a_line_gives_a_lower_case_name_and_a_trimmed_value(line: bytes, name: bytes, value: bytes) -> None:
    field = read_field(line)
    assert (field.line, field.name, field.value) == (line, name, value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" X: y", "folding"),
        (b"\tX: y", "folding"),
        (b"X: a\rb", "bare CR or LF"),
        (b"X: a\nb", "bare CR or LF"),
        (b"X: a\r", "bare CR or LF"),
        (b"X: a\0b", "NUL"),
        (b"X\0: a", "NUL"),
        (b"X", "no colon"),
        (b"", "no colon"),
        (b"X : y", "between a header name and its colon"),
        (b"X\t: y", "between a header name and its colon"),
        (b": y", "not a token"),
        (b"X Y: z", "not a token"),
        (b"X\xa0: z", "not a token"),
        (b"(X): z", "not a token"),
        (b"Host: a\x7fb", "control character"),
        (b"Upgrade: a\x01b", "control character"),
        (b"content-length: a\x0bb", "control character"),
    ],
)
def test_a_line_outside_the_grammar_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    for parse in (read_field, parse_field):
        with pytest.raises(BadMessage, match=reason):
            parse(line)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (b"X-Anything", Role.END_TO_END),
        (b"Cookie", Role.END_TO_END),
        (b"Connection", Role.CONNECTION),
        (b"Proxy-Connection", Role.HOP_BY_HOP),
        (b"CONTENT-LENGTH", Role.CONTENT_LENGTH),
        (b"transfer-encoding", Role.TRANSFER_ENCODING),
        (b"X-Forwarded-For", Role.FORWARDED_FOR),
        (b"X-Forwarded-Proto", Role.FORWARDED),
        (b"Access-Control-Allow-Origin", Role.ACCESS_CONTROL),
        (b"access-control-request-method", Role.ACCESS_CONTROL),
        (b"X-Forwarded-Anything-Else", Role.FORWARDED),
        (b"Forwarded", Role.FORWARDED),
        (b"X-Original-URL", Role.FORWARDED),
        (b"X_Anything", Role.END_TO_END),
        (b"Host_", Role.END_TO_END),
        (b"Content_Type", Role.END_TO_END),
    ],
)
def test_a_name_has_its_role_whatever_its_case(name: bytes, role: Role) -> None:
    assert read_field(name + b": 1").role == role


@pytest.mark.parametrize("mark", [bytes((mark,)) for mark in b"!#$%&'*+.^_`|~"])
@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length",
        b"Transfer-Encoding",
        b"Keep-Alive",
        b"Proxy-Connection",
        b"Proxy-Authorization",
        b"HTTP2-Settings",
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"X-Forwarded-Port",
        b"X-Forwarded-Prefix",
        b"X-Forwarded-Ssl",
        b"X-Real-IP",
        b"X-Original-URL",
        b"Sec-Fetch-Site",
        b"Access-Control-Request-Method",
    ],
)
def test_a_name_that_only_marks_tell_from_one_of_the_gateways_is_a_look_alike(name: bytes, mark: bytes) -> None:
    for written in {name.replace(b"-", mark), name.replace(b"-", mark, 1), mark.join(name.rsplit(b"-", 1))}:
        for cased in (written, written.upper(), written.lower()):
            assert read_field(cased + b": 1").role == Role.LOOK_ALIKE
            assert parse_field(cased + b": 1").role == Role.LOOK_ALIKE


def test_the_table_of_known_names_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[bytes, int] = {}
    monkeypatch.setattr(fields, "_known_roles", known)
    for number in range(fields.MAX_KNOWN_NAMES + 10):
        assert read_field(b"X_Forwarded-%d: 1" % number).role == Role.LOOK_ALIKE
    assert read_field(b"X" * (fields.MAX_KNOWN_NAME_BYTES + 1) + b": 1").role == Role.END_TO_END
    assert len(known) == fields.MAX_KNOWN_NAMES


def test_a_line_that_comes_for_the_third_time_gives_the_field_of_the_second() -> None:
    line = b"X-Repeated: 1"
    parse_field(line)
    assert parse_field(line) is parse_field(bytes(bytearray(line)))


def test_lines_that_do_not_repeat_are_not_remembered() -> None:
    MEMORY.forget()
    for number in range(1000):
        assert parse_field(b"X-N: %d" % number).value == b"%d" % number
        assert marks[b"X-M: %d" % number] == b""
    assert MEMORY.used_bytes < 2000


@pytest.mark.parametrize("line", [b"X: " + b"x" * MAX_REMEMBERED_LINE_BYTES, b"X : y", b"X: \0"])
def test_a_long_line_and_a_refused_one_are_never_remembered(line: bytes) -> None:
    MEMORY.forget()
    for _ in range(3):
        with suppress(BadMessage):
            parse_field(line)
        marks[line]
    assert MEMORY.used_bytes == 0


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        (b"Accept: */*", b""),
        (b"X-Any: 1", b""),
        (b"Host: a", b"Host: a\r\n"),
        (b"Set-Cookie: a=1", b"set-cookie\r\n"),
        (b"Location: /", b"location\r\n"),
        (b"Content-Length: 5", STATED_LENGTH),
        (b"content-length:5 ", STATED_LENGTH),
        (b"Content-Length: 00", ZERO_LENGTH),
        (b"Content-Length: 5, 5", UNMARKED),
        (b"Content-Length:\t5", UNMARKED),
        (b"Content-Length: " + b"1" * 19, UNMARKED),
        (b"Content-Length: -1", UNMARKED),
        (b"Accept : */*", UNMARKED),
        (b"Accept: \0", UNMARKED),
        (b"Accept: \r", UNMARKED),
        (b"Accept", UNMARKED),
        (b"Acceptx", UNMARKED),
        (b"", UNMARKED),
        (b" Accept: */*", UNMARKED),
    ],
)
def test_a_line_has_the_same_mark_however_often_it_comes(line: bytes, mark: bytes) -> None:
    assert [marks[line] for _ in range(4)] == [mark] * 4


def test_a_familiar_name_is_that_of_an_end_to_end_field() -> None:
    for name in fields.FAMILIAR_NAMES:
        assert read_field(name + b" 1").role == Role.END_TO_END


@pytest.mark.parametrize(
    ("line", "without"),
    [
        (b"X : y", b"X: y"),
        (b"X \t :", b"X:"),
        (b"X : a : \x01", b"X: a : \x01"),
        (b"Connection : close", b"Connection: close"),
        (b"X: y", None),
        (b"Content-Length : 4", None),
        (b"transfer-encoding\t: chunked", None),
        (b"Host : a", None),
        (b"X Y : z", None),
        (b" : y", None),
        (b"X : \0", None),
        (b" X : y", None),
    ],
)
def test_whitespace_before_a_colon_is_taken_out_unless_the_field_frames(line: bytes, without: bytes | None) -> None:
    assert without_space_before_colon(line) == without


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b", b"a\nb", b"a\0", b"a\x01", b"a\x7f"])
def test_a_made_field_cannot_smuggle_another_line(value: bytes) -> None:
    with pytest.raises(BadMessage):
        make_field(b"X", value)


def test_a_made_field_has_the_usual_form() -> None:
    assert make_field(b"Via", b"1.1 x").line == b"Via: 1.1 x"


@pytest.mark.parametrize(
    ("value", "tokens"),
    [(b"", ()), (b" , ,\t", ()), (b"Close", (b"close",)), (b"a ,\tB,,c", (b"a", b"b", b"c"))],
)
def test_a_token_list_is_read_without_its_empty_elements(value: bytes, tokens: tuple[bytes, ...]) -> None:
    assert parse_token_list(value) == tokens


@pytest.mark.parametrize("value", [b"a b", b"a;b", b'"a"', b"a, \xff", b"a\x0b"])
def test_a_list_of_something_else_is_refused(value: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_token_list(value)


def test_tokens_are_told_from_other_values() -> None:
    assert is_token(b"X-a")
    assert not any(is_token(value) for value in (b"", b"a b", b"a\n", b"\xc3\xa9", b"a:"))


@pytest.mark.parametrize(
    ("line", "logs_in"),
    [
        (b"Authorization: NTLM TlRMTVNTUAAB", True),
        (b"authorization:negotiate", True),
        (b"Authorization: \tNegotiate\tYII=", True),
        (b"Authorization: Basic bnRsbTp4", False),
        (b"Authorization: Bearer ntlm", False),
        (b"Authorization: NTLMv9 x", False),
        (b"Authorization:", False),
        (b"WWW-Authenticate: NTLM TlRMTVNTUAAC", True),
        (b'WWW-Authenticate: Basic realm="a", Negotiate oYG=', True),
        (b"WWW-Authenticate: Negotiate, NTLM", False),
        (b"WWW-Authenticate: , ,", False),
        (b"Persistent-Auth: TRUE", True),
        (b"Persistent-Auth: false", False),
        (b"Proxy-Authorization: NTLM TlRMTVNTUAAB", False),
    ],
)
def test_what_logs_a_connection_in(line: bytes, logs_in: bool) -> None:
    assert (read_field(line).role == Role.LOGIN) is logs_in
