"""The CORS check of one answer, and the check of a preflight's (Fetch sections 4.8 and 4.10).

Start at :func:`check` and :func:`check_preflight`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from devproxy.authority.origins import OPAQUE
from devproxy.http.fields import Field, elements_of, values_of
from devproxy.policy.verdict.model import ALLOWED, REDIRECTS, Hop, PageRequest, Verdict, shown
from devproxy.policy.verdict.safelist import SAFELISTED_METHODS, normalised_method, unsafe_names

_STEP_CHECK: Final = "Fetch section 4.10, CORS check, step "
_STEP_PREFLIGHT: Final = "Fetch section 4.8, CORS-preflight fetch, step "
_is_token_list = re.compile(rb"[ \t,]*+(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++[ \t]*+(?:,[ \t,]*+|$))*+").fullmatch
_match_url = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*+):(.*+)", re.DOTALL).fullmatch
# What Chromium's URL parser takes for a URL of the web: any slashes, a user, a host without what none may hold, a port.
_match_authority = re.compile(
    rb"[/\\]*+(?:[^/\\?#@]*+@)?(\[[0-9A-Fa-f:.]++\]|(?:[^/\\?#@\x00-\x08\x0b\x0c\x0e-\x20\"%<>\[\]^`{|}:]|%[0-9A-Fa-f]{2})++)"
    rb"(?::([0-9]{0,5}))?(?:[/\\?#].*+)?",
    re.DOTALL,
).fullmatch
_is_numeric = re.compile(rb"(?:\A|\.)[0-9]++\.?\Z").search
_WEB_SCHEMES: Final = (b"http", b"https", b"ws", b"wss", b"ftp")
_is_loopback = re.compile(rb"https?://(?:(?:[^/]+\.)?localhost|127\.0\.0\.1|\[::1\])(?::[0-9]++)?").fullmatch

PROXY_AUTHENTICATION: Final = Verdict(
    text="net::ERR_UNEXPECTED_PROXY_AUTH",
    step="RFC 9110 section 15.5.8",
    what="A server answered 407, which only the browser's own proxy may send.",
    fix="Let the server answer 401 or 403",
)


def check(fields: Sequence[Field], origin: bytes, *, includes_credentials: bool) -> Verdict | None:
    """Return why a page of `origin` may not read a response with `fields`, or None if it may (Fetch section 4.10)."""
    value = _said(fields, "Origin")
    if value is None:
        return Verdict(
            text="No 'Access-Control-Allow-Origin' header is present on the requested resource.",
            step=_STEP_CHECK + "2",
            what="The answer does not allow this page to read it.",
            fix=_allow(origin),
        )
    if value == b"*" and not includes_credentials:
        return None
    if value != origin:
        return _other_origin(value, origin)
    confirmed = _said(fields, "Credentials") or b""
    if not includes_credentials or confirmed == b"true":
        return None
    return Verdict(
        text="The value of the 'Access-Control-Allow-Credentials' header in the response is "
        f"'{shown(confirmed)}' which must be 'true' when the request's credentials mode is 'include'.",
        step=_STEP_CHECK + "8",
        what="The answer to a request with credentials must allow that with exactly `true`.",
        fix='[routes.cors] mode = "fix" repairs what the server says; mode = "rewrite" replaces it',
    )


def _other_origin(value: bytes, origin: bytes) -> Verdict:
    """Return the verdict on a value that is not the page's origin, by the four ways in which Chromium puts it."""
    said, fix = shown(value), _allow(origin)
    if value == b"*":
        text = "must not be the wildcard '*' when the request's credentials mode is 'include'."
        what = "The answer to a request with credentials must name the page's origin; `*` is not enough."
    elif value != OPAQUE and (b" " in value or b"," in value):
        text = f"The 'Access-Control-Allow-Origin' header contains multiple values '{said}', but only one is allowed."
        what = "The answer names more than one origin, most likely because two programs add the header."
        fix = '[routes.cors] mode = "fix" keeps the right one; mode = "rewrite" replaces both'
    elif value != OPAQUE and not _parses(value):
        text = f"The 'Access-Control-Allow-Origin' header contains the invalid value '{said}'."
        what = "The answer names something that is not an origin."
    else:
        text = (
            f"The 'Access-Control-Allow-Origin' header has a value '{said}' that is not equal to the supplied origin."
        )
        what = f"The answer lets {said} read it, and this page is {shown(origin)}."
    return Verdict(text=text, step=_STEP_CHECK + "4", what=what, fix=fix)


def _parses(value: bytes) -> bool:
    """Tell whether `value` is a URL to Chromium. Only its words depend on that, never whether it blocks."""
    match = _match_url(value)
    if match is None:
        return False
    if match[1].lower() not in _WEB_SCHEMES:
        return True
    authority = _match_authority(match[2].replace(b"\t", b""))
    if authority is None or int(authority[2] or 0) > 65535:
        return False
    numbers = authority[1].removesuffix(b".").split(b".")
    if _is_numeric(authority[1]) is None or not all(number.isdigit() for number in numbers):
        return True
    # An IPv4 address: up to four numbers, the last one fills what the others leave.
    if len(numbers) > 4 or any(len(number) > 10 for number in numbers):
        return False
    *parts, last = map(int, numbers)
    return all(part <= 255 for part in parts) and last < 256 ** (5 - len(numbers))


def _allow(origin: bytes) -> str:
    if origin == OPAQUE:
        return "dangerously_allow_null_origin = true in [routes.cors]: any web site can send `null`"
    if _is_loopback(origin):
        return '[routes.cors] mode = "rewrite" allows every page of this machine'
    return f'[routes.cors] mode = "rewrite" and origins = ["{shown(origin)}"]'


# -- preflights --------------------------------------------------------------------------------------------------------

_PREFLIGHT: Final = "Response to preflight request doesn't pass access control check: "


def check_preflight(request: PageRequest, answer: Hop, origin: bytes) -> Verdict:
    """Return what a browser does with the answer to a preflight (Fetch section 4.8, from step 7)."""
    if answer.status == 407:
        return PROXY_AUTHENTICATION
    if answer.status in REDIRECTS and any(field.name == b"location" for field in answer.fields):
        return Verdict(
            text=_PREFLIGHT + "Redirect is not allowed for a preflight request.",
            step=_STEP_PREFLIGHT + "8",
            what="The preflight was answered with a redirect, which no browser follows.",
            fix='preflight = "answer" in [routes.cors]: devproxy answers it and the server never sees it',
        )
    failure = check(answer.fields, origin, includes_credentials=request.includes_credentials)
    if failure is not None:
        return failure._replace(text=_PREFLIGHT + failure.text)
    if not 200 <= answer.status <= 299:
        return Verdict(
            text=_PREFLIGHT + "It does not have HTTP ok status.",
            step=_STEP_PREFLIGHT + "8",
            what=f"The preflight was answered with {answer.status}: something does not handle OPTIONS.",
            fix='preflight = "answer" in [routes.cors]: devproxy answers it and the server never sees it',
        )
    return _judge_permissions(request, answer)


def _judge_permissions(request: PageRequest, answer: Hop) -> Verdict:
    for listed in ("Methods", "Headers"):
        if _is_token_list(_said(answer.fields, listed) or b"") is None:
            return Verdict(
                text=f"Cannot parse Access-Control-Allow-{listed} response header field in preflight response.",
                step=_STEP_PREFLIGHT + "7.3",
                what=f"Access-Control-Allow-{listed} is not a list of names.",
                fix='preflight = "answer" in [routes.cors]',
            )
    methods = elements_of(_said(answer.fields, "Methods") or b"")
    headers = elements_of((_said(answer.fields, "Headers") or b"").lower())
    method, any_counts = normalised_method(request.method), not request.includes_credentials
    if method not in methods and method not in SAFELISTED_METHODS and not (any_counts and b"*" in methods):
        return Verdict(
            text=f"Method {shown(method)} is not allowed by Access-Control-Allow-Methods in preflight response.",
            step=_STEP_PREFLIGHT + "7.5",
            what=f"The answer to the preflight does not allow the method {shown(method)}.",
            fix=f'methods = [..., "{shown(method)}"] in [routes.cors], or preflight = "answer"',
        )
    counts_any = any_counts and b"*" in headers
    for name in unsafe_names(request.headers):
        if name not in headers and (name == b"authorization" or not counts_any):
            return Verdict(
                text=f"Request header field {shown(name)} is not allowed by Access-Control-Allow-Headers in preflight "
                "response.",
                step=_STEP_PREFLIGHT + "7.6 and 7.7",
                what=f"The answer to the preflight does not allow the header {shown(name)} by name.",
                fix='headers = ["*"] in [routes.cors] allows every header that a page asks for',
            )
    return ALLOWED


def _said(fields: Sequence[Field], name: str) -> bytes | None:
    """Return the value of ``Access-Control-Allow-`` and `name`, of several lines joined, or None for none."""
    values = values_of(fields, b"access-control-allow-" + name.lower().encode())
    return b", ".join(values) if values else None
