"""What a HAR file holds, and what is wrong with one that holds nothing."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Any

import pytest
from devproxy.recordings.archive import BadRecording, read_recording
from devproxy.recordings.model import Entry, Message
from tests.support.recordings import entry, har


def only(one: dict[str, Any]) -> Entry:
    (found,) = read_recording(har([one])).entries
    return found


def test_an_entry_is_a_request_and_what_is_given_for_it() -> None:
    found = only(entry("GET /api/items?a=1", "hello", headers=[("X-One", "1"), ("x-one", "2")]))
    assert (found.method, found.target, found.lacks) == (b"GET", b"/api/items?a=1", "")
    assert found.answer.body == b"hello"
    assert found.answer.fields == (b"Content-Type: text/plain", b"X-One: 1", b"x-one: 2")


def test_what_concerned_the_connection_and_the_moment_is_not_given_again() -> None:
    dropped = [
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Content-Length",
        "Content-Encoding",
        "Date",
        "Via",
        "Age",
    ]
    found = only(entry("GET /", "x", headers=[(name, "x") for name in dropped] + [("ETag", '"1"'), (":status", "200")]))
    assert found.answer.fields == (b"Content-Type: text/plain", b'ETag: "1"')


def test_no_line_of_a_recording_can_become_two() -> None:
    found = only(entry("GET /", "x", headers=[("X-A", "a\r\nX-B: b"), ("X C", "d"), ("X-D", "ok\x00")]))
    assert found.answer.fields == (b"Content-Type: text/plain",)


def test_cookies_last_as_long_as_they_did_then() -> None:
    lines = (
        "a=1; Expires=Thu, 01 Jan 2026 01:00:00 GMT; Path=/\nb=2; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT\nc=3"
    )
    found = only(
        entry(
            "GET /", "x", headers=[("Set-Cookie", lines), ("Set-Cookie", "d=; expires=Thu, 01-Jan-1970 00:00:00 GMT")]
        )
    )
    assert found.answer.fields[1:] == (
        b"Set-Cookie: a=1; Expires=Thu, 01 Jan 2026 01:00:00 GMT; Path=/; Max-Age=3600",
        b"Set-Cookie: b=2; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        b"Set-Cookie: c=3",
        b"Set-Cookie: d=; expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=0",
    )


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("http://localhost:8080/next?a=1", b"/next?a=1"),
        ("http://localhost:8080", b"/"),
        ("http://localhost:8080?a", b"/?a"),
        ("http://localhost:80801/x", b"http://localhost:80801/x"),
        ("http://localhost:8080//other.example/x", b"/.//other.example/x"),
        ("https://login.example/x", b"https://login.example/x"),
        ("/x", b"/x"),
    ],
)  # fmt: skip
def test_a_place_at_the_recorded_origin_is_one_at_any(place: str, given: bytes) -> None:
    found = only(entry("GET /", "", status=302, headers=[("Location", place)]))
    assert found.answer.fields[1:] == (b"Location: " + given,)


def test_bodies_come_as_they_were_sent_but_for_their_coding() -> None:
    text = only(entry("GET /", "grüße", kind="text/plain; charset=iso-8859-1"))
    assert text.answer.body == "grüße".encode("latin-1")
    assert only(entry("GET /", "grüße", kind="text/plain; charset=nonsense")).answer.body == "grüße".encode()
    picture = {
        "size": 3,
        "mimeType": "image/png",
        "encoding": "base64",
        "text": base64.b64encode(b"\x00\xff\x01").decode(),
    }
    gzipped = [("Content-Encoding", "gzip")]
    found = only(entry("GET /", content=picture, headers=gzipped))
    assert (found.answer.body, found.answer.fields) == (b"\x00\xff\x01", (b"Content-Type: text/plain",))
    still = picture | {"text": base64.b64encode(gzip.compress(b"hello")).decode()}
    found = only(entry("GET /", content=still, headers=gzipped))
    assert gzip.decompress(found.answer.body) == b"hello"
    assert found.answer.fields[-1] == b"Content-Encoding: gzip"
    brotli = still | {"mimeType": "application/json", "text": base64.b64encode(b"\x8b\xff\x00").decode()}
    assert only(entry("GET /", content=brotli, headers=[("Content-Encoding", "br")])).answer.fields[-1:] == (
        b"Content-Encoding: br",
    )
    damaged = picture | {"text": "!"}
    assert only(entry("GET /", content=damaged)).lacks == "without its body"


def test_what_cannot_be_given_again_says_what_it_lacks() -> None:
    assert only(entry("GET /", None)).lacks == "without its body"
    assert only(entry("HEAD /", None)).lacks == ""
    assert only(entry("GET /", None, status=302)).lacks == ""
    assert only(entry("GET /", None, status=204)).lacks == ""
    assert only(entry("GET /", None, content={"size": 0})).lacks == ""
    assert only(entry("GET /s", None, status=101)).lacks == "without the messages of its WebSocket"
    notices = read_recording(har([entry("GET /a", None), entry("GET /b", "x")])).notices
    assert notices == (
        "1 of its answers cannot be given again, of which the first is GET /a, recorded without its body",
    )


def test_what_a_browser_has_in_its_cache_is_given_whole() -> None:
    assert only(entry("GET /", "cached", status=304)).answer[0] == 200
    left_out = read_recording(har([entry("GET /", None, status=304)]))
    assert (left_out.entries, left_out.notices[0]) == (
        (),
        "1 of its requests said 304 without what had not changed and are left out",
    )


def test_what_no_server_answered_is_left_out_and_said() -> None:
    own = entry("GET /x", "no", status=502, headers=[("X-Devproxy-Error", "upstream-refused")])
    some = [own, entry("GET /__devproxy/", "page"), entry("GET /", "", status=0), entry("GET data:x", origin="")]
    some += [entry("GET /", "", status=103)]
    found = read_recording(har([*some, entry("GET /y", "yes")]))
    assert [one.target for one in found.entries] == [b"/y"]
    assert found.notices == (
        "2 of its requests were answered by devproxy itself and are left out",
        "2 of its requests had no answer and are left out",
        "1 of its requests were not sent over HTTP and are left out",
    )
    assert read_recording(har([])).notices == ("it holds no request that can be answered",)


def test_messages_of_a_websocket_are_text_or_bytes() -> None:
    one = entry(
        "GET /s", None, status=101, messages=[("send", "hi"), ("receive", "grüße")], origin="ws://localhost:8080"
    )
    one["_webSocketMessages"] += [
        {"type": "receive", "opcode": 2, "data": base64.b64encode(b"\x00").decode()},
        {"type": "receive", "opcode": 2, "data": "!!"},
        {"type": "receive", "opcode": 8, "data": ""},
        "nonsense",
    ]
    assert only(one).messages == (
        Message(True, True, b"hi", 1.0),
        Message(False, True, "grüße".encode(), 1.0),
        Message(False, False, b"\x00"),
    )


def test_a_url_that_is_not_ascii_is_sent_as_browsers_do() -> None:
    assert only(entry("GET /käse?q=ü", "x")).target == b"/k%C3%A4se?q=%C3%BC"


@pytest.mark.parametrize(
    ("data", "what", "line"),
    [
        (b"", "it is not JSON: Expecting value in column 1", 1),
        (b'{\n "log": nothing}', "it is not JSON: Expecting value in column 9", 2),
        (b"\xff\xfe", "it is not UTF-8: byte 0xff", 1),
        (b'{"log":\n"\xff"}', "it is not UTF-8: byte 0xff", 2),
        (b"[]", "it is JSON, but no HAR: it has no `log.entries`", 1),
        (b'{"log": {"entries": {}}}', "it is JSON, but no HAR: it has no `log.entries`", 1),
        (b"[" * 100_000, "it is not a HAR file", 0),
        (b'{"log": {"entries": [' + b"{}," * 100_000 + b"{}]}}", "it has more than 100000 entries", 0),
    ],
    ids=["empty", "word", "bytes", "bytes-below", "list", "no-list", "deep", "many"],
)
def test_a_file_that_is_no_recording_says_why_and_where(data: bytes, what: str, line: int) -> None:
    with pytest.raises(BadRecording) as caught:
        read_recording(data)
    assert (caught.value.what, caught.value.line) == (what, line)
    assert caught.value.help


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        (("request",), None, "entry 2 has no `request`"),
        (("response",), [], "entry 2 has no `response`"),
        (("request", "method"), 7, "entry 2 has no `request.method`, a string"),
        (("request", "method"), "G T", "entry 2 has a `request.method` that is none"),
        (("request", "url"), None, "entry 2 has no `request.url`, a string"),
        (("response", "status"), "200", "entry 2 has no `response.status`, a number"),
    ],
    ids=["request", "response", "number", "method", "url", "status"],
)
@pytest.mark.parametrize("indent", [None, 1], ids=["one-line", "lines"])
def test_a_broken_entry_is_named_with_its_line(
    path: tuple[str, ...], value: object, what: str, indent: int | None
) -> None:
    broken = entry("GET /", 'says "entries": [')
    place = broken
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    data = har([entry("GET /first", "x"), broken], indent=indent)
    with pytest.raises(BadRecording) as caught:
        read_recording(data)
    assert caught.value.what == what
    lines = data.decode().split("\n")
    start = next(index for index, line in enumerate(lines) if "00:00:00" in line and index > 20) if indent else 1
    assert caught.value.line == start


@pytest.mark.parametrize("junk", ["null", "5", '"x"', "[]", "{}", '{"headers": [5, {"name": 3}]}', "true"])
def test_junk_where_a_table_should_be_is_an_error_or_nothing(junk: str) -> None:
    for name in ("headers", "content", "postData", "cookies"):
        one = entry("GET /", "x")
        one["response"][name] = one["request"][name] = json.loads(junk)
        one["startedDateTime"] = one["time"] = one["_webSocketMessages"] = json.loads(junk)
        assert len(read_recording(har([one])).entries) == 1


CHROME = {
    "_initiator": {"type": "script"},
    "_priority": "High",
    "_resourceType": "fetch",
    "cache": {},
    "connection": "41",
    "request": {
        "method": "GET",
        "url": "https://app.example/api/me?x=1#part",
        "httpVersion": "http/2.0",
        "headers": [{"name": ":authority", "value": "app.example"}, {"name": "accept", "value": "*/*"}],
        "queryString": [{"name": "x", "value": "1"}],
        "cookies": [],
        "headersSize": -1,
        "bodySize": 0,
    },
    "response": {
        "status": 200,
        "statusText": "",
        "httpVersion": "http/2.0",
        "headers": [
            {"name": "content-encoding", "value": "br"},
            {"name": "content-length", "value": "9"},
            {"name": "content-type", "value": "application/json; charset=utf-8"},
            {"name": "set-cookie", "value": "a=1; Path=/; HttpOnly\nb=2"},
            {"name": "alt-svc", "value": 'h3=":443"'},
        ],
        "cookies": [],
        "content": {"size": 13, "mimeType": "application/json", "compression": 4, "text": '{"name":"ü"}'},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": 210,
        "_error": None,
    },
    "serverIPAddress": "[::1]",
    "startedDateTime": "2026-11-30T12:00:00.123Z",
    "time": 12.3,
    "timings": {"blocked": -1, "send": 0.1, "wait": 10, "receive": 2.2},
}
"""As Chrome 142 saves it (developer tools, Network, Save all as HAR)."""


def test_what_chrome_saves_over_http_2_is_given_as_http_1() -> None:
    found = only(CHROME)
    assert (found.target, found.answer.status, found.answer.reason) == (b"/api/me?x=1", 200, b"")
    assert found.answer.fields == (
        b"content-type: application/json; charset=utf-8",
        b"set-cookie: a=1; Path=/; HttpOnly",
        b"set-cookie: b=2",
    )
    assert found.answer.body == '{"name":"ü"}'.encode()
    assert found.ended - found.began == pytest.approx(0.0123, abs=1e-6)


def test_what_firefox_saves_without_its_large_bodies_says_what_it_lacks() -> None:
    saved = json.loads(json.dumps(CHROME))
    saved["startedDateTime"] = "2026-11-30T13:00:00.123+01:00"
    content = {"mimeType": "application/json", "size": 5_000_000, "comment": "Response bodies are not included."}
    saved["response"]["content"] = content
    assert only(saved).lacks == "without its body"
    assert only(saved).began == only(CHROME).began


def test_a_coding_is_no_place_for_another_line() -> None:
    content = {"mimeType": "text/plain", "encoding": "base64", "text": "//79"}
    found = only(entry("GET /", content=content, headers=[("Content-Encoding", "br\r\nX-Evil: 1\r\n\r\n")]))
    assert found.answer.fields == (b"Content-Type: text/plain",)


def test_a_range_that_no_browser_sends_is_that_of_no_request() -> None:
    found = only(entry("GET /", "x", status=206, asked=[("Range", "bytes=0-1\ud800")]))
    assert found.range == b"bytes=0-1?"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("HTTP://user:secret@host:1/a?b#c", b"/a?b"),
        ("wss://host", b"/"),
        ("https://host?a b", b"/?a%20b"),
        ("http://host/%2f/../\u00e9\ud800\r\n", b"/%2f/../%C3%A9%ED%A0%80%0D%0A"),
        ("http://[::1]:80/x", b"/x"),
        ("http://host#/x", b"/"),
    ],
)
def test_path_and_query_of_a_url_are_what_is_asked_for(url: str, target: bytes) -> None:
    one = entry("GET /")
    one["request"]["url"] = url
    assert only(one).target == target


@pytest.mark.parametrize(
    "url", ["", "//host/x", "http:///x", "http:/x", "blob:http://host/x", "file:///x", "chrome-extension://a/b"]
)
def test_what_is_not_asked_over_http_is_left_out_and_told(url: str) -> None:
    one = entry("GET /")
    one["request"]["url"] = url
    found = read_recording(har([one]))
    assert found.entries == ()
    assert found.notices[0] == "1 of its requests were not sent over HTTP and are left out"


@pytest.mark.parametrize(
    "strange",
    [
        {"kind": "text/plain; charset=punycode", "text": "".join(map(chr, range(0x4E00, 0x9E00)))},
        {"origin": "http://" + "\u0300\u0316" * 100_000},
        {"headers": [("Set-Cookie", "a=1; expires=" + "Jan " * 200_000)]},
    ],
    ids=["a charset that is none", "a host of marks", "a date"],
)
def test_a_strange_value_does_not_take_long(strange: dict[str, Any]) -> None:
    data = har([entry("GET /", **strange)])
    began = time.perf_counter()
    read_recording(data)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("status", "content", "is_given"),
    [
        (304, {"size": 5, "text": ""}, False),
        (304, {"size": 5, "text": "hello"}, True),
        (200, {"size": -1}, False),
        (200, {"size": 0}, True),
        (200, {}, True),
    ],
)
def test_a_body_that_was_not_kept_is_not_an_empty_one(status: int, content: dict[str, Any], is_given: bool) -> None:
    found = read_recording(har([entry("GET /", status=status, content=content)])).entries
    assert [entry.lacks == "" for entry in found] == ([is_given] if status == 200 or is_given else [])


def test_a_notice_is_short_whatever_it_names() -> None:
    (notice,) = read_recording(har([entry("GET /" + "x" * 10_000, None)])).notices
    assert len(notice) < 300


@pytest.mark.parametrize(
    ("what", "status", "content", "error", "is_given"),
    [
        ("GET /", 200, {"size": 0}, "net::ERR_FAILED", False),
        ("GET /", 400, {"size": 0}, "net::ERR_FAILED", False),
        ("GET /", 404, {"size": 0}, "net::ERR_HTTP_RESPONSE_CODE_FAILURE", True),
        ("GET /", 204, {"size": 0}, "net::ERR_ABORTED", True),
        ("GET /", 302, {"size": 0}, "net::ERR_ABORTED", True),
        ("HEAD /", 200, {"size": 0}, "net::ERR_ABORTED", True),
        ("GET /", 200, {"size": 1, "text": "x"}, "net::ERR_ABORTED", True),
        ("GET /", 200, {"size": 0}, "", True),
        ("GET /", 200, {"size": 0}, None, True),
    ],
)
def test_what_chrome_kept_from_the_page_is_no_empty_answer(
    what: str, status: int, content: dict[str, Any], error: str | None, is_given: bool
) -> None:
    one = entry(what, status=status, content=content)
    one["response"]["_error"] = error
    found = read_recording(har([one]))
    assert len(found.entries) == is_given
    if not is_given:
        assert found.notices[0] == "1 of its requests failed in the browser (by CORS, for example) and are left out"


def test_events_that_chrome_writes_are_the_body_of_their_stream() -> None:
    one = entry("GET /", None, kind="text/event-stream")
    one["_eventSourceMessages"] = [
        {"time": 1, "eventName": "message", "eventId": "1", "data": "{}"},
        {"time": 2, "eventName": "tick", "eventId": "", "data": "a\r\nb\nc"},
        {"eventName": "x\ndata: evil", "eventId": 7, "data": "\ud800"},
        {"eventName": "none"},
        None,
    ]
    found = only(one)
    assert (found.lacks, found.answer.is_stream) == ("", True)
    assert found.answer.body == (b"id: 1\ndata: {}\n\nevent: tick\ndata: a\ndata: b\ndata: c\n\ndata: ?\n\n")


@pytest.mark.parametrize("written", [None, [], {}, 5, [5]])
def test_without_events_a_stream_without_its_body_stays_one(written: object) -> None:
    one = entry("GET /", None, kind="text/event-stream")
    one["_eventSourceMessages"] = written
    assert only(one).lacks == "without its body"
