"""The library ``ws`` on both sides: what client and server agree on is theirs, devproxy changes no byte of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.harness import RunClient, Server, StartGateway, node_server
from tests.support.processes import Json

NO_STATUS, ABNORMAL = 1005, 1006
"""RFC 6455 §7.4.1: what an endpoint reports when a Close frame had no code, and when there was no Close frame."""


def close_seen_by(server: Server, pathname: str) -> Json:
    said = server.json_line(
        lambda line: line.get("event") == "close" and line["pathname"] == pathname, f"the close of {pathname}"
    )
    return {"code": said["code"], "reason": said["reason"]}


@pytest.fixture(scope="module")
def server(node_packages: None) -> Iterator[Server]:
    with node_server("websocket", {}) as running:
        yield running


@pytest.fixture
def said(server: Server, devproxy: StartGateway, node_client: RunClient) -> Any:
    gateway = devproxy(frontend=str(server.port))
    return node_client("websocket", url=gateway.url.replace("http:", "ws:"))


def test_everything_of_a_websocket_passes_as_it_is(said: Any, server: Server) -> None:
    assert said["echo"] == {
        "protocol": "chat.v2",
        "extensions": "permessage-deflate",
        "binary": True,
        "compressed": True,
        "fragmented": "fragmented",
        "pong": "are you there",
    }
    assert said["plain"] == {"protocol": "", "extensions": ""}
    assert said["greeting"] == "first words"

    assert said["closedByServer"] == {"code": 4002, "reason": "so long"}
    assert said["closedByClient"] == {"code": 4001, "reason": "bye"}
    assert close_seen_by(server, "/client-closes") == {"code": 4001, "reason": "bye"}

    assert said["killedByServer"] == {"code": ABNORMAL, "reason": ""}
    assert said["killedByClient"] == {"code": ABNORMAL, "reason": ""}
    assert close_seen_by(server, "/client-dies") == {"code": ABNORMAL, "reason": ""}

    assert said["refused"] == {"status": 401, "challenge": "Bearer", "body": '{"error":"sign in first"}'}
