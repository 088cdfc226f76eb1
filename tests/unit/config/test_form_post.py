"""``form_post``: whose pages may post a form to a route."""

from __future__ import annotations

import pytest
from devproxy.config import load
from tests.support.configuration import ROUTE, UPSTREAMS, problems_of


def text(value: str) -> str:
    return f"{UPSTREAMS}{ROUTE}form_post = {value}\n"


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        ("[]", ()),
        ('["https://login.example"]', ("https://login.example",)),
        ('["HTTPS://Login.Example:443", "https://login.example"]', ("https://login.example",)),
        ('["https://*.login.example", "http://localhost:*"]', ("https://*.login.example", "http://localhost:*")),
        ('["regex:https://login-[0-9]+\\\\.example"]', ("regex:https://login-[0-9]+\\.example",)),
        ('["null", "https://login.example"]', ("null", "https://login.example")),
    ],
)
def test_origins_are_written_as_for_cors(value: str, patterns: tuple[str, ...]) -> None:
    [route] = load(text(value).encode(), source="x").routes
    assert route.form_post == patterns


@pytest.mark.parametrize(
    ("value", "help"),
    [
        ('["*"]', "guard = false"),
        ('["https://*"]', "guard = false"),
        ('["login.example"]', "http://login.example"),
        ('["https://login.example/callback"]', "https://login.example"),
        ('"https://login.example"', "["),
        ("[1]", "form_post"),
        (str(["https://a.test"] * 101).replace("'", '"'), "pattern"),
    ],
)
def test_what_is_no_origin_is_a_problem_with_its_help(value: str, help: str) -> None:
    [problem] = problems_of(text(value))
    assert help in f"{problem.what} {problem.help}"
    assert "dangerously" not in f"{problem.what} {problem.help}"
