"""What the services of a compose file are taken for."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.config import load
from devproxy.config.drafts import Draft, text_of
from devproxy.importing import compose
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.dev_servers import listening_beside


def drafted(**services: Any) -> Draft:
    draft = compose.draft({"file": "compose.yaml", "document": {"services": services}})
    load(text_of(draft).encode(), source="devproxy.toml")
    return draft


def addresses(draft: Draft) -> dict[str, str]:
    return {upstream.name: upstream.servers[0] for upstream in draft.upstreams}


def test_pages_go_to_what_is_called_like_a_frontend_and_the_usual_paths_to_the_other() -> None:
    draft = drafted(api={"ports": ["3001:3001"]}, web={"ports": ["5173:5173"]})
    assert [(route.keys["path"], route.keys["upstream"]) for route in draft.routes] == [
        ("/socket.io/", "api"),
        ("/api/", "api"),
        ("/", "web"),
    ]


def test_more_servers_get_a_path_of_their_name() -> None:
    draft = drafted(api={"ports": ["1:1"]}, auth={"ports": ["2:2"]}, front={"ports": ["3:3"]})
    assert draft.routes[2].keys == {"path": "/auth/", "upstream": "auth", "strip_prefix": True}


@pytest.mark.parametrize(
    ("port", "address"),
    [
        ("3001:80", "http://localhost:3001"),
        ("127.0.0.1:3001:80", "http://localhost:3001"),
        ("192.168.1.5:3001:80/tcp", "http://192.168.1.5:3001"),
        ("[::1]:3001:80", "http://localhost:3001"),
        ("${PORT:-3001}:80", "http://localhost:3001"),
        ({"target": 80, "published": "3001"}, "http://localhost:3001"),
        ({"target": 80, "published": 3001, "host_ip": "10.0.0.2"}, "http://10.0.0.2:3001"),
    ],
    ids=str,
)
def test_a_port_is_read_in_every_form(port: object, address: str) -> None:
    assert addresses(drafted(api={"ports": [port]})) == {"api": address}


def test_lists_made_of_each_other_are_no_ports() -> None:
    bomb: list[object] = ["x"] * 9
    for _ in range(20):
        bomb = [bomb] * 9  # as YAML's aliases make them: short to write, and endless as text
    service = {"ports": [*bomb, {"target": bomb, "published": bomb}, "3001:80", "0:81"], "expose": bomb}
    draft = drafted(api=service)
    assert addresses(draft) == {"api": "http://localhost:3001"}
    assert "other ports" not in text_of(draft)


def test_any_number_of_services_leaves_a_port_for_devproxy() -> None:
    head: list[str] = []
    assert listening_beside(range(8080, 20_000), head) == {"listen": "localhost:20000"}


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ({"image": "postgres:17", "ports": ["5432:5432"]}, "does not look like a server of HTTP"),
        ({"image": "own", "ports": ["6379:6379"]}, "does not look like a server of HTTP"),
        ({"image": "traefik:3", "ports": ["80:80"]}, "is a proxy itself"),
        ({"image": "own", "expose": ["3001"]}, "publishes no port"),
        ({"image": "own", "ports": ["3001"]}, "chosen when it starts"),
        ({"image": "own", "ports": ["$PORT:3001"]}, "chosen when it starts"),
    ],
    ids=str,
)
def test_a_service_that_cannot_be_reached_is_told(service: dict[str, Any], why: str) -> None:
    draft = drafted(other=service, api={"ports": ["3001:3001"]})
    assert list(addresses(draft)) == ["api"]
    assert any(line.startswith("service other: ") and why in line for line in draft.tail)


def test_devproxy_listens_where_no_service_does() -> None:
    assert drafted(a={"ports": ["8080:80"]}, b={"ports": ["8081:80"]}).server == {"listen": "localhost:8082"}


@pytest.mark.parametrize(
    "services", [None, [], {}, {"a": None}, {"a": {"ports": "3001:3001"}}, {"a": {"ports": [None]}}]
)
def test_a_file_without_a_server_is_told(services: Any) -> None:
    with pytest.raises(Failed, match="publishes a port"):
        compose.draft({"file": "compose.yaml", "document": {"services": services}})


@pytest.mark.parametrize("text", ["- a", "a: [", "a: b: c", "\x00"], ids=["a list", "unclosed", "no YAML", "a control"])
def test_what_is_no_compose_file_is_told(text: str, tmp_path: Any) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    with pytest.raises(Failed, match=r"is not YAML|is no compose file"):
        compose.draft(compose.read(Asked(tmp_path, None, 10.0)))


def test_more_rules_than_can_be_compared_are_refused() -> None:
    services = {f"api-{number}": {"ports": [f"{number + 9000}:80"]} for number in range(1200)}
    with pytest.raises(Failed, match="1200 rules, and 1000 at most are carried over"):
        compose.draft({"file": "compose.yaml", "document": {"services": services}})
