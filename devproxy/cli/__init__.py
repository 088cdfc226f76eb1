"""The command line: the composition root, the only place that knows every part.

Owns the options, the exit codes and how a refusal looks. Each command is a module with ``run(options) -> int``,
imported when it is wanted: ``--version``, ``--help`` and ``check`` load neither asyncio nor ssl, uvloop or aiohttp.
Data goes to standard output, what is said about it to standard error. Start at :func:`main`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from devproxy.cli.refusal import FINE, INTERRUPTED, Refused, say

_MODULES: Final = {"import": "importing"}
"""Of the commands whose names no module can have."""

if TYPE_CHECKING:
    from argparse import Namespace
    from types import SimpleNamespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: the process's) states; return the exit code.

    :mod:`devproxy.cli.refusal` says which there are. Raises SystemExit for ``--help`` and ``--version`` alone.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    colour = "auto"
    try:
        options = _options(arguments)
        colour = getattr(options, "color", colour)
        module = _MODULES.get(options.command, options.command)
        code = import_module(f"devproxy.cli.{module}").run(options)
        assert isinstance(code, int)
        return code
    except Refused as refusal:
        say(refusal, colour)
        return refusal.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return FINE  # the reader has had enough, as in `devproxy schema | head -1`


def _options(arguments: list[str]) -> Namespace | SimpleNamespace:
    """Return the options; ``command`` names the command's module."""
    if arguments[:1] == ["health"]:
        # A container engine asks every few seconds: argparse would be a third of what that costs.
        from devproxy.cli.health import quick_options

        if (quick := quick_options(arguments[1:])) is not None:
            return quick
    from devproxy.cli.arguments import parse

    return parse(arguments)
