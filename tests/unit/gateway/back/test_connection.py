"""A connection to a server in memory: it does in every state what the table says, and relays what comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devproxy.events import Outcome
from devproxy.gateway.back.connection import MAX_INTERIM_RESPONSES, UpstreamConnection
from devproxy.gateway.back.states import STEPS, Act, Event, State
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
REQUESTS = {
    Event.EARLY_COMPLETE: b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
    Event.SWITCH: b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: b\r\n\r\n",
}
HEAD = {Event.SWITCH: b"HTTP/1.1 101 Switching Protocols\r\n"}
ANSWERS = {
    Event.FIRST_BYTES: b"H",
    Event.BODY_FOLLOWS: b"Content-Length: 9\r\n\r\n",
    Event.COMPLETE: b"Content-Length: 0\r\n\r\n",
    Event.LAST_COMPLETE: b"Content-Length: 0\r\nConnection: close\r\n\r\n",
    Event.EARLY_COMPLETE: b"Content-Length: 0\r\n\r\n",
    Event.SWITCH: b"Connection: upgrade\r\nUpgrade: b\r\n\r\n",
    Event.BREACH: b"no field\r\n\r\n",
}
BODY_ENDS = {
    Event.COMPLETE: b"0\r\n\r\n",
    Event.LAST_COMPLETE: b"0\r\n\r\nand more",
    Event.EARLY_COMPLETE: b"0\r\n\r\n",
    Event.BREACH: b"no size\r\n",
}


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


class Used:
    """A connection that `client` uses, brought to `state`, in which `event` is going to happen."""

    def __init__(self, world: World, state: State = State.AWAITING, event: Event = Event.COMPLETE) -> None:
        self.world = world
        self.client = world.client()
        self.client.receive(REQUESTS.get(event, GET))
        world.settle()
        self.server: MemoryTransport = world.upstreams[0]
        connection = self.server.get_protocol()
        assert isinstance(connection, UpstreamConnection)
        self.connection = connection
        if state is State.HEAD:
            self.server.receive(HEAD.get(event, b"HTTP/1.1 200 OK\r\n"))
        elif state is State.BODY:
            self.server.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        elif state in (State.IDLE, State.OVER):
            self.server.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            if state is State.OVER:
                world.pool.close_idle()
        assert connection._state is state

    def happen(self, event: Event) -> None:
        state = self.connection._state
        if event is Event.REQUEST:
            self.client.receive(GET)
        elif event is Event.END and state is State.OVER:
            self.world.settle()
        elif event is Event.END:
            self.server.receive_eof()
        elif event is Event.ABANDON:
            self.client.lose(ConnectionResetError())
            self.world.settle()
        elif event is Event.CLOSE:
            self.world.pool.close_idle()
            self.connection.close()
        elif event is Event.BREACH and state is State.OVER:
            self.connection.data_received(b"TLS gives on what came before the close")
        else:
            self.server.receive(BODY_ENDS[event] if state is State.BODY else ANSWERS[event])


@pytest.mark.parametrize(
    ("state", "event"), STEPS, ids=[f"{state.value}, {event.value}".replace(" ", "-") for state, event in STEPS]
)
def test_what_happens_in_a_state_leads_to_what_the_table_says(world: World, state: State, event: Event) -> None:
    used = Used(world, state, event)
    used.happen(event)
    then, act = STEPS[state, event]
    assert used.connection._state is then
    assert used.server.is_aborted == (act in (Act.ABORT, Act.RESET))
    assert used.server.is_closing() == (act in (Act.CLOSE, Act.ABORT, Act.RESET))
    assert (used.server.get_protocol() is not used.connection) == (act is Act.HAND_OVER)
    assert bool(world.idle()) == (then is State.IDLE)


def test_interim_heads_are_passed_on_before_the_answer(world: World) -> None:
    used = Used(world)
    used.server.receive(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
    assert used.client.written.startswith(b"HTTP/1.1 103 ")
    assert used.client.written.endswith(b"\r\n\r\n1")


def test_interim_heads_without_end_are_no_answer(world: World) -> None:
    used = Used(world)
    used.server.receive(b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MAX_INTERIM_RESPONSES + 1))
    assert b"HTTP/1.1 502 " in used.client.written
    assert used.server.is_aborted


def test_an_end_is_that_of_a_body_without_a_length(world: World) -> None:
    used = Used(world)
    used.server.receive(b"HTTP/1.1 200 OK\r\n\r\nall")
    used.server.receive_eof()
    assert [event.outcome for event in world.finished()] == [Outcome.COMPLETE]
    assert used.client.written.endswith(b"all") or b"3\r\nall\r\n0\r\n" in used.client.written


def test_a_slow_client_has_the_server_read_no_more(world: World) -> None:
    used = Used(world, State.BODY)
    protocol = used.client.get_protocol()
    protocol.pause_writing()
    assert used.server.is_paused
    used.connection.read_on()
    assert used.server.is_paused, "not even when it is its turn again"
    protocol.resume_writing()
    assert not used.server.is_paused


@pytest.mark.parametrize("upgrade", [b"", b"Connection: upgrade\r\nUpgrade: c\r\n"], ids=["to nothing", "to another"])
def test_a_switch_that_nobody_asked_for_is_no_answer(world: World, upgrade: bytes) -> None:
    used = Used(world, event=Event.SWITCH if upgrade else Event.COMPLETE)
    used.server.receive(b"HTTP/1.1 101 Switching Protocols\r\n%b\r\n" % upgrade)
    assert used.client.written.startswith(b"HTTP/1.1 502 ")
    assert used.server.is_aborted


def test_a_server_that_takes_slowly_has_the_client_read_no_more(world: World) -> None:
    used = Used(world, event=Event.EARLY_COMPLETE)
    used.connection.pause_writing()
    assert used.client.is_paused
    used.connection.resume_writing()
    assert not used.client.is_paused


@pytest.mark.parametrize(("head", "is_kept"), [(b"", True), (b"Connection: close\r\n", False)])
def test_what_is_behind_a_body_of_known_length_is_not_passed_on(world: World, head: bytes, is_kept: bool) -> None:
    used = Used(world)
    used.server.receive(b"HTTP/1.1 200 OK\r\n%bContent-Length: 4\r\n\r\n12" % head)
    used.server.receive(b"34" if is_kept else b"34 and more")
    assert used.client.written.endswith(b"\r\n\r\n1234")
    assert bool(world.idle()) is is_kept
