"""The tests' own tools: what a test says is what devproxy gets."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from devproxy.config.model import Config, Cors, CorsMode, Proxy, Sticky, Upstream
from devproxy.gateway.app import Gateway
from tests.support import wire
from tests.support.ids import MOST, readable_id
from tests.support.wire import address_of, config_for, conversation

DEFAULT = Upstream(name="backend", servers=())
OTHER = Upstream(
    name="elsewhere",
    servers=(address_of(4000),),
    tls_verify=False,
    tls_ca=("system", "ca.pem"),
    tls_cert="client.pem",
    tls_key="client-key.pem",
    proxy=Proxy(host="127.0.0.1", port=9, url="http://127.0.0.1:9"),
    connect_timeout_s=1.5,
    response_timeout_s=2.5,
    idle_timeout_s=3.5,
    sticky=Sticky.SOCKETIO,
    hold_s=4.5,
)


async def test_every_setting_of_an_upstream_reaches_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in fields(Upstream):
        assert getattr(OTHER, field.name) != getattr(DEFAULT, field.name), f"OTHER needs a {field.name} of its own"
    started = []

    class Observed(Gateway):
        def __init__(self, config: Config, *rest: Any) -> None:
            started.append(config)
            super().__init__(config, *rest)

    monkeypatch.setattr(wire, "Gateway", Observed)
    async with conversation(upstream=OTHER) as talk:
        (config,) = started
        assert config.upstreams == (replace(OTHER, servers=(address_of(talk.upstream.port),)),)


def test_an_upstream_keeps_its_servers_unless_others_are_named() -> None:
    assert config_for((), upstream=OTHER).upstreams == (OTHER,)
    named = address_of(4001)
    assert config_for((named,), upstream=OTHER).upstreams == (replace(OTHER, servers=(named,)),)


def test_a_case_without_a_name_is_called_by_its_values_on_one_short_line() -> None:
    assert readable_id(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == "GET / HTTP/1.1 | Host: a"
    assert readable_id("") == "''"
    assert readable_id(b"a\0\rb\xff") == r"a\x00\x0db\xff"
    assert readable_id(Cors(mode=CorsMode.FIX, max_age_s=5)) == "mode=fix, max_age_s=5"
    assert readable_id(Cors()) == "default"
    assert readable_id(7) is None, "pytest's own is readable"
    assert len(readable_id(b"x" * 1000) or "") <= MOST
