"""A function that rewrites paths, told by what it does to some of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from devproxy.importing.rewriting import Replaced, common_rewrite

RESTS = ("/a", "/a/b/", "/a?x=1&y=/z", "/a%2Fb", "/a/api/b", "/api/c", "/?x=1", "", "/", "?x=1")


def found(rewrite: Callable[[str], str | None], prefix: str = "/api") -> Replaced | None:
    return common_rewrite([(f"{prefix}{rest}", rewrite(f"{prefix}{rest}")) for rest in RESTS], prefix)


@pytest.mark.parametrize(
    ("rewrite", "replaced"),
    [
        (lambda path: path.removeprefix("/api"), Replaced("")),
        (lambda path: path.removeprefix("/api/"), Replaced("", keeps_bare=True)),
        (lambda path: path.replace("/api", "/", 1), Replaced("")),
        (lambda path: path.replace("/api", "/v1", 1), Replaced("/v1")),
        (lambda path: path, Replaced("/api")),
        (lambda path: f"/base{path}", Replaced("/base/api")),
        (lambda path: path.replace("/api", ""), Replaced("", cuts_repeats=True)),
        (lambda path: path.upper(), None),
        (lambda path: path.split("?")[0], None),
        (lambda path: path + "/", None),
        (lambda path: "/fixed", None),
        (lambda path: None, None),
    ],
    ids=[
        *(
            "removed",
            "removed with its slash",
            "a slash too many",
            "replaced",
            "kept",
            "put below another",
            "everywhere",
        ),
        *("upper case", "without query", "a slash at the end", "one path", "failed"),
    ],
)
def test_what_replaces_the_prefix_is_found_where_one_text_does(
    rewrite: Callable[[str], str | None], replaced: Replaced | None
) -> None:
    assert found(rewrite) == replaced


def test_the_query_of_the_bare_prefix_may_get_lost_with_it() -> None:
    assert found(lambda path: path.removeprefix("/api") or "/") == Replaced("")


def test_without_a_prefix_only_what_changes_nothing_is_known() -> None:
    assert common_rewrite([("/v1/x", "/v1/x")], None) == Replaced("")
    assert common_rewrite([("/v1/x", "/x")], None) is None


def test_nothing_is_known_of_no_probes() -> None:
    assert common_rewrite([], "/api") is None
