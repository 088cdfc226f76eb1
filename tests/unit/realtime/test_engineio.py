"""Recognising Engine.IO requests, and putting the refusals of its servers in words."""

from __future__ import annotations

import json

import engineio  # type: ignore[import-untyped]
import pytest
from devproxy.realtime.engineio import (
    MAX_EXPLAINED_BYTES,
    OPENS,
    POLL,
    EngineRequest,
    engine_refusal,
    explain_engine_error,
    kind_of,
    opened_session,
    parse_engine_request,
    passes_messages,
    session_id,
)

# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "eio", "transport", "sid"),
    [
        (b"/socket.io/?EIO=4&transport=polling&t=abc", b"4", b"polling", b""),
        (b"/socket.io/?EIO=4&transport=polling&t=abc&sid=Zz-_09", b"4", b"polling", b"Zz-_09"),
        (b"/socket.io/?EIO=3&transport=websocket&sid=x", b"3", b"websocket", b"x"),
        (b"/any/path?sid=x&transport=polling&EIO=3", b"3", b"polling", b"x"),
        (b"/socket.io?EIO=4", b"4", b"", b""),
        (b"http://a.test/socket.io/?EIO=4&transport=polling", b"4", b"polling", b""),
        (b"/?a=b?c&EIO=4&sid=", b"4", b"", b""),
        (b"/?EIO=4&&sid=x&", b"4", b"", b"x"),
        (b"/?EIO=", b"", b"", b""),
        (b"/?EIO=4&sid=a=b", b"4", b"", b"a=b"),
        (b"/?EIO=4&sid=a&sid=b&EIO=3", b"4", b"", b"a"),
    ],
)
def test_an_engine_io_request_is_known_by_its_query(target: bytes, eio: bytes, transport: bytes, sid: bytes) -> None:
    assert parse_engine_request(target) == EngineRequest(eio, transport, sid)


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"*",
        b"/socket.io/socket.io.js",
        b"/socket.io/?transport=polling&sid=x",
        b"/?xEIO=4",
        b"/?a=EIO=4",
        b"/?eio=4",
        b"/EIO=4",
        b"/EIO=4?sid=x",
        b"/?EIO",
        b"/?a&b",
        b"",
    ],
)
def test_another_request_is_not_taken_for_engine_io(target: bytes) -> None:
    assert parse_engine_request(target) is None


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"GET", b"/socket.io/?EIO=4&transport=polling&sid=x", True),
        (b"GET", b"/socket.io/?EIO=3&transport=polling&sid=x&j=0", True),
        (b"GET", b"/socket.io/?EIO=4&sid=x", True),
        (b"GET", b"/socket.io/?EIO=4&transport=polling", False),
        (b"POST", b"/socket.io/?EIO=4&transport=polling&sid=x", False),
        (b"OPTIONS", b"/socket.io/?EIO=4&transport=polling&sid=x", False),
        (b"GET", b"/socket.io/?EIO=4&transport=websocket&sid=x", False),
    ],
)
def test_a_poll_is_a_get_of_a_session_by_polling(method: bytes, target: bytes, expected: bool) -> None:
    assert parse_engine_request(target) is not None
    assert (kind_of(method, target) == POLL) is expected
    assert (kind_of(method, target) == OPENS) is (not expected and method == b"GET")


# --- refusals of Node's server ----------------------------------------------------------------------------------------

NODE_MESSAGES = {
    0: ("Transport unknown", "does not offer this transport"),
    1: ("Session ID unknown", "does not know this session"),
    2: ("Bad handshake method", "only a GET opens a session"),
    3: ("Bad request", "polling after the upgrade"),
    5: ("Unsupported protocol version", "allowEIO3"),
}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/socket.io/?EIO=4&transport=polling&t=P1&sid=abc", True),
        (b"/engine/?sid=abc&EIO=3", True),
        (b"/socket.io/?EIO=4&transport=polling", False),
        (b"/socket.io/?EIO=4&transport=polling&side=left", False),
        (b"/socket.io/?EIO=4&transport=websocket&sid=abc", False),
        (b"/items?transport=polling&sid=abc", False),
    ],
)
def test_a_quick_look_tells_what_passes_messages_of_a_session(target: bytes, expected: bool) -> None:
    assert passes_messages(target) is expected


@pytest.mark.parametrize("code", NODE_MESSAGES)
def test_a_code_of_node_s_server_is_explained(code: int) -> None:
    message, words = NODE_MESSAGES[code]
    sentence = explain_engine_error(400, json.dumps({"code": code, "message": message}).encode())
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize("code", NODE_MESSAGES)
def test_a_refused_websocket_is_explained_as_the_poll_would_be(code: int) -> None:
    message = NODE_MESSAGES[code][0]
    as_json = explain_engine_error(400, json.dumps({"code": code, "message": message}).encode())
    assert explain_engine_error(400, message.encode()) == as_json


def test_a_refusal_of_the_application_keeps_its_words() -> None:
    sentence = explain_engine_error(403, b'{"code":4,"message":"no {token}"}')
    assert sentence == "the application's own check (`allowRequest`) refused the request ('no {token}'); look there"
    bare = "the application's own check (`allowRequest`) refused the request; look there"
    assert explain_engine_error(403, b'{"code":4,"message":"Forbidden"}') == bare
    assert explain_engine_error(400, b"Forbidden") == bare


def test_control_characters_in_the_application_s_words_are_shown_escaped() -> None:
    sentence = explain_engine_error(403, json.dumps({"code": 4, "message": "a\x1b[2J\nb"}).encode())
    assert sentence is not None
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "two polls or two POSTs"), (413, "maxHttpBufferSize"), (500, "only GET and POST")],
)
def test_an_empty_answer_is_explained_by_its_status(status: int, words: str) -> None:
    sentence = explain_engine_error(status, b"")
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_404_of_express_says_that_no_socket_io_is_attached(method: bytes) -> None:
    page = b"<!DOCTYPE html>\n<html><body><pre>Cannot " + method + b" /socket.io/</pre></body></html>\n"
    sentence = explain_engine_error(404, page)
    assert sentence is not None
    assert "no Socket.IO is attached at this path" in sentence


@pytest.mark.parametrize(
    ("status", "body", "beginning"),
    [
        (400, b'{"code":3,"message":"Bad request"}', 'Engine.IO error 3, "Bad request": the server refused'),
        (400, b"Session ID unknown", 'Engine.IO error, "Session ID unknown": the server does not know'),
        (400, b'"Invalid session abc"', 'Engine.IO error, "Invalid session abc": the server does not know'),
        (400, b"", "Engine.IO error: the server ended the session"),
        (404, b"<pre>Cannot GET /socket.io/</pre>", "Engine.IO error: no Socket.IO is attached"),
    ],
)
def test_a_refusal_begins_with_the_server_s_own_words(status: int, body: bytes, beginning: str) -> None:
    assert engine_refusal(status, body).startswith(beginning)


def test_of_the_application_s_words_no_more_than_a_line_is_repeated() -> None:
    said = engine_refusal(403, json.dumps({"code": 4, "message": "x" * 1000}).encode())
    assert said.startswith(f'Engine.IO error 4, "{"x" * 100}": ')


@pytest.mark.parametrize("body", [b'{"code":9,"message":"?"}', b"<html>", b"x" * 5000])
def test_what_is_no_refusal_of_engine_io_s_gives_nothing(body: bytes) -> None:
    assert engine_refusal(400, body) == ""


# --- refusals of python-engineio --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (400, "http://localhost:8080 is not an accepted origin.", "cors_allowed_origins"),
        (400, "Not an accepted origin.", "cors_allowed_origins"),
        (400, "Invalid session abc", "does not know this session"),
        (400, "Invalid session None", "does not know this session"),
        (400, "Invalid transport", "does not offer this transport"),
        (400, "Invalid websocket upgrade", "no Upgrade header"),
        (400, "Unexpected HTTP request", "moved on to WebSocket"),
        (400, "Not connected", "not open"),
        (400, "Bad Request", "two polls or two POSTs"),
        (
            400,
            "The client is using an unsupported version of the Socket.IO or Engine.IO protocols",
            "different versions",
        ),
        (401, "no token", "connect handler refused the client ('no token')"),
        (401, "Unauthorized", "connect handler refused the client; look there"),
    ],
)
def test_a_refusal_of_python_engineio_is_explained(status: int, text: str, words: str) -> None:
    sentence = explain_engine_error(status, json.dumps(text).encode())
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize(
    ("query", "extra", "words"),
    [
        ("EIO=3&transport=polling", {}, "different versions"),
        ("EIO=4&transport=carrier-pigeon", {}, "does not offer this transport"),
        ("EIO=4&transport=websocket", {}, "no Upgrade header"),
        ("EIO=4&transport=polling&sid=gone", {}, "does not know this session"),
        ("EIO=4&transport=polling&sid=gone", {"REQUEST_METHOD": "POST"}, "does not know this session"),
        ("EIO=4&transport=polling", {"HTTP_ORIGIN": "http://other.test"}, "cors_allowed_origins"),
        ("EIO=4&transport=polling", {}, "connect handler refused the client ('no token')"),
    ],
)
def test_what_python_engineio_really_answers_is_explained(query: str, extra: dict[str, str], words: str) -> None:
    server = engineio.Server(async_mode="threading", monitor_clients=False)
    server.on("connect", lambda sid, environ: "no token")
    environ = {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": query,
        "HTTP_HOST": "a.test",
        "wsgi.url_scheme": "http",
        **extra,
    }
    statuses: list[str] = []
    body = b"".join(server.handle_request(environ, lambda status, headers: statuses.append(status)))
    sentence = explain_engine_error(int(statuses[0].split()[0]), body)
    assert sentence is not None
    assert words in sentence


# --- everything else --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"code":1,"message":"Session ID unknown"}'),
        (500, b'{"code":1,"message":"Session ID unknown"}'),
        (403, b'{"code":1,"message":"Session ID unknown"}'),
        (400, b'{"code":6,"message":"?"}'),
        (400, b'{"code":"1","message":"?"}'),
        (400, b'{"code":1}'),
        (400, b'{"error":"a bad request of the application\'s own"}'),
        (400, b"[1]"),
        (400, b"null"),
        (400, b"4"),
        (400, b"\xff\xfe"),
        (400, b"{" * 1000),
        (400, b"[" * MAX_EXPLAINED_BYTES),
        (404, b""),
        (404, b"<html>not found</html>"),
        (401, b"Unauthorized"),
        (404, b'"Invalid session abc"'),
        (502, b""),
        (400, b" " * MAX_EXPLAINED_BYTES + b'{"code":1,"message":"Session ID unknown"}'),
    ],
)
def test_an_answer_of_something_else_is_not_explained(status: int, body: bytes) -> None:
    assert explain_engine_error(status, body) is None


def test_a_sentence_fits_into_another_one() -> None:
    bodies = [json.dumps({"code": code, "message": message}) for code, (message, _) in NODE_MESSAGES.items()]
    for body in ["", *bodies]:
        sentence = explain_engine_error(400, body.encode())
        assert sentence is not None
        assert sentence[0].islower()
        assert not sentence.endswith(".")


# -- sessions ----------------------------------------------------------------------------------------------------------

NODE_4 = b'0{"sid":"x-Fm_Q1mTtaCzpYZAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}'
NODE_3 = b'97:0{"sid":"x-Fm_Q1mTtaCzpYZAAAA","upgrades":["websocket"],"pingInterval":25000}2:40'
PYTHON = b'0{"sid": "x-Fm_Q1mTtaCzpYZAAAA", "upgrades": ["websocket"], "pingTimeout": 20000}'
JSONP = rb'___eio[0]("97:0{\"sid\":\"x-Fm_Q1mTtaCzpYZAAAA\",\"upgrades\":[]}2:40");'
CHUNKED = b"76\r\n" + NODE_4 + b"\r\n0\r\n\r\n"
OTHER_ORDER = b'0{"upgrades":["websocket"],"pingInterval":25000,"sid":"x-Fm_Q1mTtaCzpYZAAAA"}'
BINARY_3 = b'\x00\x09\x07\xff0{"sid":"x-Fm_Q1mTtaCzpYZAAAA","upgrades":[]}\x00\x02\xff40'


@pytest.mark.parametrize("body", [NODE_4, NODE_3, PYTHON, JSONP, CHUNKED, OTHER_ORDER, BINARY_3])
def test_the_id_of_a_new_session_is_read_from_the_packet_that_opens_it(body: bytes) -> None:
    assert opened_session(body) == b"x-Fm_Q1mTtaCzpYZAAAA"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        NODE_4[:20],
        b'{"code":0,"message":"Transport unknown"}',
        b"<html>0</html>",
        b'4{"sid":"not-an-open-packet"}',
        b'0{"message":{"sid":"nested"}}',
        b'0{"sid":""}',
        b'8\r\n0{"sid":"\r\n5\r\nabc"}\r\n0\r\n\r\n',
        b"0{" * 5000,
        b"\x1f\x8b\x08\x00" + bytes(60),
    ],
)
def test_no_session_is_read_where_none_is_opened(body: bytes) -> None:
    assert opened_session(body) == b""


@pytest.mark.parametrize(("sid", "said"), [(b"abc-_", b"abc-_"), (b"a%2Fb%3D", b"a/b="), (b"a%zz", b"a%zz")])
def test_a_session_id_is_what_the_server_wrote(sid: bytes, said: bytes) -> None:
    engine = parse_engine_request(b"/?EIO=4&sid=" + sid)
    assert engine is not None
    assert session_id(engine) == said
