"""What is told of an exchange, and of the tunnel that comes of it, to those who want to see more than its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from devproxy.config.model import Cors, CorsMode, HeaderEdits, PreflightMode
from devproxy.events import (
    BodyData,
    Event,
    ExchangeFinished,
    ExchangeStarted,
    HeadSeen,
    Observer,
    RequestSent,
    ResponseBegun,
    TunnelData,
    TunnelOpened,
    Wants,
)
from devproxy.gateway.exchanges.watched import watch
from devproxy.gateway.shared.observers import Observation, Observers
from devproxy.http1.head import parse_response_head
from devproxy.http1.start_line import Limits
from tests.support.memory_transport import MemoryTransport
from tests.support.streams import Stage
from tests.support.wire import address_of, config_for
from tests.unit.gateway.exchanges.test_tunnel import FRAME, MASKED, SWITCHED, UPGRADE

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
CHUNKED_POST = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 4\r\n\r\n"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OWN = b"GET /__devproxy/health HTTP/1.1\r\nHost: a\r\n\r\n"


def come_late(stage: Stage, wants: Wants) -> list[Event]:
    """Let somebody look at `stage` from now on; return what is told."""
    events: list[Event] = []
    look(stage, Observer(events.append, wants))
    return events


def look(stage: Stage, observer: Observer) -> Observation:
    """Let `observer` look at `stage` from now on, as the gateway does."""
    observation = stage.observers.add(observer)
    late = Observers(observation)
    watch(stage.exchange, late)
    for tunnel in stage.shared.tunnels:
        tunnel.tell_so_far(late)
    return observation


def more(stage: Stage, data: bytes, *, ended: bool) -> None:
    """Let the server send a further piece of its body."""
    assert stage.connection.asker is not None
    stage.connection.asker.response_data(data, ended)


def heads(events: list[Event]) -> list[tuple[bool, bool, bytes]]:
    return [(one.is_request, one.is_sent, one.head) for one in events if isinstance(one, HeadSeen)]


def pieces(events: list[Event], *, is_request: bool) -> list[tuple[bytes, bool]]:
    return [(one.data, one.is_last) for one in events if isinstance(one, BodyData) and one.is_request == is_request]


def test_each_head_is_seen_as_it_came_and_as_it_went_on() -> None:
    config = config_for((address_of(1),))
    edits = HeaderEdits(set=(("X-Added", "1"),), remove=("Server",))
    config = replace(config, routes=(replace(config.routes[0], response_headers=edits),))
    stage = Stage(config=config, wants=Wants.HEADS)
    stage.exchange.start(b"", True)
    assert stage.connection.asker is not None
    stage.connection.asker.interim(parse_response_head(b"HTTP/1.1 103 Early Hints\r\nLink: </a>", Limits(), b"GET"))
    stage.answer(OK, b"body")
    request, sent, *_, came, went = heads(stage.events)
    assert request == (True, False, b"GET /a HTTP/1.1\r\nHost: a")
    assert sent == (True, True, stage.connection.sent.removesuffix(b"\r\n\r\n"))
    assert [(head[:12], is_sent) for _, is_sent, head in heads(stage.events)[2:4]] == [
        (b"HTTP/1.1 103", False),
        (b"HTTP/1.1 103", True),
    ]
    assert came == (False, False, OK.removesuffix(b"\r\n\r\n"))
    assert went[2].split(b"\r\n") == [b"HTTP/1.1 200 OK", *stage.client.lines]
    assert b"\r\nX-Added: 1" in went[2]
    assert b"Server" not in went[2]


@pytest.mark.parametrize("is_idle", [False, True], ids=["on a new connection", "on an idle one"])
def test_bodies_are_seen_as_they_come(is_idle: bool) -> None:
    stage = Stage(POST, is_idle=is_idle, wants=Wants.BODIES)
    stage.exchange.start(b"01", False)
    stage.exchange.request_data(b"23", True)
    assert pieces(stage.events, is_request=True) == [(b"01", False), (b"23", True)]
    stage.answer(OK, b"bo", ended=False)
    more(stage, b"dy", ended=True)
    assert pieces(stage.events, is_request=False) == [(b"bo", False), (b"dy", True)]
    assert stage.connection.sent.endswith(b"\r\n\r\n0123")
    assert stage.client.body == b"body"


def test_bodies_are_seen_without_the_chunked_coding() -> None:
    stage = Stage(CHUNKED_POST, wants=Wants.BODIES)
    stage.exchange.start(b"2\r\n01\r\n", False, 2)
    stage.exchange.request_data(b"2\r\n23\r\n0\r\n\r\n", True, 4)
    assert pieces(stage.events, is_request=True) == [(b"01", False), (b"23", True)]
    stage.answer(CHUNKED_OK, b"4\r\nbo", ended=False)
    more(stage, b"dy\r\n", ended=False)
    more(stage, b"0\r\n\r\n", ended=True)
    assert pieces(stage.events, is_request=False) == [(b"bo", False), (b"dy", False), (b"", True)]


def test_a_body_that_is_given_without_its_coding_is_seen_as_it_is_given() -> None:
    stage = Stage(wants=Wants.BODIES)
    stage.client.decodes_chunks = True
    stage.exchange.start(b"", True)
    stage.answer(CHUNKED_OK, b"body")
    assert pieces(stage.events, is_request=False) == [(b"body", True)]


def test_a_message_without_a_body_has_no_piece() -> None:
    stage = Stage(wants=Wants.BODIES)
    stage.exchange.start(b"", True)
    stage.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert stage.client.end == "complete"
    assert stage.events == []


def test_an_answer_of_devproxy_s_own_is_seen_as_it_goes_out() -> None:
    stage = Stage(OWN, wants=Wants.HEADS | Wants.BODIES)
    stage.exchange.start(b"", True)
    request, response = heads(stage.events)
    assert request == (True, False, OWN.removesuffix(b"\r\n\r\n"))
    assert response[:2] == (False, True)
    assert response[2].split(b"\r\n") == [b"HTTP/1.1 200 OK", *stage.client.lines]
    assert pieces(stage.events, is_request=False) == [(stage.client.body, True)]


def test_the_answer_to_a_preflight_that_devproxy_replaces_is_seen_beside_its_own() -> None:
    preflight = (
        b"OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
        b"Access-Control-Request-Method: PUT\r\n\r\n"
    )
    config = config_for((address_of(1),))
    cors = Cors(mode=CorsMode.FIX, preflight=PreflightMode.FORWARD_OR_ANSWER)
    stage = Stage(preflight, config=replace(config, routes=(replace(config.routes[0], cors=cors),)), wants=Wants.HEADS)
    stage.exchange.start(b"", True)
    stage.answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    *_, came, went = heads(stage.events)
    assert (came[1], came[2][:12]) == (False, b"HTTP/1.1 404")
    assert (went[1], went[2][:12]) == (True, b"HTTP/1.1 204")


EVERYTHING = Wants.PROGRESS | Wants.HEADS | Wants.BODIES | Wants.ENDS


@pytest.mark.parametrize("wants", [Wants.ENDS, EVERYTHING], ids=["ends were watched", "everything was watched"])
def test_who_comes_late_is_told_how_far_an_exchange_has_come(wants: Wants) -> None:
    stage = Stage(POST, is_idle=True, wants=wants)
    stage.exchange.start(b"01", False)
    slow = come_late(stage, EVERYTHING)
    kinds = [type(one) for one in slow]
    assert kinds == [ExchangeStarted, HeadSeen, RequestSent, HeadSeen]
    assert heads(slow)[1][2] == stage.connection.sent.partition(b"\r\n\r\n")[0]
    stage.exchange.request_data(b"23", True)
    stage.answer(OK, b"bo", ended=False)
    streaming = come_late(stage, EVERYTHING)
    assert [type(one) for one in streaming] == [*kinds, ResponseBegun]
    more(stage, b"dy", ended=True)
    assert pieces(slow, is_request=False) == [(b"bo", False), (b"dy", True)]
    assert pieces(streaming, is_request=False) == [(b"dy", True)], "the exchange had its body watched already"
    assert isinstance(slow[-1], ExchangeFinished)
    assert slow[-1] == streaming[-1]


def test_a_body_that_began_before_somebody_wanted_it_is_not_told() -> None:
    stage = Stage(POST)
    stage.exchange.start(b"01", False)
    late = come_late(stage, Wants.BODIES)
    stage.exchange.request_data(b"23", True)
    stage.answer(OK, b"body")
    assert late == [BodyData(1, False, b"body", True)]
    over = come_late(stage, EVERYTHING)
    assert over == [], "it is over"


class Tunnelled:
    """A stage whose exchange has become a tunnel."""

    def __init__(self, wants: Wants, *, early: bytes = b"", glued: bytes = b"") -> None:
        self.stage = stage = Stage(UPGRADE, wants=wants)
        nobody = cast("Any", None)
        self.client = stage.client.stream = MemoryTransport(cast("Any", stage.loop), nobody)
        stage.client.early = early
        self.server = MemoryTransport(cast("Any", stage.loop), nobody)
        stage.exchange.start(b"", True)
        assert stage.connection.asker is not None
        stage.connection.asker.upgraded(parse_response_head(SWITCHED, Limits(), b"GET"), glued, self.server)


def passed(events: list[Event]) -> list[tuple[bool, bytes, bool]]:
    return [(one.is_from_client, one.data, one.is_start) for one in events if isinstance(one, TunnelData)]


def test_what_passes_through_a_tunnel_is_seen_from_the_first_byte() -> None:
    tunnel = Tunnelled(Wants.FRAMES | Wants.HEADS | Wants.ENDS, early=MASKED, glued=FRAME)
    assert [type(one) for one in tunnel.stage.events] == [*[HeadSeen] * 4, TunnelOpened, TunnelData, TunnelData]
    tunnel.client.receive(MASKED[:3])
    tunnel.client.receive(MASKED[3:])
    assert passed(tunnel.stage.events) == [
        (False, FRAME, True),
        (True, MASKED, True),
        (True, MASKED[:3], True),
        (True, MASKED[3:], False),
    ]
    assert tunnel.server.written == MASKED * 2


def test_who_comes_late_is_told_that_a_tunnel_is_open_and_what_passes_from_then_on() -> None:
    tunnel = Tunnelled(Wants.ENDS)
    tunnel.server.receive(b"\x01\x01a")
    first, second = (come_late(tunnel.stage, Wants.FRAMES | Wants.ENDS) for _ in range(2))
    opened = [one for one in tunnel.stage.events if isinstance(one, TunnelOpened)]
    assert first == second == opened
    tunnel.server.receive(b"\x80\x01b")
    tunnel.server.receive(FRAME)
    assert passed(first) == [(False, b"\x80\x01b", False), (False, FRAME, True)]
    assert first == second


def test_a_tunnel_that_nobody_watches_any_more_is_as_before() -> None:
    tunnel = Tunnelled(Wants.ENDS)
    events: list[Event] = []
    watching = look(tunnel.stage, Observer(events.append, Wants.FRAMES))
    tunnel.client.receive(MASKED)
    watching.close()
    tunnel.client.receive(MASKED)
    again = come_late(tunnel.stage, Wants.FRAMES)
    tunnel.client.receive(MASKED)
    assert passed(events) == passed(again) == [(True, MASKED, True)]
    assert tunnel.server.written == MASKED * 3


def test_a_tunnel_that_is_watched_ends_at_the_end_of_a_message() -> None:
    tunnel = Tunnelled(Wants.FRAMES)
    tunnel.client.receive(MASKED[:3])
    for one in list(tunnel.stage.shared.tunnels):
        one.close()
    assert not tunnel.server.written.startswith(b"\x88")
    tunnel.client.receive(MASKED[3:])
    assert tunnel.server.written.startswith(MASKED + b"\x88")
    assert passed(tunnel.stage.events) == [(True, MASKED[:3], True), (True, MASKED[3:], False)]
