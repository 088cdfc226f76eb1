"""An exchange between two sides made of memory: no loop, no socket."""

from __future__ import annotations

import pytest
from devproxy.answers import body_too_large
from devproxy.config.model import Server, Upstream
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.events import Observer, Outcome, Wants, finished_of
from devproxy.gateway.shared.seam import Loss
from devproxy.http1.head import parse_response_head
from devproxy.http1.start_line import Limits
from tests.support.streams import MemoryUpstream, Stage
from tests.support.wire import address_of, config_for

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize("is_idle", [False, True], ids=["on a new connection", "on an idle one"])
def test_a_request_goes_up_and_its_answer_comes_down(is_idle: bool) -> None:
    stage = Stage(is_idle=is_idle)
    stage.exchange.start(b"", True)
    assert stage.connection.sent.startswith(b"GET /a HTTP/1.1\r\n")
    assert stage.server.outstanding == 1
    stage.answer(OK, b"body")
    assert (stage.client.status, stage.client.body, stage.client.end) == (200, b"body", "complete")
    assert stage.server.outstanding == 0
    assert (stage.finished.outcome, stage.finished.status, stage.finished.response_bytes) == (Outcome.COMPLETE, 200, 4)


def test_each_piece_of_an_answer_is_given_at_once() -> None:
    stage = Stage()
    stage.exchange.start(b"", True)
    stage.answer(OK, b"bo", ended=False)
    assert (stage.client.status, stage.client.body, stage.client.end) == (200, b"bo", "")
    assert stage.connection.asker is not None
    stage.connection.asker.response_data(b"dy", True)
    assert (stage.client.body, stage.client.end) == (b"body", "complete")


def test_it_is_told_when_a_response_began_and_when_it_was_complete() -> None:
    stage = Stage()
    stage.exchange.start(b"", True)
    stage.loop.turn(2)
    stage.answer(OK, b"bo", ended=False)
    stage.loop.turn(3)
    assert stage.connection.asker is not None
    stage.connection.asker.response_data(b"dy", True)
    assert (stage.finished.first_byte_s, stage.finished.duration_s) == (2, 5)


def test_where_failures_alone_are_wanted_one_in_the_middle_of_a_body_says_when_that_began() -> None:
    stage = Stage(wants=Wants.FAILURES)
    stage.exchange.start(b"", True)
    stage.loop.turn(2)
    stage.answer(OK, b"bo", ended=False)
    stage.loop.turn(3)
    assert stage.connection.asker is not None
    stage.connection.asker.upstream_lost(Loss(UpstreamFault.CLOSED_EARLY, "gone"))
    assert (stage.finished.outcome, stage.finished.first_byte_s) == (Outcome.UPSTREAM_LOST, 2)


def test_the_end_that_is_kept_says_what_the_record_says() -> None:
    stage = Stage()
    kept: list[tuple[object, ...]] = []
    stage.observers.add(Observer(stage.events.append, Wants.NOTHING, kept.append))
    stage.exchange.start(b"", True)
    stage.loop.turn(2)
    stage.answer(OK, b"body")
    assert finished_of(kept[0]) == stage.finished


def test_where_failures_alone_are_wanted_one_that_is_complete_is_not_told() -> None:
    stage = Stage(wants=Wants.FAILURES)
    stage.exchange.start(b"", True)
    stage.answer(OK, b"body")
    assert stage.events == []


def test_a_1xx_head_is_passed_on_and_the_answer_is_still_to_come() -> None:
    stage = Stage()
    stage.exchange.start(b"", True)
    assert stage.connection.asker is not None
    stage.connection.asker.interim(parse_response_head(b"HTTP/1.1 103 Early Hints", Limits(), b"GET"))
    assert (stage.client.informed, stage.client.status) == ([103], 0)
    stage.answer(OK, b"body")
    assert stage.client.status == 200


def test_a_body_goes_up_as_it_comes_and_its_end_is_known() -> None:
    stage = Stage(POST)
    stage.exchange.start(b"01234", False)
    known = [stage.exchange.is_request_sent]
    stage.exchange.request_data(b"56789", True)
    assert [*known, stage.exchange.is_request_sent] == [False, True]
    assert stage.connection.sent.endswith(b"\r\n\r\n0123456789")


@pytest.mark.parametrize("came", ["with the head", "later"])
def test_a_chunked_body_that_grows_too_large_is_refused(came: str) -> None:
    stage = Stage(CHUNKED, config=config_for((address_of(1),), server=Server(max_body_bytes=8)))
    if came == "later":
        stage.exchange.start(b"", False)
        stage.exchange.request_data(b"9\r\n", False, 9)
        assert stage.connection.is_abandoned, "the upstream must not take it for complete"
    else:
        stage.exchange.start(b"9\r\n", False, 9)
        assert not stage.connection.sent
    assert stage.client.status == 413
    assert stage.finished.error == "request-body-too-large"
    assert stage.server.outstanding == 0


def test_a_body_that_breaks_in_the_middle_of_the_answer_ends_it_so_that_all_can_tell() -> None:
    stage = Stage(CHUNKED)
    stage.exchange.start(b"1\r\na\r\n", False, 1)
    stage.answer(OK, b"bo", ended=False)
    stage.exchange.request_broken(body_too_large(8))
    assert stage.connection.is_abandoned
    assert stage.client.end == "reset"
    assert stage.finished.error == "request-body-too-large"


def test_a_login_that_is_lost_ends_the_client_s_connection_without_an_answer() -> None:
    stage = Stage(is_idle=True)
    stage.exchange.start(b"", True)
    assert stage.connection.asker is not None
    stage.connection.asker.upstream_lost(Loss(UpstreamFault.CLOSED_EARLY, "", may_be_unread=True, was_logged_in=True))
    assert (stage.client.status, stage.client.end) == (0, "closed")
    assert stage.finished.outcome is Outcome.UPSTREAM_LOST


def test_a_client_that_leaves_takes_the_upstream_s_part_with_it() -> None:
    stage = Stage()
    stage.exchange.start(b"", True)
    stage.exchange.client_left()
    assert stage.connection.is_abandoned
    assert stage.finished.outcome is Outcome.CLIENT_LEFT
    stage.exchange.client_left()
    assert len(stage.events) == 1, "an end is reported once"


@pytest.mark.parametrize(("was_reset", "end"), [(True, "reset"), (False, "closed")])
def test_an_upstream_that_is_lost_in_mid_body_never_looks_complete(was_reset: bool, end: str) -> None:
    stage = Stage()
    stage.exchange.start(b"", True)
    stage.answer(OK, b"bo", ended=False)
    assert stage.connection.asker is not None
    stage.connection.asker.upstream_lost(Loss(UpstreamFault.CLOSED_EARLY, "", was_reset))
    assert stage.client.end == end
    assert (stage.finished.outcome, stage.finished.error) == (Outcome.UPSTREAM_LOST, "upstream-closed-in-mid-body")


def test_a_kept_connection_that_was_dead_is_replaced_once() -> None:
    stage = Stage(is_idle=True)
    stage.exchange.start(b"", True)
    first = stage.connection
    second, third = MemoryUpstream(stage.server), MemoryUpstream(stage.server)
    stage.server.fresh += [second, third]
    assert first.asker is not None
    loss = Loss(UpstreamFault.CLOSED_EARLY, "", may_be_unread=True)
    first.asker.upstream_lost(loss)
    assert second.sent == first.sent
    assert not stage.client.end
    assert second.asker is not None
    second.asker.upstream_lost(loss)
    assert stage.client.status == 502
    assert not third.sent, "it is sent once more, and not twice"


def test_who_cannot_connect_is_answered() -> None:
    stage = Stage()
    stage.server.failure = UpstreamError(UpstreamFault.REFUSED, "http://a", "connection refused")
    stage.exchange.start(b"", True)
    assert stage.client.status == 503
    assert stage.server.outstanding == 0


def test_an_upstream_that_is_silent_for_too_long_is_given_up() -> None:
    upstream = Upstream(name="backend", servers=(address_of(1),), response_timeout_s=5.0)
    stage = Stage(config=config_for((), upstream=upstream))
    stage.exchange.start(b"", True)
    (timed,) = stage.shared.timed
    assert timed.look_at_clock(stage.loop.now + 4.9)
    assert not timed.look_at_clock(stage.loop.now + 5.0)
    assert stage.client.status == 504
    assert stage.connection.is_abandoned


def test_an_upstream_that_has_begun_to_answer_is_timed_no_more() -> None:
    upstream = Upstream(name="backend", servers=(address_of(1),), response_timeout_s=5.0)
    stage = Stage(config=config_for((), upstream=upstream))
    stage.exchange.start(b"", True)
    stage.answer(OK, b"", ended=False)
    (timed,) = stage.shared.timed
    assert not timed.look_at_clock(stage.loop.now + 100)
    assert not stage.client.end


def test_who_takes_slowly_holds_the_other_side_back() -> None:
    stage = Stage(POST)
    stage.exchange.start(b"01234", False)
    assert stage.connection.asker is not None
    stage.connection.asker.pause_request()
    paused = [stage.client.is_paused]
    stage.connection.asker.resume_request()
    assert [*paused, stage.client.is_paused] == [True, False]
    stage.exchange.pause_response()
    paused = [stage.connection.is_paused]
    stage.exchange.resume_response()
    assert [*paused, stage.connection.is_paused] == [True, False]
