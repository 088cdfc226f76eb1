from __future__ import annotations

import pytest
from devproxy.inspector.charsets import text_in


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
