"""What people type or paste for a request, read as one."""

from __future__ import annotations

import pytest
from devproxy.cli.refusal import Refused
from devproxy.cli.typed_request import (
    Target,
    as_browsers_send,
    method_as_fetch_sends,
    read_request,
    read_target,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/x?a=1#top", Target("", "", "/x?a=1")),
        ("*", Target("", "", "*")),
        ("http://localhost:8080/x", Target("http", "localhost:8080", "/x")),
        ("HTTPS://a.test", Target("https", "a.test", "/")),
        ("http://a.test?x=/y", Target("http", "a.test", "/?x=/y")),
        ("http://a.test#/x", Target("http", "a.test", "/")),
        ("ws://a.test:1/s?EIO=4", Target("http", "a.test:1", "/s?EIO=4", True)),
        ("wss://a.test/s", Target("https", "a.test", "/s", True)),
        ("localhost:8080/x", Target("http", "localhost:8080", "/x")),
        ("localhost:8080", Target("http", "localhost:8080", "/")),
        ("localhost", Target("http", "localhost", "/")),
        ("[::1]:8080/x", Target("http", "[::1]:8080", "/x")),
        ("app.test/x", Target("http", "app.test", "/x")),
    ],
)
def test_a_target_is_read_as_it_is_pasted(text: str, target: Target) -> None:
    assert read_target("explain", text, "") == target


@pytest.mark.parametrize("text", ["nonsense", "api/items", "items.json", "", "ftp://a.test/x", "localhostess/x"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="neither a path nor a URL"):
        read_target("explain", text, "")


def test_a_handshake_has_the_fields_that_a_browser_sends_but_for_those_that_are_given() -> None:
    target = read_target("explain", "ws://a.test/s", "")
    head = read_request("explain", "GET", target, ["Sec-WebSocket-Version: 12"], "")
    assert head.upgrade == b"websocket"
    assert head.first(b"sec-websocket-key")
    assert [field.value for field in head.fields if field.name == b"sec-websocket-version"] == [b"12"]


def test_a_host_is_the_one_said_last() -> None:
    target = read_target("explain", "http://a.test/s", "")
    assert read_request("x", "GET", target, [], "", host="b.test").host == b"b.test"
    assert read_request("x", "GET", target, [], "").host == b"a.test"
    path = read_target("explain", "/s", "")
    assert read_request("x", "GET", path, ["Host: c.test"], "").host == b"c.test"
    assert read_request("x", "GET", path, [], "", default_host="d.test").host == b"d.test"


def test_a_browser_encodes_spaces_and_what_is_not_ascii() -> None:
    assert as_browsers_send("/a b/é?q=ü \udcff%20&b") == "/a%20b/%C3%A9?q=%C3%BC%20%FF%20&b"
    assert as_browsers_send("/a\r\nb") == "/a\r\nb"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://localhost:99999/x", "99999 in http://localhost:99999/x is no port"),
        ("http://localhost:80a/x", "80a in http://localhost:80a/x is no port"),
        (f"http://localhost:{'9' * 10_000}/", "is no port"),
        ("ws://localhost:²/x", "is no port"),
        ("http://user:pw@localhost:8080/x", "has a user name in it"),
        ("http://.ä.example/", "is not a host name"),
    ],
    ids=["range", "letters", "long", "superscript", "userinfo", "empty label"],
)
def test_an_authority_that_no_browser_takes_is_refused(text: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        read_target("explain", text, "devproxy explain /api/items")
    assert words in str(refusal.value)


def test_a_name_outside_ascii_is_asked_for_as_browsers_do() -> None:
    target = read_target("explain", "https://bücher.example:8443/ä?x", "")
    assert (target.authority, target.path) == ("xn--bcher-kva.example:8443", "/ä?x")
    assert read_target("explain", "http://[::1]:8080/", "").authority == "[::1]:8080"
    assert read_target("explain", "http://[::1]/", "").authority == "[::1]"


@pytest.mark.parametrize(("typed", "sent"), [("get", "GET"), ("Put", "PUT"), ("patch", "patch"), ("X", "X")])
def test_a_method_is_sent_as_fetch_sends_it(typed: str, sent: str) -> None:
    assert method_as_fetch_sends(typed) == sent
