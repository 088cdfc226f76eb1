"""Texts that are no TOML: the parser's words, at the place where the author has to look."""

from __future__ import annotations

import pytest
from tests.support.configuration import problems_of


@pytest.mark.parametrize(
    ("text", "what", "help", "span"),
    [
        ("a = localhost", "not TOML: invalid value", "text needs quotes", (1, 5, 9)),
        ("a = True", "not TOML: invalid value", "write true", (1, 5, 4)),
        ("x = 1\na =", "not TOML: invalid value", "text needs quotes", (2, 4, 1)),
        ("a = 1\nb = 2\na = [\n 1\n]", "cannot overwrite a value", "set once", (5, 2, 1)),
        ("a = 1\nb = 2\na = 3", "cannot overwrite a value", "set once", (3, 1, 1)),
        ("[routes]\na = 1\n[routes]", "cannot declare", "[[routes]]", (3, 1, 8)),
        ("[routes]\na = 1\n[[routes]]", "cannot overwrite a value", "write [[routes]], with two brackets", (1, 1, 8)),
        ("a = 'x", "the closing quote is missing", "write '", (1, 7, 1)),
        ("a = 'x\nb = 1\n\n", "the closing quote is missing", "write '", (1, 7, 1)),
        ("a = 'x\nb = 'y'", "the closing quote is missing", "write '", (1, 7, 1)),
        ('a = "x\nb = 1', "the closing quote is missing", 'write "', (1, 7, 1)),
        ('a = "x\nb = "y"', "the closing quote is missing", 'write "', (1, 7, 1)),
        ("a = \u201cx\u201d", "invalid value", "use straight quotes", (1, 5, 3)),
        ('a = "x', "the closing quote is missing", 'write "', (1, 7, 1)),
        ("a = [1, 2", "unclosed array", "close it with ]", (1, 10, 1)),
        ("a = { b = 1", "unclosed inline table", "close it with }", (1, 12, 1)),
        ("a = 1 b = 2", "expected newline", "on each line", (1, 7, 1)),
        ("just words", "expected '=' after a key", "key = value", (1, 6, 1)),
        ("a = 1\r\nb = 2\r\n= 3", "invalid statement", "key = value", (3, 1, 1)),
        ("a = 1\r\r\nb = 2", "expected newline", "on each line", (1, 6, 1)),
        ('a = "C:\\dir"', "unescaped '\\'", "single quotes", (1, 8, 1)),
    ],
)
def test_a_syntax_error_has_its_place_and_its_help(text: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    [problem] = problems_of(text)
    assert problem.what.startswith("not TOML: ")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span
