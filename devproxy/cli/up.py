"""``devproxy up``: prepare the process, and only then import what starts it (:mod:`devproxy.cli.starting`)."""

from __future__ import annotations

import argparse

from devproxy.cli.process import prepare
from devproxy.cli.refusal import FINE


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy up``; return its exit code. Raises ``Refused`` for what keeps it from starting."""
    process = prepare()
    try:
        from devproxy.cli.starting import start

        return start(options, process)
    except KeyboardInterrupt:
        return FINE  # told to stop before there was anything to stop
