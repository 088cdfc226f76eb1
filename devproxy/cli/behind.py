"""A URL that leads past devproxy, to a server of an upstream, and the one that does not. For ``explain``.

Start at :func:`place_behind`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from devproxy.authority.hosts import authority, bracketed
from devproxy.cli.typed_request import Target
from devproxy.config.model import Config
from devproxy.console.style import Style
from devproxy.http.fields import read_field
from devproxy.policy.location import compile_locations, map_back
from devproxy.routing.table import label
from devproxy.text.safe import visible


def own_scheme(config: Config) -> str:
    """Return the scheme by which browsers come to devproxy."""
    return "http" if config.server.tls is False else "https"


def own_authority(config: Config) -> str:
    """Return the authority by which a browser asks for a path alone: where devproxy listens first."""
    listen = config.server.listen[0]
    host = bracketed(listen.host or "localhost")
    return host if listen.port in (0, 80) else f"{host}:{listen.port}"


class Place(NamedTuple):
    """A server of an upstream that was asked for by its own address.

    ``upstream``: its name; ``asked``: the address. ``target``: what to ask devproxy for instead. ``why``: that there.
    """

    upstream: str
    asked: str
    target: Target
    why: str

    def lines(self, style: Style) -> Iterator[str]:
        """Say what was asked for, and what to ask for instead."""
        target = self.target
        scheme = target.scheme.replace("http", "ws") if target.is_websocket else target.scheme
        whose = f"a server of upstream {visible(self.upstream)} itself"
        yield style.red(f"{visible(self.asked)} is not devproxy: it is {whose}")
        yield "What a page asks there passes devproxy by, and so do all its rules."
        yield f"{style.cyan('help:')} ask devproxy: {visible(f'{scheme}://{target.authority}{target.path}')}"
        yield style.dim(f"{visible(self.why)}; that request is what follows")


def place_behind(config: Config, target: Target, front: str) -> Place | None:
    """Return the server of an upstream at which `target` is, past devproxy; None where it is at none.

    `front`: the authority by which browsers ask devproxy.
    """
    own = [front, *(authority(listen.host, listen.port) for listen in config.server.listen)]
    if not target.authority or target.authority in own:
        return None
    scheme = own_scheme(config)
    origin = f"{scheme}://{front}"
    url = f"{target.scheme}://{target.authority}"
    field = read_field(f"Location: {url}{target.path}".encode("utf-8", "surrogateescape"))
    best: Place | None = None
    for route in config.routes:
        repair = map_back(compile_locations(config, route), field, front=origin.encode())
        found = None if repair is None else read_field(repair.line).value.decode("utf-8", "surrogateescape")
        if repair is None or found is None or not found.startswith(origin):
            continue
        path = found.removeprefix(origin)
        mapped = Target(scheme, front, path, target.is_websocket)
        why = "; ".join(repair.reasons)
        if best is None or f"route {label(route)} leads there" in why:
            best = Place(route.upstream, url, mapped, why)
    return best
