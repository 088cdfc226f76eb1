"""The heart: what becomes of a request, and of the response to it. Pure; no clock, no socket, no loop.

:func:`compile_snapshot` turns a configuration into a :class:`Snapshot` once. :func:`plan_request` answers one request
head with a :class:`Plan`: devproxy answers by itself (:class:`Respond`), or the request goes to an upstream
(:class:`Forward`, an upgrade if ``upgrade`` says so). :func:`finish_response` is its mirror for the response head. An
exchange keeps the snapshot it was born with; a new configuration is a new snapshot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from devproxy import __version__, answers
from devproxy.answers import Answer
from devproxy.config.model import Config, CorsMode, HeaderEdits, Route, Scheme, ServerAddress
from devproxy.engineio import is_poll, parse_engine_request
from devproxy.http1.start_line import Limits
from devproxy.messages import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from devproxy.policy.headers import SWITCHES, Edits, Peer, compile_edits, plain_head, request_lines, response_lines
from devproxy.routing import RouteTable, canonical_path, label, rewritten_path

RESERVED_PREFIX: Final = b"/__devproxy/"
_UNDERSCORE, _PERCENT = b"_%"
"""No path without one of these octets is below the reserved prefix in any spelling."""
_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
"""Methods whose repetition changes nothing (RFC 9110 section 9.2.2); TRACE is not forwarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRoute:
    """A route with everything worked out that does not depend on the request.

    ``host`` and ``origin``: ``keep``, ``upstream``, ``remove`` or the value to send, as in the configuration.
    """

    route: Route
    label: str
    upstream: str
    host: str
    origin: str
    edits_authority: bool
    rewrites: bool
    strips_cors: bool
    request_edits: Edits | None
    response_edits: Edits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A configuration ready to serve. Immutable; shared by all exchanges that were born under it.

    ``reads_headers``: a route has a condition on a header. ``compiled``: by the identity of the route, which hashes
    quicker than its many fields. ``via_token``: this process's pseudonym in ``Via``, by which a request that comes back
    is recognised. Limits that are 0 in the configuration, for «none», are infinite here.
    """

    config: Config
    table: RouteTable
    reads_headers: bool
    compiled: dict[int, CompiledRoute]
    limits: Limits
    max_body_bytes: float
    idle_timeout_s: float
    head_timeout_s: float
    via_token: bytes
    via_line: bytes


@dataclass(slots=True)
class Respond:
    """devproxy answers by itself. ``route``: the label of the route concerned, empty for none."""

    answer: Answer
    route: str = ""


@dataclass(slots=True)
class Forward:
    """The request goes to an upstream.

    ``head``: the request head, ready to send but for Host and Origin, which :func:`render_request` replaces where the
    route says so, because that may depend on the server chosen. ``is_retriable``: may be sent again when a kept-alive
    connection turns out to be dead before a byte of an answer came: the method is idempotent, there is no body, and
    this is no Engine.IO poll (a poll delivered twice kills its session). ``upgrade``: the protocol
    asked for, empty for none. ``has_host``: False for a client that speaks HTTP/1.0 and named none.
    """

    compiled: CompiledRoute
    head: bytes
    is_retriable: bool
    is_poll: bool
    upgrade: bytes
    has_host: bool


Plan = Respond | Forward


def compile_snapshot(config: Config, instance: str) -> Snapshot:
    """Return `config` ready to serve. `instance`: a token that no other devproxy has, for loop detection."""
    token = b"devproxy-" + instance.encode()
    return Snapshot(
        config=config,
        table=RouteTable(config.routes),
        reads_headers=any(route.match_headers for route in config.routes),
        compiled={id(route): _compile_route(route) for route in config.routes},
        limits=Limits(
            max_target_bytes=config.server.max_target_bytes,
            max_head_bytes=config.server.max_head_bytes,
            max_fields=config.server.max_fields,
        ),
        max_body_bytes=config.server.max_body_bytes or math.inf,
        idle_timeout_s=config.server.idle_timeout_s or math.inf,
        head_timeout_s=config.server.head_timeout_s or math.inf,
        via_token=token,
        via_line=b"Via: 1.1 " + token,
    )


def _compile_route(route: Route) -> CompiledRoute:
    return CompiledRoute(
        route=route,
        label=label(route),
        upstream=route.upstream,
        host=route.host,
        origin=route.origin,
        edits_authority=route.host != "keep" or route.origin != "keep",
        rewrites=route.rewrite is not None,
        strips_cors=route.cors.mode is not CorsMode.PASSTHROUGH,
        request_edits=_compile_edits(route.request_headers),
        response_edits=_compile_edits(route.response_headers),
    )


def _compile_edits(edits: HeaderEdits) -> Edits | None:
    return compile_edits(replaced=edits.set, added=edits.add, removed=edits.remove)


def plan_request(head: RequestHead, peer: Peer, snapshot: Snapshot) -> Plan:
    """Return what becomes of the request `head` that `peer` sent, under `snapshot`. Raises nothing."""
    raw_path, question, query = head.path.partition(b"?")
    if (_UNDERSCORE in raw_path or _PERCENT in raw_path) and (own_path := _own_path(raw_path)):
        return _own_page(head, own_path)
    route = snapshot.table.match(
        head.method,
        b"/" if raw_path == b"*" else raw_path,
        head.facts.host,
        head.fields if snapshot.reads_headers else (),
    )
    if route is None:
        return Respond(answers.asterisk_options() if raw_path == b"*" else answers.no_route(head))
    compiled = snapshot.compiled[id(route)]
    method, facts = head.method, head.facts
    if method == b"TRACE" or facts.body_length > snapshot.max_body_bytes or snapshot.via_token in facts.via:
        return Respond(_refusal(head, compiled, snapshot), compiled.label)
    edits = compiled.request_edits
    if facts.is_plain and edits is None and not compiled.rewrites and head.path is head.target and head.version_minor:
        octets = plain_head(head) + peer.tail(facts.host, snapshot.via_line)
    else:
        path = head.path
        if compiled.rewrites and raw_path != b"*":
            path = rewritten_path(route, raw_path) + question + query
        lines = request_lines(head, peer, snapshot.via_line, edits)
        octets = b"\r\n".join((b"%b %b HTTP/1.1" % (method, path), *lines, b"", b""))
    polls = b"EIO=" in query and _is_poll(head)
    return Forward(
        compiled,
        octets,
        method in _IDEMPOTENT and facts.body_length == 0 and not polls,
        polls,
        facts.upgrade,
        facts.host != b"",
    )


def _is_poll(head: RequestHead) -> bool:
    engine = parse_engine_request(head.path)
    return engine is not None and is_poll(head.method, engine)


def _own_path(raw_path: bytes) -> bytes:
    """Return `raw_path` in the form in which routes compare it if that is below the reserved prefix, else nothing."""
    if _PERCENT not in raw_path and b"__devproxy/" not in raw_path:
        return b""
    path = canonical_path(raw_path)
    return path if path.startswith(RESERVED_PREFIX) else b""


def _own_page(head: RequestHead, path: bytes) -> Respond:
    """Return the page at `path`, which is in the form that is compared."""
    if path == RESERVED_PREFIX + b"health" and head.method in (b"GET", b"HEAD"):
        return Respond(answers.health(__version__), RESERVED_PREFIX.decode())
    return Respond(answers.reserved_path(head), RESERVED_PREFIX.decode())


def _refusal(head: RequestHead, compiled: CompiledRoute, snapshot: Snapshot) -> Answer:
    """Return the answer to a request that a route takes but that must not be forwarded."""
    if head.method == b"TRACE":
        return answers.method_refused(head)
    if head.body_length > snapshot.max_body_bytes:
        return answers.body_too_large(snapshot.config.server.max_body_bytes)
    return answers.loop_detected(compiled.label)


def render_request(forward: Forward, server: ServerAddress) -> bytes:
    """Return the request head for `server`, ready to send, blank line included."""
    compiled = forward.compiled
    if not compiled.edits_authority and forward.has_host:
        return forward.head
    start, *lines = forward.head[:-4].split(b"\r\n")
    return b"\r\n".join((start, *_with_authority(lines, compiled, server), b"", b""))


def _with_authority(lines: list[bytes], compiled: CompiledRoute, server: ServerAddress) -> list[bytes]:
    """Return `lines` with Host and Origin as the route sends them to `server`. A missing Origin stays missing.

    A missing Host, which HTTP/1.0 allows, becomes the server's: HTTP/1.1 needs one (RFC 9112 section 3.2).
    """
    edited: list[bytes] = []
    has_host = False
    for line in lines:
        name = line.partition(b":")[0].lower()
        if name == b"host":
            has_host = True
            edited.append(line if compiled.host == "keep" else _host_line(compiled, server))
        elif name == b"origin" and compiled.origin != "keep":
            if compiled.origin != "remove":
                origin = _web_origin(server) if compiled.origin == "upstream" else compiled.origin
                edited.append(b"Origin: " + origin.encode())
        else:
            edited.append(line)
    if not has_host:
        edited.insert(0, _host_line(compiled, server))
    return edited


def _host_line(compiled: CompiledRoute, server: ServerAddress) -> bytes:
    host = _authority(server) if compiled.host in ("keep", "upstream") else compiled.host
    return b"Host: " + host.encode("ascii" if host.isascii() else "idna")


def _authority(server: ServerAddress) -> str:
    """Return the Host of `server`: without the port where that is the scheme's own."""
    if server.scheme is Scheme.UNIX:
        return "localhost"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return host if server.port == (443 if server.scheme is Scheme.HTTPS else 80) else f"{host}:{server.port}"


def _web_origin(server: ServerAddress) -> str:
    scheme = "https" if server.scheme is Scheme.HTTPS else "http"
    return f"{scheme}://{_authority(server)}"


class Finished(NamedTuple):
    """A response head on its way down. ``head``: the bytes. ``close``: the client's connection ends with the body.

    ``decodes``: the chunked coding is taken off, for a client that speaks HTTP/1.0.
    """

    head: bytes
    close: bool
    decodes: bool


def finish_response(
    forward: Forward, request: RequestHead, head: ResponseHead, *, body_length: int, close: bool
) -> Finished:
    """Return the response head for the client.

    `body_length`: of the body that follows (see ``response_body_length``). `close`: the client's connection cannot go
    on in any case, for example because its request is not complete. An interim response (1xx) never ends a connection.
    """
    compiled = forward.compiled
    is_old_client = request.version_minor == 0
    decodes = is_old_client and body_length == CHUNKED
    closes = head.status >= 200 and (close or not request.facts.keep_alive or body_length == UNTIL_CLOSE or decodes)
    if not closes and not is_old_client and _is_plain(head, compiled):
        return Finished(plain_head(head) + b"\r\n", False, False)
    lines = response_lines(
        head,
        strips_cors=compiled.strips_cors,
        edits=compiled.response_edits,
        keeps_chunked=not is_old_client,
        is_bodiless=head.status < 200 or head.status == 204,
    )
    if head.status == 101:
        if SWITCHES not in lines:
            lines.append(SWITCHES)
    elif closes:
        lines.append(b"Connection: close")
    elif is_old_client and head.status >= 200:
        lines.append(b"Connection: keep-alive")
    start = head.start if head.version_minor else b"HTTP/1.1" + head.start[8:]
    return Finished(b"\r\n".join((start, *lines, b"", b"")), closes, decodes)


def _is_plain(head: ResponseHead, compiled: CompiledRoute) -> bool:
    """Tell whether to leave lines out is all there is to do to a final response."""
    facts = head.facts
    return (
        facts.is_plain
        and compiled.response_edits is None
        and head.version_minor == 1
        and head.status >= 200
        and head.status != 204
        and not (compiled.strips_cors and facts.has_access_control)
    )
