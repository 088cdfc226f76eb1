"""Origins by regular expression that take more than they seem to say."""

from __future__ import annotations

import re

import pytest
from devproxy.config import load, warnings
from devproxy.config.loose import looseness


@pytest.mark.parametrize(
    ("source", "example"),
    [
        (r"http://localhost.*", "http://localhost.qvxq.com"),
        (r"http://localhost\S+", "http://localhost.qvxq.com"),
        (r"http://.*localhost.*", "localhost"),
        (r"https://.*example\.com", "https://qvxqexample.com"),
        (r"https://[^/]*app\.com", "https://qvxqapp.com"),
        (r"https://[a-z]+\.example\.com.*", "example.comqvxq"),
        (r"https://app\.(com|org).{0,20}", "app.comqvxq"),
        (r"https://app\.example\.[a-z]+", "https://app.example.qvxq"),
    ],
)
def test_a_repeat_that_leads_to_names_of_anybody_is_shown_with_one(source: str, example: str) -> None:
    found = looseness(source)
    assert found is not None
    taken = next(word for word in found[0].split() if word.startswith("http"))
    assert example in taken
    assert re.fullmatch(source, taken)
    assert "end with your own name" in found[1]


@pytest.mark.parametrize(
    "source", [r"https://www.example.com", r"https://(a|b).example\.com", "http://127.0.0.1:[0-9]+"]
)
def test_a_dot_that_is_not_escaped_is_mentioned(source: str) -> None:
    found = looseness(source)
    assert found is not None
    assert "unescaped `.` matches any character" in found[0]
    assert r"`\.`" in found[1]


@pytest.mark.parametrize(
    "source",
    [
        r"https://.*\.example\.com",
        r"https://[^/]+\.app\.com",
        r"https://pr-[0-9]+\.app\.example\.com",
        r"https?://([a-z0-9-]+\.)?app\.test(:[0-9]{1,5})?",
        r"http://localhost(:\d+)?",
        r"http://localhost:.*",
        r"http://[a-z]+\.localhost(?:[:][0-9]+)?",
    ],
)
def test_what_means_what_it_says_is_nothing_to_mention(source: str) -> None:
    assert looseness(source) is None


def test_the_sentence_names_route_file_and_line() -> None:
    text = (
        '[upstreams]\nb = "http://localhost:3001"\n[[routes]]\npath = "/"\nupstream = "b"\n[routes.cors]\n'
        "origins = ['regex:http://localhost.*']\n"
    )
    [sentence] = warnings(load(text.encode(), source="devproxy.toml"))
    assert sentence.startswith("devproxy.toml:7: the origin `regex:http://localhost.*` of the route / ")
    assert "http://localhost.qvxq.com" in sentence
