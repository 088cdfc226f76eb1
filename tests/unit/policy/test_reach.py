"""What may keep a request from leaving the browser, told by names and addresses alone."""

from __future__ import annotations

import pytest
from devproxy.policy.verdict import obstacles

MIXED = "the content must be served over HTTPS"
SECURE = "not a secure context"
PERMISSION = "Permission was denied"
ASKS = "if the person does not allow it"


@pytest.mark.parametrize(
    ("page", "target", "expected"),
    [
        ("http://localhost:5173", "http://localhost:8080", []),
        ("https://localhost:5173", "http://127.0.0.1:8080", []),
        ("http://127.0.0.1:1", "http://[::1]:2", []),
        ("https://a.example", "https://b.example", []),
        ("http://a.example", "http://b.example", []),
        ("http://192.168.1.7", "http://10.0.0.1", []),
        ("null", "http://localhost:1", []),
        ("https://a.example", "http://b.example", [(MIXED, "")]),
        ("https://a.example", "http://203.0.113.9", [(MIXED, "")]),
        (
            "https://pr-1.preview.test",
            "http://localhost:8080",
            [(PERMISSION, f"{ASKS}, unless pr-1.preview.test is on")],
        ),
        ("https://203.0.113.9", "https://localhost", [(PERMISSION, ASKS)]),
        ("http://203.0.113.9", "http://localhost", [(SECURE, "")]),
        ("http://a.example", "http://localhost", [(SECURE, "unless a.example is on this machine itself")]),
        ("http://192.168.1.7:3000", "http://localhost:8080", [(SECURE, "")]),
        (
            "https://a.example",
            "http://192.168.1.7",
            [(MIXED, "other than Chrome from 142"), (PERMISSION, "in the local")],
        ),
        ("https://a.example", "https://printer.local", [(PERMISSION, "in the local network itself")]),
    ],
)
def test_what_stands_in_the_way_is_told_in_the_browser_s_order(
    page: str, target: str, expected: list[tuple[str, str]]
) -> None:
    found = obstacles(page.encode(), target.encode())
    assert len(found) == len(expected)
    for one, (text, condition) in zip(found, expected, strict=True):
        assert text in one.verdict.text
        assert condition in one.condition
        assert one.is_certain == (not condition)
        assert one.verdict.is_blocked
        assert one.verdict.fix


def test_a_websocket_is_checked_from_a_later_version_on() -> None:
    (of_fetch,) = obstacles(b"https://a.example", b"https://localhost")
    (of_socket,) = obstacles(b"https://a.example", b"https://localhost", is_websocket=True)
    assert "from 142 on" in of_fetch.verdict.what
    assert "from 147 on" in of_socket.verdict.what
    assert "ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS" in of_socket.verdict.text
