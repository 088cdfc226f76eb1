"""The configuration: TOML text or command-line options as values, or every problem at once.

Owns the keys of ``devproxy.toml``, their checks, and the documents made from them. Pure: opens no file; the caller
reads the bytes and shows the text. Standard: TOML 1.0.

Start at :func:`load`; the keys are in ``keys``, the values that the rest of devproxy sees in ``model``. The functions
here import what does the work on first use: the values are needed everywhere, and every start pays for their import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devproxy.config.model import (
    Config,
    CorsMode,
    HeaderEdits,
    Listen,
    PathKind,
    Route,
    Scheme,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.config.problems import COMMAND_LINE, ConfigError, Problem

__all__ = [
    "COMMAND_LINE",
    "Config",
    "ConfigError",
    "CorsMode",
    "HeaderEdits",
    "Listen",
    "PathKind",
    "Problem",
    "Route",
    "Scheme",
    "Server",
    "ServerAddress",
    "Upstream",
    "example",
    "from_arguments",
    "load",
    "reference",
    "report",
    "schema",
    "warnings",
    "with_listen",
]


def load(text: bytes, *, source: str) -> Config:
    """Return the configuration that `text` (TOML in UTF-8) states; `source` is the file's path as people are to see it.

    Raises :class:`ConfigError` with every problem that it has, and nothing else, whatever the bytes are. Opens no file.
    """
    from devproxy.config import loading

    return loading.load(text, source=source)


def from_arguments(
    *,
    frontend: str | None,
    backend: str | None,
    backend_paths: Sequence[str],
    listen: Sequence[str],
    source: str = COMMAND_LINE,
) -> Config:
    """Return the configuration that command-line options state, given as typed: see ``config.arguments``.

    Raises :class:`ConfigError`, whose problems name the option.
    """
    from devproxy.config import arguments

    return arguments.from_arguments(
        frontend=frontend, backend=backend, backend_paths=backend_paths, listen=listen, source=source
    )


def with_listen(config: Config, listen: Sequence[str]) -> Config:
    """Return `config` listening on the addresses that ``--listen`` names instead of its own; none: unchanged.

    Raises :class:`ConfigError`, whose problems name the option.
    """
    from devproxy.config import arguments

    return arguments.with_listen(config, listen)


def warnings(config: Config) -> tuple[str, ...]:
    """Return a sentence or two for each thing in `config` that is allowed but that a person should know."""
    from devproxy.config import notices

    return notices.warnings(config)


def report(error: ConfigError, text: bytes | str, source: str, *, colour: bool) -> str:
    """Return all problems of `error` as people read them; see :func:`devproxy.config.reporting.report`."""
    from devproxy.config import reporting

    return reporting.report(error, text, source, colour=colour)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of ``devproxy.toml``."""
    from devproxy.config import documents

    return documents.schema()


def reference() -> str:
    """Return the reference of all keys in Markdown."""
    from devproxy.config import documents

    return documents.reference()


def example() -> str:
    """Return an annotated ``devproxy.toml`` that loads, with every key at its default."""
    from devproxy.config import documents

    return documents.example()
