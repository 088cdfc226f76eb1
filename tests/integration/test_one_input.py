"""One input does not stop the others: beside it, a health check is answered within a second, and SIGTERM ends it."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway_process import COMMAND, ENVIRONMENT
from tests.support.processes import Program, wait_for

HEALTH_S = 1.0
END_S = 5.0
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
BROKEN = b"x\n\r\n"
INPUTS = {
    "an Origin of blanks": HEAD + b"Origin:" + b" " * 6000 + BROKEN,
    "a Host of blanks": b"GET / HTTP/1.1\r\nOrigin: http://a.test\r\nHost:" + b" \t" * 3000 + BROKEN,
    "many Origins of blanks": HEAD + (b"Origin:" + b" " * 600 + b"\r\n") * 10 + BROKEN,
    "a query of encoded semicolons": b"GET /?" + b"%3B" * 10_800 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the same for a foreign host": b"GET /?" + b"%3B" * 10_800 + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "encoded slashes": b"GET /?" + b"%2F%2F" * 5_400 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "beginnings of tokens": b"GET /" + b"eyJa." * 6_400 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path for an expression": b"GET " + b"/a" * 2_500 + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a target of 8 KiB": b"GET /" + b"a/" * 4_096 + b"?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "1,000 header lines": HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(1000)) + b"\r\n",
    "options and trailers": HEAD + b"Connection: " + b",".join(b"a%d" % number for number in range(9000))
    + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2000 + b"\r\n",
    "a Cookie of 60 KiB": HEAD + b"Cookie: " + b"a=b; " * 12_000 + b"\r\n\r\n",
    "many names that a preflight asks for": (
        b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
        b"Access-Control-Request-Method: PUT\r\n"
        b"Access-Control-Request-Headers: " + b",".join(b"x%d" % number for number in range(9000)) + b"\r\n\r\n"
    ),
}  # fmt: skip
ANSWERS = {
    "a Link of escaped quotation marks": b"Link: " + b'\\"' * 15_000,
    "a Link of quotation marks that never end": b'Link: "' + b'\\"' * 15_000,
    "a Link of brackets": b"Link: " + b"<" * 30_000,
    "a Location of dots": b"Location: /" + b"../" * 10_000,
    "many permissions": b"Access-Control-Allow-Headers: " + b",".join(b"x%d" % number for number in range(9000)),
    "a Set-Cookie of semicolons": b"Set-Cookie: a=b" + b";" * 30_000,
    "a Vary of commas": b"Vary: " + b"," * 30_000,
}


@pytest.fixture(params=[(), ("--verbose",), ("--log", "json")], ids=["default", "verbose", "json"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Program, int, dict[str, bytes]]]:
    """A devproxy with each kind of log before a server whose answers have the field that the test puts there."""
    said = {"field": b"X: y"}
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, said), daemon=True).start()
    port = listener.getsockname()[1]
    (tmp_path / "devproxy.toml").write_text(
        f'[server]\nlisten = "localhost:0"\nmax_fields = 2000\n[upstreams]\nb = "http://127.0.0.1:{port}"\n'
        "[[routes]]\npath_regex = '/.*/[^/]*/edit'\nupstream = \"b\"\n"
        '[[routes]]\npath = "/"\nupstream = "b"\ncookies = { domain = "", prefix = "p_" }\n'
    )
    command = [*COMMAND, "up", *request.param]
    program = Program(command, name="devproxy", cwd=tmp_path, environment=ENVIRONMENT)
    try:
        found = wait_for(lambda: listening([*program.err, *program.out]), "that it listens")
        assert found is not None
        yield program, found, said
        begun = time.monotonic()
        assert program.stop() == 0
        assert time.monotonic() - begun < END_S
    finally:
        program.kill()
        listener.close()


def listening(lines: list[str]) -> int | None:
    for line in lines:
        _, found, rest = line.partition("http://localhost:")
        if found:
            return int("".join(char for char in rest[:6] if char.isdigit()))
    return None


def serve(listener: socket.socket, said: dict[str, bytes]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(client, said), daemon=True).start()


def answer(client: socket.socket, said: dict[str, bytes]) -> None:
    with client:
        got = b""
        while b"\r\n\r\n" not in got:
            data = client.recv(65536)
            if not data:
                return
            got += data
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n" + said["field"] + b"\r\n\r\n")
        while client.recv(65536):
            pass


def send_beside_health(port: int, octets: bytes) -> bytes:
    """Send `octets` and, while they are worked on, ask for the health; return the beginning of what came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(octets)
        begun = time.monotonic()
        health = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        health.request("GET", "/__devproxy/health")
        assert health.getresponse().status == 200
        assert time.monotonic() - begun < HEALTH_S
        health.close()
        return client.recv(65536)


def test_no_request_stops_another_client(gateway: tuple[Program, int, dict[str, bytes]]) -> None:
    _, port, _ = gateway
    for what, octets in INPUTS.items():
        assert send_beside_health(port, octets).startswith(b"HTTP/1.1 "), what


def test_no_answer_of_a_server_stops_another_client(gateway: tuple[Program, int, dict[str, bytes]]) -> None:
    _, port, said = gateway
    request = b"GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\nCookie: a=b\r\n\r\n"
    for what, field in ANSWERS.items():
        said["field"] = field
        assert send_beside_health(port, request).startswith(b"HTTP/1.1 "), what
