"""Names from HTTP in a configuration: methods and header names are tokens (RFC 9110 section 5.6.2). Pure."""

from __future__ import annotations

from typing import Final

from devproxy.http import fields
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

_KNOWN_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY", "PROPFIND", "SEARCH")
)


def is_token(text: str) -> bool:
    """Tell whether `text` is a token: visible ASCII without delimiters, at least one character."""
    return text.isascii() and fields.is_token(text.encode())


def check_method(method: str) -> None:
    """Raise :class:`BadText` unless `method` is a method as it is sent: a token, and not ``get`` for ``GET``."""
    if not is_token(method):
        raise BadText(f"{quoted(method)} is not a method", 'for example "GET"')
    if method not in _KNOWN_METHODS and method.upper() in _KNOWN_METHODS:
        raise BadText(f"methods are case-sensitive, got {quoted(method)}", f"write {quoted(method.upper())}")
