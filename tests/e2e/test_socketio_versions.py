"""Socket.IO servers 2, 3 and 4 of Node with the clients 2, 3 and 4, through devproxy: whatever works directly works."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from tests.e2e.harness import RunClient, Server, StartGateway, StartServer
from tests.support.gateway_process import GatewayProcess

POLLING, WEBSOCKET = "polling", "websocket"
TRANSPORTS = {
    "polling only": [POLLING],
    "polling, then upgraded": [POLLING, WEBSOCKET],
    "websocket only": [WEBSOCKET],
}
COMPATIBLE = [
    # server, client, allowEIO3
    (2, 2, False),
    (3, 2, True),
    (3, 3, False),
    (3, 4, False),
    (4, 2, True),
    (4, 3, False),
    (4, 4, False),
]
INCOMPATIBLE = [(3, 2), (4, 2), (2, 3), (2, 4)]

PER_HOP = {"connection", "keep-alive", "date"}
"""Fields that may differ between two answers that say the same."""


def socketio_server(start: StartServer, major: int, *, allows_eio3: bool) -> Server:
    options = {"allowEIO3": True} if allows_eio3 else {}
    return start("socketio", major=major, options=options)


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize(
    ("server_major", "client_major", "allows_eio3"),
    COMPATIBLE,
    ids=[f"server {s} client {c}{' allowEIO3' if e else ''}" for s, c, e in COMPATIBLE],
)
def test_a_compatible_client_and_server_converse(
    shared_server: StartServer,
    devproxy: StartGateway,
    node_client: RunClient,
    server_major: int,
    client_major: int,
    allows_eio3: bool,
    transports: list[str],
) -> None:
    server = socketio_server(shared_server, server_major, allows_eio3=allows_eio3)
    gateway = devproxy(backend=str(server.port))

    said = node_client("conversation", major=client_major, url=gateway.url, options={"transports": transports})

    assert said["failed"] == []
    assert said["transports"] == transports
    assert said["me"]["transport"] == transports[-1]
    assert said["me"]["headers"]["host"] == f"{gateway.host}:{gateway.port}"
    server.json_line(
        lambda line: line.get("event") == "disconnect" and line["id"] == said["id"],
        "that the client's disconnection arrived",
    )
    tunnels = gateway.events("tunnel_opened")
    assert len(tunnels) == (WEBSOCKET in transports)
    assert all(tunnel["protocol"].lower() == "websocket" for tunnel in tunnels)


@pytest.mark.parametrize("transport", [POLLING, WEBSOCKET])
@pytest.mark.parametrize(
    ("server_major", "client_major"), INCOMPATIBLE, ids=[f"server {s} client {c}" for s, c in INCOMPATIBLE]
)
def test_an_incompatible_client_is_told_the_same_as_directly(
    shared_server: StartServer,
    devproxy: StartGateway,
    node_client: RunClient,
    server_major: int,
    client_major: int,
    transport: str,
) -> None:
    server = socketio_server(shared_server, server_major, allows_eio3=False)
    gateway = devproxy(backend=str(server.port))
    options = {"transports": [transport]}

    directly = node_client("refusal", major=client_major, url=server.url, options=options)
    through = node_client("refusal", major=client_major, url=gateway.url, options=options)

    assert directly["connected"] is False
    assert through == directly


@pytest.mark.parametrize("major", [3, 4])
def test_the_refusal_of_an_old_protocol_is_passed_on_whole(
    shared_server: StartServer, devproxy: StartGateway, major: int
) -> None:
    server = socketio_server(shared_server, major, allows_eio3=False)
    gateway = devproxy(backend=str(server.port))
    target = "/socket.io/?EIO=3&transport=polling"

    directly = answer(server.port, target)
    through = answer(gateway.port, target)

    assert directly["status"] == 400
    assert directly["body"] == b'{"code":5,"message":"Unsupported protocol version"}'
    added = [("Vary", "Origin")]  # whether a page may read it depends on where the page is from
    assert through == {**directly, "fields": [*directly["fields"], *added]}


def answer(port: int, target: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        fields = [(name, value) for name, value in response.getheaders() if name.lower() not in PER_HOP]
        return {"status": response.status, "reason": response.reason, "fields": fields, "body": response.read()}
    finally:
        connection.close()


def test_every_request_is_reported_as_finished_without_an_error(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient
) -> None:
    server = socketio_server(shared_server, 4, allows_eio3=False)
    gateway: GatewayProcess = devproxy(backend=str(server.port))

    node_client("conversation", major=4, url=gateway.url, options={"transports": [POLLING]})
    gateway.event(
        "exchange_finished",
        lambda event: event["method"] == "GET" and event["outcome"] == "complete",
        "that the polls are finished",
    )
    gateway.stop()

    exchanges = gateway.events("exchange_finished")
    assert len(exchanges) >= 10
    assert {exchange["error"] for exchange in exchanges} == {""}
    assert {exchange["outcome"] for exchange in exchanges} <= {"complete", "client-left"}
