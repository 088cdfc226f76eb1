"""Texts and lists as YAML writes them: a string of JSON is one of YAML. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable


def text(value: str) -> str:
    """Return `value` as a string."""
    return json.dumps(value, ensure_ascii=False)


def words(values: Iterable[str]) -> str:
    """Return `values` as a list on one line."""
    return "[" + ", ".join(map(text, values)) + "]"
