"""Who is told what, while observers come and go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from devproxy.events import Event, ExchangeFinished, Observer, Outcome, Trouble, TunnelClosed, Wants
from devproxy.gateway.shared.observers import Observers, tell_each

FINE = ExchangeFinished(
    b"GET", b"/", 200, "/", "backend", "http://127.0.0.1:1", Outcome.COMPLETE, 0.1, 0.1, 0, 2, "127.0.0.1"
)
TUNNEL = TunnelClosed(1, b"/", "websocket", "/", "backend", "http://127.0.0.1:1", "127.0.0.1", 1.0, 2, 3, "client")
TROUBLE = Trouble("it burns")


def seen_by(observers: Observers, wants: Wants) -> list[Event]:
    """Let somebody look who `wants` that; return the list of what it is told."""
    events: list[Event] = []
    observers.add(Observer(events.append, wants))
    return events


@pytest.mark.parametrize(
    ("event", "is_failure"),
    [
        pytest.param(FINE, False, id="complete"),
        pytest.param(replace(FINE, status=500), False, id="an error of the upstream's own"),
        pytest.param(replace(FINE, advice=("write this",)), True, id="complete with advice"),
        pytest.param(replace(FINE, outcome=Outcome.ANSWERED, status=502), True, id="an error of devproxy's"),
        pytest.param(replace(FINE, outcome=Outcome.ANSWERED, status=403), False, id="a refusal"),
        pytest.param(replace(FINE, outcome=Outcome.CLIENT_LEFT), False, id="the client left"),
        pytest.param(replace(FINE, outcome=Outcome.UPSTREAM_LOST), True, id="the upstream was lost"),
    ],
)
def test_each_is_told_of_the_ends_that_it_wants(event: ExchangeFinished, is_failure: bool) -> None:
    observers = Observers()
    nothing, failures, ends = (seen_by(observers, wants) for wants in (Wants.NOTHING, Wants.FAILURES, Wants.ENDS))
    observers.tell_end(event)
    assert nothing == []
    assert failures == ([event] if is_failure else [])
    assert ends == [event]


def test_who_keeps_ends_is_told_only_of_those_with_more_to_tell() -> None:
    observers = Observers()
    told: list[Event] = []
    changes: list[Event] = []
    observers.add(Observer(told.append, Wants.ENDS, print))
    observers.add(Observer(changes.append, Wants.ENDS | Wants.CHANGES, print))
    ends = seen_by(observers, Wants.ENDS)
    advised, left = replace(FINE, has_advice=True), replace(FINE, outcome=Outcome.CLIENT_LEFT)
    for event in (FINE, advised, left):
        observers.tell_end(event)
    assert told == [advised, left]
    assert changes == ends == [FINE, advised, left]


def test_what_was_changed_is_seen_only_by_those_who_want_it() -> None:
    observers = Observers()
    plain, curious = seen_by(observers, Wants.ENDS), seen_by(observers, Wants.ENDS | Wants.CHANGES)
    event = replace(FINE, changes=("Domain removed",))
    observers.tell_end(event)
    assert plain == [FINE]
    assert curious == [event]


def test_what_belongs_to_no_exchange_is_told_to_everybody_and_tunnels_to_those_who_want_ends() -> None:
    observers = Observers()
    nothing, failures, ends = (seen_by(observers, wants) for wants in (Wants.NOTHING, Wants.FAILURES, Wants.ENDS))
    observers.tell(TROUBLE)
    tell_each(observers.to_ends, TUNNEL)
    assert nothing == failures == [TROUBLE]
    assert ends == [TROUBLE, TUNNEL]


def test_what_is_wanted_follows_those_who_come_and_go() -> None:
    observers = Observers()

    def wanted() -> tuple[bool, bool, bool, bool]:
        return observers.is_watched, bool(observers.to_failures), bool(observers.to_ends), observers.wants_changes

    assert wanted() == (False, False, False, False)
    with observers.add(Observer(print, Wants.NOTHING)):
        assert wanted() == (False, False, False, False)
        with observers.add(Observer(print, Wants.FAILURES)):
            assert wanted() == (True, True, False, False)
            with observers.add(Observer(print, Wants.ENDS | Wants.CHANGES)) as third:
                assert wanted() == (True, True, True, True)
                third.close()
                assert wanted() == (True, True, False, False)
    assert wanted() == (False, False, False, False)


@pytest.mark.parametrize("wants", [Wants.PROGRESS, Wants.HEADS, Wants.BODIES], ids=str)
def test_who_wants_more_of_exchanges_than_their_ends_watches_them_closely(wants: Wants) -> None:
    observers = Observers()
    found: list[bool] = []
    with observers.add(Observer(print, Wants.ENDS | Wants.FRAMES)):
        found.append(observers.is_watched_closely)
        with observers.add(Observer(print, wants)):
            found.append(observers.is_watched_closely)
        found.append(observers.is_watched_closely)
    assert found == [False, True, False]


def test_who_has_left_is_told_nothing_even_in_the_midst_of_a_telling() -> None:
    observers = Observers()
    told: list[Event] = []
    first = observers.add(Observer(lambda event: second.close()))
    second = observers.add(Observer(told.append))
    observers.tell(TROUBLE)
    first.close()
    first.close()
    assert told == []
    assert not observers.is_watched


async def test_an_observer_that_raises_is_reported_once_and_harms_nobody() -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    observers = Observers()

    def fail(event: Event) -> None:
        raise ValueError("no room")

    observers.add(Observer(fail))
    after = seen_by(observers, Wants.ENDS)
    for _ in range(3):
        observers.tell_end(FINE)
    assert after == [FINE] * 3
    assert [str(problem["exception"]) for problem in problems] == ["no room"]
