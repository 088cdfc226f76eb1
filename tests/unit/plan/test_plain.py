"""Plain HTTP where TLS is spoken too: pages are sent to https, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.config.model import Config, Listen, PathKind, Route, Server, Upstream
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.plan import Forward, Plan, Respond, Snapshot, compile_snapshot, plan_plain_request, plan_request
from devproxy.policy.hop import Peer

ROUTE = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend")
PAGE = b"Sec-Fetch-Mode: navigate"
HTML = b"Accept: text/html,application/xhtml+xml,*/*;q=0.8"


def snapshot(server: Server | None = None) -> Snapshot:
    server = server or Server(tls=True)
    config = Config(server=server, upstreams=(Upstream(name="backend", servers=()),), routes=(ROUTE,))
    return compile_snapshot(config, "unit")


def head(*lines: bytes, start: bytes = b"GET /a?b=c HTTP/1.1", host: bytes = b"localhost:8080") -> RequestHead:
    hosts = (b"Host: " + host,) if host else ()
    return parse_request_head(b"\r\n".join((start, *hosts, *lines)), Limits())


def plan(request: RequestHead, *, among: Snapshot | None = None, address: str = "127.0.0.1") -> Plan:
    return plan_plain_request(request, among or snapshot(), Peer(address, "http"))


def sent_to(found: Plan) -> str:
    """Return where the browser is sent; nothing where it is not."""
    if isinstance(found, Respond) and found.answer.status == 307:
        return dict(found.answer.fields)["Location"]
    return ""


@pytest.mark.parametrize(
    "request_head",
    [
        head(PAGE),
        head(PAGE, b"Accept: */*"),
        head(PAGE, b"Content-Length: 3", start=b"POST /a?b=c HTTP/1.1"),
        head(HTML),
        head(HTML, start=b"HEAD /a?b=c HTTP/1.1"),
        head(HTML, start=b"GET http://localhost:8080/a?b=c HTTP/1.1", host=b"localhost:8080"),
    ],
)
def test_a_page_is_sent_to_https_at_the_same_host_port_and_path(request_head: RequestHead) -> None:
    assert sent_to(plan(request_head)) == "https://localhost:8080/a?b=c"


@pytest.mark.parametrize(
    "request_head",
    [
        head(),
        head(b"Accept: */*"),
        head(b"Accept: application/json"),
        head(b"Sec-Fetch-Mode: cors", HTML),
        head(b"Sec-Fetch-Mode: no-cors", HTML),
        head(HTML, start=b"POST /a HTTP/1.1"),
        head(b"Sec-Fetch-Mode: cors", b"Origin: http://localhost:3000", start=b"OPTIONS /a HTTP/1.1"),
        head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-Fetch-Mode: websocket"),
        head(HTML, b"Connection: Upgrade", b"Upgrade: websocket"),
    ],
)
def test_whatever_is_no_page_is_served_as_it_is(request_head: RequestHead) -> None:
    assert isinstance(plan(request_head), Forward)


def test_health_is_answered_in_plain_http_whoever_asks() -> None:
    found = plan(head(PAGE, HTML, start=b"GET /__devproxy/health HTTP/1.1", host=b"some.container"))
    assert isinstance(found, Respond)
    assert found.answer.status == 200


def test_a_host_that_the_guard_refuses_is_refused_and_not_echoed() -> None:
    found = plan(head(PAGE, host=b"evil.example"))
    assert isinstance(found, Respond)
    assert (found.answer.status, found.answer.code) == (421, "host-not-allowed")


def test_a_request_without_a_host_names_no_place_to_go_to() -> None:
    assert isinstance(plan(head(HTML, start=b"GET / HTTP/1.0", host=b"")), Forward)


@pytest.mark.parametrize(
    ("field", "address", "sent"),
    [
        (b"X-Forwarded-Proto: https", "127.0.0.1", ""),
        (b"X-Forwarded-Proto: wss", "127.0.0.1", ""),
        (b"X-Forwarded-Proto: http", "127.0.0.1", "https://localhost:8080/a?b=c"),
        (b"X-Forwarded-Proto: https", "192.168.1.20", "https://localhost:8080/a?b=c"),
        (b"X-Forwarded-For: 192.0.2.1", "127.0.0.1", "https://localhost:8080/a?b=c"),
    ],
)
def test_what_a_trusted_proxy_says_came_by_https_is_not_sent_round(field: bytes, address: str, sent: str) -> None:
    assert sent_to(plan(head(PAGE, field), address=address)) == sent


@pytest.mark.parametrize(
    ("host", "ports", "sent"),
    [
        (b"localhost", (80,), "https://localhost:80/a?b=c"),
        (b"localhost", (80, 443), "https://localhost/a?b=c"),
        (b"[::1]", (8080,), "https://[::1]:80/a?b=c"),
        (b"[::1]:8080", (8080,), "https://[::1]:8080/a?b=c"),
    ],
)
def test_a_host_without_a_port_means_80_where_nobody_listens_at_443(
    host: bytes, ports: tuple[int, ...], sent: str
) -> None:
    listens = tuple(Listen(host="localhost", port=port) for port in ports)
    assert sent_to(plan(head(PAGE, host=host), among=snapshot(Server(tls=True, listen=listens)))) == sent


def test_without_tls_and_over_tls_nothing_is_sent_anywhere() -> None:
    plain = snapshot(Server())
    for _ in range(3):  # what comes once is not always remembered
        plan_request(head(PAGE), plain)
    assert plan(head(PAGE), among=plain) is plan_request(head(PAGE), plain)
    assert isinstance(plan_request(head(PAGE), snapshot()), Forward)


def test_what_was_remembered_for_others_does_not_count_for_pages() -> None:
    """The fields that tell a page from a script may be no special ones, and such plans are shared."""
    among = snapshot()
    script = head(b"Accept: */*")
    for _ in range(3):
        assert isinstance(plan(script, among=among), Forward)
    assert sent_to(plan(head(HTML), among=among))
    assert isinstance(plan(script, among=among), Forward)
    assert replace(among.config.server, tls=False) == Server()
