"""What the inspector makes of real conversations: Socket.IO 2, 3 and 4 of Node and python-socketio, both transports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import RunClient, StartServer, python_server
from tests.support.inspecting import Inspected, inspected

POLLING, WEBSOCKET = "polling", "websocket"
TRANSPORTS = {"polling": [POLLING], "upgraded": [POLLING, WEBSOCKET], "websocket": [WEBSOCKET]}
VALUES = 6
"""Values that the client sends and gets back, each as an event with an acknowledgement and as one that is answered."""
PYTHON = Path(__file__).parent / "python" / "socketio_server.py"


def file_for(port: int) -> str:
    head = f'[inspector]\ncapture = true\n[upstreams]\nbackend = "http://127.0.0.1:{port}"\n'
    return f'{head}[[routes]]\npath = "/"\nupstream = "backend"\n'


def packets(page: Inspected) -> list[tuple[str, dict[str, Any]]]:
    """Every packet of every exchange, with its direction, in the order of the exchanges."""
    found = []
    for row in page.rows():
        if row["kind"] in ("poll", "websocket"):
            for message in page.get(f"exchanges/{row['id']}/messages?secrets=1")["messages"]:
                if message["kind"] in ("message", "poll"):
                    assert message["packets"], f"{message} is no packet"
                found += [(message["direction"], packet) for packet in message["packets"]]
    return found


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize(
    ("server", "client"), [(2, 2), (3, 3), (4, 4), (4, 2), ("python", 4)], ids=lambda one: str(one)
)
def test_every_packet_is_read_as_it_was_meant(
    shared_server: StartServer, node_client: RunClient, server: int | str, client: int, transports: list[str]
) -> None:
    if isinstance(server, str):
        with python_server(PYTHON, {}) as running:
            check(running.port, node_client, client, transports)
        return
    options = {"allowEIO3": True} if server > client else {}
    check(shared_server("socketio", major=server, options=options).port, node_client, client, transports)


def check(port: int, node_client: RunClient, client: int, transports: list[str]) -> None:
    eio = 3 if client == 2 else 4
    with inspected(file_for(port)) as page:
        said = node_client("conversation", major=client, url=f"{page.origin}/", options={"transports": transports})
        assert said["failed"] == []
        page.wait(lambda: all(row["state"] == "done" for row in page.rows()), "the end of the conversation")
        found = packets(page)
        (session,) = page.get("sessions?secrets=1")["sessions"]
        assert (session["eio"], session["transport"], session["state"]) == (eio, transports[-1], "closed")
        assert session["upgrade"] == ("done" if len(transports) == 2 else "none")
        assert session["namespaces"] == ["/"]
        assert session["ping_interval_s"] == 25
        assert session["why_closed"]
        masked = page.get("sessions")["sessions"][0]
        assert masked["sid"] != session["sid"]
        assert page.get(f"sessions/{masked['sid']}")["sid"] == masked["sid"]
        kinds = Counter((direction, packet["type"]) for direction, packet in found)
        rounds = 2 if WEBSOCKET in transports else 1
        if client == 4:
            assert session["sid"] != said["id"], "the id of the session is Engine.IO's, that of the socket another"
    assert kinds["down", "open"] == 1
    if eio == 4:
        assert kinds["up", "connect"] == 1
    assert kinds["down", "connect"] == 1
    events = Counter(
        packet["event"]
        for direction, packet in found
        if packet["type"] in ("event", "binary_event") and direction == "up"
    )
    assert events == {"echo": VALUES * rounds, "call me": VALUES * rounds, "who am I": 1}
    acks = [
        packet["ack"] for direction, packet in found if packet["type"] in ("ack", "binary_ack") and direction == "down"
    ]
    assert len(acks) == VALUES * rounds + 1
    assert sorted(acks) == list(range(VALUES * rounds + 1))
    # Of the values, one is bytes and one holds two: each is sent and comes back twice.
    assert kinds["up", "attachment"] == kinds["down", "attachment"] == 3 * 2 * rounds
    texts = [packet["data"] for _, packet in found if packet["type"] == "event" and packet["event"] == "echo"]
    assert ["Příliš žluťoučký kůň 🐎 \u2028 \u0000 \x1e 漢字"] in texts
