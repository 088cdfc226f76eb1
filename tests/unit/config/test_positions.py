"""Where keys and values stand, for every way in which TOML lets people write them."""

from __future__ import annotations

import pytest
import tomli
from devproxy.config.positions import Lines, positions
from devproxy.config.problems import Path


def key_and_value(text: str, path: Path) -> tuple[str, str]:
    tomli.loads(text)
    span = positions(text)[path]
    return text[span.key_start : span.key_end], text[span.value_start : span.value_end]


@pytest.mark.parametrize(
    ("text", "path", "key", "value"),
    [
        ("a = 1", ("a",), "a", "1"),
        ("a = 1 # not this", ("a",), "a", "1"),
        ("  a\t=\t'x'  ", ("a",), "a", "'x'"),
        ('"a b" = 1', ("a b",), '"a b"', "1"),
        (r'"\u0061\"" = 1', ('a"',), r'"\u0061\""', "1"),
        ("'a.b' = 1", ("a.b",), "'a.b'", "1"),
        ("a . b . c = 1", ("a", "b", "c"), "c", "1"),
        ("a.b.c = 1", ("a", "b"), "b", "b"),
        ("[a.b]\nc = 1", ("a", "b", "c"), "c", "1"),
        ("[a.b]\nc = 1", ("a", "b"), "b", "[a.b]"),
        ("[ a . 'b' ]\nc = 1", ("a", "b"), "'b'", "[ a . 'b' ]"),
        ("[[r]]\nx = 1\n[[r]]\nx = 2", ("r", 1, "x"), "x", "2"),
        ("[[r]]\n[[r]]", ("r", 1), "[[r]]", "[[r]]"),
        ("[[r]]\n[r.cors]\nmode = 'x'\n[[r]]\n[r.cors]\nmode = 'y'", ("r", 1, "cors", "mode"), "mode", "'y'"),
        ("[[r]]\n[[r.s]]\n[[r.s]]\nx = 3", ("r", 0, "s", 1, "x"), "x", "3"),
        ("[[r]]\ncors.mode = 'x'", ("r", 0, "cors", "mode"), "mode", "'x'"),
        ("a = { b = 1, c = { d = 2 } }", ("a", "c", "d"), "d", "2"),
        ("a = { b.c = 1 }", ("a", "b", "c"), "c", "1"),
        ("a = [1, 22, 333]", ("a", 1), "22", "22"),
        ("a = [\n  1, # one\n  # two\n  2,\n]", ("a", 1), "2", "2"),
        ("a = [\n  1,\n]\nb = 2", ("a",), "a", "[\n  1,\n]"),
        ("a = [{ b = 1 }, { b = 2 }]", ("a", 1, "b"), "b", "2"),
        ("a = [[1], [2, 3]]", ("a", 1, 1), "3", "3"),
        ("a = ['#', ']', ',']", ("a", 2), "','", "','"),
        ('a = "x # y"', ("a",), "a", '"x # y"'),
        (r'a = "x\" = 1"', ("a",), "a", r'"x\" = 1"'),
        (r"a = 'x\'", ("a",), "a", r"'x\'"),
        ('a = """\nb = 1\n"""\nc = 2', ("c",), "c", "2"),
        ('a = """x""\\""" # """', ("a",), "a", '"""x""\\""" # """'),
        ('a = """x"""""\nb = 1', ("a",), "a", '"""x"""""'),
        ("a = '''x''y'''''\nb = 1", ("a",), "a", "'''x''y'''''"),
        ("a = 1979-05-27 07:32:00\nb = 1", ("a",), "a", "1979-05-27 07:32:00"),
        ("a = {}\nb = []\nc = 1", ("b",), "b", "[]"),
        ('"日本" = 1\nb = 2', ("b",), "b", "2"),
    ],
)
def test_a_key_and_its_value_are_found(text: str, path: Path, key: str, value: str) -> None:
    assert key_and_value(text, path) == (key, value)


def test_a_text_that_is_no_toml_gives_what_was_found_before_the_fault() -> None:
    assert list(positions("a = 1\n= = =\nb = 2")) == [("a",)]


@pytest.mark.parametrize(
    "text", ["[", "[[a", "a", "a =", 'a = "', "a = [1", "a = {", "a..b = 1", '"\\x" = 1', "]", "\0"]
)
def test_no_text_makes_the_scanner_raise_or_run_on(text: str) -> None:
    assert len(positions(text)) <= 2


def test_depth_costs_neither_recursion_nor_memory() -> None:
    text = "\n".join(f"{'a.' * 300}k{index} = {'[' * 300}{']' * 300}" for index in range(20))
    tomli.loads(text)
    assert max(len(path) for path in positions(text)) <= 16


@pytest.mark.parametrize(
    ("start", "end", "place"),
    [(0, 1, (1, 1, 1)), (3, 5, (2, 1, 2)), (4, 99, (2, 2, 1)), (2, 2, (1, 3, 1)), (6, 6, (3, 1, 1))],
)
def test_a_place_is_one_based_and_ends_with_its_line(start: int, end: int, place: tuple[int, int, int]) -> None:
    assert Lines("ab\ncd\n").place(start, end) == place
