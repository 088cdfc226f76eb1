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
