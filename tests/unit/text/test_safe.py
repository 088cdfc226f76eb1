"""Text from strangers, made safe for people."""

from __future__ import annotations

import tomllib

import pytest
from devproxy.text.safe import quoted, ticked, visible
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain → text", "plain → text"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b", "a\\u2028b"),
        ("\x7f\x00", "\\x7f\\x00"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_escaped(text: str, expected: str) -> None:
    assert visible(text) == expected


@given(st.text() | st.binary(), st.integers(min_value=1, max_value=200))
def test_what_is_visible_is_printable_and_not_longer_than_its_longest_escapes(text: str | bytes, most: int) -> None:
    shown = visible(text, most)
    assert shown.isprintable()
    assert len(shown) <= most * len("\\U00010ffff")


@given(st.binary(min_size=1, max_size=60))
def test_bytes_that_are_no_text_are_shown_by_their_number(octets: bytes) -> None:
    assert visible(octets) == visible(octets.decode("utf-8", "backslashreplace"))


def test_a_longer_text_ends_with_an_ellipsis() -> None:
    assert visible("abcdef", 4) == "abc…"
    assert visible(b"abcdef", 6) == "abcdef"
    assert visible("é".encode() * 9, 4) == "ééé…"
    assert ticked(b"a\xff") == r"`a\xff`"


@given(st.text(max_size=60))
def test_what_is_quoted_can_be_pasted_into_a_file(text: str) -> None:
    assert quoted(text).isprintable()
    assert tomllib.loads(f"a = {quoted(text)}") == {"a": text}
