"""What a reload changes, one line for each key."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from devproxy.config import Config, CorsMode, HeaderEdits, Listen, PathKind, Route, Scheme, ServerAddress, Upstream
from devproxy.config.diff import diff
from devproxy.config.model import Cookies, Cors, Fault, SameSiteRule, SecureRule, Server, Sticky
from devproxy.events import ConfigChange


def address(port: int) -> ServerAddress:
    return ServerAddress(scheme=Scheme.HTTP, host="localhost", port=port, url=f"http://localhost:{port}")


API = Route(kind=PathKind.PREFIX, pattern="/api/", upstream="backend", line=4)
PAGE = Route(kind=PathKind.PREFIX, pattern="/", upstream="frontend", line=9)
BACKEND = Upstream(name="backend", servers=(address(3001),))
FRONTEND = Upstream(name="frontend", servers=(address(5173),))
OLD = Config(server=Server(), upstreams=(BACKEND, FRONTEND), routes=(API, PAGE), source="devproxy.toml")


def with_api(**changes: Any) -> Config:
    return replace(OLD, routes=(replace(API, **changes), PAGE))


def changed(what: str, detail: str) -> ConfigChange:
    return ConfigChange(what, "changed", detail)


def test_the_same_configuration_changes_nothing() -> None:
    assert diff(OLD, OLD) == ()


def test_lines_the_order_of_routes_and_the_name_of_the_file_are_no_changes() -> None:
    moved = (replace(PAGE, line=1), replace(API, line=7, cors=replace(API.cors, line=8)))
    assert diff(OLD, replace(OLD, routes=moved, source="other.toml")) == ()


@pytest.mark.parametrize(("old", "new"), [("/api/", "/api"), ("/api", "/api/")])
def test_a_prefix_is_the_same_with_and_without_the_slash_at_its_end(old: str, new: str) -> None:
    assert diff(with_api(pattern=old), with_api(pattern=new)) == ()


def test_an_exact_path_is_another_one_with_a_slash_at_its_end() -> None:
    old, new = (with_api(kind=PathKind.EXACT, pattern=pattern) for pattern in ("/api", "/api/"))
    assert [change.kind for change in diff(old, new)] == ["added", "removed"]


def test_a_changed_mode_is_one_line_with_the_old_and_the_new_value() -> None:
    new = with_api(cors=Cors(mode=CorsMode.STRIP))
    assert diff(OLD, new) == (changed("route /api/", "cors.mode: rewrite -> strip"),)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"upstream": "frontend"}, "upstream: backend -> frontend"),
        ({"rewrite": "/v1/"}, "rewrite: none -> /v1/"),
        ({"guard": False}, "guard: true -> false"),
        ({"maps_redirects": False}, "redirects: map -> keep"),
        ({"cors": Cors(origins=("http://a.test",))}, "cors.origins: loopback -> http://a.test"),
        ({"cors": Cors(origins=())}, "cors.origins: loopback -> none"),
        ({"cors": Cors(methods=("GET",))}, "cors.methods: GET, POST, PUT, PATCH and 1 more -> GET"),
        ({"cookies": Cookies(domain="")}, "cookies.domain: not written -> removed"),
        ({"cookies": Cookies(domain_map=(("a.test", "b.test"),))}, "cookies.domain: none -> a.test = b.test"),
        ({"cookies": Cookies(maps_path=False)}, "cookies.path: auto -> keep"),
        ({"cookies": Cookies(secure=SecureRule.NEVER)}, "cookies.secure: not written -> false"),
        ({"cookies": Cookies(same_site=SameSiteRule.LAX)}, "cookies.same_site: not written -> lax"),
        ({"fault": Fault(latency_ms=250.0)}, "fault.latency_ms: 0 -> 250"),
        ({"fault": Fault(error_rate=0.125)}, "fault.error_rate: 0 -> 0.125"),
    ],
)
def test_a_changed_key_of_a_route_reads_as_in_the_file(changes: dict[str, Any], detail: str) -> None:
    assert diff(OLD, with_api(**changes)) == (changed("route /api/", detail),)


def test_every_key_that_differs_has_a_line_of_its_own_in_the_order_of_the_model() -> None:
    new = with_api(guard=False, host="upstream", cors=Cors(credentials=False, max_age_s=0))
    assert [change.detail for change in diff(OLD, new)] == [
        "host: auto -> upstream",
        "guard: true -> false",
        "cors.credentials: true -> false",
        "cors.max_age_s: 600 -> 0",
    ]


def test_a_route_with_other_conditions_is_another_route() -> None:
    new = with_api(methods=("POST",))
    assert diff(OLD, new) == (
        ConfigChange("route /api/ (POST)", "added", "to backend"),
        ConfigChange("route /api/", "removed", "to backend"),
    )


def test_conditions_in_another_spelling_are_the_same_route() -> None:
    one = with_api(methods=("GET", "PUT"), match_headers=(("X-Tenant", "a"),))
    other = with_api(methods=("PUT", "GET"), match_headers=(("x-tenant", "a"),))
    assert diff(one, other) == ()


def test_header_edits_are_named_and_their_values_never_shown() -> None:
    one = with_api(request_headers=HeaderEdits(set=(("Authorization", "Bearer old"),)))
    other = with_api(request_headers=HeaderEdits(set=(("Authorization", "Bearer new"),), remove=("X-Old",)))
    assert [change.detail for change in diff(one, other)] == [
        "headers.request.set: another value for Authorization",
        "headers.request.remove: none -> X-Old",
    ]
    assert [change.detail for change in diff(OLD, one)] == ["headers.request.set: none -> Authorization"]


def test_upstreams_are_compared_by_name_and_told_with_their_servers() -> None:
    moved = replace(BACKEND, servers=(address(3001), address(3002)), sticky=Sticky.SOCKETIO)
    new = replace(OLD, upstreams=(replace(FRONTEND, name="vite"), moved))
    assert diff(OLD, new) == (
        ConfigChange("upstream vite", "added", "http://localhost:5173"),
        changed("upstream backend", "servers: http://localhost:3001 -> http://localhost:3001, http://localhost:3002"),
        changed("upstream backend", "sticky: none -> socketio"),
        ConfigChange("upstream frontend", "removed", "http://localhost:5173"),
    )


def test_the_server_comes_first() -> None:
    server = Server(listen=(Listen(host="::1", port=9000),), allowed_hosts=("app.test",), drain_s=1.0)
    new = replace(with_api(guard=False), server=server)
    assert [(change.what, change.detail) for change in diff(OLD, new)] == [
        ("server", "listen: localhost:8080 -> [::1]:9000"),
        ("server", "allowed_hosts: none -> app.test"),
        ("server", "drain_s: 3 -> 1"),
        ("route /api/", "guard: true -> false"),
    ]


def test_nothing_unprintable_leaves_it() -> None:
    name = "a\x1b[31m"
    new = replace(OLD, upstreams=(*OLD.upstreams, replace(BACKEND, name=name)), routes=(replace(API, upstream=name),))
    assert all((change.what + change.detail).isprintable() for change in diff(OLD, new))


def test_no_field_of_a_route_changes_unseen() -> None:
    """Guards the list of fields that are no content: a new field of the model is shown by itself."""
    other: dict[str, Any] = {
        "kind": PathKind.EXACT,
        "cors": Cors(mode=CorsMode.FIX),
        "guard": False,
        "maps_redirects": False,
        "cookies": Cookies(prefix="a-"),
        "fault": Fault(seed=1),
        "request_headers": HeaderEdits(remove=("X",)),
        "response_headers": HeaderEdits(remove=("X",)),
        "methods": ("GET",),
        "match_host": ("a.test",),
        "match_headers": (("X", "1"),),
    }
    for field in fields(Route):
        if field.name != "line":
            assert diff(OLD, with_api(**{field.name: other.get(field.name, "/x")})), field.name
