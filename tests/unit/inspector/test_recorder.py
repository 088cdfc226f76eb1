from __future__ import annotations

from typing import Any, cast

import pytest
from devproxy.events import Evidence, Observer, TunnelData, UpstreamState
from devproxy.gateway.shared.capture import Body, Budget, Capture
from devproxy.inspector.recorder import MAX_ENDS, MAX_EVIDENCE, Recorder
from tests.unit.inspector.test_store import captured, end


class Watched:
    """As much of a gateway as a recorder asks: who observes, and from which budget exchanges keep."""

    def __init__(self) -> None:
        self.observers: list[Observer] = []
        self.budget: Budget | None = None

    def observe(self, observer: Observer) -> Any:
        self.observers.append(observer)
        watched = self

        class Observation:
            def close(self) -> None:
                watched.observers.remove(observer)

        return Observation()

    def capture(self, budget: Budget | None) -> None:
        self.budget = budget

    def end(self, number: int, capture: Capture | None = None) -> None:
        for observer in self.observers:
            if observer.keep is not None:
                observer.keep(tuple(end(number, capture=capture)))

    def tell(self, event: Any) -> None:
        for observer in list(self.observers):
            observer.tell(event)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def recorder(watched: Watched, max_bytes: int = 1 << 20) -> Recorder:
    return Recorder(cast("Any", watched), max_bytes=max_bytes)


def test_the_last_ends_are_kept_in_any_case(watched: Watched) -> None:
    kept = recorder(watched)
    for number in range(MAX_ENDS + 20):
        watched.end(number)
    assert [one[0] for one in kept.ends] == list(range(20, MAX_ENDS + 20))
    assert watched.budget is None


def test_evidence_and_everything_else_is_bounded(watched: Watched) -> None:
    kept = recorder(watched)
    for number in range(MAX_EVIDENCE + 5):
        watched.tell(Evidence(number, captured(Budget(0))))
    watched.tell(UpstreamState("a", "http://a", True))
    assert [one.exchange_id for one in kept.evidence] == list(range(5, MAX_EVIDENCE + 5))
    assert [event for _, event in kept.others] == [UpstreamState("a", "http://a", True)]


def test_what_is_captured_without_a_reader_has_room_and_no_more(watched: Watched) -> None:
    kept = recorder(watched)
    kept.capture(has_reader=False)
    assert watched.budget is kept.budget
    for number in range(400):
        watched.end(number, captured(kept.budget, 20_000))
    sizes = [one[-1].size for one in kept.ends]
    assert 100_000 < sum(sizes) <= 1 << 20
    assert kept.ends[-1][0] == 399
    assert kept.budget.kept - kept.budget.freed == sum(one[-1].kept_bytes for one in kept.ends)


def test_a_reader_takes_what_comes_and_nothing_is_dropped(watched: Watched) -> None:
    kept = recorder(watched)
    kept.capture(has_reader=True)
    for number in range(MAX_ENDS + 300):
        watched.end(number)
    assert len(kept.ends) == MAX_ENDS + 300


def test_taking_at_the_same_time_never_breaks_what_is_being_kept(watched: Watched) -> None:
    kept = recorder(watched, max_bytes=100_000)
    kept.capture(has_reader=False)
    for number in range(1000):
        watched.end(number, captured(kept.budget, 500))
        if number % 3 == 0 and kept.ends:
            capture = kept.ends.popleft()[-1]
            kept.budget.freed += capture.kept_bytes
    assert kept.ends


def test_frames_have_their_room(watched: Watched) -> None:
    kept = recorder(watched, max_bytes=100_000)
    kept.capture(has_reader=False)
    for number in range(100):
        watched.tell(TunnelData(1, True, bytes(5000), number == 0))
    assert 10 < len(kept.frames) < 20
    assert kept.budget.left >= 25_000


def test_in_the_end_no_more_is_kept_than_before(watched: Watched) -> None:
    kept = recorder(watched)
    kept.capture(has_reader=True)
    watched.end(1, captured(kept.budget))
    kept.stop_capturing()
    for number in range(2, MAX_ENDS + 50):
        watched.end(number)
    assert len(kept.ends) == MAX_ENDS
    assert watched.budget is None
    kept.close()
    assert watched.observers == []


def test_the_limit_follows_the_configuration(watched: Watched) -> None:
    kept = recorder(watched)
    kept.limit(5000)
    body = Body(kept.budget, is_chunked=False)
    body.add(bytes(9000), ended=True)
    assert body.kept == 5000
