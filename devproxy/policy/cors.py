"""The CORS policy of a route: who may read its answers, and what the answers say about it (Fetch section 3.3).

Pure. Compiled once (:func:`compile_cors`); a request's Origin gives a :class:`CorsDecision` (:func:`decide`), which
:func:`finish` carries out on a response and :func:`local_lines` on an answer of devproxy's own. A preflight is read
(:func:`read_preflight`) and judged (:func:`judge_preflight`) apart, because it is answered without the upstream.
Whether a request may be sent at all is not decided here: that is ``policy.hosts``. Browsers apply no CORS to
WebSockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from devproxy.config.model import Cors, CorsMode
from devproxy.config.model import Preflight as PreflightRule
from devproxy.fields import Field, Role, is_token
from devproxy.messages import RequestHead, first
from devproxy.origins import LOOPBACK, OriginSet, normalised, parse_origin, parse_pattern

VARIES: Final = b"Vary: Origin"
MAX_LISTED_BYTES: Final = 4096
MAX_LISTED_NAMES: Final = 64
"""How much a preflight may ask for: octets and names of ``Access-Control-Request-Headers`` in all."""

_VARYING: Final = (CorsMode.REWRITE, CorsMode.FIX)
_ANY: Final = "*"
_NULL: Final = b"null"
_TRUE: Final = b"Access-Control-Allow-Credentials: true"
_ALLOW_ORIGIN: Final = b"access-control-allow-origin"
_ALLOW_CREDENTIALS: Final = b"access-control-allow-credentials"
_ALLOW_METHODS: Final = b"access-control-allow-methods"
_ALLOW_HEADERS: Final = b"access-control-allow-headers"
_EXPOSE: Final = b"access-control-expose-headers"
_SAFELISTED_METHODS: Final = frozenset((b"GET", b"HEAD", b"POST"))
"""Methods that need no permission (Fetch section 2.2.1)."""
_PREFLIGHT_VARIES: Final = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
_PRIVATE: Final = b"Access-Control-Request-Private-Network"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """The policy of a route, compiled. ``where``: its place, for people. ``takes_any`` and ``takes_null``: as dangerous
    as their keys say; ``credentials`` holds for those only with the key of its own."""

    mode: CorsMode
    preflight: PreflightRule
    where: str
    origins: OriginSet
    takes_any: bool
    takes_null: bool
    credentials: bool
    dangerous_credentials: bool
    methods: frozenset[bytes]
    takes_any_method: bool
    headers: frozenset[bytes]
    takes_any_header: bool
    expose: bytes
    max_age_s: int
    private_network: bool


@dataclass(frozen=True, slots=True)
class CorsDecision:
    """How a policy stands to the Origin of a request.

    ``origin``: as it was sent, empty when there is none. ``lines``: that a final answer carries for it, complete.
    ``varies``: another Origin would get another answer. ``rule``: what in the configuration decided, with its place;
    ``reason``: a sentence without a full stop.
    """

    mode: CorsMode
    origin: bytes
    is_allowed: bool
    with_credentials: bool
    lines: tuple[bytes, ...]
    varies: bool
    rule: str
    reason: str


def compile_cors(cors: Cors, source: str) -> CorsPolicy:
    """Return the policy that `cors`, read from `source`, states. Its patterns have been accepted by ``config``."""
    patterns = None if cors.origins is None else [parse_pattern(text) for text in cors.origins]
    return CorsPolicy(
        mode=cors.mode,
        preflight=cors.preflight,
        where=f"{source}:{cors.line}" if cors.line else "the default",
        origins=LOOPBACK if patterns is None else OriginSet(patterns),
        takes_any=cors.dangerously_allow_any_origin,
        takes_null=cors.dangerously_allow_null_origin,
        credentials=cors.credentials,
        dangerous_credentials=cors.credentials and cors.dangerously_with_credentials,
        methods=frozenset(method.encode() for method in cors.methods),
        takes_any_method=_ANY in cors.methods,
        headers=frozenset(name.lower().encode() for name in cors.headers),
        takes_any_header=_ANY in cors.headers,
        expose=", ".join(cors.expose).encode(),
        max_age_s=cors.max_age_s,
        private_network=cors.allow_private_network,
    )


def decide(policy: CorsPolicy, origins: Sequence[bytes]) -> CorsDecision:
    """Return how `policy` stands to a request with `origins`, the value of each of its Origin fields. Raises nothing.

    More than one, and whatever no browser sends, is not allowed. Depends on nothing else, so it may be remembered.
    """
    varies = policy.mode in _VARYING
    if not origins:
        return CorsDecision(policy.mode, b"", False, False, (), varies, policy.where, "there is no Origin")
    if len(origins) > 1:
        return _refused(policy, b", ".join(origins), "there is more than one Origin")
    origin = origins[0]
    rule, with_credentials = _rule_for(policy, origin)
    if not rule:
        what = "is not allowed" if origin == _NULL or parse_origin(origin) else "is no origin as a browser writes it"
        return _refused(policy, origin, f"the origin {_shown(origin)} {what}")
    lines: list[bytes] = []
    if policy.mode is CorsMode.REWRITE:
        lines.append(b"Access-Control-Allow-Origin: " + origin)
        if with_credentials:
            lines.append(_TRUE)
        if policy.expose:
            lines.append(b"Access-Control-Expose-Headers: " + policy.expose)
    reason = f"the origin {_shown(origin)} is allowed"
    place = f"{rule} ({policy.where})"
    return CorsDecision(policy.mode, origin, True, with_credentials, tuple(lines), varies, place, reason)


def _rule_for(policy: CorsPolicy, origin: bytes) -> tuple[str, bool]:
    """Return the rule that allows `origin`, empty for none, and whether with credentials."""
    if origin == _NULL:
        rule = "dangerously_allow_null_origin" if policy.takes_null else ""
        return rule, policy.dangerous_credentials
    if parse_origin(origin) is None:
        return "", False
    rule = policy.origins.rule_for(origin) or ""
    if rule:
        return rule, policy.credentials
    return "dangerously_allow_any_origin" if policy.takes_any else "", policy.dangerous_credentials


def _refused(policy: CorsPolicy, origin: bytes, reason: str) -> CorsDecision:
    varies = policy.mode in _VARYING
    return CorsDecision(policy.mode, origin, False, False, (), varies, f"origins ({policy.where})", reason)


def local_lines(decision: CorsDecision) -> tuple[bytes, ...]:
    """Return the field lines for an answer that devproxy gives by itself, so that an allowed page can read it.

    In ``fix`` and ``passthrough`` the upstream would have said who may read; nobody does, so the answer is for the
    route's own pages and for those that the policy allows anyway.
    """
    if decision.mode is CorsMode.REWRITE:
        return (*decision.lines, VARIES)
    if decision.mode is CorsMode.STRIP or not decision.is_allowed:
        return ()
    lines = [b"Access-Control-Allow-Origin: " + decision.origin]
    return (*lines, *((_TRUE,) if decision.with_credentials else ()), VARIES)


# -- responses ---------------------------------------------------------------------------------------------------------


def finish(
    decision: CorsDecision,
    fields: Sequence[Field],
    *,
    is_credentialed: bool,
    status: int,
    preflight: Preflight | None = None,
) -> list[bytes]:
    """Return the field lines of a response after the policy.

    `fields`: the upstream's. `is_credentialed`: the request carried a Cookie or Authorization. `preflight`: what was
    asked, where this answers one. An interim response and a 101 only lose their ``Access-Control-*``, but in
    ``passthrough``: no browser looks for them there.
    """
    mode = decision.mode
    if mode is CorsMode.PASSTHROUGH:
        return [field.line for field in fields]
    kept = [field for field in fields if field.role != Role.ACCESS_CONTROL]
    if status < 200 or mode is CorsMode.STRIP:
        return [field.line for field in kept]
    if mode is CorsMode.FIX:
        return _fixed(decision, fields, is_credentialed=is_credentialed, preflight=preflight)
    lines = [field.line for field in kept]
    lines += decision.lines
    if preflight is not None and decision.is_allowed:
        given = [field for field in fields if field.name in _OF_PREFLIGHTS]
        lines += _named(given, preflight, with_credentials=True)
    if not varies_on_origin(kept):
        lines.append(VARIES)
    return lines


def varies_on_origin(fields: Iterable[Field]) -> bool:
    """Tell whether ``Vary`` names Origin already, or everything (RFC 9110 section 12.5.5)."""
    names = (
        name.strip(b" \t") for field in fields if field.role == Role.VARY for name in field.value.lower().split(b",")
    )
    return any(name in (b"origin", b"*") for name in names)


def _fixed(
    decision: CorsDecision, fields: Sequence[Field], *, is_credentialed: bool, preflight: Preflight | None
) -> list[bytes]:
    """Return the field lines in which the upstream's own grant holds as it was meant. Never grants more.

    What it grants to other origins than the one that asked is left out: no browser could use it.
    """
    kept = [field for field in fields if field.role != Role.ACCESS_CONTROL]
    cors = [field for field in fields if field.role == Role.ACCESS_CONTROL]
    lines = [field.line for field in kept]
    granted = _granted(decision, [field.value for field in cors if field.name == _ALLOW_ORIGIN])
    says_credentials = any(
        part.strip(b" \t").lower() == b"true"
        for field in cors
        if field.name == _ALLOW_CREDENTIALS
        for part in field.value.split(b",")
    )
    with_credentials = says_credentials
    if granted == b"*" and (says_credentials or is_credentialed):
        # A browser refuses `*` with credentials: only an origin that the policy allows so may have what was meant.
        with_credentials = decision.is_allowed and decision.with_credentials
        granted = decision.origin if with_credentials else b"*"
    if granted:
        lines.append(b"Access-Control-Allow-Origin: " + granted)
        if with_credentials and granted != b"*":
            lines.append(_TRUE)
        others = [field for field in cors if field.name not in (_ALLOW_ORIGIN, _ALLOW_CREDENTIALS)]
        lines += _named(others, preflight, with_credentials=with_credentials and granted != b"*")
    if not varies_on_origin(kept):
        lines.append(VARIES)
    return lines


def _granted(decision: CorsDecision, values: Sequence[bytes]) -> bytes:
    """Return the one value of ``Access-Control-Allow-Origin`` that the upstream meant for this request; empty: none."""
    listed = [part.strip(b" \t") for value in values for part in value.split(b",")]
    for value in listed:
        if decision.origin and (value == decision.origin or normalised(value) == decision.origin):
            return decision.origin
    return b"*" if b"*" in listed else b""


_OF_PREFLIGHTS: Final = (_ALLOW_METHODS, _ALLOW_HEADERS, b"access-control-max-age")


def _named(cors: Sequence[Field], preflight: Preflight | None, *, with_credentials: bool) -> list[bytes]:
    """Return the other ``Access-Control-*`` lines; with credentials a ``*`` among them gives way to what was asked for.

    There it would stand for a method or header called ``*`` (Fetch section 4.8). ``Authorization`` needs its name.
    """
    lines: list[bytes] = []
    for field in cors:
        names = [name.strip(b" \t") for name in field.value.split(b",")]
        if b"*" in names and with_credentials and field.name in (_ALLOW_METHODS, _ALLOW_HEADERS, _EXPOSE):
            named = [name for name in names if name and name != b"*"]
            if preflight is not None and field.name == _ALLOW_METHODS:
                named.append(preflight.method)
            if preflight is not None and field.name == _ALLOW_HEADERS:
                named += [name for name in preflight.headers if name not in {other.lower() for other in named}]
            if named:
                lines.append(field.line.partition(b":")[0] + b": " + b", ".join(named))
        else:
            lines.append(field.line)
    return lines


# -- preflights --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a preflight asks for. ``headers``: lower case, each once. ``fault``: why its list cannot be read, if so."""

    origins: tuple[bytes, ...]
    method: bytes
    headers: tuple[bytes, ...]
    asks_private_network: bool
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightVerdict:
    """The answer to a preflight.

    ``lines``: its fields. ``code``: what is refused: ``origin``, ``method``, ``header``, ``private-network``; empty
    when allowed. ``refused``: the value; ``help``: the line to write in the configuration.
    """

    is_allowed: bool
    lines: tuple[bytes, ...]
    code: str = ""
    refused: str = ""
    what: str = ""
    help: str = ""
    rule: str = ""


def read_preflight(head: RequestHead) -> Preflight | None:
    """Return the preflight that `head` is: OPTIONS with one Origin and one ``Access-Control-Request-Method``, or None.

    Any other OPTIONS is an ordinary request (Fetch section 4.8).
    """
    origins = head.facts.origins
    if head.method != b"OPTIONS" or len(origins) != 1:
        return None
    fields = head.fields
    methods = [field.value for field in fields if field.name == b"access-control-request-method"]
    if len(methods) != 1 or not is_token(methods[0]):
        return None
    listed = [field.value for field in fields if field.name == b"access-control-request-headers"]
    headers, fault = _read_names(listed)
    private = first(fields, _PRIVATE.lower()) == b"true"
    return Preflight(origins, methods[0], headers, private, fault)


def _read_names(listed: Sequence[bytes]) -> tuple[tuple[bytes, ...], str]:
    """Return the names in `listed` and what is wrong with it. Reads no more than the limits."""
    if sum(map(len, listed)) > MAX_LISTED_BYTES:
        return (), f"it lists more than {MAX_LISTED_BYTES} octets"
    names = dict.fromkeys(
        name for value in listed for part in value.lower().split(b",") if (name := part.strip(b" \t"))
    )
    if len(names) > MAX_LISTED_NAMES:
        return (), f"it lists more than {MAX_LISTED_NAMES} names"
    wrong = next((name for name in names if not is_token(name)), None)
    return (tuple(names), "") if wrong is None else ((), f"{_shown(wrong)} is no header name")


def judge_preflight(policy: CorsPolicy, preflight: Preflight) -> PreflightVerdict:
    """Return the answer of `policy` to `preflight`: allowed with what was asked for, by name, or refused and why."""
    decision = decide(policy, preflight.origins)
    refusal = _refuse_preflight(policy, preflight, decision)
    varies = _PREFLIGHT_VARIES + (b", " + _PRIVATE if preflight.asks_private_network else b"")
    if refusal is not None:
        code, refused, what, help = refusal
        return PreflightVerdict(
            is_allowed=False,
            lines=(varies, b"X-Devproxy-Cors: " + code.encode()),
            code=code,
            refused=refused,
            what=what,
            help=help,
            rule=decision.rule,
        )
    lines = [b"Access-Control-Allow-Origin: " + decision.origin]
    if decision.with_credentials:
        lines.append(_TRUE)
    lines.append(b"Access-Control-Allow-Methods: " + preflight.method)
    if preflight.headers:
        lines.append(b"Access-Control-Allow-Headers: " + b", ".join(preflight.headers))
    if preflight.asks_private_network:
        lines.append(b"Access-Control-Allow-Private-Network: true")
    lines.append(b"Access-Control-Max-Age: %d" % max(policy.max_age_s, 0))
    return PreflightVerdict(is_allowed=True, lines=(*lines, varies), rule=decision.rule)


def _refuse_preflight(
    policy: CorsPolicy, preflight: Preflight, decision: CorsDecision
) -> tuple[str, str, str, str] | None:
    """Return code, value, sentence and help of a refusal, or None."""
    origin, where = _shown(decision.origin), policy.where
    if policy.mode is CorsMode.STRIP:
        what = f"This route strips CORS, so no other origin may use it, and {origin} asked."
        return "origin", origin, what, f'Write mode = "rewrite" in the [routes.cors] of this route ({where}).'
    if not decision.is_allowed:
        if decision.origin == _NULL:
            line = "dangerously_allow_null_origin = true"
        else:
            line = f'origins = ["{origin}"]'
        return (
            "origin",
            origin,
            f"{decision.reason[0].upper()}{decision.reason[1:]} by this route ({where}).",
            (f"Write {line} in the [routes.cors] of this route."),
        )
    method = preflight.method
    if method not in _SAFELISTED_METHODS and not policy.takes_any_method and method not in policy.methods:
        what = f"The method {_shown(method)} is not allowed by this route ({where})."
        return "method", _shown(method), what, f'Add "{_shown(method)}" to `methods` in its [routes.cors].'
    if preflight.fault:
        what = f"Access-Control-Request-Headers cannot be read: {preflight.fault}."
        return "header", "", what, "No browser asks for so much."
    missing = [name for name in preflight.headers if not policy.takes_any_header and name not in policy.headers]
    if missing:
        names = ", ".join(map(_shown, missing))
        what = f"The request header {names} is not allowed by this route ({where})."
        return "header", names, what, f'Add "{_shown(missing[0])}" to `headers` in its [routes.cors], or "*" for any.'
    if preflight.asks_private_network and not policy.private_network:
        what = f"Requests from a public site into the private network are not allowed by this route ({where})."
        return "private-network", origin, what, "Write allow_private_network = true in its [routes.cors]."
    return None


def _shown(octets: bytes) -> str:
    """Return `octets` for people: latin-1, control characters escaped, shortened."""
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in octets.decode("latin-1"))
    return text if len(text) <= 100 else text[:99] + "…"
