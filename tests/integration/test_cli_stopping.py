"""What a signal means to whoever is connected, and what comes first when clients are already waiting."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway_process import COMMAND, ENVIRONMENT, GatewayProcess
from tests.support.processes import PATIENCE_S, Program, free_port, wait_for

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
HELLO = b"\x81\x05hello"
FIN_AND_CLOSE = 0x88
GOING_AWAY = (1001).to_bytes(2, "big")
"""RFC 6455 section 7.4.1."""


@pytest.fixture
def backend() -> Iterator[socket.socket]:
    """A server that accepts, and leaves the rest to the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def backend_option(backend: socket.socket) -> tuple[str, str]:
    """Return the option that names `backend`."""
    return "--backend", f"127.0.0.1:{backend.getsockname()[1]}"


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read up to and with `end`, from a peer that sends nothing more before it is answered."""
    got = b""
    while not got.endswith(end):
        data = sock.recv(4096)
        assert data, f"closed after {got!r}"
        got += data
    return got


def accepted_request(backend: socket.socket) -> socket.socket:
    """Accept until a connection brings a request; devproxy also connects only to see whether somebody is there."""
    while True:
        server, _ = backend.accept()
        server.settimeout(PATIENCE_S)
        if server.recv(1, socket.MSG_PEEK):
            return server
        server.close()


def test_a_websocket_gets_a_close_frame_when_devproxy_is_told_to_stop(backend: socket.socket, tmp_path: Path) -> None:
    gateway = GatewayProcess(*backend_option(backend), cwd=tmp_path)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_S) as client:
        client.sendall(UPGRADE)
        with accepted_request(backend) as server:
            read_until(server, b"\r\n\r\n")
            server.sendall(SWITCH + HELLO)
            assert read_until(client, HELLO).startswith(b"HTTP/1.1 101 ")
            gateway.stop()
            frame = client.recv(4096)
            assert frame[0] == FIN_AND_CLOSE
            assert frame[2:4] == GOING_AWAY
            assert client.recv(4096) == b""
    (closed,) = gateway.events("tunnel_closed")
    assert closed["closed_by"] == "devproxy"


def test_ready_is_the_first_event_even_when_clients_came_before_devproxy_served(tmp_path: Path) -> None:
    port = free_port()
    command = [*COMMAND, "up", "--listen", f"127.0.0.1:{port}", "--log", "json", "--backend", str(free_port())]
    with Program(command, name="devproxy", cwd=tmp_path, environment=ENVIRONMENT) as program:

        def early_clients() -> list[socket.socket]:
            assert program.exit_code is None
            try:
                return [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)]
            except ConnectionRefusedError:
                return []

        with wait_for(early_clients, "the port to be bound")[0] as client:
            client.sendall(b"GET /early HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 503 ")
        finished = program.json_line(lambda event: event["event"] == "exchange_finished", "that it has answered")
        assert finished["target"] == "/early"
        assert json.loads(program.out[0])["event"] == "ready"
        assert program.stop() == 0


def test_a_second_devproxy_on_a_port_names_the_first_and_ends_with_1(tmp_path: Path) -> None:
    gateway = GatewayProcess("--backend", "9", cwd=tmp_path)
    try:
        second = subprocess.run(
            [*COMMAND, "up", "--listen", str(gateway.port), "--backend", "9"],
            cwd=tmp_path,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        gateway.stop()
    assert second.returncode == 1
    assert f"port {gateway.port} on 127.0.0.1 is taken by" in second.stderr
    assert f"(pid {gateway.program.pid})" in second.stderr
    assert "next free port:  devproxy up --backend 9 --listen " in second.stderr
    assert "devproxy up --backend 9 --listen auto" in second.stderr
