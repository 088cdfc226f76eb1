"""What a new configuration keeps of what runs under the old one: pools of equal upstreams, tunnels of equal routes.

Decides over values and does nothing: :mod:`devproxy.gateway.app` swaps, retires and closes. Exchanges need no decision:
they keep the snapshot and the pools that they were born with until they end. Start at :func:`is_kept`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from devproxy.config.conflicts import conditions
from devproxy.config.model import SYSTEM, Config, Route, ServerAddress, Upstream

if TYPE_CHECKING:
    from devproxy.plan import Snapshot

RouteTargets = Mapping[object, tuple[ServerAddress, ...]]
"""The servers that each route leads to, by the conditions of the route: see :func:`route_targets`."""


class TunnelOrigin(NamedTuple):
    """Under what a tunnel was opened: the snapshot, the route that took its handshake, and the server at its end."""

    snapshot: Snapshot
    route: Route
    server: ServerAddress


def route_targets(config: Config) -> RouteTargets:
    """Return where the routes of `config` lead. Built once for all tunnels."""
    servers = {upstream.name: upstream.servers for upstream in config.upstreams}
    return {conditions(route): servers[route.upstream] for route in config.routes}


def is_kept(born: TunnelOrigin, where: RouteTargets) -> bool:
    """Tell whether a tunnel stays open: a route with the conditions of its own still leads to its server.

    What else changes about the route, or about the upstream, concerns only handshakes to come.
    """
    return born.server in where.get(conditions(born.route), ())


def unchanged_upstreams(old: Config, new: Config) -> frozenset[str]:
    """Return the names of the upstreams that are equal in both, so that their connections serve on.

    One that names files is another where they begin at another folder.
    """
    before = {upstream.name: upstream for upstream in old.upstreams}
    has_moved = os.path.dirname(old.source) != os.path.dirname(new.source)
    return frozenset(
        upstream.name
        for upstream in new.upstreams
        if before.get(upstream.name) == upstream and not (has_moved and _names_files(upstream))
    )


def _names_files(upstream: Upstream) -> bool:
    return bool(upstream.recording or upstream.tls_cert) or upstream.tls_ca != (SYSTEM,)
