"""Places that an upstream names in a response, brought back to the one origin. Pure.

Owns ``Location`` and ``Content-Location`` (RFC 9110 sections 10.2.2 and 8.7), ``Refresh`` (HTML, "shared declarative
refresh steps") and ``Link`` (RFC 8288). A redirect to ``http://localhost:3001/x`` would make a browser leave the origin
that devproxy gives it, and with it cookies, CORS and the guard. Never touches a body, follows a redirect, or changes a
place that is certainly not an upstream's: that one passes byte for byte. What is changed:

- an absolute reference to a server of any upstream gets the front's origin, and the path under which a route leads
  there. ``localhost``, its addresses and the unspecified ones are one host, since servers name themselves by any of
  them. The scheme, if any, must be the upstream's: mapping ``https`` back to ``http`` would make endless redirects of
  a server that insists on TLS. User information goes, because browsers refuse it (Fetch, HTTP-redirect fetch step 11);
- an absolute path (``/login``) gets back what the route took off. A relative path stays, as the browser resolves it
  against the URL that it asked for, unless it climbs out of the route's prefix on the way;
- a reference to the front itself stays (but for user information). A server that sees the front's Host may build its
  own address from it, or mean another part of the site: only it knows, but for one case: where it names the very path
  that it was asked for, or one below that (the redirect of ``/items`` to ``/items/``), it means its own.

What lies below the route's prefix already stays in each of these cases (:mod:`devproxy.policy.mount`).

Start at :func:`compile_locations` and :func:`map_back`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from devproxy.authority.hosts import DEFAULT_PORTS
from devproxy.config.model import Config, PathKind, Route, Scheme, ServerAddress
from devproxy.http.edits import FieldRepair
from devproxy.http.fields import Field
from devproxy.policy.addressing import addressing
from devproxy.policy.mount import Mount, mount_of, rest_below
from devproxy.routing.table import RouteTable, canonical_path, label, rewritten_path

REFERENCE_FIELDS: Final = frozenset((b"location", b"content-location", b"refresh", b"link"))
"""The fields that name places, in lower case."""

# References are read as browsers read them (WHATWG URL). These take a backslash for a slash and ignore tabs, so what
# has one before its query is left alone: it may be the name of a host.
_split_absolute = re.compile(
    rb"(?:([Hh][Tt][Tt][Pp][Ss]?):)?//([^/?#\\\t ]++)((?:/[^?#\\\t]*+)?+)((?:[?#].*+)?+)", re.DOTALL
).fullmatch
_split_path = re.compile(rb"(/(?!/)[^?#\\\t]*+)((?:[?#].*+)?+)", re.DOTALL).fullmatch
# A path with two dots that begins with neither slash nor scheme (RFC 3986 section 4.2: no colon comes first).
_split_relative = re.compile(
    rb"(?!/)(?=[^?#]*(?:\.|%2[Ee]){2})([^/:?#\\\t]*+(?:/[^?#\\\t]*+)?+)((?:[?#].*+)?+)", re.DOTALL
).fullmatch
_split_authority = re.compile(rb"(\[[0-9A-Fa-f:.]++\]|[^:\[\]]++)(?::([0-9]{0,5}))?").fullmatch
_split_refresh = re.compile(rb"([0-9.]++[;, \t]++(?:[Uu][Rr][Ll][ \t]*+=[ \t]*+)?+)(?:(['\"])(.*+)|(.*+))").fullmatch
# An unclosed quotation mark takes all that is left with it, so that no byte is looked at twice.
_each_link = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|<([^<>]*+)>?', re.DOTALL).sub
_is_dots = re.compile(rb"(?:\.|%2[Ee]){1,2}").fullmatch
_has_dot_segment = re.compile(rb"/(?:\.|%2[Ee]){1,2}(?:/|\Z)").search

_THIS_MACHINE: Final = frozenset((b"127.0.0.1", b"::1", b"0.0.0.0", b"::"))
_DEFAULT_PORTS: Final = {scheme.encode(): DEFAULT_PORTS[scheme] for scheme in ("http", "https")}

_Place = tuple[bytes, bytes, int]
"""Scheme, host as compared, port."""


class LocationRules(NamedTuple):
    """What is known about places in the responses of one route. Built by :func:`compile_locations`.

    ``mount``: where the route puts its server below a prefix. ``places``: the names of the upstreams that a place
    belongs to. ``routes``: all of them; ``table``: the same: all routes, to see where a path leads.
    """

    route: Route
    mount: Mount | None
    places: Mapping[_Place, frozenset[str]]
    routes: tuple[Route, ...]
    table: RouteTable


def compile_locations(config: Config, route: Route, table: RouteTable | None = None) -> LocationRules:
    """Return the rules for the responses of `route`, one of those in `config`; `table`: of all, where there is one."""
    places: dict[_Place, frozenset[str]] = {}
    for upstream in config.upstreams:
        for server in upstream.servers:
            is_own = upstream.name == route.upstream
            sent_host = addressing(route, server).host if is_own else "keep"
            for place in _places_of(server, sent_host, is_own=is_own):
                places[place] = places.get(place, frozenset()) | {upstream.name}
    return LocationRules(route, mount_of(route), places, config.routes, table or RouteTable(config.routes))


def _places_of(server: ServerAddress, sent_host: str, *, is_own: bool) -> list[_Place]:
    """Return the places that `server` may call its own: its address, and the Host that it is sent."""
    scheme = b"https" if server.scheme is Scheme.HTTPS else b"http"
    places: list[_Place] = []
    if server.has_port:
        host = server.host.partition("%")[0].encode("ascii", "replace").removesuffix(b".")
        places.append((scheme, _compared_host(host), server.port))
        if host.endswith(b".localhost"):  # it may also call itself by another name of this machine
            places.append((scheme, b"localhost", server.port))
    elif is_own and sent_host == "upstream":
        places.append((scheme, b"localhost", 80))
    if sent_host not in ("keep", "upstream"):
        place = _place(scheme, sent_host.encode("ascii" if sent_host.isascii() else "idna"))
        places += [_on_this_machine(place)] if place else []
    return places


class Asked:
    """What was asked for, taken apart once for all places in an answer.

    ``host``: by which devproxy was asked; empty: by the front's. ``outer``: what a proxy in front of devproxy has
    removed off the path before; empty for nothing. ``base``: the path as it went to the server, canonical, without a
    slash at its end. ``front_folder`` and ``server_folder``: the segments that a relative reference starts from.
    """

    __slots__ = ("base", "front_folder", "host", "outer", "server_folder")

    def __init__(self, front: bytes, upstream: bytes, host: bytes = b"", outer: bytes = b"") -> None:
        """Take the path, without its query, as it came (`front`) and as it went to the server (`upstream`)."""
        self.host, self.outer = host, outer
        self.base = canonical_path(upstream).removesuffix(b"/")
        self.front_folder = _folder(front)
        self.server_folder = _folder(upstream)


def _folder(path: bytes) -> list[bytes]:
    return [segment for segment in canonical_path(path).split(b"/")[:-1] if segment]


def map_back(rules: LocationRules, field: Field, *, front: bytes, asked: Asked | None = None) -> FieldRepair | None:
    """Return the line for the client where `field` names a place of an upstream, or None where it stays as it is.

    `field`: one of :data:`REFERENCE_FIELDS`; others stay. `front`: the serialised origin by which the browser asked
    (``http://localhost:8080``), from a Host that passed the grammar of heads, so that neither CR, LF nor NUL can come
    out. `asked`: for what; None: not known. Applies whatever the status is: what is not a redirect is still a URL. The
    spelling of the name, the order of links and all that is not a reference stay. Linear in the length of the value
    times the number of routes.
    """
    name = field.name
    if name not in REFERENCE_FIELDS or not field.value:
        return None
    reasons: dict[str, None] = {}

    def mapped(reference: bytes) -> bytes:
        found = _map_reference(rules, reference, front, asked)
        if found is None:
            return reference
        reasons[found[1]] = None
        return found[0]

    if name == b"link":
        value = _map_links(field.value, mapped)
    elif name == b"refresh":
        value = _map_refresh(field.value, mapped)
    else:
        value = mapped(field.value)
    if value == field.value:
        return None
    return FieldRepair(field.line.partition(b":")[0] + b": " + value, ("; ".join(reasons),))


def _map_links(value: bytes, mapped: Callable[[bytes], bytes]) -> bytes:
    """Return a ``Link`` with each of its targets mapped; what is in quotation marks is not a target."""

    def link(match: re.Match[bytes]) -> bytes:
        return b"<%b>" % mapped(match[1]) if match[1] is not None and match[0].endswith(b">") else match[0]

    return _each_link(link, value)


def _map_refresh(value: bytes, mapped: Callable[[bytes], bytes]) -> bytes:
    """Return a ``Refresh`` (``5; url=/x``, with or without ``url=`` and quotation marks) with its place mapped."""
    match = _split_refresh(value)
    if match is None:
        return value
    before, quote, quoted, plain = match.groups()
    if quote is None:
        return before + mapped(plain)
    reference, closing, after = quoted.partition(quote)
    return before + quote + mapped(reference) + closing + after


def _map_reference(
    rules: LocationRules, reference: bytes, front: bytes, asked: Asked | None
) -> tuple[bytes, str] | None:
    """Return what takes the place of a URI reference and why, or None where it stays."""
    outer = b"" if asked is None else asked.outer
    match = _split_path(reference)
    if match is not None:
        return _map_path(rules, match[1], match[2], outer)
    match = _split_absolute(reference)
    if match is None:
        return _map_relative(rules, reference, asked)
    written_scheme, authority, path, rest = match.groups()
    front_scheme, _, front_authority = front.partition(b"://")
    # Without a scheme a server means the one that it is asked by, and the browser takes the front's.
    schemes = (written_scheme.lower(),) if written_scheme else (front_scheme, *_DEFAULT_PORTS)
    _, at, host = authority.rpartition(b"@")
    place = _place(schemes[0], host)
    if place is None:
        return None
    start = front if written_scheme else b"//" + front_authority
    if place == _place(front_scheme, front_authority):
        own = _asked_path(rules, path, asked)
        if own is not None:
            return start + own + rest, f"it is what was asked for, and route {label(rules.route)} removes its path"
        return (start + path + rest, "browsers refuse a URL with user information") if at else None
    names = _names_of(rules, [found for scheme in schemes if (found := _place(scheme, host))])
    if names is None:
        return None
    host = (asked and asked.host) or front_authority
    path, reason = _front_path(rules, names, path or b"/", host, outer)
    return start + path + rest, reason


def _map_path(rules: LocationRules, path: bytes, rest: bytes, outer: bytes) -> tuple[bytes, str] | None:
    """Return what takes the place of an absolute `path` with its query and fragment, or None where it stays."""
    resolved = _without_dot_segments(path)
    found = _turned_round(rules.route, rules.mount, resolved, outer)
    if found is None or found == resolved:
        return None
    return found + rest, f"route {label(rules.route)} removes its path"


def _map_relative(rules: LocationRules, reference: bytes, asked: Asked | None) -> tuple[bytes, str] | None:
    """Return what takes the place of a relative reference that leads the browser out of the prefix, or None."""
    match = _split_relative(reference)
    mount = rules.mount
    if match is None or mount is None or asked is None:
        return None
    climbs, rest = _steps(match[1])
    # The folder is below the prefix. Only who climbs above that can leave it, and little is left of the folder then.
    if climbs <= len(asked.front_folder) - mount.prefix.count(b"/"):
        return None
    if rest_below(mount.prefix, canonical_path(_climbed(asked.front_folder, climbs) + rest)) is not None:
        return None
    found = mount.front_path(canonical_path(_climbed(asked.server_folder, climbs) + rest))
    return None if found is None else (found + match[2], f"route {label(rules.route)} removes its path")


def _steps(path: bytes) -> tuple[int, bytes]:
    """Return how many segments a relative `path` climbs, and where it goes from there, with a slash in front."""
    climbs, down = 0, list[bytes]()
    segments = path.split(b"/")
    for segment in segments:
        if _is_dots(segment) is None:
            down.append(segment)
        elif _is_dots(segment + b"."):
            pass  # one dot: this very folder
        elif down:
            down.pop()
        else:
            climbs += 1
    is_closed = _is_dots(segments[-1]) is not None
    return climbs, b"".join(b"/" + segment for segment in down) + (b"/" if is_closed else b"")


def _climbed(folder: list[bytes], climbs: int) -> bytes:
    return b"".join(b"/" + segment for segment in folder[: max(0, len(folder) - climbs)])


def _asked_path(rules: LocationRules, path: bytes, asked: Asked | None) -> bytes | None:
    """Return the front's path for `path` where that is what the server was asked for, or below; None: unknown."""
    resolved = _without_dot_segments(path)
    if asked is None or not asked.base or rest_below(asked.base, canonical_path(resolved)) is None:
        return None
    found = _turned_round(rules.route, rules.mount, resolved)
    return None if found == resolved else found


def _names_of(rules: LocationRules, meant: list[_Place]) -> frozenset[str] | None:
    """Return the names of the upstreams to which one of the places that may be `meant` belongs, or None."""
    for place in meant:
        scheme, host, port = near = _on_this_machine(place)
        names = rules.places.get(near)
        if names is None and host.endswith(b".localhost"):
            names = rules.places.get((scheme, b"localhost", port))
        if names is not None:
            return names
    return None


def _front_path(
    rules: LocationRules, names: frozenset[str], path: bytes, host: bytes, outer: bytes
) -> tuple[bytes, str]:
    """Return the path of the front that leads to `path` of the upstream called one of `names`, and why that one.

    The route's own way goes first, then any other if there is just one, then the route's own although a request by GET
    takes another way. Without any, the path stays: the request will at least not leave the origin.
    """
    own = rules.route
    name = own.upstream if own.upstream in names else min(names)
    what = f"it is a URL of upstream {name}"
    resolved = _without_dot_segments(path)
    candidate = _turned_round(own, rules.mount, resolved, outer) if own.upstream in names else None
    if outer and candidate == resolved and rest_below(outer, canonical_path(resolved)) is not None:
        return candidate, f"{what}, which knows where it is mounted"
    if candidate is not None and _leads(rules, candidate, names, resolved, host, rules.mount):
        return candidate, f"{what}, and route {label(own)} leads there"
    found: dict[bytes, Route] = {}
    for route in (route for route in rules.routes if route.upstream in names):
        mount = mount_of(route)
        other = _turned_round(route, mount, resolved)
        if other is not None and other not in found and _leads(rules, other, names, resolved, host, mount):
            found[other] = route
    if len(found) == 1:
        front, route = found.popitem()
        return front, f"{what}, and route {label(route)} leads there"
    if candidate is not None and candidate != resolved:
        return candidate, f"{what}, and its path is that of route {label(own)}"
    why = "several routes lead" if found else "no route leads"
    return path, f"{what}; {why} a GET to its path, which stays"


def _leads(
    rules: LocationRules, path: bytes, names: frozenset[str], target: bytes, host: bytes, mount: Mount | None
) -> bool:
    """Tell whether a plain GET of `path` arrives at one of `names` as `target`, or as that without its prefix."""
    route = rules.table.match(b"GET", path, host, ())
    if route is None or route.upstream not in names:
        return False
    knows = mount is not None and mount.has(target)
    return knows or canonical_path(rewritten_path(route, path)) == canonical_path(target)


# Turning a route round


def _turned_round(route: Route, mount: Mount | None, path: bytes, outer: bytes = b"") -> bytes | None:
    """Return a path that `route` sends upstream as `path`, or None when there is none.

    The mirror of :func:`devproxy.routing.table.rewritten_path`; `mount`: of the route. A path that has the prefix
    already stays as it is.
    """
    if mount is not None:
        return mount.front_path(path, outer)
    if route.rewrite is None or route.kind is not PathKind.EXACT:
        return path
    taken = canonical_path(route.pattern.encode())
    return taken if canonical_path(path) == canonical_path(rewritten_path(route, taken)) else None


def _without_dot_segments(path: bytes) -> bytes:
    """Return `path` as the browser would ask for it; bytes are touched only where there is a dot segment."""
    return canonical_path(path) if _has_dot_segment(path) else path


# Places


def _place(scheme: bytes, authority: bytes) -> _Place | None:
    """Return the place that `authority` (without user information) is under `scheme`, or None for none."""
    match = _split_authority(authority)
    if match is None or scheme not in _DEFAULT_PORTS:
        return None
    return scheme, match[1].lower().removesuffix(b"."), int(match[2]) if match[2] else _DEFAULT_PORTS[scheme]


def _on_this_machine(place: _Place) -> _Place:
    """Return `place` with one name for this machine, whichever of its own it has."""
    scheme, host, port = place
    return scheme, _compared_host(host.removeprefix(b"[").removesuffix(b"]")), port


def _compared_host(host: bytes) -> bytes:
    """Return the name of a host (IPv6 without brackets) as compared."""
    return b"localhost" if host in _THIS_MACHINE else host
