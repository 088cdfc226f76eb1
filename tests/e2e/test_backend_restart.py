"""A backend that crashes and comes back: devproxy stays, says so, and clients reconnect by themselves."""

from __future__ import annotations

import http.client

import pytest
from tests.e2e.harness import Server, StartGateway, StartServer, node_command
from tests.support.processes import Json, Program, wait_for

KINDS = ("polling", "upgrading", "websocket")


def heard(client: Program, kind: str, event: str, connection: int) -> None:
    def matches(said: Json) -> bool:
        return (said.get("client"), said.get("event"), said.get("connection")) == (kind, event, connection)

    client.json_line(matches, f"{event} of the {kind} client on its connection {connection}", timeout_s=60)


def test_clients_reconnect_when_a_killed_backend_is_back(own_server: StartServer, devproxy: StartGateway) -> None:
    backend: Server = own_server("socketio", major=4)
    gateway = devproxy(backend=str(backend.port))

    with Program(node_command("clients", "steadfast", {"url": gateway.url}), name="steadfast clients") as clients:
        for kind in KINDS:
            heard(clients, kind, "echo", 1)

        backend.kill()
        for kind in KINDS:
            heard(clients, kind, "disconnect", 1)
        gateway.event("exchange_finished", lambda event: event["status"] in (502, 503), "that the backend is away")
        assert gateway.program.exit_code is None

        own_server("socketio", major=4, port=backend.port)
        for kind in KINDS:
            heard(clients, kind, "connect", 2)
            heard(clients, kind, "echo", 2)

    assert gateway.program.exit_code is None
    assert len(gateway.events("ready")) == 1


def test_while_the_backend_is_away_the_answer_says_so_and_the_page_still_comes(
    own_server: StartServer, shared_server: StartServer, devproxy: StartGateway
) -> None:
    backend, frontend = own_server("socketio", major=4), shared_server("files")
    gateway = devproxy(backend=str(backend.port), frontend=str(frontend.port))
    connection = http.client.HTTPConnection("localhost", gateway.port, timeout=30)
    backend.kill()

    connection.request("GET", "/socket.io/?EIO=4&transport=polling", headers={"Accept": "*/*"})
    refused = connection.getresponse()
    said = refused.read()
    connection.request("GET", "/page")
    page = connection.getresponse()
    page.read()
    connection.close()

    assert refused.status in (502, 503)
    assert refused.headers["X-Devproxy-Error"]
    assert str(backend.port).encode() in said
    assert page.status == 404
    assert page.headers["X-Devproxy-Error"] is None


@pytest.mark.parametrize("kind", ["websocket"])
def test_a_crash_of_the_backend_ends_its_tunnels_at_once(
    own_server: StartServer, devproxy: StartGateway, kind: str
) -> None:
    backend = own_server("socketio", major=4)
    gateway = devproxy(backend=str(backend.port))

    with Program(node_command("clients", "steadfast", {"url": gateway.url}), name="steadfast clients") as clients:
        heard(clients, kind, "echo", 1)
        wait_for(lambda: len(gateway.events("tunnel_opened")) >= 2, "two tunnels")
        backend.kill()
        heard(clients, kind, "disconnect", 1)
        ended = gateway.event("tunnel_closed", lambda event: True, "that a tunnel is closed")

    assert ended["closed_by"] == "upstream"
