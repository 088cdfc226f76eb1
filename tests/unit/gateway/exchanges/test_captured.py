"""An exchange that keeps what it is made of, and what is told of those that need a look."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.events import Capturing, Entry, Event, Evidence, Observer, Outcome, Wants
from devproxy.gateway.exchanges.watched import watch
from devproxy.gateway.shared.capture import Body, Budget, Capture
from devproxy.gateway.shared.observers import Observation, Observers
from devproxy.inspector.details import received_request, received_response, sent_request, sent_response
from tests.support.streams import Stage
from tests.support.wire import address_of, config_for

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 8\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def keeping(stage: Stage) -> list[Entry]:
    """Keep the ends at `stage`, whose exchange begins again as one that is made while something keeps them."""
    ends: list[Entry] = []
    stage.observers.add(Observer(lambda event: None, Wants.NOTHING, lambda end: ends.append(Entry._make(end))))
    return ends


def captured(head: bytes = POST, budget: Budget | None = None) -> tuple[Stage, list[Entry]]:
    stage = Stage(head)
    stage.observers.capture(budget or Budget(1 << 20))
    ends = keeping(stage)
    watch(stage.exchange, Observers(budget=stage.observers.budget))
    return stage, ends


def text(body: Body | None) -> bytes:
    return b"" if body is None else b"".join(body.pieces)


def test_its_end_brings_both_heads_and_bodies() -> None:
    stage, (ends) = captured()
    stage.exchange.start(b"ab", False)
    stage.exchange.request_data(b"cd", True)
    stage.answer(OK, b"1234", ended=False)
    assert stage.connection.asker is not None
    stage.connection.asker.response_data(b"5678", True)
    (end,) = ends
    capture: Capture = end.capture
    assert (end.status, end.outcome) == (200, Outcome.COMPLETE)
    assert received_request(capture)[0] == b"POST /a HTTP/1.1"
    sent = sent_request(capture)
    assert sent is not None
    assert b"\r\n".join(sent) == stage.connection.sent.partition(b"\r\n\r\n")[0]
    assert received_response(capture) == OK[:-4].split(b"\r\n")
    answered = sent_response(capture)
    assert answered is not None
    assert answered[1:] == stage.client.lines
    assert text(capture.request_body) == b"abcd"
    assert (text(capture.response_body), capture.response_body and capture.response_body.is_complete) == (
        b"12345678",
        True,
    )


def test_who_comes_late_gets_what_is_still_to_come() -> None:
    stage = Stage(POST)
    ends = keeping(stage)
    stage.exchange.start(b"ab", False)
    stage.observers.capture(Budget(1 << 20))
    watch(stage.exchange, Observers(budget=stage.observers.budget))
    stage.exchange.request_data(b"cd", True)
    stage.answer(OK, b"12345678")
    capture = ends[0].capture
    assert sent_request(capture) is not None
    assert received_response(capture) is not None
    assert text(capture.request_body) == b"", "of a body that had begun nothing is kept"
    assert text(capture.response_body) == b"12345678"


def test_what_runs_can_be_asked_for_again_and_again() -> None:
    stage, _ = captured()
    stage.exchange.start(b"abcd", True)
    for _ in range(2):
        events: list[Event] = []
        stage.exchange.tell_so_far(Observers(Observation(stage.observers, Observer(events.append, Wants.PROGRESS))))
        (capturing,) = [event for event in events if isinstance(event, Capturing)]
        assert capturing.capture.server is not None
        assert text(capturing.capture.request_body) == b"abcd"


def test_bodies_are_kept_as_far_as_there_is_room() -> None:
    budget = Budget(6)
    stage, ends = captured(budget=budget)
    stage.exchange.start(b"abcd", True)
    stage.answer(OK, b"12345678")
    capture = ends[0].capture
    assert (text(capture.request_body), text(capture.response_body)) == (b"abcd", b"12")
    assert (capture.kept_bytes, budget.left) == (6, 0)


@pytest.mark.parametrize("is_captured", [True, False])
def test_an_answer_of_devproxys_own_is_kept(is_captured: bool) -> None:
    stage = Stage(b"GET /__devproxy/nothing HTTP/1.1\r\nHost: a\r\n\r\n", wants=Wants.EVIDENCE)
    ends = keeping(stage)
    if is_captured:
        stage.observers.capture(Budget(1 << 20))
        watch(stage.exchange, Observers(budget=stage.observers.budget))
    stage.exchange.start(b"", True)
    told: list[Any] = [event.capture for event in stage.events if isinstance(event, Evidence)]
    (capture,) = [ends[0].capture] if is_captured else told
    assert len(told) == (not is_captured), "what is kept anyway is not told twice"
    answered = sent_response(capture)
    assert answered is not None
    assert answered[0] == b"HTTP/1.1 404 Not Found"
    assert received_response(capture) is None
    assert capture.own.body


@pytest.mark.parametrize(("answer", "is_told"), [(NOT_FOUND, True), (OK, False)], ids=["404", "200"])
def test_the_heads_of_what_fails_are_told_without_being_asked_for(answer: bytes, is_told: bool) -> None:
    stage = Stage(wants=Wants.EVIDENCE)
    stage.exchange.start(b"", True)
    stage.answer(answer, b"" if is_told else b"12345678")
    told = [event for event in stage.events if isinstance(event, Evidence)]
    assert len(told) == is_told
    for event in told:
        assert received_response(event.capture) == NOT_FOUND[:-4].split(b"\r\n")
        assert sent_request(event.capture) is not None


def test_what_a_browser_blocks_is_told() -> None:
    stage = Stage(
        b"GET /a HTTP/1.1\r\nHost: a.localhost\r\nOrigin: http://localhost:3000\r\n\r\n",
        config=config_for((address_of(1),)),
        wants=Wants.EVIDENCE,
    )
    ends = keeping(stage)
    stage.exchange.start(b"", True)
    stage.answer(b"HTTP/1.1 302 Found\r\nLocation: http://x\r\nContent-Length: 0\r\n\r\n")
    assert [end.has_advice for end in ends] == [bool(stage.events)]
