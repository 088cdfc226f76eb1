"""Secrets in what the inspector shows, masked unless a reader with the key asks for them. Pure.

What a secret parameter is called, :mod:`devproxy.console.secrets` knows; here that is applied to fields, to bodies
and to messages. Linear in what is given. Start at :func:`masked_field` and :func:`masked_text`.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from devproxy.console.secrets import MASK, is_secret_name, masked
from devproxy.text.charsets import text_in

_PLACES: Final = frozenset(("location", "content-location", "referer", "refresh", "link", "origin"))
"""Fields whose values are URLs or hold some."""
_LOGINS: Final = frozenset(("authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate"))
_SHOWN: Final = frozenset(
    ("access-control-allow-credentials", "sec-websocket-key", "sec-websocket-accept", "idempotency-key")
)
"""Names that look as if they meant a secret."""
_MASKABLE: Final = frozenset(("json", "text", "events", "engineio", "form"))
"""Views of bodies in which secrets can be found."""
MAX_DEPTH: Final = 64
_MAX_NAME: Final = 192
"""Characters of a name that are looked at, the last ones."""
_find_members = re.compile(rf'"((?:[^"\\]|\\.){{0,{_MAX_NAME}}}+)"\s*+:\s*+', re.DOTALL).finditer
_match_value = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{][^\]}]*+[\]}]?|[^\s,\]}"]++', re.DOTALL).match
_RECORD_SEPARATOR: Final = "\x1e"
"""Between the packets of a payload (Engine.IO 4, "HTTP long-polling")."""


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
    """Return a value of JSON in which what has a secret name is masked, at any depth, with all that is in it."""
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {
            name: _masked_whole(inner, depth + 1) if is_secret_name(name) else masked_json(inner, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked_json(inner, depth + 1) for inner in value]
    return masked(value) if isinstance(value, str) else value


def _masked_whole(value: Any, depth: int) -> Any:
    """Return a value of JSON of which only names, lengths, truth values and null stay."""
    if depth > MAX_DEPTH:
        return MASK
    if isinstance(value, dict):
        return {name: _masked_whole(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked_whole(inner, depth + 1) for inner in value]
    return value if value is None or isinstance(value, bool) else MASK


def masked_auth(value: Any) -> Any:
    """Return what a Socket.IO client sends as ``auth``, with every value masked."""
    if isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    return None if value is None else MASK


def masked_text(text: str) -> str:
    """Return text of a body or a message without secrets: those in URLs, and those with secret names in JSON.

    The JSON may be cut off, or stand between other text, as in an event stream.
    """
    stripped = text.lstrip()
    if stripped[:1] in ("{", "["):
        try:
            shown = json.dumps(masked_json(json.loads(text)), ensure_ascii=False, indent=_indent_of(text))
            return shown.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair stays as it was written
        except (ValueError, RecursionError):
            pass
    return masked(_masked_members(text))


def _masked_members(text: str) -> str:
    """Return `text` without the values behind secret names that are written as in an object of JSON."""
    pieces: list[str] = []
    done = 0
    for member in _find_members(text):
        if member.start() < done or not is_secret_name(member[1]):
            continue
        value = _match_value(text, member.end())
        if value is not None and value[0] not in ("true", "false", "null"):
            pieces += text[done : member.end()], f'"{MASK}"'
            done = value.end()
    return "".join((*pieces, text[done:])) if pieces else text


def masked_packet(text: str) -> str:
    """Return an Engine.IO packet as text without secrets; what connects to a namespace (``auth``) without all."""
    if text.startswith("b"):
        return f"b{MASK}"  # bytes in base64: no secret can be found in them
    start = min((at for at in map(text.find, '[{"') if at >= 0), default=len(text))
    if text.startswith("40"):
        return masked(text[:start]) + ("{…}" if start < len(text) else "")
    return masked(text[:start]) + masked_text(text[start:])


def masked_body(data: bytes, view: str, charset: str) -> str | None:
    """Return the content of a body as text without secrets; None where only the key opens it.

    `view` and `charset`: as :func:`devproxy.inspector.bodies.describe` has them.
    """
    if view not in _MASKABLE:
        return None
    shown = text_in(data, charset)
    if view == "form":
        return masked_form(shown)
    if view == "engineio":
        return _RECORD_SEPARATOR.join(map(masked_packet, shown.split(_RECORD_SEPARATOR)))
    return masked_text(shown)


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
