"""The verdict on one exchange, by the two heads alone."""

from __future__ import annotations

import pytest
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.policy.verdict import Hop, Verdict, judge_exchange

ORIGIN = "Origin: http://localhost:3000"
ACAO = "Access-Control-Allow-Origin: "
GOOD = (ACAO + "http://localhost:3000", "Access-Control-Allow-Credentials: true")
ASKS = (ORIGIN, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-b,x-a")
HANDSHAKE = (
    ORIGIN,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
UPGRADED = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def judged(request: tuple[str, ...], answer: tuple[str, ...], *, method: str = "GET", status: int = 200) -> str | None:
    """Return the words of the verdict, None where there is none."""
    head = "\r\n".join((f"{method} / HTTP/1.1", "Host: localhost:8080", *request)).encode()
    sent = "\r\n".join((f"HTTP/1.1 {status} X", *answer)).encode()
    verdict: Verdict | None = judge_exchange(
        parse_request_head(head, Limits()), Hop.of(parse_response_head(sent, Limits())), scheme="http"
    )
    assert verdict is None or verdict.is_blocked
    return None if verdict is None else verdict.text


@pytest.mark.parametrize(
    "request_lines",
    [
        (),
        ("Origin: http://localhost:8080",),
        (ORIGIN, ORIGIN),
        (ORIGIN, "Sec-Fetch-Mode: navigate"),
        (ORIGIN, "Sec-Fetch-Mode: no-cors"),
        (ORIGIN, "Sec-Fetch-Mode: same-origin"),
    ],
)
def test_nothing_is_said_where_no_page_of_another_origin_reads(request_lines: tuple[str, ...]) -> None:
    assert judged(request_lines, ()) is None


def test_an_answer_that_the_page_may_not_read_is_told_of() -> None:
    assert judged((ORIGIN,), ()) == "No 'Access-Control-Allow-Origin' header is present on the requested resource."
    assert judged((ORIGIN,), (ACAO + "*",)) is None
    assert judged((ORIGIN, "Sec-Fetch-Mode: cors"), (), status=500) is not None


def test_a_304_and_an_interim_answer_are_not_judged() -> None:
    assert judged((ORIGIN,), (), status=304) is None
    assert judged((ORIGIN,), (), status=103) is None


def test_a_cookie_in_the_request_counts_as_credentials_included() -> None:
    assert "wildcard" in str(judged((ORIGIN, "Cookie: a=1"), (ACAO + "*",)))
    assert judged((ORIGIN, "Cookie: a=1"), GOOD) is None


def test_authorization_that_a_script_sets_is_no_credentials_mode() -> None:
    assert judged((ORIGIN, "Authorization: Bearer x"), (ACAO + "*",)) is None
    assert "wildcard" in str(judged((ORIGIN, "Authorization: Bearer x", "cookie: a=1"), (ACAO + "*",)))


def test_a_preflight_is_judged_by_what_it_asks_for() -> None:
    permits = (*GOOD, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: X-A, x-b")
    assert judged(ASKS, permits, method="OPTIONS", status=204) is None
    assert "Method PUT" in str(judged(ASKS, GOOD, method="OPTIONS", status=204))
    assert "Request header field x-b" in str(judged(ASKS, (*permits[:3], permits[3][:-5]), method="OPTIONS"))
    assert "HTTP ok status" in str(judged(ASKS, permits, method="OPTIONS", status=404))
    redirected = (*permits, "Location: /x")
    assert "Redirect is not allowed" in str(judged(ASKS, redirected, method="OPTIONS", status=302))


def test_a_handshake_is_judged_by_its_own_rules_also_from_the_own_origin() -> None:
    assert judged(HANDSHAKE, UPGRADED, status=101) is None
    assert judged(HANDSHAKE, (), status=400) == "Error during WebSocket handshake: Unexpected response code: 400"
    wrong = (*UPGRADED[:2], "Sec-WebSocket-Accept: x")
    assert judged(HANDSHAKE, wrong, status=101) == (
        "Error during WebSocket handshake: Incorrect 'Sec-WebSocket-Accept' header value"
    )
    own = ("Origin: http://localhost:8080", *HANDSHAKE[1:])
    assert "403" in str(judged(own, (), status=403))
