"""Names from HTTP in a configuration: methods and header names are tokens (RFC 9110 section 5.6.2). Pure."""

from __future__ import annotations

from typing import Final

from devproxy.config.problems import Path, Problems
from devproxy.http import fields
from devproxy.text.safe import quoted

_KNOWN_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY", "PROPFIND", "SEARCH")
)


def is_token(text: str) -> bool:
    """Tell whether `text` is a token: visible ASCII without delimiters, at least one character."""
    return text.isascii() and fields.is_token(text.encode())


def check_method(method: str, path: Path, problems: Problems) -> None:
    """Add a fault unless `method` at `path` is a method as it is sent: a token, and not ``get`` for ``GET``."""
    if not is_token(method):
        problems.at_value(path, f"{quoted(method)} is not a method", 'for example "GET"')
    elif method not in _KNOWN_METHODS and method.upper() in _KNOWN_METHODS:
        problems.at_value(path, f"methods are case-sensitive, got {quoted(method)}", f"write {quoted(method.upper())}")
