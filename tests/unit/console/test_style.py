"""Colour and signs: every choice that a person, a script or a terminal can make."""

from __future__ import annotations

import pytest
from devproxy.console.style import ASCII_GLYPHS, Colour, Glyphs, Style, glyphs_for, wants_colour


@pytest.mark.parametrize(
    ("choice", "environ", "is_terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "0"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_is_decided_by_the_first_that_has_an_opinion(
    choice: Colour, environ: dict[str, str], is_terminal: bool, expected: bool
) -> None:
    assert wants_colour(choice, environ, is_terminal=is_terminal) is expected


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "U8"])
def test_utf8_gets_the_real_signs_whatever_its_spelling(encoding: str) -> None:
    assert glyphs_for(encoding) == Glyphs()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "ANSI_X3.4-1968", "no-such-encoding"])
def test_any_other_encoding_gets_signs_in_ascii(encoding: str) -> None:
    glyphs = glyphs_for(encoding)
    assert glyphs is ASCII_GLYPHS
    assert all(getattr(glyphs, name).isascii() for name in Glyphs._fields)


def test_without_colour_text_stays_as_it_is() -> None:
    style = Style(False, Glyphs())
    assert [style.red("a"), style.bold("b"), style.dim("c"), style.title("d")] == ["a", "b", "c", "d"]


def test_colour_ends_with_the_text_it_marks() -> None:
    assert Style(True, Glyphs()).red("no") == "\x1b[1;31mno\x1b[0m"


def test_nothing_is_marked_where_there_is_no_text() -> None:
    assert Style(True, Glyphs()).dim("") == ""
