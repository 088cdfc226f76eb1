"""Finding and reading the configuration for a command; refusing in words."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from devproxy.config import COMMAND_LINE, Config, ConfigError, from_arguments, load, report, with_listen

FILE_NAME: Final = "devproxy.toml"
ENVIRONMENT: Final = "DEVPROXY_CONFIG"
MAX_FILE_BYTES: Final = 1 << 20


class Refused(Exception):
    """A command cannot go on. ``text``: what to print on stderr. ``exit_code``: 1 or 2."""

    def __init__(self, what: str, help: str = "", *, exit_code: int = 2, is_rendered: bool = False) -> None:
        super().__init__(what)
        advice = f"help: {help}\n" if help else ""
        self.text = what if is_rendered else f"error: {what}\n{advice}"
        self.exit_code = exit_code


def configuration(options: argparse.Namespace) -> Config:
    """Return the configuration that `options` of a command lead to: servers named there, else a file.

    Raises :class:`Refused` with the whole report.
    """
    listen = getattr(options, "listen", [])
    try:
        if options.frontend is not None or options.backend is not None:
            _note_ignored(options)
            return from_arguments(
                frontend=options.frontend, backend=options.backend, backend_paths=options.backend_path, listen=listen
            )
        if options.backend_path:
            raise Refused("--backend-path needs --backend", "devproxy up --frontend 5173 --backend 3001")
        return with_listen(load_file(find(options.config)), listen)
    except ConfigError as error:
        raise refused(error, b"", COMMAND_LINE) from None


def find(given: str | None) -> Path:
    """Return the configuration file: `given`, else ``$DEVPROXY_CONFIG``, else the nearest ``devproxy.toml`` upward."""
    named = given or os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    here = Path.cwd()
    for directory in (here, *here.parents):
        candidate = directory / FILE_NAME
        if candidate.is_file():
            return Path(os.path.relpath(candidate))
    raise Refused(
        f"there is no {FILE_NAME} in {here} or above",
        "name your servers: devproxy up --frontend 5173 --backend 3001 (their ports), or write a devproxy.toml",
    )


def load_file(path: Path) -> Config:
    """Return the configuration in `path`. Raises :class:`Refused` with every problem and its place."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}", "name another file with --config PATH") from None
    try:
        return load(text, source=str(path))
    except ConfigError as error:
        raise refused(error, text, str(path)) from None


def refused(error: ConfigError, text: bytes, source: str) -> Refused:
    """Return the refusal of a configuration: its report, coloured where stderr wants colour."""
    from devproxy.console.style import wants_colour  # nothing else of the console is needed before something is wrong

    colour = wants_colour("auto", os.environ, is_terminal=sys.stderr is not None and sys.stderr.isatty())
    return Refused(report(error, text, source, colour=colour), is_rendered=True)


def _note_ignored(options: argparse.Namespace) -> None:
    if options.config is not None:
        raise Refused("--config and --frontend/--backend exclude each other", "use the file, or the options alone")
    try:
        found = find(None)
    except Refused:
        return
    sys.stderr.write(f"note: {found} is not used, because servers are named on the command line\n")
