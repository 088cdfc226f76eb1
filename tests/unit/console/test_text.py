"""Text from strangers, made safe and short."""

from __future__ import annotations

import unicodedata

import pytest
from devproxy.console import text as console_text
from devproxy.console.text import (
    columns,
    counted,
    cut,
    duration,
    padded,
    shown_target,
    size,
)
from devproxy.text.safe import visible
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary())
def test_no_octets_of_a_target_reach_the_terminal_as_a_control_character(target: bytes) -> None:
    shown = shown_target(target)
    assert shown.isprintable()
    assert shown.replace("…", "").isascii()


@given(st.text(max_size=30), st.integers(min_value=0, max_value=40))
def test_a_cut_text_never_takes_more_columns_than_asked(text: str, width: int) -> None:
    shown = cut(visible(text), width)
    assert columns(shown) <= width
    if columns(visible(text)) <= width:
        assert shown == visible(text)


def test_a_long_text_loses_its_middle() -> None:
    assert cut("/api/very/long/path.json", 15) == "/api/ve…th.json"


def test_a_cut_in_ascii_uses_dots() -> None:
    assert cut("/api/very/long/path.json", 15, "...") == "/api/v...h.json"


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert [columns("日本"), columns("e\u0301"), columns("abc"), columns("→")] == [4, 1, 3, 1]
    assert padded("日本", 6) == "日本  "


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (9949, "9.9 kB"),
        (9951, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (34_000_000, "34 MB"),
        (5_000_000_000, "5.0 GB"),
        (10**18, "1000000 TB"),
    ],
)
def test_sizes_have_few_digits_and_a_unit(octets: int, expected: str) -> None:
    assert size(octets) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.012, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1m 00s"),
        (192.2, "3m 12s"),
        (3599.6, "1h 00m"),
        (7322, "2h 02m"),
        (90_000, "1d 01h"),
    ],
)
def test_durations_read_like_a_person_says_them(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@given(st.floats(min_value=0, max_value=8_000_000))
def test_a_duration_fits_its_column(seconds: float) -> None:
    assert len(duration(seconds)) <= 7


def test_one_of_a_kind_is_singular() -> None:
    assert [counted(0, "tunnel"), counted(1, "tunnel"), counted(2, "tunnel")] == ["0 tunnels", "1 tunnel", "2 tunnels"]


def test_what_is_known_to_be_narrow_is() -> None:
    for char in [*map(chr, range(0xA0, ord(console_text._FIRST_ODD))), *console_text._OWN_SIGNS]:
        assert not unicodedata.combining(char)
        assert unicodedata.east_asian_width(char) not in "WF"
