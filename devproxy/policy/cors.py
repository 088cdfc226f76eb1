"""CORS per route: which origins may read a response, and the fields that say so (Fetch sections 3.3 and 4.10).

Pure. A policy is compiled once (:func:`compile_cors`). What it says about an Origin is a value that depends on nothing
else (:func:`decide`), to be remembered; :func:`local_lines` gives what goes on an answer of devproxy's own.
``policy.cors_fields`` applies it to an upstream's response, and ``policy.preflight`` answers preflights.

Never refuses a request: CORS is about reading, and a browser sends most requests whatever the policy (``policy.hosts``
is the guard). Never applies to a WebSocket either, which browsers let every page open. ``docs/cors.md`` says the same
to users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from devproxy.authority.origins import LOOPBACK, OPAQUE, OriginSet, parse_origin, parse_pattern
from devproxy.config.model import Cors, CorsMode, PreflightMode
from devproxy.text.safe import ticked

VARIES: Final = b"Vary: Origin"
CREDENTIALS_LINE: Final = b"Access-Control-Allow-Credentials: true"
_DEFAULT: Final = "the default"
_MAX_SHOWN: Final = 80


class CorsPolicy(NamedTuple):
    """A route's CORS policy, ready to use.

    ``preflight``: who answers preflights; with ``passthrough`` always the upstream. ``where``: its place, for people:
    ``devproxy.toml:31``, or ``the default``. ``methods`` and ``headers``: those allowed, the latter in lower case;
    None: whatever is asked for. ``expose``: the line for responses, empty for none. ``varies``: what a response gets
    depends on the Origin.
    """

    cors: Cors
    preflight: PreflightMode
    where: str
    origins: OriginSet
    methods: frozenset[bytes] | None
    headers: frozenset[bytes] | None
    expose: bytes
    varies: bool


class CorsDecision(NamedTuple):
    """What a policy says about the Origin of a request.

    ``origin``: the one Origin, if it is well-formed. ``with_credentials``: it is allowed, with cookies too. ``lines``:
    what lets the page read a response; empty when it may not. ``rule``: the pattern or key that allows it, empty for
    none. ``reason``: a sentence without a full stop.
    """

    policy: CorsPolicy
    origin: bytes | None
    with_credentials: bool
    lines: tuple[bytes, ...]
    rule: str
    reason: str

    @property
    def is_allowed(self) -> bool:
        """Whether the policy's origins take it, whatever the mode."""
        return self.rule != ""

    @property
    def varies(self) -> bool:
        """Whether another Origin may get other fields: ``Vary: Origin`` is due, also where a request has no Origin."""
        return self.policy.varies


def compile_cors(cors: Cors, source: str) -> CorsPolicy:
    """Return `cors`, which ``config`` has checked, ready to use. `source`: the name of the file it is in.

    Raises :class:`devproxy.text.bad.BadText` for an origin that is not a pattern.
    """
    is_passed = cors.mode is CorsMode.PASSTHROUGH
    allows_any = cors.origins != () or cors.dangerously_allow_null_origin or cors.dangerously_allow_any_origin
    return CorsPolicy(
        cors=cors,
        preflight=PreflightMode.FORWARD if is_passed else cors.preflight,
        where=f"{source}:{cors.line}" if cors.line else _DEFAULT,
        origins=LOOPBACK if cors.origins is None else OriginSet(parse_pattern(text) for text in cors.origins),
        methods=_compile_methods(cors.methods),
        headers=None if "*" in cors.headers else frozenset(name.lower().encode() for name in cors.headers),
        expose=b"Access-Control-Expose-Headers: " + ", ".join(cors.expose).encode() if cors.expose else b"",
        varies=cors.mode is CorsMode.FIX or (cors.mode is not CorsMode.STRIP and allows_any),
    )


def _compile_methods(methods: Sequence[str]) -> frozenset[bytes] | None:
    """Return the methods allowed; a server answers HEAD as it answers GET (RFC 9110 section 9.3.2)."""
    if "*" in methods:
        return None
    allowed = {method.encode() for method in methods}
    return frozenset(allowed | {b"HEAD"} if b"GET" in allowed else allowed)


def decide(policy: CorsPolicy, origins: Sequence[bytes]) -> CorsDecision:
    """Return what `policy` says about a request with these `origins`: the value of each Origin, of which one is due.

    More than one, or one that no browser writes, is not allowed: two readers could take it in two ways. Depends on
    nothing but its arguments.
    """
    if not origins:
        return _decision(
            policy, None, "", "the request has no Origin: it comes from devproxy's own origin, or not from a page"
        )
    origin = origins[0]
    if len(origins) > 1:
        return _decision(policy, None, "", "the request has more than one Origin, and a browser sends one")
    if origin != OPAQUE and parse_origin(origin) is None:
        return _decision(policy, None, "", f"{shown(origin)} is not an Origin that a browser sends")
    rule = _rule_for(policy, origin)
    what = f"is allowed by {ticked(rule)}" if rule else "is not among the origins"
    return _decision(policy, origin, rule, f"{shown(origin)} {what} ({policy.where})")


def _rule_for(policy: CorsPolicy, origin: bytes) -> str:
    """Return the pattern or key that allows `origin`, or nothing. ``null`` is allowed by its own key alone."""
    if origin == OPAQUE:
        return "dangerously_allow_null_origin" if policy.cors.dangerously_allow_null_origin else ""
    rule = policy.origins.rule_for(origin)
    if rule is not None:
        return rule
    return "dangerously_allow_any_origin" if policy.cors.dangerously_allow_any_origin else ""


def _decision(policy: CorsPolicy, origin: bytes | None, rule: str, reason: str) -> CorsDecision:
    cors = policy.cors
    # A rule that is a key lets in every site's pages: their credentials need a second key.
    is_dangerous = rule.startswith("dangerously_")
    with_credentials = rule != "" and cors.credentials and (cors.dangerously_with_credentials or not is_dangerous)
    lines: list[bytes] = []
    if origin is not None and rule and cors.mode is not CorsMode.STRIP:
        lines.append(b"Access-Control-Allow-Origin: " + origin)
        lines += (CREDENTIALS_LINE,) if with_credentials else ()
        lines += (policy.expose,) if policy.expose else ()
    return CorsDecision(policy, origin, with_credentials, tuple(lines), rule, reason)


def local_lines(decision: CorsDecision) -> tuple[bytes, ...]:
    """Return the lines that go on every answer that devproxy makes itself, whatever its status, for `decision`.

    With them an allowed page reads the 502 that happened, and does not see a CORS error in its place. There is no
    upstream whose word could count, so the policy's origins do, in every mode but ``strip``. For ``rewrite`` these are
    also what a response of the upstream gets, once its own are gone.
    """
    return (VARIES, *decision.lines) if decision.varies else ()


def toml_line(key: str, value: str | Sequence[str]) -> str:
    """Return a line of TOML, whose basic strings have the escapes of JSON."""
    import json

    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def line_for_origin(cors: Cors, origin: bytes) -> str:
    """Return what to write so that `origin` is among the origins of `cors`: a line of TOML, and what it replaces."""
    line = toml_line("origins", [*(cors.origins or ()), origin.decode("ascii")])
    is_default = cors.origins is None
    return f"{line} (this replaces the default, every port of this machine)" if is_default else line


def shown(octets: bytes) -> str:
    """Return `octets` of a request for people: printable, in backquotes and not too long."""
    return ticked(octets, _MAX_SHOWN)
