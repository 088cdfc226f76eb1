"""Who has come to an address where TLS and plain HTTP are spoken, until it is known what it speaks."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator

import pytest
from devproxy.gateway.front.arrival import Arrival
from devproxy.gateway.front.client import ClientConnection
from tests.support.certificates import server_context
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport
from tests.support.tls_client import TlsClient

HEALTH = b"GET /__devproxy/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def arrive(world: World) -> tuple[MemoryTransport, Arrival]:
    arrival = Arrival(world.shared, lambda _: server_context())
    transport = MemoryTransport(world.loop, arrival)
    arrival.connection_made(transport)
    return transport, arrival


def connections(world: World) -> list[ClientConnection]:
    return [one for one in world.shared.connections if isinstance(one, ClientConnection)]


def test_plain_http_is_answered_from_its_first_byte_on(world: World) -> None:
    transport, _ = arrive(world)
    for byte in HEALTH:
        transport.receive(bytes((byte,)))
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    (connection,) = connections(world)
    assert connection.peer.scheme == "http"
    assert len(world.shared.connections) == 1


def test_tls_is_answered_in_tls(world: World) -> None:
    transport, _ = arrive(world)
    client = TlsClient(transport)
    client.shake_hands()
    client.send(HEALTH)
    assert client.read().startswith(b"HTTP/1.1 200 ")
    assert client.tls.selected_alpn_protocol() is None
    (connection,) = connections(world)
    assert (connection.peer.scheme, connection.peer.address) == ("https", "127.0.0.1")
    assert len(world.shared.connections) == 1


def test_the_certificate_is_asked_for_by_the_address_that_was_reached_and_for_each_client_anew(world: World) -> None:
    asked: list[str] = []

    def context(address: str) -> ssl.SSLContext:
        asked.append(address)
        return server_context()

    for _ in range(2):
        arrival = Arrival(world.shared, context)
        transport = MemoryTransport(world.loop, arrival)
        arrival.connection_made(transport)
        TlsClient(transport).shake_hands()
    assert asked == ["127.0.0.1", "127.0.0.1"]


def test_who_says_nothing_and_who_does_not_finish_a_handshake_have_a_deadline(world: World) -> None:
    silent, arrival = arrive(world)
    assert arrival.deadline == world.shared.now + world.shared.current.snapshot.idle_timeout_s
    assert arrival.is_idle
    half, slow = arrive(world)
    half.receive(b"\x16\x03\x01\x02")
    assert slow.deadline <= world.loop.time() + world.shared.current.snapshot.head_timeout_s
    assert not slow.is_idle
    for transport, late in ((silent, arrival), (half, slow)):
        late.expire()
        assert transport.is_aborted
    world.settle()
    assert not world.shared.connections
    assert not world.finished()


@pytest.mark.parametrize("how", ["end", "loss", "stop", "cut"])
def test_who_leaves_or_has_to_before_a_word_leaves_nothing_behind(world: World, how: str) -> None:
    transport, arrival = arrive(world)
    match how:
        case "end":
            transport.receive_eof()
        case "loss":
            transport.lose(ConnectionResetError())
        case "stop":
            arrival.close_idle()
        case _:
            arrival.cut()
    world.settle()
    assert not world.shared.connections
    assert transport.written == b""
    assert not world.events


def test_a_refused_handshake_is_no_news(world: World) -> None:
    transport, _ = arrive(world)
    transport.receive(b"\x16\x03\x01\x00\x05hello")
    world.settle()
    assert transport.has_ended
    assert not world.shared.connections
    assert not world.events
    assert not world.faults


def test_clients_are_counted_as_descriptors_are_before_they_speak(world: World) -> None:
    calls: list[bool] = []
    world.shared.descriptor_ceiling = -1
    world.shared.on_shortage = lambda: calls.append(True)
    arrive(world)
    assert calls == [True]


def test_without_tls_nothing_of_it_is_imported() -> None:
    unwanted = ("devproxy.gateway.front.tls", "devproxy.gateway.front.arrival", "devproxy.certificates", "cryptography")
    program = f"import sys, devproxy.cli.serving; print([name for name in {unwanted} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
