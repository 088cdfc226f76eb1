"""A configuration made ready to serve: everything worked out that does not depend on a request.

Start at :func:`compile_snapshot`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from devproxy.config.model import Config, Cors, HeaderEdits, Route, Server, ServerAddress
from devproxy.http import own
from devproxy.http.memory import MEMORY, Memory, Table, footprint
from devproxy.http1.start_line import Limits
from devproxy.policy.addressing import addressing, authority_of, web_origin_of
from devproxy.policy.cookies import CookieRules, compile_cookies
from devproxy.policy.cors import CorsPolicy, compile_cors
from devproxy.policy.faults import CompiledFault, compile_fault
from devproxy.policy.forms import FormPolicy, compile_forms
from devproxy.policy.headers import Edits, compile_edits
from devproxy.policy.hop import Hop, TrustedProxies, compile_trusted
from devproxy.policy.hosts import HostGuard, compile_hosts
from devproxy.policy.location import LocationRules, compile_locations
from devproxy.realtime.hot_reload import PREFIXES as HMR_PREFIXES
from devproxy.realtime.hot_reload import has_own_segment
from devproxy.routing.table import RouteTable, label, stripped_prefix

if TYPE_CHECKING:
    from devproxy.plan.request import Forward
    from devproxy.plan.response import Finish, FinishKey

RESERVED_PREFIX: Final = own.RESERVED_PREFIX.encode()
MIXED_SEGMENTS: Final = frozenset(b"/" + prefix.split(b"/")[1] for prefix in (RESERVED_PREFIX, *HMR_PREFIXES))
"""First segments below which more of the path than that decides who answers, whatever the routes are."""
RESPONSE_HEAD_BYTES: Final = 262_144
RESPONSE_FIELDS: Final = 1_000
"""How large the head of an answer may be where the configuration says nothing else: what browsers take."""

MAX_ADDED_BYTES: Final = 65_536
"""More than devproxy itself adds to a head, so that it can read again what it has written."""
_PLAN_BYTES: Final = 1024
"""More than a plan costs beside its facts and what belongs to its route."""
FRONT_SCHEME: Final = "http"
"""How browsers speak to devproxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Towards:
    """How a route stands to one server.

    ``host_line``: the Host to send; with ``keeps_host`` only where the client sent none. ``origin_line``: what takes
    the place of an Origin, empty: nothing does, it goes; None: it stays. ``keeps_foreign_origin``: it stays in any case
    if it is not devproxy's own. ``cookies``: what becomes of those that the server sets, None: nothing.
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
    ``edits_authority``: Host or Origin changes on the way to some of them. ``repairs_cookies``: so do cookies that some
    of them set. ``restores_cookies``: the rules that undo names, whichever server is asked, as all of them get the
    cookies of all. ``locations``: None where the route changes none. ``limits``: of heads. ``fault``: trouble made on
    purpose, or None. ``fault_note``: of it, for the report of an exchange that was forwarded; empty for none.
    ``via_line``: the gateway's own, in each request.
    ``hop``: whose word about a request counts, and the prefix that is taken off.
    ``is_at_own_origin``: see :class:`Snapshot`.
    """

    route: Route
    label: str
    upstream: str
    towards: dict[ServerAddress, Towards]
    edits_authority: bool
    rewrites: bool
    cors: CorsPolicy
    forms: FormPolicy
    restores_cookies: CookieRules | None
    repairs_cookies: bool
    locations: LocationRules | None
    request_edits: Edits | None
    response_edits: Edits | None
    limits: Limits
    fault: CompiledFault | None
    fault_note: str
    via_line: bytes
    hop: Hop
    is_at_own_origin: bool = False

    def toward(self, server: ServerAddress) -> Towards:
        """Return what holds for `server`, one of the upstream's."""
        return self.towards.get(server) or _toward(self.route, server)


class Segments(Table[bytes, bytes]):
    """What the first segment of a path (with its slash) means to a decision: itself, or nothing, as most segments do.

    ``named``: those on which it may depend who answers.
    """

    __slots__ = ("_named",)

    def __init__(self, memory: Memory, named: frozenset[bytes]) -> None:
        super().__init__(memory, footprint)
        self._named = named

    def __missing__(self, segment: bytes) -> bytes:
        meaning = segment if segment in self._named or has_own_segment(segment) else b""
        self.old.pop(segment, None)
        self.keep_if_seen(segment, meaning)
        return meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A configuration ready to serve. Immutable but for what it remembers; shared by all exchanges born under it.

    ``routing_fields``: those on which a route has a condition, in lower case. ``runs_expressions``: there are some, or
    a path is told by an expression.
    ``compiled``: by the identity of the route, which hashes
    quicker than its many fields. ``own_origin``: the same for what own pages ask of a dev server that knows itself
    alone: Host and Origin are the server's, unless the route says otherwise. ``default_cors``: for answers to what no
    route takes. ``via_token``: this process's pseudonym in ``Via``, by which a request that comes back is recognised.
    ``limits_bodies``: ``max_body_bytes`` is finite. ``segments``, ``plans`` and ``finishes``: remembered, see
    :class:`Segments`, :func:`devproxy.plan.plan_request` and :func:`devproxy.plan.finish_response`. Limits that are 0
    in the configuration, for «none», are infinite here.
    """

    config: Config
    table: RouteTable
    routing_fields: frozenset[bytes]
    runs_expressions: bool
    compiled: dict[int, CompiledRoute]
    own_origin: dict[int, CompiledRoute]
    default_cors: CorsPolicy
    hosts: HostGuard
    limits: Limits
    response_limits: Limits
    max_body_bytes: float
    limits_bodies: bool
    idle_timeout_s: float
    head_timeout_s: float
    via_token: bytes
    segments: Segments
    plans: Table[tuple[Any, ...], Forward]
    finishes: Table[FinishKey, Finish]


def compile_snapshot(config: Config, instance: str, *, bound: Sequence[str] = ()) -> Snapshot:
    """Return `config` ready to serve.

    `instance`: a token that no other devproxy has, for loop detection. `bound`: the IP addresses listened on, where
    they are known; what ``listen`` names counts in any case.
    """
    token = b"devproxy-" + instance.encode()
    via_line = b"Via: 1.1 " + token
    proxies = compile_trusted(config.server.trusted_proxies)
    compiled = {id(route): _compile_route(config, route, via_line, proxies) for route in config.routes}
    table = RouteTable(config.routes)
    return Snapshot(
        config=config,
        table=table,
        runs_expressions=table.runs_expressions,
        routing_fields=frozenset(name.lower().encode() for route in config.routes for name, _ in route.match_headers),
        compiled=compiled,
        own_origin={key: _at_own_origin(one) for key, one in compiled.items()},
        default_cors=compile_cors(Cors(), config.source),
        hosts=compile_hosts(
            (*config.server.allowed_hosts, *_named_hosts(config)),
            (*bound, *(listen.host for listen in config.server.listen)),
        ),
        limits=Limits(
            max_target_bytes=config.server.max_target_bytes,
            max_head_bytes=config.server.max_head_bytes,
            max_fields=config.server.max_fields,
        ),
        response_limits=_response_limits(config.server),
        max_body_bytes=config.server.max_body_bytes or math.inf,
        limits_bodies=config.server.max_body_bytes != 0,
        idle_timeout_s=config.server.idle_timeout_s or math.inf,
        head_timeout_s=config.server.head_timeout_s or math.inf,
        via_token=token,
        segments=Segments(MEMORY, table.segments | MIXED_SEGMENTS),
        plans=Table(MEMORY, _cost_of_plan),
        finishes=Table(MEMORY, _cost_of_finish),
    )


def _cost_of_plan(key: tuple[Any, ...], plan: Forward) -> int:
    return footprint(key, plan.facts, plan.cors.lines, plan.cors.reason) + _PLAN_BYTES


def _cost_of_finish(key: FinishKey, finish: Finish) -> int:
    """Return what a finish costs with the plan and the facts that it may be the last one to hold."""
    plan, _ = key
    return footprint(plan.facts, plan.cors.lines, plan.cors.reason, finish) + _PLAN_BYTES


def _response_limits(server: Server, *, added: int = 0) -> Limits:
    """Return how large the head of an answer may be: as configured, or what browsers take; `added`: on top of both."""
    default = Server()
    head = RESPONSE_HEAD_BYTES if server.max_head_bytes == default.max_head_bytes else server.max_head_bytes
    fields = RESPONSE_FIELDS if server.max_fields == default.max_fields else server.max_fields
    return Limits(max_target_bytes=server.max_target_bytes, max_head_bytes=head + added, max_fields=fields + added)


def _named_hosts(config: Config) -> set[str]:
    """Return the hosts that routes name: whoever wrote them there means them to be reached."""
    return {name.removeprefix("*") for route in config.routes for name in route.match_host}


def _compile_route(config: Config, route: Route, via_line: bytes, proxies: TrustedProxies) -> CompiledRoute:
    fault = compile_fault(route, config.source)
    cors = compile_cors(route.cors, config.source)
    towards = {server: _toward(route, server) for server in _servers(config, route)}
    cookies = [one.cookies for one in towards.values() if one.cookies is not None]
    return CompiledRoute(
        route=route,
        label=label(route),
        upstream=route.upstream,
        towards=towards,
        edits_authority=_edits_authority(towards),
        rewrites=route.rewrite is not None,
        cors=cors,
        forms=compile_forms(route.form_post),
        restores_cookies=next((rules for rules in cookies if rules.renames), None),
        repairs_cookies=bool(cookies),
        locations=compile_locations(config, route) if route.maps_redirects else None,
        request_edits=_compile_edits(route.request_headers),
        response_edits=_compile_edits(route.response_headers),
        limits=_response_limits(config.server, added=MAX_ADDED_BYTES),
        fault=fault,
        fault_note="" if fault is None else fault.note,
        via_line=via_line,
        hop=Hop(proxies, stripped_prefix(route)),
    )


def _at_own_origin(compiled: CompiledRoute) -> CompiledRoute:
    route = compiled.route
    if route.origin != "auto":
        return compiled
    own = replace(route, host="upstream" if route.host == "auto" else route.host, origin="upstream")
    towards = {server: _toward(own, server) for server in compiled.towards}
    return replace(compiled, towards=towards, edits_authority=_edits_authority(towards), is_at_own_origin=True)


def _servers(config: Config, route: Route) -> tuple[ServerAddress, ...]:
    return next((one.servers for one in config.upstreams if one.name == route.upstream), ())


def _toward(route: Route, server: ServerAddress) -> Towards:
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
        cookies=compile_cookies(route.cookies, route, front_scheme=FRONT_SCHEME, is_public=found.is_public),
    )


def _edits_authority(towards: dict[ServerAddress, Towards]) -> bool:
    return any(not one.keeps_host or one.origin_line is not None for one in towards.values())


def _compile_edits(edits: HeaderEdits) -> Edits | None:
    return compile_edits(replaced=edits.set, added=edits.add, removed=edits.remove)
