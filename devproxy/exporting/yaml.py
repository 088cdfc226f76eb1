"""Texts and lists as YAML writes them: a string of JSON is one of YAML. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable


def text(value: str) -> str:
    """Return `value` as a string. What is not printable is escaped: to YAML, more than a line feed ends a line."""
    written = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in written)


def words(values: Iterable[str]) -> str:
    """Return `values` as a list on one line."""
    return "[" + ", ".join(map(text, values)) + "]"
