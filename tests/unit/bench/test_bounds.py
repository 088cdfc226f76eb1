"""Bounds, in words and judged."""

from __future__ import annotations

import pytest
from bench import bounds
from bench.bounds import EVERY_PEER, PLAIN, Bound, Verdict
from bench.measure import Cell


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Bound(1.8), "1.8x nginx"),
        (Bound(0.4), "0.4x nginx"),
        (Bound(1.2, "haproxy"), "1.2x haproxy"),
        (Bound(1 / 12, "vite"), "1/12 of vite"),
        (Bound(1.0, EVERY_PEER), "ahead of all"),
        (Bound(1.03, PLAIN), "+3 %"),
        (Bound(200, unit="ms"), "200 ms"),
        (Bound(1.25, row="again"), "1.25x again"),
    ],
)
def test_a_bound_reads_as_people_write_it(bound: Bound, words: str) -> None:
    assert str(bound) == words


def judge(bound: Bound, cells: dict[str, Cell]) -> Verdict:
    """Judge by the row's own cells."""
    return bounds.judge(bound, cells, {})


def cells(devproxy: Cell, **others: Cell) -> dict[str, Cell]:
    return {**others, "devproxy": devproxy}


def test_a_bound_by_a_peer_is_met_up_to_exactly_that() -> None:
    assert judge(Bound(1.5), cells(Cell([30.0]), nginx=Cell([20.0]))).is_met is True
    assert judge(Bound(1.5), cells(Cell([30.1]), nginx=Cell([20.0]))).is_met is False


def test_a_bound_by_an_amount_needs_no_peer() -> None:
    assert judge(Bound(200, unit="ms"), cells(Cell([200.0]))).is_met is True
    assert judge(Bound(200, unit="ms"), cells(Cell([200.5]))).is_met is False


def test_ahead_of_all_means_less_than_the_best_of_them() -> None:
    bound = Bound(1.0, EVERY_PEER)
    best = {"nginx": Cell([20.0]), "caddy": Cell([10.0])}
    assert judge(bound, cells(Cell([9.0]), **best)).is_met is True
    assert judge(bound, cells(Cell([10.0]), **best)).is_met is False


def test_ahead_of_all_is_not_said_where_one_of_them_failed() -> None:
    verdict = judge(Bound(1.0, EVERY_PEER), cells(Cell([9.0]), nginx=Cell([20.0]), caddy=Cell(failure="broken")))
    assert (verdict.measured, verdict.is_met) == (None, None)


def test_a_peer_that_does_not_do_the_row_is_none_to_be_ahead_of() -> None:
    others = {"nginx": Cell([20.0]), "vite": Cell(lacks="no page")}
    assert judge(Bound(1.0, EVERY_PEER), cells(Cell([9.0]), **others)).is_met is True


def test_rounds_are_compared_in_pairs_where_devproxy_is_compared_with_itself() -> None:
    # The machine was twice as slow in the second round, for both.
    verdict = judge(Bound(1.05, PLAIN), {PLAIN: Cell([20.0, 40.0, 22.0]), "devproxy": Cell([20.8, 41.6, 22.88])})
    assert verdict.measured == pytest.approx(1.04)
    assert verdict.is_met is True


def test_a_failed_run_meets_no_bound() -> None:
    failed = Cell([1.0], failure="the echo differs from the message")
    for bound in (Bound(1.8), Bound(1.0, EVERY_PEER), Bound(200, unit="ms"), Bound(1.03, PLAIN)):
        verdict = judge(bound, {PLAIN: Cell([20.0]), "nginx": Cell([20.0]), "devproxy": failed})
        assert verdict.is_met is None
        assert str(verdict) == str(bound)


def test_a_row_can_be_bounded_by_devproxy_in_another_row() -> None:
    mine, bound = cells(Cell([26.0]), nginx=Cell([1.0])), Bound(1.25, row="again")
    verdict = bounds.judge(bound, mine, {"again": cells(Cell([20.0]), nginx=Cell([30.0]))})
    assert (verdict.measured, verdict.is_met) == (1.3, False)
    assert str(verdict) == "1.25x again: not met (1.3)"
    assert bounds.judge(bound, mine, {}).is_met is None
