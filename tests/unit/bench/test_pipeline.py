"""How much work an exchange is: instructions and calls, counted in memory, against the saved baseline."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.pipeline import SCENARIOS, VERSION, Pipeline, Step, growth, read_baseline

ROOT = Path(__file__).resolve().parents[3]
BASELINE_VERSION = "3.11"
"""That of continuous integration."""


def test_no_exchange_takes_over_two_percent_more_work_than_the_baseline() -> None:
    if VERSION != BASELINE_VERSION:
        pytest.skip(f"work is counted on Python {BASELINE_VERSION}: other versions have other instructions")
    saved = read_baseline()["counts"].get(VERSION)
    assert saved is not None, f"no baseline for Python {VERSION}: make bench-baseline writes one"
    # In a process of its own: what other tests have left in the tables would change the counts.
    command = [sys.executable, "-m", "bench.pipeline", "--count"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    grown = growth(json.loads(done.stdout)["counts"], saved)
    assert not grown, "\n".join([*grown, 'help: if it is worth that: make bench-baseline NOTE="why"'])


def test_the_baseline_counts_what_is_exchanged_now_and_nothing_else() -> None:
    for counts in read_baseline()["counts"].values():
        assert set(counts) == {scenario.key for scenario in SCENARIOS}


def test_a_count_may_grow_by_two_percent_and_no_more() -> None:
    saved = {"module": {"calls": 100.0}}
    assert growth({"module": {"calls": 102.0}}, saved) == []
    (sentence,) = growth({"module": {"calls": 103.0}}, saved)
    assert sentence.startswith("module: 103 calls for each, +3%")


def test_a_count_without_a_baseline_is_not_passed_over() -> None:
    assert growth({"module": {"calls": 1.0}}, {}) == ["module: calls are not in the baseline"]


def test_a_pipeline_that_does_not_forward_is_never_counted() -> None:
    pipeline = Pipeline()
    try:
        with pytest.raises(RuntimeError, match="did not reach the upstream"):
            pipeline.check([Step("files", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: twice\r\n\r\n", ())])
    finally:
        pipeline.close()
