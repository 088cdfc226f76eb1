"""Whether a careless server would take the path of a request for one that another route takes. Pure.

A route says who may send its requests and where its paths lead. Both hold only if the server reads the path as
devproxy does, and ``policy.readings`` knows how servers differ. Start at :func:`find_misreading`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from devproxy.config.model import PathKind, Route
from devproxy.policy.readings import Misreading, Reader, careless_readers
from devproxy.routing.table import canonical_path, rewritten_path


def find_misreading(path: bytes, route: Route, route_of: Callable[[bytes], Route | None]) -> Misreading | None:
    """Return the first careless reading of `path` (raw, without query) that leads elsewhere than `route`, or None.

    `route_of`: gives the route that takes the request by another path. Nearly always None without asking it.
    """
    readers = careless_readers(path)
    if readers is None:
        return Misreading(path, is_countless=True)
    seen: set[bytes] = {canonical_path(path)} if readers else set()
    for reader in readers:
        read = reader(path)
        compared, taking = canonical_path(read), route
        if compared not in seen:
            seen.add(compared)
            chosen = route_of(read)
            if chosen is not route and not _is_expected(route, path, compared, chosen):
                taking = _as_read(route, reader)
                if taking is route or not _takes(taking, compared) or not _is_wider(chosen, taking):
                    return Misreading(read, chosen)
        if route.rewrite is not None:
            sent, meant = reader(rewritten_path(route, path)), reader(rewritten_path(taking, read))
            if canonical_path(sent) != canonical_path(meant):
                return Misreading(read, route, sent, meant)
    return _read_behind_authority(path, route, route_of)


def _read_behind_authority(path: bytes, route: Route, route_of: Callable[[bytes], Route | None]) -> Misreading | None:
    """Return what is left of `path` where two slashes begin it, if it matters that servers read it so, or None.

    ``new URL(request.url, base)``, as many a server in Node does it, takes ``//hooks/admin`` for ``/admin`` of a host
    named ``hooks`` (WHATWG URL, "relative slash state"). Programs put two slashes there by accident, so that counts
    only where it would lead around the guard; what is rewritten begins with one slash anyway.
    """
    if (route.guard and not route.form_post) or route.rewrite is not None or not path.startswith(b"//"):
        return None
    read = b"/" + path.lstrip(b"/").partition(b"/")[2]
    chosen = route_of(read)
    is_open = chosen is not None and (not chosen.guard or (route.guard and chosen.form_post == route.form_post))
    return None if is_open else Misreading(read, chosen)


def _as_read(route: Route, reader: Reader) -> Route:
    """Return `route` as it would be if its path had been written as it is read; itself where that is the same.

    The author of ``path = "/projects/a%2Fb"`` knows that it has two readings, and means this route to take both.
    """
    if route.kind not in (PathKind.PREFIX, PathKind.EXACT):
        return route
    read = reader(route.pattern.encode()).decode()
    is_same = canonical_path(read.encode()) == canonical_path(route.pattern.encode())
    return route if is_same else replace(route, pattern=read)


def _is_expected(route: Route, path: bytes, compared: bytes, chosen: Route | None) -> bool:
    """Tell whether the expression of `route` names the encoded slashes at which `path` comes apart when it is read.

    The author of ``path_regex = "/projects/[^/]+%2F[^/]+"`` knows that such a path has two readings. Not where one
    resolves dot segments, and not where `chosen`, which takes the reading, is more than a prefix around the expression.
    """
    if route.kind in (PathKind.PREFIX, PathKind.EXACT) or "%2F" not in route.pattern.upper():
        return False
    if compared != canonical_path(path).replace(b"%2F", b"/"):
        return False
    return chosen is None or (
        chosen.kind is PathKind.PREFIX and route.pattern.startswith(chosen.pattern.removesuffix("/") + "/")
    )


def _takes(route: Route, path: bytes) -> bool:
    """Tell whether `path`, in the form that is compared, is that of `route`, or below it where it is a prefix."""
    own = canonical_path(route.pattern.encode()).removesuffix(b"/")
    return path.removesuffix(b"/") == own or (route.kind is PathKind.PREFIX and path.startswith(own + b"/"))


def _is_wider(other: Route | None, route: Route) -> bool:
    """Tell whether `other` takes requests only because it takes everything below a prefix around that of `route`."""
    return other is None or (other.kind is PathKind.PREFIX and _takes(other, canonical_path(route.pattern.encode())))
