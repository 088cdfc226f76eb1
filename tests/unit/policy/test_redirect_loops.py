"""Redirects that lead a browser back: which do, when they are a loop, and the line that ends it."""

from __future__ import annotations

import pytest
from devproxy.http.fields import make_field
from devproxy.policy.redirect_loops import (
    MAX_URLS,
    TIMES,
    WITHIN_S,
    Loop,
    RedirectLoops,
    Way,
    advice_on_loop,
    says_https,
    way_back,
)
from hypothesis import given
from hypothesis import strategies as st

HTTP = b"http://app.test"
HTTPS = b"https://app.test"


@pytest.mark.parametrize(
    ("front", "asked", "location", "way"),
    [
        (HTTP, b"/x?a=1", b"http://app.test/x?a=1", Way.SAME),
        (HTTP, b"/x", b"HTTP://APP.test:80/x#top", Way.SAME),
        (HTTP, b"/x", b"https://app.test/x", Way.TO_HTTPS),
        (HTTP, b"/x", b"https://app.test:443/x", Way.TO_HTTPS),
        (HTTPS, b"/x", b"https://app.test/x", Way.SAME),
        (HTTPS, b"/x", b"http://app.test/x", Way.TO_HTTP),
        (HTTPS, b"/x", b"//app.test/x", Way.SAME),
        (HTTPS, b"/", b"https://app.test", Way.SAME),
        (HTTPS, b"/?a", b"https://app.test?a", Way.SAME),
        (b"http://localhost:8080", b"/x", b"https://localhost:8080/x", Way.TO_HTTPS),
        (HTTP, b"/x?a", b"/x?a", Way.SAME),
        (HTTP, b"/a/x", b"x", Way.SAME),
        (HTTP, b"/x?a", b"?a", Way.SAME),
        (HTTP, b"/x", b"", Way.SAME),
        (HTTP, b"/x", b"/y", None),
        (HTTP, b"/x", b"/x/", None),
        (HTTP, b"/x?a", b"?b", None),
        (HTTP, b"/x", b"./x", None),
        (HTTP, b"/x", b"mailto:x", None),
        (HTTP, b"/x", b"http://other.test/x", None),
        (HTTP, b"/x", b"http://app.test:81/x", None),
        (b"http://localhost:8080", b"/x", b"https://localhost/x", None),
        (HTTP, b"/x", b"ftp://app.test/x", None),
        (HTTP, b"/x", b"http://user@app.test/x", None),
        (HTTP, b"/x", b"http://app.test/" + b"x" * 9000, None),
    ],
)
def test_where_a_redirect_leads(front: bytes, asked: bytes, location: bytes, way: Way | None) -> None:
    assert way_back(front, asked, location) is way


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_do_harm(asked: bytes, location: bytes) -> None:
    way_back(HTTP, b"/" + asked, location)


def test_a_loop_is_met_once_after_some_rounds() -> None:
    loops = RedirectLoops()
    met = [loops.meets("a", b"u", 0.1 * number) for number in range(3 * TIMES)]
    assert met.index(True) == TIMES - 1
    assert met.count(True) == 1


def test_redirects_that_are_far_apart_or_of_others_are_no_loop() -> None:
    loops = RedirectLoops()
    assert not any(loops.meets("a", b"u", number * WITHIN_S / 2) for number in range(50))
    assert not any(loops.meets(f"c{number}", b"v", 0.0) for number in range(50))
    assert not any(loops.meets("a", b"%d" % number, 0.0) for number in range(50))


def test_what_is_kept_is_bounded() -> None:
    loops = RedirectLoops()
    for number in range(10 * MAX_URLS):
        loops.meets("a", b"%d" % number, 0.0)
    assert len(loops._met) == MAX_URLS


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("X-Forwarded-Proto", b"https", True),
        ("X-Forwarded-Proto", b"HTTPS, http", True),
        ("X-Forwarded-Ssl", b"on", True),
        ("Front-End-Https", b"On", True),
        ("Forwarded", b"for=1;proto=https", True),
        ("CF-Visitor", b'{"scheme":"https"}', True),
        ("X-Forwarded-Proto", b"http", False),
        ("X-Forwarded-Ssl", b"off", False),
        ("X-Other", b"https", False),
    ],
)
def test_what_says_that_a_request_came_by_https(name: str, value: bytes, says: bool) -> None:
    assert says_https([make_field(name.encode(), value)]) is says


LOOP = Loop(Way.TO_HTTPS, b"http://app.test/x", "172.18.0.2", ("loopback",), False, False, False)


@pytest.mark.parametrize(
    ("loop", "line"),
    [
        (LOOP._replace(says_https=True), '`trusted_proxies = ["loopback", "172.18.0.2"]` in [server]'),
        (LOOP._replace(says_https=True, trusted=(), peer="127.0.0.1"), '`trusted_proxies = ["loopback"]`'),
        (LOOP._replace(says_https=True, trusted=(), peer="unix"), '`trusted_proxies = ["loopback"]`'),
        (LOOP._replace(says_https=True, is_own=True, has_tls=True), "trusted_proxies = ["),
        (LOOP, "`tls = true` in [server]"),
        (LOOP, "proxy_set_header X-Forwarded-Proto $scheme"),
        (LOOP._replace(has_tls=True), "SECURE_PROXY_SSL_HEADER"),
        (LOOP._replace(has_tls=True, is_own=True), "`tls = false`"),
        (LOOP._replace(way=Way.TO_HTTP, url=b"https://app.test/x"), "`tls = false`"),
        (LOOP._replace(way=Way.SAME, url=b"https://app.test/x", is_trusted=True, says_https=True), "trust proxy"),
        (LOOP._replace(way=Way.SAME, names_itself=True, keeps_host=True), '`host = "upstream"` in this route'),
        (LOOP._replace(way=Way.SAME), "the server's own rules"),
    ],
)
def test_the_line_that_ends_a_loop(loop: Loop, line: str) -> None:
    advice = advice_on_loop(loop)
    assert advice.startswith("a redirect goes round: ")
    assert line in advice
    assert advice.endswith(".")


def test_a_url_moves_no_cursor() -> None:
    assert "\x1b" not in advice_on_loop(LOOP._replace(url=b"http://a/\x1b[2J"))
