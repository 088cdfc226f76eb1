"""Secrets in what the inspector shows, masked unless a reader with the key asks for them. Pure.

What a secret parameter is called, :mod:`devproxy.console.secrets` knows; here that is applied to fields, to bodies
and to messages. Linear in what is given. Start at :func:`masked_field` and :func:`masked_text`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from devproxy.console.secrets import MASK, is_secret_name, masked

_PLACES: Final = frozenset(("location", "content-location", "referer", "refresh", "link", "origin"))
"""Fields whose values are URLs or hold some."""
_LOGINS: Final = frozenset(("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"))
_SHOWN: Final = frozenset(
    ("access-control-allow-credentials", "sec-websocket-key", "sec-websocket-accept", "idempotency-key")
)
"""Names that look as if they meant a secret."""
MAX_DEPTH: Final = 64
_MAX_NAME: Final = 192
"""Characters of a name that are looked at, the last ones."""


def masked_field(name: str, value: str) -> str:
    """Return the value of the field `name` without secrets; what they are called stays."""
    lower = name.lower()
    if lower == "cookie":
        return "; ".join(_masked_pair(pair) for pair in value.split(";"))
    if lower == "set-cookie":
        pair, semicolon, attributes = value.partition(";")
        return _masked_pair(pair) + semicolon + attributes
    if lower in _LOGINS:
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {MASK}" if space else (value if lower.endswith("authenticate") else MASK)
    if lower in _SHOWN:
        return value
    if is_secret_name(name):
        return MASK
    return masked(value) if lower in _PLACES or "://" in value or "eyJ" in value else value


def masked_start(line: str) -> str:
    """Return a start line without secrets in its target."""
    return masked(line)


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.strip().partition("=")
    return f"{name}={MASK}" if equals else MASK


def masked_json(value: Any, depth: int = 0) -> Any:
    """Return a value of JSON in which what has a secret name is masked, at any depth."""
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {
            name: MASK
            if is_secret_name(name) and not isinstance(inner, dict | list | bool | None)
            else masked_json(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked_json(inner, depth + 1) for inner in value]
    return masked(value) if isinstance(value, str) else value


def masked_auth(value: Any) -> Any:
    """Return what a Socket.IO client sends as ``auth``, with every value masked."""
    if isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    return None if value is None else MASK


def masked_text(text: str) -> str:
    """Return text of a body or a message without secrets: of JSON those with secret names, else those in URLs."""
    stripped = text.lstrip()
    if stripped[:1] in ("{", "["):
        try:
            return json.dumps(masked_json(json.loads(text)), ensure_ascii=False, indent=_indent_of(text))
        except (ValueError, RecursionError):
            pass
    return masked(text)


def masked_toml(text: str) -> str:
    """Return a configuration without secrets: where a line gives a secret name a value, what follows is masked."""
    return "\n".join(_masked_line(line) for line in masked(text).split("\n"))


def _masked_line(line: str) -> str:
    pieces = line.split("=")
    for number, piece in enumerate(pieces[:-1]):
        name = piece.rstrip(" \t\"'").rpartition("{")[2].rpartition(",")[2].strip(" \t\"'")
        if name.lower() == "cookie" or is_secret_name(name[-_MAX_NAME:]):
            return "=".join((*pieces[: number + 1], f" {MASK}"))
    return line


def without_colour(text: str) -> str:
    """Return what was painted for a terminal without its colours (ECMA-48, SGR)."""
    first, *others = text.split("\x1b[")
    return first + "".join(piece.partition("m")[2] for piece in others)


def masked_form(text: str) -> str:
    """Return the body of a form (``application/x-www-form-urlencoded``) without secrets."""
    pairs = []
    for pair in masked(text).split("&"):
        name, equals, value = pair.partition("=")
        pairs.append(f"{name}={MASK}" if equals and value and is_secret_name(name[-_MAX_NAME:]) else pair)
    return "&".join(pairs)


def _indent_of(text: str) -> int | None:
    return 2 if "\n" in text else None
