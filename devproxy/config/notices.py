"""What is allowed in a configuration but deserves a word, with what to do about it. Pure. Start at :func:`warnings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from devproxy.authority.networks import is_loopback
from devproxy.config.cors import ANY_KEY, CREDENTIALS_KEY, NULL_KEY
from devproxy.config.labels import label
from devproxy.config.loose import looseness
from devproxy.config.model import (
    SYSTEM,
    Config,
    Cors,
    CorsMode,
    Listen,
    PathKind,
    Route,
    Scheme,
    ServerAddress,
    Sticky,
    Upstream,
)
from devproxy.config.places import place_of
from devproxy.config.problems import Path
from devproxy.realtime.hot_reload import PATHS, PREFIXES, HotReload
from devproxy.text.safe import visible

CHROMIUM_MAX_AGE_S: Final = 7200
"""Longest time for which Chromium remembers a preflight's answer (``PreflightResult``, kMaxTimeoutInSeconds)."""

_WILDCARD: Final = re.compile(r"(?<=/)(?:\*\*?(?=/|\Z)|:[A-Za-z_]\w*(?=/|\Z))|\*")
"""A segment that other tools take for any, or a star somewhere else in a path."""


class Notice(NamedTuple):
    """One sentence or two that a person should know.

    ``path``: of what it is about, as in the file. ``place``: where that was said; empty for nowhere.
    """

    path: Path
    sentence: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence


def warnings(config: Config) -> tuple[str, ...]:
    """Return what a person should know about `config`, each with its place; empty if there is nothing."""
    return tuple(str(notice) for notice in notices(config))


def notices(config: Config) -> tuple[Notice, ...]:
    """Return what a person should know about `config`; empty if there is nothing."""
    return tuple(notice._replace(place=place_of(config, *notice.path)) for notice in _found(config))


def _found(config: Config) -> Iterator[Notice]:
    """Give each, without its place."""
    is_open = any(not is_loopback(listen.host) for listen in config.server.listen)
    for listen in config.server.listen:
        if not is_loopback(listen.host):
            where = f"every address (:{listen.port})" if not listen.host else f"{listen.host}:{listen.port}"
            yield Notice(
                ("server", "listen"),
                f"listening on {where}: others on the network can reach your servers through devproxy. "
                f'To keep it to this machine, write listen = "localhost:{listen.port}".',
            )
    if "*" in config.server.allowed_hosts:
        yield Notice(
            ("server", "allowed_hosts"),
            'allowed_hosts = ["*"] allows every Host: any web site can point its own name at this machine and read '
            'your servers (DNS rebinding). Name the hosts, for example allowed_hosts = ["app.test", ".ngrok.app"].',
        )
    for index, route in enumerate(config.routes):
        for notice in _of_route(route, is_open=is_open):
            yield notice._replace(path=("routes", index, *notice.path))
    routed = {route.upstream for route in config.routes}
    for upstream in config.upstreams:
        name, path = visible(upstream.name), ("upstreams", upstream.name)
        if upstream.name not in routed:
            yield Notice(
                path, f'no route goes to the upstream "{name}". Remove it, or add a route with upstream = "{name}".'
            )
        for index, server in enumerate(upstream.servers):
            if any(_is_same(listen, server) for listen in config.server.listen):
                yield Notice(
                    (*path, "servers", index),
                    f'the upstream "{name}" is devproxy itself ({server.url}): requests would loop. '
                    "Name the port of your server, or listen on another one.",
                )
        # A session is kept with one of several processes, too, and those may share the address of a single server.
        if upstream.sticky is Sticky.COOKIE and len(upstream.servers) == 1:
            yield Notice(
                (*path, "sticky"),
                f'sticky = "{upstream.sticky}" has no effect on the upstream "{name}": it has only one server. '
                "Remove it, or name more servers.",
            )
        yield from _of_tls(upstream)
    yield from _taken_hot_reload(config)


def _of_tls(upstream: Upstream) -> Iterator[Notice]:
    """Give a sentence for each key about TLS that has no effect on `upstream`."""
    name, path = visible(upstream.name), ("upstreams", upstream.name)
    written = {"tls_ca": upstream.tls_ca != (SYSTEM,), "tls_cert": upstream.tls_cert != ""}
    keys = [key for key, is_written in written.items() if is_written]
    if keys and not any(server.scheme is Scheme.HTTPS for server in upstream.servers):
        yield Notice(
            (*path, keys[0]),
            f'{" and ".join(keys)} {"has" if len(keys) == 1 else "have"} no effect on the upstream "{name}": none of '
            "its servers is spoken to by https. Write https:// in their URLs, or remove the key.",
        )
    elif "tls_ca" in keys and not upstream.tls_verify:
        yield Notice(
            (*path, "tls_ca"),
            f'tls_ca has no effect on the upstream "{name}": with tls_verify = false any certificate is accepted. '
            "Remove tls_verify, so that what tls_ca names is trusted and nothing else.",
        )


def _of_route(route: Route, *, is_open: bool) -> Iterator[Notice]:
    """Give the sentences about `route` alone, by their paths in it. `is_open`: others on the network reach devproxy."""
    name, cors = label(route), route.cors
    if route.kind in (PathKind.PREFIX, PathKind.EXACT) and (wildcard := _WILDCARD.search(route.pattern)) is not None:
        yield Notice(
            (route.kind.value,),
            f"the route {name} matches `{wildcard[0]}` literally, not as a wildcard. "
            f"If you mean a wildcard, write {_with_wildcard(route, wildcard)}.",
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
        network = " Others on the network can reach it too." if is_open else ""
        yield Notice(
            ("cors", keys[0]),
            f"the route {name} has {' and '.join(keys)}: any web site can use it{cookies}.{network} To keep it to your "
            "own pages, name them in cors.origins.",
        )
    elif cors.dangerously_with_credentials:
        yield Notice(
            ("cors", CREDENTIALS_KEY),
            f"{CREDENTIALS_KEY} has no effect on the route {name} without {ANY_KEY} or {NULL_KEY}. Remove it.",
        )
    if _opens_everything_to_forms(route):
        yield Notice(
            ("form_post",),
            f"form_post on the route {name}: browsers hide the origin of an https page from plain http, so every web "
            "site can post a form to all of this route. Write it in a route for the callback alone, by path_exact.",
        )
    origins = [(("cors", "origins"), pattern) for pattern in cors.origins or ()]
    for key, pattern in [*origins, *((("form_post",), pattern) for pattern in route.form_post)]:
        expression = pattern.removeprefix("regex:")
        if expression != pattern and (loose := looseness(expression)) is not None:
            yield Notice(
                key,
                f"the origin `{visible(pattern)}` of the route {name} allows more than it seems to: {loose[0]}. "
                f"Instead, {loose[1]}.",
            )
    if not route.guard:
        yield Notice(
            ("guard",),
            f"guard = false on the route {name}: every web site that you visit can send it requests and open its "
            "WebSockets. To let only some in, remove it and name them in cors.origins.",
        )
    if cors.max_age_s > CHROMIUM_MAX_AGE_S:
        yield Notice(
            ("cors", "max_age_s"),
            f"cors.max_age_s = {cors.max_age_s} on the route {name}: Chromium remembers preflights for at most "
            f"{CHROMIUM_MAX_AGE_S} s. Write max_age_s = {CHROMIUM_MAX_AGE_S}.",
        )
    edits = route.response_headers
    past = [header for header, _ in (*edits.set, *edits.add) if header.lower().startswith("access-control-")]
    if past and cors.mode is not CorsMode.PASSTHROUGH:
        yield Notice(
            ("headers", "response"),
            f"headers.response adds {' and '.join(past)} to what CORS sets on the route {name}: a browser refuses "
            "the same header twice, and `*` with cookies. Write it in [routes.cors] instead.",
        )
    if unused := _unused_in_mode(cors):
        has, them = ("has", "it") if len(unused) == 1 else ("have", "them")
        yield Notice(
            ("cors", "mode"),
            f'{" and ".join(unused)} {has} no effect on the route {name}: with mode = "{cors.mode}" devproxy grants '
            f'nothing itself. Write mode = "rewrite", or remove {them}.',
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


def _taken_hot_reload(config: Config) -> Iterator[Notice]:
    """Give a sentence for each hot-reload socket that a broad route would take from the upstream that serves the
    page."""
    page = next((route for route in config.routes if route.kind is PathKind.PREFIX and route.pattern == "/"), None)
    if page is None:
        return
    for index, route in enumerate(config.routes):
        if route.upstream == page.upstream or route.pattern == "/":
            continue
        taken = [path for path in (*PATHS, *PREFIXES) if _takes_broadly(route, path)]
        if taken:
            name, first = visible(page.upstream), taken[0].decode()
            condition = f'path = "{first}"' if taken[0] in PREFIXES else f'path_exact = "{first}"'
            others = f" and {len(taken) - 1} more" if taken[1:] else ""
            yield Notice(
                ("routes", index),
                f"the route {visible(route.pattern)} matches {first}{others} too, where dev servers open their "
                f'hot-reload socket: that socket goes to "{name}", which serves /. To keep it for this route, '
                f"give it a route of its own with {condition}.",
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
    if not server.has_port or server.port != listen.port or not is_loopback(server.host):
        return False
    if not server.port:  # the system chooses the one, and a program the other
        return False
    hosts = {listen.host, server.host}
    return not listen.host or len(hosts) == 1 or "localhost" in hosts
