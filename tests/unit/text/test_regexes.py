"""Which regular expressions a hostile text could keep busy."""

from __future__ import annotations

import re
import time
import warnings

import pytest
from devproxy.text.regexes import MAX_STEPS, backtracking_fault
from hypothesis import example, given, settings
from hypothesis import strategies as st

LONG = 3 * (1 << 20)
ORIGIN = 255


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/.*",
        r"/api/v[0-9]+/.*",
        r"/.*\.json",
        r"/(users|items)/[^/]+/edit",
        r"/.*/[^/]*\.json",
        r"/.*/item-[^/]*\.json",
        r"/.*/v[0-9]+/.*",
        r"/api(/.*)?",
        r"/(?:[^/]+/)*edit",
        r"/.*\.(jpg|jpeg|png|gif|svg|webp|ico|css|js|map|woff|woff2|ttf)",
        r"/(?!admin/).*",
        r"/((?!static).)*",
        r"/api/(?P<v>v\d+)/users/(\d+)/?",
        r"/[a-z]{2}(-[A-Z]{2})?/.*",
        r"(?:/[^/]+){3}/edit",
        r"/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r"/.*/(a|b)[^/]*y",
        r"(?i)/API/.*",
        r"(?x) /api/ [0-9]+ # a number",
        r"https://pr-[0-9]+\.app\.example",
        r"https?://([a-z0-9-]+\.)?app\.test(:[0-9]{1,5})?",
        r"https://[a-z]+-[a-z]+-[a-z]+\.app\.test",
        r"https://(?:[a-z0-9-]+\.)+app\.test",
        r"https://(?:[a-z0-9-]++\.)+app\.test",
        r"(?>[a-z]+|[0-9]+)*",
        r"http://(a|b|c)\.test",
        r"(?P<scheme>https)://(?=a)x{3}(?P=scheme)",
        r"(?i:A)[(*+|)]*\(\*[]*+]",
        r"a(?#(b*)b",
        "(ab){3}",
        "(?:[a-z]{2})*",
        "(?:a(b|c)){2,}",
    ],
)
def test_what_is_fast_on_every_text_is_taken(source: str) -> None:
    assert backtracking_fault(source.encode(), LONG) is None
    assert backtracking_fault(source, LONG) is None


def test_a_short_text_may_be_looked_at_more_often() -> None:
    assert backtracking_fault(rb"https://.*\.app\..*\.test", ORIGIN) is None
    assert backtracking_fault(rb"https://.*\.app\..*\.test", LONG) is not None
    assert ORIGIN**2 < MAX_STEPS < ORIGIN**3


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("(a*)*", "that itself repeats"),
        ("(?:[a-z0-9:/.]+)+!", "that itself repeats"),
        ("(?:.?){60}[^a-z]", "so many repeats"),
        ("(a|aa)+x", "that itself repeats"),
        ("(?P<x>(b|bb))*?x", "that itself repeats"),
        ("((a{1,9}))*x", "that itself repeats"),
        (r"(?:[a-z]+\.?)+app\.test", "that itself repeats"),
        (r"(?:[a-z]+)(?#twice)(?#or more)+\.test", "that itself repeats"),
        ("(?x)(?:[a-z]+) +/", "that itself repeats"),
        ("(?:a+b|a)*c", "that itself repeats"),
        ("(?:(?=.*x)a)*b", "that itself repeats"),
        ("/.*/.*/.*/edit", "so many repeats"),
        (r"/.*/.*\.json", "so many repeats"),
        (r"/.*[a-z]+\.x", "so many repeats"),
        (r"/(.+)/\1x", "so many repeats"),
        (r"/\w+\w+x", "so many repeats"),
        ("/.*(?:a+b)c", "so many repeats"),
        ("/.*(?=a*b)c", "so many repeats"),
        ("/.*(?<=a)a*b", "so many repeats"),
        (".*.*.*.*x", "so many repeats"),
        (".?" * 30, "so many repeats"),
        ("a{1,99}" * 5, "so many repeats"),
        ("(?:.*.*|b)(?:.*.*|c)d", "so many repeats"),
        (".*.*(?>.*.*x)", "so many repeats"),
        (".*.*(?:.*.*x)++", "so many repeats"),
        ("(?:(?:(?:(?:x?y?){60}){60}){60}){60}", "that itself repeats"),
        ("(?:(?:(?:(?:xy){60}){60}){60}){60}", "too complex"),
    ],
)
def test_what_a_text_could_keep_busy_is_refused_with_what_to_write(source: str, what: str) -> None:
    for written in (source, source.encode()):
        fault = backtracking_fault(written, LONG)
        assert fault is not None
        assert what in fault[0]
        assert "possessive" in fault[1] or "simpler" in fault[1]


@pytest.mark.parametrize("source", [r"[&;#]|$", r"(//)[^/?#@ ]*@", r'"(?:[^"\\]++|\\.?)*+"?|<([^<>]*+)>?', r"[\W_]+"])
def test_a_search_that_is_linear_is_taken(source: str) -> None:
    assert backtracking_fault(source, LONG, method="sub") is None


@pytest.mark.parametrize(
    "source",
    [
        r"\r\norigin:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)",
        r"([?&;]|%3B)((?:(?!%3D)[^=&;? ])*)(=|%3D)",
        r'"(?:[^"\\]|\\.)*+"',
        r"a+b",
        r"a+b|a",
        r"(?:[^/]*/{2})*",
        r"x(?:x+y)?",
        r"\s+\Z",
    ],
)
def test_a_search_that_looks_at_an_octet_again_and_again_is_refused(source: str) -> None:
    assert backtracking_fault(source, LONG, method="sub") is not None


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


TEXTS = ("a" * 4000 + "!", "ab" * 2000 + "!", "b" * 4001, "aab" * 1300 + "c", " " * 4000)


@settings(max_examples=400, deadline=None)
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
    started = time.process_time()
    if backtracking_fault(source, 4001) is None:
        for text in TEXTS:
            regex.fullmatch(text)
    if backtracking_fault(source, 4001, method="sub") is None:
        for text in TEXTS:
            regex.sub("", text)
    assert time.process_time() - started < 5
