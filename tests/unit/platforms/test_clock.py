"""The age of a process, as the system tells it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from devproxy.platforms import clock
from tests.support.gateway_process import ROOT

CHILD = (
    "import time; time.sleep(0.3); from devproxy.platforms.clock import seconds_since_start; "
    "print(seconds_since_start())"
)
TICK_S = 0.02
"""The system counts in hundredths of a second; one more for what is cut off."""


def test_the_time_since_the_start_counts_what_passed_before_the_first_import() -> None:
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.3 - TICK_S <= float(done.stdout) <= time.monotonic() - started + TICK_S


def test_the_time_since_the_start_goes_on() -> None:
    first = clock.seconds_since_start()
    time.sleep(2 * TICK_S)
    assert clock.seconds_since_start() > first


def test_where_the_system_does_not_tell_the_processor_time_stands_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert clock.seconds_since_start() == pytest.approx(time.process_time(), abs=0.5)
