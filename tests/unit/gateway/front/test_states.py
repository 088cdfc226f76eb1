"""A client's connection in memory does in every state what the table says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devproxy.gateway.front import client as module
from devproxy.gateway.front.client import ClientConnection
from devproxy.gateway.front.states import MAX_LINGER_BYTES, STEPS, Act, Event, State
from devproxy.platforms.sockets import PeerState
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
REQUESTS = {
    Event.LAST_ANSWERED: b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    Event.LEAVE: b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
    Event.SWITCH: b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: b\r\n\r\n",
}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n"


class Used:
    """A connection brought to `state`, in which `event` is going to happen."""

    def __init__(self, world: World, state: State, event: Event) -> None:
        self.world = world
        self.client: MemoryTransport = world.client()
        connection = self.client.get_protocol()
        assert isinstance(connection, ClientConnection)
        self.connection = connection
        if state is State.HEAD:
            self.client.receive(GET[:9])
        elif state is State.EXCHANGE:
            self.client.receive(REQUESTS.get(event, GET))
            world.settle()
        elif state is State.WAITING:
            self.client.receive(GET + GET if event is Event.HALF_CLOSE else GET)
            world.settle()
            connection.pause_writing()
            world.upstreams[0].receive(OK)
        elif state is State.LINGERING:
            self.client.receive(b"no request\r\n\r\n")
        elif state is State.OVER:
            connection.close_idle()
        assert connection._state is state

    def happen(self, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
        client, connection, world = self.client, self.connection, self.world
        if event is Event.HEAD_BEGINS:
            client.receive(GET[:9])
        elif event is Event.REQUEST:
            client.receive(GET[9:] if connection._state is State.HEAD else GET)
        elif event is Event.NO_REQUEST:
            client.receive(b" no request\r\n\r\n")
        elif event in (Event.ANSWERED, Event.LAST_ANSWERED):
            world.upstreams[0].receive(OK)
        elif event is Event.ANSWERED_BUSY:
            client.receive(GET)
            world.upstreams[0].receive(OK)
        elif event is Event.TURN:
            connection.resume_writing()
        elif event is Event.STOP_ANSWERED:
            world.shared.is_stopping = True
            connection.close_idle()
            world.upstreams[0].receive(OK)
        elif event is Event.SWITCH:
            world.upstreams[0].receive(SWITCH)
        elif event in (Event.CUT_SHORT, Event.CUT_SHORT_UNSEEN):
            world.upstreams[0].receive(HALF)
            world.upstreams[0].lose(None if event is Event.CUT_SHORT else ConnectionResetError())
            world.settle()
        elif event in (Event.END, Event.HALF_CLOSE):
            connection.eof_received()
        elif event is Event.LEAVE:
            monkeypatch.setattr(module, "peer_state_of", lambda _: PeerState.GONE)
            connection.look()
        elif event is Event.FLOOD:
            client.receive(bytes(MAX_LINGER_BYTES + 1))
        elif event is Event.LOSS:
            client.lose(ConnectionResetError())
            world.settle()
        else:
            {Event.TIME_OUT: connection.expire, Event.STOP: connection.close_idle, Event.CUT: connection.cut}[event]()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("state", "event"), STEPS, ids=[f"{event.value}, while {state.value}" for state, event in STEPS]
)
def test_what_happens_leads_to_what_the_table_says(
    world: World, monkeypatch: pytest.MonkeyPatch, state: State, event: Event
) -> None:
    resets: list[MemoryTransport] = []

    def reset(transport: MemoryTransport) -> None:
        resets.append(transport)
        transport.abort()

    monkeypatch.setattr(module, "reset", reset)
    used = Used(world, state, event)
    client, connection = used.client, used.connection
    used.happen(event, monkeypatch)
    then, act = STEPS[state, event]
    assert connection._state is then
    closed, ended = client.is_closing(), client.has_ended
    head_due = world.loop.time() + world.shared.current.snapshot.head_timeout_s
    observed = {
        Act.USE: not closed and ended == (state is State.LINGERING),
        Act.HURRY: not closed and connection.deadline == pytest.approx(head_due, abs=1),
        Act.LAST: not closed and connection._is_last,
        Act.HAND_OVER: not closed and client.get_protocol() is not connection,
        Act.LINGER: ended and not closed,
        Act.CLOSE: closed and not client.is_aborted,
        Act.ABORT: client.is_aborted and not resets,
        Act.RESET: resets == [client],
        Act.FORGET: connection not in world.shared.connections and connection._exchange is None,
    }
    assert observed[act]
