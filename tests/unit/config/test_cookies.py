"""What ``cookies`` of a route may say, and what the wrong ones are told."""

from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.config.model import Cookies, SameSiteRule, SecureRule
from tests.support.configuration import ROUTE, UPSTREAMS, problems_of


def cookies(lines: str) -> Cookies:
    [only] = load(f"{UPSTREAMS}{ROUTE}[routes.cookies]\n{lines}\n".encode(), source="x").routes
    return only.cookies


def test_nothing_written_changes_nothing_but_paths_below_the_prefix() -> None:
    assert cookies("") == Cookies()
    [only] = load((UPSTREAMS + ROUTE).encode(), source="x").routes
    assert only.cookies == Cookies()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('domain = ""', Cookies(domain="")),
        ('domain = ".App.test"', Cookies(domain=".app.test")),
        (
            'domain = { ".Api.example.com" = "", "example.com" = "App.test" }',
            Cookies(domain_map=(("api.example.com", ""), ("example.com", "app.test"))),
        ),
        ("domain = {}", Cookies()),
        ('domain = "keep"', Cookies(domain="keep")),
        ('secure = "keep"', Cookies(secure=SecureRule.KEEP)),
        ('same_site = "keep"', Cookies(same_site=SameSiteRule.KEEP)),
        ('domain = { "*" = "", "a.test" = "b.test" }', Cookies(domain="", domain_map=(("a.test", "b.test"),))),
        (
            'domain = { "a.test" = "a.test", "*" = "App.test" }',
            Cookies(domain="app.test", domain_map=(("a.test", "a.test"),)),
        ),
        ('path = "keep"', Cookies(maps_path=False)),
        ('path = "auto"', Cookies(maps_path=True)),
        ("secure = true", Cookies(secure=SecureRule.ALWAYS)),
        ("secure = false", Cookies(secure=SecureRule.NEVER)),
        ('secure = "false"', Cookies(secure=SecureRule.NEVER)),
        ('secure = "auto"', Cookies(secure=SecureRule.AUTO)),
        ('same_site = "Strict"', Cookies(same_site=SameSiteRule.STRICT)),
        ('same_site = "LAX"', Cookies(same_site=SameSiteRule.LAX)),
        ('same_site = "none"', Cookies(same_site=SameSiteRule.NONE)),
        ('same_site = "auto"', Cookies(same_site=SameSiteRule.AUTO)),
        ('prefix = "shop."', Cookies(prefix="shop.")),
    ],
)
def test_a_line_about_cookies(line: str, expected: Cookies) -> None:
    assert cookies(line) == expected


@pytest.mark.parametrize(
    ("line", "what", "help", "span"),
    [
        ('domain = "http://a.test:1/"', "is a URL", 'write "a.test"', (8, 10, 18)),
        ('domain = "a.test:80"', "which the Domain of a cookie cannot have", 'write "a.test"', (8, 10, 11)),
        ('domain = "a b"', '"a b" is not a host name', "", (8, 10, 5)),
        ('domain = { "a b" = "" }', '"a b" is not a host name', "", (8, 12, 5)),
        ('domain = { "" = "a.test" }', "the host is missing", "", (8, 12, 2)),
        ('domain = { a = "b/" }', '"b/" is not a host name', "", (8, 16, 4)),
        ('domain = { "a.b" = "", ".A.b" = "c" }', '".A.b" is listed twice', "keep one", (8, 24, 6)),
        ("domain = false", "expected a string or a table of names, got the boolean", 'domain = ""', (8, 10, 5)),
        ('path = "/"', 'expected "auto" or "keep" for `path`', "", (8, 8, 3)),
        ('secure = "always"', 'expected "keep", "auto", "true" or "false"', "", (8, 10, 8)),
        ('same_site = "laxx"', 'expected "keep", "auto", "strict", "lax" or "none"', 'same_site = "lax"', (8, 13, 6)),
        ('prefix = "a b"', "cannot begin the name of a cookie", '"shop."', (8, 10, 5)),
        ('prefix = "a=b"', "cannot begin the name of a cookie", '"shop."', (8, 10, 5)),
        ('prefix = "__Host-"', "it makes a promise", '"shop."', (8, 10, 9)),
        (f'prefix = "{"a" * 41}"', "at most 40 characters, this one has 41", "", (8, 10, 43)),
        ('sameSite = "lax"', "unknown key `sameSite`", "did you mean `same_site`?", (8, 1, 8)),
    ],
)
def test_a_bad_line_about_cookies(line: str, what: str, help: str, span: tuple[int, int, int]) -> None:
    [problem] = problems_of(f"{UPSTREAMS}{ROUTE}[routes.cookies]\n{line}\n")
    assert what in problem.what
    assert help in problem.help
    assert (problem.line, problem.column, problem.length) == span
