"""What directives of nginx become."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.importing import nginx
from devproxy.importing.asked import Asked, Failed

CROSSPLANE: Any = import_module("crossplane")
DEFAULT = "proxy_pass http://backend;"


def drafted(folder: Path, locations: str, http: str = "", server: str = "") -> Draft:
    text = f"http {{ upstream backend {{ server localhost:3001; }} {http} server {{ {server} {locations} }} }}"
    (folder / "nginx.conf").write_text(text)
    payload = CROSSPLANE.parse(str(folder / "nginx.conf"), combine=True)
    draft = nginx.draft({"file": "nginx.conf", "parsed": payload["config"][0]["parsed"]})
    load(text_of(draft).encode(), source="devproxy.toml")
    return draft


@pytest.fixture
def keys(tmp_path: Path) -> Any:
    """Returns the keys of the first route of some locations."""
    return lambda *given, **more: dict(drafted(tmp_path, *given, **more).routes[0].keys)


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """Returns what is said below the routes of some locations."""
    return lambda *given, **more: "\n".join(drafted(tmp_path, *given, **more).tail)


@pytest.mark.parametrize(
    ("directives", "wanted"),
    [
        ("", {"host": "backend"}),
        ("proxy_set_header Host $http_host;", {}),
        ("proxy_set_header Host $host;", {}),
        ("proxy_set_header Host a.test;", {"host": "a.test"}),
        ('proxy_set_header Host $host; proxy_set_header Origin "";', {"origin": "remove"}),
        ("proxy_set_header Host $host; proxy_set_header Origin http://a.test;", {"origin": "http://a.test"}),
    ],
)
def test_host_and_origin_are_those_that_nginx_sends(directives: str, wanted: dict[str, str], keys: Any) -> None:
    found = keys(f"location / {{ {directives} {DEFAULT} }}")
    assert {name: found[name] for name in ("host", "origin") if name in found} == wanted


def test_headers_of_a_location_take_the_place_of_those_around_it(keys: Any) -> None:
    around = "proxy_set_header Host $host; proxy_set_header X-Around 1;"
    inner = 'proxy_set_header X-Own $remote_addr; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Off "";'
    found = keys(f"location / {{ {DEFAULT} }}", server=around)
    assert found["headers"] == {"request": {"set": {"X-Around": "1"}}}
    found = keys(f"location / {{ {inner} {DEFAULT} }}", server=around)
    assert found["headers"] == {"request": {"set": {"X-Own": "${client.address}"}, "remove": ["X-Off"]}}


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("/api/ { proxy_pass http://backend/; }", {"path": "/api/", "strip_prefix": True}),
        ("/api/ { proxy_pass http://backend/v1/; }", {"path": "/api/", "rewrite": "/v1/"}),
        ("/api { proxy_pass http://backend/v1; }", {"path": "/api/", "rewrite": "/v1"}),
        ("/api { proxy_pass http://backend/; }", {"path": "/api/", "strip_prefix": True}),
        ("= /api { proxy_pass http://backend/v1; }", {"path_exact": "/api", "rewrite": "/v1"}),
        (
            "/api/ { rewrite ^/api/(.*)$ /$1 break; proxy_pass http://backend; }",
            {"path": "/api/", "strip_prefix": True},
        ),
        (
            "/api/ { rewrite ^/api/(.*)$ /v1/$1 break; proxy_pass http://backend; }",
            {"path": "/api/", "rewrite": "/v1/"},
        ),
        ("~ ^/v[0-9]/ { proxy_pass http://backend; }", {"path_regex": "/v[0-9]/.*"}),
        ("~* [.]PNG$ { proxy_pass http://backend; }", {"path_regex": "(?i:.*[.]PNG)"}),
        ("/api/ { proxy_pass http://unix:/run/app.sock:/; }", {"path": "/api/", "strip_prefix": True}),
    ],
)
def test_paths_are_replaced_as_nginx_replaces_them(location: str, wanted: dict[str, Any], keys: Any) -> None:
    found = keys(f"location {location}")
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/api/ { proxy_pass http://backend/v1; }", "without a slash between"),
        ("/a { proxy_pass http://$name; }", "names its server by a variable"),
        ("/a { return 404; }", "`return`: nginx answers itself"),
        ("/a { root /srv; try_files $uri =404; }", "nginx serves files here"),
        ("/a { fastcgi_pass unix:/run/php.sock; }", "`fastcgi_pass`: devproxy speaks HTTP only"),
        ("~ ^/(a { proxy_pass http://backend; }", "is not a regular expression"),
        (
            "/a { if ($request_method = POST) { return 405; } proxy_pass http://backend; }",
            "`if`: routes have no conditions",
        ),
        ("/a { auth_basic x; proxy_pass http://backend; }", "`auth_basic`: devproxy asks for no passwords"),
        ("/a { limit_req zone=a; proxy_pass http://backend; }", "`limit_req`: devproxy limits no rates"),
        ("/a { access_by_lua_block { x } proxy_pass http://backend; }", "devproxy runs no code"),
        ("/a { add_header Access-Control-Allow-Origin *; proxy_pass http://backend; }", "devproxy's own `cors`"),
    ],
)
def test_what_no_route_can_say_is_a_comment(location: str, why: str, told: Any) -> None:
    assert why in told(f"location {location} location / {{ {DEFAULT} }}")


def test_an_upstream_has_its_servers_and_says_what_is_missing(tmp_path: Path) -> None:
    http = "upstream many { ip_hash; server localhost:1 weight=2; server localhost:2; server localhost:3 backup; }"
    draft = drafted(tmp_path, "location / { proxy_pass http://many; }", http)
    upstream = draft.upstreams[0]
    assert upstream.name == "many"
    assert upstream.servers == ("http://localhost:1", "http://localhost:2")
    assert upstream.keys == {"sticky": "cookie"}
    assert [line.split(" ")[0] for line in upstream.comments] == ["A", "Weights", "nginx"]


def test_a_certificate_is_checked_only_where_nginx_does(tmp_path: Path) -> None:
    location = "location / { proxy_pass https://localhost:3443; }"
    assert drafted(tmp_path, location).upstreams[0].keys == {"tls_verify": False}
    checked = "proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;"
    assert drafted(tmp_path, location, checked).upstreams[0].keys == {"tls_ca": "ca.pem"}


def test_a_fallback_by_name_is_what_requests_come_to(keys: Any) -> None:
    found = keys(f"location / {{ try_files $uri @app; }} location @app {{ {DEFAULT} }}")
    assert (found["path"], found["upstream"]) == ("/", "backend")


def test_includes_are_followed_and_a_file_of_locations_is_enough(tmp_path: Path) -> None:
    (tmp_path / "inner.conf").write_text("location / { proxy_pass http://localhost:3001; }")
    (tmp_path / "nginx.conf").write_text(f"server {{ include {tmp_path}/*.conf.d; include {tmp_path}/inner.conf; }}")
    assert len(nginx.draft(nginx.read(Asked(tmp_path, None, 20.0))).routes) == 1
    assert len(nginx.draft(nginx.read(Asked(tmp_path, tmp_path / "inner.conf", 20.0))).routes) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http {", "cannot be read"),
        ("", "passed on by proxy_pass"),
        ("server { return 301 /; }", "passed on by proxy_pass"),
    ],
    ids=["unclosed", "empty", "nothing passed on"],
)
def test_what_cannot_be_read_is_told(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(text)
    with pytest.raises(Failed, match=why):
        nginx.draft(nginx.read(Asked(tmp_path, None, 20.0)))
    with pytest.raises(Failed, match=r"there is no nginx\.conf"):
        nginx.read(Asked(tmp_path / "none", None, 20.0))
