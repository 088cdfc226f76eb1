"""Paths that devproxy answers itself, below every route. No imports: ``devproxy health`` starts with it."""

from __future__ import annotations

RESERVED_PREFIX = "/__devproxy/"
HEALTH_PATH = RESERVED_PREFIX + "health"


def is_reserved(path: str) -> bool:
    """Tell whether `path`, of a route, is one of these, with or without the slash at the end."""
    return f"{path}/".startswith(RESERVED_PREFIX)
