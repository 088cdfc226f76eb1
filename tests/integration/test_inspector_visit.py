"""The first visit of the inspector, in a process that has imported nothing for it yet: other requests do not wait."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.test_inspector import file_for, serving
from tests.support.gateway_process import GatewayProcess

MAX_WAIT_S = 0.020
ATTEMPTS = 6
"""The first that keeps to the bound counts. An import on the loop, of some 200 ms, makes one of each attempt wait.

On a busy machine requests wait without a visit as well, which is measured beside it and taken off.
"""


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    with serving() as port:
        yield port


def longest_wait(folder: Path) -> float:
    """Start a devproxy, visit its inspector, and return by how much the slowest request was slower meanwhile, in s."""
    process = GatewayProcess("--quiet", cwd=folder)
    try:
        with closing(socket.create_connection((process.host, process.port))) as client:
            slowest_of(client, time.perf_counter() + 0.05)
            visit = threading.Thread(target=look, args=(process.port,))
            began = time.perf_counter()
            visit.start()
            during = 0.0
            while visit.is_alive():
                during = max(during, slowest_of(client, 0.0))
            visit.join()
            took = time.perf_counter() - began
            return during - slowest_of(client, time.perf_counter() + took)
    finally:
        process.stop()


def slowest_of(client: socket.socket, until: float) -> float:
    """Ask again and again until `until`, once at least; return how long the slowest request took, in seconds."""
    slowest = 0.0
    while True:
        began = time.perf_counter()
        ask(client)
        now = time.perf_counter()
        slowest = max(slowest, now - began)
        if now >= until:
            return slowest


def ask(client: socket.socket) -> None:
    client.sendall(b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while not client.recv(65536).endswith(b"}\n"):
        pass


def look(port: int) -> None:
    with urllib.request.urlopen(f"http://localhost:{port}/__devproxy/api/exchanges", timeout=30) as answer:
        assert answer.status == 200
        answer.read()


@pytest.mark.alone
def test_no_request_waits_while_the_page_is_visited_for_the_first_time(backend: int, tmp_path: Path) -> None:
    (tmp_path / "devproxy.toml").write_text(file_for(backend))
    waits = []
    for _ in range(ATTEMPTS):
        waits.append(longest_wait(tmp_path))
        if waits[-1] < MAX_WAIT_S:
            return
    pytest.fail(f"one request of each visit waited: {[round(wait * 1000, 1) for wait in waits]} ms")
