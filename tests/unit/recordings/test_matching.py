"""Which recorded answer a request gets."""

from __future__ import annotations

from devproxy.recordings.archive import read_recording
from devproxy.recordings.matching import Miss, Replay
from devproxy.recordings.model import Entry
from tests.support.recordings import entry, har


def replay(*entries: dict[str, object]) -> Replay:
    return Replay(read_recording(har(entries)))


def said(replay: Replay, what: str, **known: bytes) -> str:
    method, target = what.encode().split(b" ", 1)
    found = replay.find(method, target, **known)
    return "miss: " + ", ".join(found.near) if isinstance(found, Miss) else found.answer.body.decode()


def test_answers_come_in_their_order_and_the_last_one_again() -> None:
    one = replay(entry("GET /x", "1"), entry("GET /y", "y"), entry("GET /x", "2"))
    assert [said(one, "GET /x") for _ in range(4)] == ["1", "2", "2", "2"]
    assert said(one, "GET /y") == "y"


def test_method_path_and_query_count() -> None:
    one = replay(entry("GET /x", "get"), entry("POST /x", "post"), entry("GET /x?a=1", "a"))
    assert [said(one, what) for what in ("GET /x", "POST /x", "GET /x?a=1")] == ["get", "post", "a"]
    assert said(one, "GET /x?a=2") == "miss: GET /x, POST /x, GET /x?a=1"


def test_spelling_and_order_of_a_query_do_not_count() -> None:
    one = replay(entry("GET /k%C3%A4se?a=1&b=x%20y", "found"))
    assert said(one, "GET /k%c3%a4se?b=x+y&a=1") == "found"


def test_parameters_that_are_new_each_time_do_not_count() -> None:
    one = replay(
        entry("GET /x?_=1&a=1", "1"), entry("GET /s/?EIO=4&transport=polling&t=abc", "s"), entry("GET /t?t=1", "t")
    )
    assert said(one, "GET /x?a=1&_=99") == "1"
    assert said(one, "GET /s/?EIO=4&transport=polling&t=xyz") == "s"
    assert said(one, "GET /t?t=2").startswith("miss")


def test_requests_with_the_same_body_count_first() -> None:
    entries = [entry("POST /graphql", name, sent=f"{{query: {name}}}") for name in ("a", "b", "c")]
    one = replay(*entries)
    assert [said(one, "POST /graphql", body=f"{{query: {name}}}".encode()) for name in ("c", "a", "c")] == [
        "c",
        "a",
        "c",
    ]
    assert [said(one, "POST /graphql", body=b"new") for _ in range(2)] == ["a", "b"]


def test_head_gets_what_get_was_answered() -> None:
    one = replay(entry("GET /x", "1"), entry("HEAD /y", "", headers=[("X-A", "y")]), entry("GET /y", "2"))
    assert said(one, "HEAD /x") == "1"
    assert said(one, "HEAD /y") == ""


def test_a_part_answers_its_own_range_alone() -> None:
    one = replay(entry("GET /v", "part", status=206, asked=[("Range", "bytes=0-3")]), entry("GET /w", "whole"))
    assert said(one, "GET /v", range=b"bytes=0-3") == "part"
    assert said(one, "GET /v", range=b"bytes=4-7").startswith("miss")
    assert said(one, "GET /v").startswith("miss")
    assert said(one, "GET /w", range=b"bytes=0-3") == "whole"


def test_a_request_is_known_by_the_first_of_its_names_that_is_recorded() -> None:
    one = replay(entry("GET /api/x", "client's"), entry("GET /y", "server's"))
    names = [(b"/api/x", b"/x"), (b"/api/y", b"/y")]
    found = [one.find(b"GET", *pair) for pair in names]
    assert [each.number for each in found if isinstance(each, Entry)] == [1, 2]


def test_a_miss_names_what_comes_nearest() -> None:
    one = replay(entry("GET /api/items", "1"), entry("GET /api/users", "2"), entry("GET /favicon.ico", "3"))
    assert said(one, "GET /api/itms") == "miss: GET /api/items, GET /api/users"
    assert said(one, "DELETE /api/items").startswith("miss: GET /api/items")
    assert said(replay(), "GET /x") == "miss: "
