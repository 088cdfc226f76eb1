"""A connection that is slow on purpose, between an exchange and a server in memory: at a KiB a second."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Fault
from devproxy.errors import UpstreamFault
from devproxy.events import Outcome
from devproxy.gateway.shared.seam import Loss
from tests.support.streams import Stage
from tests.support.wire import OPEN, address_of, config_for

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
CONFIG = config_for((address_of(1),), routes=(replace(OPEN, fault=Fault(bandwidth_kib_s=1)),))


@pytest.fixture
def stage() -> Stage:
    return Stage(config=CONFIG)


def body_bytes(data: bytes) -> int:
    return len(data.partition(b"\r\n\r\n")[2])


def test_a_request_goes_up_at_the_rate_behind_its_head() -> None:
    stage = Stage(POST, config=CONFIG)
    stage.exchange.start(bytes(500), True)
    assert stage.connection.sent.startswith(b"POST /a ")
    assert body_bytes(stage.connection.sent) <= 60
    assert stage.client.is_paused, "it is not read meanwhile"
    stage.loop.turn(0.3)
    assert 250 <= body_bytes(stage.connection.sent) <= 400
    assert stage.connection.asker is not None
    assert not stage.connection.asker.is_request_sent, "so the connection must not serve others yet"
    stage.loop.turn(0.3)
    assert body_bytes(stage.connection.sent) == 500
    assert stage.connection.asker.is_request_sent


def test_a_response_comes_down_at_the_rate_behind_its_head(stage: Stage) -> None:
    stage.exchange.start(b"", True)
    stage.answer(OK, bytes(500))
    assert 0 < len(stage.client.body) <= 60
    stage.loop.turn(0.3)
    assert 250 <= len(stage.client.body) <= 400
    stage.loop.turn(0.3)
    assert len(stage.client.body) == 500
    assert stage.client.end == "complete"


def test_a_slow_client_and_the_rate_together_have_the_server_read_no_more(stage: Stage) -> None:
    stage.exchange.start(b"", True)
    stage.answer(OK, bytes(400), ended=False)
    assert stage.connection.is_paused
    stage.exchange.pause_response()
    written = len(stage.client.body)
    stage.loop.turn(5)
    assert len(stage.client.body) == written
    stage.exchange.resume_response()
    stage.loop.turn(1)
    assert not stage.connection.is_paused


def test_a_loss_comes_behind_what_came_before_it(stage: Stage) -> None:
    stage.exchange.start(b"", True)
    stage.answer(OK, bytes(400), ended=False)
    assert stage.connection.asker is not None
    stage.connection.asker.upstream_lost(Loss(UpstreamFault.CLOSED_EARLY, ""))
    assert not stage.client.end
    stage.loop.turn(1)
    assert len(stage.client.body) == 400
    assert stage.finished.outcome is Outcome.UPSTREAM_LOST


def test_what_is_held_is_dropped_when_the_client_leaves(stage: Stage) -> None:
    stage.exchange.start(b"", True)
    stage.answer(OK, bytes(400), ended=False)
    taken = stage.client.body
    stage.exchange.client_left()
    stage.loop.turn(5)
    assert stage.client.body == taken
    assert stage.connection.is_abandoned


def test_a_connection_that_serves_others_already_is_left_to_them(stage: Stage) -> None:
    stage.exchange.start(b"", True)
    stage.answer(OK, bytes(500))
    stage.exchange.client_left()
    assert not stage.connection.is_abandoned
