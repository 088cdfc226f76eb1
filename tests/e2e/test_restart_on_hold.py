"""A real backend restarts behind an upstream with `hold_s`: what can wait does, and nobody who could is refused."""

from __future__ import annotations

import http.client
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from devproxy.config.model import Upstream
from devproxy.events import ExchangeFinished, UpstreamState
from tests.e2e.harness import StartServer, node_command
from tests.support.gateway_thread import gateway_thread
from tests.support.processes import Json, Program, wait_for
from tests.support.wire import address_of, config_for

KINDS = ("polling", "upgrading", "websocket")


def test_a_restart_costs_no_safe_request_and_clients_come_back_through_held_handshakes(own_server: StartServer) -> None:
    backend = own_server("socketio", major=4)
    upstream = Upstream(name="backend", servers=(address_of(backend.port),), hold_s=60)
    with (
        gateway_thread(config_for((), upstream=upstream)) as gateway,
        Program(node_command("clients", "steadfast", {"url": gateway.url}), name="steadfast clients") as clients,
        ThreadPoolExecutor() as threads,
    ):
        for kind in KINDS:
            heard(clients, kind, "echo", 1)
        backend.kill()
        wait_for(lambda: len(gateway.seen(UpstreamState)) == 2, "that the backend is known to be away")
        pages = [threads.submit(status_of, gateway.origin, "GET") for _ in range(20)]
        assert status_of(gateway.origin, "POST") == 503
        assert not any(page.done() for page in pages)

        own_server("socketio", major=4, port=backend.port)
        assert [page.result(60) for page in pages] == [404] * 20, "the backend's own answer"
        for kind in KINDS:
            heard(clients, kind, "echo", 2)

        refused = [one for one in gateway.seen(ExchangeFinished) if one.status == 503 and one.method == b"GET"]
        assert refused == []
        assert [state.is_up for state in gateway.seen(UpstreamState)] == [True, False, True]


def status_of(origin: str, method: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=60)
    try:
        connection.request(method, "/page")
        return connection.getresponse().status
    finally:
        connection.close()


def heard(client: Program, kind: str, event: str, connection: int) -> None:
    def matches(said: Json) -> bool:
        return (said.get("client"), said.get("event"), said.get("connection")) == (kind, event, connection)

    client.json_line(matches, f"{event} of the {kind} client on its connection {connection}", timeout_s=60)
