"""Trouble made on purpose: which requests it befalls, by seed, and what their plans say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from devproxy.config.model import (
    Config,
    Cors,
    CorsMode,
    Fault,
    PathKind,
    PreflightMode,
    Route,
    Scheme,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.http.messages import RequestHead
from devproxy.http1.head import parse_request_head
from devproxy.plan import Forward, Plan, Respond, Snapshot, compile_snapshot, plan_request
from devproxy.policy.faults import CompiledFault, compile_fault, inject
from tests.support.heads import render_answer

ROUTE = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", line=12)
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")
PAGE = (b"Origin: http://localhost:5173",)


def compiled(fault: Fault) -> CompiledFault:
    """Return `fault` compiled; it must be one."""
    result = compile_fault(replace(ROUTE, fault=fault), "devproxy.toml")
    assert result is not None
    return result


def fates(fault: Fault, count: int) -> list[bool]:
    """Tell of `count` requests one after another which fail."""
    ready = compiled(fault)
    return [inject(ready, is_upgrade=False) is not None for _ in range(count)]


def snapshot(*routes: Route) -> Snapshot:
    """Return a snapshot of `routes`, all to one upstream."""
    address = ServerAddress(scheme=Scheme.HTTP, host="127.0.0.1", port=3000, url="http://127.0.0.1:3000")
    upstream = Upstream(name="backend", servers=(address,))
    config = Config(server=Server(allowed_hosts=("*",)), upstreams=(upstream,), routes=routes)
    return compile_snapshot(config, "0000")


def request(*lines: bytes, start: bytes = b"GET /a HTTP/1.1") -> RequestHead:
    """Return the head of a request with `lines`."""
    return parse_request_head(b"\r\n".join((start, b"Host: localhost:8080", *lines)), snapshot().limits)


def plan(fault: Fault, *lines: bytes, start: bytes = b"GET /a HTTP/1.1") -> Plan:
    """Return the plan for one request to a route with `fault`."""
    return plan_request(request(*lines, start=start), snapshot(replace(ROUTE, fault=fault)))


def test_a_route_without_trouble_has_no_fault_at_all() -> None:
    assert compile_fault(ROUTE, "devproxy.toml") is None
    assert compile_fault(replace(ROUTE, fault=Fault(seed=7, error_status=500)), "devproxy.toml") is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(latency_ms=0.5),
        Fault(error_rate=0.001),
        Fault(refuse_upgrade=True),
        Fault(drop_after_s=1),
        Fault(bandwidth_kib_s=1),
    ],
)
def test_each_kind_of_trouble_alone_is_a_fault(fault: Fault) -> None:
    assert compile_fault(replace(ROUTE, fault=fault), "devproxy.toml") is not None


def test_units_become_seconds_and_octets() -> None:
    fault = compiled(Fault(latency_ms=250, bandwidth_kib_s=64, drop_after_s=3))
    assert (fault.latency_s, fault.bytes_per_s, fault.drop_after_s) == (0.25, 65536, 3)


def test_the_same_seed_fails_the_same_requests() -> None:
    first = fates(Fault(error_rate=0.3, seed=7), 200)
    assert first == fates(Fault(error_rate=0.3, seed=7), 200)
    assert first != fates(Fault(error_rate=0.3, seed=8), 200)


def test_about_as_many_fail_as_the_rate_says() -> None:
    assert 230 < sum(fates(Fault(error_rate=0.25), 1000)) < 270


def test_a_higher_rate_fails_the_same_requests_and_more() -> None:
    few, many = fates(Fault(error_rate=0.1), 500), fates(Fault(error_rate=0.4), 500)
    assert all(in_many for in_few, in_many in zip(few, many, strict=True) if in_few)
    assert sum(many) > sum(few) > 0


def test_a_rate_of_one_fails_every_request_and_none_fails_none() -> None:
    assert all(fates(Fault(error_rate=1), 100))
    assert not any(fates(Fault(latency_ms=1), 100))


def test_only_upgrades_are_refused_where_upgrades_are() -> None:
    fault = compiled(Fault(refuse_upgrade=True))
    assert inject(fault, is_upgrade=False) is None
    injection = inject(fault, is_upgrade=True)
    assert injection is not None
    assert (injection.status, injection.rule, injection.place) == (503, "refuse_upgrade", "devproxy.toml:12")


def test_a_refused_upgrade_takes_its_place_in_the_sequence() -> None:
    alone, mixed = (compiled(Fault(error_rate=0.5, refuse_upgrade=True)) for _ in range(2))
    expected = [inject(alone, is_upgrade=False) is not None for _ in range(50)]
    seen = [inject(mixed, is_upgrade=turn % 2 == 1) is not None for turn in range(50)]
    assert seen[::2] == expected[::2]


def test_the_note_tells_of_forwarded_requests_only_what_befalls_them() -> None:
    assert compiled(Fault(latency_ms=200, bandwidth_kib_s=64, error_rate=0.5)).note == (
        "fault injected: 200 ms late, 64 KiB/s"
    )
    assert compiled(Fault(error_rate=0.5, drop_after_s=3, refuse_upgrade=True)).note == ""


def test_a_request_that_fails_is_answered_late_with_the_status_and_readable_for_its_page() -> None:
    made = plan(Fault(error_rate=1, error_status=500, latency_ms=100), *PAGE)
    assert isinstance(made, Respond)
    assert (made.answer.status, made.answer.code, made.delay_s) == (500, "fault-injected", 0.1)
    assert b"Access-Control-Allow-Origin: http://localhost:5173" in made.lines


def test_the_answer_names_the_rule_and_its_place() -> None:
    made = plan(Fault(error_rate=1), *PAGE)
    assert isinstance(made, Respond)
    octets = render_answer(made.answer, request(*PAGE), keep_alive=True, lines=made.lines)
    head, _, body = octets.partition(b"\r\n\r\n")
    assert b"\r\nX-Devproxy-Error: fault-injected" in head
    assert b"Retry-After" not in head
    document = json.loads(body)
    assert (document["rule"], document["route"]) == ("error_rate", "/")
    assert "error_rate" in document["help"]


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_that_can_be_configured_makes_a_valid_status_line(status: int) -> None:
    made = plan(Fault(error_rate=1, error_status=status))
    assert isinstance(made, Respond)
    line = render_answer(made.answer, request(), keep_alive=True).partition(b"\r\n")[0]
    assert line.startswith(b"HTTP/1.1 %d " % status)


def test_preflights_never_fail_by_chance() -> None:
    asking = (*PAGE, b"Access-Control-Request-Method: PUT")
    made = plan(Fault(error_rate=1), *asking, start=b"OPTIONS /a HTTP/1.1")
    assert isinstance(made, Respond)
    assert made.answer.status == 204


def test_forwarded_preflights_never_fail_by_chance_either() -> None:
    cors = Cors(mode=CorsMode.PASSTHROUGH, preflight=PreflightMode.FORWARD)
    route = replace(ROUTE, fault=Fault(error_rate=1), cors=cors)
    head = request(*PAGE, b"Access-Control-Request-Method: PUT", start=b"OPTIONS /a HTTP/1.1")
    assert isinstance(plan_request(head, snapshot(route)), Forward)


def test_a_request_that_the_guard_refuses_draws_nothing() -> None:
    among = snapshot(replace(ROUTE, fault=Fault(error_rate=0.5)))
    foreign = request(b"Origin: https://evil.test", b"Sec-Fetch-Site: cross-site", start=b"POST /a HTTP/1.1")
    seen = []
    for _ in range(30):
        refused = plan_request(foreign, among)
        assert isinstance(refused, Respond)
        assert refused.answer.status == 403
        seen.append(isinstance(plan_request(request(), among), Respond))
    assert seen == fates(Fault(error_rate=0.5), 30)


def test_what_is_left_to_chance_is_never_remembered() -> None:
    among = snapshot(replace(ROUTE, fault=Fault(error_rate=0.5)))
    head = request()
    seen = [isinstance(plan_request(head, among), Respond) for _ in range(50)]
    assert seen == fates(Fault(error_rate=0.5), 50)
    assert not among.plans


def test_what_is_only_late_is_remembered() -> None:
    among = snapshot(replace(ROUTE, fault=Fault(latency_ms=5)))
    head = request()
    assert plan_request(head, among) is plan_request(head, among)


def test_each_route_has_a_sequence_of_its_own() -> None:
    fault = Fault(error_rate=0.5, seed=3)
    among = snapshot(replace(ROUTE, fault=fault), replace(ROUTE, pattern="/b", fault=fault))
    seen = []
    for _ in range(40):
        seen.append(isinstance(plan_request(request(), among), Respond))
        plan_request(request(start=b"GET /b HTTP/1.1"), among)
    assert seen == fates(fault, 40)


def test_a_refused_upgrade_is_503_and_other_requests_go_their_way() -> None:
    fault = Fault(refuse_upgrade=True)
    made = plan(fault, *UPGRADE)
    assert isinstance(made, Respond)
    assert (made.answer.status, made.answer.code) == (503, "fault-injected")
    assert isinstance(plan(fault), Forward)
