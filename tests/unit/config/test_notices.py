"""What is allowed but deserves a word."""

from __future__ import annotations

import pytest
from devproxy.config import from_arguments, load, warnings
from devproxy.config.notices import is_loopback
from tests.support.configuration import ROUTE, UPSTREAMS


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:8080", "[::1]:8080", "app.localhost:8080"])
def test_loopback_is_nothing_to_mention(listen: str) -> None:
    assert warnings(from_arguments(frontend="5173", backend=None, backend_paths=[], listen=[listen])) == ()


@pytest.mark.parametrize(
    ("listen", "where"),
    [(":8080", "every address (:8080)"), ("0.0.0.0:8080", "0.0.0.0:8080"), ("192.168.1.2:8080", "192.168.1.2:8080")],
)
def test_an_address_that_others_reach_is_mentioned_with_what_to_write(listen: str, where: str) -> None:
    [warning] = warnings(from_arguments(frontend="5173", backend=None, backend_paths=[], listen=[listen]))
    assert f"listening on {where}" in warning
    assert 'listen = "localhost:8080"' in warning


def test_an_upstream_that_no_route_names_is_mentioned() -> None:
    [warning] = warnings(load((UPSTREAMS + ROUTE).encode(), source="x"))
    assert 'no route goes to the upstream "frontend"' in warning


@pytest.mark.parametrize(
    ("listen", "server"), [("8080", "8080"), (":8080", "127.0.0.1:8080"), ("[::1]:80", "http://[::1]")]
)
def test_an_upstream_that_is_devproxy_itself_is_mentioned(listen: str, server: str) -> None:
    config = from_arguments(frontend=server, backend=None, backend_paths=[], listen=[listen])
    assert any("round in circles" in warning for warning in warnings(config))


@pytest.mark.parametrize("server", ["8081", "unix:/run/app.sock", "http://api.test:8080"])
def test_an_upstream_elsewhere_is_not(server: str) -> None:
    assert warnings(from_arguments(frontend=server, backend=None, backend_paths=[], listen=["8080"])) == ()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.1.2.3", True), ("127.evil.test", False), ("", False), ("::", False)],
)
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
