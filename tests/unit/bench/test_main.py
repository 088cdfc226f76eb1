"""The order of a run: who is measured when, and what a failure takes with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.__main__ import measured, works_for
from bench.measure import Failed
from bench.names import UnknownName
from bench.peers import PEERS
from bench.rows import QUICK, WORKS, Row, Work
from bench.targets import Target, Upstreams

BEHIND = Upstreams(Path(), files=1, streams=2, pids=())
BY_NAME = {peer.name: peer for peer in PEERS}


def target(name: str) -> Target:
    return Target(BY_NAME[name], port=3, pid=4, folder=Path(), upstreams=BEHIND)


class Turns:
    """Work that notes whose turn it is; gives the number of the turn, and ten times that for a second row."""

    def __init__(self, *, fails: str = "") -> None:
        self.taken: list[str] = []
        self.work = Work((Row("one", "one", "us"), Row("two", "two", "us")), self._run, BY_NAME)
        self._fails = fails

    def _run(self, at: Target, _seconds: float) -> tuple[float, float]:
        self.taken.append(at.peer.name)
        if at.peer.name == self._fails and len(self.taken) > 2:
            raise Failed("the echo differs from the message")
        return len(self.taken), 10 * len(self.taken)


COLUMNS: dict[str, Target | Failed] = {name: target(name) for name in ("nginx", "caddy", "devproxy")}


def test_the_peers_take_turns_and_every_other_round_goes_backwards() -> None:
    turns = Turns()
    measured(turns.work, COLUMNS, 3, 1)
    there = ["nginx", "caddy", "devproxy"]
    assert turns.taken == [*there, *reversed(there), *there]


def test_each_row_of_the_work_has_its_own_value_of_every_round() -> None:
    one, two = measured(Turns().work, COLUMNS, 2, 1)
    assert one["nginx"].values == [1, 6]
    assert two["nginx"].values == [10, 60]


def test_a_failure_in_any_round_takes_the_numbers_of_that_peer_alone() -> None:
    for line in measured(Turns(fails="caddy").work, COLUMNS, 2, 1):
        assert line["caddy"].values  # of the first round, which was fine
        assert line["caddy"].middle is None
        assert line["caddy"].failure == "the echo differs from the message"
        assert line["nginx"].middle
        assert line["devproxy"].middle


def test_a_proxy_that_did_not_start_is_not_asked_to_work() -> None:
    turns = Turns()
    one, two = measured(turns.work, {**COLUMNS, "caddy": Failed("nothing listens")}, 2, 1)
    assert "caddy" not in turns.taken
    assert one["caddy"].failure == two["caddy"].failure == "nothing listens"


def test_without_names_all_rows_are_meant_or_the_main_ones() -> None:
    assert works_for([], is_quick=False) == list(WORKS)
    assert [work.key for work in works_for([], is_quick=True)] == [work.key for work in WORKS if work.key in QUICK]


def test_a_row_is_measured_together_with_those_of_the_same_work() -> None:
    (work,) = works_for(["memory"], is_quick=False)
    assert [row.key for row in work.rows] == ["start", "memory"]


def test_a_row_that_there_is_not_is_no_row() -> None:
    with pytest.raises(UnknownName, match="did you mean reload"):
        works_for(["reloads"], is_quick=False)
