"""What parts of one configuration do to one another: routes that are there twice, addresses that cover each other.

Pure. Owns which routes are the same one, within a file and across a reload. Start at :func:`find_conflicts` and
:func:`conditions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devproxy.authority.hosts import LOOPBACK_ADDRESSES
from devproxy.config.model import Listen, PathKind, Route
from devproxy.config.problems import Path, Problems, spelled

_PRECEDENCE: Final = tuple(PathKind)
_MAX_COMPARED: Final = 50


def find_conflicts(routes: Sequence[Route], paths: Sequence[Path], problems: Problems) -> None:
    """Add a fault for every route that no request can reach, because another takes the same ones or all of them.

    `paths`: where each route is. Finds what is certain; two regular expressions are not compared.
    """
    seen: dict[object, Path] = {}
    wide = _index(routes, paths)
    for route, path in zip(routes, paths, strict=True):
        first = seen.setdefault(conditions(route), path)
        if first is not path:
            what = f"`{spelled(path)}` matches the same requests as `{spelled(first)}`"
            help = "remove one of them, or tell them apart by `methods`, `match_host` or `match_headers`"
            problems.at_key(path, what, help, other=first)
            continue
        for other, place in wide.get(_first_host(route), ())[:_MAX_COMPARED]:
            if _shadows(other, route):
                what = f"`{spelled(path)}` is never reached: `{spelled(place)}` matches all of its requests first"
                help = "remove it, or give the other one a narrower path"
                problems.at_key(path, what, help, other=place)
                break


def _index(routes: Sequence[Route], paths: Sequence[Path]) -> dict[str, list[tuple[Route, Path]]]:
    """Return, by host, the routes that may leave others nothing although these are written differently."""
    wide: dict[str, list[tuple[Route, Path]]] = {}
    for route, path in zip(routes, paths, strict=True):
        if route.kind is PathKind.EXACT or _takes_every_path(route):
            for host in route.match_host or ("",):
                wide.setdefault(host, []).append((route, path))
    return wide


def _first_host(route: Route) -> str:
    return route.match_host[0] if route.match_host else ""


def _takes_every_path(route: Route) -> bool:
    return route.pattern in (("/**", "**") if route.kind is PathKind.GLOB else (".*", "/.*", "^/.*", "^/.*$"))


def _shadows(first: Route, second: Route) -> bool:
    """Tell whether `first`, which is of a kind that wins over that of `second`, takes every request that it takes."""
    if _PRECEDENCE.index(first.kind) >= _PRECEDENCE.index(second.kind):
        return False
    if first.kind is PathKind.EXACT and not (second.kind is PathKind.GLOB and second.pattern == first.pattern):
        return False
    if bool(first.match_host) != bool(second.match_host) or not set(second.match_host) <= set(first.match_host):
        return False
    if first.methods and not (second.methods and set(second.methods) <= set(first.methods)):
        return False
    return set(first.match_headers) <= set(second.match_headers)


def conditions(route: Route) -> object:
    """Return what makes `route` the same one as another: which requests it takes, in one spelling.

    ``/api`` and ``/api/`` are one prefix. Two routes of one file must differ in it; a tunnel survives a reload by it.
    """
    pattern = route.pattern.removesuffix("/") if route.kind is PathKind.PREFIX else route.pattern
    headers = frozenset((name.lower(), value) for name, value in route.match_headers)
    return route.kind, pattern, frozenset(route.methods), frozenset(route.match_host), headers


def listen_conflicts(listen: Listen, earlier: Sequence[Listen]) -> str:
    """Return why `listen` cannot be had besides `earlier`, or an empty string. Port 0 never conflicts."""
    for other in earlier:
        if listen.port != other.port or not listen.port:
            continue
        if listen.host == other.host:
            return f"port {listen.port} of this address is listed twice"
        if not listen.host or not other.host:
            return f'":{listen.port}" means every address of this machine, including the other one'
        if "localhost" in (listen.host, other.host) and {listen.host, other.host} <= {"localhost", *LOOPBACK_ADDRESSES}:
            return "`localhost` means 127.0.0.1 and ::1, including the other one"
    return ""
