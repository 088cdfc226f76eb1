"""The configuration: TOML text or command-line options as values, or every problem at once.

Owns the keys of ``devproxy.toml``, their checks, and the documents made from them. Pure: opens no file; the caller
reads the bytes and shows the text. Standard: TOML 1.0.

Start at :func:`load`; the values that the rest of devproxy sees, and the keys that they come from, are in ``model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from devproxy.config.arguments import from_arguments, with_listen
    from devproxy.config.documents import schema
    from devproxy.config.loading import load
    from devproxy.config.notices import warnings
    from devproxy.config.reporting import report

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
    "from_arguments",
    "load",
    "report",
    "schema",
    "warnings",
    "with_listen",
]

_ON_FIRST_USE: Final = {
    "from_arguments": "arguments",
    "load": "loading",
    "report": "reporting",
    "schema": "documents",
    "warnings": "notices",
    "with_listen": "arguments",
}
"""What does the work, and its module: the values are needed everywhere, and every start pays for their import."""


def __getattr__(name: str) -> Any:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ON_FIRST_USE[name]}"), name)
