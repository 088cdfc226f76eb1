"""CORS preflights: what one asks for, and whether a route's policy allows it (Fetch section 4.8).

Pure. An OPTIONS request is a preflight if it carries one Origin and one ``Access-Control-Request-Method``; every other
OPTIONS is an ordinary request. A verdict names what was asked, never ``*``, and one that refuses says which of origin,
method and header it was and what to write. Start at :func:`read_preflight` and :func:`judge_preflight`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.authority.origins import OPAQUE, parse_origin
from devproxy.config.model import CorsMode
from devproxy.http.fields import Field, Role, elements_of, is_token, values_of
from devproxy.http.messages import RequestHead
from devproxy.policy.cors import CREDENTIALS_LINE, CorsDecision, CorsPolicy, decide, shown

MAX_ASKED_BYTES: Final = 4096
"""Of all ``Access-Control-Request-Headers`` together. A page asks for a few dozen octets."""
MAX_ASKED_HEADERS: Final = 64

_VARIES_ON: Final = (b"Origin", b"Access-Control-Request-Method", b"Access-Control-Request-Headers")
_PRIVATE_NETWORK: Final = b"Access-Control-Request-Private-Network"
_ALLOWS_PRIVATE_NETWORK: Final = b"Access-Control-Allow-Private-Network: true"
_MAX_METHOD: Final = 64


class Preflight(NamedTuple):
    """What a preflight asks for.

    ``headers``: lower case, each once, in the order asked. ``fault``: why ``Access-Control-Request-Headers`` cannot be
    answered, empty if it can; then ``headers`` is what could be read. ``asks_private_network``: the page's network is
    more public than this machine (Private Network Access).
    """

    origin: bytes
    method: bytes
    headers: tuple[bytes, ...] = ()
    fault: str = ""
    asks_private_network: bool = False


class PreflightVerdict(NamedTuple):
    """The answer to a preflight.

    ``status``: 204 or 403. ``lines``: the fields that belong to it. ``code``: what is refused: ``origin``, ``method``,
    ``header`` or ``private-network``; empty when nothing is. ``refused``: its value, for people. ``what``: a sentence.
    ``help``: what to write where. ``rule``: what allowed the origin, or the place of the policy that did not.
    """

    is_allowed: bool
    status: int
    lines: tuple[bytes, ...]
    code: str = ""
    refused: str = ""
    what: str = ""
    help: str = ""
    rule: str = ""


def read_preflight(head: RequestHead) -> Preflight | None:
    """Return what `head` asks for if it is a preflight, else None. Linear time; lists are cut at the bounds above.

    What asks for another protocol is none, whatever else it says: no way past the guard leads through here.
    """
    if head.method != b"OPTIONS" or head.upgrade:
        return None
    fields = [field for field in head.fields if field.role in (Role.ORIGIN, Role.ACCESS_CONTROL)]
    origins, methods = values_of(fields, b"origin"), values_of(fields, b"access-control-request-method")
    if len(origins) != 1 or len(methods) != 1 or not (is_token(methods[0]) and len(methods[0]) <= _MAX_METHOD):
        return None
    if origins[0] != OPAQUE and parse_origin(origins[0]) is None:
        return None
    headers, fault = _asked_headers(fields)
    return Preflight(
        origin=origins[0],
        method=methods[0],
        headers=headers,
        fault=fault,
        asks_private_network=any(
            field.name == _PRIVATE_NETWORK.lower() and field.value.lower() == b"true" for field in fields
        ),
    )


def _asked_headers(fields: list[Field]) -> tuple[tuple[bytes, ...], str]:
    """Return the names in all ``Access-Control-Request-Headers``, which some gateways split, and what is wrong."""
    values = values_of(fields, b"access-control-request-headers")
    if sum(map(len, values)) > MAX_ASKED_BYTES:
        return (), f"more than {MAX_ASKED_BYTES} bytes of names"
    names: dict[bytes, None] = {}
    for name in elements_of(b",".join(values).lower()):
        if not is_token(name):
            return tuple(names), f"{shown(name)} is no name of a field"
        names[name] = None
    if len(names) > MAX_ASKED_HEADERS:
        return (), f"more than {MAX_ASKED_HEADERS} names"
    return tuple(names), ""


def judge_preflight(policy: CorsPolicy, asked: Preflight) -> PreflightVerdict:
    """Return the answer of `policy` to `asked`. The origin is judged first, then method, headers and network.

    A refusal to an allowed origin names that origin: no browser goes on after a 403, but then it says that, and does
    not say that the origin is the fault.
    """
    decision = decide(policy, (asked.origin,))
    refusal = _refusal(policy, asked, decision)
    if refusal is not None:
        return refusal._replace(lines=(*refusal.lines, *decision.lines))
    lines = (_vary_line(asked), *_granting_lines(policy, asked, decision))
    return PreflightVerdict(is_allowed=True, status=204, lines=lines, rule=decision.rule)


def access_lines(decision: CorsDecision, asked: Preflight) -> tuple[bytes, ...]:
    """Return the ``Access-Control-*`` lines that grant `asked`, or none if the policy of `decision` does not."""
    policy = decision.policy
    return () if _refusal(policy, asked, decision) else _granting_lines(policy, asked, decision)


def _granting_lines(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> tuple[bytes, ...]:
    """Return the lines that grant `asked`. Method and headers are named, ``authorization`` too.

    No ``*`` covers that one (Fetch, «CORS non-wildcard request-header name»), and with credentials it covers nothing.
    """
    lines = [
        b"Access-Control-Allow-Origin: " + asked.origin,
        *((CREDENTIALS_LINE,) if decision.with_credentials else ()),
        b"Access-Control-Allow-Methods: " + asked.method,
    ]
    if asked.headers:
        lines.append(b"Access-Control-Allow-Headers: " + b", ".join(asked.headers))
    lines.append(b"Access-Control-Max-Age: %d" % max(policy.cors.max_age_s, 0))
    if asked.asks_private_network:
        lines.append(_ALLOWS_PRIVATE_NETWORK)
    return tuple(lines)


def varies_on(asked: Preflight) -> tuple[bytes, ...]:
    """Return the fields of the request that the answer to `asked` depends on."""
    return (*_VARIES_ON, _PRIVATE_NETWORK) if asked.asks_private_network else _VARIES_ON


def _vary_line(asked: Preflight) -> bytes:
    return b"Vary: " + b", ".join(varies_on(asked))


def _refusal(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> PreflightVerdict | None:
    return (
        _refuse_origin(policy, asked, decision)
        or _refuse_method(policy, asked)
        or _refuse_headers(policy, asked)
        or _refuse_network(policy, asked)
    )


def _refuse_origin(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> PreflightVerdict | None:
    if policy.mode is CorsMode.STRIP:
        what = "This route lets no other origin read its responses: its CORS mode is `strip`."
        help = f"Ask for it through the page's own origin, or let the route say: {_toml('mode', 'rewrite')}"
        return _refused(policy, asked, "origin", asked.origin, what, help)
    if decision.is_allowed:
        return None
    if asked.origin == OPAQUE:
        what = "A page without an origin of its own (`null`: a sandboxed frame, a file) may not read this route."
        help = "Serve the page over http. If every web site may read this route: dangerously_allow_null_origin = true"
        return _refused(policy, asked, "origin", asked.origin, what, help)
    what = f"Pages of {shown(asked.origin)} may not read this route."
    origins = policy.cors.origins
    help = f"{_place(policy)}: {_toml('origins', [*(origins or ()), asked.origin.decode()])}"
    if origins is None:
        help += " (this takes the place of the default, every port of this machine)"
    return _refused(policy, asked, "origin", asked.origin, what, help)


def _refuse_method(policy: CorsPolicy, asked: Preflight) -> PreflightVerdict | None:
    if policy.methods is None or asked.method in policy.methods:
        return None
    what = f"Pages of other origins may not use the method {shown(asked.method)} on this route."
    if asked.method.upper() in policy.methods:
        right = asked.method.upper().decode()
        help = f"Write `{right}` in the page: methods have a case, and fetch() changes that of `patch` for nobody."
    else:
        help = f"{_place(policy)}: {_toml('methods', [*policy.cors.methods, asked.method.decode()])}"
    return _refused(policy, asked, "method", asked.method, what, help)


def _refuse_headers(policy: CorsPolicy, asked: Preflight) -> PreflightVerdict | None:
    if asked.fault:
        what = f"The request headers that the page asks for cannot be answered: {asked.fault}."
        return _refused(policy, asked, "header", b"", what, "Send fewer or other headers from the page.")
    if policy.headers is None:
        return None
    missing = [name for name in asked.headers if name not in policy.headers]
    if not missing:
        return None
    names = ", ".join(shown(name) for name in missing)
    what = f"Pages of other origins may not send {names} to this route."
    wanted = [*policy.cors.headers, *(name.decode() for name in missing)]
    help = f"{_place(policy)}: {_toml('headers', wanted)}"
    return _refused(policy, asked, "header", b", ".join(missing), what, help)


def _refuse_network(policy: CorsPolicy, asked: Preflight) -> PreflightVerdict | None:
    if not asked.asks_private_network or policy.cors.allow_private_network:
        return None
    what = f"{shown(asked.origin)} is on a more public network than this machine, and this route does not allow that."
    help = f"{_place(policy)}: allow_private_network = true"
    return _refused(policy, asked, "private-network", asked.origin, what, help)


def _refused(policy: CorsPolicy, asked: Preflight, code: str, value: bytes, what: str, help: str) -> PreflightVerdict:
    names = b" ".join((code.encode(), value)).rstrip()
    lines = (b"X-Devproxy-Cors: " + names, _vary_line(asked))
    refused = value.decode("ascii")
    return PreflightVerdict(
        is_allowed=False, status=403, lines=lines, code=code, refused=refused, what=what, help=help, rule=policy.where
    )


def _place(policy: CorsPolicy) -> str:
    return f"In [routes.cors] at {policy.where}" if policy.cors.line else "Add to this route, below [routes.cors]"


def _toml(key: str, value: str | list[str]) -> str:
    """Return a line of TOML, whose basic strings have the escapes of JSON."""
    import json

    return f"{key} = {json.dumps(value)}"
