"""The sample in which the product promised its keys loads as it stands: keys may be added, not renamed."""

from __future__ import annotations

from pathlib import Path

from devproxy.config import Config, CorsMode, load, warnings
from devproxy.config.model import Cookies, Cors, Fault, HeaderEdits, PreflightMode, SameSiteRule, SecureRule, Sticky

SAMPLE = (Path(__file__).parent / "contract.toml").read_text(encoding="utf-8")


def contract() -> Config:
    return load(SAMPLE.encode(), source="devproxy.toml")


def test_the_sample_loads_and_there_is_nothing_to_mention() -> None:
    assert [route.pattern for route in contract().routes] == ["/socket.io/", "/api/", "/"]
    assert warnings(contract()) == ()


def test_the_sample_s_upstream_is_sticky_and_holds() -> None:
    _, backend = contract().upstreams
    assert [server.url for server in backend.servers] == ["http://localhost:3001", "http://localhost:3002"]
    assert (backend.sticky, backend.hold_s) == (Sticky.SOCKETIO, 10.0)


def test_the_sample_s_policies_say_what_they_say() -> None:
    sockets, api, rest = contract().routes
    assert (sockets.cors.mode, sockets.cors.line) == (CorsMode.STRIP, line_of('cors = "strip"'))
    assert api.cors == Cors(
        origins=("http://localhost:3000", "https://*.preview.test", "http://127.0.0.1:*"),
        expose=("ETag",),
        preflight=PreflightMode.ANSWER,
        line=line_of("[routes.cors]"),
    )
    assert api.cookies == Cookies(domain="", secure=SecureRule.AUTO, same_site=SameSiteRule.AUTO)
    assert (api.request_headers, api.response_headers) == (HeaderEdits(), HeaderEdits())
    assert api.fault == Fault()
    assert rest.cors == Cors()


def line_of(start: str) -> int:
    """The 1-based line of the sample that begins with `start`."""
    return next(number for number, line in enumerate(SAMPLE.split("\n"), 1) if line.startswith(start))
