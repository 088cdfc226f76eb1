"""A client's connection in memory: what it does with requests, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.in_memory import World

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    client = world.client()
    client.receive(GET % b"1" + GET % b"2")
    world.settle()
    (server,) = world.upstreams
    assert server.written.startswith(b"GET /1 ")
    assert b"/2" not in server.written, "one after another"
    server.receive(OK + b"1")
    world.settle()
    assert b"GET /2 " in server.written
    server.receive(OK + b"2")
    world.settle()
    assert [event.target for event in world.finished()] == [b"/1", b"/2"]
    assert client.written.endswith(b"\r\n\r\n2")
    assert not client.has_ended


def test_what_is_no_request_is_answered_and_ends_the_connection(world: World) -> None:
    client = world.client()
    client.receive(b"GET / HTTP/1.1\r\nno field\r\n\r\n")
    assert client.written.startswith(b"HTTP/1.1 400 ")
    assert client.has_ended
    assert [event.error for event in world.finished()] == ["bad-request"]


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234"


def test_an_answer_before_the_end_of_the_request_ends_the_connection(world: World) -> None:
    client = world.client()
    client.receive(POST)
    world.settle()
    world.upstreams[0].receive(OK + b"1")
    world.settle()
    assert b"\r\nConnection: close\r\n" in client.written
    assert client.has_ended


def test_an_answer_of_devproxy_before_the_end_of_the_request_ends_the_connection(world: World) -> None:
    client = world.client()
    client.receive(POST.replace(b" / ", b" /__devproxy/health "))
    assert b"\r\nConnection: close\r\n" in client.written
    assert client.has_ended


@pytest.mark.parametrize(("asks", "says"), [(b"keep-alive", b"keep-alive"), (b"close", b"close")])
def test_a_client_of_http_1_0_is_told_whether_its_connection_goes_on(world: World, asks: bytes, says: bytes) -> None:
    client = world.client()
    client.receive(b"GET / HTTP/1.0\r\nConnection: " + asks + b"\r\n\r\n")
    world.settle()
    world.upstreams[0].receive(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"1")
    world.settle()
    assert client.written.startswith(b"HTTP/1.1 200 "), "1xx heads are unknown to it"
    assert b"\r\nConnection: " + says + b"\r\n" in client.written
    assert client.has_ended == (says == b"close")


def test_a_client_that_ends_in_the_middle_of_its_body_has_left(world: World) -> None:
    client = world.client()
    client.receive(POST)
    world.settle()
    client.receive_eof()
    world.settle()
    assert client.is_aborted
    assert world.upstreams[0].is_aborted, "the upstream must not take half a body for a whole one"


CHUNKED = b"POST /%b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
MEASURED = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"


@pytest.mark.parametrize("size", [1, 10_000], ids=["small", "large"])
@pytest.mark.parametrize("form", ["chunked", "measured"])
def test_bodies_that_are_pipelined_go_with_their_own_requests(world: World, form: str, size: int) -> None:
    client, body = world.client(), b"~" * size
    one = CHUNKED % (b"1", size, body) if form == "chunked" else MEASURED % (b"1", size, body)
    client.receive(GET % b"0" + one + GET % b"2")
    world.settle()
    (server,) = world.upstreams
    for turn in range(3):
        assert server.written.count(b" HTTP/1.1\r\n") == turn + 1, "one after another"
        server.receive(OK + b"%d" % turn)
        world.settle()
    assert server.written.count(b"~") == size
    assert [event.request_bytes > 0 for event in world.finished()] == [False, True, False]
    assert client.written.endswith(b"\r\n\r\n2")


def test_a_body_that_comes_in_pieces_goes_up_in_pieces_and_ends_where_it_ends(world: World) -> None:
    client = world.client()
    client.receive(POST)
    world.settle()
    (server,) = world.upstreams
    client.receive(b"56789" + GET % b"2")
    assert server.written.endswith(b"\r\n\r\n123456789"), "what follows waits"


@pytest.mark.parametrize("comes", ["with its head", "later"])
def test_a_body_that_breaks_its_own_framing_is_refused_and_the_connection_ends(world: World, comes: str) -> None:
    client, head = world.client(), b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in (head + b"no size\r\n",) if comes == "with its head" else (head, b"no size\r\n"):
        client.receive(piece)
        world.settle()
    assert client.written.startswith(b"HTTP/1.1 400 ")
    assert client.has_ended
    assert [event.error for event in world.finished()] == ["bad-request"]


def test_a_client_that_sends_much_ahead_is_read_no_more_until_its_turn_comes(world: World) -> None:
    client = world.client()
    client.receive(GET % b"1")
    world.settle()
    client.receive((GET % b"2") * 3000)
    assert client.is_paused
    client.lose()
    world.settle()
    assert world.upstreams[0].is_aborted


def test_a_client_that_takes_slowly_has_its_next_request_wait(world: World) -> None:
    client = world.client()
    client.receive(GET % b"1")
    world.settle()
    client.get_protocol().pause_writing()
    (server,) = world.upstreams
    server.receive(OK + b"1")
    client.receive(GET % b"2")
    world.settle()
    assert b"/2" not in server.written
    client.get_protocol().resume_writing()
    assert b"/2" in server.written


def test_a_poll_gets_no_grace_when_its_client_ends_its_side(world: World) -> None:
    client = world.client()
    client.receive(b"GET /socket.io/?EIO=4&transport=polling&sid=a HTTP/1.1\r\nHost: a\r\n\r\n")
    world.settle()
    client.receive_eof()
    world.settle()
    assert world.upstreams[0].is_aborted, "so that it cannot overlap with the next one"
