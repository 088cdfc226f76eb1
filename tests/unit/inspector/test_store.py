from __future__ import annotations

import pytest
from devproxy.config import load
from devproxy.events import (
    Capturing,
    ConfigApplied,
    ConfigRejected,
    Entry,
    Event,
    Evidence,
    ExchangeStarted,
    Outcome,
    RequestSent,
    ResponseBegun,
    TunnelClosed,
    TunnelOpened,
)
from devproxy.gateway.shared.capture import Body, Budget, Capture
from devproxy.http1.head import parse_request_head, parse_response_head
from devproxy.http1.start_line import Limits
from devproxy.inspector.store import Store
from devproxy.policy.hop import Peer

CONFIG = load(b'[upstreams]\na = "http://localhost:1"\n[[routes]]\npath = "/"\nupstream = "a"\n', source="a.toml")


def store(budget: Budget | None = None, *, max_rows: int = 10) -> Store:
    return Store(budget or Budget(1 << 20), since_at=1000.0, since=10.0, max_rows=max_rows)


def end(number: int, *, status: int = 200, capture: Capture | None = None, target: bytes = b"/x") -> Entry:
    facts = parse_request_head(b"GET " + target + b" HTTP/1.1\r\nHost: localhost", Limits()).facts
    times = (11.0, 11.5, 0.25)
    sizes = (0, 7)
    where = ("/", "a", "http://localhost:1")
    outcome = Outcome.COMPLETE
    return Entry(
        number,
        b"GET",
        target,
        facts,
        "127.0.0.1",
        "http",
        b"1.1",
        *times,
        status,
        *where,
        outcome,
        *sizes,
        "",
        "",
        False,
        capture,
    )


def captured(budget: Budget, size: int = 0) -> Capture:
    request = parse_request_head(b"GET /x HTTP/1.1\r\nHost: localhost", Limits())
    capture = Capture(CONFIG, request, Peer("127.0.0.1", "http"), None, budget)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0"
    capture.response = parse_response_head(head, Limits(), b"GET")
    capture.response_body = Body(budget, is_chunked=False)
    capture.response_body.add(bytes(size), ended=True)
    return capture


def test_an_end_is_a_row() -> None:
    known = store()
    row = known.take_end(end(1))
    assert (row.started_at, row.ended_s, row.first_byte_s, row.state, row.host) == (
        1001.0,
        0.5,
        0.25,
        "done",
        "localhost",
    )
    assert known.row(1) is row
    assert known.latest(before=None, limit=5) == ([row], False)


def test_an_exchange_is_followed_from_its_beginning() -> None:
    known = store()
    steps: list[Event] = [
        ExchangeStarted(1, b"GET", b"/x", "127.0.0.1", 1001.0),
        RequestSent(1, "/", "a", "http://localhost:1", 0.1),
        ResponseBegun(1, 200, 0.2),
    ]
    states = []
    for step in steps:
        for _ in range(2):  # it is told again and again
            known.take(0.0, step)
        row = known.row(1)
        assert row is not None
        states.append((row.state, row.version))
    assert states == [("waiting", 1), ("sent", 2), ("streaming", 3)]
    assert known.take_end(end(1)).version == 4
    for step in steps:
        known.take(0.0, step)
    assert known.version == 4, "what comes late changes nothing"


def test_what_has_changed_is_told_by_version() -> None:
    known = store()
    for number in (1, 2, 3):
        known.take_end(end(number))
    version = known.version
    assert [row.id for row in known.changed_since(0, limit=2)] == [1, 2]
    row = known.row(1)
    assert row is not None
    known.touch(row)
    assert [one.id for one in known.changed_since(version, limit=9)] == [1]


def test_the_oldest_rows_go_those_that_run_last() -> None:
    known = store(max_rows=3)
    known.take(0.0, ExchangeStarted(1, b"GET", b"/running", "", 1000.0))
    for number in (2, 3, 4, 5):
        known.take_end(end(number))
    assert [row.id for row in known.all()] == [1, 4, 5]
    assert known.changed_since(0, limit=9)


def test_what_is_kept_is_bounded_and_given_back() -> None:
    budget = Budget(100_000)
    known = store(budget)
    for number in range(1, 9):
        known.take_end(end(number, capture=captured(budget, 20_000)))
    kept = [row.id for row in known.all() if row.capture is not None]
    assert kept == [6, 7, 8], "a quarter of the room is left for what is to come"
    assert budget.kept - budget.freed == 3 * 20_000
    known.clear()
    assert budget.left == budget.max_bytes
    assert len(known) == 0
    assert known.forgotten == known.version


def test_evidence_may_come_before_the_end_or_after_it() -> None:
    budget = Budget(1 << 20)
    known = store(budget)
    known.take_evidence(Evidence(1, captured(budget)))
    row = known.take_end(end(1, status=500))
    assert (row.capture is not None, row.type, row.problem) == (True, "text/html", "failed")
    known.take_end(end(2, status=403))
    known.take_evidence(Evidence(2, captured(budget)))
    row = known.take_end(end(2))
    assert (row.status, row.problem, row.type) == (403, "refused", "text/html")


def test_a_body_that_grows_is_a_change() -> None:
    budget = Budget(1 << 20)
    known, capture = store(budget), captured(budget)
    known.take(0.0, ExchangeStarted(1, b"GET", b"/x", "", 1000.0))
    known.take(0.0, Capturing(1, capture))
    version = known.version
    assert capture.response_body is not None
    capture.response_body.add(b"more", ended=False)
    known.take(0.0, Capturing(1, capture))
    row = known.row(1)
    assert row is not None
    assert (row.response_bytes, row.version) == (4, version + 1)


def test_a_tunnel_is_the_row_of_its_handshake() -> None:
    known = store()
    known.take(
        0.0, TunnelOpened(7, b"/ws", "websocket", "/", "a", "http://localhost:1", "127.0.0.1", 0.5, (), 1, 1002.0)
    )
    row = known.row_of_tunnel(7)
    assert row is not None
    assert (row.id, row.state, row.status, row.kind, row.started_at) == (1, "open", 101, "websocket", 1001.5)
    closed = TunnelClosed(
        7, b"/ws", "websocket", "/", "a", "http://localhost:1", "127.0.0.1", 3.0, 5, 6, "client", 1000, 1
    )
    known.take(0.0, closed)
    assert row.tunnel is not None
    assert (row.state, row.ended_s, row.tunnel.closed_by, row.tunnel.close_code) == ("done", 3.5, "client", 1000)


def test_a_file_that_loads_again_is_no_longer_rejected() -> None:
    known = store()
    found = []
    for event in (ConfigRejected("a.toml", 2, "error: …"), ConfigApplied("a.toml", (), 0, 3.0, (), (), ())):
        known.take(6.0, event)
        found.append(known.rejected is not None)
    assert found == [True, False]
    assert known.reloads[0][0] == 6.0


@pytest.mark.parametrize("number", [0, 99])
def test_what_is_not_known_is_none(number: int) -> None:
    assert store().row(number) is None
    assert store().row_of_tunnel(number) is None
