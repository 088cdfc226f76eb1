"""Several processes behind one port, as PM2's cluster mode has them: a session stays with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.events import Trouble, UpstreamState
from tests.e2e.harness import RunClient, StartServer, python_server
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.processes import wait_for
from tests.support.wire import address_of, config_for

TRANSPORTS = {"polling": ["polling"], "polling, then upgraded": ["polling", "websocket"]}
WORKERS = Path(__file__).resolve().parent / "python" / "socketio_workers.py"
CLIENTS = 20


@contextmanager
def before(port: int, sticky: Sticky = Sticky.SOCKETIO) -> Iterator[GatewayThread]:
    upstream = Upstream(name="backend", servers=(address_of(port),), sticky=sticky, hold_s=10)
    with gateway_thread(config_for((), upstream=upstream)) as gateway:
        wait_for(lambda: gateway.seen(UpstreamState), "that the server is found")
        yield gateway


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize("major", [2, 3, 4])
def test_all_of_twenty_clients_connect_to_four_processes(
    own_server: StartServer, node_client: RunClient, major: int, transports: list[str]
) -> None:
    server = own_server("cluster", major=major, workers=4)
    with before(server.port) as gateway:
        said: dict[str, Any] = node_client(
            "herd", url=gateway.url, major=major, clients=CLIENTS, options={"transports": transports}
        )
    assert said["errors"] == []
    assert (said["connected"], said["answered"], said["disconnects"]) == (CLIENTS, CLIENTS, 0)
    assert said["transports"] == transports[-1:]
    assert said["processes"] > 1


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_while_processes_are_killed_and_come_back_everybody_is_connected_again(
    own_server: StartServer, node_client: RunClient, transports: list[str]
) -> None:
    # A connection that Node was handing to a process when that was killed is never answered: the heartbeat finds it.
    heartbeat = {"pingInterval": 1000, "pingTimeout": 3000}
    restarts = {"restartEveryMs": 1500, "restarts": 4, "restartsAfter": CLIENTS}
    server = own_server("cluster", workers=4, options=heartbeat, **restarts)
    with before(server.port) as gateway:
        options = {"transports": transports}
        said = node_client("herd", url=gateway.url, clients=CLIENTS, options=options, seconds=6, reconnects=True)
    assert (said["connected"], said["answered"]) == (CLIENTS, CLIENTS)
    assert said["disconnects"] > 0


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize("reuse_port", [False, True], ids=["shared socket", "SO_REUSEPORT"])
def test_workers_of_python_socketio_keep_their_sessions_too(
    node_client: RunClient, transports: list[str], reuse_port: bool
) -> None:
    with (
        python_server(WORKERS, {"workers": 4, "reuse_port": reuse_port}) as server,
        before(server.port) as gateway,
    ):
        said = node_client("herd", url=gateway.url, clients=CLIENTS, options={"transports": transports})
    assert said["errors"] == []
    assert (said["connected"], said["answered"], said["disconnects"]) == (CLIENTS, CLIENTS, 0)


def test_without_the_key_the_terminal_says_once_what_happens_and_names_it(
    own_server: StartServer, node_client: RunClient
) -> None:
    server = own_server("cluster", workers=4)
    with before(server.port, Sticky.NONE) as gateway:
        node_client("herd", url=gateway.url, clients=CLIENTS, options={"transports": ["polling"]}, reconnects=True)
        [trouble] = gateway.seen(Trouble)
    assert 'sticky = "socketio"' in trouble.help
    assert "[upstreams.backend]" in trouble.help
    assert f"http://127.0.0.1:{server.port}" in trouble.what
