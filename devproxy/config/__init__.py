"""The configuration: TOML text or command-line options as values, or every problem at once.

Owns the keys of ``devproxy.toml``, their checks, and the documents made from them. Pure: opens no file; the caller
reads the bytes and shows the text. Standard: TOML 1.0.

Start at :func:`load`; the values that the rest of devproxy sees, and the keys that they come from, are in ``model``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from devproxy.config.model import Config as Config
from devproxy.config.model import CorsMode as CorsMode
from devproxy.config.model import HeaderEdits as HeaderEdits
from devproxy.config.model import Listen as Listen
from devproxy.config.model import PathKind as PathKind
from devproxy.config.model import Route as Route
from devproxy.config.model import Scheme as Scheme
from devproxy.config.model import Server as Server
from devproxy.config.model import ServerAddress as ServerAddress
from devproxy.config.model import Upstream as Upstream
from devproxy.config.problems import COMMAND_LINE as COMMAND_LINE
from devproxy.config.problems import ConfigError as ConfigError
from devproxy.config.problems import Problem as Problem

if TYPE_CHECKING:
    from devproxy.config.arguments import from_arguments as from_arguments
    from devproxy.config.arguments import with_listen as with_listen
    from devproxy.config.documents import schema as schema
    from devproxy.config.loading import load as load
    from devproxy.config.loading import refusal as refusal
    from devproxy.config.notices import warnings as warnings
    from devproxy.config.programs import with_typed_program as with_typed_program
    from devproxy.config.reporting import report as report

_ON_FIRST_USE: Final = {
    "from_arguments": "arguments",
    "load": "loading",
    "refusal": "loading",
    "report": "reporting",
    "schema": "documents",
    "warnings": "notices",
    "with_listen": "arguments",
    "with_typed_program": "programs",
}
"""What does the work, and its module: the values are needed everywhere, and every start pays for their import."""


def __getattr__(name: str) -> Any:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ON_FIRST_USE[name]}"), name)
