"""Where a server is mounted: which path of the front a path of its own is, and whether it already includes the prefix.
Pure.

A route with ``strip_prefix`` or ``rewrite`` puts a server below a prefix. Some servers know (Django's
``FORCE_SCRIPT_NAME``, ``--root-path`` of uvicorn, readers of ``X-Forwarded-Prefix``) and write the prefix into what
they say, others don't. Whether a path lies below the prefix *already* is asked for cookies and for every kind of place,
and has one answer: :meth:`Mount.has`. A server that doesn't know but has paths of its own that begin like the prefix
(``/api`` below ``/api``) is indistinguishable from one that knows, and counts as that: the other mistake, a prefix put
before itself, would hit every server that knows.
"""

from __future__ import annotations

from typing import NamedTuple

from devproxy.config.model import PathKind, Route
from devproxy.routing.table import canonical_path


class Mount(NamedTuple):
    """A route by prefix that rewrites: ``prefix`` at the front is ``base`` at the server; no slash at their ends."""

    prefix: bytes
    base: bytes

    def has(self, path: bytes) -> bool:
        """Tell whether `path`, which a server has named, lies below the prefix already: it is the front's own.

        Compared by whole segments in canonical form, so ``/api`` has ``/%61pi/x`` and neither ``/api2`` nor ``/API``.
        Where the base itself lies below the prefix (``/api`` and ``/api/v2``), what is below the base is the server's.
        """
        compared = canonical_path(path)
        if rest_below(self.prefix, compared) is None:
            return False
        return rest_below(self.prefix, self.base) in (None, b"") or rest_below(self.base, compared) is None

    def front_path(self, path: bytes, outer: bytes = b"") -> bytes | None:
        """Return the path of the front that is `path` at the server, or None where no path of the front leads there.

        `path` itself where it has the prefix already, or both, after `outer`, which a proxy in front removes. The
        bytes after the base stay. Begins with exactly one slash if anything is removed, so that a path never
        turns into the name of a host (``//evil``).
        """
        if self.has(path) or (outer and rest_below(outer + self.prefix, canonical_path(path)) is not None):
            return path
        rest = rest_below(self.base, path)
        if rest is None:
            rest = rest_below(self.base, canonical_path(path))
        if rest is None:
            return None
        return self.prefix + rest if self.prefix else b"/" + rest.lstrip(b"/")


def mount_of(route: Route) -> Mount | None:
    """Return where `route` mounts its server, or None where it is at the root of the front as at its own."""
    if route.rewrite is None or route.kind is not PathKind.PREFIX:
        return None
    base = route.rewrite.encode().strip(b"/")
    return Mount(canonical_path(route.pattern.encode()).removesuffix(b"/"), b"/" + base if base else b"")


def rest_below(base: bytes, path: bytes) -> bytes | None:
    """Return what follows `base` in `path` if that is `base` or below it in whole segments, else None."""
    rest = path[len(base) :]
    return rest if path.startswith(base) and (not rest or rest.startswith(b"/")) else None
