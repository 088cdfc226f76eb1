"""A configuration and what production is -> the site to write. Pure.

What is for development alone is left out here, for all targets, and said: trouble made on purpose, waiting for servers
that restart, what pages of this machine may read. Start at :func:`read_site`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from devproxy.authority.hosts import DEFAULT_PORTS, bracketed
from devproxy.authority.networks import is_loopback
from devproxy.authority.origins import Pattern, parse_pattern
from devproxy.config.addresses import parse_server
from devproxy.config.labels import fault_text, label
from devproxy.config.model import SYSTEM, Config, Cookies, PathKind, Route, Scheme, ServerAddress, Sticky, Upstream
from devproxy.config.places import source_of
from devproxy.config.problems import COMMAND_LINE
from devproxy.exporting.cross import cors_rule, foreign_origins
from devproxy.exporting.site import Pool, Rule, Site, Wanted, WebOrigin
from devproxy.policy.addressing import addressing, authority_of, web_origin_of
from devproxy.routing.table import RouteTable, stripped_prefix
from devproxy.text.bad import BadText
from devproxy.text.safe import quoted

_MAX_SLUG: Final = 20
EXAMPLE: Final = WebOrigin("https", "app.example.com", 443)
"""Stands for the origin of production where none is named."""


_UNKNOWN_SERVER: Final = ServerAddress(scheme=Scheme.HTTP, host="localhost", port=3001, url="http://localhost:3001")
"""Stands for the server of production where development has none."""


def parse_web_origin(text: str) -> WebOrigin:
    """Return the origin that `text` is: ``https://app.example.com``. Raises :class:`BadText`."""
    pattern = parse_pattern(text)
    if pattern.regex is not None or pattern.is_below or pattern.port == b"*":
        raise BadText(f"{quoted(text)} is a pattern, not one origin", "for example https://app.example.com")
    scheme = pattern.scheme.decode()
    if scheme not in ("http", "https"):
        raise BadText(f"a site is reached by http or https, not by {quoted(scheme)}")
    return WebOrigin(scheme, pattern.host.decode(), int(pattern.port or DEFAULT_PORTS[scheme]))


def read_site(config: Config, wanted: Wanted) -> Site:
    """Return what `config` is in production, which is `wanted`."""
    origins = wanted.origins or (EXAMPLE,)
    routes = RouteTable(config.routes).routes
    carriers = {route.upstream for route in routes if is_socketio(route, wanted.socketio_paths)}
    pools = _pools(config, routes, wanted, carriers)
    rules = tuple(
        _rule(number, route, config, pools[route.upstream], wanted, origins) for number, route in enumerate(routes, 1)
    )
    return Site(
        source="the command line" if config.source == COMMAND_LINE else file_name(config.source),
        slug=_name(origins[0].host.strip("[]"))[:_MAX_SLUG].rstrip("_"),
        origins=origins,
        is_assumed=not wanted.origins,
        pools=tuple(sorted(pools.values(), key=lambda pool: pool.name)),
        rules=rules,
        names=_names(origins, rules),
        server=config.server,
        notes=_notes(config, rules),
    )


def is_socketio(route: Route, paths: Collection[str] = ()) -> bool:
    """Tell whether `route` is that of Socket.IO: by its path, or because `paths` name it."""
    if route.pattern.rstrip("/") in {path.rstrip("/") for path in paths}:
        return True
    return "socket.io" in route.pattern.replace("\\", "").lower().split("/") or bool(
        re.search(r"(?:^|/)socket\.io(?:[/*?(]|$)", route.pattern.replace("\\", "").lower())
    )


# Pools


def _pools(config: Config, routes: Iterable[Route], wanted: Wanted, carriers: Collection[str]) -> dict[str, Pool]:
    """Return the servers of each upstream that a route uses, by its name. `carriers`: upstreams with Socket.IO."""
    servers = dict(wanted.servers)
    found: dict[str, Pool] = {}
    taken: set[str] = set()
    for name in sorted({route.upstream for route in routes}):
        upstream = config.upstream(name)
        own = _name(name)
        while own in taken:
            own += "_"
        taken.add(own)
        found[name] = _pool(own, upstream, servers.get(name, ()), carries_socketio=name in carriers)
    return found


def _pool(name: str, upstream: Upstream, named: tuple[ServerAddress, ...], *, carries_socketio: bool) -> Pool:
    servers = named or upstream.servers
    notes: list[str] = []
    if any(server.scheme is Scheme.RECORDING for server in servers):
        servers = (_UNKNOWN_SERVER,)
        notes.append(f"In development a recording answers ({upstream.recording}): name the server with --server.")
    if servers[0].scheme is Scheme.RECORDING:
        servers = (parse_server(3001),)
        notes.append(f"In development the recording {upstream.recording} answers here: put the server's own address.")
    sticky = upstream.sticky
    if len(servers) > 1 and sticky is Sticky.NONE and carries_socketio:
        sticky = Sticky.SOCKETIO
        notes.append("The file has no `sticky` here; Socket.IO with several servers needs it.")
    if len(servers) == 1 and sticky is Sticky.SOCKETIO:
        notes.append(
            "Several processes behind one address: no proxy can choose one of them. Give each its own port and list "
            "them all as servers, or use @socket.io/sticky (PM2: @socket.io/pm2)."
        )
    if len({server.scheme for server in servers} - {Scheme.UNIX}) > 1:
        notes.append("Some servers speak https and others http, which is written for the first one's scheme alone.")
    if upstream.proxy is not None:
        notes.append(f"These servers are reached through the proxy {upstream.proxy.url} in development; here directly.")
    if not upstream.tls_verify and any(server.scheme is Scheme.HTTPS for server in servers):
        notes.append("The certificate is not checked (tls_verify = false): better trust its authority.")
    return Pool(
        name,
        upstream,
        servers,
        sticky,
        not named and any(server.has_port and is_loopback(server.host) for server in servers),
        tuple(notes),
    )


def trusts_system(upstream: Upstream) -> bool:
    """Tell whether the authorities that this machine trusts are those of `upstream`."""
    return SYSTEM in upstream.tls_ca


def authority_files(upstream: Upstream) -> tuple[str, ...]:
    """Return the files and folders of authorities that `upstream` names."""
    return tuple(path for path in upstream.tls_ca if path != SYSTEM)


def host_of(server: ServerAddress) -> str:
    """Return the host to connect to: an address for ``localhost``, which other proxies take for one family only."""
    return "127.0.0.1" if server.host == "localhost" else bracketed(server.host)


# Rules


def _rule(
    number: int, route: Route, config: Config, pool: Pool, wanted: Wanted, origins: tuple[WebOrigin, ...]
) -> Rule:
    index = config.routes.index(route)
    place = _place(config, "routes", index)
    socketio = is_socketio(route, wanted.socketio_paths)
    server = pool.servers[0]
    sent = addressing(route, server)
    host = authority_of(server) if sent.host == "upstream" else sent.host
    origin = web_origin_of(server) if sent.origin == "upstream" else sent.origin
    cors_place = _place(config, "routes", index, "cors") if route.cors.line else ""
    return Rule(
        number=number,
        route=route,
        label=label(route),
        place=place,
        pool=pool,
        is_socketio=socketio,
        cors=cors_rule(route, cors_place, is_socketio=socketio),
        host=host,
        origin=origin,
        prefix=stripped_prefix(route).decode(),
        welcome=_welcome(route, origins) if route.guard else None,
        notes=_rule_notes(route, pool, is_own_host=sent.host == "upstream"),
    )


def _place(config: Config, *path: str | int) -> str:
    """Return where something was said, without the folder: the same wherever the command is run."""
    source = source_of(config, *path)
    if source is None:
        return ""
    return source.key if source.line is None else f"{file_name(source.file)}:{source.line}"


def file_name(path: str) -> str:
    """Return the last part of `path`."""
    return path.replace("\\", "/").rpartition("/")[2]


def _welcome(route: Route, origins: tuple[WebOrigin, ...]) -> tuple[Pattern, ...] | None:
    """Return the origins whose pages may open a WebSocket: the site's own, and those that the policy welcomes."""
    if route.cors.dangerously_allow_any_origin:
        return None
    own = tuple(parse_pattern(origin.text) for origin in origins)
    return tuple(dict.fromkeys((*own, *foreign_origins(route.cors))))


def _rule_notes(route: Route, pool: Pool, *, is_own_host: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if fault := fault_text(route.fault):
        notes.append(f"Left out, because it is for development: fault ({fault}).")
    if is_own_host and pool.is_several and len({authority_of(server) for server in pool.servers}) > 1:
        notes.append("Each server is sent the Host of the first one.")
    if route.cookies != Cookies():
        changed = [key for key in ("domain", "secure", "same_site", "prefix") if _is_set(route, key)]
        if changed:
            notes.append(f"Not carried over: cookies.{', cookies.'.join(changed)}. Let the server set them right.")
    if route.kind is PathKind.REGEX and "%" in route.pattern:
        notes.append("Percent-encoding in the expression is compared with the decoded path here.")
    return tuple(notes)


def _is_set(route: Route, key: str) -> bool:
    default = getattr(Cookies(), key)
    return bool(getattr(route.cookies, key) != default or (key == "domain" and route.cookies.domain_map))


def _names(origins: tuple[WebOrigin, ...], rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return every host that the site answers to: those of its origins, and those that a route asks for."""
    asked = sorted({host for rule in rules for host in rule.route.match_host})
    return tuple(dict.fromkeys((*(origin.host for origin in origins), *asked)))


def _notes(config: Config, rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """Return what is for development, and what the server has to do itself."""
    notes = [
        (
            "what is for development: programs ([run]), waiting for servers that restart (hold_s), faults, recordings, "
            "the inspector, the check of the Host, and that pages of this machine may read answers."
        ),
    ]
    if any(rule.route.form_post for rule in rules):
        notes.append("form_post: whose pages may post a form is the application's affair.")
    if config.server.tls not in (False, True):
        notes.append("the certificate of [server] tls: it is for development.")
    return tuple(notes)


def _name(text: str) -> str:
    """Return `text` in letters, digits and ``_`` alone, beginning with a letter."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "site"
    return name if name[0].isalpha() else f"at_{name}"
