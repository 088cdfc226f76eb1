"""What applications use Socket.IO for, through devproxy: namespaces, paths, auth, cookies, recovery, big messages."""

from __future__ import annotations

import http.client
import json

import pytest
from tests.e2e.harness import RunClient, StartGateway, StartServer

MIB = 1024 * 1024
LARGE = 5 * MIB
LARGE_LIMITS = {"maxHttpBufferSize": 32 * MIB, "pingTimeout": 60_000}
POLLING, WEBSOCKET = ["polling"], ["websocket"]
BOTH = ["polling", "websocket"]


@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids=["polling", "websocket"])
@pytest.mark.parametrize("major", [2, 3, 4])
def test_messages_of_five_megabytes_arrive_whole_in_both_directions(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, major: int, transports: list[str]
) -> None:
    server = shared_server("socketio", major=major, options=LARGE_LIMITS)
    gateway = devproxy(backend=str(server.port))

    said = node_client("large", major=major, url=gateway.url, options={"transports": transports}, size=LARGE)

    assert said == {"bytesIntact": True, "textIntact": True, "transports": transports}


@pytest.mark.parametrize("transports", [POLLING, BOTH, WEBSOCKET], ids="-".join)
def test_namespaces_share_one_connection_and_refuse_by_themselves(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, transports: list[str]
) -> None:
    server = shared_server("socketio", major=4)
    gateway = devproxy(backend=str(server.port))

    said = node_client("namespaces", url=gateway.url, options={"transports": transports})

    assert said == {
        "main": "/",
        "admin": "/admin",
        "isOneConnection": True,
        "intruder": "not authorized",
        "nowhere": "Invalid namespace",
    }


@pytest.mark.parametrize("path", ["/ws", "/api/socket"])
def test_a_path_of_ones_own_needs_only_a_backend_path(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, path: str
) -> None:
    server = shared_server("socketio", major=4, options={"path": path})
    gateway = devproxy(backend=str(server.port), backend_paths=(path,))

    said = node_client("conversation", major=4, url=gateway.url, options={"path": path, "transports": BOTH})

    assert said["failed"] == []
    assert said["transports"] == BOTH


@pytest.mark.parametrize("transports", [BOTH, WEBSOCKET], ids="-".join)
def test_auth_and_query_reach_the_server(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, transports: list[str]
) -> None:
    server = shared_server("socketio", major=4)
    gateway = devproxy(backend=str(server.port))
    options = {"transports": transports, "auth": {"token": "tøken"}, "query": {"room": "a b&c=d"}}

    me = node_client("conversation", major=4, url=gateway.url, options=options)["me"]

    assert me["auth"] == {"token": "tøken"}
    assert me["query"]["room"] == "a b&c=d"


@pytest.mark.parametrize("transports", [POLLING, BOTH, WEBSOCKET], ids="-".join)
def test_a_cookie_set_by_rest_reaches_the_handshake(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, transports: list[str]
) -> None:
    server = shared_server("socketio", major=4)
    gateway = devproxy(backend=str(server.port))
    fields, _ = get(gateway.port, "/api/login?name=ada")
    assert fields == ["session=ada; Path=/; HttpOnly; SameSite=Lax"]
    cookie = fields[0].partition(";")[0]

    options = {"transports": transports, "extraHeaders": {"Cookie": cookie}}
    me = node_client("conversation", major=4, url=gateway.url, options=options)["me"]

    assert me["headers"]["cookie"] == cookie


def test_the_session_cookie_of_socketio_2_arrives_as_it_was_set(
    shared_server: StartServer, devproxy: StartGateway
) -> None:
    server = shared_server("socketio", major=2)
    gateway = devproxy(backend=str(server.port))

    fields, body = get(gateway.port, "/socket.io/?EIO=3&transport=polling")

    opened = body.decode()
    handshake = json.loads(opened[opened.index("{") : opened.index("}") + 1])
    assert fields == [f"io={handshake['sid']}; Path=/; HttpOnly; SameSite=Strict"]


def test_the_handshake_cookie_of_socketio_4_comes_back_with_the_upgrade(
    own_server: StartServer, devproxy: StartGateway, node_client: RunClient
) -> None:
    server = own_server("socketio", major=4, options={"cookie": {"name": "affinity", "path": "/"}})
    gateway = devproxy(backend=str(server.port))

    options = {"transports": BOTH, "withCredentials": True}
    said = node_client("conversation", major=4, url=gateway.url, options=options)

    assert said["transports"] == BOTH
    upgrade = server.json_line(lambda line: line.get("event") == "upgrade", "an upgrade")
    assert upgrade["cookie"].startswith("affinity=")


@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids="-".join)
def test_connection_state_recovery_brings_back_what_was_missed(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient, transports: list[str]
) -> None:
    server = shared_server("socketio", major=4, options={"connectionStateRecovery": {}})
    gateway = devproxy(backend=str(server.port))

    said = node_client("recovery", url=gateway.url, options={"transports": transports})

    assert said == {"isRecovered": True, "isSameId": True, "news": [1, 2, 3]}


def test_two_hundred_clients_lose_nothing_and_keep_the_order(
    shared_server: StartServer, devproxy: StartGateway, node_client: RunClient
) -> None:
    server = shared_server("socketio", major=4)
    gateway = devproxy(backend=str(server.port))

    said = node_client("crowd", url=gateway.url, clients=200, messages=50)

    assert said == {"clients": 200, "complete": 200, "inOrder": 200, "endedOnPolling": 67, "endedOnWebSocket": 133}
    assert len(gateway.events("tunnel_opened")) == 133


def get(port: int, target: str) -> tuple[list[str], bytes]:
    """The ``Set-Cookie`` fields and the body of an answer."""
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.headers.get_all("Set-Cookie", []), response.read()
    finally:
        connection.close()
