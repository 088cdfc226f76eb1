"""How many files and sockets this process may have open at a time. Windows has no such limit."""

from __future__ import annotations


def open_files() -> int | None:
    """Return how many may be open now (the soft limit); None for no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def most_open_files() -> int | None:
    """Return how many this process could ask for (the hard limit); None for no limit. Raises OSError, ValueError."""
    try:
        import resource
    except ImportError:
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if hard == resource.RLIM_INFINITY else hard


def allow_open_files(wanted: int) -> None:
    """Raise the limit to `wanted`, or to as many as this process could ask for. What cannot be is left as it is."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    due = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < due:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (due, hard))
        except (ValueError, OSError):
            return  # macOS has another limit, below the one that it tells
