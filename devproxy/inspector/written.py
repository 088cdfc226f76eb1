"""Documents as the JSON that every reader takes (RFC 8259), whatever numbers were sent. Pure.

Start at :func:`written`.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any


def written(document: Any) -> str:
    """Return `document` as JSON in one line; numbers that JSON has not, such as ``1e999`` when read, as text."""
    try:
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
