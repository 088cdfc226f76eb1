"""What is wrong, as a function of what was seen: tables of observations, without a socket."""

from __future__ import annotations

from typing import Any

import pytest
from devproxy.doctor.diagnosis import diagnose, has_errors
from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.observed import (
    Answer,
    Connection,
    Examined,
    Failure,
    Handshake,
    Idle,
    Joining,
    Opened,
    Round,
    Seen,
    Session,
    Streamed,
)
from devproxy.doctor.problems import Code, Diagnosis
from devproxy.doctor.target import parse_target
from devproxy.http.fields import parse_fields
from devproxy.policy.verdict.handshake import accept_for

PAGE, STRANGER = "http://localhost:3000", "https://stranger.example"
OPEN = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
OPENED = Opened("abc", 4, ("websocket",))
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def answer(status: int = 200, *lines: str, body: bytes = b"") -> Answer:
    return Answer(status, tuple(parse_fields([line.encode() for line in lines])), body, is_whole=True)


def session(*lines: str) -> Answer:
    return answer(200, *lines, body=OPEN)


def shaken(status: int = 101, *lines: str, body: bytes = b"", first: str | None = OPEN.decode()) -> Handshake:
    if status == 101 and not lines:
        lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_for(KEY).decode()}")
    return Handshake(answer(status, *lines, body=body), KEY, first if status == 101 else None)


def allowed(origin: str) -> tuple[str, ...]:
    return (f"Access-Control-Allow-Origin: {origin}", "Access-Control-Allow-Credentials: true", "Vary: Origin")


def seen(url: str = "http://localhost:3001", **more: Any) -> Seen:
    """A good server: its list has the page, and it looks at the Origin of WebSockets."""
    target = parse_target(url, path=more.pop("path", None), eio=more.pop("eio", 4))
    good: dict[str, Any] = {
        "connections": (Connection("127.0.0.1", Failure.NONE, 0.001),),
        "polled": session("Vary: Origin"),
        "polled_page": session(*allowed(PAGE)),
        "polled_stranger": session("Vary: Origin"),
        "preflight": answer(204, *allowed(PAGE)),
        "resource_page": answer(404),
        "socket_page": shaken(),
        "socket_stranger": shaken(403),
        "session": Session(OPENED, Joining("joined"), shaken(), 0.01, 0.1),
        "rounds": (Round(2, 0),) * 4,
    }
    return Seen("direct", target, PAGE.encode(), STRANGER.encode(), **(good | more))


def diagnosed(one: Seen, through: Seen | None = None) -> Diagnosis:
    return diagnose(Examined(one, through))


def codes(one: Seen) -> list[str]:
    return [str(problem.code) for problem in diagnosed(one).problems]


def refused(code: int, words: str, status: int = 400) -> Answer:
    return answer(status, body=b'{"code":%d,"message":"%s"}' % (code, words.encode()))


def test_a_good_server_has_no_problem() -> None:
    diagnosis = diagnosed(seen())
    assert diagnosis.problems == ()
    assert not has_errors(seen())
    assert diagnosis.server == "Socket.IO 3 or 4 (Node)"
    assert {check.result for check in diagnosis.checks if check.name not in ("quiet connections",)} == {"ok"}


CORS = {
    "no header at all": (session(), session(), ["cors-missing"]),
    "a list without the page": (session("Vary: Origin"), session("Vary: Origin"), ["cors-origin-not-allowed"]),
    "credentials allowed, and no origin": (
        session("Access-Control-Allow-Credentials: true"),
        session(),
        ["cors-origin-not-allowed"],
    ),
    "another origin": (
        session("Access-Control-Allow-Origin: https://a.example"),
        session("Access-Control-Allow-Origin: https://a.example"),
        ["cors-origin-not-allowed"],
    ),
    "a slash": (session(f"Access-Control-Allow-Origin: {PAGE}/"), session(), ["cors-origin-malformed"]),
    "a path": (session(f"Access-Control-Allow-Origin: {PAGE}/app"), session(), ["cors-origin-malformed"]),
    "no scheme": (session("Access-Control-Allow-Origin: localhost:3000"), session(), ["cors-origin-malformed"]),
    "another case": (
        session("Access-Control-Allow-Origin: HTTP://LOCALHOST:3000"),
        session(),
        ["cors-origin-malformed"],
    ),
    "a default port": (
        session("Access-Control-Allow-Origin: http://localhost:80"),
        session(),
        ["cors-origin-malformed"],
    ),
    "several origins": (
        session(f"Access-Control-Allow-Origin: {PAGE}, https://a.example"),
        session(f"Access-Control-Allow-Origin: {PAGE}, https://a.example"),
        ["cors-origin-malformed"],
    ),
    "two lines": (
        session(f"Access-Control-Allow-Origin: {PAGE}", "Access-Control-Allow-Origin: *"),
        session("Access-Control-Allow-Origin: *"),
        ["cors-duplicate"],
    ),
    "the same twice": (session(f"Access-Control-Allow-Origin: {PAGE}, {PAGE}"), session(), ["cors-duplicate"]),
    "joined with an echo": (
        session(f"Access-Control-Allow-Origin: {PAGE}, https://a.example"),
        session(f"Access-Control-Allow-Origin: {STRANGER}, https://a.example"),
        ["cors-duplicate"],
    ),
    "everyone, without credentials": (
        session("Access-Control-Allow-Origin: *"),
        session("Access-Control-Allow-Origin: *"),
        [],
    ),
}


@pytest.mark.parametrize("name", CORS)
def test_the_answer_to_the_page_is_judged_as_a_browser_judges_it(name: str) -> None:
    page, stranger, expected = CORS[name]
    assert codes(seen(polled_page=page, polled_stranger=stranger, polled=stranger)) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("Access-Control-Allow-Origin: *",), ["cors-wildcard-credentials"]),
        ((f"Access-Control-Allow-Origin: {PAGE}",), ["cors-credentials-missing"]),
        (
            (f"Access-Control-Allow-Origin: {PAGE}", "Access-Control-Allow-Credentials: True"),
            ["cors-credentials-missing"],
        ),
        (allowed(PAGE), []),
    ],
)
def test_with_credentials_more_is_needed(lines: tuple[str, ...], expected: list[str]) -> None:
    assert codes(seen(polled_page=session(*lines), includes_credentials=True)) == expected


def test_origins_that_were_let_in_are_named() -> None:
    one = seen(polled_page=session(), polled_stranger=session(), allowed=(b"http://localhost:5173",))
    problem = diagnosed(one).problems[0]
    assert problem.code is Code.CORS_ORIGIN_NOT_ALLOWED
    assert "http://localhost:5173" in problem.why


def test_express_cors_is_recognised_as_the_usual_mistake() -> None:
    one = seen(polled_page=session(), polled_stranger=session(), resource_page=answer(200, *allowed(PAGE)))
    assert "Express's cors() has no effect on Socket.IO" in diagnosed(one).problems[0].why


def test_an_echo_with_credentials_is_open_to_everyone() -> None:
    one = seen(polled_stranger=session(*allowed(STRANGER)), socket_stranger=shaken())
    assert codes(one) == ["cors-open"]


def test_a_socket_that_is_open_beside_a_list_is_a_warning() -> None:
    diagnosis = diagnosed(seen(socket_stranger=shaken()))
    assert [(str(problem.code), problem.is_error) for problem in diagnosis.problems] == [("websocket-open", False)]


def test_a_socket_that_is_as_open_as_polls_is_none() -> None:
    everyone = session("Access-Control-Allow-Origin: *")
    one = seen(polled=everyone, polled_page=everyone, polled_stranger=everyone, socket_stranger=shaken())
    assert codes(one) == []


REFUSALS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a callback that fails": (
        {
            "polled_page": refused(3, "Bad request"),
            "socket_page": shaken(400, body=b"Bad request"),
            "socket_none": shaken(),
        },
        ["cors-origin-not-allowed"],
    ),
    "allowRequest by the Origin": (
        {"polled_page": refused(4, "no", 403), "socket_page": shaken(400, body=b"no"), "socket_none": shaken()},
        ["origin-checked"],
    ),
    "allowRequest whatever the Origin": (
        {name: refused(4, "no", 403) for name in ("polled", "polled_page", "polled_stranger")}
        | {"socket_page": shaken(400), "session": Session(), "rounds": ()},
        ["auth-required"],
    ),
    "python's list": (
        {"polled_page": answer(400, body=b'"http://localhost:3000 is not an accepted origin."')},
        ["origin-checked"],
    ),
    "the socket alone": (
        {"socket_page": shaken(403), "socket_none": shaken(), "session": Session(OPENED, Joining("joined"))},
        ["origin-checked"],
    ),
    "a guard": (
        {name: answer(401, "WWW-Authenticate: Bearer") for name in ("polled", "polled_page", "polled_stranger")}
        | {"socket_page": shaken(401), "session": Session(), "rounds": ()},
        ["auth-required"],
    ),
    "polling is not offered": (
        {name: refused(0, "Transport unknown") for name in ("polled", "polled_page", "polled_stranger")}
        | {"session": Session(), "rounds": (), "preflight": answer(400)},
        ["polling-disabled"],
    ),
    "an old server of python's": (
        {
            name: answer(
                400, body=b'"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"'
            )
            for name in ("polled", "polled_stranger")
        }
        | {
            "polled_page": answer(
                400,
                *allowed(PAGE),
                body=b'"The client is using an unsupported version of the Socket.IO or Engine.IO protocols"',
            ),
            "preflight": answer(400, *allowed(PAGE)),
            "session": Session(),
            "rounds": (),
        },
        ["eio-version"],
    ),
    "an old client": (
        {"eio": 3} | {name: refused(5, "Unsupported protocol version") for name in ("polled", "polled_page")},
        ["eio-version"],
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_refuses_a_poll_is_told_apart(name: str) -> None:
    more, expected = REFUSALS[name]
    assert codes(seen(**more)) == expected


UPGRADES: dict[str, tuple[Handshake, list[str]]] = {
    "refused": (shaken(400, body=b"Session ID unknown"), ["upgrade-refused"]),
    "404": (shaken(404), ["upgrade-refused"]),
    "426": (shaken(426), ["upgrade-refused"]),
    "502": (shaken(502), ["upgrade-refused"]),
    "closed": (Handshake(Answer(failure=Failure.CLOSED), KEY), ["upgrade-refused"]),
    "swallowed": (Handshake(Answer(failure=Failure.SILENT), KEY), ["upgrade-stripped"]),
    "one too many": (shaken(429), []),
    "stripped before Node": (shaken(400, body=b'{"code":3,"message":"Bad request"}'), ["upgrade-stripped"]),
    "stripped before python-socketio": (shaken(400, body=b'"Invalid websocket upgrade"'), ["upgrade-stripped"]),
    "stripped on the way back": (
        shaken(101, "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_for(KEY).decode()}"),
        ["upgrade-stripped"],
    ),
    "a wrong answer to the key": (
        shaken(101, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"),
        ["upgrade-refused"],
    ),
}


@pytest.mark.parametrize("name", UPGRADES)
def test_what_becomes_of_the_upgrade_is_told_apart(name: str) -> None:
    handshake, expected = UPGRADES[name]
    one = seen(socket_page=handshake, session=Session(OPENED, Joining("joined"), handshake))
    assert codes(one) == expected
    browser = "".join(problem.browser for problem in diagnosed(one).problems)
    assert browser == "" or browser.startswith("WebSocket connection to 'ws://localhost:3001/socket.io/?EIO=4")


def test_fixes_of_upgrades_say_that_the_other_order_never_falls_back() -> None:
    for code in (Code.UPGRADE_REFUSED, Code.UPGRADE_STRIPPED):
        assert "tryAllTransports" in fixes_for(code, seen())["client"]


def test_a_server_that_offers_no_websocket_is_asked_for_none() -> None:
    polling = Opened("abc", 4, ())
    body = OPEN.replace(b'["websocket"]', b"[]")
    one = seen(
        polled=answer(200, body=body),
        polled_page=answer(200, *allowed(PAGE), body=body),
        socket_page=shaken(400, body=b"Transport unknown"),
        session=Session(polling, Joining("joined")),
    )
    assert codes(one) == []


SESSIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no such namespace": ({"session": Session(OPENED, Joining("refused", "Invalid namespace"))}, ["namespace-refused"]),
    "a middleware": ({"session": Session(OPENED, Joining("refused", "the room is full"))}, ["namespace-refused"]),
    "a middleware that asks for a token": (
        {"session": Session(OPENED, Joining("refused", "invalid token"))},
        ["auth-required"],
    ),
    "a middleware that hangs": ({"session": Session(OPENED, Joining("silent", "", 5.0))}, ["namespace-refused"]),
    "several servers": ({"rounds": (Round(1, 1, False), Round(2, 0))}, ["not-sticky"]),
    "several processes": ({"rounds": (Round(1, 1, True), Round(1, 1, True))}, ["not-sticky"]),
    "a late event": ({"session": Session(OPENED, Joining("joined"), shaken(), 0.01, 3.0)}, ["buffered"]),
    "an answer that does not come": ({"session": Session(OPENED, Joining("joined"), shaken(), -1.0)}, ["buffered"]),
    "an impatient proxy": ({"idle_poll": Idle(5.0, 45.0, "504")}, ["timeout-short"]),
    "an impatient proxy of sockets": ({"idle_socket": Idle(10.0, 45.0, "closed")}, ["timeout-short"]),
    "quiet for long enough": ({"idle_poll": Idle(45.0, 45.0), "idle_socket": Idle(45.0, 45.0)}, []),
    "quiet for as long as there was time": ({"idle_poll": Idle(10.0, 45.0)}, []),
    "one connection at a time": ({"is_lone": True, "rounds": ()}, ["single-connection"]),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_what_becomes_of_a_session_is_told_apart(name: str) -> None:
    more, expected = SESSIONS[name]
    assert codes(seen(**more)) == expected


def test_processes_are_told_from_servers() -> None:
    processes = diagnosed(seen(rounds=(Round(1, 1, True),) * 2)).problems[0]
    servers = diagnosed(seen(rounds=(Round(1, 1, True), Round(1, 1, False)))).problems[0]
    assert "processes share the port" in processes.what
    assert "servers share the requests" in servers.what


def test_what_could_not_be_held_for_long_enough_says_how_it_could() -> None:
    checks = {check.name: check for check in diagnosed(seen(idle_poll=Idle(10.0, 45.0))).checks}
    assert checks["quiet connections"].result == "not checked"
    assert "--timeout 55" in checks["quiet connections"].why


PREFLIGHTS = {
    "a guard": (answer(401), "preflight-wrong-layer"),
    "a redirect": (answer(302, "Location: /login"), "preflight-wrong-layer"),
    "a router": (answer(200, "Allow: GET, HEAD"), "preflight-wrong-layer"),
    "a router that knows no OPTIONS": (answer(405, "Allow: GET"), "preflight-wrong-layer"),
    "Express": (answer(404, body=b"<pre>Cannot OPTIONS /socket.io/</pre>"), "preflight-wrong-layer"),
    "an error": (answer(500, *allowed(PAGE)), "preflight-refused"),
    "no success": (answer(405), "preflight-refused"),
    "Engine.IO": (refused(2, "Bad handshake method"), "preflight-refused"),
}


@pytest.mark.parametrize("name", PREFLIGHTS)
def test_who_answers_a_preflight_is_told_apart(name: str) -> None:
    preflight, expected = PREFLIGHTS[name]
    assert codes(seen(preflight=preflight)) == [expected]


def rest(**more: Any) -> Seen:
    """A REST address that allows the page."""
    good: dict[str, Any] = {
        "polled": answer(404),
        "polled_page": answer(404),
        "polled_stranger": answer(404),
        "resource": answer(200, "Content-Type: application/json", body=b"[]"),
        "resource_page": answer(200, "Content-Type: application/json", *allowed(PAGE), body=b"[]"),
        "resource_stranger": answer(200, "Content-Type: application/json", "Vary: Origin", body=b"[]"),
        "resource_preflight": answer(
            204, *allowed(PAGE), "Access-Control-Allow-Methods: GET,POST", "Access-Control-Allow-Headers: content-type"
        ),
        "socket_page": Handshake(),
        "socket_stranger": Handshake(),
        "socket_resource": shaken(404),
        "session": Session(),
        "rounds": (),
    }
    return seen("http://localhost:3001/api/items", **(good | more))


REST: dict[str, tuple[dict[str, Any], list[str]]] = {
    "good": ({}, []),
    "none": ({"resource_page": answer(200, "Content-Type: application/json")}, ["cors-missing"]),
    "read only": (
        {"resource_preflight": answer(400, *allowed(PAGE), "Access-Control-Allow-Methods: GET")},
        ["preflight-refused"],
    ),
    "read only, and fine": (
        {"resource_preflight": answer(204, *allowed(PAGE), "Access-Control-Allow-Methods: GET")},
        [],
    ),
    "no JSON": (
        {"resource_preflight": answer(204, *allowed(PAGE), "Access-Control-Allow-Methods: GET,POST")},
        ["preflight-refused"],
    ),
    "a guard before CORS": (
        {name: answer(401) for name in ("resource", "resource_page", "resource_stranger", "resource_preflight")},
        ["preflight-wrong-layer"],
    ),
    "a password": (
        {
            name: answer(401, 'WWW-Authenticate: Basic realm="x"')
            for name in ("resource", "resource_page", "resource_stranger", "resource_preflight")
        },
        ["auth-required"],
    ),
    "a page": (
        {
            name: answer(200, "Content-Type: text/html", body=b"<!doctype html>")
            for name in ("resource", "resource_page", "resource_stranger")
        },
        ["not-socketio"],
    ),
    "events that compression holds back": ({"streamed": Streamed(0.01, -1.0, 3.0, b"gzip")}, ["buffered"]),
    "events at once": ({"streamed": Streamed(0.01, 0.02, 3.0, b"gzip")}, []),
    "a stream without events": ({"streamed": Streamed(-1.0, -1.0, 3.0)}, []),
}


@pytest.mark.parametrize("name", REST)
def test_a_rest_address_is_judged_for_itself(name: str) -> None:
    more, expected = REST[name]
    assert codes(rest(**more)) == expected


def cookie(value: str) -> tuple[Answer, ...]:
    return (answer(200, "Content-Type: application/json", *allowed(PAGE), f"Set-Cookie: {value}", body=b"[]"),)


@pytest.mark.parametrize(
    ("value", "url", "expected"),
    [
        ("sid=1; SameSite=Lax", "http://localhost:3001/api/", []),
        ("sid=1; SameSite=Lax", "http://127.0.0.1:3001/api/", ["cookie-dropped"]),
        ("sid=1", "http://127.0.0.1:3001/api/", ["cookie-dropped"]),
        ("sid=1; SameSite=None; Secure", "http://127.0.0.1:3001/api/", []),
        ("sid=1; SameSite=None", "http://localhost:3001/api/", ["cookie-dropped"]),
        ("sid=1; Domain=app.example.com", "http://localhost:3001/api/", ["cookie-dropped"]),
        ("__Host-sid=1; Path=/", "http://localhost:3001/api/", ["cookie-dropped"]),
        ("sid=1; Path=/elsewhere", "http://localhost:3001/api/", ["cookie-dropped"]),
        ("sid=; Max-Age=0; SameSite=None", "http://localhost:3001/api/", []),
    ],
)
def test_cookies_that_a_browser_throws_away_are_found(value: str, url: str, expected: list[str]) -> None:
    one = rest(resource_page=cookie(value)[0], includes_credentials=True)._replace(target=parse_target(url))
    assert codes(one) == expected


def test_without_credentials_a_cookie_is_of_no_matter_unless_it_is_broken() -> None:
    one = rest(resource_page=cookie("sid=1; SameSite=None")[0])
    assert [problem.is_error for problem in diagnosed(one).problems] == [False]


ABSENT = (Connection("127.0.0.1", Failure.REFUSED), Connection("::1", Failure.REFUSED))
NOTHING = Answer(failure=Failure.NOT_ASKED)
PLACES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing listens": ({"connections": ABSENT}, ["unreachable"]),
    "it listens elsewhere": ({"connections": ABSENT, "elsewhere": ("192.168.1.5",)}, ["address-family"]),
    "it is silent": ({"polled": Answer(failure=Failure.SILENT)}, ["unreachable"]),
    "it closes": ({"polled": Answer(failure=Failure.CLOSED)}, ["unreachable"]),
    "it speaks TLS": ({"polled": Answer(failure=Failure.CLOSED), "other_scheme": True}, ["scheme-mismatch"]),
    "it speaks something else": ({"polled": Answer(failure=Failure.NOT_HTTP, raw=b"SSH-2.0")}, ["not-socketio"]),
    "its proxy is alone": ({"polled": answer(502)}, ["unreachable"]),
    "it is elsewhere": (
        {"polled": answer(404), "polled_page": answer(404), "paths": (("/ws/", session()),)},
        ["path-wrong"],
    ),
    "it is redirected": (
        {"polled": answer(308, "Location: /socket.io"), "followed": ("/socket.io", session())},
        ["path-redirect"],
    ),
    "it is sent to https": ({"polled": answer(301, "Location: https://localhost:3001/")}, ["scheme-mismatch"]),
}


@pytest.mark.parametrize("name", PLACES)
def test_where_a_server_is_comes_before_everything_else(name: str) -> None:
    more, expected = PLACES[name]
    nothing: dict[str, Any] = dict.fromkeys(
        ("polled", "polled_page", "polled_stranger", "preflight", "resource_page"), NOTHING
    ) | {"socket_page": Handshake(), "socket_stranger": Handshake(), "session": Session(), "rounds": ()}
    assert codes(seen(**(nothing | more))) == expected


def test_a_server_on_ipv6_alone_is_a_warning_where_localhost_was_asked() -> None:
    connections = (Connection("::1", Failure.NONE, 0.001), Connection("127.0.0.1", Failure.REFUSED))
    problems = diagnosed(seen(connections=connections)).problems
    assert [(str(problem.code), problem.is_error) for problem in problems] == [("address-family", False)]


def test_two_servers_on_one_port_are_told_by_the_addresses_that_lead_to_them() -> None:
    both = (Connection("::1", Failure.NONE, 0.001), Connection("127.0.0.1", Failure.NONE, 0.001))
    first = seen(connections=both, polled_other=answer(404))
    second = seen(
        connections=both,
        polled=answer(404),
        polled_page=answer(404),
        polled_stranger=answer(404),
        polled_other=session(),
        session=Session(),
        rounds=(),
    )
    for one, is_error in ((first, False), (second, True)):
        problems = diagnosed(one).problems
        assert [(str(problem.code), problem.is_error) for problem in problems] == [("address-family", is_error)]
        assert "two servers share port 3001" in problems[0].what
    assert codes(seen(connections=both, polled_other=session())) == []


@pytest.mark.parametrize(
    ("page", "url", "is_given", "expected"),
    [
        (b"https://app.test", "http://example.com", True, ["scheme-mismatch"]),
        (b"https://localhost:3000", "http://localhost:3001", True, ["scheme-mismatch"]),
        (b"http://localhost:3000", "https://localhost:3001", True, ["scheme-mismatch"]),
        (b"http://localhost:3000", "https://localhost:3001", False, []),
    ],
)
def test_schemes_of_page_and_server_are_compared(page: bytes, url: str, is_given: bool, expected: list[str]) -> None:
    lines = allowed(page.decode())
    one = seen(url, is_page_given=is_given, polled_page=session(*lines), preflight=answer(204, *lines))
    assert codes(one._replace(page=page)) == expected


def test_a_page_of_the_server_itself_knows_no_cors() -> None:
    one = seen("http://localhost:3000", polled_page=session(), preflight=answer(400))
    assert codes(one) == []


def test_what_only_the_way_through_has_is_said_of_that() -> None:
    other = seen(polled_page=session(*allowed(PAGE), "Access-Control-Allow-Origin: *"))._replace(where="through")
    diagnosis = diagnosed(seen(), other)
    assert [(str(problem.code), problem.where) for problem in diagnosis.problems] == [("cors-duplicate", "through")]
    both = diagnosed(other._replace(where="direct"), other)
    assert [(str(problem.code), problem.where) for problem in both.problems] == [("cors-duplicate", "direct")]


def test_answers_that_only_the_way_through_delays_are_late() -> None:
    slow = session()._replace(head_s=2.5)
    other = seen(polled=slow)._replace(where="through")
    assert [(str(each.code), each.where) for each in diagnosed(seen(), other).problems] == [("buffered", "through")]
    assert codes(seen(polled=slow)) == []


def test_the_cookie_of_a_version_2_server_is_of_no_matter_and_one_that_was_chosen_is() -> None:
    old = OPEN.replace(b',"maxPayload":1000000', b"")
    line = "Set-Cookie: io=abc; Path=/; SameSite=None"
    v2 = answer(200, *allowed(PAGE), line, body=b"%d:%b2:40" % (len(old), old))
    v4 = session(*allowed(PAGE), line)
    assert "cookie-dropped" not in codes(seen(polled_page=v2, includes_credentials=True))
    assert codes(seen(polled_page=v4, includes_credentials=True)) == ["cookie-dropped"]


def test_every_code_has_fixes_for_every_stack_and_texts_that_name_the_run() -> None:
    for code in Code:
        fix = fixes_for(code, seen())
        assert {"node", "express", "python-socketio", "flask-socketio", "fastapi", "devproxy"} <= set(fix), code
        assert all(text.strip() for text in fix.values()), code
    assert PAGE in fixes_for(Code.CORS_MISSING, seen())["node"]
