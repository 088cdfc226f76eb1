"""``devproxy completion SHELL``: print what makes a shell complete commands, options, values and files."""

from __future__ import annotations

import argparse
from importlib import import_module

from devproxy.cli.arguments import IMPLYING_UP, parsers
from devproxy.cli.completions import described
from devproxy.cli.refusal import FINE, put


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy completion``."""
    put(script_for(options.shell))
    return FINE


def script_for(shell: str) -> str:
    """Return the script for `shell`: ``bash``, ``zsh`` or ``fish``."""
    script: str = import_module(f"devproxy.cli.completions.{shell}").script(described(parsers(), IMPLYING_UP))
    return script
