from __future__ import annotations

import pytest
from devproxy.gateway.shared.capture import MAX_BODY_BYTES, Body, Budget
from devproxy.inspector.bodies import charset_of, content_of, view_of


def test_a_body_keeps_what_there_is_room_for() -> None:
    budget = Budget(10)
    body = Body(budget, is_chunked=False)
    for piece in (b"12345", b"6789", b"abc", b"def"):
        body.add(piece, ended=False)
    body.add(b"", ended=True)
    assert (b"".join(body.pieces), body.kept, body.size, body.is_complete) == (b"123456789a", 10, 15, True)
    assert budget.left == 0
    budget.freed += 10
    body.add(b"x", ended=True)
    assert body.kept == 10, "what comes after a gap would be read wrongly"


def test_of_one_body_no_more_than_a_mebibyte_is_kept() -> None:
    body = Body(Budget(1 << 30), is_chunked=False)
    for _ in range(40):
        body.add(bytes(64 << 10), ended=False)
    assert (body.kept, body.size) == (MAX_BODY_BYTES, 40 * 64 << 10)


def test_chunks_are_joined() -> None:
    body = Body(Budget(100), is_chunked=True)
    for piece in (b"3\r\nab", b"c\r\n0\r\n\r\n"):
        body.add(piece, ended=False)
    assert content_of(body, is_answer=True) == b"abc"


@pytest.mark.parametrize(
    ("kind", "target", "beginning", "view"),
    [
        ("application/json", b"/", b"", "json"),
        ("application/problem+json", b"/", b"", "json"),
        ("text/event-stream", b"/", b"", "events"),
        ("text/html", b"/", b"", "text"),
        ("image/svg+xml", b"/", b"", "text"),
        ("image/png", b"/", b"", "image"),
        ("application/x-www-form-urlencoded", b"/", b"", "form"),
        ("application/octet-stream", b"/", b"text", "hex"),
        ("text/plain", b"/socket.io/?EIO=4&transport=polling", b"", "engineio"),
        ("", b"/", b"plain", "text"),
        ("", b"/", b"\0\1", "hex"),
        ("", b"/", "é".encode() * 100, "text"),
    ],
    ids=str,
)
def test_how_a_body_is_best_shown(kind: str, target: bytes, beginning: bytes, view: str) -> None:
    assert view_of(kind, target, beginning, is_encoded=False) == view


def test_the_charset_is_what_is_said() -> None:
    assert charset_of(b'text/plain; charset="ISO-8859-1"') == "iso-8859-1"
    assert charset_of(b"text/plain") == "utf-8"
