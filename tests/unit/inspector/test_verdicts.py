from __future__ import annotations

from typing import Any

import pytest
from devproxy.config import load
from devproxy.gateway.shared.capture import Capture
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.inspector.verdicts import fixes, verdict_json
from devproxy.plan import Forward, compile_snapshot, edit_response, plan_request
from devproxy.policy.hop import Peer
from devproxy.policy.server_code import rest, socketio
from devproxy.policy.verdict.checks import check

FILE = b"""
[upstreams]
frontend = "http://localhost:5173"
backend = "http://localhost:3001"

[[routes]]
path = "/"
upstream = "frontend"

[[routes]]
path = "/api/"
upstream = "backend"
"""
PEER = Peer("127.0.0.1", "http")
OWN_PAGE = "\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty"
OTHER = "\r\nOrigin: http://localhost:3000"


def verdict(fields: str, answer: str = "200 OK", path: str = "/api/x", method: str = "GET") -> dict[str, Any] | None:
    """The verdict on a request with these fields, answered with this head."""
    config = load(FILE, source="a.toml")
    request = parse_request_head(f"{method} {path} HTTP/1.1\r\nHost: localhost:8080{fields}".encode(), Limits())
    plan = plan_request(request, compile_snapshot(config, "x"))
    assert isinstance(plan, Forward)
    capture = Capture(config, request, PEER, plan)
    capture.server = config.upstream(plan.compiled.upstream).servers[0]
    capture.response = parse_response_head(
        f"HTTP/1.1 {answer}\r\nContent-Length: 0".encode(), Limits(), method.encode()
    )
    capture.edits = edit_response(plan, request, capture.response, PEER, capture.server)
    return verdict_json(capture)


def test_another_page_is_let_in_by_devproxy_and_would_not_be_by_the_server() -> None:
    said = verdict(OTHER)
    assert said is not None
    assert (said["origin"], said["through"]["is_blocked"], said["without"]["is_blocked"]) == (
        "http://localhost:3000",
        False,
        True,
    )
    assert said["console"] == (
        "Access to fetch at 'http://localhost:3001/api/x' from origin 'http://localhost:3000' has been blocked by CORS "
        "policy: No 'Access-Control-Allow-Origin' header is present on the requested resource."
    )


def test_a_page_that_comes_through_devproxy_has_its_servers_origin_without_it() -> None:
    said = verdict(OWN_PAGE)
    assert said is not None
    assert (said["origin"], said["through"]["is_blocked"], said["without"]["is_blocked"]) == (
        "http://localhost:5173",
        False,
        True,
    )


def test_where_the_server_lets_the_page_in_nothing_is_blocked() -> None:
    said = verdict(OTHER, "200 OK\r\nAccess-Control-Allow-Origin: http://localhost:3000")
    assert said is not None
    assert (said["through"]["is_blocked"], said["without"]["is_blocked"]) == (False, False)
    assert (said["console"], said["fixes"]) == ("", [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("", "/api/x"),
        (OWN_PAGE, "/x"),
        (OTHER + "\r\nSec-Fetch-Mode: navigate", "/api/x"),
        ("\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image", "/api/x"),
    ],
    ids=["no page's", "the page's own server", "a navigation", "an image"],
)
def test_where_cors_has_no_part_there_is_no_verdict(fields: str, path: str) -> None:
    assert verdict(fields, path=path) is None


def test_a_websocket_that_is_refused_has_chromiums_words() -> None:
    handshake = "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    said = verdict(OTHER + handshake + "\r\nSec-WebSocket-Version: 13", "400 Bad Request")
    assert said is not None
    assert said["through"]["is_blocked"]
    assert said["console"].startswith("WebSocket connection to 'ws://localhost:8080/api/x' failed: ")
    assert "Unexpected response code: 400" in said["console"]


@pytest.mark.parametrize("target", ["/socket.io/?EIO=4&transport=polling", "/api/items"], ids=["Socket.IO", "REST"])
def test_what_to_write_in_a_server_is_what_doctor_says(target: str) -> None:
    block = f"GET {target} HTTP/1.1\r\nHost: localhost:8080\r\nOrigin: http://localhost:3000"
    request = parse_request_head(block.encode(), Limits())
    verdict = check((), b"http://localhost:3000", includes_credentials=True)
    assert verdict is not None
    said = [one["code"] for one in fixes(verdict, "http://localhost:3000", request, sends_credentials=True)[1:]]
    texts = (socketio if "EIO" in target else rest)("http://localhost:3000", sends_credentials=True)
    assert said
    assert set(said) <= {f"{text}\n" for text in texts.values()}
    assert any("credentials" in one for one in said)
