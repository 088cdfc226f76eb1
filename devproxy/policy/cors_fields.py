"""What happens to the ``Access-Control-*`` fields of an upstream's response, and to its ``Vary``, in each mode.

Pure. ``passthrough`` leaves them, ``strip`` takes them off, ``rewrite`` puts the policy's in their place. ``fix``
repairs their form and never widens what they mean: an origin that the upstream does not name gets nothing, unless it
says ``*`` and the route's policy lets that origin in with credentials, for which ``*`` does not count (Fetch, "CORS
check", step 3). A missing ``Access-Control-Allow-Origin`` stays missing there. A policy that lets no other origin read
says so to ``no-cors`` requests too. Start at :func:`cors_edits`, what every mode but ``fix`` does to a response as a
value; :func:`apply_cors` carries it out on any response, ``plan`` without a look at the lines where it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from devproxy.authority.origins import OPAQUE, normalised
from devproxy.config.model import CorsMode
from devproxy.http.fields import Field, Role, elements_of, values_of
from devproxy.policy.cors import CorsDecision
from devproxy.policy.preflight import Preflight, access_lines, varies_on

_PREFIX: Final = b"access-control-"
_ORIGIN: Final = b"access-control-allow-origin"
_CREDENTIALS: Final = b"access-control-allow-credentials"
_METHODS: Final = b"access-control-allow-methods"
_HEADERS: Final = b"access-control-allow-headers"
_EXPOSED: Final = b"access-control-expose-headers"
_ANY: Final = b"*"
_SAME_ORIGIN_ONLY: Final = b"Cross-Origin-Resource-Policy: same-origin"


class CorsEdits(NamedTuple):
    """What a policy does to a response. ``takes_access_control``: the ``Access-Control-*`` lines of the upstream go."""

    takes_access_control: bool
    added: tuple[bytes, ...] = ()


def cors_edits(
    decision: CorsDecision,
    vary: Sequence[bytes],
    *,
    has_resource_policy: bool,
    is_interim: bool = False,
    preflight: Preflight | None = None,
) -> CorsEdits | None:
    """Return what the policy of `decision` does to a response, or None in ``fix``, where that takes its fields.

    `vary`: the line that is missing for a response that varies by what the policy looks at. `has_resource_policy`: it
    has a ``Cross-Origin-Resource-Policy``. `is_interim`: its status is below 200; CORS does not apply to it, so it only
    loses fields. `preflight`: what was asked, if this answers a preflight that was forwarded.
    """
    if decision.policy.cors.mode is CorsMode.PASSTHROUGH:
        return CorsEdits(False)
    if decision.policy.cors.mode is CorsMode.FIX:
        return None
    if is_interim:
        return CorsEdits(True)
    if decision.varies:
        # In the order of `local_lines`, so that applying it again finds Vary where it puts it.
        return CorsEdits(True, (*vary, *(decision.lines if preflight is None else access_lines(decision, preflight))))
    return CorsEdits(True, () if has_resource_policy else (_SAME_ORIGIN_ONLY,))


def apply_cors(
    decision: CorsDecision, fields: Sequence[Field], *, status: int, preflight: Preflight | None = None
) -> list[bytes]:
    """Return the lines of a response of the upstream, which has `fields` and `status`, after the route's policy.

    `preflight`: what was asked, if this answers a preflight that was forwarded. Lines that the policy does not concern
    keep their bytes and order. Applying it twice is the same as once. ``Vary`` is added to, never replaced. Linear
    time.
    """
    vary = missing_vary(fields, (b"Origin",) if preflight is None else varies_on(preflight))
    edits = cors_edits(
        decision,
        vary,
        has_resource_policy=not decision.varies and any(field.role == Role.RESOURCE_POLICY for field in fields),
        is_interim=status < 200,
        preflight=preflight,
    )
    if edits is not None:
        if edits.takes_access_control:
            fields = [field for field in fields if not field.name.startswith(_PREFIX)]
        return [field.line for field in fields] + [*edits.added]
    if status < 200:
        return [field.line for field in fields]
    method, headers = (b"", ()) if preflight is None else (preflight.method, preflight.headers)
    credentials = decision.with_credentials
    return repair(fields, decision.origin, grants_credentials=credentials, method=method, headers=headers) + vary


def missing_vary(fields: Iterable[Field], names: Sequence[bytes]) -> list[bytes]:
    """Return the line, if any, that makes a response with `fields` vary by all of `names` (RFC 9110 section 12.5.5).

    Names that are listed already, in whatever case, are not repeated; ``*`` lists everything.
    """
    listed = {name.lower() for name in _elements(fields, b"vary")}
    missing = [name for name in names if name.lower() not in listed]
    return [b"Vary: " + b", ".join(missing)] if missing and _ANY not in listed else []


def repair(
    fields: Sequence[Field],
    origin: bytes | None,
    *,
    grants_credentials: bool,
    method: bytes = b"",
    headers: Sequence[bytes] = (),
) -> list[bytes]:
    """Return the lines of a response with `fields`, repaired for a page of `origin` (None: there is none to judge by).

    `grants_credentials`: the route's policy allows the origin, with credentials. `method` and `headers` (lower case):
    what a preflight asked for, if this answers one. At most one ``Access-Control-Allow-Origin`` remains, and never
    ``*`` together with credentials. A field that is right keeps its bytes. Linear time; idempotent.
    """
    granted = _granted_origins(fields)
    if not any(field.name == _ORIGIN for field in fields):
        return [field.line for field in fields]
    value = _chosen_origin(granted, origin, grants_credentials=grants_credentials)
    is_any_made_one = value is not None and value == origin and origin not in granted
    said = [element.lower() for element in _elements(fields, _CREDENTIALS)]
    with_credentials = is_any_made_one or (bool(said) and all(word == b"true" for word in said))
    if value is None or value == _ANY:
        with_credentials = False
    replaced = {_ORIGIN: value}
    if with_credentials:
        replaced[_CREDENTIALS] = b"true"
        _spell_out(replaced, _EXPOSED, _elements(fields, _EXPOSED), _readable_names(fields))
        if method:
            _spell_out(replaced, _METHODS, _elements(fields, _METHODS), (method,))
            _spell_out(replaced, _HEADERS, [name.lower() for name in _elements(fields, _HEADERS)], headers)
    elif value is None or value == _ANY:
        replaced[_CREDENTIALS] = None
    return _with_replaced(fields, replaced)


def _granted_origins(fields: Iterable[Field]) -> list[bytes]:
    """Return each origin that ``Access-Control-Allow-Origin`` names, once, in the form that a browser compares.

    What is not an origin stays as it is: it equals none, and the browser's message shows it.
    """
    found: dict[bytes, None] = {}
    for element in _elements(fields, _ORIGIN):
        for word in element.split():
            found[word if word in (_ANY, OPAQUE) else normalised(word) or word] = None
    return list(found)


def _chosen_origin(granted: Sequence[bytes], origin: bytes | None, *, grants_credentials: bool) -> bytes | None:
    """Return the one value to send, or None where the upstream names several and none is the page's."""
    if origin is not None and (origin in granted or (_ANY in granted and grants_credentials)):
        return origin
    if _ANY in granted:
        return _ANY
    return granted[0] if len(granted) == 1 else None


def _spell_out(
    replaced: dict[bytes, bytes | None], name: bytes, listed: Sequence[bytes], asked: Sequence[bytes]
) -> None:
    """Where `listed` has ``*``, which does not count with credentials, list what was asked for in its place."""
    if _ANY in listed:
        names = dict.fromkeys((*(element for element in listed if element != _ANY), *asked))
        replaced[name] = b", ".join(names) or None


def _readable_names(fields: Iterable[Field]) -> list[bytes]:
    """Return the names, in lower case, of what a script may read (Fetch, "forbidden response-header name")."""
    return [
        field.name
        for field in fields
        if field.name not in (b"set-cookie", b"set-cookie2") and not field.name.startswith(_PREFIX)
    ]


def _elements(fields: Iterable[Field], name: bytes) -> list[bytes]:
    return elements_of(b",".join(values_of(fields, name)))


def _with_replaced(fields: Iterable[Field], replaced: dict[bytes, bytes | None]) -> list[bytes]:
    """Return the lines of `fields` with one line for each name in `replaced`, where the first one stood; None: none.

    Credentials that the upstream did not send come last.
    """
    lines: list[bytes] = []
    left = dict(replaced)
    for field in fields:
        if field.name not in replaced:
            lines.append(field.line)
            continue
        value = left.pop(field.name, None)
        if value is not None:
            lines.append(field.line if value == field.value else field.name.title() + b": " + value)
    return lines + [name.title() + b": " + value for name, value in left.items() if value is not None]
