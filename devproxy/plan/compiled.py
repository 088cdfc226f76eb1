"""A route made ready to serve: everything worked out that depends on no request. Start at :func:`compile_route`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from devproxy.config.model import Config, Route, Server, ServerAddress
from devproxy.http1.start_line import Limits
from devproxy.policy.addressing import addressing, authority_of, web_origin_of
from devproxy.policy.cookies import CookieRules, compile_cookies
from devproxy.policy.cors import CorsPolicy, compile_cors
from devproxy.policy.faults import CompiledFault, compile_fault
from devproxy.policy.forms import FormPolicy, compile_forms
from devproxy.policy.headers import Edits, compile_edits
from devproxy.policy.hop import Hop, TrustedProxies
from devproxy.policy.location import LocationRules, compile_locations
from devproxy.routing.table import RouteTable, label, stripped_prefix

RESPONSE_HEAD_BYTES: Final = 262_144
RESPONSE_FIELDS: Final = 1_000
"""How large the head of an answer may be where the configuration says nothing else: what browsers take."""


class Towards(NamedTuple):
    """How a route treats one server.

    ``host_line``: the Host to send; with ``keeps_host`` only where the client sent none. ``origin_line``: what takes
    the place of an Origin, empty: nothing does, it goes; None: it stays. ``keeps_foreign_origin``: it stays in any case
    if it is not devproxy's own. ``cookies``: what happens to those that the server sets, None: nothing.
    """

    host_line: bytes
    keeps_host: bool
    origin_line: bytes | None
    keeps_foreign_origin: bool
    cookies: CookieRules | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRoute:
    """A route with everything worked out that does not depend on the request.

    ``towards``: for each server of its upstream, what depends on which of them it is (see :meth:`toward`).
    ``edits_authority``: Host or Origin changes on the way to some of them; ``edits_head``: that, or names of cookies.
    ``repairs_cookies``: cookies that some of them set are repaired. ``restores_cookies``: the rules that undo names,
    whichever server is asked, as all of them get the cookies of all. ``locations``: None where the route changes none.
    ``fault``: trouble made on purpose, or None. ``fault_note``: of it, for the report of an exchange that was
    forwarded; empty for none.
    ``via_line``: the gateway's own, in each request.
    ``has_tls``: the front speaks TLS too. ``drops_pins``: ``Strict-Transport-Security`` and its like are dropped.
    ``hop``: whose word about a request counts, and the prefix that is removed.
    ``is_at_own_origin``: see :func:`at_own_origin`.
    """

    route: Route
    label: str
    upstream: str
    towards: dict[ServerAddress, Towards]
    edits_authority: bool
    edits_head: bool
    cors: CorsPolicy
    forms: FormPolicy
    restores_cookies: CookieRules | None
    repairs_cookies: bool
    locations: LocationRules | None
    request_edits: Edits | None
    response_edits: Edits | None
    fault: CompiledFault | None
    fault_note: str
    via_line: bytes
    hop: Hop
    has_tls: bool
    drops_pins: bool
    is_at_own_origin: bool = False

    def toward(self, server: ServerAddress) -> Towards:
        """Return what holds for `server`, one of the upstream's."""
        return self.towards.get(server) or _toward(self.route, server, has_tls=self.has_tls)


def response_limits(server: Server) -> Limits:
    """Return how large the head of an answer may be: as configured, or what browsers take."""
    default = Server()
    head = RESPONSE_HEAD_BYTES if server.max_head_bytes == default.max_head_bytes else server.max_head_bytes
    fields = RESPONSE_FIELDS if server.max_fields == default.max_fields else server.max_fields
    return Limits(max_target_bytes=server.max_target_bytes, max_head_bytes=head, max_fields=fields)


def compile_route(
    config: Config, route: Route, via_line: bytes, proxies: TrustedProxies, table: RouteTable | None = None
) -> CompiledRoute:
    """Return `route` of `config` ready to serve. `via_line`: what devproxy adds to each request; `proxies`: trusted;
    `table`: of all routes, where there is one already."""
    fault = compile_fault(route, config.source)
    cors = compile_cors(route.cors, config.source)
    servers = next((one.servers for one in config.upstreams if one.name == route.upstream), ())
    has_tls = config.server.tls is not False
    towards = {server: _toward(route, server, has_tls=has_tls) for server in servers}
    cookies = [one.cookies for one in towards.values() if one.cookies is not None]
    restores_cookies = next((rules for rules in cookies if rules.renames), None)
    edits_authority = _edits_authority(towards)
    return CompiledRoute(
        route=route,
        label=label(route),
        upstream=route.upstream,
        towards=towards,
        edits_authority=edits_authority,
        edits_head=edits_authority or restores_cookies is not None,
        cors=cors,
        forms=compile_forms(route.form_post),
        restores_cookies=restores_cookies,
        repairs_cookies=bool(cookies),
        locations=compile_locations(config, route, table) if route.maps_redirects else None,
        request_edits=compile_edits(route.request_headers),
        response_edits=compile_edits(route.response_headers),
        fault=fault,
        fault_note="" if fault is None else fault.note,
        via_line=via_line,
        hop=Hop(proxies, stripped_prefix(route)),
        has_tls=has_tls,
        drops_pins=config.server.drops_pins,
    )


def at_own_origin(compiled: CompiledRoute) -> CompiledRoute:
    """Return `compiled` for what own pages ask of a dev server that knows itself alone: Host and Origin are its own.

    What the route says of them takes precedence.
    """
    route = compiled.route
    if route.origin != "auto":
        return compiled
    own = replace(route, host="upstream" if route.host == "auto" else route.host, origin="upstream")
    towards = {server: _toward(own, server, has_tls=compiled.has_tls) for server in compiled.towards}
    return replace(compiled, towards=towards, edits_authority=True, edits_head=True, is_at_own_origin=True)


def _toward(route: Route, server: ServerAddress, *, has_tls: bool) -> Towards:
    found = addressing(route, server)
    keeps_host = found.host == "keep"
    host = authority_of(server) if keeps_host or found.host == "upstream" else found.host
    origin_line: bytes | None = None
    if found.origin == "remove":
        origin_line = b""
    elif found.origin != "keep":
        origin_line = b"Origin: " + (web_origin_of(server) if found.origin == "upstream" else found.origin).encode()
    return Towards(
        host_line=b"Host: " + host.encode("ascii" if host.isascii() else "idna"),
        keeps_host=keeps_host,
        origin_line=origin_line,
        keeps_foreign_origin=found.keeps_foreign_origin,
        cookies=compile_cookies(route.cookies, route, is_public=found.is_public, has_tls=has_tls),
    )


def _edits_authority(towards: dict[ServerAddress, Towards]) -> bool:
    return any(not one.keeps_host or one.origin_line is not None for one in towards.values())
