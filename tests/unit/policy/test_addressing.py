"""How a route addresses its servers: what ``auto`` comes to for each, and that what is written stands."""

from __future__ import annotations

import pytest
from devproxy.config.addresses import parse_server
from devproxy.config.model import Cors, CorsMode, PathKind, Route, ServerAddress
from devproxy.policy.addressing import addressing, addressing_text, authority_of, web_origin_of

PUBLIC = parse_server("https://api.staging.example.com")
NEAR = parse_server("http://localhost:3001")


def route(host: str = "auto", origin: str = "auto", mode: CorsMode = CorsMode.REWRITE) -> Route:
    return Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", host=host, origin=origin, cors=Cors(mode=mode))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:3001",
        "http://localhost.:3001",
        "http://api.localhost:3001",
        "http://127.0.0.1:3001",
        "http://127.9.9.9",
        "http://[::1]:3001",
        "http://0.0.0.0:3001",
        "unix:/run/app.sock",
        "http://10.0.0.7",
        "http://172.20.0.3:8000",
        "http://192.168.1.20",
        "http://169.254.10.1",
        "http://100.100.1.1",
        "http://[fd00::1]",
        "http://[fe80::1%eth0]",
        "http://[::ffff:10.0.0.1]",
        "http://backend:8000",
        "http://my_service:8000",
        "https://backend",
        "http://host.docker.internal:3001",
        "http://app.test",
        "http://nas.local",
        "http://api.prod.svc.cluster.local",
        "http://api.internal.",
        "http://router.home.arpa",
    ],
)
def test_a_server_nearby_gets_what_the_browser_sent(url: str) -> None:
    found = addressing(route(), parse_server(url))
    assert (found.host, found.origin, found.is_public) == ("keep", "keep", False)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.staging.example.com",
        "http://api.staging.example.com:8080",
        "https://api.example.com.",
        "https://API.Example.COM",
        "https://xn--bcher-kva.example",
        "http://203.0.113.7",
        "http://172.32.0.1",
        "https://[2001:db8::1]",
        "https://localhost.example.com",
        "https://10.0.0.1.nip.io",
    ],
)
def test_a_public_server_gets_its_own_host_and_origin(url: str) -> None:
    found = addressing(route(), parse_server(url))
    assert (found.host, found.origin, found.is_public) == ("upstream", "upstream", True)
    assert not found.keeps_foreign_origin


@pytest.mark.parametrize("host", ["keep", "upstream", "app.test"])
@pytest.mark.parametrize("origin", ["keep", "upstream", "remove", "http://app.test"])
def test_what_is_written_stands(host: str, origin: str) -> None:
    for one in (PUBLIC, NEAR):
        found = addressing(route(host, origin), one)
        assert (found.host, found.origin, found.keeps_foreign_origin) == (host, origin, False)


@pytest.mark.parametrize(("host", "origin"), [("keep", "keep"), ("app.test", "keep"), ("upstream", "upstream")])
def test_an_origin_does_not_contradict_the_host_that_is_written(host: str, origin: str) -> None:
    assert addressing(route(host), PUBLIC).origin == origin
    assert addressing(route(host), NEAR).origin == "keep"


@pytest.mark.parametrize("mode", list(CorsMode))
def test_a_server_whose_word_on_cors_counts_sees_which_page_asks(mode: CorsMode) -> None:
    found = addressing(route(mode=mode), PUBLIC)
    assert found.origin == "upstream"
    assert found.keeps_foreign_origin is (mode in (CorsMode.PASSTHROUGH, CorsMode.FIX))


@pytest.mark.parametrize(
    ("url", "authority", "origin"),
    [
        ("https://api.example.com", "api.example.com", "https://api.example.com"),
        ("https://api.example.com:443", "api.example.com", "https://api.example.com"),
        ("http://api.example.com:443", "api.example.com:443", "http://api.example.com:443"),
        ("http://[2001:db8::1]:81", "[2001:db8::1]:81", "http://[2001:db8::1]:81"),
        ("http://[fe80::1%eth0]:81", "[fe80::1]:81", "http://[fe80::1]:81"),
        ("unix:/run/app.sock", "localhost", "http://localhost"),
    ],
)
def test_the_own_name_of_a_server_has_no_port_that_its_scheme_implies(url: str, authority: str, origin: str) -> None:
    assert authority_of(parse_server(url)) == authority
    assert web_origin_of(parse_server(url)) == origin


@pytest.mark.parametrize(
    ("one", "servers", "is_full", "text"),
    [
        (route(), [NEAR], False, []),
        (
            route(),
            [NEAR],
            True,
            ["host: keep (auto: localhost is this machine)", "origin: keep (auto: localhost is this machine)"],
        ),
        (
            route(),
            [PUBLIC],
            False,
            [
                "host: upstream (auto: api.staging.example.com is a public name)",
                "origin: upstream (auto: api.staging.example.com is a public name)",
            ],
        ),
        (
            route(origin="keep"),
            [NEAR, PUBLIC],
            False,
            ["host: keep (auto: localhost is this machine), upstream (auto: api.staging.example.com is a public name)"],
        ),
        (route("keep"), [PUBLIC], False, []),
        (route("keep"), [PUBLIC], True, ["host: keep", "origin: keep (auto: as host says)"]),
        (route("upstream", "remove"), [NEAR], False, ["host: upstream", "origin: remove"]),
        (
            route(mode=CorsMode.FIX),
            [parse_server("http://203.0.113.7"), parse_server("unix:/a")],
            True,
            [
                "host: upstream (auto: 203.0.113.7 is a public address), keep (auto: a Unix socket is on this machine)",
                (
                    "origin: upstream (auto: 203.0.113.7 is a public address; that of other pages stays, as cors says)"
                    ", keep (auto: a Unix socket is on this machine)"
                ),
            ],
        ),
    ],
)
def test_tables_say_what_auto_came_to(one: Route, servers: list[ServerAddress], is_full: bool, text: list[str]) -> None:
    assert addressing_text(one, servers, is_full=is_full) == text
