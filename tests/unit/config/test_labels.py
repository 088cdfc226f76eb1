"""Short names of routes and addresses."""

from __future__ import annotations

import pytest
from devproxy.config import Listen, PathKind, Route
from devproxy.config.labels import label, listen_text


def route(kind: PathKind, pattern: str, **conditions: tuple[str, ...]) -> Route:
    return Route(
        kind=kind,
        pattern=pattern,
        upstream="backend",
        methods=conditions.get("methods", ()),
        match_host=conditions.get("hosts", ()),
    )


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (route(PathKind.PREFIX, "/socket.io/"), "/socket.io/"),
        (route(PathKind.EXACT, "/favicon.ico"), "= /favicon.ico"),
        (route(PathKind.REGEX, "/v[0-9]+"), "~ /v[0-9]+"),
        (route(PathKind.GLOB, "/**/*.map"), "/**/*.map"),
        (route(PathKind.PREFIX, "/api/", methods=("POST", "PUT")), "/api/ (POST, PUT)"),
        (route(PathKind.PREFIX, "/", hosts=("a.test",), methods=("GET",)), "/ (GET; a.test)"),
        (
            Route(kind=PathKind.PREFIX, pattern="/", upstream="a", match_headers=(("X-Tenant", "blue*"),)),
            "/ (X-Tenant: blue*)",
        ),
        (route(PathKind.PREFIX, "/", hosts=("a", "b", "c", "d", "e")), "/ (a, b, c and 2 more)"),
        (route(PathKind.REGEX, "/a\nb"), "~ /a\\u000ab"),
    ],
)
def test_a_label_is_short_and_tells_routes_apart(named: Route, expected: str) -> None:
    assert label(named) == expected


@pytest.mark.parametrize(("host", "expected"), [("localhost", "localhost:80"), ("", ":80"), ("::1", "[::1]:80")])
def test_an_address_is_written_as_in_the_file(host: str, expected: str) -> None:
    assert listen_text(Listen(host=host, port=80)) == expected
