from __future__ import annotations

import pytest
from devproxy.text.charsets import octets_in, text_in


@pytest.mark.parametrize(
    ("data", "charset", "shown"),
    [
        ("ä€".encode(), "utf-8", "ä€"),
        ("ä€".encode("cp1252"), "Windows-1252", "ä€"),
        ("ä".encode("latin-1"), "iso-8859-1", "ä"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("é".encode("utf-16-le"), "utf-16le", "é"),
        (b"\xff", "utf-8", "\ufffd"),
    ],
)
def test_text_is_read_in_its_charset(data: bytes, charset: str, shown: str) -> None:
    assert text_in(data, charset) == shown


@pytest.mark.parametrize(
    "charset", ["", "none", "idna", "undefined", "punycode", "hex", "rot13", "unicode_escape", "utf-7", "\xff", "a\0b"]
)
def test_what_is_no_charset_of_browsers_chooses_no_codec(charset: str) -> None:
    assert text_in(rb"\ud800..+2AAAAA-\xff" + b"\xff", charset) == r"\ud800..+2AAAAA-\xff" + "\ufffd"


@pytest.mark.parametrize(
    ("text", "charset", "octets"),
    [
        ("ä", "latin-1", b"\xe4"),
        ("ä", "shift_jis", b"\xc3\xa4"),  # cannot say it
        ("ä", "punycode", b"\xc3\xa4"),
        ("ä", "", b"\xc3\xa4"),
        ("\ud800", "utf-8", b"\xed\xa0\x80"),
        ("ä", "a\0b", b"\xc3\xa4"),
    ],
)
def test_text_is_said_in_a_charset_that_browsers_know(text: str, charset: str, octets: bytes) -> None:
    assert octets_in(text, charset) == octets
