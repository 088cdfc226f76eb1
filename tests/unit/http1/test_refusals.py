"""What is wrong with an answer, in words: the fault, the line as text, the rule."""

from __future__ import annotations

import pytest
from devproxy.errors import BadMessage, Foreign
from devproxy.http1.refusals import (
    MAX_SHOWN,
    bad_status_line,
    ended_within_head,
    shown,
    shown_line,
    spoke_first,
    told,
)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"X-A: b", "X-A: b"),
        (b"", ""),
        (b"\x1b]0;title\x07\x9b31m", r"\x1b]0;title\x07\x9b31m"),
        ("caf\u00e9\u202e".encode(), r"caf\xc3\xa9\xe2\x80\xae"),
        (b"\r\n\t\0\x7f", r"\x0d\x0a\x09\x00\x7f"),
    ],
)
def test_octets_are_shown_in_printable_ascii(octets: bytes, text: str) -> None:
    assert shown(octets) == text


@pytest.mark.parametrize("octet", range(256))
def test_no_octet_reaches_a_terminal_or_a_field_as_it_came(octet: int) -> None:
    text = shown(bytes((octet,)) * 1000)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= MAX_SHOWN + 2


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"Set-Cookie: sid=s3cret; Path=/", "Set-Cookie: sid=..."),
        (b"set-cookie : sid=s3cret\0", "set-cookie : sid=..."),
        (b"Cookie: s3cret", "Cookie:..."),
        (b"Authorization: Bearer s3cret", "Authorization:..."),
        (b"proxy-authorization: s3cret", "proxy-authorization:..."),
        (b"X: a\nSet-Cookie: sid=s3cret", r"X: a\x0aSet-Cookie: sid=..."),
        (b"Set-Cookie sid=s3cret", "Set-Cookie ..."),
        (b"X-Api-Key: s3cret", "X-Api-Key:..."),
        (b"x-auth-token : s3cret", "x-auth-token :..."),
        (b"X-CSRF-Token: s3cret", "X-CSRF-Token:..."),
        (b"WWW-Authenticate: Negotiate s3cret", "WWW-Authenticate:..."),
        (b"X-Amz-Security-Token\0: s3cret", r"X-Amz-Security-Token\x00:..."),
        (b"X-Cookie-Count: 3", "X-Cookie-Count: 3"),
        (b"X-Keys: 3", "X-Keys: 3"),
    ],
)
def test_a_line_is_shown_without_the_value_of_a_credential(line: bytes, text: str) -> None:
    assert shown_line(line) == text


def test_what_is_told_has_the_fault_the_line_and_the_rule() -> None:
    error = BadMessage("the length is wrong", source="RFC 9110 section 8.6", line=b"A: 1\r\nB: \x1b")
    assert told(error) == r"the length is wrong: `A: 1` and `B: \x1b` (RFC 9110 section 8.6)"
    assert told(BadMessage("it is wrong")) == "it is wrong"
    assert told(BadMessage("there are many", line=b"\r\n".join([b"A: 1"] * 1000))).count("A: 1") == 3


@pytest.mark.parametrize(
    ("octets", "foreign", "reason"),
    [
        (b"Unauthorized", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"Unauthorized\n", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"<html>", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"ICY 200 OK", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"\x88\x00", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"\x15\x03\x01\x00\x02\x02\x28", Foreign.TLS, "TLS came"),
        (b"\x16\x03\x03\x00\x7a\x02", Foreign.TLS, "TLS came"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", Foreign.HTTP_2, "an HTTP/2 SETTINGS frame came"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", Foreign.HTTP_2, "an HTTP/2 SETTINGS frame came"),
        (b"\x00\x00\x08\x07\x00\x00\x00\x00\x00", Foreign.HTTP_2, "an HTTP/2 GOAWAY frame came"),
        (b"\x00\x00\x08\x00\x00\x00\x00\x00\x01", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"\x00\x00\x12\x04", Foreign.UNKNOWN, "not an HTTP/1 answer"),
        (b"HTTP/2 200", Foreign.HTTP_2, "of HTTP/2"),
        (b"PRI * HTTP/2.0\r\n\r\nSM", Foreign.HTTP_2, "of HTTP/2"),
        (b"", None, "an empty line before"),
        (b"\r\nHTTP/1.1 200 OK", None, "an empty line before"),
        (b"HTTP/3 200 OK", None, "the version"),
        (b"HTTP/1.11 200 OK", None, "the version"),
        (b"HTTP/ 200 OK", None, "the version"),
        (b"http/1.1 200 OK", None, "in upper case"),
        (b"\tHTTP/1.1 200 OK", None, "whitespace before"),
        (b"HTTP/1.1", None, "no status code"),
        (b"HTTP/1.1 \r\nA: b", None, "no status code"),
        (b"HTTP/1.1  200 OK", None, "exactly one space"),
        (b"HTTP/1.1\t200 OK", None, "exactly one space"),
        (b"HTTP/1.1-200 OK", None, "exactly one space"),
        (b"HTTP/1.1 OK", None, "from 100 to 999"),
        (b"HTTP/1.1 099 OK", None, "from 100 to 999"),
        (b"HTTP/1.1 2000 OK", None, "from 100 to 999"),
        (b"HTTP/1.1 200\tOK", None, "no space after the status code"),
        (b"HTTP/1.1 200 O\0K", None, "a NUL"),
        (b"HTTP/1.1 200 O\rK", None, "a bare CR or LF"),
        (b"HTTP/1.1 200 OK\nA: b\r\n", None, "a bare CR or LF"),
    ],
)
def test_each_fault_of_a_beginning_has_its_own_words(octets: bytes, foreign: Foreign | None, reason: str) -> None:
    error = bad_status_line(octets)
    assert error.foreign is foreign
    assert reason in error.reason
    assert "status line" in error.reason
    assert error.source
    assert error.line == octets.partition(b"\r\n")[0][: len(error.line)]


def test_the_end_of_a_line_that_is_no_http_is_not_shown() -> None:
    assert told(bad_status_line(b"Forbidden\n")).endswith("status line: `Forbidden` (RFC 9112 section 4)")


def test_who_speaks_first_is_told_from_who_answers() -> None:
    assert spoke_first(b"SSH-2.0-x\r\n").foreign is Foreign.UNKNOWN
    assert spoke_first(b"HTTP/1.1 408 Late\r\nA: b").line == b"HTTP/1.1 408 Late"
    assert "before any request was sent" in spoke_first(b"HTTP/1.1 408 Late").reason


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"HTTP/1.1 20", b"HTTP/1.1 20"),
        (b"HTTP/1.1 200 OK\r\nA: b", b"A: b"),
        (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK"),
    ],
)
def test_a_head_cut_short_is_shown_by_its_last_line(octets: bytes, line: bytes) -> None:
    assert ended_within_head(octets).line == line
