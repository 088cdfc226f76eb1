from __future__ import annotations

import pytest
from devproxy.inspector.access import Access, judge
from devproxy.plan.pages import BY_PROXY, DIRECT

KEY = "k" * 24


@pytest.mark.parametrize(
    ("given", "peer", "host", "way", "access"),
    [
        (KEY, "203.0.113.9", "evil.example", BY_PROXY, Access.FULL),
        ("x", "127.0.0.1", "localhost", DIRECT, Access.WRONG_KEY),
        ("", "127.0.0.1", "localhost", DIRECT, Access.WRONG_KEY),
        ("\ud800", "127.0.0.1", "localhost", DIRECT, Access.WRONG_KEY),
        (None, "127.0.0.1", "localhost:8080", DIRECT, Access.MASKED),
        (None, "::1", "[::1]:8080", DIRECT, Access.MASKED),
        (None, "127.0.0.1", "app.localhost", DIRECT, Access.MASKED),
        (None, "unix", "localhost", DIRECT, Access.MASKED),
        (None, "127.0.0.1", "localhost", BY_PROXY, Access.NEEDS_KEY),
        (None, "127.0.0.1", "localhost", "", Access.NEEDS_KEY),
        (None, "10.0.0.1", "localhost", DIRECT, Access.NEEDS_KEY),
        (None, "127.0.0.1", "10.0.0.1", DIRECT, Access.NEEDS_KEY),
        (None, "127.0.0.1", "app.test", DIRECT, Access.NEEDS_KEY),
        (None, "127.0.0.1", "x.ngrok.app", DIRECT, Access.NEEDS_KEY),
        (None, "", "", "", Access.NEEDS_KEY),
    ],
    ids=str,
)
def test_who_may_see_what(given: str | None, peer: str, host: str, way: str, access: Access) -> None:
    assert judge(given, KEY, peer=peer, host=host, way=way) is access
