"""Uploads, downloads and Server-Sent Events of a Node backend, through devproxy."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Iterator

import pytest
from tests.e2e.harness import StartGateway, StartServer
from tests.support.gateway_process import GatewayProcess

MIB = 1024 * 1024
SIZE = 20 * MIB + 12_345
"""No multiple of anything."""
PATTERN = bytes(range(251))


@pytest.fixture
def gateway(shared_server: StartServer, devproxy: StartGateway) -> GatewayProcess:
    return devproxy(backend=str(shared_server("files").port))


@pytest.fixture
def connection(gateway: GatewayProcess) -> Iterator[http.client.HTTPConnection]:
    open_one = http.client.HTTPConnection("localhost", gateway.port, timeout=60)
    yield open_one
    open_one.close()


def pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["known length", "chunked"])
def test_an_upload_arrives_whole(connection: http.client.HTTPConnection, method: str, is_chunked: bool) -> None:
    body = (PATTERN * (SIZE // len(PATTERN) + 1))[:SIZE]

    if is_chunked:
        connection.request(method, "/api/upload", body=pieces(body), encode_chunked=True)
    else:
        connection.request(method, "/api/upload", body=body)
    said = json.loads(connection.getresponse().read())

    assert said == {
        "size": SIZE,
        "sha256": sha256(body),
        "method": method,
        "length": None if is_chunked else str(SIZE),
        "coding": "chunked" if is_chunked else None,
    }


@pytest.mark.parametrize("length", ["known", "chunked"])
def test_a_download_arrives_whole(connection: http.client.HTTPConnection, length: str) -> None:
    for _ in range(2):  # the second on the same connection
        connection.request("GET", f"/api/download?size={SIZE}&length={length}")
        response = connection.getresponse()
        body = response.read()

        assert response.headers["Content-Length"] == (str(SIZE) if length == "known" else None)
        assert len(body) == SIZE
        assert sha256(body) == sha256(download_body())


def download_body() -> bytes:
    """What the server sends: 64 KiB chunks, each of which begins the pattern anew."""
    chunk = (PATTERN * (65536 // len(PATTERN) + 1))[:65536]
    return (chunk * (SIZE // len(chunk) + 1))[:SIZE]


def test_server_sent_events_arrive_while_the_answer_is_still_open_and_end_with_the_client(
    own_server: StartServer, devproxy: StartGateway
) -> None:
    backend = own_server("files")
    gateway = devproxy(backend=str(backend.port))
    connection = http.client.HTTPConnection("localhost", gateway.port, timeout=30)

    connection.request("GET", "/api/events", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    assert [response.readline(), response.readline()] == [b"data: first\n", b"\n"]

    for number in range(3):  # each is sent only after the one before it was read, so none can be waiting for company
        backend.write_line(f"event {number}")
        assert [response.readline(), response.readline()] == [f"data: event {number}\n".encode(), b"\n"]

    response.close()
    connection.close()
    backend.json_line(lambda said: said.get("event") == "events closed", "that the client left")
    gateway.event("exchange_finished", lambda event: event["outcome"] == "client-left", "that the client left")
