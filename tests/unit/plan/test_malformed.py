"""What goes with the answer to a request that could not be read."""

from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.plan import Snapshot, compile_snapshot, lines_for_malformed

OWN = b"Origin: http://localhost:5173"
FOREIGN = b"Origin: https://app.example"

ROUTES = """
[upstreams]
frontend = "http://localhost:5173"
backend = "http://localhost:3001"

[[routes]]
path = "/"
upstream = "frontend"

[[routes]]
path = "/open/"
upstream = "backend"
[routes.cors]
origins = ["https://app.example"]
"""
EXPRESSION = """
[[routes]]
path_regex = '/(?:open/)?v[0-9]+/.*'
upstream = "backend"
"""


def snapshot(*more: str) -> Snapshot:
    return compile_snapshot(load("\n".join((ROUTES, *more)).encode(), source="devproxy.toml"), "test")


def unread(path: bytes, origin: bytes, host: bytes = b"localhost:8080") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\nBroken line\r\n\r\n" % (path, host, origin)


def allows(lines: tuple[bytes, ...]) -> bool:
    return any(line.startswith(b"Access-Control-Allow-Origin") for line in lines)


def test_a_page_of_this_machine_reads_why_its_request_could_not_be_read() -> None:
    assert allows(lines_for_malformed(unread(b"/items", OWN), snapshot()))


def test_the_route_decides_who_may_read_it() -> None:
    assert allows(lines_for_malformed(unread(b"/open/items", FOREIGN), snapshot()))
    assert not allows(lines_for_malformed(unread(b"/items", FOREIGN), snapshot()))


def test_a_host_that_the_guard_refuses_chooses_no_route() -> None:
    octets = unread(b"/open/items", FOREIGN, b"evil.test")
    assert not allows(lines_for_malformed(octets, snapshot()))


def test_no_expression_is_run_for_what_could_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = snapshot(EXPRESSION)
    monkeypatch.setattr(type(ready.table), "match", None)
    assert not allows(lines_for_malformed(unread(b"/open/v1/items", FOREIGN), ready)), "the two routes differ here"
    assert allows(lines_for_malformed(unread(b"/v1/items", OWN), ready)), "and agree here"
