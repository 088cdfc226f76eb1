"""A tunnel between two transports made of memory, on a clock that the test turns."""

from __future__ import annotations

from typing import Any, cast

import pytest
from devproxy.events import TunnelClosed, TunnelOpened
from devproxy.gateway.exchanges.states import STEPS, Act, Event, State
from devproxy.gateway.exchanges.tunnel import Tunnel
from tests.support.memory_transport import MemoryTransport
from tests.support.streams import Stage

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"
FRAME = b"\x81\x02hi"
MASKED = b"\x81\x82\0\0\0\0hi"
GOING_AWAY = b"\x88"


class Pair:
    """An exchange that has become a tunnel."""

    def __init__(self, *, early: bytes = b"", glued: bytes = b"") -> None:
        from devproxy.http1.head import parse_response_head
        from devproxy.http1.start_line import Limits

        self.stage = stage = Stage(UPGRADE)
        nobody = cast("Any", None)
        self.client = stage.client.stream = MemoryTransport(cast("Any", stage.loop), nobody)
        stage.client.early = early
        self.server = MemoryTransport(cast("Any", stage.loop), nobody)
        stage.exchange.start(b"", True)
        assert stage.connection.asker is not None
        head = parse_response_head(SWITCHED, Limits(), b"GET")
        stage.connection.asker.upgraded(head, glued, self.server)

    def closed(self) -> TunnelClosed:
        self.stage.loop.turn(0)
        (event,) = [event for event in self.stage.events if isinstance(event, TunnelClosed)]
        return event


def test_a_switch_of_protocols_joins_both_sides() -> None:
    pair = Pair(early=MASKED, glued=FRAME)
    assert pair.stage.client.status == 101
    assert pair.client.written == FRAME, "what came after the 101 goes with it"
    assert pair.server.written == MASKED, "and what came after the request goes up"
    assert isinstance(pair.stage.events[0], TunnelOpened)
    pair.client.receive(MASKED)
    pair.server.receive(FRAME)
    assert pair.server.written == MASKED * 2
    assert pair.client.written == FRAME * 2


@pytest.mark.parametrize("side", ["client", "upstream"])
def test_an_end_is_passed_on_and_the_other_direction_goes_on(side: str) -> None:
    pair = Pair()
    here, there = (pair.client, pair.server) if side == "client" else (pair.server, pair.client)
    here.receive_eof()
    assert there.has_ended
    assert not here.is_closing()
    pair.stage.loop.turn(2)
    there.receive(b"\x81\x00")
    assert here.written.endswith(b"\x81\x00")
    there.receive_eof()
    closed = pair.closed()
    assert (closed.closed_by, closed.duration_s) == (side, 2)


def test_a_reset_is_passed_on_as_a_reset() -> None:
    pair = Pair()
    pair.client.lose(ConnectionResetError())
    pair.stage.loop.turn(0)
    assert pair.server.is_aborted
    assert pair.closed().closed_by == "client"
    assert pair.stage.server.outstanding == 0


def test_a_websocket_of_which_one_side_has_ended_in_silence_is_closed_within_five_seconds() -> None:
    pair = Pair()
    pair.client.receive_eof()
    pair.stage.loop.turn(3.9)
    assert not pair.server.is_closing()
    pair.stage.loop.turn(1.0)
    assert pair.server.is_closing()
    assert pair.client.is_closing()


def test_a_stop_waits_for_the_end_of_a_message_in_each_direction() -> None:
    pair = Pair()
    pair.server.receive(FRAME[:3])
    (tunnel,) = pair.stage.shared.tunnels
    tunnel.close()
    assert GOING_AWAY in pair.server.written, "what came from the client is whole"
    assert pair.client.written.endswith(FRAME[:3]), "what comes from the server is not"
    pair.server.receive(FRAME[3:])
    assert pair.client.written.split(FRAME)[-1].startswith(GOING_AWAY)


def test_a_stop_waits_no_longer_than_a_second() -> None:
    pair = Pair()
    pair.server.receive(FRAME[:3])
    (tunnel,) = pair.stage.shared.tunnels
    tunnel.close()
    pair.stage.loop.turn(1.1)
    assert pair.closed().closed_by == "devproxy"


class Brought:
    """One end of a tunnel, brought to `state`. What comes from it is passed on to ``other``."""

    def __init__(self, state: State) -> None:
        self.pair = Pair()
        (tunnel,) = self.pair.stage.shared.tunnels
        assert isinstance(tunnel, Tunnel)
        self.tunnel = tunnel
        self.end, self.other = tunnel._client, self.pair.server
        if state is State.ENDED:
            self.pair.client.receive_eof()
        elif state in (State.CLOSING, State.MUTED):
            self.pair.client.receive(MASKED[:3])
            tunnel.close()
            if state is State.MUTED:
                self.pair.client.receive(MASKED[3:])
        elif state is State.OVER:
            tunnel.lost(self.end, None)
        assert self.end.state is state

    def happen(self, event: Event) -> None:
        if event is Event.END:
            self.end.eof_received()
        elif event is Event.STOP:
            if self.end.state is State.OPEN:
                self.pair.client.receive(MASKED[:3])
            self.tunnel.close()
        elif event is Event.FRAME_COMPLETE:
            self.pair.client.receive(MASKED[3:])
        elif event is Event.NO_FRAMES:
            self.pair.client.receive(MASKED[3:] + b"no frame")
        else:
            self.tunnel.lost(self.end, ConnectionResetError() if event is Event.RESET else None)


@pytest.mark.parametrize(
    ("state", "event"), STEPS, ids=[f"{state.value}, {event.value}".replace(" ", "-") for state, event in STEPS]
)
def test_what_happens_to_an_end_leads_to_what_the_table_says(state: State, event: Event) -> None:
    brought = Brought(state)
    was_closing, written = brought.other.is_closing(), brought.other.written
    brought.happen(event)
    then, act = STEPS[state, event]
    assert brought.end.state is then
    assert (GOING_AWAY in brought.other.written[len(written) :]) == (act is Act.SEND_CLOSE)
    closes = act in (Act.CLOSE_BOTH, Act.CLOSE_OTHER, Act.RESET_OTHER)
    assert brought.other.is_closing() == (closes or was_closing)
    assert brought.other.is_aborted == (act is Act.RESET_OTHER)
    assert brought.pair.client.is_closing() == (act is Act.CLOSE_BOTH)
    assert brought.other.has_ended or act in (Act.WAIT, Act.NOTHING)
