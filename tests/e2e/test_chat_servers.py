"""The two servers of examples/chat, Node's and Python's, are one to the page: both answer the same through devproxy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.harness import RunClient, StartGateway
from tests.e2e.install import CHAT
from tests.support.processes import Program, free_port

SERVERS: dict[str, list[str | Path]] = {
    "server.mjs": ["node", CHAT / "server.mjs"],
    "server.py": [sys.executable, CHAT / "server.py"],
}


@pytest.fixture(params=SERVERS)
def chat_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of one of the two servers."""
    port = free_port()
    with Program(SERVERS[request.param], name=request.param, environment={"PORT": str(port)}) as server:
        server.line(f"http://localhost:{port}/")
        yield port


def test_both_servers_answer_the_page_the_same(chat_port: int, devproxy: StartGateway, node_client: RunClient) -> None:
    gateway = devproxy(backend=str(chat_port))

    said = node_client("chat", url=gateway.url)

    assert said == {
        "guest": True,
        "guestCookie": ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax", "chat_name=…"],
        "nameless": 422,
        "me": {"name": "Žofie"},
        "welcome": {"name": "Žofie", "history": 0},
        "message": {"name": "Žofie", "text": "Hello", "isNotice": False},
        "isAcknowledgedById": True,
        "uploaded": {"name": "a b.bin", "size": 1_500_000, "sha256": True},
        "notice": {"name": "Žofie", "text": "uploaded a b.bin (1,500,000 bytes)", "isNotice": True},
        "clock": "text/event-stream",
        "clockSays": ["people", "time"],
        "transports": ["polling", "websocket"],
    }
