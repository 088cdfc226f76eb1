"""devproxy's own answers: who gets which form, what never gets into a page, what every error says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from devproxy import answers
from devproxy.answers.model import Answer, Format, preferred_format
from devproxy.errors import Absence, BadMessage, UpstreamError, UpstreamFault
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.policy.proxy_advice import UnusedProxy
from tests.support.heads import render_answer

NASTY = '<script>alert("1")</script>&\''


def request(*lines: bytes, line: bytes = b"GET / HTTP/1.1") -> RequestHead:
    return parse_request_head(b"\r\n".join((line, b"Host: a.test", *lines)), Limits())


def failure(fault: UpstreamFault = UpstreamFault.REFUSED, *, detail: str = "") -> Answer:
    tried = (("[::1]:1", "connection refused"), ("127.0.0.1:1", "connection refused"))
    return answers.upstream_failed(UpstreamError(fault, "http://localhost:1", detail, tried), upstream="api", route="/")


def rendered(answer: Answer, head: RequestHead | None, *, keep_alive: bool = True) -> tuple[dict[str, str], str]:
    """Return the fields (lower case) and the body of the rendered `answer`, its start line under ``""``."""
    block, _, body = render_answer(answer, head, keep_alive=keep_alive).partition(b"\r\n\r\n")
    start, *lines = block.decode("latin-1").split("\r\n")
    fields = {"": start} | {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
    if "content-length" in fields and body:
        assert int(fields["content-length"]) == len(body)
    return fields, body.decode()


AWAY = Absence(3.0, 0.0, 10.0, may_wait=False)


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ((), Format.TEXT),
        ((b"Accept: */*",), Format.TEXT),
        ((b"Accept: text/html,application/xhtml+xml",), Format.HTML),
        ((b"Accept: application/json",), Format.JSON),
        ((b"Accept: application/problem+json",), Format.JSON),
        ((b"Accept: */*", b"Origin: http://a.test"), Format.JSON),
        ((b"Accept: */*", b"Sec-Fetch-Mode: cors"), Format.JSON),
        ((b"Accept: */*", b"Sec-Fetch-Dest: document"), Format.HTML),
        ((b"Accept: */*", b"Sec-Fetch-Dest: iframe"), Format.HTML),
        ((b"Accept: text/html", b"Sec-Fetch-Dest: empty"), Format.JSON),
        ((b"Accept: text/html", b"Sec-Fetch-Dest: script"), Format.JSON),
        ((b"Accept: text/html", b"Connection: Upgrade", b"Upgrade: websocket"), Format.TEXT),
    ],
)
def test_whoever_asks_gets_what_they_can_read(lines: tuple[bytes, ...], form: Format) -> None:
    head = request(*lines)
    assert preferred_format(head) is form
    assert rendered(failure(), head)[0]["content-type"] == form.value


def test_who_did_not_even_get_a_head_across_gets_text() -> None:
    assert rendered(answers.head_timeout(10), None)[0]["content-type"] == Format.TEXT.value


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (UpstreamFault.REFUSED, 503),
        (UpstreamFault.UNREACHABLE, 503),
        (UpstreamFault.UNRESOLVED, 502),
        (UpstreamFault.CONNECT_TIMEOUT, 504),
        (UpstreamFault.TLS, 502),
        (UpstreamFault.CLOSED_EARLY, 502),
        (UpstreamFault.BAD_RESPONSE, 502),
        (UpstreamFault.RESPONSE_TIMEOUT, 504),
    ],
)
def test_each_fault_of_an_upstream_has_its_status_its_code_and_a_way_out(fault: UpstreamFault, status: int) -> None:
    fields, body = rendered(failure(fault, detail="some reason"), request(b"Accept: application/json"))
    assert fields[""].startswith(f"HTTP/1.1 {status} ")
    assert fields["x-devproxy-error"] == fault.value
    assert ("retry-after" in fields) == (status == 503)
    document = json.loads(body)
    assert (document["error"], document["status"], document["upstream"]) == (fault.value, status, "api")
    assert document["tried"] == ["[::1]:1: connection refused", "127.0.0.1:1: connection refused"]
    assert document["detail"] == "some reason"
    assert document["help"]


def test_text_says_the_same_in_lines() -> None:
    _, body = rendered(failure(), request())
    assert body.startswith("devproxy got no answer from `api` (http://localhost:1): nothing listens there.\n")
    assert "  tried: [::1]:1: connection refused\n" in body
    assert "\nhelp: " in body


class _Page(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_a_page_escapes_everything_and_may_run_nothing() -> None:
    nasty = Answer(status=502, code=NASTY, what=NASTY, help=NASTY, facts=((NASTY, NASTY),))
    _, body = rendered(Answer(status=502, code="x", what=NASTY, help=NASTY, facts=nasty.facts), request())
    assert NASTY in body  # as text it stands as it is, and nosniff keeps it text
    head = request(b"Accept: text/html")
    block = render_answer(
        Answer(status=502, code="x", what=NASTY, help=NASTY, facts=nasty.facts), head, keep_alive=True
    )
    fields, _, page = block.decode().partition("\r\n\r\n")
    assert "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n" in fields
    assert "X-Content-Type-Options: nosniff" in fields
    parser = _Page()
    parser.feed(page)
    assert "script" not in parser.tags
    assert "alert(&quot;1&quot;)" in page


def test_what_stands_in_backquotes_is_code_on_a_page() -> None:
    answer = Answer(status=404, code="x", what="no `a<b`", help="write `${x}` or `y`", facts=(("path", "`/`"),))
    _, page = rendered(answer, request(b"Accept: text/html"))
    assert "<h1>no <code>a&lt;b</code></h1>" in page
    assert "write <code>${x}</code> or <code>y</code>" in page
    assert "<dd><code>/</code></dd>" in page
    assert "`" not in page


@pytest.mark.parametrize(("scheme", "background"), [("light", "#ffffff"), ("dark", "#121212")])
def test_all_text_of_a_page_can_be_read_on_the_background_of_browsers(scheme: str, background: str) -> None:
    _, page = rendered(failure(), request(b"Accept: text/html"))
    alert = dict(zip(("light", "dark"), re.findall(r"--alert: (#\w{6})", page), strict=True))[scheme]
    text = "#000000" if scheme == "light" else "#ffffff"
    faded = min(map(float, re.findall(r"opacity: ([.0-9]+)", page)))
    assert contrast(rgb(alert), rgb(background)) >= 4.5
    blended = [faded * own + (1 - faded) * behind for own, behind in zip(rgb(text), rgb(background), strict=True)]
    assert contrast(blended, rgb(background)) >= 4.5


def rgb(colour: str) -> list[float]:
    return [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast ratio of WCAG 2.2."""
    light = sorted(
        0.2126 * red + 0.7152 * green + 0.0722 * blue
        for red, green, blue in (
            [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
            for colour in (one, other)
        )
    )
    return (light[1] + 0.05) / (light[0] + 0.05)


def test_the_path_of_a_request_gets_into_a_page_as_text_alone() -> None:
    head = request(b"Accept: text/html", line=b'GET /<img/src="x"> HTTP/1.1')
    _, page = rendered(answers.no_route(head), head)
    assert "<img" not in page
    assert "/&lt;img/src=&quot;x&quot;&gt;" in page


@pytest.mark.parametrize("accept", [b"text/html", b"application/json", b"text/plain"])
def test_octets_beyond_ascii_and_very_long_targets_are_shown_shortened(accept: bytes) -> None:
    head = request(b"Accept: " + accept, line=b"GET /\xe4\x9f" + b"x" * 5000 + b" HTTP/1.1")
    _, body = rendered(answers.no_route(head), head)
    assert len(body) < 3000
    assert "\x9f" not in body


@pytest.mark.parametrize(("method", "reloads"), [(b"GET", True), (b"POST", False)])
def test_a_page_waits_by_itself_only_where_that_repeats_a_get(method: bytes, reloads: bool) -> None:
    fields, page = rendered(failure(), request(b"Accept: text/html", line=method + b" / HTTP/1.1"))
    assert ('<noscript><meta http-equiv="refresh" content="1"></noscript>' in page) is reloads
    assert ("<script>" in page) is reloads
    assert ("script-src" in fields["content-security-policy"]) is reloads


def test_a_waiting_page_may_run_its_own_script_and_ask_its_own_origin_and_nothing_else() -> None:
    fields, page = rendered(failure(detail=NASTY), request(b"Accept: text/html"))
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert fields["content-security-policy"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-{digest}'"
    )
    assert page.count("<script>") == 1


@pytest.mark.parametrize(
    "fault",
    [UpstreamFault.REFUSED, UpstreamFault.UNREACHABLE, UpstreamFault.UNRESOLVED, UpstreamFault.CONNECT_TIMEOUT],
)
def test_a_server_that_was_up_is_said_to_be_away_for_now(fault: UpstreamFault) -> None:
    error = UpstreamError(fault, "http://api:1", "", ())
    fields, body = rendered(answers.upstream_failed(error, upstream="api", route="/", absence=AWAY), request())
    assert fields[""].startswith("HTTP/1.1 503 ")
    assert fields["x-devproxy-error"] == fault.value
    assert fields["retry-after"] == "1"
    assert "may be restarting" in body


def test_a_server_that_was_up_and_answers_nonsense_is_not_said_to_be_away() -> None:
    error = UpstreamError(UpstreamFault.BAD_RESPONSE, "http://api:1", "", ())
    fields, _ = rendered(answers.upstream_failed(error, upstream="api", route="/", absence=AWAY), request())
    assert fields[""].startswith("HTTP/1.1 502 ")
    assert "retry-after" not in fields


def test_in_a_container_a_refused_localhost_gets_the_hint_that_it_is_the_container_itself() -> None:
    error = UpstreamError(UpstreamFault.REFUSED, "http://localhost:1", "", ())
    _, body = rendered(answers.upstream_failed(error, upstream="api", route="/", is_own_container=True), request())
    assert "`host.docker.internal`" in body
    assert "name of the service" in body


@pytest.mark.parametrize("accept", [b"text/html", b"application/json", b"*/*"])
def test_a_lost_session_is_answered_as_its_server_would_whoever_asks(accept: bytes) -> None:
    error = UpstreamError(UpstreamFault.REFUSED, "http://api:1", "", ())
    fields, body = rendered(answers.session_lost(error, upstream="api"), request(b"Accept: " + accept))
    assert fields[""].startswith("HTTP/1.1 400 ")
    assert fields["content-type"] == "application/json"
    assert json.loads(body) == {"code": 1, "message": "Session ID unknown"}
    assert fields["x-devproxy-error"] == "session-lost"


def test_a_page_that_waiting_does_not_help_does_not_reload() -> None:
    head = request(b"Accept: text/html")
    assert "http-equiv" not in rendered(answers.no_route(head), head)[1]


@pytest.mark.parametrize("accept", [b"text/html", b"application/json", b"*/*"])
def test_an_answer_to_head_has_the_length_and_not_the_body(accept: bytes) -> None:
    asked, _ = rendered(answers.no_route(request()), request(b"Accept: " + accept, line=b"HEAD / HTTP/1.1"))
    block = render_answer(
        answers.no_route(request()), request(b"Accept: " + accept, line=b"HEAD / HTTP/1.1"), keep_alive=True
    )
    assert block.endswith(b"\r\n\r\n")
    got, body = rendered(answers.no_route(request()), request(b"Accept: " + accept))
    assert asked == got
    assert body


def test_a_204_has_neither_length_nor_body() -> None:
    block = render_answer(answers.asterisk_options(), request(line=b"OPTIONS * HTTP/1.1"), keep_alive=True)
    assert block.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Content-" not in block.replace(b"X-Content-Type-Options", b"")
    assert block.endswith(b"\r\n\r\n")


def test_nothing_that_devproxy_says_is_cached() -> None:
    assert rendered(failure(), request())[0]["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("answer", "keep_alive", "line", "connection"),
    [
        (failure(), True, b"GET / HTTP/1.1", None),
        (failure(), False, b"GET / HTTP/1.1", "close"),
        (failure(), True, b"GET / HTTP/1.0", "keep-alive"),
        (failure(), False, b"GET / HTTP/1.0", "close"),
        (answers.body_too_large(5), True, b"GET / HTTP/1.1", "close"),
        (answers.bad_message(BadMessage("it is wrong")), True, b"GET / HTTP/1.1", "close"),
    ],
)
def test_an_answer_says_whether_the_connection_goes_on(
    answer: Answer, keep_alive: bool, line: bytes, connection: str | None
) -> None:
    assert rendered(answer, request(line=line), keep_alive=keep_alive)[0].get("connection") == connection


def test_a_refused_request_hears_the_rule_it_broke() -> None:
    error = BadMessage("there is more than one Host", status=400, source="RFC 9112 section 3.2")
    fields, body = rendered(answers.bad_message(error), None)
    assert fields["x-devproxy-error"] == "bad-request"
    assert "there is more than one Host" in body
    assert "RFC 9112 section 3.2" in body


def test_health_is_json_for_everybody_and_no_error() -> None:
    fields, body = rendered(answers.health(), request(b"Accept: text/html"))
    assert fields[""] == "HTTP/1.1 200 OK"
    assert "x-devproxy-error" not in fields
    assert json.loads(body) == {"status": "ok"}


@pytest.mark.parametrize(("status", "phrase"), [(413, "Content Too Large"), (414, "URI Too Long")])
def test_a_status_has_the_name_of_rfc_9110_whatever_the_version_of_python(status: int, phrase: str) -> None:
    answer = answers.bad_message(BadMessage("too long", status=status, source="RFC 9110"))
    assert rendered(answer, None)[0][""] == f"HTTP/1.1 {status} {phrase}"


@pytest.mark.parametrize(
    ("fault", "is_far", "is_named"),
    [
        (UpstreamFault.UNRESOLVED, False, True),
        (UpstreamFault.CONNECT_TIMEOUT, True, True),
        (UpstreamFault.UNREACHABLE, False, True),
        (UpstreamFault.REFUSED, True, True),
        (UpstreamFault.REFUSED, False, False),
        (UpstreamFault.TLS, True, False),
        (UpstreamFault.CLOSED_EARLY, True, False),
    ],
)
def test_a_proxy_of_the_environment_is_named_where_it_could_have_helped(
    fault: UpstreamFault, is_far: bool, is_named: bool
) -> None:
    unused = UnusedProxy("HTTPS_PROXY", 'proxy = "http://p.test:1"', is_far=is_far)
    error = UpstreamError(fault, "https://api.example.com")
    answer = answers.upstream_failed(error, upstream="my api", route="/", unused_proxy=unused)
    assert ('write `proxy = "http://p.test:1"` in [upstreams."my api"]' in answer.help) is is_named
