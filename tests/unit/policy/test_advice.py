"""What is advised when an upstream refuses devproxy: by its own words, and by what is around."""

from __future__ import annotations

import pytest
from devproxy.policy.advice import advice_on_no_http, advice_on_words

# As node, Django 5, Rails 8 and Starlette send them.
VITE = b'Blocked request. This host ("app.test") is not allowed.\nTo allow this host, add "app.test" to `server`'
DJANGO_HOST = b"<title>DisallowedHost\n          at /</title>" + b"<style>" + b"x" * 6000 + b"</style>"
DJANGO_ORIGIN = b"<style>" + b"x" * 3000 + b"</style><pre>Origin checking failed - http://localhost:8080 does not match"


@pytest.mark.parametrize(
    ("status", "body", "lines"),
    [
        (403, VITE, ['host = "upstream"', "server.allowedHosts"]),
        (403, b"Invalid Host header", ['host = "upstream"', "devServer.allowedHosts"]),
        (400, b"Invalid host header", ['host = "upstream"', "TrustedHostMiddleware"]),
        (400, DJANGO_HOST, ['host = "upstream"', 'origin = "upstream"', "ALLOWED_HOSTS"]),
        (403, b"<h1>Blocked hosts: app.test</h1>", ["config.hosts"]),
        (403, DJANGO_ORIGIN, ['origin = "upstream"', "CSRF_TRUSTED_ORIGINS"]),
        (403, b"Cross-site POST form submissions are forbidden", ['origin = "upstream"', "csrf.trustedOrigins"]),
        (403, b"Cross-site PATCH form submissions are forbidden", ['origin = "upstream"', "csrf.trustedOrigins"]),
    ],
)
def test_a_refusal_of_a_host_or_an_origin_leads_to_the_line(status: int, body: bytes, lines: list[str]) -> None:
    advice = advice_on_words(status, body, b"/", keeps_host=True, keeps_origin=True)
    for line in lines:
        assert line in advice


NEXT_PATHS = (b"/_next/static/a.woff2", b"/docs/_next/webpack-hmr", b"/__nextjs_original-stack-frames", b"/_next")


@pytest.mark.parametrize("path", NEXT_PATHS)
def test_next_s_word_leads_to_its_line_at_its_own_paths(path: bytes) -> None:
    advice = advice_on_words(403, b"Unauthorized", path, keeps_host=True, keeps_origin=True)
    assert 'origin = "upstream"' in advice
    assert "allowedDevOrigins" in advice


@pytest.mark.parametrize("path", [b"/", b"/api/items", b"/ws", b"/api_next/x"])
def test_an_application_that_answers_unauthorized_is_not_taken_for_next(path: bytes) -> None:
    assert advice_on_words(403, b"Unauthorized", path, keeps_host=True, keeps_origin=True) == ""


def test_a_line_that_is_written_already_is_not_advised() -> None:
    assert 'host = "upstream"' not in advice_on_words(403, VITE, b"/", keeps_host=False, keeps_origin=True)
    assert 'origin = "upstream"' not in advice_on_words(403, DJANGO_ORIGIN, b"/", keeps_host=False, keeps_origin=False)
    assert 'origin = "upstream"' in advice_on_words(403, DJANGO_ORIGIN, b"/", keeps_host=False, keeps_origin=True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, VITE),
        (404, VITE),
        (403, b""),
        (403, b"Unauthorized: no token"),
        (401, b"Unauthorized"),
        (403, b"Forbidden"),
    ],
)
def test_other_answers_get_no_advice(status: int, body: bytes) -> None:
    assert advice_on_words(status, body, b"/_next/x", keeps_host=True, keeps_origin=True) == ""


def test_next_s_word_that_is_no_http_leads_to_its_own_origin() -> None:
    assert 'origin = "upstream"' in advice_on_no_http(b"Unauthorized")
    assert advice_on_no_http(b"Unauthorised") == ""
    assert advice_on_no_http(b"SSH-2.0-OpenSSH_9.2") == ""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (b"<center>No required SSL certificate was sent</center>", "`tls_cert` and `tls_key`"),
        (b"<center>The SSL certificate error</center>", "`tls_cert`"),
        (b"<center>The plain HTTP request was sent to HTTPS port</center>", "https://"),
        (b"Client sent an HTTP request to an HTTPS server.\n", "https://"),
    ],
)
def test_what_servers_say_about_tls_in_an_answer_leads_to_the_line(words: bytes, line: str) -> None:
    assert line in advice_on_words(400, words, b"/", keeps_host=True, keeps_origin=True)
    assert advice_on_words(403, words, b"/", keeps_host=True, keeps_origin=True) == ""
