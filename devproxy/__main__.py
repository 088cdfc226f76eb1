"""``python -m devproxy`` and the console script: run the command, then end the process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from devproxy.cli import main as run_command


def main() -> int:
    """Run the command and end the process with its exit code, at once. Never returns.

    Not by way of the interpreter's own end: that waits for every thread, among them those that still ask a resolver for
    a name, for as long as the resolver takes.
    """
    code = run_command()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # standard error itself is what cannot be written to
            if stream is not None:
                stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
