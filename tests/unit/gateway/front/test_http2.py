"""A client's connection of HTTP/2 in memory: what is sent when, who is held back, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devproxy.events import Outcome
from devproxy.gateway.front.http2 import Http2Connection
from devproxy.gateway.front.states import LINGER_S, MAX_LINGER_BYTES
from devproxy.http2 import frames
from devproxy.http2.frames import ErrorCode
from tests.support.http2 import CLIENT_PREFACE, GET, Frame, data, frame, frames_in, headers
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    assert found.faults == []
    found.loop.close()


def settle(world: World) -> None:
    for _ in range(8):
        world.loop.call_soon(world.loop.stop)
        world.loop.run_forever()


def speaking(world: World) -> tuple[MemoryTransport, Http2Connection]:
    """Return a client that has begun with HTTP/2, and its connection."""
    client = world.client()
    client.receive(CLIENT_PREFACE)
    settle(world)
    connection = client.get_protocol()
    assert isinstance(connection, Http2Connection)
    return client, connection


def asked(world: World, client: MemoryTransport, *streams: int) -> list[MemoryTransport]:
    """Let `client` send a GET on each of `streams`; return the connections that they go out on."""
    before = len(world.upstreams)
    client.receive(b"".join(headers(stream, GET) for stream in streams))
    settle(world)
    return world.upstreams[before:]


def told(client: MemoryTransport, kind: int) -> list[Frame]:
    return [one for one in frames_in(client.written) if one.kind == kind]


def paused(*transports: MemoryTransport) -> list[bool]:
    return [transport.is_paused for transport in transports]


def test_what_comes_of_one_turn_is_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = speaking(world)
    servers = asked(world, client, 1, 3, 5)
    writes: list[bytes] = []
    monkeypatch.setattr(client, "write", writes.append)
    for server in servers:
        server.receive(OK)
    settle(world)
    (only,) = writes
    assert [one.kind for one in frames_in(only)] == [frames.HEADERS, frames.DATA] * 3


def test_a_client_that_reads_nothing_holds_back_all_upstreams_and_is_not_read(world: World) -> None:
    client, connection = speaking(world)
    servers = asked(world, client, 1, 3)
    for server in servers:
        server.receive(BEGUN)
    connection.pause_writing()
    assert paused(client, *servers) == [True] * 3
    (late,) = asked(world, client, 5)  # was on its way
    late.receive(BEGUN)
    assert paused(late) == [True]
    assert connection in world.shared.held_back
    connection.resume_writing()
    assert paused(client, *servers, late) == [False] * 4
    assert connection not in world.shared.held_back


def test_a_stream_without_window_is_held_back_alone_until_it_has_one(world: World) -> None:
    client, connection = speaking(world)
    slow, quick = asked(world, client, 1, 3)
    client.receive(frames.write_window_update(0, 1 << 20))
    slow.receive(BEGUN + b"x" * 70_000)
    quick.receive(BEGUN + b"x" * 60_000)
    settle(world)
    assert paused(slow, quick) == [True, False]
    assert connection.http2.held_bytes(1) == 70_000 - 65_535
    connection.pause_writing()
    connection.resume_writing()
    assert paused(slow) == [True], "its own window is still full"
    client.receive(frames.write_window_update(1, 1 << 20))
    settle(world)
    assert paused(slow) == [False]
    assert sum(len(one.payload) for one in told(client, frames.DATA) if one.stream_id == 1) == 70_000


def test_an_answer_that_waits_for_a_window_is_whole_before_the_rest_of_the_request_is_refused(world: World) -> None:
    client, _ = speaking(world)
    client.receive(headers(1, [(b":method", b"POST"), *GET[1:]], ended=False) + data(1, b"begins"))
    settle(world)
    (server,) = world.upstreams
    server.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
    settle(world)
    assert told(client, frames.RST_STREAM) == []
    client.receive(frames.write_window_update(0, 1 << 20) + frames.write_window_update(1, 1 << 20))
    settle(world)
    assert sum(len(one.payload) for one in told(client, frames.DATA)) == 70_000
    assert [frames.number(one.payload) for one in told(client, frames.RST_STREAM)] == [ErrorCode.NO_ERROR]


def test_a_connection_is_idle_as_long_as_it_has_no_stream(world: World) -> None:
    client, connection = speaking(world)
    assert connection.is_idle
    assert connection.deadline == world.shared.now + world.shared.current.snapshot.idle_timeout_s
    (server,) = asked(world, client, 1)
    assert (connection.is_idle, connection.running_exchanges, connection.deadline) == (False, 1, float("inf"))
    server.receive(OK)
    settle(world)
    assert (connection.is_idle, connection.running_exchanges) == (True, 0)


def test_an_idle_connection_is_told_that_it_ends_and_lingers(world: World) -> None:
    client, connection = speaking(world)
    asked(world, client, 1)[0].receive(OK)
    settle(world)
    connection.expire()
    settle(world)
    assert [frames.goaway(one.payload) for one in told(client, frames.GOAWAY)] == [(1, ErrorCode.NO_ERROR)]
    assert client.has_ended
    assert not client.is_closing()
    assert connection.deadline == world.shared.now + LINGER_S
    client.receive(headers(3, GET))
    assert len(world.upstreams) == 1, "what comes now is thrown away"
    connection.expire()
    assert client.is_closing()


def test_a_flood_of_what_nobody_waits_for_ends_the_lingering(world: World) -> None:
    client, connection = speaking(world)
    connection.expire()
    settle(world)
    for _ in range(MAX_LINGER_BYTES // (1 << 20)):
        client.receive(bytes(1 << 20))
    assert not client.is_aborted
    client.receive(b"x")
    assert client.is_aborted


def test_a_fault_of_the_client_ends_all_exchanges_and_says_which(world: World) -> None:
    client, _ = speaking(world)
    (server,) = asked(world, client, 1)
    client.receive(frame(frames.DATA, 0, 0, b"x"))
    settle(world)
    assert server.is_closing()
    assert frames.goaway(told(client, frames.GOAWAY)[0].payload)[1] == ErrorCode.PROTOCOL_ERROR
    assert client.has_ended
    assert [event.outcome for event in world.finished()] == [Outcome.CLIENT_LEFT]


def test_a_client_that_goes_away_is_answered_first(world: World) -> None:
    client, _ = speaking(world)
    (server,) = asked(world, client, 1)
    client.receive(frames.write_goaway(0, ErrorCode.NO_ERROR))
    assert not client.has_ended
    server.receive(OK)
    settle(world)
    assert b"ok" in client.written
    assert client.has_ended
