"""The configuration: TOML text or command-line options -> :class:`Config`, or every problem at once.

Owns the keys of ``devproxy.toml``, their checks, and the documents made from them. Pure: opens no file; the caller
reads the bytes and shows the text. Standard: TOML 1.0.

Start at :func:`load`; the keys are in ``keys``, the values that the rest of devproxy sees in ``model``. What only
errors or documents need is imported on first use, because every start of devproxy pays for the rest.
"""

from __future__ import annotations

from typing import Any

from devproxy.config.arguments import from_arguments, with_listen
from devproxy.config.loading import load
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
from devproxy.config.notices import warnings
from devproxy.config.problems import ConfigError, Problem

__all__ = [
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
