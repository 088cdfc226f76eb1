"""How the body of an answer is shown in a terminal."""

from __future__ import annotations

import gzip

import pytest
from devproxy.cli.bodies import MAX_COLUMNS, MAX_LINES, body_lines
from devproxy.console.style import Glyphs, Style
from devproxy.http1.head import parse_response_head
from devproxy.http1.start_line import Limits

STYLE = Style(False, Glyphs())


def lines_of(fields: bytes, body: bytes) -> list[str]:
    head = parse_response_head(b"HTTP/1.1 400 Bad Request\r\n" + fields, Limits(), b"GET")
    return list(body_lines(head, body, STYLE))


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 9", b'{"a":"b"}'),
        (b"Transfer-Encoding: chunked", b'9\r\n{"a":"b"}\r\n0\r\n\r\n'),
        (b"Transfer-Encoding: chunked", b'12\r\n{"a":"b"}'),
        (b"Content-Encoding: gzip\r\nContent-Length: 29", gzip.compress(b'{"a":"b"}', mtime=0)),
    ],
)
def test_text_is_shown_whatever_its_coding(fields: bytes, body: bytes) -> None:
    assert lines_of(b"Content-Type: application/json; a=b\r\n" + fields, body) == [
        "",
        "body (application/json)",
        '    {"a":"b"}',
    ]


def test_no_more_of_it_is_shown_than_fits() -> None:
    shown = lines_of(b"Content-Length: 99999", b"x" * 1000 + b"\n" + b"y\n" * 50)
    assert len(shown) == 2 + MAX_LINES + 1
    assert len(shown[2]) == 4 + MAX_COLUMNS
    assert shown[-1] == "    and more"


@pytest.mark.parametrize(
    ("fields", "body", "words"),
    [
        (b"Content-Type: image/png", b"\x89PNG\r\n\x1a\n\0\0", "image/png, no text: 10 bytes came, not shown"),
        (b"X: y", b"\xff\xfe" + b"a" * 9, "no type, no text"),
        (b"Content-Type: text/html\r\nContent-Encoding: br", b"\x0b\x02\x80", "compressed with br, not shown"),
        (b"Content-Type: text/html\r\nContent-Encoding: gzip", b"no gzip", "compressed with gzip, not shown"),
    ],
)
def test_anything_else_is_named(fields: bytes, body: bytes, words: str) -> None:
    assert words in lines_of(fields, body)[1]


def test_a_character_that_is_cut_in_two_does_not_make_it_no_text() -> None:
    assert lines_of(b"X: y", "Grüß".encode()[:-1])[2] == "    Grü"


def test_what_a_terminal_would_act_on_is_escaped() -> None:
    assert lines_of(b"X: y", b"\x1b[2Jx\ty\x07")[2] == r"    \x1b[2Jx   y\x07"


def test_without_a_body_there_is_nothing_to_show() -> None:
    assert lines_of(b"Content-Length: 0", b"") == []
