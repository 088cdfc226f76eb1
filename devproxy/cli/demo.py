"""``devproxy demo``: hand over to :mod:`devproxy.demo`, which runs ``devproxy up`` with the arguments it prints."""

from __future__ import annotations

import argparse


def run(options: argparse.Namespace) -> int:
    """Run the demo; return its exit code."""
    from devproxy import demo
    from devproxy.cli import main

    passed_on = ["--log", options.log, "--color", options.color, *(["--quiet"] if options.quiet else [])]
    return demo.run(
        lambda argv: main(["up", *argv, *passed_on]), listen=options.listen, open_browser=not options.no_open
    )
