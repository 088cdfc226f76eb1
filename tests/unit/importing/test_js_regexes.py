"""Expressions that are searched in a path, as expressions for the whole path."""

from __future__ import annotations

import re

import pytest
from devproxy.importing.js_regexes import path_expression, plain_prefix, sees_query
from devproxy.text.bad import BadText


@pytest.mark.parametrize(
    ("searched", "whole"),
    [
        ("^/api", "/api.*"),
        (r"^\/api\/v[0-9]+\/", "/api/v[0-9]+/.*"),
        ("^/x/[0-9]+$", "/x/[0-9]+"),
        (r"\.json$", r".*\.json"),
        (r"\.(?:js|css)$", r".*\.(?:js|css)"),
        ("^/a|^/b$", "(?:/a.*|/b)"),
        ("^/(?<name>[a-z]+)/", "/(?P<name>[a-z]+)/.*"),
        (r"^/price\$", r"/price\$.*"),
        ("^/a[|]b", "/a[|]b.*"),
        ("^/caf\\u00e9", "/caf%C3%A9.*"),
        ("/api/", ".*/api/.*"),
    ],
)
def test_what_is_found_in_a_path_takes_the_whole_of_it(searched: str, whole: str) -> None:
    assert path_expression(searched) == whole
    re.compile(whole)


def test_case_is_ignored_where_it_was() -> None:
    assert path_expression("^/api/", ignores_case=True) == "(?i:/api/.*)"


@pytest.mark.parametrize(
    ("searched", "why"),
    [("^/(", "is not a regular expression"), ("^/a.*/.*/.*/b", "too slow"), (r"^/\u{110000}", "no character")],
)
def test_what_python_or_the_proof_of_linear_time_refuses_is_refused(searched: str, why: str) -> None:
    with pytest.raises(BadText, match=why):
        path_expression(searched)


@pytest.mark.parametrize(
    ("searched", "plain"),
    [
        ("^/api", ("/api", False)),
        ("^/api/", ("/api/", False)),
        (r"^\/api\/.*", ("/api/", False)),
        ("^/api(.*)$", ("/api", False)),
        ("^/api(/|$)", ("/api", True)),
        ("^/api(?:/|$)(.*)", ("/api", True)),
        (r"^/a\.b", ("/a.b", False)),
        ("^/api$", None),
        ("^/v[0-9]", None),
        ("/api", None),
        ("^.*", None),
    ],
)
def test_an_expression_for_a_plain_prefix_is_one(searched: str, plain: tuple[str, bool] | None) -> None:
    assert plain_prefix(searched) == plain


def test_it_is_known_where_the_query_would_have_mattered() -> None:
    assert [one for one in ("^/api", "^/x$", r"^/a\?b", "^/a.*b", r"^/a\$", "^/a.*") if sees_query(one)] == [
        "^/x$",
        r"^/a\?b",
        "^/a.*b",
    ]
