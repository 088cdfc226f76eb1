"""``devproxy import``: what another tool's configuration says of proxying, as a new ``devproxy.toml``."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import Final

from devproxy.cli.files import FILE_NAME
from devproxy.cli.new_files import check_new, write_new
from devproxy.cli.refusal import FAILED, FINE, Refused, put, warn
from devproxy.config.drafts import text_of
from devproxy.console.text import counted
from devproxy.importing.asked import Asked, Failed
from devproxy.importing.drafting import NOT_CARRIED
from devproxy.importing.sources import FILES, SOURCES, imported

LIMIT_S: Final = 30.0
_MOST_S: Final = 3600.0


def run(options: argparse.Namespace) -> int:
    """Run ``devproxy import``; return 0. Raises :class:`Refused`."""
    if options.source not in SOURCES:
        raise _without_source(options)
    path = os.path.abspath(options.path or ".")
    if not os.path.exists(path):
        raise Refused(f"there is no {options.path}", f"devproxy import {options.source} PATH  (a file or a folder)")
    is_file = not os.path.isdir(path)
    folder = Path(os.path.dirname(path) if is_file else path)
    if not options.print:
        check_new(FILE_NAME, _printing(options))  # before anything of the project runs
    try:
        draft = imported(options.source, Asked(folder, Path(path) if is_file else None, _limit(options.timeout)))
    except Failed as error:
        raise Refused(error.what, *error.help, exit_code=FAILED) from None
    text = text_of(draft)
    if options.print:
        put(text)
    if not draft.routes:
        way = f"to see why:  {_printing(options)}"
        raise Refused("nothing of it can be carried over", *([] if options.print else [way]), exit_code=FAILED)
    if options.print:
        return FINE
    write_new(FILE_NAME, text, _printing(options))
    put(f"ok: {FILE_NAME} has {counted(len(draft.routes), 'route')}, {counted(len(draft.upstreams), 'upstream')}\n")
    if any(line.startswith(NOT_CARRIED) for line in draft.tail):
        warn(f"some of it is not carried over; the end of {FILE_NAME} says what, and why", options.color)
    return FINE


def _without_source(options: argparse.Namespace) -> Refused:
    """Return the refusal of a command line that names no tool, with what is here that can be imported."""
    written = options.source
    if written is not None and os.path.exists(written):
        name = os.path.basename(written)
        meant = [source for source, files in FILES.items() if any(name == os.path.basename(file) for file in files)]
        if os.path.isdir(written):
            meant = _sources_in(written)
        ways = [f"devproxy import {source} {shlex.quote(written)}" for source in meant or ("TOOL",)]
        return Refused(f"{written} of which tool?", *ways, f"the tools are {', '.join(SOURCES)}")
    what = "import from which tool?" if written is None else f"there is no import from {written}"
    ways = [f"devproxy import {source}" for source in _sources_in(".")]
    return Refused(what, *ways, f"the tools are {', '.join(SOURCES)}")


def _sources_in(folder: str) -> list[str]:
    """Return the tools whose configuration is in `folder`."""
    return [
        source for source, files in FILES.items() if any(os.path.isfile(os.path.join(folder, one)) for one in files)
    ]


def _limit(text: str | None) -> float:
    """Return the value of ``--timeout`` in seconds. Raises :class:`Refused`."""
    if text is None:
        return LIMIT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST_S:
        raise Refused(f"--timeout is a number of seconds up to {_MOST_S:g}, not {text}", "for example --timeout 60")
    return seconds


def _printing(options: argparse.Namespace) -> str:
    """Return the command line that prints what this one would write."""
    path = [] if options.path is None else [shlex.quote(options.path)]
    return " ".join(["devproxy import", options.source, *path, "--print"])
