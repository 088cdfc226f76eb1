"""The configuration as values. Built only by :func:`devproxy.config.load`; no behaviour here.

Units are in the names. Every key's type, default and meaning stands once, in ``devproxy.config.keys``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class PathKind(StrEnum):
    """How a route's path pattern is compared with the raw path of a request (without its query)."""

    EXACT = "path_exact"
    PREFIX = "path"
    GLOB = "path_glob"
    REGEX = "path_regex"


class CorsMode(StrEnum):
    """What becomes of a response's ``Access-Control-*`` fields."""

    PASSTHROUGH = "passthrough"
    STRIP = "strip"
    REWRITE = "rewrite"
    FIX = "fix"


class Scheme(StrEnum):
    """How a server is spoken to."""

    HTTP = "http"
    HTTPS = "https"
    UNIX = "unix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on: ``host`` is a name, an IP address or ``""`` for all; port 0: the system's choice."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One server of an upstream. ``url``: as shown to people. ``path``: of the socket, for ``unix`` only."""

    scheme: Scheme
    host: str
    port: int
    url: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A named set of servers that answer alike."""

    name: str
    servers: tuple[ServerAddress, ...]
    tls_verify: bool = True
    connect_timeout_s: float = 5.0
    response_timeout_s: float = 0.0
    idle_timeout_s: float = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits:
    """Fields to remove, then to set (replacing all of that name), then to add; names keep the case as written."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which requests, to which upstream, under which rules.

    ``host`` and ``origin``: ``keep``, ``upstream``, ``remove`` (origin only), or the value to send.
    ``rewrite``: what the matched prefix is replaced by; ``strip_prefix`` is ``rewrite = "/"``, so None means neither.
    ``line``: where the route starts in its file, 1-based; 0 when it came from the command line.
    """

    kind: PathKind
    pattern: str
    upstream: str
    methods: tuple[str, ...] = ()
    match_host: tuple[str, ...] = ()
    match_headers: tuple[tuple[str, str], ...] = ()
    host: str = "keep"
    origin: str = "keep"
    rewrite: str | None = None
    cors: CorsMode = CorsMode.STRIP
    request_headers: HeaderEdits = field(default_factory=HeaderEdits)
    response_headers: HeaderEdits = field(default_factory=HeaderEdits)
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How devproxy itself listens. A time-out of 0 means none; sizes are octets, 0 ``max_body_bytes`` is no limit."""

    listen: tuple[Listen, ...] = (Listen(host="localhost", port=8080),)
    drain_s: float = 3.0
    head_timeout_s: float = 10.0
    idle_timeout_s: float = 75.0
    tunnel_idle_timeout_s: float = 0.0
    max_target_bytes: int = 32768
    max_head_bytes: int = 65536
    max_fields: int = 256
    max_body_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole, valid configuration. Every route's upstream exists. ``source``: the file's path, or "command line"."""

    server: Server
    upstreams: tuple[Upstream, ...]
    routes: tuple[Route, ...]
    source: str = "command line"
