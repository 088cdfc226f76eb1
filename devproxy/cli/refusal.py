"""What commands print: data to standard output; ``error:`` what and ``help:`` what to type to standard error.

Imports nothing at first, because every command needs it. The exit codes are those of ``devproxy --help``.
"""

from __future__ import annotations

import sys

FINE = 0
FAILED = 1
"""It went wrong while running: a port is taken, no server answers."""
MISUSED = 2
"""The command line or the configuration is wrong."""
INTERRUPTED = 130
"""Stopped at once by a second Ctrl-C, as shells count it: 128 + SIGINT."""


class Refused(Exception):
    """A command cannot go on. ``what``: lower case, no full stop. ``help``: what to do, a line for each way on."""

    def __init__(self, what: str, *help: str, exit_code: int = MISUSED) -> None:
        super().__init__(what)
        self.what = what
        self.help = help
        self.exit_code = exit_code

    def render(self, *, colour: bool) -> str:
        """Return the lines to print, in the form in which :func:`devproxy.config.report` shows problems."""
        return labelled("error", self.what, colour=colour) + "".join(
            labelled("help", line, colour=colour) for line in self.help
        )


_STYLES = {"error": "1;31", "warning": "33", "help": "36"}


def labelled(label: str, text: str, *, colour: bool) -> str:
    """Return a line such as ``warning: …``, everything escaped that a terminal would act on."""
    from devproxy.text.safe import visible

    painted = f"\x1b[{_STYLES[label]}m{label}\x1b[0m" if colour else label
    return f"{painted}: {visible(text)}\n"


def put(text: str) -> None:
    """Write data to standard output; what its encoding lacks is escaped.

    Raises :class:`Refused` when it cannot be written, BrokenPipeError when its reader has gone.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"cannot write to standard output: {reason}", exit_code=FAILED) from None


def warn(sentence: str, choice: str = "auto") -> None:
    """Print a warning on standard error; `choice`: as in :func:`wants_colour`."""
    _write(labelled("warning", sentence, colour=wants_colour(choice)))


def say(refusal: Refused, choice: str = "auto") -> None:
    """Print `refusal` on standard error; `choice`: as in :func:`wants_colour`."""
    _write(refusal.render(colour=wants_colour(choice)))


def wants_colour(choice: str) -> bool:
    """Tell whether standard error wants colour; `choice`: the value of ``--color``."""
    import os

    from devproxy.console import style

    known: dict[str, style.Colour] = {"always": "always", "never": "never"}
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return style.wants_colour(known.get(choice, "auto"), os.environ, is_terminal=is_terminal)


def _write(text: str) -> None:
    try:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
    except OSError:
        pass  # no reader is left
