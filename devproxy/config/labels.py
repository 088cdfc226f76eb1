"""Short names for parts of a configuration, as logs, tables and the diff of a reload show them. Pure; printable."""

from __future__ import annotations

from typing import Final

from devproxy.config.model import Listen, PathKind, Route
from devproxy.config.problems import visible

_SHOWN_CONDITIONS: Final = 3


def label(route: Route) -> str:
    """Return a short name of `route`: ``/api/``, ``= /exact (POST)``, ``~ /v[0-9]+ (a.test)``.

    Conditions other than the path stand in brackets: methods, hosts, headers.
    """
    sign = {PathKind.EXACT: "= ", PathKind.REGEX: "~ "}.get(route.kind, "")
    headers = tuple(f"{name}: {value}" for name, value in route.match_headers)
    conditions = "; ".join(_listed(group) for group in (route.methods, route.match_host, headers) if group)
    return visible(f"{sign}{route.pattern}" + (f" ({conditions})" if conditions else ""))


def listen_text(listen: Listen) -> str:
    """Return `listen` as the file writes it: ``localhost:8080``, ``[::1]:8080``, ``:8080``."""
    return visible(f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}")


def _listed(items: tuple[str, ...]) -> str:
    more = len(items) - _SHOWN_CONDITIONS
    return ", ".join(items[:_SHOWN_CONDITIONS]) + (f" and {more} more" if more > 0 else "")
