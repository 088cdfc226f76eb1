"""What an address means that is given to the doctor."""

from __future__ import annotations

import pytest
from devproxy.doctor.target import BadTarget, Target, engine_slashes, parse_target


@pytest.mark.parametrize(
    ("url", "base", "resource", "namespace"),
    [
        ("3001", "http://localhost:3001", "/", "/"),
        (":3001", "http://localhost:3001", "/", "/"),
        ("localhost:3001", "http://localhost:3001", "/", "/"),
        ("http://localhost:3001", "http://localhost:3001", "/", "/"),
        ("http://localhost:3001/admin", "http://localhost:3001", "/admin", "/admin"),
        ("http://localhost:3001/admin/", "http://localhost:3001", "/admin/", "/admin"),
        ("http://localhost/api?x=1#top", "http://localhost", "/api?x=1", "/api"),
        ("https://App.Example.com:443/", "https://app.example.com", "/", "/"),
        ("http://[::1]:3001/", "http://[::1]:3001", "/", "/"),
        ("http://127.0.0.1:3001", "http://127.0.0.1:3001", "/", "/"),
        ("http://localhost:3001/ä", "http://localhost:3001", "/%C3%A4", "/ä"),
    ],
)
def test_an_address_is_read_as_io_reads_it(url: str, base: str, resource: str, namespace: str) -> None:
    target = parse_target(url)
    assert (target.base, target.resource, target.namespace) == (base, resource, namespace)
    assert (target.path, target.eio, target.is_websocket) == ("/socket.io/", 4, False)


def test_a_url_from_the_console_names_the_path_and_the_protocol() -> None:
    target = parse_target("ws://localhost:3001/ws/?EIO=3&transport=websocket&sid=abc")
    assert target == Target("http", "localhost", 3001, "/", "/ws/", "/", 3, False)
    assert parse_target("http://localhost/socket.io/?EIO=4&transport=polling&t=x").path == "/socket.io/"


def test_a_plain_websocket_is_asked_at_its_own_path() -> None:
    target = parse_target("wss://localhost:3001/live")
    assert (target.scheme, target.resource, target.is_websocket) == ("https", "/live", True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "names no host"),
        ("http://", "names no host"),
        ("file:///etc", "file:// cannot be examined"),
        ("http://localhost:0", "has no port"),
        ("http://localhost:99999", "is not a URL"),
        ("http://me:secret@localhost", "has a user name"),
        ("http://a b/", "is not a host name"),
        ("http://localhost/a b", "has a space"),
        ("http://localhost/\x1b[31m", "control character"),
    ],
    ids=ascii,
)
def test_what_cannot_be_examined_is_refused(url: str, words: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parse_target(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "asked"), [("/ws", "/ws/"), ("ws", "/ws/"), ("/socket.io/", "/socket.io/"), ("/", "/"), ("", "/")]
)
def test_the_path_has_a_slash_at_both_ends_as_the_client_writes_it(path: str, asked: str) -> None:
    assert engine_slashes(path) == asked


def test_requests_and_urls_are_those_of_the_client() -> None:
    target = parse_target("https://localhost:3001/admin")
    assert target.engine("polling") == "/socket.io/?EIO=4&transport=polling"
    assert target.engine("websocket", sid="x", eio=3) == "/socket.io/?EIO=3&transport=websocket&sid=x"
    assert target.url("/a", is_websocket=True) == "wss://localhost:3001/a"
    assert target.origin == b"https://localhost:3001"


def test_bytes_of_the_command_line_that_are_no_text_are_encoded() -> None:
    assert parse_target("http://a:1/\udcff?x=é").resource == "/%FF?x=%C3%A9"
