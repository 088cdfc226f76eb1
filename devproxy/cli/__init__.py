"""The command line: the composition root, the only place that knows every part.

Nothing heavy is imported before the command is known: ``--version``, ``--help`` and ``check`` load neither asyncio nor
ssl, uvloop or aiohttp. Exit codes: 0 fine, 1 it failed while running, 2 the command line or the configuration is
wrong, 130 stopped by a second Ctrl-C. Start at :func:`main`; each command is a module of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from devproxy.cli.arguments import parse
from devproxy.cli.loading import Refused


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: the process's) states; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parse(arguments)
    try:
        return _run(options.command, options)
    except Refused as refusal:
        sys.stderr.write(refusal.text)
        return refusal.exit_code
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _run(command: str, options: object) -> int:
    """Import the command's module, and nothing else, and run it."""
    from importlib import import_module

    run = import_module(f"devproxy.cli.{command}").run
    code = run(options)
    assert isinstance(code, int)
    return code
