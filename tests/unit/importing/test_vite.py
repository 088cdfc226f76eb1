"""What the entries of Vite's proxy become, key by key."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.importing import vite
from devproxy.importing.asked import Failed

SERVER = {"port": 5173, "host": "", "https": False}


def drafted(*entries: tuple[str, dict[str, Any]], server: dict[str, Any] = SERVER) -> Draft:
    written = [{"key": key, "options": options, "probes": None} for key, options in entries]
    draft = vite.draft({"version": "8.3.8", "file": "vite.config.ts", "server": server, "entries": written})
    load(text_of(draft).encode(), source="devproxy.toml")
    return draft


def route(options: dict[str, Any], key: str = "/api") -> dict[str, Any]:
    return dict(drafted((key, options)).routes[0].keys)


def test_a_key_takes_whatever_begins_with_it() -> None:
    assert route({"target": "http://localhost:3001"}) == {"path_glob": "/api**", "upstream": "backend"}


@pytest.mark.parametrize(
    ("target", "is_changed", "keys"),
    [
        ("http://localhost:3001", True, {"host": "upstream"}),
        ("http://localhost:3001", False, {}),
        ("https://api.example.com", True, {"origin": "keep"}),
        ("https://api.example.com", False, {"host": "keep"}),
    ],
    ids=["local, changed", "local", "public, changed", "public"],
)
def test_host_and_origin_are_written_only_where_auto_would_send_others(
    target: str, is_changed: bool, keys: dict[str, str]
) -> None:
    found = route({"target": target, "changeOrigin": is_changed})
    assert {name: value for name, value in found.items() if name in ("host", "origin")} == keys


def test_secure_and_a_time_limit_are_those_of_the_upstream() -> None:
    draft = drafted(("/api", {"target": "https://localhost:3443", "secure": False, "proxyTimeout": 2500}))
    assert draft.upstreams[0].servers == ("https://localhost:3443",)
    assert draft.upstreams[0].keys == {"tls_verify": False, "response_timeout_s": 2.5}


def test_one_server_with_two_sets_of_options_is_two_upstreams() -> None:
    draft = drafted(
        ("/a", {"target": "https://localhost:3443", "secure": False}), ("/b", {"target": "https://localhost:3443"})
    )
    assert [one.name for one in draft.upstreams] == ["backend-3443", "backend-3443-2", "frontend"]


@pytest.mark.parametrize(
    ("written", "domain"),
    [("", ""), ("app.test", "app.test"), ({"*": ""}, {"*": ""}), ({".API.test": "a.test"}, {"api.test": "a.test"})],
    ids=["removed", "another", "every one", "one"],
)
def test_the_domain_of_cookies_is_carried_over(written: object, domain: object) -> None:
    assert route({"target": "http://localhost:1", "cookieDomainRewrite": written})["cookies"] == {"domain": domain}


def test_headers_are_set_and_host_and_origin_have_keys_of_their_own() -> None:
    found = route(
        {"target": "http://localhost:1", "headers": {"X-A": "${b}", "host": "a.test", "Origin": "http://b.test"}}
    )
    assert found["headers"] == {"request": {"set": {"X-A": "$${b}"}}}
    assert (found["host"], found["origin"]) == ("a.test", "http://b.test")


def test_a_path_of_the_target_is_put_in_front() -> None:
    assert route({"target": "http://localhost:1/base/"}, "/api")["rewrite"] == "/base/api/"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "names no `target`"),
        ({"target": {"$code": "pick()"}}, "made by code: pick()"),
        ({"target": "http://u:p@localhost:1"}, "user name or a password"),
        ({"target": "http://localhost:1?a=b"}, "has a query"),
        ({"target": "ftp://localhost"}, "http, https or unix"),
        ({"target": "http://localhost:99999"}, "is no URL"),
        ({"target": "http://localhost:1", "bypass": {"$code": "f"}}, "`bypass`: devproxy runs no functions"),
        ({"target": "http://localhost:1", "router": {"a": "b"}}, "`router`: devproxy chooses by"),
        ({"target": "http://localhost:1", "ignorePath": True}, "`ignorePath` sends every path to one path"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_carried_over_says_why_and_stays_with_the_dev_server(options: dict[str, Any], why: str) -> None:
    draft = drafted(("/api/x", options), ("/api", {"target": "http://localhost:1"}))
    assert any(line.startswith('"/api/x": ') and why in line for line in draft.tail)
    assert draft.routes[0].keys == {"path_glob": "/api/x**", "upstream": "frontend"}
    assert "Keep of `server.proxy`" in draft.head[1]


@pytest.mark.parametrize(
    "name", ["configure", "agent", "auth", "followRedirects", "onProxyReq", "selfHandleResponse", "unheardOf"]
)
def test_an_option_that_no_key_says_is_told_beside_its_route(name: str) -> None:
    draft = drafted(("/api", {"target": "http://localhost:1", name: {"$code": "x"}}))
    assert len(draft.routes) == 2
    assert any(line.startswith(f'"/api": `{name}`: ') or f"`{name}`" in line for line in draft.tail)


def test_a_key_after_a_shorter_one_is_never_reached_but_for_its_web_sockets() -> None:
    draft = drafted(
        ("/api", {"target": "http://localhost:1"}),
        ("/api/live", {"target": "http://localhost:2", "ws": True}),
        ("/api/v2", {"target": "http://localhost:3"}),
    )
    assert draft.routes[1].keys["match_headers"] == {"Sec-WebSocket-Version": "*"}
    assert '"/api/v2": It is never reached: "/api" comes first and takes its requests.' in draft.tail


def test_an_expression_after_a_prefix_leaves_its_paths_out() -> None:
    draft = drafted(("/api", {"target": "http://localhost:1"}), ("^/a.*", {"target": "http://localhost:2"}))
    assert draft.routes[1].keys["path_glob"] == "/a**"
    draft = drafted(("/api", {"target": "http://localhost:1"}), ("^/[ab]", {"target": "http://localhost:2"}))
    assert draft.routes[1].keys["path_regex"] == "(?!/api)/[ab].*"


def test_the_dev_server_is_where_it_listens() -> None:
    found = drafted(("/a", {"target": "http://localhost:1"}), server={"port": 8443, "host": "0.0.0.0", "https": True})
    assert found.upstreams[-1].servers == ("https://localhost:8443",)
    assert found.upstreams[-1].keys == {"tls_verify": False}
    found = drafted(("/a", {"target": "http://localhost:1"}), server={"port": 1, "host": "::1", "https": False})
    assert found.upstreams[-1].servers == ("http://[::1]:1",)


def test_a_configuration_without_a_proxy_is_told() -> None:
    with pytest.raises(Failed, match=r"there is no server\.proxy in vite\.config\.ts"):
        drafted()
