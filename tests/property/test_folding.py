"""The log loses nothing: each exchange has a line or is counted in one, whatever comes and whenever."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from devproxy.config import from_arguments
from devproxy.console.folding import MAX_FOLDS, QUIET_S, Fold, Folding
from devproxy.console.lines import HumanLines
from devproxy.console.style import Glyphs, Style
from devproxy.console.text import columns
from devproxy.events import Event, ExchangeFinished, Outcome, Trouble
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ends import end_of, lines_of

CONFIG = from_arguments(frontend="5173", backend="3001", backend_paths=[], listen=["8080"])
FINE = ExchangeFinished(b"GET", b"/", 200, "/", "frontend", "", Outcome.COMPLETE, 0.01, 0.01, 0, 10, "127.0.0.1")
EXCHANGES = st.builds(
    replace,
    st.just(FINE),
    method=st.sampled_from([b"GET", b"POST"]),
    target=st.sampled_from([b"/a", b"/s/?EIO=4&transport=polling&sid=a", b"/s/?EIO=4&transport=polling"]),
    status=st.sampled_from([200, 206, 304, 404, 503]),
    route=st.sampled_from(["/", "/api/", "/socket.io/"]),
    upstream=st.sampled_from(["frontend", "backend"]),
    outcome=st.sampled_from([Outcome.COMPLETE, Outcome.COMPLETE, Outcome.CLIENT_LEFT]),
    duration_s=st.floats(0.0, 2.0),
    response_bytes=st.integers(0, 10**7),
    destination=st.sampled_from([b"script", b"script", b"image", b"document", b"empty", b""]),
)
EVENTS: st.SearchStrategy[Event] = EXCHANGES | st.just(Trouble("it burns"))
PAUSES = st.floats(0.0, 2.0) | st.floats(0.0, 0.2) | st.sampled_from([QUIET_S, 30.0, 60.0])
LIVES = st.lists(st.tuples(PAUSES, EVENTS, st.booleans()), max_size=60)


@given(LIVES, st.sampled_from([60.0, float("inf")]))
def test_each_exchange_is_counted_once_and_lines_are_in_order_but_for_a_second(
    life: list[tuple[float, Event, bool]], max_age_s: float
) -> None:
    folding = Folding(max_age_s=max_age_s)
    now, expected = 0.0, 0
    over: list[Fold] = []
    times: list[float] = []
    for pause, event, looks in life:
        now += pause
        ended = folding.due(now) if looks else []
        counted = folding.add(now, end_of(event), now) if isinstance(event, ExchangeFinished) else None
        if counted is not None:
            expected += 1
            ended += counted
            times += [fold.ended_at for fold in ended]
        else:
            ended += folding.interrupt(event, now)
            times += [*(fold.ended_at for fold in ended), now]
        over += ended
        assert len(folding.open) <= MAX_FOLDS
        assert all(fold.began_at <= fold.ended_at for fold in folding.open)
    over += folding.end()
    assert sum(fold.count for fold in over) == expected
    assert len({id(fold) for fold in over}) == len(over), "no fold is over twice"
    assert all(later >= earlier - QUIET_S for earlier, later in combinations(times, 2))


def console(width: int | None, clock: list[float], folding: Folding | None) -> HumanLines:
    style = Style(False, Glyphs())
    return HumanLines(CONFIG, version="0", style=style, width=lambda: width, clock=lambda: clock[0], folding=folding)


@given(LIVES, st.sampled_from([None, 40, 80, 120]))
def test_what_has_a_line_of_its_own_is_shown_at_once_in_order_as_without_folding(
    life: list[tuple[float, Event, bool]], width: int | None
) -> None:
    clock = [0.0]
    lines, plain = console(width, clock, Folding()), console(width, clock, None)
    for pause, event, looks in life:
        clock[0] += pause
        if looks:
            lines.due()
        shown, own = lines_of(lines, clock[0], event), lines_of(plain, clock[0], event)
        if not isinstance(event, ExchangeFinished) or Folding().add(0.0, end_of(event), 0.0) is None:
            assert shown[len(shown) - len(own) :] == own
        assert all(columns(line) <= width for line in (*shown, *lines.foot()) if width)
    assert len(lines.foot()) <= MAX_FOLDS
    assert len(lines.flush()) <= MAX_FOLDS
    assert lines.foot() == []
