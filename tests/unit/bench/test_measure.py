"""The statistics over rounds, and what is read about a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from bench.measure import Cell, cpu_s, family, ratio, resident_kib, spread

DEADLINE_S = 60.0


def test_the_middle_of_an_odd_number_of_rounds_is_the_one_in_between() -> None:
    assert Cell([9.0, 1.0, 2.0]).middle == 2.0


def test_the_middle_of_an_even_number_of_rounds_is_half_way_between_the_inner_two() -> None:
    assert Cell([1.0, 2.0, 4.0, 100.0]).middle == 3.0


def test_one_noisy_round_does_not_move_the_middle() -> None:
    assert Cell([20.0, 21.0, 22.0]).middle == Cell([20.0, 21.0, 900.0]).middle


def test_a_cell_without_rounds_has_no_middle() -> None:
    assert Cell().middle is None


def test_a_failure_in_one_round_takes_the_number_of_all_away() -> None:
    assert Cell([1.0, 1.0], failure="Socket errors: connect 0, read 3").middle is None


def test_the_ratio_says_how_many_times_the_yardstick_something_costs() -> None:
    assert ratio(Cell([30.0]), Cell([20.0])) == 1.5


@pytest.mark.parametrize(
    ("cell", "yardstick"),
    [
        (Cell(), Cell([20.0])),
        (Cell([30.0]), Cell()),
        (Cell([30.0], failure="the echo differs from the message"), Cell([20.0])),
        (Cell([30.0]), Cell([20.0], failure="missing")),
        (Cell([30.0]), Cell([0.0])),
    ],
    ids=["no value", "no yardstick", "failed", "the yardstick failed", "a yardstick of zero"],
)
def test_there_is_no_ratio_without_two_numbers(cell: Cell, yardstick: Cell) -> None:
    assert ratio(cell, yardstick) is None


def test_the_spread_is_the_distance_of_the_extremes_in_medians() -> None:
    assert spread([8.0, 10.0, 14.0]) == pytest.approx(0.6)


def test_a_single_round_has_no_spread() -> None:
    assert spread([8.0]) == 0.0


def test_the_family_of_a_process_has_its_children_and_not_its_parent() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as parent:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while len(pids := family(parent.pid)) < 2:
                assert time.monotonic() < deadline, "the child process does not show up"
                time.sleep(0.01)
            assert pids[0] == parent.pid
            assert os.getpid() not in pids
        finally:
            assert parent.stdin is not None
            parent.stdin.close()  # the child reads the same pipe and ends with it


def test_work_shows_as_cpu_time_of_the_process_that_did_it() -> None:
    before = cpu_s([os.getpid()])
    deadline = time.monotonic() + DEADLINE_S
    while cpu_s([os.getpid()]) < before + 0.05:
        assert time.monotonic() < deadline, "no CPU time is counted"
        sum(range(10_000))


def test_memory_that_a_child_shares_with_its_parent_counts_once() -> None:
    shared_mib, own_mib = 64, 16
    kept = b"s" * (shared_mib << 20)
    ready, tell = os.pipe()
    end, wait = os.pipe()
    child = os.fork()
    if child == 0:
        own = b"o" * (own_mib << 20)
        os.write(tell, own[:1])
        os.close(wait)
        os.read(end, 1)
        os._exit(0)
    try:
        os.read(ready, 1)
        alone, together = (resident_kib(pids) / 1024 for pids in ([os.getpid()], [os.getpid(), child]))
    finally:
        for descriptor in (wait, ready, tell, end):
            os.close(descriptor)
        os.waitpid(child, 0)
    assert len(kept) >> 20 == shared_mib
    assert alone > shared_mib
    assert own_mib - 1 < together - alone < shared_mib
