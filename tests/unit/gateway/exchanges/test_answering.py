"""What devproxy answers this itself: without an upstream, at once or after a delay."""

from __future__ import annotations

from dataclasses import replace

from devproxy.config.model import Fault
from devproxy.events import Outcome
from tests.support.streams import Stage
from tests.support.wire import OPEN, address_of, config_for

HEALTH = b"GET /__devproxy/health HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = config_for((address_of(1),), routes=(replace(OPEN, fault=Fault(error_rate=1.0, latency_ms=2000)),))


def test_an_answer_of_its_own_needs_no_upstream() -> None:
    stage = Stage(HEALTH)
    stage.exchange.start(b"", True)
    assert stage.client.status == 200
    assert stage.client.end == "complete"
    assert (stage.finished.outcome, stage.finished.server) == (Outcome.ANSWERED, "")
    assert not stage.connection.sent


def test_a_delayed_answer_comes_when_it_is_due() -> None:
    stage = Stage(config=SLOW)
    stage.exchange.start(b"", True)
    stage.loop.turn(1.9)
    assert not stage.client.end
    stage.loop.turn(0.2)
    assert stage.client.status == 503


def test_who_leaves_before_a_delayed_answer_is_reported_and_gets_none() -> None:
    stage = Stage(config=SLOW)
    stage.exchange.start(b"", True)
    stage.exchange.client_left()
    stage.loop.turn(10)
    assert not stage.client.end
    assert stage.finished.outcome is Outcome.CLIENT_LEFT


def test_a_long_body_waits_in_the_kernel_while_its_answer_is_delayed() -> None:
    stage = Stage(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", config=SLOW)
    stage.exchange.start(b"", False)
    stage.exchange.request_data(bytes(64 * 1024), False)
    paused = [stage.client.is_paused]
    stage.exchange.request_data(b"x", False)
    assert [*paused, stage.client.is_paused] == [False, True]
