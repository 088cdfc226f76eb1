"""A request of a session, sent on until the process that knows the session takes it; several share one address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.gateway.back import session_search
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport
from tests.support.wire import address_of, config_for

OPEN = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
OPENED = b'0{"sid":"abc","upgrades":[]}'
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\nHost: a\r\n\r\n"
SEND = b"POST /socket.io/?EIO=4&transport=polling&sid=%b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40"
UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'


def reply(world: World, server: MemoryTransport, status: int, body: bytes) -> None:
    data = b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    world.loop.call_soon(server.receive, data)
    world.settle()


@pytest.fixture
def world() -> Iterator[World]:
    made = World(config_for((address_of(1),), upstream=Upstream(name="backend", servers=(), sticky=Sticky.SOCKETIO)))
    yield made
    made.close()


def asked(world: World, data: bytes) -> MemoryTransport:
    client = world.client()
    client.receive(data)
    world.settle()
    return client


@pytest.fixture
def session(world: World) -> MemoryTransport:
    """The connection to the process that has the session ``abc``, where a poll waits."""
    asked(world, OPEN)
    (server,) = world.upstreams
    assert b"Accept-Encoding" not in server.written, "the answer has to be read"
    reply(world, server, 200, OPENED)
    asked(world, POLL)
    assert b"sid=abc" in server.written, "its own process is asked first"
    return server


@pytest.mark.usefixtures("session")
def test_a_process_that_does_not_know_the_session_is_not_heard_of(world: World) -> None:
    client = asked(world, SEND % b"abc")
    (_, stranger) = world.upstreams
    reply(world, stranger, 400, UNKNOWN)
    assert not client.written, "its answer is held"
    (_, _, third) = world.upstreams
    assert third.written == stranger.written, "the same request, body and all"
    reply(world, third, 200, b"ok")
    assert client.written.startswith(b"HTTP/1.1 200 ")
    assert client.written.endswith(b"ok")


@pytest.mark.usefixtures("session")
def test_an_answer_of_400_with_other_words_is_passed_on(world: World) -> None:
    client = asked(world, SEND % b"abc")
    reply(world, world.upstreams[1], 400, b"what?")
    assert client.written.startswith(b"HTTP/1.1 400 ")
    assert client.written.endswith(b"what?")
    assert len(world.upstreams) == 2


def test_a_session_that_nobody_gave_out_is_not_looked_for(world: World) -> None:
    client = asked(world, SEND % b"xyz")
    reply(world, world.upstreams[0], 400, UNKNOWN)
    assert client.written.endswith(UNKNOWN)
    assert len(world.upstreams) == 1


def test_a_process_that_has_closed_the_session_is_believed(world: World) -> None:
    asked(world, OPEN)
    reply(world, world.upstreams[0], 200, OPENED)
    client = asked(world, POLL)
    reply(world, world.upstreams[0], 400, UNKNOWN)
    assert client.written.endswith(UNKNOWN), "so that the client begins a new one"
    assert len(world.upstreams) == 1


@pytest.mark.usefixtures("session")
def test_the_search_ends_when_the_client_leaves(world: World) -> None:
    client = asked(world, SEND % b"abc")
    reply(world, world.upstreams[1], 400, UNKNOWN)
    client.lose(ConnectionResetError())
    world.settle()
    assert world.upstreams[2].is_aborted
    assert len(world.upstreams) == 3


@pytest.mark.usefixtures("session")
def test_a_connection_that_is_lost_meanwhile_is_a_502(world: World) -> None:
    client = asked(world, SEND % b"abc")
    world.upstreams[1].receive_eof()
    world.settle()
    assert client.written.startswith(b"HTTP/1.1 502 ")


@pytest.mark.usefixtures("session")
def test_a_body_that_is_too_long_to_be_kept_gets_the_first_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_search, "MAX_KEPT_BYTES", 1)
    client = asked(world, SEND % b"abc")
    reply(world, world.upstreams[1], 400, UNKNOWN)
    assert client.written.endswith(UNKNOWN)
    assert len(world.upstreams) == 2


@pytest.mark.usefixtures("session")
def test_a_session_is_given_up_when_enough_connections_were_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_search, "MAX_ATTEMPTS", 2)
    client = asked(world, SEND % b"abc")
    for number in (1, 2):
        reply(world, world.upstreams[number], 400, UNKNOWN)
    assert client.written.endswith(UNKNOWN)
    again = asked(world, SEND % b"abc")
    reply(world, world.upstreams[-1], 400, UNKNOWN)
    assert again.written.endswith(UNKNOWN), "and is not looked for a second time"
