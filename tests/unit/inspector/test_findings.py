from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.gateway.shared.capture import Capture
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.inspector.findings import findings_on
from devproxy.policy.hop import Peer

FILE = b"""
[upstreams]
frontend = "http://localhost:5173"
backend = "http://localhost:3001"

[[routes]]
path = "/"
upstream = "backend"
"""


def codes(request: str, response: str) -> list[str]:
    """The findings on a request with these fields, answered with this head."""
    block = f"GET /x HTTP/1.1\r\nHost: localhost:8080{request}".encode()
    capture = Capture(load(FILE, source="a.toml"), parse_request_head(block, Limits()), Peer("127.0.0.1", "http"), None)
    capture.response = parse_response_head(f"HTTP/1.1 {response}\r\nContent-Length: 0".encode(), Limits(), b"GET")
    return [finding.code for finding in findings_on(capture)]


LOGIN = "302 Found\r\nLocation: https://login.example/authorize?client_id=1&redirect_uri="


@pytest.mark.parametrize(
    ("request_fields", "response", "expected"),
    [
        ("", "200 OK", []),
        ("", LOGIN + "http://localhost:3001/callback", ["oauth-upstream-address"]),
        ("", LOGIN + "http%3A%2F%2F127.0.0.1%3A3001%2Fcallback", ["oauth-upstream-address"]),
        ("", LOGIN + "http%253A%252F%252Flocalhost%253A5173", ["oauth-upstream-address"]),
        ("", LOGIN + "http://localhost:8080/callback", []),
        ("", LOGIN + "https://app.example/callback", []),
        ("", "302 Found\r\nLocation: /login?next=http://localhost:3001/", []),
        ("", "302 Found\r\nLocation: http://localhost:3001/login?next=http://localhost:3001/", []),
        ("", "302 Found\r\nLocation: http://[", []),
        ("", "200 OK\r\nLocation: https://a.example/?u=http://localhost:3001", []),
        ("\r\nService-Worker: script", "404 Not Found", ["service-worker-missing"]),
        ("\r\nService-Worker: script", "200 OK\r\nContent-Type: text/html", ["service-worker-missing"]),
        ("\r\nService-Worker: script", "200 OK\r\nContent-Type: text/javascript", []),
        ("\r\nOrigin: https://preview.example", "200 OK", ["local-network-access"]),
        ("\r\nOrigin: http://localhost:3000", "200 OK", []),
        ("\r\nOrigin: http://app.test", "200 OK", []),
        ("\r\nOrigin: null", "200 OK", []),
        ("\r\nAccess-Control-Request-Private-Network: true", "200 OK", ["local-network-access"]),
        ("", "200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip", ["compressed-event-stream"]),
        ("", "200 OK\r\nContent-Type: text/event-stream", []),
        ("", "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip", []),
    ],
    ids=lambda value: value.replace("\r\n", " ")[:70] if isinstance(value, str) else "",
)
def test_traps_are_marked_and_nothing_else(request_fields: str, response: str, expected: list[str]) -> None:
    assert codes(request_fields, response) == expected


def test_local_network_access_is_told_in_the_words_of_the_verdict() -> None:
    block = b"GET /x HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: https://preview.example"
    capture = Capture(load(FILE, source="a.toml"), parse_request_head(block, Limits()), Peer("127.0.0.1", "http"), None)
    (finding,) = findings_on(capture)
    assert finding.what.startswith("Chrome, from 142 on, asks the person before")
    assert finding.help.startswith("Allow it when Chrome asks")
