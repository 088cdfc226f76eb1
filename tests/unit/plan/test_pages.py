from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.config.model import Scheme, ServerAddress
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import PagesServer, Respond, compile_snapshot, plan_request, render_request
from devproxy.policy.hop import Peer

SERVER = ServerAddress(scheme=Scheme.UNIX, host="localhost", port=0, url="unix:/x", path="/x")
FILE = b'[upstreams]\na = "http://localhost:1"\n[[routes]]\npath = "/"\nupstream = "a"\n'


def planned(head: str, more: bytes = b"") -> Respond:
    snapshot = compile_snapshot(load(FILE + more, source="a.toml"), "x", pages=PagesServer(SERVER, "secret"))
    plan = plan_request(parse_request_head(head.encode(), Limits()), snapshot)
    assert isinstance(plan, Respond)
    return plan


def sent(fields: str, path: str = "/__devproxy/api/x?y=1") -> list[bytes]:
    """The lines that the server of the pages gets for a request with these fields."""
    block = f"GET {path} HTTP/1.1\r\nHost: localhost{fields}"
    plan = planned(block)
    assert plan.pages is not None
    head = parse_request_head(block.encode(), Limits())
    return render_request(plan.pages, head, Peer("10.0.0.7", "http"), SERVER)[:-4].split(b"\r\n")


def test_the_server_is_told_who_sends_a_request_and_from_where() -> None:
    lines = sent("")
    assert lines[0] == b"GET /__devproxy/api/x?y=1 HTTP/1.1"
    assert {b"X-Devproxy-Secret: secret", b"X-Devproxy-Peer: 10.0.0.7", b"X-Devproxy-Way: direct"} <= set(lines)


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-For: 1.2.3.4",
        "Forwarded: for=x",
        "X-Real-IP: x",
        "Via: 1.1 x",
        "X_Forwarded_For: x",
        "X-Forwarded-Any: x",
        "CF-Connecting-IP: x",
    ],
)
def test_whatever_a_proxy_says_makes_it_one_that_came_by_a_proxy(field: str) -> None:
    assert b"X-Devproxy-Way: proxy" in sent(f"\r\n{field}")


@pytest.mark.parametrize("name", ["X-Devproxy-Secret", "x-devproxy-way", "X_Devproxy_Peer"])
def test_a_client_cannot_say_so_itself(name: str) -> None:
    lines = sent(f"\r\n{name}: forged")
    assert not [line for line in lines if b"forged" in line]
    assert sum(line.lower().startswith(b"x-devproxy-") for line in lines) == 3


def test_the_path_goes_in_one_form() -> None:
    assert sent("", "/%5F_devproxy/./api//x")[0] == b"GET /__devproxy/api/x HTTP/1.1"


@pytest.mark.parametrize(
    ("request_line", "fields", "status"),
    [
        ("GET /__devproxy/", "\r\nOrigin: https://evil.example", 403),
        ("GET /__devproxy/", "\r\nOrigin: http://localhost:3000", 403),
        (
            "GET /__devproxy/",
            "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script",
            403,
        ),
        ("TRACE /__devproxy/", "", 405),
        ("OPTIONS /__devproxy/", "\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: PUT", 403),
        ("GET /__devproxy/health", "", 200),
    ],
    ids=str,
)
def test_what_the_guard_refuses_never_reaches_it(request_line: str, fields: str, status: int) -> None:
    plan = planned(f"{request_line} HTTP/1.1\r\nHost: localhost{fields}")
    assert (plan.answer.status, plan.pages) == (status, None)


def test_switched_off_there_is_none() -> None:
    plan = planned("GET /__devproxy/ HTTP/1.1\r\nHost: localhost", b"[inspector]\nenabled = false\n")
    assert (plan.answer.status, plan.pages) == (404, None)
