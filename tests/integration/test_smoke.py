"""What is run first on a system that is new to devproxy (``python -m tests.smoke``), on this one."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.gateway_process import ENVIRONMENT, ROOT


def test_the_tour_comes_to_its_end() -> None:
    command = [sys.executable, "-m", "tests.smoke"]
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "  ended when it was told to, with 0, and left nothing behind"
