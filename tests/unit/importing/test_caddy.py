"""What the routes that Caddy makes of a Caddyfile become."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.importing import caddy
from devproxy.importing.asked import Failed

PROXY: dict[str, Any] = {"handler": "reverse_proxy", "upstreams": [{"dial": "localhost:3001"}]}


def drafted(*routes: dict[str, Any]) -> Draft:
    servers = {"srv0": {"listen": [":80"], "routes": list(routes)}}
    draft = caddy.draft({"file": "Caddyfile", "config": {"apps": {"http": {"servers": servers}}}})
    if draft.routes:
        load(text_of(draft).encode(), source="devproxy.toml")
    return draft


def route(*handlers: dict[str, Any], **match: Any) -> dict[str, Any]:
    return {"handle": list(handlers)} | ({"match": [match]} if match else {})


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/api/*", {"path_glob": "/api/**"}),
        ("/api*", {"path_glob": "/api**"}),
        ("/api", {"path_exact": "/api"}),
        ("*.png", {"path_regex": r".*\.png"}),
        ("/a/*/b", {"path_glob": "/a/*/b"}),
        ("*", {"path": "/"}),
    ],
)
def test_a_path_is_compared_as_caddy_does(path: str, keys: dict[str, str]) -> None:
    found = drafted(route(PROXY, path=[path])).routes[0].keys
    assert {name: found[name] for name in keys} == keys


@pytest.mark.parametrize(
    ("steps", "rewrite"),
    [
        ([{"strip_path_prefix": "/api"}], {"strip_prefix": True}),
        ([{"uri": "/v1{http.request.uri}"}], {"rewrite": "/v1/api/"}),
        ([{"strip_path_prefix": "/api"}, {"uri": "/v1{http.request.uri}"}], {"rewrite": "/v1/"}),
        ([{"uri_substring": [{"find": "/api/", "replace": "/v2/"}]}], {"rewrite": "/v2/"}),
        ([{"path_regexp": [{"find": "^/api/(.*)", "replace": "/x/$1"}]}], {"rewrite": "/x/"}),
    ],
    ids=["stripped", "put in front", "both", "replaced", "by an expression"],
)
def test_paths_are_rewritten_as_caddy_does(steps: list[dict[str, Any]], rewrite: dict[str, Any]) -> None:
    handlers = [{"handler": "rewrite", **step} for step in steps]
    inner = {"handler": "subroute", "routes": [*(route(one) for one in handlers), route(PROXY)]}
    found = drafted(route(inner, path=["/api/*"])).routes[0].keys
    assert {name: found.get(name) for name in rewrite} == rewrite


def test_a_prefix_that_is_cut_off_every_path_leaves_others_as_they_are() -> None:
    draft = drafted(route({"handler": "rewrite", "strip_path_prefix": "/api"}), route(PROXY))
    assert [(one.keys["path"], one.keys.get("strip_prefix")) for one in draft.routes] == [("/api/", True), ("/", None)]


def test_headers_are_changed_in_both_directions() -> None:
    headers = {
        "request": {
            "set": {"Host": ["{http.reverse_proxy.upstream.hostport}"], "X-A": ["{http.request.scheme}"]},
            "delete": ["Origin", "X-B"],
        },
        "response": {"set": {"X-C": ["1"]}, "delete": ["Server"]},
    }
    found = drafted(route(PROXY | {"headers": headers})).routes[0].keys
    assert found["host"] == "upstream"
    assert found["origin"] == "remove"
    assert found["headers"] == {
        "request": {"set": {"X-A": "${scheme}"}, "remove": ("X-B",)},
        "response": {"set": {"X-C": "1"}, "remove": ("Server",)},
    }


def test_servers_come_with_their_transport() -> None:
    tls = {"transport": {"protocol": "http", "tls": {"insecure_skip_verify": True}}}
    upstream = drafted(route(PROXY | tls)).upstreams[0]
    assert (upstream.servers, upstream.keys) == (("https://localhost:3001",), {"tls_verify": False})
    upstream = drafted(route(PROXY | {"upstreams": [{"dial": "unix//run/app.sock"}]})).upstreams[0]
    assert upstream.servers == ("unix:/run/app.sock",)
    several = {
        "upstreams": [{"dial": ":1"}, {"dial": ":2"}],
        "load_balancing": {"selection_policy": {"policy": "cookie"}},
    }
    upstream = drafted(route(PROXY | several)).upstreams[0]
    assert (upstream.servers, upstream.keys) == (("http://localhost:1", "http://localhost:2"), {"sticky": "cookie"})


@pytest.mark.parametrize(
    ("version", "host"), [("2.6.2\n", None), ("v2.11.2 h1:x\n", "upstream"), ("v3.0.0", "upstream"), ("", None)]
)
def test_an_https_server_is_sent_its_own_host_since_a_version(version: str, host: str | None) -> None:
    tls = PROXY | {"transport": {"protocol": "http", "tls": {}}}
    config = {"apps": {"http": {"servers": {"srv0": {"routes": [route(tls)]}}}}}
    draft = caddy.draft({"file": "Caddyfile", "config": config, "version": version})
    assert draft.routes[0].keys.get("host") == host


def test_hosts_tell_sites_apart_and_one_site_needs_none() -> None:
    site = {"handler": "subroute", "routes": [route(PROXY)]}
    draft = drafted(route(site, host=["a.test"]))
    assert "match_host" not in draft.routes[0].keys
    assert draft.server == {"allowed_hosts": ["a.test"]}
    draft = drafted(route(site, host=["a.test"]), route(PROXY))
    assert draft.routes[0].keys["match_host"] == ("a.test",)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (route(PROXY, path_regexp={"pattern": "a"}), "asks for `path_regexp`"),
        (route(PROXY, expression="x"), "asks for `expression`"),
        (route(PROXY, path=["/{a}"]), "has a placeholder"),
        (route({"handler": "file_server"}, path=["/files/*"]), "`file_server`: devproxy serves no files"),
        (route({"handler": "static_response"}, path=["/up"]), "`static_response`: devproxy gives no answers"),
        (route({"handler": "authentication"}, path=["/in/*"]), "`authentication`: devproxy asks for no passwords"),
        (route(PROXY | {"transport": {"protocol": "fastcgi"}}, path=["/php"]), "speaks fastcgi with its server"),
        (route(PROXY | {"dynamic_upstreams": {}} | {"upstreams": []}, path=["/dyn"]), "names no server"),
        (route(PROXY | {"upstreams": [{"dial": "{env.A}"}]}, path=["/env"]), "has a placeholder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_route_can_say_is_a_comment(wanted: dict[str, Any], why: str) -> None:
    assert why in "\n".join(drafted(wanted, route(PROXY)).tail)


def test_nothing_gets_past_what_answers_everything() -> None:
    assert drafted(route({"handler": "file_server"}), route(PROXY)).routes == []


def test_a_file_that_passes_nothing_on_is_told() -> None:
    with pytest.raises(Failed, match=r"nothing in Caddyfile is passed on by reverse_proxy"):
        caddy.draft({"file": "Caddyfile", "config": {}})
