"""The verdict on a page's request, by hand: each rule once. Real Chromium is asked in ``tests/e2e``."""

from __future__ import annotations

import pytest
from devproxy.http.fields import Field, make_field
from devproxy.policy.verdict import Hop, PageRequest, RequestKind, Verdict, asks_first, judge, judge_handshake
from devproxy.policy.verdict.handshake import accept_for

PAGE, API, OTHER = b"http://localhost:3000", b"http://localhost:3001", b"http://localhost:3002"
ACAO, ACAC = "Access-Control-Allow-Origin: ", "Access-Control-Allow-Credentials: "
GOOD = (ACAO + PAGE.decode(), ACAC + "true")


def fields(*lines: str) -> tuple[Field, ...]:
    pairs = (line.split(": ", 1) for line in lines)
    return tuple(make_field(name.encode(), value.encode("latin-1")) for name, value in pairs)


def asked(**settings: object) -> PageRequest:
    return PageRequest(**{"page": PAGE, "target": API, **settings})  # type: ignore[arg-type]


def answer(*lines: str, status: int = 200, preflight: Hop | None = None) -> Hop:
    return Hop(status=status, fields=fields(*lines), preflight=preflight)


def redirect(target: bytes, *lines: str, status: int = 302, user: bytes = b"") -> Hop:
    place = target.replace(b"//", b"//" + user) + b"/next"
    return Hop(status=status, fields=fields(*lines, f"Location: {place.decode()}"), location=place, target=target)


def said(verdict: Verdict) -> str:
    assert verdict.is_blocked == bool(verdict.step), "whatever is blocked is so by a rule"
    assert not verdict.is_blocked or (verdict.what and verdict.fix), "and comes with a way out"
    return verdict.text


@pytest.mark.parametrize(
    ("lines", "included", "text"),
    [
        ((), False, "No 'Access-Control-Allow-Origin' header"),
        ((ACAO + "*",), False, ""),
        ((ACAO + "*", ACAC + "true"), True, "must not be the wildcard '*'"),
        (GOOD, True, ""),
        (GOOD[:1], True, "is '' which must be 'true'"),
        ((GOOD[0], ACAC + "True"), True, "is 'True' which must be 'true'"),
        ((*GOOD, GOOD[1]), True, "is 'true, true' which must be 'true'"),
        ((GOOD[0], GOOD[0]), False, "contains multiple values 'http://localhost:3000, http://localhost:3000'"),
        ((ACAO + "*, *",), False, "contains multiple values '*, *'"),
        ((ACAO + "http://localhost:3000/",), False, "has a value 'http://localhost:3000/' that is not equal"),
        ((ACAO + "HTTP://LOCALHOST:3000",), False, "that is not equal to the supplied origin."),
        ((ACAO + "localhost:3000",), False, "has a value 'localhost:3000' that is not equal"),
        ((ACAO + "localhost",), False, "contains the invalid value 'localhost'."),
        ((ACAO + "http://1.2.3.256",), False, "contains the invalid value"),
        ((ACAO + "http://" + "9" * 9000,), False, "contains the invalid value"),
        ((ACAO + "http://a\xe9",), False, "has a value 'http://a\\u00E9' that"),
        ((ACAO + "null",), False, "has a value 'null' that is not equal"),
    ],
)
def test_the_cors_check_is_that_of_the_fetch_standard_in_the_words_of_chromium(
    lines: tuple[str, ...], included: bool, text: str
) -> None:
    words = said(judge(asked(includes_credentials=included), [answer(*lines)]))
    assert (text in words) if text else words == ""


def test_a_page_reads_what_comes_from_its_own_origin_whatever_it_says() -> None:
    assert not judge(asked(target=PAGE), [answer(ACAO + "http://other.test")]).is_blocked


def test_an_opaque_page_reads_only_what_is_for_null_or_for_everybody() -> None:
    sandboxed = asked(page=b"null")
    assert not judge(sandboxed, [answer(ACAO + "null")]).is_blocked
    assert not judge(sandboxed, [answer(ACAO + "*")]).is_blocked
    assert judge(sandboxed, [answer(*GOOD)]).is_blocked


@pytest.mark.parametrize(
    ("method", "header", "is_asked"),
    [
        (b"GET", None, False),
        (b"post", None, False),
        (b"PUT", None, True),
        (b"patch", None, True),
        (b"POST", (b"content-type", b"application/json"), True),
        (b"POST", (b"content-type", b"text/plain;charset=UTF-8"), False),
        (b"POST", (b"content-type", b"text/plain;" + b"a" * 118), True),
        (b"GET", (b"authorization", b"x"), True),
        (b"GET", (b"range", b"bytes=0-9"), False),
        (b"GET", (b"range", b"bytes=9-0"), True),
        (b"GET", (b"cookie", b"a=1"), False),
        (b"GET", (b"sec-fetch-mode", b"cors"), False),
        (b"GET", (b"x-http-method-override", b"TRACE"), False),
        (b"GET", (b"x-http-method-override", b"PUT"), True),
    ],
)
def test_a_preflight_is_sent_for_what_the_safelists_do_not_name(
    method: bytes, header: tuple[bytes, bytes] | None, is_asked: bool
) -> None:
    assert asks_first(asked(method=method, headers=(header,) if header else ())) is is_asked


def test_only_fetch_and_xhr_send_preflights() -> None:
    assert [kind for kind in RequestKind if asks_first(asked(kind=kind, method=b"PUT"))] == [
        RequestKind.FETCH,
        RequestKind.XHR,
    ]


@pytest.mark.parametrize(
    ("preflight", "text"),
    [
        (answer(*GOOD, "Access-Control-Allow-Methods: PUT", "Access-Control-Allow-Headers: X-A"), ""),
        (answer(*GOOD, status=404), "doesn't pass access control check: It does not have HTTP ok status."),
        (answer(status=404), "doesn't pass access control check: No 'Access-Control-Allow-Origin'"),
        (redirect(API, *GOOD), "Redirect is not allowed for a preflight request."),
        (answer(*GOOD, status=302), "It does not have HTTP ok status."),
        (answer(*GOOD), "Method PUT is not allowed by Access-Control-Allow-Methods in preflight response."),
        (answer(*GOOD, "Access-Control-Allow-Methods: *"), "Method PUT is not allowed"),
        (answer(*GOOD, "Access-Control-Allow-Methods: put"), "Method PUT is not allowed"),
        (answer(*GOOD, "Access-Control-Allow-Methods: P@T"), "Cannot parse Access-Control-Allow-Methods"),
        (answer(*GOOD, "Access-Control-Allow-Methods: PUT"), "Request header field x-a is not allowed"),
        (answer(status=407), "net::ERR_UNEXPECTED_PROXY_AUTH"),
    ],
)
def test_a_preflight_must_be_ok_readable_and_name_what_was_asked(preflight: Hop, text: str) -> None:
    request = asked(method=b"PUT", headers=((b"x-a", b"1"),), includes_credentials=True)
    words = said(judge(request, [answer(*GOOD)], preflight))
    assert (text in words) if text else words == ""


def test_a_star_lets_any_header_pass_without_credentials_but_authorization() -> None:
    permitted = answer(ACAO + "*", "Access-Control-Allow-Headers: *")
    assert not judge(asked(headers=((b"x-a", b"1"),)), [answer(ACAO + "*")], permitted).is_blocked
    verdict = judge(asked(headers=((b"authorization", b"1"),)), [answer(ACAO + "*")], permitted)
    assert said(verdict).startswith("Request header field authorization is not allowed")


# -- redirects ---------------------------------------------------------------------------------------------------------


def test_each_hop_of_a_redirect_is_checked() -> None:
    assert "No 'Access" in said(judge(asked(), [redirect(API), answer(*GOOD)]))
    assert not judge(asked(), [redirect(API, *GOOD), answer(*GOOD)]).is_blocked


def test_a_redirect_from_one_foreign_origin_to_another_makes_the_origin_null() -> None:
    assert "not equal" in said(judge(asked(), [redirect(OTHER, *GOOD), answer(*GOOD)]))
    assert not judge(asked(), [redirect(OTHER, *GOOD), answer(ACAO + "null")]).is_blocked
    assert "not equal" in said(judge(asked(), [redirect(PAGE, *GOOD), answer(*GOOD)])), "even back home"


def test_a_redirect_away_from_home_keeps_the_origin_and_needs_a_preflight_of_its_own() -> None:
    request = asked(target=PAGE, method=b"PUT")
    assert not judge(request, [redirect(API, status=307), answer(*GOOD)]).is_blocked
    refused = answer(*GOOD, preflight=answer(*GOOD))
    assert "Method PUT is not allowed" in said(judge(request, [redirect(API, status=307), refused]))


def test_a_redirect_that_drops_the_body_drops_what_needed_permission() -> None:
    request = asked(target=PAGE, method=b"POST", headers=((b"content-type", b"application/json"),))
    last = answer(*GOOD, preflight=answer(status=404))
    assert not judge(request, [redirect(API, status=302), last]).is_blocked
    assert judge(request, [redirect(API, status=307), last]).is_blocked


def test_authorization_does_not_follow_to_another_origin() -> None:
    request = asked(target=PAGE, headers=((b"authorization", b"x"),))
    assert not judge(request, [redirect(API), answer(*GOOD, preflight=answer(status=404))]).is_blocked


def test_a_redirect_to_a_url_with_a_user_is_refused_across_origins_and_quietly_by_fetch_at_home() -> None:
    assert "username and password" in said(judge(asked(), [redirect(API, *GOOD, user=b"a:b@"), answer(*GOOD)]))
    at_home = [redirect(PAGE, user=b"a:b@"), answer()]
    assert said(judge(asked(target=PAGE), at_home)) == ""
    assert judge(asked(target=PAGE), at_home).is_blocked
    assert not judge(asked(target=PAGE, kind=RequestKind.XHR), at_home).is_blocked


# -- what is no CORS ---------------------------------------------------------------------------------------------------


def test_what_is_loaded_without_cors_passes_unless_the_resource_policy_keeps_it() -> None:
    image = asked(kind=RequestKind.NO_CORS)
    assert not judge(image, [answer()]).is_blocked
    assert "NotSameOrigin" in said(judge(image, [answer("Cross-Origin-Resource-Policy: same-origin")]))
    assert not judge(
        asked(kind=RequestKind.NO_CORS, target=PAGE), [answer("Cross-Origin-Resource-Policy: same-origin")]
    ).text


def test_an_event_source_takes_an_event_stream_with_200_alone() -> None:
    stream = asked(kind=RequestKind.EVENT_SOURCE)
    assert not judge(stream, [answer(*GOOD, "Content-Type: text/event-stream; charset=utf-8")]).is_blocked
    assert '("text/html") that is not "text/event-stream"' in said(
        judge(stream, [answer(*GOOD, "Content-Type: text/html")])
    )
    assert judge(stream, [answer(*GOOD, "Content-Type: text/event-stream", status=404)]).is_blocked


def test_a_navigation_is_never_blocked() -> None:
    assert not judge(asked(kind=RequestKind.NAVIGATION), [answer(status=500)]).is_blocked


KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")


def test_the_answer_to_a_key_is_that_of_the_example_in_rfc_6455() -> None:
    assert accept_for(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("status", "lines", "text"),
    [
        (101, UPGRADE, ""),
        (101, (*UPGRADE, ACAO + "http://other.test"), ""),
        (400, (), "Error during WebSocket handshake: Unexpected response code: 400"),
        (401, (), "HTTP Authentication failed; no valid credentials available"),
        (101, UPGRADE[1:], "'Upgrade' header is missing"),
        (101, (UPGRADE[0], *UPGRADE), "'Upgrade' header must not appear more than once in a response"),
        (101, ("Upgrade: h2c", *UPGRADE[1:]), "'Upgrade' header value is not 'WebSocket': h2c"),
        (101, (UPGRADE[0], UPGRADE[2]), "'Connection' header is missing"),
        (101, (UPGRADE[0], "Connection: close", UPGRADE[2]), "'Connection' header value must contain 'Upgrade'"),
        (101, UPGRADE[:2], "'Sec-WebSocket-Accept' header is missing"),
        (101, (*UPGRADE[:2], "Sec-WebSocket-Accept: x"), "Incorrect 'Sec-WebSocket-Accept' header value"),
        (101, (*UPGRADE, "Sec-WebSocket-Protocol: b"), "'Sec-WebSocket-Protocol' header value 'b' in response does"),
        (101, (*UPGRADE, "Sec-WebSocket-Extensions: foo"), "Found an unsupported extension 'foo'"),
    ],
)
def test_a_handshake_fails_in_the_words_of_chromium_and_never_by_cors(
    status: int, lines: tuple[str, ...], text: str
) -> None:
    protocols = [b"a"] if any("Protocol" in line for line in lines) else []
    words = said(judge_handshake(status, fields(*lines), key=KEY, protocols=protocols))
    assert (text in words) if text else words == ""
