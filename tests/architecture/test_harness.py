"""The tests' own tools: what a test says is what devproxy gets."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from devproxy.config.model import Config, Cors, CorsMode, Proxy, Sticky, Upstream
from devproxy.gateway.app import Gateway
from tests.support import wire
from tests.support.exchanges import OK, forwarded, values_of
from tests.support.http2_wire import Http2Wire, SpellingWire
from tests.support.ids import MOST, readable_id
from tests.support.wire import address_of, config_for, conversation

DEFAULT = Upstream(name="backend", servers=())
OTHER = Upstream(
    name="elsewhere",
    servers=(address_of(4000),),
    recording="session.har",
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


HTTP1_ONLY = {
    "test_bench_smoke": "it runs the bench",
    "test_cli": "the command line, in a process of its own",
    "test_cli_answers": "the command line",
    "test_cli_explain": "the command line",
    "test_cli_stopping": "the command line",
    "test_demo": "the command line",
    "test_forced_end": "the command line",
    "test_hostile": "bytes that are no HTTP/1.1; `test_http2_attacks` has those that are no HTTP/2",
    "test_http2": "HTTP/2 alone",
    "test_http2_attacks": "HTTP/2 alone",
    "test_http2_clients": "HTTP/2 alone",
    "test_http2_h2spec": "HTTP/2 alone",
    "test_http2_likewise": "compares both",
    "test_https": "handshakes of TLS, and what comes by plain HTTP",
    "test_interleavings": "bytes in any order, also those that are no HTTP/1.1",
    "test_logins": "logins that belong to a connection are not taken over HTTP/2: `test_http2`",
    "test_many_readers": "processes with clients of their own; `test_http2` has a hundred streams that are not read",
    "test_one_input": "programs of the command line",
    "test_pipelining": "HTTP/2 has no pipelining",
    "test_pipelining_floods": "HTTP/2 has no pipelining",
    "test_recipes": "the recipes of the documents, by programs",
    "test_refusals": "what the grammar of HTTP/1.1 refuses",
    "test_shown_output": "the command line",
    "test_terminal": "the command line",
    "test_trust": "the command line",
    "test_upstream_tls": "TLS on the side of the upstream",
}
"""Files of tests/integration that do not run by HTTP/2, too, with the reason. A new one says so in its docstring."""
INTEGRATION = Path(wire.__file__).parent.parent / "integration"


def test_what_happens_to_requests_is_tried_by_both_versions_of_http() -> None:
    by_both = {file.stem for file in INTEGRATION.glob("test_*.py") if "pytest.mark.both_versions" in file.read_text()}
    assert len(by_both) >= 29, "files leave the list below, and none comes back to it"
    assert not by_both & set(HTTP1_ONLY)
    assert all((INTEGRATION / f"{name}.py").exists() for name in HTTP1_ONLY)


@pytest.mark.parametrize("way", ["http", "https", "https-http2"])
async def test_clients_come_as_a_test_is_told(way: str) -> None:
    wire.WAY.is_secure = way.startswith("https")
    wire.WAY.client, wire.WAY.server = (Http2Wire, SpellingWire) if way.endswith("http2") else (None, None)
    try:
        async with conversation() as talk:
            client, server, head = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert values_of(head, b"x-forwarded-proto") == [way.partition("-")[0].encode()]
            assert values_of(head, b"via")[0].startswith(wire.WAY.version)
            server.send(OK)
            assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    finally:
        wire.WAY.is_secure, wire.WAY.client, wire.WAY.server = False, None, None


def test_each_test_that_the_page_about_http2_names_is_there() -> None:
    tests = Path(wire.__file__).parent.parent
    page = (tests.parent / "docs" / "http2.md").read_text()
    sources = [
        file.read_text() for folder in ("unit", "property", "integration") for file in (tests / folder).rglob("*.py")
    ]
    named = re.findall(r"`(test_[a-z0-9_]+)(?:\[([^`]+)\])?`", page)
    assert len(named) > 60
    for name, case in named:
        found = [source for source in sources if f"def {name}(" in source]
        assert found, f"there is no {name}"
        assert not case or any(f'"{case}"' in source for source in found), f"{name} has no case {case}"
