"""Which frontends may have API routes of their own, and what is said when the backend has none at a path."""

from __future__ import annotations

import pytest
from devproxy.policy.frontend_routes import advice_on_api, framework_of, is_below_api


@pytest.mark.parametrize(
    ("fields", "body", "framework"),
    [
        (((b"X-Powered-By", b"Next.js"),), b"", "Next"),
        ((), b'<script src="/_next/static/chunks/main.js">', "Next"),
        (((b"x-powered-by", b"Nuxt"),), b"", "Nuxt"),
        ((), b'<link rel="modulepreload" href="/_nuxt/entry.js">', "Nuxt"),
        (((b"x-sveltekit-page", b"true"),), b"", "SvelteKit"),
        ((), b"<script>__sveltekit_1abc = {}</script>", "SvelteKit"),
        (((b"x-powered-by", b"Express"),), b"<h1>about /_nextcloud and nuxt</h1>", ""),
        ((), b'<script type="module" src="/@vite/client"></script>', ""),
    ],
)
def test_a_framework_is_known_by_its_page(fields: tuple[tuple[bytes, bytes], ...], body: bytes, framework: str) -> None:
    assert framework_of(fields, body) == framework


def test_the_advice_names_the_path_the_framework_and_the_option() -> None:
    advice = advice_on_api("Next", b"GET", b"/api/\x1bhello")
    assert advice.what.isprintable()
    assert "GET /api/" in advice.what
    assert "the frontend is Next" in advice.what
    assert "--backend-path /socket.io/ --backend-path /your-api/" in advice.help


@pytest.mark.parametrize(("path", "is_below"), [(b"/api/x", True), (b"/api/", True), (b"/api", False), (b"/x", False)])
def test_only_paths_below_api_count(path: bytes, is_below: bool) -> None:
    assert is_below_api(path) is is_below
