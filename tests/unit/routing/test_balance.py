"""The choice of a server: by load, by session, by cookie; what is remembered, and for how many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from devproxy.config.model import Scheme, ServerAddress, Sticky, Upstream
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.routing.balance import (
    MAX_OTHERS,
    Balancer,
    Choice,
    Process,
    Reason,
    Sessions,
    cookie_name,
    least_outstanding,
    rendezvous,
    server_id,
)

URLS = ("http://one.test:1", "http://two.test:2", "http://three.test:3")
OPEN = b"/socket.io/?EIO=4&transport=polling"


@dataclass
class One:
    """How a server stands."""

    outstanding: int = 0
    is_up: bool | None = True


def fleet(count: int = 3) -> list[One]:
    return [One() for _ in range(count)]


def balancer(sticky: Sticky, urls: tuple[str, ...] = URLS, sessions: Sessions | None = None) -> Balancer:
    servers = tuple(ServerAddress(scheme=Scheme.HTTP, host="x", port=1, url=url) for url in urls)
    return Balancer(Upstream(name="back end", servers=servers, sticky=sticky), sessions)


def request(path: bytes = b"/", *lines: bytes, method: bytes = b"GET") -> RequestHead:
    return parse_request_head(b"\r\n".join((method + b" " + path + b" HTTP/1.1", b"Host: a", *lines)), Limits())


# -- by load -----------------------------------------------------------------------------------------------------------


def test_the_server_with_the_least_to_do_is_chosen() -> None:
    assert least_outstanding([One(3), One(1), One(2)], 0) == 1


def test_servers_with_as_much_to_do_take_turns() -> None:
    chosen = balancer(Sticky.NONE)
    assert [chosen.choose(request(), fleet()).server for _ in range(6)] == [1, 2, 0, 1, 2, 0]


def test_a_server_that_is_down_is_left_out_and_one_that_is_not_known_is_not() -> None:
    assert least_outstanding([One(0, is_up=False), One(5, is_up=None), One(6)], 0) == 1


def test_when_all_are_down_the_choice_is_as_if_none_were() -> None:
    assert least_outstanding([One(2, is_up=False), One(1, is_up=False)], 0) == 1


# -- by session --------------------------------------------------------------------------------------------------------


def test_a_session_stays_with_the_server_that_created_it_whatever_that_has_to_do() -> None:
    chosen = balancer(Sticky.SOCKETIO)
    chosen.learn(b"abc", 2)
    busy = [One(), One(), One(99)]
    assert chosen.choose(request(OPEN + b"&sid=abc"), busy) == Choice(2, Reason.SESSION)
    upgrade = request(b"/socket.io/?EIO=4&transport=websocket&sid=abc", b"Connection: Upgrade", b"Upgrade: websocket")
    assert chosen.choose(upgrade, busy) == Choice(2, Reason.SESSION)
    assert chosen.choose(request(OPEN + b"&sid=abc", method=b"POST"), busy).is_bound


def test_a_session_whose_server_is_down_is_not_given_to_another() -> None:
    chosen = balancer(Sticky.SOCKETIO)
    chosen.learn(b"abc", 1)
    choice = chosen.choose(request(OPEN + b"&sid=abc"), [One(), One(is_up=False), One()])
    assert choice == Choice(1, Reason.SESSION)
    assert choice.is_bound


def test_an_encoded_session_id_is_the_one_that_the_server_wrote() -> None:
    chosen = balancer(Sticky.SOCKETIO)
    chosen.learn(b"a/b=", 0)
    assert chosen.choose(request(OPEN + b"&sid=a%2Fb%3D"), fleet()).reason is Reason.SESSION


def test_an_unknown_session_goes_to_one_server_always_also_after_a_restart() -> None:
    path = OPEN + b"&sid=from-before"
    first = balancer(Sticky.SOCKETIO).choose(request(path), fleet())
    assert first.reason is Reason.UNKNOWN_SESSION
    assert first.is_bound
    assert {balancer(Sticky.SOCKETIO).choose(request(path), fleet()) for _ in range(5)} == {first}


def test_new_sessions_are_spread_over_all_servers() -> None:
    chosen = balancer(Sticky.SOCKETIO)
    counts = Counter(chosen.choose(request(OPEN), fleet()).server for _ in range(30))
    assert counts == {0: 10, 1: 10, 2: 10}


def test_new_sessions_are_spread_also_when_each_page_asks_for_something_else_in_between() -> None:
    chosen = balancer(Sticky.SOCKETIO, URLS[:2])
    counts: Counter[int] = Counter()
    for _ in range(20):
        chosen.choose(request(b"/api"), fleet(2))
        counts[chosen.choose(request(OPEN), fleet(2)).server] += 1
    assert counts == {0: 10, 1: 10}


def test_sessions_outlive_a_change_of_the_configuration() -> None:
    before = balancer(Sticky.SOCKETIO)
    before.learn(b"abc", 2)
    after = balancer(Sticky.SOCKETIO, (URLS[2], URLS[0]), before.sessions)
    assert after.choose(request(OPEN + b"&sid=abc"), fleet(2)) == Choice(0, Reason.SESSION)


def test_a_session_of_a_server_that_was_removed_is_unknown() -> None:
    before = balancer(Sticky.SOCKETIO)
    before.learn(b"abc", 2)
    after = balancer(Sticky.SOCKETIO, URLS[:2], before.sessions)
    assert after.choose(request(OPEN + b"&sid=abc"), fleet(2)).reason is Reason.UNKNOWN_SESSION


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        (request(OPEN), True),
        (request(b"/x?EIO=3&transport=polling&t=1"), True),
        (request(OPEN + b"&sid=abc"), False),
        (request(OPEN, method=b"OPTIONS"), False),
        (request(b"/"), False),
        (request(b"/s/?EIO=4&transport=websocket", b"Connection: Upgrade", b"Upgrade: websocket"), False),
    ],
)
def test_a_handshake_over_polling_opens_a_session_that_has_to_be_remembered(asked: RequestHead, opens: bool) -> None:
    assert balancer(Sticky.SOCKETIO).opens_session(asked) is opens
    assert balancer(Sticky.COOKIE).opens_session(asked) is opens


def test_of_too_many_sessions_the_longest_unused_are_forgotten() -> None:
    sessions = Sessions(limit=3)
    for sid in (b"a", b"b", b"c"):
        sessions.bind(sid, "x")
    assert sessions.server_of(b"a") == "x"
    sessions.bind(b"d", "x")
    assert len(sessions) == 3
    assert sessions.server_of(b"b") == ""
    assert [sessions.server_of(sid) for sid in (b"a", b"c", b"d")] == ["x"] * 3


def test_where_nothing_is_sticky_a_session_is_a_request_like_any_other() -> None:
    chosen = balancer(Sticky.NONE)
    assert {chosen.choose(request(OPEN + b"&sid=abc"), fleet()).server for _ in range(3)} == {0, 1, 2}


# -- rendezvous hashing ------------------------------------------------------------------------------------------------


def test_hashed_keys_are_spread_over_all_servers() -> None:
    counts = Counter(rendezvous(b"%d" % key, URLS, fleet()) for key in range(3000))
    assert all(800 < count < 1200 for count in counts.values())


def test_a_server_that_goes_moves_its_own_keys_alone() -> None:
    before = [rendezvous(b"%d" % key, URLS, fleet()) for key in range(300)]
    without = [One(), One(is_up=False), One()]
    after = [rendezvous(b"%d" % key, URLS, without) for key in range(300)]
    assert all(old == new for old, new in zip(before, after, strict=True) if old != 1)
    assert 1 not in after


# -- by cookie ---------------------------------------------------------------------------------------------------------


def cookie(value: bytes) -> bytes:
    return b"Cookie: theme=dark; devproxy_back%20end=" + value + b"; x=y"


def test_a_client_with_a_cookie_goes_where_it_says() -> None:
    chosen = balancer(Sticky.COOKIE)
    held = cookie(server_id(URLS[1]))
    assert {chosen.choose(request(b"/", held), [One(), One(99), One()]) for _ in range(3)} == {Choice(1, Reason.COOKIE)}


@pytest.mark.parametrize("line", [cookie(b"forged"), cookie(b""), b"Cookie: x=devproxy_back%20end", b"X-A: b"])
def test_a_client_without_a_valid_cookie_goes_where_there_is_least_to_do(line: bytes) -> None:
    choice = balancer(Sticky.COOKIE).choose(request(b"/", line), [One(1), One(0), One(1)])
    assert choice == Choice(1, Reason.LEAST)


def test_a_cookie_for_a_server_that_is_down_does_not_count() -> None:
    choice = balancer(Sticky.COOKIE).choose(
        request(b"/", cookie(server_id(URLS[1]))), [One(1), One(is_up=False), One()]
    )
    assert choice == Choice(2, Reason.LEAST)
    assert not choice.is_bound


def test_the_cookie_is_for_the_whole_origin_and_no_business_of_scripts() -> None:
    line = balancer(Sticky.COOKIE).cookie_line(0)
    assert line == b"Set-Cookie: devproxy_back%20end=" + server_id(URLS[0]) + b"; Path=/; HttpOnly; SameSite=Lax"
    assert b"one.test" not in line


@pytest.mark.parametrize(
    ("upstream", "name"),
    [("api", "devproxy_api"), ("a;b=c", "devproxy_a%3bb%3dc"), ("a.b-c", "devproxy_a.b-c"), ("a%b", "devproxy_a%b")],
)
def test_the_cookies_name_is_a_token_whatever_the_upstream_is_called(upstream: str, name: str) -> None:
    assert cookie_name(upstream) == name


def test_processes_that_turn_out_to_be_the_same_share_what_is_known_of_either() -> None:
    one, another, third, fourth = (Process() for _ in range(4))
    one.differ(third)
    fourth.differ(another)
    assert one.join(another) is another.root is one.root
    for same in (one, another):
        for other in (third, fourth):
            assert same.is_other(other)
            assert other.is_other(same)
    assert not one.is_other(another)
    assert not third.is_other(fourth)
    third.join(fourth)
    assert another.is_other(third)
    assert fourth.is_other(one)


def test_what_is_known_of_processes_is_bounded() -> None:
    one, others = Process(), [Process() for _ in range(3 * MAX_OTHERS)]
    for other in others:
        one.differ(other)
    assert 0 < sum(one.is_other(other) for other in others) <= MAX_OTHERS
    assert one.is_other(others[-1])
    assert others[-1].is_other(one)


def test_a_session_is_remembered_with_its_process_until_it_is_forgotten() -> None:
    sessions, process = Sessions(limit=2), Process()
    sessions.bind(b"one", "http://a", process)
    same = Process()
    same.join(process)
    assert sessions.process_of(b"one") is same
    sessions.bind(b"two", "http://a")
    assert sessions.process_of(b"two") is None
    sessions.forget(b"two")
    assert sessions.server_of(b"two") == ""
    sessions.forget(b"two")
