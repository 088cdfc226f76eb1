"""What is exported, whatever it is written for: the site in production, its servers, and the rules of each route.

Values alone. :mod:`devproxy.exporting.reading` makes them of a configuration; one module for each target writes them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from devproxy.authority.hosts import DEFAULT_PORTS
from devproxy.authority.networks import is_loopback
from devproxy.authority.origins import Pattern
from devproxy.config.model import Route, Scheme, Server, ServerAddress, Sticky, Upstream


class WebOrigin(NamedTuple):
    """Where browsers reach the site. ``scheme``: http or https. ``host``: IPv6 in brackets."""

    scheme: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """The origin as a browser writes it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """The Host that a browser sends: without the port where that is the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host.strip("[]"))


class Wanted(NamedTuple):
    """What production is, as far as the command line says.

    ``origins``: where the site is reached, the main one first; empty: not said. ``servers``: those of production, by
    the name of the upstream. ``socketio_paths``: paths of Socket.IO besides those that have it in their name.
    """

    origins: tuple[WebOrigin, ...] = ()
    servers: tuple[tuple[str, tuple[ServerAddress, ...]], ...] = ()
    socketio_paths: tuple[str, ...] = ()


class Pool(NamedTuple):
    """The servers of an upstream. ``name``: made of letters, digits and ``_`` alone, unlike that of any other pool.

    ``is_assumed``: the servers are those of development, and have to be replaced. ``sticky``: what keeps a client at
    its server, where there are several. ``notes``: what could not be carried over, whatever the target.
    """

    name: str
    upstream: Upstream
    servers: tuple[ServerAddress, ...]
    sticky: Sticky
    is_assumed: bool
    notes: tuple[str, ...] = ()

    @property
    def is_several(self) -> bool:
        """Whether there is more than one server, so that one has to be chosen."""
        return len(self.servers) > 1

    @property
    def is_tls(self) -> bool:
        """Whether the servers speak HTTPS."""
        return self.servers[0].scheme is Scheme.HTTPS


class CorsKind(StrEnum):
    """What the proxy does about CORS on a route."""

    NONE = "none"
    """Nothing: what the server sends passes."""
    OWN = "own"
    """Nothing, because Socket.IO sets its own headers."""
    HIDE = "hide"
    """The server's headers are removed."""
    ALLOW = "allow"
    """The server's headers are replaced by those of the policy, and preflights are answered."""


class CorsPolicy(NamedTuple):
    """Which pages of other origins may read, in production. ``methods`` and ``headers``: None for whatever is asked.

    ``origins``: without those of this machine. ``is_any``: every origin but ``null``, which ``is_null`` lets in.
    """

    origins: tuple[Pattern, ...]
    is_any: bool
    is_null: bool
    credentials: bool
    methods: tuple[str, ...] | None
    headers: tuple[str, ...] | None
    expose: tuple[str, ...]
    max_age_s: int

    @property
    def exact(self) -> tuple[str, ...]:
        """The origins that are written out."""
        return tuple(one.text for one in self.origins if is_exact(one))

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The origins that are not."""
        return tuple(one for one in self.origins if not is_exact(one))


def is_exact(pattern: Pattern) -> bool:
    """Tell whether `pattern` is one origin."""
    return pattern.regex is None and not pattern.is_below and pattern.port != b"*"


class CorsRule(NamedTuple):
    """What happens about CORS on a route, and ``why``, in whole sentences. ``policy``: with ``ALLOW`` and ``OWN``."""

    kind: CorsKind
    why: str
    policy: CorsPolicy | None = None


class Rule(NamedTuple):
    """One route of the configuration, in production. ``number``: its place in the order of precedence, from 1.

    ``place``: where it was written, empty for nowhere. ``host`` and ``origin``: ``keep``, or what is sent; the latter
    may be ``remove``. ``prefix``: what the route cuts off, for ``X-Forwarded-Prefix``. ``welcome``: the origins whose
    pages may open a WebSocket, None for all. ``notes``: what could not be carried over, whatever the target.
    """

    number: int
    route: Route
    label: str
    place: str
    pool: Pool
    is_socketio: bool
    cors: CorsRule
    host: str
    origin: str
    prefix: str
    welcome: tuple[Pattern, ...] | None
    notes: tuple[str, ...]

    @property
    def is_conditional(self) -> bool:
        """Whether it looks at more than the path."""
        return bool(self.route.methods or self.route.match_host or self.route.match_headers)


class Site(NamedTuple):
    """All of it. ``is_assumed``: ``origins`` is an example that has to be replaced. ``rules``: in order of precedence.

    ``slug``: a name for the site, of letters, digits and ``_``. ``names``: the hosts that it answers to, those of its
    origins and those of ``match_host`` (``*.name``: all below); IPv6 in brackets.
    """

    source: str
    slug: str
    origins: tuple[WebOrigin, ...]
    is_assumed: bool
    pools: tuple[Pool, ...]
    rules: tuple[Rule, ...]
    names: tuple[str, ...]
    server: Server
    notes: tuple[str, ...]

    @property
    def needs_replacing(self) -> bool:
        """Whether something in it stands for a value of production."""
        return self.is_assumed or any(pool.is_assumed for pool in self.pools)

    @property
    def is_https(self) -> bool:
        """Whether browsers reach it by https."""
        return any(origin.scheme == "https" for origin in self.origins)

    @property
    def plain_hosts(self) -> tuple[str, ...]:
        """The names that are no patterns, IPv6 without brackets."""
        return tuple(name.strip("[]") for name in self.names if not name.startswith("*."))

    @property
    def socketio_rules(self) -> tuple[Rule, ...]:
        """The routes of Socket.IO."""
        return tuple(rule for rule in self.rules if rule.is_socketio)
