"""What a new configuration keeps: decided over values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from devproxy.config.model import Config, HeaderEdits, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.gateway.reload import TunnelOrigin, is_kept, route_targets, unchanged_upstreams
from devproxy.plan import compile_snapshot

ONE = ServerAddress(scheme=Scheme.HTTP, host="localhost", port=1, url="http://localhost:1")
TWO = ServerAddress(scheme=Scheme.HTTP, host="localhost", port=2, url="http://localhost:2")
ROUTE = Route(kind=PathKind.PREFIX, pattern="/ws/", upstream="a")
CONFIG = Config(
    server=Server(),
    upstreams=(Upstream(name="a", servers=(ONE,)), Upstream(name="b", servers=(TWO,))),
    routes=(ROUTE, Route(kind=PathKind.PREFIX, pattern="/", upstream="b")),
)
BORN = TunnelOrigin(compile_snapshot(CONFIG, "x"), ROUTE, ONE)


def with_route(**changes: Any) -> Config:
    return replace(CONFIG, routes=(replace(ROUTE, **changes), *CONFIG.routes[1:]))


def with_upstream(upstream: Upstream) -> Config:
    return replace(CONFIG, upstreams=(upstream, *CONFIG.upstreams[1:]))


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        with_route(line=9),
        with_route(pattern="/ws"),
        with_route(rewrite="/", host="upstream", request_headers=HeaderEdits(remove=("Cookie",))),
        with_upstream(Upstream(name="a", servers=(ONE,), hold_s=0.0)),
        with_upstream(Upstream(name="a", servers=(TWO, ONE))),
        replace(CONFIG, routes=CONFIG.routes[::-1]),
        replace(with_route(upstream="c"), upstreams=(*CONFIG.upstreams, Upstream(name="c", servers=(ONE,)))),
    ],
    ids=[
        "equal",
        "moved in the file",
        "no slash at its end",
        "other rules",
        "other settings",
        "one more server",
        "other order",
        "renamed",
    ],
)
def test_a_tunnel_stays_while_its_route_leads_to_its_server(config: Config) -> None:
    assert is_kept(BORN, route_targets(config))


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, routes=CONFIG.routes[1:]),
        with_route(upstream="b"),
        with_upstream(Upstream(name="a", servers=(TWO,))),
        with_route(methods=("POST",)),
        with_route(pattern="/w/"),
    ],
    ids=["removed", "another upstream", "moved", "other condition", "other path"],
)
def test_a_tunnel_goes_when_its_route_is_gone_or_leads_elsewhere(config: Config) -> None:
    assert not is_kept(BORN, route_targets(config))


def test_an_upstream_is_unchanged_when_name_servers_and_settings_are_equal() -> None:
    assert unchanged_upstreams(CONFIG, CONFIG) == {"a", "b"}
    assert unchanged_upstreams(CONFIG, with_upstream(Upstream(name="a", servers=(ONE,), hold_s=0.0))) == {"b"}
    assert unchanged_upstreams(CONFIG, with_upstream(Upstream(name="c", servers=(ONE,)))) == {"b"}


def test_an_upstream_that_names_files_is_another_one_where_they_begin_at_another_folder() -> None:
    named = Upstream(name="a", servers=(ONE,), recording="session.har")
    here = replace(with_upstream(named), source="one/devproxy.toml")
    assert unchanged_upstreams(here, here) == {"a", "b"}
    assert unchanged_upstreams(here, replace(here, source="one/other.toml")) == {"a", "b"}
    assert unchanged_upstreams(here, replace(here, source="two/devproxy.toml")) == {"b"}
