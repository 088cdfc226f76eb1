"""Sessions that turn up where nobody knows them: said once, and only where it is no restart."""

from __future__ import annotations

from typing import Any, cast

import pytest
from devproxy.config.model import Upstream
from devproxy.gateway.back.unknown_sessions import MAX_REMEMBERED, UnknownSessions
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from tests.support.wire import address_of

POLL, OTHER = (
    parse_request_head(b"GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: a" % sid, Limits())
    for sid in (b"abc", b"def")
)
REFUSED = parse_response_head(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 41", Limits(), b"GET")
UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'


class Opened:
    """The connection on which the session was opened; what becomes of it tells a restart from several processes."""

    is_open = True


@pytest.fixture
def sessions() -> UnknownSessions:
    return UnknownSessions(Upstream(name="chat", servers=(address_of(1),)))


def test_a_session_that_another_process_has_is_said_once_with_the_key_that_helps(sessions: UnknownSessions) -> None:
    for sid in (b"abc", b"def"):
        sessions.learn(sid, cast("Any", Opened()))
    assert sessions.meet(POLL, REFUSED, UNKNOWN) is None
    trouble = sessions.meet(OTHER, REFUSED, UNKNOWN)
    assert trouble is not None
    assert 'sticky = "socketio"' in trouble.help
    sessions.learn(b"abc", cast("Any", Opened()))
    assert sessions.meet(POLL, REFUSED, UNKNOWN) is None


def test_one_session_that_was_closed_while_it_was_asked_for_is_no_trouble(sessions: UnknownSessions) -> None:
    sessions.learn(b"abc", cast("Any", Opened()))
    assert [sessions.meet(POLL, REFUSED, UNKNOWN) for _ in range(3)] == [None] * 3


def test_a_server_that_has_restarted_is_no_trouble(sessions: UnknownSessions) -> None:
    opened = Opened()
    sessions.learn(b"abc", cast("Any", opened))
    opened.is_open = False
    assert sessions.meet(POLL, REFUSED, UNKNOWN) is None


def test_a_refusal_with_other_words_is_no_trouble(sessions: UnknownSessions) -> None:
    sessions.learn(b"abc", cast("Any", Opened()))
    assert sessions.meet(POLL, REFUSED, b"what?") is None


def test_only_the_sessions_opened_last_are_remembered(sessions: UnknownSessions) -> None:
    for number in range(MAX_REMEMBERED + 1):
        sessions.learn(b"abc" if not number else b"%d" % number, cast("Any", Opened()))
    assert sessions.meet(POLL, REFUSED, UNKNOWN) is None
