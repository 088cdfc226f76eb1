"""What is allowed in a configuration but deserves a word, with what to do about it. Pure. Start at :func:`warnings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from devproxy.authority.networks import is_loopback
from devproxy.config.cors import ANY_KEY, CREDENTIALS_KEY, NULL_KEY
from devproxy.config.labels import label
from devproxy.config.loose import looseness
from devproxy.config.model import (
    Config,
    Cors,
    CorsMode,
    Listen,
    PathKind,
    Route,
    Scheme,
    ServerAddress,
    Sticky,
)
from devproxy.realtime.hot_reload import PATHS, PREFIXES, HotReload
from devproxy.text.safe import visible

CHROMIUM_MAX_AGE_S: Final = 7200
"""Longest time for which Chromium remembers a preflight's answer (``PreflightResult``, kMaxTimeoutInSeconds)."""

_WILDCARD: Final = re.compile(r"(?<=/)(?:\*\*?(?=/|\Z)|:[A-Za-z_]\w*(?=/|\Z))|\*")
"""A segment that other tools take for any, or a star somewhere else in a path."""


def warnings(config: Config) -> tuple[str, ...]:
    """Return one sentence or two for each thing in `config` that a person should know; empty if there is nothing."""
    found: list[str] = []
    is_open = any(not is_loopback(listen.host) for listen in config.server.listen)
    for listen in config.server.listen:
        if not is_loopback(listen.host):
            where = f"every address (:{listen.port})" if not listen.host else f"{listen.host}:{listen.port}"
            found.append(
                f"listening on {where}: others on the network reach your servers through devproxy. "
                f'To keep it to this machine, write listen = "localhost:{listen.port}".'
            )
    if "*" in config.server.allowed_hosts:
        found.append(
            'allowed_hosts = ["*"] answers to every Host: any web site can make its own name lead here and read your '
            'servers (DNS rebinding). Name the hosts, for example allowed_hosts = ["app.test", ".ngrok.app"].'
        )
    for route in config.routes:
        found += _of_route(route, config.source, is_open=is_open)
    routed = {route.upstream for route in config.routes}
    for upstream in config.upstreams:
        name = visible(upstream.name)
        if upstream.name not in routed:
            found.append(f'no route goes to the upstream "{name}". Remove it, or add a route with upstream = "{name}".')
        found += (
            f'the upstream "{name}" is devproxy itself ({server.url}): requests would go round in circles. '
            "Name the port of your server, or listen on another one."
            for server in upstream.servers
            if any(_is_same(listen, server) for listen in config.server.listen)
        )
        # A session is kept with one of several processes, too, and those may share the address of a single server.
        if upstream.sticky is Sticky.COOKIE and len(upstream.servers) == 1:
            found.append(
                f'sticky = "{upstream.sticky}" says nothing for the upstream "{name}", which has one server. '
                "Remove it, or name more servers."
            )
    return (*found, *_taken_hot_reload(config))


def _of_route(route: Route, source: str, *, is_open: bool) -> Iterator[str]:
    """Give the sentences about `route` alone, of the file `source`. `is_open`: others on the network reach devproxy."""
    name, cors = label(route), route.cors
    if route.kind in (PathKind.PREFIX, PathKind.EXACT) and (wildcard := _WILDCARD.search(route.pattern)) is not None:
        yield (
            f"the route {name} takes `{wildcard[0]}` as it stands, not as a wildcard. "
            f"If it is meant as one, write {_with_wildcard(route, wildcard)}."
        )
    keys = [
        key
        for key, is_set in (
            (ANY_KEY, cors.dangerously_allow_any_origin),
            (NULL_KEY, cors.dangerously_allow_null_origin),
        )
        if is_set
    ]
    if keys:
        cookies = ", with your cookies" if cors.credentials else ""
        network = " Others on the network reach it as well." if is_open else ""
        yield (
            f"the route {name} has {' and '.join(keys)}: any web site can use it{cookies}.{network} To keep it to your "
            "own pages, name them in cors.origins."
        )
    elif cors.dangerously_with_credentials:
        yield (
            f"{CREDENTIALS_KEY} says nothing on the route {name}: it is the second key to {ANY_KEY} and {NULL_KEY}. "
            "Remove it."
        )
    if _opens_everything_to_forms(route):
        yield (
            f"form_post on the route {name}: browsers hide the origin of an https page from plain http, so every web "
            "site can post a form to all of this route. Write it in a route for the callback alone, by path_exact."
        )
    line = cors.line or route.line
    for pattern in (*(cors.origins or ()), *route.form_post):
        expression = pattern.removeprefix("regex:")
        if expression != pattern and (loose := looseness(expression)) is not None:
            yield (
                f"the origin `{visible(pattern)}` of the route {name} ({visible(source)}:{line}) means more than "
                f"it says: {loose[0]}. Instead, {loose[1]}."
            )
    if not route.guard:
        yield (
            f"guard = false on the route {name}: every web site that you visit can send it requests and open its "
            "WebSockets. To let only some in, remove it and name them in cors.origins."
        )
    if cors.max_age_s > CHROMIUM_MAX_AGE_S:
        yield (
            f"cors.max_age_s = {cors.max_age_s} on the route {name}: Chromium remembers preflights for at most "
            f"{CHROMIUM_MAX_AGE_S} s. Write max_age_s = {CHROMIUM_MAX_AGE_S}."
        )
    edits = route.response_headers
    past = [header for header, _ in (*edits.set, *edits.add) if header.lower().startswith("access-control-")]
    if past and cors.mode is not CorsMode.PASSTHROUGH:
        yield (
            f"headers.response puts {' and '.join(past)} beside what CORS does on the route {name}: a browser refuses "
            "the same header twice, and `*` with cookies. Say it in [routes.cors] instead."
        )
    if unused := _unused_in_mode(cors):
        says, them = ("says", "it") if len(unused) == 1 else ("say", "them")
        yield (
            f'{" and ".join(unused)} {says} nothing on the route {name}: with mode = "{cors.mode}" devproxy grants '
            f'nothing itself. Write mode = "rewrite", or remove {them}.'
        )


def _opens_everything_to_forms(route: Route) -> bool:
    hides = any(text.startswith(("https:", "regex:")) or text == "null" for text in route.form_post)
    return hides and route.guard and (route.kind, route.pattern) == (PathKind.PREFIX, "/")


def _with_wildcard(route: Route, wildcard: re.Match[str]) -> str:
    """Return the condition that the author of `route` had in mind."""
    if route.kind is PathKind.PREFIX and wildcard[0] in ("*", "**") and wildcard.end() == len(route.pattern):
        return f'path = "{route.pattern[: wildcard.start()]}"'
    below = "/**" if route.kind is PathKind.PREFIX else ""
    return f'path_glob = "{_WILDCARD.sub(_star, route.pattern).rstrip("/")}{below}"'


def _star(wildcard: re.Match[str]) -> str:
    return wildcard[0] if wildcard[0].startswith("*") else "*"


def _unused_in_mode(cors: Cors) -> list[str]:
    """Return the keys that were written although the mode makes no use of them. The guard uses ``origins`` in all."""
    if cors.mode not in (CorsMode.STRIP, CorsMode.PASSTHROUGH):
        return []
    default = Cors()
    names = ("credentials", "methods", "headers", "expose", "max_age_s", "allow_private_network")
    is_due = cors.dangerously_allow_any_origin or cors.dangerously_allow_null_origin
    return [
        f"cors.{name}"
        for name in names
        if getattr(cors, name) != getattr(default, name) and not (name == "credentials" and is_due)
    ]


def _taken_hot_reload(config: Config) -> Iterator[str]:
    """Give a sentence for each hot-reload socket that a broad route would take from whoever serves the page."""
    page = next((route for route in config.routes if route.kind is PathKind.PREFIX and route.pattern == "/"), None)
    if page is None:
        return
    for route in config.routes:
        if route.upstream == page.upstream or route.pattern == "/":
            continue
        taken = [path for path in (*PATHS, *PREFIXES) if _takes_broadly(route, path)]
        if taken:
            name, first = visible(page.upstream), taken[0].decode()
            condition = f'path = "{first}"' if taken[0] in PREFIXES else f'path_exact = "{first}"'
            others = f" and {len(taken) - 1} more" if taken[1:] else ""
            yield (
                f"the route {visible(route.pattern)} takes {first}{others} too, where dev servers open their "
                f'hot-reload socket: that socket goes to "{name}", which serves /. To keep it for this route, '
                f"give it a route of its own with {condition}."
            )


def _takes_broadly(route: Route, path: bytes) -> bool:
    """Tell whether `route` takes `path` without naming it."""
    if HotReload("", path).may_go_by(route.pattern):
        return False
    text = path.decode()
    if route.kind is PathKind.REGEX:
        return re.fullmatch(route.pattern, text) is not None
    if route.kind is PathKind.GLOB:
        return fnmatchcase(text, route.pattern)
    prefix = route.pattern.rstrip("/")
    return route.kind is PathKind.PREFIX and f"{text}/".startswith(f"{prefix}/")


def _is_same(listen: Listen, server: ServerAddress) -> bool:
    if server.scheme is Scheme.UNIX or server.port != listen.port or not is_loopback(server.host):
        return False
    hosts = {listen.host, server.host}
    return not listen.host or len(hosts) == 1 or "localhost" in hosts
