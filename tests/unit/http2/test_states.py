"""The states of streams are those of RFC 9113 section 5.1."""

from __future__ import annotations

from itertools import product

import pytest
from devproxy.http2.states import AFTER, STEPS, Event, State

FROM_CLIENT = (Event.HEADERS, Event.LAST_HEADERS, Event.DATA, Event.LAST_DATA)


def test_every_state_can_be_reached_and_every_one_but_the_last_is_left() -> None:
    assert set(STEPS.values()) | {State.IDLE} == set(State)
    assert {state for state, _ in STEPS} == set(State) - {State.CLOSED}
    assert {event for _, event in STEPS} == set(Event)


@pytest.mark.parametrize(("state", "event"), [*product((State.HALF_CLOSED_REMOTE, State.CLOSED), FROM_CLIENT)])
def test_nothing_comes_behind_the_end(state: State, event: Event) -> None:
    assert (state, event) not in STEPS


def test_only_headers_open_a_stream() -> None:
    assert {event for state, event in STEPS if state is State.IDLE} == {Event.HEADERS, Event.LAST_HEADERS}


def test_a_stream_ends_when_both_sides_have_sent_all_in_either_order() -> None:
    for first, then in ((Event.LAST_DATA, Event.RESPONSE_SENT), (Event.RESPONSE_SENT, Event.LAST_DATA)):
        between = STEPS[State.OPEN, first]
        assert between not in (State.OPEN, State.CLOSED)
        assert STEPS[between, then] is State.CLOSED
        assert STEPS[between, Event.RESET] is State.CLOSED


def test_the_table_by_event_says_the_same() -> None:
    assert {(state, event): then for event, steps in AFTER.items() for state, then in steps.items()} == STEPS
