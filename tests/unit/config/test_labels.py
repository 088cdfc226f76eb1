"""Short names of routes and addresses."""

from __future__ import annotations

import pytest
from devproxy.config import Listen, PathKind, Route
from devproxy.config.labels import cors_text, fault_text, label, listen_text
from devproxy.config.model import Cors, CorsMode, Fault


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
        (route(PathKind.REGEX, "/a\nb"), "~ /a\\nb"),
    ],
)
def test_a_label_is_short_and_tells_routes_apart(named: Route, expected: str) -> None:
    assert label(named) == expected


@pytest.mark.parametrize(("host", "expected"), [("localhost", "localhost:80"), ("", ":80"), ("::1", "[::1]:80")])
def test_an_address_is_written_as_in_the_file(host: str, expected: str) -> None:
    assert listen_text(Listen(host=host, port=80)) == expected


@pytest.mark.parametrize(
    ("cors", "expected"),
    [
        (Cors(), "rewrite (loopback)"),
        (Cors(mode=CorsMode.FIX, origins=("http://a",)), "fix (1 origin)"),
        (Cors(origins=("http://a", "http://b")), "rewrite (2 origins)"),
        (Cors(origins=()), "rewrite (no origins)"),
        (Cors(origins=(), dangerously_allow_any_origin=True), "rewrite (any origin)"),
        (Cors(dangerously_allow_null_origin=True), "rewrite (loopback and null)"),
        (Cors(mode=CorsMode.STRIP, origins=("http://a",)), "strip"),
        (Cors(mode=CorsMode.PASSTHROUGH), "passthrough"),
    ],
)
def test_a_policy_is_named_by_its_mode_and_whom_it_serves(cors: Cors, expected: str) -> None:
    assert cors_text(cors) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(), ""),
        (Fault(seed=7, error_status=500), ""),
        (Fault(latency_ms=200.0), "200 ms late"),
        (Fault(error_rate=0.125, error_status=500), "12.5% get 500"),
        (
            Fault(refuse_upgrade=True, drop_after_s=5.0, bandwidth_kib_s=64.0),
            "upgrades refused, tunnels dropped after 5 s, 64 KiB/s",
        ),
    ],
)
def test_a_fault_is_named_by_the_trouble_that_it_makes(fault: Fault, expected: str) -> None:
    assert fault_text(fault) == expected
