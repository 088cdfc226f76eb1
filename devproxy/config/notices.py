"""What is allowed in a configuration but deserves a word, with what to do about it. Pure. Start at :func:`warnings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from devproxy.config.model import Config, Listen, PathKind, Route, Scheme, ServerAddress
from devproxy.config.problems import visible
from devproxy.hmr import PATHS, PREFIXES

_LOOPBACK_NAMES: Final = ("localhost", "::1")


def warnings(config: Config) -> tuple[str, ...]:
    """Return one sentence or two for each thing in `config` that a person should know; empty if there is nothing."""
    found: list[str] = []
    for listen in config.server.listen:
        if not is_loopback(listen.host):
            where = f"every address (:{listen.port})" if not listen.host else f"{listen.host}:{listen.port}"
            found.append(
                f"listening on {where}: others on the network reach your servers through devproxy. "
                f'To keep it to this machine, write listen = "localhost:{listen.port}".'
            )
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
    return (*found, *_taken_hot_reload(config))


def _taken_hot_reload(config: Config) -> Iterator[str]:
    """Give a sentence for each hot-reload socket that a broad route would take from whoever serves the page."""
    page = next((route for route in config.routes if route.kind is PathKind.PREFIX and route.pattern == "/"), None)
    if page is None:
        return
    for route in config.routes:
        if route.upstream == page.upstream or route.pattern == "/":
            continue
        taken = [path for path in map(bytes.decode, (*PATHS, *PREFIXES)) if _takes_broadly(route, path)]
        if taken:
            name, first = visible(page.upstream), taken[0]
            yield (
                f"the route {visible(route.pattern)} takes {' and '.join(taken)} too, where dev servers open their "
                f'hot-reload socket: that socket goes to "{name}", which serves /. To keep it for this route, '
                f'give it a route of its own with path_exact = "{first}".'
            )


def _takes_broadly(route: Route, path: str) -> bool:
    """Tell whether `route` takes `path` without naming it."""
    if route.kind is PathKind.REGEX:
        return re.fullmatch(route.pattern, path) is not None
    if route.kind is PathKind.GLOB:
        return fnmatchcase(path, route.pattern)
    prefix = route.pattern.rstrip("/")
    is_below = route.kind is PathKind.PREFIX and (path + "/").startswith(prefix + "/")
    return is_below and route.pattern not in (path, path.rstrip("/"))


def is_loopback(host: str) -> bool:
    """Tell whether `host`, as in :class:`~devproxy.config.model.Listen`, is reached from this machine only."""
    return host in _LOOPBACK_NAMES or host.endswith(".localhost") or (host.startswith("127.") and host.count(".") == 3)


def _is_same(listen: Listen, server: ServerAddress) -> bool:
    if server.scheme is Scheme.UNIX or server.port != listen.port or not is_loopback(server.host):
        return False
    hosts = {listen.host, server.host}
    return not listen.host or len(hosts) == 1 or "localhost" in hosts
