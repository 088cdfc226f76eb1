"""Where requests for devproxy's own pages go: to a server of this process, by two routes that no file names.

The pages are reached by the same way as everything else: the Host is judged, then the source, which must be a page of
devproxy's own origin or no page at all. What the server is told of the client is added here: whether it came by way of
a proxy, which a client on this machine cannot deny. Start at :func:`compile_pages`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from devproxy.config.model import Config, Cors, CorsMode, HeaderEdits, PathKind, Route, ServerAddress, Upstream
from devproxy.http import own
from devproxy.http.fields import Role
from devproxy.http.messages import RequestHead
from devproxy.plan.compiled import CompiledRoute, compile_route
from devproxy.policy.hop import TrustedProxies

PAGES_UPSTREAM: Final = "pages\0"
"""The upstream's name; no file can write it."""
SECRET_FIELD: Final = "X-Devproxy-Secret"
PEER_FIELD: Final = "X-Devproxy-Peer"
WAY_FIELD: Final = "X-Devproxy-Way"
DIRECT: Final = "direct"
BY_PROXY: Final = "proxy"

_FIRST_CLAIM: Final = int(Role.FORWARDED_FOR)
"""From here on: what states something about the way of a request, and what some servers take for that."""


@dataclass(frozen=True, slots=True)
class PagesServer:
    """The server of devproxy's own pages. ``secret``: goes with each request, so that it knows who sends it."""

    server: ServerAddress
    secret: str


@dataclass(frozen=True, slots=True)
class PagesRoutes:
    """The routes to it: for a client that says nothing of a proxy, and for one that does."""

    direct: CompiledRoute
    by_proxy: CompiledRoute

    def route_of(self, head: RequestHead) -> CompiledRoute:
        """Return the route for `head`: any field that states what a proxy knows makes it one that came by a proxy."""
        claims = any(field.role >= _FIRST_CLAIM or field.role == Role.VIA for field in head.fields)
        return self.by_proxy if claims else self.direct


def pages_upstream(pages: PagesServer) -> Upstream:
    """Return the upstream that leads to `pages`: nothing waits for it, and an answer may take as long as it likes."""
    return Upstream(name=PAGES_UPSTREAM, servers=(pages.server,), hold_s=0.0, idle_timeout_s=60.0)


def compile_pages(config: Config, pages: PagesServer, via_line: bytes) -> PagesRoutes:
    """Return the routes to `pages`, made ready."""
    known = replace(config, upstreams=(*config.upstreams, pages_upstream(pages)))
    return PagesRoutes(
        *(compile_route(known, _route(pages, way), via_line, TrustedProxies()) for way in (DIRECT, BY_PROXY))
    )


def _route(pages: PagesServer, way: str) -> Route:
    told = ((SECRET_FIELD, pages.secret), (PEER_FIELD, "${client.address}"), (WAY_FIELD, way))
    return Route(
        kind=PathKind.PREFIX,
        pattern=own.RESERVED_PREFIX,
        upstream=PAGES_UPSTREAM,
        host="keep",
        origin="keep",
        maps_redirects=False,
        cors=Cors(mode=CorsMode.STRIP, origins=()),
        request_headers=HeaderEdits(set=told),
    )
