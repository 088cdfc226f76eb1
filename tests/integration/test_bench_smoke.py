"""The benchmark itself runs: one row, one second, devproxy alone. What it measures is for a quiet machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.timeout(180)
def test_one_row_of_the_benchmark_gives_a_number() -> None:
    command = [sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "1"]
    done = subprocess.run(
        [*command, "--only", "ws64", "--peers", "devproxy", "--no-keep"],
        cwd=ROOT,
        # The upstream is nginx, which Debian keeps where only root looks.
        env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    header, row = done.stdout.splitlines()
    assert header.split()[-5:] == ["proxy", "devproxy", "devproxy", "may", "cost"]
    number = re.fullmatch(r"WebSocket 64 B echo, 32 conn\. \(us per message\)\s+([\d.,]+)\s+1.7x nginx", row)
    assert number is not None, row
    assert float(number[1].replace(",", "")) > 0
