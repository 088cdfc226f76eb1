"""How a route addresses a server: Host, Origin, and whether its cookies need mending; what ``auto`` comes to, and why.

Pure. A server nearby (on this machine, in a private network, in the same Compose file) belongs to the developer and
sees what the browser sent, as if devproxy were not there. One in public is known by its own name alone: asked for
``localhost:8080`` it answers 404, and its cookies are for its own name and for HTTPS. So ``auto`` is ``keep`` for the
one and ``upstream`` for the other, decided by the name as it is written (:mod:`devproxy.authority.networks`), for each
server of an upstream separately. Start at :func:`addressing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devproxy.authority.hosts import DEFAULT_PORTS, bracketed
from devproxy.authority.networks import Whereabouts, whereabouts
from devproxy.config.model import CorsMode, Route, Scheme, ServerAddress

_JUDGED_BY_SERVER: Final = (CorsMode.PASSTHROUGH, CorsMode.FIX)
"""Modes in which the server's own words on CORS count: it has to see which page asks."""
_ON_A_SOCKET: Final = Whereabouts(False, "a Unix socket is on this machine")
_IN_A_FILE: Final = Whereabouts(False, "a recording is on this machine")


class Addressing(NamedTuple):
    """How a route addresses one server.

    ``host``: ``keep``, ``upstream`` or the value to send. ``origin``: these, or ``remove``. ``keeps_foreign_origin``:
    ``origin`` is for devproxy's own pages alone, and the Origin of others stays. ``is_public``: where the server is,
    and ``reason`` says why.
    """

    host: str
    origin: str
    keeps_foreign_origin: bool
    is_public: bool
    reason: str


def addressing(route: Route, server: ServerAddress) -> Addressing:
    """Return how `route` addresses `server`, one of its upstream's.

    An ``origin`` of ``auto`` is ``upstream`` where ``host`` comes to that because the server is a public one. A server
    that is sent another Host would find the two contradicting each other.
    """
    where = _IN_A_FILE if server.scheme is Scheme.RECORDING else _ON_A_SOCKET
    if server.has_port:
        where = whereabouts(server.host)
    host = route.host
    if host == "auto":
        host = "upstream" if where.is_public else "keep"
    origin, keeps_foreign = route.origin, False
    if origin == "auto":
        origin = "upstream" if where.is_public and host == "upstream" else "keep"
        keeps_foreign = origin == "upstream" and route.cors.mode in _JUDGED_BY_SERVER
    return Addressing(host, origin, keeps_foreign, where.is_public, where.reason)


def authority_of(server: ServerAddress) -> str:
    """Return the Host of `server`: without the port where that is the scheme's own.

    The zone of an address means something on this machine alone, so it goes nowhere (RFC 6874 section 4).
    """
    if not server.has_port:
        return "localhost"
    host = bracketed(server.host.partition("%")[0])
    return host if server.port == DEFAULT_PORTS[server.scheme] else f"{host}:{server.port}"


def web_origin_of(server: ServerAddress) -> str:
    """Return the web origin of the pages that `server` serves."""
    return f"{'https' if server.scheme is Scheme.HTTPS else 'http'}://{authority_of(server)}"


def addressing_text(route: Route, servers: Sequence[ServerAddress], *, is_full: bool) -> list[str]:
    """Return how `route` addresses `servers`, a clause for each of ``host`` and ``origin``, as tables show it.

    ``host: upstream (auto: api.example.com is a public name)``; of several servers each outcome with its reasons.
    `is_full`: also what comes to ``keep``, which changes nothing.
    """
    found = [addressing(route, server) for server in servers]
    host = _clause("host", route.host, [(one.host, one.reason) for one in found], is_full=is_full)
    origin = _clause("origin", route.origin, [(one.origin, _why_origin(one)) for one in found], is_full=is_full)
    return [clause for clause in (host, origin) if clause]


def _why_origin(one: Addressing) -> str:
    if one.is_public and one.host != "upstream":
        return "as host says"
    return f"{one.reason}; that of other pages stays, as cors says" if one.keeps_foreign_origin else one.reason


def _clause(name: str, written: str, outcomes: Sequence[tuple[str, str]], *, is_full: bool) -> str:
    if written != "auto":
        return f"{name}: {written}" if is_full or written != "keep" else ""
    reasons: dict[str, list[str]] = {}
    for value, reason in outcomes:
        known = reasons.setdefault(value, [])
        if reason not in known:
            known.append(reason)
    if not is_full and set(reasons) <= {"keep"}:
        return ""
    return f"{name}: " + ", ".join(f"{value} (auto: {'; '.join(why)})" for value, why in reasons.items())
