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
from devproxy.policy.cors import CREDENTIALS_LINE, CorsDecision, CorsPolicy, decide, line_for_origin, shown, toml_line

MAX_ASKED_BYTES: Final = 4096
"""Of all ``Access-Control-Request-Headers`` together. A page asks for a few dozen bytes."""
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

    ``lines``: the fields that belong to it. ``code``: what is refused: ``origin``, ``method``, ``header`` or
    ``private-network``; empty when nothing is. ``refused``: its value, for people. ``what``: a sentence. ``help``: what
    to write where. ``rule``: what allowed the origin, or the place of the policy that did not.
    """

    lines: tuple[bytes, ...]
    code: str = ""
    refused: str = ""
    what: str = ""
    help: str = ""
    rule: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether the page may send what it asks to send."""
        return not self.code


_Refusal = tuple[str, bytes, str, str]
"""What is refused and its value, a sentence, and the help."""


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
            return tuple(names), f"{shown(name)} is not the name of a field"
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
    vary = b"Vary: " + b", ".join(varies_on(asked))
    refusal = _refusal(policy, asked, decision)
    if refusal is None:
        return PreflightVerdict(lines=(vary, *_granting_lines(policy, asked, decision)), rule=decision.rule)
    code, value, what, help = refusal
    lines = (b"X-Devproxy-Cors: %b %b" % (code.encode(), value)).rstrip(), vary, *decision.lines
    refused = value.decode("ascii")
    return PreflightVerdict(lines=lines, code=code, refused=refused, what=what, help=help, rule=policy.where)


def access_lines(decision: CorsDecision, asked: Preflight) -> tuple[bytes, ...]:
    """Return the ``Access-Control-*`` lines that grant `asked`, or none if the policy of `decision` does not."""
    policy = decision.policy
    return () if _refusal(policy, asked, decision) else _granting_lines(policy, asked, decision)


def _granting_lines(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> tuple[bytes, ...]:
    """Return the lines that grant `asked`. Method and headers are named, ``authorization`` too.

    No ``*`` covers that one (Fetch, "CORS non-wildcard request-header name"), and with credentials it covers nothing.
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


def _refusal(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> _Refusal | None:
    return (
        _refuse_origin(policy, asked, decision)
        or _refuse_method(policy, asked)
        or _refuse_headers(policy, asked)
        or _refuse_network(policy, asked)
    )


def _refuse_origin(policy: CorsPolicy, asked: Preflight, decision: CorsDecision) -> _Refusal | None:
    if policy.cors.mode is CorsMode.STRIP:
        what = "This route lets no other origin read its responses: its CORS mode is `strip`."
        help = f"Ask for it through the page's own origin, or write in the route: {toml_line('mode', 'rewrite')}"
        return "origin", asked.origin, what, help
    if decision.is_allowed:
        return None
    if asked.origin == OPAQUE:
        what = "A page without an origin of its own (`null`: a sandboxed frame, a file) may not read this route."
        help = "Serve the page over http. If every web site may read this route: dangerously_allow_null_origin = true"
        return "origin", asked.origin, what, help
    what = f"Pages of {shown(asked.origin)} may not read this route."
    return "origin", asked.origin, what, f"{_place(policy)}: {line_for_origin(policy.cors, asked.origin)}"


def _refuse_method(policy: CorsPolicy, asked: Preflight) -> _Refusal | None:
    if policy.methods is None or asked.method in policy.methods:
        return None
    what = f"Pages of other origins may not use the method {shown(asked.method)} on this route."
    if asked.method.upper() in policy.methods:
        right = asked.method.upper().decode()
        help = (
            f"Write `{right}` in the page: methods are case-sensitive, and fetch() never changes the case of `patch`."
        )
    else:
        help = f"{_place(policy)}: {toml_line('methods', [*policy.cors.methods, asked.method.decode()])}"
    return "method", asked.method, what, help


def _refuse_headers(policy: CorsPolicy, asked: Preflight) -> _Refusal | None:
    if asked.fault:
        what = f"The request headers that the page asks for cannot be answered: {asked.fault}."
        return "header", b"", what, "Send fewer or other headers from the page."
    missing = [name for name in asked.headers if policy.headers is not None and name not in policy.headers]
    if not missing:
        return None
    names = ", ".join(shown(name) for name in missing)
    what = f"Pages of other origins may not send {names} to this route."
    wanted = [*policy.cors.headers, *(name.decode() for name in missing)]
    return "header", b", ".join(missing), what, f"{_place(policy)}: {toml_line('headers', wanted)}"


def _refuse_network(policy: CorsPolicy, asked: Preflight) -> _Refusal | None:
    if not asked.asks_private_network or policy.cors.allow_private_network:
        return None
    what = f"{shown(asked.origin)} is on a more public network than this machine, and this route does not allow that."
    return "private-network", asked.origin, what, f"{_place(policy)}: allow_private_network = true"


def _place(policy: CorsPolicy) -> str:
    return f"In [routes.cors] at {policy.where}" if policy.cors.line else "Add to this route, below [routes.cors]"
