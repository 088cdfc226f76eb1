"""Which exchanges share a line, and when that is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from devproxy.console.folding import FILE, GOES_ON_S, MAX_FOLDS, POLL, QUIET_S, SLOW_S, Fold, Folding, Kind
from devproxy.events import Event, ExchangeFinished, Outcome, TunnelOpened, UpstreamState
from tests.support.ends import end_of

AT = 1_795_240_867.0
FILE_EVENT = ExchangeFinished(
    b"GET",
    b"/src/main.js",
    200,
    "/",
    "frontend",
    "http://localhost:5173",
    Outcome.COMPLETE,
    0.004,
    0.003,
    0,
    100,
    "127.0.0.1",
    destination=b"script",
)
POLL_EVENT = replace(
    FILE_EVENT,
    target=b"/socket.io/?EIO=4&transport=polling&t=P1&sid=abc",
    route="/socket.io/",
    upstream="backend",
    destination=b"empty",
)
API = replace(FILE_EVENT, target=b"/api/items", route="/api/", upstream="backend", destination=b"empty")
DOCUMENT = replace(FILE_EVENT, target=b"/", destination=b"document")


def kind_of(event: ExchangeFinished) -> Kind | None:
    """Return as what the end that `event` tells is folded; None: it has a line of its own."""
    folding = Folding()
    return None if folding.add(AT, end_of(event), 0.0) is None else folding.open[0].kind


@pytest.mark.parametrize("destination", [b"script", b"style", b"image", b"font", b"worker", b"manifest", b"video"])
@pytest.mark.parametrize("status", [200, 206, 304])
def test_what_a_page_consists_of_is_folded(destination: bytes, status: int) -> None:
    assert kind_of(replace(FILE_EVENT, destination=destination, status=status)) == FILE


@pytest.mark.parametrize("destination", [b"", b"document", b"iframe", b"empty", b"report", b"websocket", b"object"])
def test_documents_and_what_a_page_asks_for_by_itself_have_a_line_of_their_own(destination: bytes) -> None:
    assert kind_of(replace(FILE_EVENT, destination=destination)) is None


@pytest.mark.parametrize(
    "event",
    [
        POLL_EVENT,
        replace(POLL_EVENT, method=b"POST"),
        replace(POLL_EVENT, duration_s=25.0),
        replace(POLL_EVENT, destination=b""),
        replace(POLL_EVENT, target=b"/engine/?sid=abc&EIO=3"),
        replace(POLL_EVENT, target=b"/socket.io/?EIO=3&transport=polling&sid=abc&j=0", destination=b"script"),
    ],
    ids=["poll", "message", "long", "no browser", "old server", "JSONP"],
)
def test_what_passes_messages_of_an_open_session_is_a_poll(event: ExchangeFinished) -> None:
    assert kind_of(event) == POLL


@pytest.mark.parametrize(
    "event",
    [
        replace(POLL_EVENT, target=b"/socket.io/?EIO=4&transport=polling"),
        replace(POLL_EVENT, target=b"/socket.io/?EIO=4&transport=websocket&sid=abc"),
        replace(POLL_EVENT, method=b"OPTIONS"),
        replace(POLL_EVENT, method=b"POST", duration_s=SLOW_S),
        replace(POLL_EVENT, status=400),
    ],
    ids=["handshake", "WebSocket", "preflight", "slow message", "refused"],
)
def test_what_else_belongs_to_a_session_has_a_line_of_its_own(event: ExchangeFinished) -> None:
    assert kind_of(event) is None


@pytest.mark.parametrize("event", [FILE_EVENT, POLL_EVENT], ids=["file", "poll"])
@pytest.mark.parametrize(
    "change",
    [
        {"status": 404},
        {"status": 500},
        {"status": 301},
        {"status": 0, "outcome": Outcome.CLIENT_LEFT},
        {"outcome": Outcome.UPSTREAM_LOST},
        {"outcome": Outcome.ANSWERED},
        {"outcome": Outcome.STOPPED},
        {"has_advice": True},
        {"detail": "fault: latency_ms = 50"},
        {"protocol": "websocket"},
        {"method": b"HEAD"},
        {"method": b"DELETE"},
    ],
    ids=str,
)
def test_whatever_is_not_simply_well_has_a_line_of_its_own(event: ExchangeFinished, change: dict[str, object]) -> None:
    assert kind_of(replace(event, **change)) is None  # type: ignore[arg-type]


def test_a_slow_file_has_a_line_of_its_own() -> None:
    assert kind_of(replace(FILE_EVENT, duration_s=SLOW_S)) is None
    assert kind_of(replace(FILE_EVENT, duration_s=SLOW_S - 0.01)) == FILE


# How long it goes on


def added(folding: Folding, event: ExchangeFinished, now: float) -> list[Fold]:
    over = folding.add(AT + now, end_of(event), now)
    assert over is not None
    return over


def test_a_fold_counts_by_method_and_status_and_spans_from_the_first_request_to_the_last_answer() -> None:
    folding = Folding()
    for now, event in (
        (0.0, FILE_EVENT),
        (0.5, replace(FILE_EVENT, status=304, response_bytes=0)),
        (0.6, replace(FILE_EVENT, duration_s=0.9, request_bytes=3)),
    ):
        assert added(folding, event, now) == []
    (fold,) = folding.open
    assert (fold.count, fold.counts) == (3, {(b"GET", 200): 2, (b"GET", 304): 1})
    assert fold.first == FILE_EVENT
    assert (fold.request_bytes, fold.response_bytes) == (3, 200)
    assert fold.ended_at - fold.began_at == pytest.approx(0.9)


def test_files_and_polls_routes_and_upstreams_are_counted_apart() -> None:
    folding = Folding()
    for event in (FILE_EVENT, POLL_EVENT, replace(FILE_EVENT, route="/x/"), replace(FILE_EVENT, upstream="other")):
        added(folding, event, 0.0)
    assert [fold.count for fold in folding.open] == [1, 1, 1, 1]


@pytest.mark.parametrize("event", [FILE_EVENT, POLL_EVENT], ids=["file", "poll"])
def test_a_fold_is_over_when_nothing_has_come_for_some_time(event: ExchangeFinished) -> None:
    assert Folding().deadline is None
    folding = Folding()
    added(folding, event, 1.0)
    added(folding, event, 1.5)
    end = 1.5 + GOES_ON_S["file" if event is FILE_EVENT else "poll"]
    assert folding.deadline == end
    assert folding.due(end - 0.01) == []
    (fold,) = folding.due(end)
    assert fold.count == 2
    assert folding.open == folding.end() == []


def test_folds_that_are_over_stand_in_the_order_in_which_nothing_came_any_more() -> None:
    folding = Folding()
    added(folding, POLL_EVENT, 0.0)
    added(folding, FILE_EVENT, 10.0)
    added(folding, replace(POLL_EVENT, route="/other/"), 10.5)
    assert [fold.first for fold in folding.due(10.0 + QUIET_S)] == [POLL_EVENT, FILE_EVENT]
    assert [fold.first.route for fold in folding.open] == ["/other/"]


def test_what_comes_when_a_fold_should_be_over_begins_another() -> None:
    folding = Folding()
    added(folding, FILE_EVENT, 1.0)
    (over,) = added(folding, FILE_EVENT, 1.0 + GOES_ON_S["file"])
    assert over.count == 1
    assert [fold.count for fold in folding.open] == [1]


def test_where_nobody_sees_it_before_it_is_over_a_fold_that_goes_on_ends_once_a_minute() -> None:
    folding = Folding(max_age_s=60.0)
    over = [fold for now in range(0, 125, 5) for fold in added(folding, POLL_EVENT, float(now))]
    assert [fold.count for fold in over] == [12, 12]


def test_no_more_than_a_few_are_open_and_the_one_that_is_quiet_for_longest_makes_room() -> None:
    folding = Folding()
    for number in range(MAX_FOLDS):
        added(folding, replace(FILE_EVENT, route=f"/{number}/"), 0.0)
    added(folding, replace(FILE_EVENT, route="/0/"), 0.1)
    (over,) = added(folding, replace(FILE_EVENT, route="/other/"), 0.2)
    assert over.first.route == "/1/"
    assert len(folding.open) == MAX_FOLDS


def test_an_api_call_has_its_line_while_the_page_goes_on_loading() -> None:
    folding = Folding()
    added(folding, FILE_EVENT, 0.0)
    assert folding.interrupt(API, QUIET_S - 0.01) == []


@pytest.mark.parametrize(
    "event",
    [API, TunnelOpened(1, b"/ws", "websocket", "/", "backend", "", "", 0.1)],
    ids=["exchange", "tunnel"],
)
def test_a_line_that_comes_later_stands_below_what_came_before(event: Event) -> None:
    folding = Folding()
    added(folding, POLL_EVENT, 0.0)
    added(folding, replace(POLL_EVENT, route="/other/"), 0.5)
    (over,) = folding.interrupt(event, QUIET_S)
    assert over.first == POLL_EVENT


@pytest.mark.parametrize(
    "event", [DOCUMENT, UpstreamState("backend", "http://localhost:3001", False)], ids=["page", "server"]
)
def test_a_page_that_is_loaded_anew_and_a_server_that_goes_end_all_folds(event: Event) -> None:
    folding = Folding()
    added(folding, FILE_EVENT, 0.0)
    added(folding, POLL_EVENT, 0.0)
    assert len(folding.interrupt(event, 0.0)) == 2
    assert folding.open == []
