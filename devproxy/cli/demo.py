"""``devproxy demo``: hand over to :mod:`devproxy.demo`, which runs ``devproxy up`` with the arguments it prints."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def run(options: argparse.Namespace) -> int:
    """Run the demo; return its exit code."""
    from devproxy import demo
    from devproxy.cli import up
    from devproxy.cli.arguments import parse

    def start(argv: Sequence[str]) -> int:
        started = parse(["up", *argv, *passed_on])
        started.typed = options.typed  # what to type where the port is taken
        return up.run(started)

    passed_on = ["--log", options.log, "--color", options.color, *(["--quiet"] if options.quiet else [])]
    listen = "" if options.listen == "auto" else options.listen
    return demo.run(start, listen=listen, open_browser=not options.no_open)
