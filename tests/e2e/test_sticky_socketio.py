"""Several real Socket.IO servers behind one route: sessions stay, broadcasts reach all, a dead server is survived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.events import ExchangeFinished, TunnelOpened, UpstreamState
from tests.e2e import install
from tests.e2e.harness import RunClient, StartServer, node_command, python_server
from tests.e2e.harness import Server as ServerProgram
from tests.support.gateway_thread import GatewayThread, gateway_thread
from tests.support.processes import Json, Program, free_port, parsed, wait_for
from tests.support.wire import address_of, config_for

PYTHON_SERVER = Path(__file__).resolve().parent / "python" / "socketio_server.py"
TRANSPORTS = {
    "polling only": ["polling"],
    "polling, then upgraded": ["polling", "websocket"],
    "websocket only": ["websocket"],
}


@contextmanager
def balanced(ports: list[int], *, host: str = "127.0.0.1") -> Iterator[GatewayThread]:
    """Run a gateway in front of the servers at `ports`."""
    servers = tuple(address_of(port, host=host) for port in ports)
    upstream = Upstream(name="backend", servers=servers, sticky=Sticky.SOCKETIO, hold_s=10)
    with gateway_thread(config_for((), upstream=upstream)) as gateway:
        wait_for(lambda: len(gateway.seen(UpstreamState)) == len(ports), "that all servers are found")
        yield gateway


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis server that keeps nothing."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with Program(command, name="redis-server", cwd=tmp_path) as redis:
        redis.line("Ready to accept connections")
        yield f"redis://127.0.0.1:{port}"


@pytest.fixture
def scaled(redis_url: str) -> Iterator[list[int]]:
    """The two servers of examples/scaled, by their ports."""
    ports = []
    with ExitStack() as running:
        for name in ("one", "two"):
            environment = {"PORT": "0", "REDIS_URL": redis_url}
            command: list[str | Path] = ["node", install.SCALED / "server.mjs"]
            server = running.enter_context(Program(command, name=f"server {name}", environment=environment))
            ports.append(int(server.line("http://localhost:").rstrip("/").rpartition(":")[2]))
        yield ports


def test_a_broadcast_at_one_server_reaches_the_clients_of_both(scaled: list[int], node_client: RunClient) -> None:
    with balanced(scaled, host="localhost") as gateway:
        said = node_client("company", url=gateway.url, clients=12)

    # A session that is just changing its transport counts twice, so the halves need not be equal.
    assert all(4 <= Counter(said["ports"])[port] <= 8 for port in scaled)
    assert said["heardFrom"] == [sorted(scaled)] * 12
    assert said["disconnects"] == 0


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize("major", [2, 3, 4])
def test_every_version_stays_with_its_server(
    own_server: StartServer, node_client: RunClient, major: int, transports: list[str]
) -> None:
    servers = [own_server("socketio", major=major) for _ in range(2)]
    with balanced([server.port for server in servers]) as gateway:
        for _ in range(2):
            said = node_client("conversation", major=major, url=gateway.url, options={"transports": transports})
            assert said["failed"] == []
            assert said["transports"] == transports
        wait_for(lambda: all(handshakes(gateway).values()), "that both servers had a client")
        assert {event.status for event in gateway.seen(ExchangeFinished)} <= {200}


def handshakes(gateway: GatewayThread) -> Counter[str]:
    """Count by server the requests that opened a session, over polling or as WebSockets."""
    counts: Counter[str] = Counter({state.server: 0 for state in gateway.seen(UpstreamState)})
    events: list[ExchangeFinished | TunnelOpened] = [*gateway.seen(ExchangeFinished), *gateway.seen(TunnelOpened)]
    counts.update(event.server for event in events if b"EIO=" in event.target and b"sid=" not in event.target)
    return counts


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_clients_stay_with_their_server_of_python_socketio(node_client: RunClient, transports: list[str]) -> None:
    with ExitStack() as running:
        servers: list[ServerProgram] = [running.enter_context(python_server(PYTHON_SERVER, {})) for _ in range(2)]
        with balanced([server.port for server in servers]) as gateway:
            for _ in range(2):
                said = node_client("conversation", major=4, url=gateway.url, options={"transports": transports})
                assert said["failed"] == []
                assert said["transports"] == transports
            wait_for(lambda: all(handshakes(gateway).values()), "that both servers had a client")


def test_a_crowd_keeps_the_order_of_its_messages_over_two_servers(
    own_server: StartServer, node_client: RunClient
) -> None:
    servers = [own_server("socketio", major=4) for _ in range(2)]
    with balanced([server.port for server in servers]) as gateway:
        said = node_client("crowd", url=gateway.url, clients=30, messages=50)
        counts = handshakes(gateway)

    assert (said["complete"], said["inOrder"]) == (30, 30)
    assert (said["endedOnPolling"], said["endedOnWebSocket"]) == (10, 20)
    assert min(counts.values()) >= 10


def test_clients_of_a_killed_server_reconnect_to_the_other_and_it_is_found_again(own_server: StartServer) -> None:
    servers = [own_server("socketio", major=4) for _ in range(2)]
    with (
        balanced([server.port for server in servers]) as gateway,
        Program(node_command("clients", "steadfast", {"url": gateway.url}), name="steadfast clients") as clients,
    ):
        kinds = ("polling", "upgrading", "websocket")
        for kind in kinds:
            heard(clients, kind, "echo", 1)
        assert all(handshakes(gateway).values()), "each server has a client"

        servers[0].kill()
        clients.json_line(lambda said: said.get("event") == "disconnect", "that clients are cut off", timeout_s=60)
        wait_for(lambda: len(lost(clients)) >= 1, "who was cut off")
        for kind in lost(clients):
            heard(clients, kind, "echo", 2)
        wait_for(lambda: [state.is_up for state in gateway.seen(UpstreamState)][2:] == [False], "that it is said once")
        assert 1 <= len(lost(clients)) <= 2, "those of the other server stay connected"

        own_server("socketio", major=4, port=servers[0].port)
        wait_for(lambda: len(gateway.seen(UpstreamState)) == 4, "that the server is found again")
        assert gateway.seen(UpstreamState)[3].is_up


def lost(clients: Program) -> set[str]:
    """Return the clients that have been cut off so far."""
    said = [parsed(line) for line in list(clients.out)]
    return {one["client"] for one in said if one and one.get("event") == "disconnect"}


def heard(client: Program, kind: str, event: str, connection: int) -> None:
    def matches(said: Json) -> bool:
        return (said.get("client"), said.get("event"), said.get("connection")) == (kind, event, connection)

    client.json_line(matches, f"{event} of the {kind} client on its connection {connection}", timeout_s=60)
