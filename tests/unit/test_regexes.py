"""Which regular expressions a hostile text could keep busy."""

from __future__ import annotations

import re
import time
import warnings

import pytest
from devproxy.regexes import backtracking_fault
from hypothesis import example, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "source",
    [
        "",
        r"https://pr-[0-9]+\.app\.example",
        r"https?://([a-z0-9-]+\.)?app\.test(:[0-9]{1,5})?",
        r"https://[a-z]+-[a-z]+-[a-z]+\.app\.test",
        r"https://(?:[a-z0-9-]++\.)+app\.test",
        r"(?>[a-z]+|[0-9]+)*",
        r"http://(a|b|c)\.test",
        r"(?P<scheme>https)://(?=a)x{3}(?P=scheme)",
        r"(?i:A)[(*+|)]*\(\*[]*+]",
        r"a(?#(b*)*)b",
        "(ab){3}",
        "(?:[a-z]{2})*",
        "[[]*",
    ],
)
def test_what_is_fast_on_every_text_is_taken(source: str) -> None:
    assert backtracking_fault(source) is None


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("(a*)*", "repeats itself"),
        ("(?:[a-z0-9:/.]+)+!", "repeats itself"),
        ("(?:.?){60}[^a-z]", "repeats itself"),
        ("(a|aa)+", "repeats itself"),
        ("(?P<x>(b|a))*?", "repeats itself"),
        ("((a{1,9}))*", "repeats itself"),
        (r"(?:[a-z]+\.)+app\.test", "repeats itself"),
        (r"(?:[a-z]+)(?#twice)(?#or more)+\.test", "repeats itself"),
        ("(?:(a|b)c){2,}", "repeats itself"),
        (".*.*.*.*x", "so many repeats"),
        (".?" * 30, "so many repeats"),
        ("a{1,99}" * 5, "so many repeats"),
        ("(?:.*.*|b)(?:.*.*|c)", "so many repeats"),
        (".*.*(?>.*.*x)", "so many repeats"),
        (".*.*(?:.*.*x)++", "so many repeats"),
    ],
)
def test_what_a_text_could_keep_busy_is_refused_with_what_to_write(source: str, what: str) -> None:
    fault = backtracking_fault(source)
    assert fault is not None
    assert what in fault[0]
    assert "possessive" in fault[1]


@pytest.mark.parametrize(
    "source",
    [r"(?x)(?:[a-z]+) +\.test", r"(?ix)a", "(?x:(?:[a-z]+) #(\n+)x", r"(?s-i:(?x:a))", "(?x)a"],
)
def test_verbose_mode_in_which_a_repeat_may_stand_apart_is_refused(source: str) -> None:
    re.compile(source)
    fault = backtracking_fault(source)
    assert fault is not None
    assert "verbose" in fault[0]
    assert "without `x`" in fault[1]


def test_verbose_mode_that_is_off_is_none() -> None:
    assert backtracking_fault("(?i-x:a+)") is None


PIECES = st.sampled_from(
    [
        *"ab.",
        " ",
        "(?#b)",
        "(?x:",
        "[ab]",
        "[^b]",
        "(",
        "(?:",
        "(?>",
        ")",
        "|",
        "*",
        "+",
        "?",
        "*?",
        "++",
        "?+",
        "{2}",
        "{1,9}",
        "{,40}",
        "{3,}",
    ]
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=14).map("".join))
@example(".*.*.*x")
@example(".*.*(?>.*x)")
@example("(a|b|ab)(a|b|ab)(a|b|ab)[^x]*c")
def test_whatever_is_taken_is_soon_done_with_every_text(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            regex = re.compile(source)
        except (re.error, Warning):
            return
    if backtracking_fault(source) is not None:
        return
    started = time.process_time()
    for text in ("a" * 254 + "!", "ab" * 127 + "!", "b" * 255):
        regex.fullmatch(text)
    assert time.process_time() - started < 5
