"""Sources and destinations of Next's rewrites, and what goes first."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.config.drafts import Draft
from devproxy.importing import next as importing
from devproxy.importing.asked import Failed
from devproxy.importing.next_paths import destination_of, match_of, rewrite_of
from devproxy.importing.rules import Kind, Match
from devproxy.text.bad import BadText


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("/exact", Match(Kind.EXACT, "/exact")),
        ("/api/:path*", Match(Kind.SEGMENTS, "/api")),
        ("/:path*", Match(Kind.SEGMENTS, "")),
        ("/api/:path+", Match(Kind.STARTS, "/api/")),
        ("/a/:id/b", Match(Kind.REGEX, "/a/[^/]+/b")),
        (r"/a/:id(\d{1,3})", Match(Kind.REGEX, r"/a/(?:\d{1,3})")),
        ("/a/:id?", Match(Kind.REGEX, "/a(?:/[^/]+)?")),
        ("/a/:slug*/edit", Match(Kind.REGEX, "/a(?:/[^/]+)*/edit")),
        ("/v:number", Match(Kind.REGEX, "/v[^/]+")),
    ],
)
def test_a_source_takes_what_next_takes(source: str, match: Match) -> None:
    assert match_of(source).match == match


@pytest.mark.parametrize("source", ["/a/(.*)", "/a{/b}?", "/a:b*", "/a*"])
def test_a_source_that_is_too_involved_is_refused(source: str) -> None:
    with pytest.raises(BadText):
        match_of(source)


@pytest.mark.parametrize(
    ("source", "destination", "rewrite"),
    [
        ("/api/:path*", "http://a.test/api/:path*", None),
        ("/api/:path*", "http://a.test/:path*", "/"),
        ("/api/:path*", "http://a.test/v1/:path*", "/v1/"),
        ("/:path*", "http://a.test/:path*", None),
        ("/exact", "http://a.test/other", "/other"),
        ("/exact", "http://a.test", "/"),
        ("/a/:id/b", "http://a.test/a/:id/b", None),
    ],
)
def test_a_destination_is_a_server_and_what_replaces_the_prefix(
    source: str, destination: str, rewrite: str | None
) -> None:
    found = destination_of(destination)
    assert found is not None
    assert found.server == "http://a.test"
    assert rewrite_of(match_of(source), found) == rewrite


@pytest.mark.parametrize(
    ("source", "destination", "why"),
    [
        ("/a/:id", "http://a.test/:id", "moves parameters"),
        ("/a/:path*", "http://a.test/b", "into the query"),
        ("/a", "http://a.test/:id", "has a parameter"),
        ("/a", "http://a.test/?b=c", "has a query"),
        ("/:host/:p*", "http://:host/:p*", "by a parameter"),
        ("/a", "ftp://a.test/", "no address"),
    ],
)
def test_what_no_route_can_say_is_refused(source: str, destination: str, why: str) -> None:
    def read() -> None:
        found = destination_of(destination)
        assert found is not None
        rewrite_of(match_of(source), found)

    with pytest.raises(BadText, match=why):
        read()


def drafted(**given: Any) -> Draft:
    empty: list[Any] = []
    facts: dict[str, Any] = {
        "before": empty,
        "after": empty,
        "fallback": empty,
        "redirects": empty,
        "headers": empty,
        "own": empty,
    }
    server = {"port": 3000, "host": "", "https": False}
    facts |= {"version": "16", "file": "next.config.js", "server": server, "basePath": "", "locales": [], "public": []}
    return importing.draft(facts | {"middleware": ""} | given)


API = {"source": "/api/:path*", "destination": "http://localhost:3001/api/:path*"}


def test_pages_without_parameters_go_before_a_plain_list() -> None:
    draft = drafted(after=[API], own=["/api/hello", "/api/[id]", "/other"], public=["/api/a.txt"])
    assert [route.keys.get("path_exact") for route in draft.routes] == ["/api/hello", "/api/a.txt", None, None]
    draft = drafted(before=[API], own=["/api/hello"])
    assert [route.keys.get("path_exact") for route in draft.routes] == [None, None]


def test_an_entry_with_many_pages_of_next_below_it_stays_with_next() -> None:
    draft = drafted(after=[API], own=[f"/api/{number}" for number in range(50)])
    assert len(draft.routes) == 1
    assert any("50 pages and files of its own" in line for line in draft.tail)


def test_what_takes_every_path_leaves_next_its_own_files() -> None:
    everything = {"source": "/:path*", "destination": "http://localhost:3001/:path*"}
    assert drafted(before=[everything]).routes[0].keys == {"path": "/_next/", "upstream": "frontend"}


def test_the_base_path_is_put_in_front() -> None:
    found = drafted(before=[API], basePath="/docs").routes[0].keys
    assert (found["path"], found["rewrite"]) == ("/docs/api/", "/api/")


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ({"type": "header", "key": "x-a"}, {"match_headers": {"x-a": "*"}}),
        ({"type": "header", "key": "x-a", "value": "b"}, {"match_headers": {"x-a": "b"}}),
        ({"type": "host", "value": "a.test"}, {"match_host": ("a.test",)}),
    ],
    ids=["a header", "its value", "a host"],
)
def test_conditions_are_carried_over(condition: dict[str, str], keys: dict[str, Any]) -> None:
    found = drafted(before=[API | {"has": [condition]}]).routes[0].keys
    assert {name: found[name] for name in keys} == keys


@pytest.mark.parametrize(
    "more",
    [
        {"missing": [{"type": "header", "key": "a"}]},
        {"has": [{"type": "cookie", "key": "a"}]},
        {"has": [{"type": "header", "key": "a", "value": "(?<b>.*)"}]},
    ],
    ids=["missing", "a cookie", "an expression"],
)
def test_conditions_that_no_route_has_keep_the_entry_with_next(more: dict[str, Any]) -> None:
    draft = drafted(before=[API | more])
    assert len(draft.routes) == 1
    assert any(line.startswith('"/api/:path*": ') for line in draft.tail)


def test_what_next_does_besides_is_told() -> None:
    headers = [{"source": "/api/:path*", "headers": []}]
    tail = drafted(before=[API], middleware="middleware.ts", locales=["en"], headers=headers).tail
    assert [line.partition(":")[0] for line in tail if line.startswith(("middleware.ts", "i18n", "headers()"))] == [
        "middleware.ts",
        "i18n",
        "headers()",
    ]


def test_a_configuration_without_another_server_is_told() -> None:
    with pytest.raises(Failed, match="leads to another server"):
        drafted(before=[{"source": "/a", "destination": "/b"}])
