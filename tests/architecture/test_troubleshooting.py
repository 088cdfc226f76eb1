"""Whatever devproxy, Chromium or Socket.IO says when something is refused has its place in the troubleshooting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from devproxy.errors import UpstreamFault
from devproxy.http.fields import Field, make_field
from devproxy.policy import hosts
from devproxy.policy.verdict import Hop, PageRequest, judge
from devproxy.policy.verdict.reach import obstacles

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Troubleshooting")[2].partition("\n## ")[0]

ANSWERS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "devproxy" / "answers").glob("*.py"))
ANSWERED = re.findall(r'code="([a-z-]+)"', ANSWERS)
GUARD = [hosts.FORM_NOT_ALLOWED, hosts.CROSS_SITE, hosts.ORIGIN_NOT_ALLOWED, hosts.WEBSOCKET_ORIGIN_NOT_ALLOWED]

PAGE = b"http://localhost:3000"
ANY = make_field(b"Access-Control-Allow-Origin", b"*")
SLASH = make_field(b"Access-Control-Allow-Origin", PAGE + b"/")
OWN = make_field(b"Access-Control-Allow-Origin", PAGE)
GRANTED = (OWN, make_field(b"Access-Control-Allow-Credentials", b"true"))
PUT = make_field(b"Access-Control-Allow-Methods", b"PUT")

Lines = tuple[Field, ...]


@pytest.mark.parametrize("code", sorted({*ANSWERED, *GUARD, *UpstreamFault}))
def test_every_code_of_an_error_is_explained(code: str) -> None:
    assert f"`{code}`" in GUIDE


@pytest.mark.parametrize(
    ("lines", "preflight_status", "preflight"),
    [
        ((), None, ()),
        ((ANY,), None, ()),
        ((OWN, OWN), None, ()),
        ((SLASH,), None, ()),
        ((OWN,), None, ()),
        (GRANTED, 204, ()),
        (GRANTED, 404, GRANTED),
        (GRANTED, 301, GRANTED),
        (GRANTED, 204, GRANTED),
        (GRANTED, 204, (*GRANTED, PUT)),
    ],
)
def test_every_message_of_the_browser_is_explained(
    lines: Lines, preflight_status: int | None, preflight: Lines
) -> None:
    is_preflighted = preflight_status is not None
    request = PageRequest(
        method=b"PUT" if is_preflighted else b"GET",
        page=PAGE,
        target=b"http://localhost:3001",
        includes_credentials=True,
        headers=((b"authorization", b"x"),) if is_preflighted else (),
    )
    asked = Hop(status=preflight_status, fields=preflight) if preflight_status is not None else None

    text = judge(request, [Hop(status=200, fields=lines)], asked).text

    assert text
    for part in re.split(r"'http://[^']*'|: (?=No |It |Redirect)", text):
        assert part.strip(" .,") in GUIDE


@pytest.mark.parametrize(
    "words",
    [
        "No 'Access-Control-Allow-Origin' header is present on the requested resource",
        "must not be the wildcard '*' when the request's credentials mode is 'include'",
        "Response to preflight request doesn't pass access control check",
        "Unexpected response code: 400",
        "xhr poll error",
        "websocket error",
        "ERR_CERT_AUTHORITY_INVALID",
        "Mixed Content: The page at",
    ],
)
def test_the_readme_leads_from_the_words_that_people_search_for(words: str) -> None:
    assert f"{words}" in README


@pytest.mark.parametrize(
    "words",
    [
        *("ERR_CERT_AUTHORITY_INVALID", "ERR_CERT_COMMON_NAME_INVALID", "ERR_CERT_INVALID", "ERR_SSL_PROTOCOL_ERROR"),
        *("SEC_ERROR_UNKNOWN_ISSUER", "SSL_ERROR_BAD_CERT_DOMAIN", "SSL_ERROR_RX_RECORD_TOO_LONG"),
        *("Mixed Content: The page at", "HSTS", "redirect_uri_mismatch"),
        *("localStorage.debug", "connection_error", "session", "Session ID unknown", "allowEIO3"),
    ],
)
def test_what_people_search_for_is_explained(words: str) -> None:
    assert words in GUIDE


@pytest.mark.parametrize("target", [b"http://localhost:3001", b"http://192.168.1.20:3001"])
@pytest.mark.parametrize("page", [b"http://203.0.113.9", b"https://203.0.113.9"])
@pytest.mark.parametrize("is_websocket", [False, True], ids=["fetch", "WebSocket"])
def test_what_keeps_a_request_from_being_sent_is_explained(page: bytes, target: bytes, is_websocket: bool) -> None:
    found = obstacles(page, target, is_websocket=is_websocket)

    assert found
    words = " ".join(GUIDE.split())
    for obstacle in found:
        said = obstacle.verdict.text.replace("`local`", "`loopback`").rstrip(".")
        for part in re.split(r"; |Error in connection establishment: ", said):
            assert part in words
