"""The configuration as values. Built only by :func:`devproxy.config.load`; no behaviour here.

Units are in the names. Every key's type, default and meaning stands once, in ``devproxy.config.keys``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_TARGET_BYTES: Final = 1 << 20
"""What ``max_target_bytes`` can be at most."""


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


class Preflight(StrEnum):
    """Who answers CORS preflights."""

    ANSWER = "answer"
    FORWARD = "forward"
    FORWARD_OR_ANSWER = "forward-or-answer"


class Sticky(StrEnum):
    """What keeps a client at the server that it began with."""

    NONE = "none"
    SOCKETIO = "socketio"
    COOKIE = "cookie"


class SecureRule(StrEnum):
    """What becomes of a cookie's ``Secure``; ``AUTO`` follows the scheme of the front."""

    KEEP = "keep"
    AUTO = "auto"
    ALWAYS = "true"
    NEVER = "false"


class SameSiteRule(StrEnum):
    """What becomes of a cookie's ``SameSite``; ``AUTO``: what a browser accepts on the front's scheme."""

    KEEP = "keep"
    AUTO = "auto"
    STRICT = "strict"
    LAX = "lax"
    NONE = "none"


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
    sticky: Sticky = Sticky.NONE
    hold_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdits:
    """Fields to remove, then to set (replacing all of that name), then to add; names keep the case as written."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """The CORS policy of a route.

    ``origins``: patterns as normalised when they were read; None: every loopback origin (http and https; ``localhost``,
    ``*.localhost``, 127.0.0.1 and [::1]; any port). ``methods`` and ``headers``: ``*`` among them allows what is asked
    for. ``line``: where the policy stands in its file, 1-based; 0 when nothing was written.
    """

    mode: CorsMode = CorsMode.REWRITE
    origins: tuple[str, ...] | None = None
    credentials: bool = True
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ("*",)
    expose: tuple[str, ...] = ()
    max_age_s: int = 600
    preflight: Preflight = Preflight.ANSWER
    allow_private_network: bool = False
    dangerously_allow_null_origin: bool = False
    dangerously_allow_any_origin: bool = False
    dangerously_with_credentials: bool = False
    line: int = 0


KEEP_DOMAIN: Final = "keep"
"""Leaves a cookie's Domain as it is. No browser takes a Domain of one label that is not the host itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """What becomes of the ``Set-Cookie`` lines of a route's responses.

    ``domain``, ``secure`` and ``same_site`` are None where nothing is written: the attribute stays as it is, but is
    repaired where a public server set it. ``domain``: ``keep`` leaves the attribute, ``""`` removes it, else its new
    value; ``domain_map``: new values by old ones (lower case, no leading dot), which go first. ``maps_path``: a Path
    below what the route's prefix is replaced by comes back below the prefix. ``prefix``: put before every name on the
    way down, taken off on the way up.
    """

    domain: str | None = None
    domain_map: tuple[tuple[str, str], ...] = ()
    maps_path: bool = True
    secure: SecureRule | None = None
    same_site: SameSiteRule | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble made on purpose. All zero: none.

    ``error_rate``: the share of requests, 0 to 1, that are answered with ``error_status`` instead of being forwarded.
    ``drop_after_s``: the age at which a tunnel is reset. ``seed``: of the choice which requests fail.
    """

    latency_ms: float = 0.0
    error_rate: float = 0.0
    error_status: int = 503
    refuse_upgrade: bool = False
    drop_after_s: float = 0.0
    bandwidth_kib_s: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which requests, to which upstream, under which rules.

    ``host`` and ``origin``: ``auto``, ``keep``, ``upstream``, ``remove`` (origin only), or the value to send.
    ``rewrite``: what the matched prefix is replaced by; ``strip_prefix`` is ``rewrite = "/"``, so None means neither.
    ``guard``: requests from foreign web sites are refused. ``form_post``: patterns of origins whose pages may post a
    form here all the same, ``null`` for those that hide theirs. ``maps_redirects``: ``Location`` and its like that
    point at an upstream come back to the one origin. ``line``: where the route starts in its file, 1-based; 0 when it
    came from the command line.
    """

    kind: PathKind
    pattern: str
    upstream: str
    methods: tuple[str, ...] = ()
    match_host: tuple[str, ...] = ()
    match_headers: tuple[tuple[str, str], ...] = ()
    host: str = "auto"
    origin: str = "auto"
    rewrite: str | None = None
    cors: Cors = Cors()
    guard: bool = True
    form_post: tuple[str, ...] = ()
    maps_redirects: bool = True
    cookies: Cookies = Cookies()
    fault: Fault = Fault()
    request_headers: HeaderEdits = field(default_factory=HeaderEdits)
    response_headers: HeaderEdits = field(default_factory=HeaderEdits)
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How devproxy itself listens.

    ``allowed_hosts``: lower case; ``.name`` is the name and all below it, ``*`` any. ``trusted_proxies``: ``loopback``,
    ``private``, and networks as ``ipaddress`` writes them. A time-out of 0 means none; sizes are octets, 0
    ``max_body_bytes`` is no limit.
    """

    listen: tuple[Listen, ...] = (Listen(host="localhost", port=8080),)
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ("loopback",)
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
