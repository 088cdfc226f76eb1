"""What a browser does with an answer, and the sentence it prints (Fetch sections 4.8 to 4.10, RFC 6455 section 4.1).

Pure. :func:`judge` follows a page's request through its preflight, redirects and CORS checks as Chromium does; the
end-to-end tests compare it with the real one. :func:`judge_exchange` does so from what the gateway sees of one
exchange. Never decides anything for the gateway: a verdict is for people.

Texts are the middle part of Chromium's messages, which has been the same over the years; what stands before and behind
it has not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from devproxy.fields import Field
from devproxy.messages import RequestHead, ResponseHead
from devproxy.origins import OPAQUE, web_origin

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_SAFELISTED_METHODS: Final = frozenset((b"GET", b"HEAD", b"POST"))
_NORMALISED_METHODS: Final = frozenset((b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"))
_SAFELISTED_TYPES: Final = frozenset((b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"))
_MAX_SAFELISTED_VALUE: Final = 128
_has_unsafe_octet = re.compile(rb"[\x00-\x08\x0a-\x1f\"():<>?@[\\\]{}\x7f]").search
_is_language = re.compile(rb"[0-9A-Za-z *,\-.;=]*").fullmatch
_is_token_list = re.compile(rb"[ \t,]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*(?:,[ \t,]*|$))*").fullmatch
_is_parsable_url = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*:.*").fullmatch
_is_loopback = re.compile(rb"https?://(?:(?:.+\.)?localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?").fullmatch


class Kind(StrEnum):
    """How a page asks."""

    FETCH = "fetch"
    XHR = "XMLHttpRequest"
    EVENT_SOURCE = "EventSource"
    NO_CORS = "no-cors"
    """``<img>``, ``<script>``, ``fetch`` with ``mode: "no-cors"``: sent and used, but never read."""
    WEBSOCKET = "WebSocket"
    NAVIGATION = "navigation"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """What a page asks for. ``page``: its origin, ``null`` for an opaque one. ``target``: the origin asked.

    ``includes_credentials``: the credentials mode is «include», or ``withCredentials`` is set. ``headers``: those that
    the page sets itself, names in lower case.
    """

    kind: Kind = Kind.FETCH
    method: bytes = b"GET"
    page: bytes
    target: bytes
    includes_credentials: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A response as the browser sees it. ``location``: the place a redirect names, absolute; ``target``: its origin."""

    status: int
    fields: tuple[Field, ...] = ()
    location: bytes = b""
    target: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the browser does. ``text``: the stable part of its message, empty when nothing is blocked.

    ``step``: the rule that decided. ``what``: a sentence for people. ``fix``: the lines to write, for devproxy.
    """

    is_blocked: bool
    text: str = ""
    step: str = ""
    what: str = ""
    fix: str = ""


ALLOWED: Final = Verdict(is_blocked=False)


_NAMES_A_USER: Final = Verdict(
    is_blocked=True,
    text="contains a username and password, which is disallowed for cross-origin requests.",
    step="Fetch section 4.4, HTTP-redirect fetch, step 9",
    what="A redirect of a cross-origin request names a user, which no browser follows.",
    fix='redirects = "map" (the default) brings places of the upstream back without it',
)


def needs_preflight(request: PageRequest) -> bool:
    """Tell whether a browser asks first (Fetch section 4.8, «CORS-preflight fetch»; safelists of section 2.2)."""
    if normalised_method(request.method) not in _SAFELISTED_METHODS:
        return True
    return any(not _is_safelisted(name, value) for name, value in request.headers)


def normalised_method(method: bytes) -> bytes:
    """Return `method` as ``fetch`` sends it: some in upper case, ``patch`` as it is (Fetch, «normalize a method»)."""
    return method.upper() if method.upper() in _NORMALISED_METHODS else method


def _is_safelisted(name: bytes, value: bytes) -> bool:
    """Tell whether a header needs no permission (Fetch, «CORS-safelisted request-header»)."""
    if len(value) > _MAX_SAFELISTED_VALUE:
        return False
    if name == b"accept":
        return _has_unsafe_octet(value) is None
    if name in (b"accept-language", b"content-language"):
        return _is_language(value) is not None
    if name == b"content-type":
        return _has_unsafe_octet(value) is None and value.partition(b";")[0].strip().lower() in _SAFELISTED_TYPES
    return name == b"range" and re.fullmatch(rb"bytes=[0-9]+-[0-9]*", value) is not None


def judge(request: PageRequest, hops: Sequence[Hop], preflight: Hop | None = None) -> Verdict:
    """Return what a browser does with the answers to `request`.

    `hops`: the responses, in order, redirects first. `preflight`: the answer to the preflight, if one was asked for.
    """
    if request.kind in (Kind.NO_CORS, Kind.NAVIGATION):
        return ALLOWED
    if request.kind is Kind.WEBSOCKET:
        return judge_handshake(hops[0].status, hops[0].fields)
    page, target = request.page, request.target
    if page == target and not any(hop.target not in (b"", page) for hop in hops):
        return ALLOWED
    if page != target and preflight is not None and needs_preflight(request):
        verdict = _judge_preflight(request, preflight)
        if verdict.is_blocked:
            return verdict
    origin = page
    for hop in hops:
        is_cross = target != page or origin == OPAQUE
        if is_cross:
            failure = check(hop.fields, origin, includes_credentials=request.includes_credentials)
            if failure is not None:
                return failure
        if hop.status not in REDIRECTS or not hop.location:
            return ALLOWED
        following = hop.target or target
        if b"@" in hop.location.partition(b"://")[2].partition(b"/")[0] and (is_cross or following != page):
            return _NAMES_A_USER
        if is_cross and following != target:
            origin = OPAQUE  # Fetch section 4.5, HTTP-redirect fetch: the request is tainted
        target = following
    return ALLOWED


# -- the CORS check ----------------------------------------------------------------------------------------------------


def check(fields: Sequence[Field], origin: bytes, *, includes_credentials: bool) -> Verdict | None:
    """Return why a page of `origin` may not read a response with `fields`, or None if it may (Fetch section 4.9)."""
    values = [field.value for field in fields if field.name == b"access-control-allow-origin"]
    step = "Fetch section 4.9, CORS check, step "
    if not values:
        return Verdict(
            is_blocked=True,
            text="No 'Access-Control-Allow-Origin' header is present on the requested resource.",
            step=step + "3",
            what="The answer does not say that this page may read it.",
            fix=_allow(origin),
        )
    value = b", ".join(values)
    if value == b"*":
        return None if not includes_credentials else _wildcard(origin, step + "4")
    if value != origin:
        return _other_origin(value, origin, step + "5")
    if not includes_credentials:
        return None
    said = b", ".join(field.value for field in fields if field.name == b"access-control-allow-credentials")
    if said == b"true":
        return None
    return Verdict(
        is_blocked=True,
        text="The value of the 'Access-Control-Allow-Credentials' header in the response is "
        f"'{_shown(said)}' which must be 'true' when the request's credentials mode is 'include'.",
        step=step + "8",
        what="The request carries credentials, and the answer does not allow that with exactly `true`.",
        fix='[routes.cors] mode = "fix" repairs what the server says; mode = "rewrite" takes its place',
    )


def _wildcard(origin: bytes, step: str) -> Verdict:
    return Verdict(
        is_blocked=True,
        text="must not be the wildcard '*' when the request's credentials mode is 'include'.",
        step=step,
        what="The request carries credentials, for which `*` does not count.",
        fix=_allow(origin),
    )


def _other_origin(value: bytes, origin: bytes, step: str) -> Verdict:
    """Return the verdict on a value that is not the page's origin, by the three ways in which Chromium puts it."""
    shown = _shown(value)
    if value != OPAQUE and (b" " in value or b"," in value):
        text = f"The 'Access-Control-Allow-Origin' header contains multiple values '{shown}', but only one is allowed."
        what = "The answer names more than one origin, most likely because two programs add the header."
        fix = '[routes.cors] mode = "fix" keeps the right one; mode = "rewrite" takes the place of both'
    elif value != OPAQUE and not _parses(value):
        text = f"The 'Access-Control-Allow-Origin' header contains the invalid value '{shown}'."
        what, fix = "The answer names something that is no origin.", _allow(origin)
    else:
        text = (
            f"The 'Access-Control-Allow-Origin' header has a value '{shown}' that is not equal to the supplied origin."
        )
        what = f"The answer lets {shown} read it, and this page is {_shown(origin)}."
        fix = _allow(origin)
    return Verdict(is_blocked=True, text=text, step=step, what=what, fix=fix)


def _parses(value: bytes) -> bool:
    """Tell whether `value` is a URL to Chromium: a scheme, and for those of the web a host."""
    if _is_parsable_url(value) is None:
        return False
    scheme, _, rest = value.partition(b":")
    return scheme.lower() not in (b"http", b"https", b"ws", b"wss", b"ftp") or bool(rest.strip(b"/"))


def _allow(origin: bytes) -> str:
    if origin == OPAQUE:
        return "dangerously_allow_null_origin = true in [routes.cors]: any web site can ask as null"
    if _is_loopback(origin):
        return '[routes.cors] mode = "rewrite" allows every page of this machine'
    return f'[routes.cors] mode = "rewrite" and origins = ["{_shown(origin)}"]'


# -- preflights --------------------------------------------------------------------------------------------------------

_PREFLIGHT: Final = "Response to preflight request doesn't pass access control check: "


def _judge_preflight(request: PageRequest, answer: Hop) -> Verdict:
    """Return what a browser makes of the answer to a preflight (Fetch section 4.8, from step 7)."""
    if answer.status in REDIRECTS:
        return Verdict(
            is_blocked=True,
            text=_PREFLIGHT + "Redirect is not allowed for a preflight request.",
            step="Fetch section 4.8, CORS-preflight fetch, step 6",
            what="The preflight was answered with a redirect, which no browser follows.",
            fix='preflight = "answer" in [routes.cors]: devproxy answers it and the server never sees it',
        )
    failure = check(answer.fields, request.page, includes_credentials=request.includes_credentials)
    if failure is not None:
        return Verdict(
            is_blocked=True, text=_PREFLIGHT + failure.text, step=failure.step, what=failure.what, fix=failure.fix
        )
    if not 200 <= answer.status <= 299:
        return Verdict(
            is_blocked=True,
            text=_PREFLIGHT + "It does not have HTTP ok status.",
            step="Fetch section 4.8, CORS-preflight fetch, step 7",
            what=f"The preflight was answered with {answer.status}: something does not know OPTIONS.",
            fix='preflight = "answer" in [routes.cors]: devproxy answers it and the server never sees it',
        )
    return _judge_permissions(request, answer)


def _judge_permissions(request: PageRequest, answer: Hop) -> Verdict:
    for listed in ("Methods", "Headers"):
        names = _joined(answer, listed)
        if names is not None and _is_token_list(names) is None:
            return Verdict(
                is_blocked=True,
                text=f"Cannot parse Access-Control-Allow-{listed} response header field in preflight response.",
                step="Fetch section 4.8, CORS-preflight fetch, step 7",
                what=f"Access-Control-Allow-{listed} is no list of names.",
                fix='preflight = "answer" in [routes.cors]',
            )
    methods = _names(_joined(answer, "Methods"))
    headers = [name.lower() for name in _names(_joined(answer, "Headers"))]
    method, any_counts = normalised_method(request.method), not request.includes_credentials
    if method not in methods and method not in _SAFELISTED_METHODS and not (any_counts and b"*" in methods):
        return Verdict(
            is_blocked=True,
            text=f"Method {_shown(method)} is not allowed by Access-Control-Allow-Methods in preflight response.",
            step="Fetch section 4.8, CORS-preflight fetch, step 7.5",
            what=f"The answer to the preflight does not allow the method {_shown(method)}.",
            fix=f'methods = [..., "{_shown(method)}"] in [routes.cors], or preflight = "answer"',
        )
    for name, value in sorted(request.headers):
        if _is_safelisted(name, value) or name in headers:
            continue
        if any_counts and b"*" in headers and name != b"authorization":
            continue
        return Verdict(
            is_blocked=True,
            text=f"Request header field {_shown(name)} is not allowed by Access-Control-Allow-Headers in preflight "
            "response.",
            step="Fetch section 4.8, CORS-preflight fetch, step 7.6 and 7.7",
            what=f"The answer to the preflight does not allow the header {_shown(name)} by its name.",
            fix='headers = ["*"] in [routes.cors] names whatever is asked for',
        )
    return ALLOWED


def _joined(answer: Hop, name: str) -> bytes | None:
    wanted = b"access-control-allow-" + name.lower().encode()
    values = [field.value for field in answer.fields if field.name == wanted]
    return b", ".join(values) if values else None


def _names(value: bytes | None) -> list[bytes]:
    return [name for part in (value or b"").split(b",") if (name := part.strip(b" \t"))]


# -- WebSockets --------------------------------------------------------------------------------------------------------


def judge_handshake(status: int, fields: Sequence[Field]) -> Verdict:
    """Return what a browser makes of the answer to a WebSocket handshake. CORS has no say (RFC 6455 section 4.1)."""
    names = {field.name: field.value for field in fields}
    step = "RFC 6455 section 4.1, the server's opening handshake"
    if status != 101:
        return Verdict(
            is_blocked=True,
            text=f"Error during WebSocket handshake: Unexpected response code: {status}",
            step=step,
            what=f"The handshake was refused with {status}; the answer's body says by whom and why.",
            fix="CORS settings do not matter here: look at the body, and at the server's own check of Origin",
        )
    if b"upgrade" not in names:
        return _bad_handshake("'Upgrade' header is missing", step)
    if names[b"upgrade"].lower() != b"websocket":
        return _bad_handshake(f"'Upgrade' header value is not 'WebSocket': {_shown(names[b'upgrade'])}", step)
    if b"connection" not in names:
        return _bad_handshake("'Connection' header is missing", step)
    if b"upgrade" not in [part.strip() for part in names[b"connection"].lower().split(b",")]:
        return _bad_handshake("'Connection' header value must contain 'Upgrade'", step)
    return ALLOWED


def _bad_handshake(words: str, step: str) -> Verdict:
    return Verdict(
        is_blocked=True,
        text=f"Error during WebSocket handshake: {words}",
        step=step,
        what="The server agreed to a WebSocket in a form that browsers do not accept.",
        fix="Look at what stands between devproxy and the server",
    )


# -- one exchange, as the gateway sees it ------------------------------------------------------------------------------


def judge_exchange(request: RequestHead, response: ResponseHead, *, scheme: str) -> Verdict | None:
    """Return what a browser does with `response`, as the client gets it, or None where that cannot be told or is plain.

    Of the page only its Origin is known, and whether it sent credentials by what came with the request: a Cookie,
    Authorization, or a server that expects them. `scheme`: of the front.
    """
    facts = request.facts
    if len(facts.origins) != 1 or response.status < 200 or facts.fetch_mode in (b"navigate", b"no-cors"):
        return None
    if facts.upgrade:
        verdict = judge_handshake(response.status, tuple(response.fields))
        return verdict if verdict.is_blocked else None
    origin = facts.origins[0]
    if origin == web_origin(scheme, facts.host):
        return None
    fields = tuple(response.fields)
    says_credentials = any(field.name == b"access-control-allow-credentials" for field in fields)
    has_credentials = any(field.name in (b"cookie", b"authorization") for field in request.fields)
    asked = request.first(b"access-control-request-method")
    page = PageRequest(
        page=origin,
        target=web_origin(scheme, facts.host),
        method=request.method if asked is None else asked,
        includes_credentials=has_credentials or says_credentials,
        headers=() if asked is None else tuple((name, b"?" * 129) for name in _asked_headers(request)),
    )
    if request.method == b"OPTIONS" and asked is not None:
        verdict = _judge_preflight(page, Hop(status=response.status, fields=fields))
    else:
        verdict = check(fields, origin, includes_credentials=page.includes_credentials) or ALLOWED
    return verdict if verdict.is_blocked else None


def _asked_headers(request: RequestHead) -> list[bytes]:
    return _names(request.first(b"access-control-request-headers"))


def _shown(octets: bytes) -> str:
    text = octets.decode("latin-1")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
