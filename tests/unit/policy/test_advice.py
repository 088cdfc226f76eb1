"""What is advised when an upstream refuses devproxy: by OpenSSL's words, by its own, and by what is around."""

from __future__ import annotations

import pytest
from devproxy.policy.advice import advice_on_no_http, advice_on_proxy, advice_on_tls, advice_on_words

# As node, Django 5, Rails 8 and Starlette send them.
VITE = b'Blocked request. This host ("app.test") is not allowed.\nTo allow this host, add "app.test" to `server`'
DJANGO_HOST = b"<title>DisallowedHost\n          at /</title>" + b"<style>" + b"x" * 6000 + b"</style>"
DJANGO_ORIGIN = b"<style>" + b"x" * 3000 + b"</style><pre>Origin checking failed - http://localhost:8080 does not match"


@pytest.mark.parametrize("reason", ["self-signed certificate", "unable to get local issuer certificate", "?", ""])
def test_to_trust_an_authority_is_advised_before_to_trust_everybody(reason: str) -> None:
    advice = advice_on_tls(reason)
    assert 0 <= advice.index("SSL_CERT_FILE=") < advice.index("tls_verify = false")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("WRONG_VERSION_NUMBER", "Use http:// instead of https://"),
        ("Hostname mismatch, certificate is not valid for 'localhost'.", "the name that it is for"),
        ("IP address mismatch, certificate is not valid for '127.0.0.1'.", "the name that it is for"),
        ("certificate has expired", "Renew"),
        ("certificate is not yet valid", "clock"),
    ],
)
def test_what_another_authority_would_not_cure_has_its_own_advice(reason: str, advice: str) -> None:
    assert advice in advice_on_tls(reason)
    assert "SSL_CERT_FILE" not in advice_on_tls(reason)


def test_a_proxy_that_is_not_used_is_named_by_its_variable() -> None:
    assert advice_on_proxy("https_proxy").startswith("`https_proxy` is set")


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
