"""Colours stay, whatever else a terminal would act on goes."""

from __future__ import annotations

import re

import pytest
from devproxy.text.ansi import coloured, plain
from hypothesis import given
from hypothesis import strategies as st

RED = "\x1b[31mred\x1b[39m"


def test_colours_stay_and_end_with_the_line() -> None:
    assert coloured(f"a {RED} b") == f"a {RED} b\x1b[0m"
    assert plain(f"a {RED} b") == "a red b"


@pytest.mark.parametrize(
    "sequence",
    [
        *("\x1b[2J", "\x1b[3J", "\x1b[H", "\x1b[1;1H", "\x1b[?25l", "\x1b[1A", "\x1bc", "\x1b7", "\x1b(B", "\x1b"),
        *("\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1b[200~", "\x1b[", "\x1b]52;c;c2VjcmV0"),
    ],
    ids=ascii,
)
def test_what_moves_clears_or_writes_elsewhere_goes(sequence: str) -> None:
    assert plain(f"a{sequence}") == "a"
    assert coloured(f"a{sequence}") == "a"


def test_tabs_become_spaces_and_controls_are_escaped() -> None:
    assert plain("a\tb\x07") == "a       b\\x07"
    assert coloured("a\tb\x07") == "a       b\\x07"


@given(st.text(max_size=200))
def test_nothing_is_left_that_acts_on_a_terminal(text: str) -> None:
    assert plain(text).isprintable()
    assert re.sub(r"\x1b\[[0-9;:]*m", "", coloured(text)).isprintable()


def test_a_line_of_beginnings_is_read_in_no_time() -> None:
    for piece in ("\x1b[", "\x1b]", "\x1b]a", "\x1b[0", "\x1b(", "\x1b[0;"):
        assert isinstance(plain(piece * 100_000), str)
