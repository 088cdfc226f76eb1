"""Entries of http-proxy-middleware in Express, webpack, Create React App and Angular."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.config.drafts import Draft
from devproxy.importing import angular, cra, webpack
from devproxy.importing.asked import Failed

SERVER = {"port": 3000, "host": "", "https": False}


def entry(**given: Any) -> dict[str, Any]:
    return {"filter": None, "options": {"target": "http://localhost:3001"}, "probes": None, "upgrades": None} | given


def of_cra(*entries: dict[str, Any], proxy: object = None) -> Draft:
    return cra.draft({"proxy": proxy, "server": SERVER, "socket": "/ws", "entries": list(entries)})


def of_webpack(*entries: dict[str, Any], hooks: dict[str, Any] | None = None, port: int = 8080) -> Draft:
    return webpack.draft(
        {
            "version": "5.2.7",
            "file": "webpack.config.js",
            "server": SERVER | {"port": port},
            "socket": "/ws",
            "entries": list(entries),
            "hooks": hooks or {},
        }
    )


def test_a_mount_is_whole_segments_and_what_strips_is_rewritten() -> None:
    probes = [["/api/a", "/a"], ["/api/a/b?x=1", "/a/b?x=1"], ["/api", "/"], ["/api?x=1", "/?x=1"]]
    draft = of_cra(entry(mount="/api", strips=True, probes=probes))
    assert draft.routes[0].keys == {"path": "/api/", "upstream": "backend", "strip_prefix": True}


def test_web_sockets_of_a_mount_that_strips_keep_their_path() -> None:
    probes = [["/api/a", "/a"], ["/api/a/b?x=1", "/a/b?x=1"]]
    options = {"target": "http://localhost:3001", "ws": True}
    draft = of_cra(entry(mount="/api", strips=True, probes=probes, options=options))
    first, second = draft.routes[:2]
    assert first.keys == {"path": "/api/", "upstream": "backend", "match_headers": {"Sec-WebSocket-Version": "*"}}
    assert second.keys["strip_prefix"] is True
    assert any("every WebSocket, whatever its path" in line for line in first.comments)


def test_code_stays_with_the_dev_server_where_a_later_entry_would_take_its_paths() -> None:
    code = entry(mount="/api/mock", code={"$code": "(request, response) => {}"})
    draft = of_cra(code, entry(filter="/api"))
    assert draft.routes[0].keys == {"path": "/api/mock/", "upstream": "frontend"}
    assert any("code of its own" in line for line in draft.tail)


def test_the_key_proxy_is_carried_over_for_what_is_not_get() -> None:
    draft = of_cra(proxy="http://localhost:4000/base")
    assert draft.routes[0].keys == {
        "path": "/",
        "upstream": "backend",
        "rewrite": "/base/",
        "methods": ("POST", "PUT", "PATCH", "DELETE"),
        "host": "upstream",
        "origin": "upstream",
    }
    assert draft.routes[1].keys == {"path": "/", "upstream": "frontend"}


@pytest.mark.parametrize("proxy", [{"/api": {}}, "http://u:p@localhost", "ftp://localhost"], ids=str)
def test_a_key_proxy_that_cannot_be_is_told(proxy: object) -> None:
    assert any('"proxy" of package.json' in line for line in of_cra(proxy=proxy).tail)


def test_devproxy_listens_elsewhere_where_the_dev_server_has_its_port() -> None:
    assert of_webpack(entry(filter="/api")).server == {"listen": "localhost:8081"}
    assert of_webpack(entry(filter="/api"), port=9000).server == {}


def test_hot_reload_keeps_its_socket_where_an_entry_would_take_it() -> None:
    draft = of_webpack(entry(filter="/w", options={"target": "http://localhost:3001", "ws": True}))
    assert draft.routes[0].keys == {
        "path_exact": "/ws",
        "upstream": "frontend",
        "match_headers": {"Sec-WebSocket-Version": "*"},
    }


def test_what_is_left_out_goes_to_the_dev_server() -> None:
    draft = of_webpack(entry(filter=["/api/**", "!/api/own/**"]))
    assert [route.keys["path"] for route in draft.routes] == ["/api/own/", "/api/", "/"]
    assert draft.routes[0].keys["upstream"] == "frontend"


def test_functions_that_add_middleware_are_told() -> None:
    draft = of_webpack(entry(filter="/api"), hooks={"setupMiddlewares": {"$code": "(list) => list"}})
    assert any(line.startswith("devServer.setupMiddlewares: ") for line in draft.tail)


def test_angular_hands_its_proxy_to_vite_or_to_webpack() -> None:
    facts: dict[str, Any] = {"version": "20.3.41", "file": "proxy.conf.json", "server": SERVER}
    glob = {"key": "/api/**", "isGlob": True, "options": {"target": "http://localhost:3001"}, "probes": None}
    draft = angular.draft(facts | {"kind": "vite", "entries": [glob]})
    assert draft.routes[0].keys == {"path": "/api/", "upstream": "backend"}
    draft = angular.draft(facts | {"kind": "webpack", "entries": [entry(filter=["/api"])]})
    assert draft.routes[0].keys == {"path_glob": "/api**", "upstream": "backend"}


def test_a_project_without_a_proxy_is_told() -> None:
    with pytest.raises(Failed, match=r'neither "proxy" in package\.json nor src/setupProxy\.js'):
        of_cra()
    with pytest.raises(Failed, match=r"no devServer\.proxy in webpack\.config\.js"):
        of_webpack()
    with pytest.raises(Failed, match=r"angular\.json, which names no proxyConfig"):
        angular.draft({"version": "", "file": "", "server": SERVER, "kind": "vite", "entries": []})


def test_hot_reload_keeps_its_socket_from_what_takes_every_path() -> None:
    draft = of_webpack(entry(filter="**", options={"target": "http://localhost:3001", "ws": True}))
    assert draft.routes[0].keys["path_exact"] == "/ws"
    assert draft.routes[1].keys == {"path": "/", "upstream": "backend"}
