"""What parts of one configuration do to one another: routes that are there twice, addresses that cover each other.

Pure. Start at :func:`find_conflicts`.
"""

from __future__ import annotations

from collections.abc import Sequence

from devproxy.config.model import Listen, PathKind, Route
from devproxy.config.problems import Faults, Path, spelled

_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


def find_conflicts(routes: Sequence[Route], paths: Sequence[Path], faults: Faults) -> None:
    """Add a fault for every route with the same conditions as an earlier one. `paths`: where each stands."""
    seen: dict[object, Path] = {}
    for route, path in zip(routes, paths, strict=True):
        first = seen.setdefault(_conditions(route), path)
        if first is not path:
            what = f"`{spelled(path)}` takes the same requests as `{spelled(first)}`"
            help = "remove one of them, or tell them apart by `methods`, `match_host` or `match_headers`"
            faults.at_key(path, what, help, other=first)


def _conditions(route: Route) -> object:
    """Return what decides which requests a route takes, in one spelling."""
    pattern = route.pattern.removesuffix("/") if route.kind is PathKind.PREFIX else route.pattern
    return (
        route.kind,
        pattern,
        frozenset(route.methods),
        frozenset(route.match_host),
        frozenset((name.lower(), value) for name, value in route.match_headers),
    )


def listen_conflicts(listen: Listen, earlier: Sequence[Listen]) -> str:
    """Return why `listen` cannot be had besides `earlier`, or an empty string. Port 0 never conflicts."""
    for other in earlier:
        if listen.port != other.port or not listen.port:
            continue
        if listen.host == other.host:
            return f"port {listen.port} of this address is there twice"
        if not listen.host or not other.host:
            return f'":{listen.port}" is every address of this machine, the other one included'
        if "localhost" in (listen.host, other.host) and {listen.host, other.host} <= _LOOPBACK:
            return "`localhost` is 127.0.0.1 and ::1, the other one included"
    return ""
