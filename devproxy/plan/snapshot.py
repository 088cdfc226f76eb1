"""A configuration made ready to serve: everything worked out that does not depend on a request.

Immutable but for what it remembers; an exchange keeps the one it was born with (ADR 0004). Start at
:func:`compile_snapshot`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from devproxy.config.model import Config, Cors
from devproxy.http import own
from devproxy.http.edits import ResponseEdits
from devproxy.http.memory import MEMORY, Memory, Table, footprint
from devproxy.http1.start_line import Limits
from devproxy.plan.compiled import CompiledRoute, at_own_origin, compile_route, response_limits
from devproxy.plan.decisions import EditsKey, Forward
from devproxy.plan.pages import PagesRoutes, PagesServer, compile_pages
from devproxy.policy.cors import CorsPolicy, compile_cors
from devproxy.policy.hop import VIA_VERSION, Hop, compile_trusted
from devproxy.policy.hosts import HostGuard, compile_hosts
from devproxy.realtime.hot_reload import PREFIXES as HMR_PREFIXES
from devproxy.realtime.hot_reload import has_own_segment
from devproxy.routing.table import RouteTable

RESERVED_PREFIX: Final = own.RESERVED_PREFIX.encode()
MIXED_SEGMENTS: Final = frozenset(b"/" + prefix.split(b"/")[1] for prefix in (RESERVED_PREFIX, *HMR_PREFIXES))
"""First segments below which more of the path than that decides who answers, whatever the routes are."""
_PLAN_BYTES: Final = 1024
"""More than a plan costs besides its facts and what belongs to its route."""


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

    ``routing_fields``: those on which a route has a condition, in lower case. ``compiled``: by the identity of the
    route, which hashes quicker than its many fields. ``own_origin``: the same for what own pages ask of a dev server
    that knows itself alone: Host and Origin are the server's, unless the route says otherwise. ``default_cors``: for
    answers to what no route takes. ``hop``: whose word about a request counts. ``via_token``: this process's pseudonym
    in ``Via``, by which a request that comes back is recognised. ``pages``: the routes to the server of devproxy's own
    pages; None: there is none.
    ``limits_bodies``: ``max_body_bytes`` is finite. ``segments``, ``plans`` and ``edits``: remembered, see
    :class:`Segments`, :func:`devproxy.plan.plan_request` and :func:`devproxy.plan.edit_response`. Limits that are 0
    in the configuration, for "none", are infinite here.
    """

    config: Config
    table: RouteTable
    routing_fields: frozenset[bytes]
    compiled: dict[int, CompiledRoute]
    own_origin: dict[int, CompiledRoute]
    default_cors: CorsPolicy
    hosts: HostGuard
    hop: Hop
    limits: Limits
    response_limits: Limits
    max_body_bytes: float
    limits_bodies: bool
    idle_timeout_s: float
    head_timeout_s: float
    via_token: bytes
    pages: PagesRoutes | None
    segments: Segments
    plans: Table[tuple[Any, ...], Forward]
    edits: Table[EditsKey, ResponseEdits]


def compile_snapshot(
    config: Config, instance: str, *, bound: Sequence[str] = (), pages: PagesServer | None = None
) -> Snapshot:
    """Return `config` ready to serve.

    `instance`: a token that no other devproxy has, for loop detection. `bound`: the IP addresses listened on, where
    they are known; what ``listen`` names counts in any case. `pages`: the server of devproxy's own pages, which
    ``[inspector] enabled`` switches off.
    """
    token = b"devproxy-" + instance.encode()
    via_line = b"Via: %b %b" % (VIA_VERSION, token)
    proxies = compile_trusted(config.server.trusted_proxies)
    table = RouteTable(config.routes)
    compiled = {id(route): compile_route(config, route, via_line, proxies, table) for route in config.routes}
    # A host that is written in a route is meant to be reached.
    named = {name.removeprefix("*") for route in config.routes for name in route.match_host}
    return Snapshot(
        config=config,
        table=table,
        routing_fields=frozenset(name.lower().encode() for route in config.routes for name, _ in route.match_headers),
        compiled=compiled,
        own_origin={key: at_own_origin(one) for key, one in compiled.items()},
        default_cors=compile_cors(Cors(), config.source),
        hosts=compile_hosts(
            (*config.server.allowed_hosts, *named),
            (*bound, *(listen.host for listen in config.server.listen)),
        ),
        hop=Hop(proxies),
        limits=Limits(
            max_target_bytes=config.server.max_target_bytes,
            max_head_bytes=config.server.max_head_bytes,
            max_fields=config.server.max_fields,
        ),
        response_limits=response_limits(config.server),
        max_body_bytes=config.server.max_body_bytes or math.inf,
        limits_bodies=config.server.max_body_bytes != 0,
        idle_timeout_s=config.server.idle_timeout_s or math.inf,
        head_timeout_s=config.server.head_timeout_s or math.inf,
        via_token=token,
        pages=None if pages is None or not config.inspector.enabled else compile_pages(config, pages, via_line),
        segments=Segments(MEMORY, table.segments | MIXED_SEGMENTS),
        plans=Table(MEMORY, _cost_of_plan),
        edits=Table(MEMORY, _cost_of_edits),
    )


def _cost_of_plan(key: tuple[Any, ...], plan: Forward) -> int:
    return footprint(key, plan.facts, plan.cors.lines, plan.cors.reason) + _PLAN_BYTES


def _cost_of_edits(key: EditsKey, edits: ResponseEdits) -> int:
    """Return what edits cost with the plan and the facts that they may be the last to hold."""
    plan, facts = key
    return footprint(plan.facts, plan.cors.lines, plan.cors.reason, facts, edits, edits.added) + _PLAN_BYTES
