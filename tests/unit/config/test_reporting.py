"""The report: its layout, and that its caret stands where it should whatever the line holds."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

import pytest
from devproxy.config import ConfigError, Problem, load, report
from devproxy.config.reporting import MAX_LINE_WIDTH
from tests.support.configuration import ROUTE, UPSTREAMS


def reported(text: str | bytes, *, colour: bool = False) -> str:
    octets = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        load(octets, source="devproxy.toml")
    return report(caught.value, octets, "devproxy.toml", colour=colour)


def shown(line: str, column: int, length: int) -> tuple[str, str]:
    """The line and the carets of the report about one place, without their gutter."""
    error = ConfigError((Problem(what="w", line=1, column=column, length=length),))
    rows = report(error, line, "x", colour=False).splitlines()
    assert rows[2] == "   |"
    return rows[3].removeprefix(" 1 |")[1:], rows[4].removeprefix("   | ")


def columns(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def test_the_report_shows_what_where_and_what_to_type() -> None:
    text = f'{UPSTREAMS}\n{ROUTE}cors = {{ mode = "strip", credentails = true }}\n'
    assert reported(text) == (
        "error: unknown key `credentails` in `routes[0].cors`\n"
        "  --> devproxy.toml:8:26\n"
        "   |\n"
        ' 8 | cors = { mode = "strip", credentails = true }\n'
        "   |                          ^^^^^^^^^^^\n"
        "help: did you mean `credentials`?\n"
    )


def test_the_gutter_widens_with_the_line_number() -> None:
    text = "\n" * 9 + "x = 1\n" + UPSTREAMS + ROUTE
    assert reported(text).splitlines()[:5] == [
        "error: unknown key `x`",
        "   --> devproxy.toml:10:1",
        "    |",
        " 10 | x = 1",
        "    | ^",
    ]


def test_problems_are_separated_by_an_empty_line() -> None:
    blocks = reported("x = 1\ny = 2\n" + UPSTREAMS + ROUTE).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["error: unknown key `x`", "error: unknown key `y`"]


def test_a_problem_of_the_whole_file_names_the_file() -> None:
    first = reported("").split("\n\n")[0]
    assert first.splitlines() == [
        "error: there is no upstream: nowhere to forward to",
        " --> devproxy.toml",
        'help: write [upstreams] and below it: backend = "http://localhost:3001"',
    ]


def test_a_problem_of_the_command_line_names_no_file() -> None:
    error = ConfigError((Problem(what="--frontend: no", help="yes"),))
    assert report(error, b"", "command line", colour=False) == "error: --frontend: no\nhelp: yes\n"


def test_colour_only_repeats_what_the_layout_says() -> None:
    text = f"x = 1\n{UPSTREAMS}{ROUTE}"
    coloured = reported(text, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == reported(text)


@pytest.mark.parametrize(
    ("line", "column", "length", "expected"),
    [
        ("\t\tabc", 3, 3, "        abc"),
        ("日本 = x", 6, 1, "日本 = x"),
        ("e\u0301e\u0301 = x", 8, 1, "e\u0301e\u0301 = x"),
        ("a\x1b[2Jb = z", 10, 1, "a\\x1b[2Jb = z"),
        ("a\u202eb = x", 7, 1, "a\\u202eb = x"),
        ("a\x00b = z", 7, 1, "a\\x00b = z"),
        ("a\U000e0001b = x", 7, 1, "a\\U000e0001b = x"),
        ("a\u2028b = x", 7, 1, "a\\u2028b = x"),
    ],
)
def test_the_caret_stands_below_its_character(line: str, column: int, length: int, expected: str) -> None:
    text, carets = shown(line, column, length)
    assert text == expected
    place = text.index(line[column - 1])
    visible = "".join(char for char in text[:place] if char != "\u0301")
    assert carets == " " * columns(visible) + "^" * length


def test_wide_characters_get_carets_of_their_width() -> None:
    assert shown('"日本"', 1, 4)[1] == "^^^^^^"


def test_a_caret_may_stand_behind_the_end_of_the_line() -> None:
    assert shown("a =", 4, 1) == ("a =", "   ^")


@pytest.mark.parametrize("column", [1, 2, 60, 150, 300, 499, 500])
@pytest.mark.parametrize("filler", ["-", "日"])
def test_a_long_line_is_cut_around_the_caret(column: int, filler: str) -> None:
    line = filler * (column - 1) + "!" + filler * (500 - column)
    text, carets = shown(line, column, 1)
    assert columns(text) <= MAX_LINE_WIDTH + 2
    assert columns(text[: text.index("!")]) == len(carets) - 1
    assert text.startswith("…") == (column * columns(filler) > 67)
    assert text.endswith("…") == (column < 499)


def test_a_fault_wider_than_the_window_is_cut_too() -> None:
    text, carets = shown("x = " + "y" * 1000, 5, 1000)
    assert columns(text) <= MAX_LINE_WIDTH + 2
    assert text.endswith("…")
    assert len(carets.strip()) == MAX_LINE_WIDTH


def test_a_line_as_long_as_a_file_is_not_looked_at_as_a_whole() -> None:
    text, carets = shown("y" * 10_000_000, 5_000_000, 5_000_000)
    assert len(text) + len(carets) <= 3 * MAX_LINE_WIDTH


@pytest.mark.parametrize(
    "text", ['"a\\u001b[31m" = 1', '[server]\nlisten = "\\u001b]0;x\\u0007"', "a = '\x1b[2J", b"\x1b\xff"]
)
def test_nothing_of_the_file_reaches_the_terminal_as_it_is(text: str | bytes) -> None:
    assert reported(text).replace("\n", "").isprintable()


def test_the_name_of_the_file_does_not_either() -> None:
    assert "\x1b" not in report(ConfigError((Problem(what="\x1b", help="\x1b"),)), "", "\x1b.toml", colour=False)
