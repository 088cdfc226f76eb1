"""The verdict on a page's request: every hop with its preflight, as a browser goes through them (Fetch section 4).

Start at :func:`judge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devproxy.authority.origins import OPAQUE
from devproxy.http.fields import Field, values_of
from devproxy.policy.verdict.checks import PROXY_AUTHENTICATION, check, check_preflight
from devproxy.policy.verdict.handshake import fault_of
from devproxy.policy.verdict.model import ALLOWED, REDIRECTS, Hop, PageRequest, RequestKind, Verdict, shown
from devproxy.policy.verdict.safelist import needs_preflight, normalised_method

_BODY_HEADERS: Final = frozenset((b"content-encoding", b"content-language", b"content-location", b"content-type"))
"""Fetch, "request-body-header name": they go when a redirect drops the body."""
_NAMES_A_USER: Final = Verdict(
    text="contains a username and password, which is disallowed for cross-origin requests.",
    step="Fetch section 4.5, HTTP-redirect fetch, steps 9 and 10",
    what="A redirect of a cross-origin request has a user name in its URL, and no browser follows it.",
    fix='redirects = "map" (the default) maps URLs of the upstream back without it',
)
_NAMES_A_USER_QUIETLY: Final = Verdict(
    step="Chromium alone: an answer to fetch() from a URL that names a user",
    what="A redirect has a user name in its URL, and fetch() returns no answer from one; Chromium shows no message.",
    fix=_NAMES_A_USER.fix,
)


def asks_first(request: PageRequest) -> bool:
    """Tell whether a browser sends a preflight before this request, if that goes to another origin."""
    return request.kind in (RequestKind.FETCH, RequestKind.XHR) and needs_preflight(request.method, request.headers)


def judge(request: PageRequest, hops: Sequence[Hop], preflight: Hop | None = None) -> Verdict:
    """Return what a browser does with the answers to `request`.

    `hops`: the responses, in order, redirects first. `preflight`: the answer to the first preflight, if one was asked
    for; a preflight whose answer is not stated is taken to have permitted everything.
    """
    if request.kind is RequestKind.NAVIGATION:
        return ALLOWED
    if request.kind is RequestKind.WEBSOCKET:
        return judge_handshake(hops[0].status, hops[0].fields, key=request.key, protocols=request.protocols)
    # `is_cors`: the response tainting; once a request has left its own origin it stays so (Fetch section 4.1, step 12).
    origin, target, is_cors = request.page, request.target, False
    for number, hop in enumerate(hops):
        is_cross = origin == OPAQUE or target != request.page
        is_cors = is_cors or is_cross
        asked = hop.preflight or (preflight if number == 0 else None)
        refusal = _judge_hop(request, hop, origin, asked if is_cross else None, is_cors=is_cors)
        if refusal is not None:
            return refusal
        if hop.status not in REDIRECTS or not hop.location:
            return _judge_content(request, hops[: number + 1])
        following = hop.target or target
        if (
            request.kind is not RequestKind.NO_CORS
            and _names_user(hop.location)
            and (is_cors or following != request.page)
        ):
            return _NAMES_A_USER
        request = _redirected(request, hop.status, is_away=following != target)
        if target not in (following, request.page):
            origin = OPAQUE  # Fetch, "redirect-tainted origin"
        target = following
    return ALLOWED


def _judge_hop(
    request: PageRequest, hop: Hop, origin: bytes, preflight: Hop | None, *, is_cors: bool
) -> Verdict | None:
    if hop.status == 407:
        return PROXY_AUTHENTICATION
    if request.kind is RequestKind.NO_CORS:
        return _judge_resource_policy(hop) if is_cors else None
    if preflight is not None and asks_first(request):
        verdict = check_preflight(request, preflight, origin)
        if verdict.is_blocked:
            return verdict
    return check(hop.fields, origin, includes_credentials=request.includes_credentials) if is_cors else None


def _judge_resource_policy(hop: Hop) -> Verdict | None:
    """Judge ``Cross-Origin-Resource-Policy``: it holds for what a page of another origin loads without CORS.

    ``same-site`` is not judged: which hosts make a site is a matter of the Public Suffix List.
    """
    if values_of(hop.fields, b"cross-origin-resource-policy") != [b"same-origin"]:
        return None
    return Verdict(
        text="net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin",
        step="Fetch section 3.7, cross-origin resource policy internal check, step 4",
        what="Cross-Origin-Resource-Policy keeps the answer from pages of other origins.",
        fix='[routes.headers] response.set = { "Cross-Origin-Resource-Policy" = "cross-origin" }',
    )


def _judge_content(request: PageRequest, hops: Sequence[Hop]) -> Verdict:
    """Judge the last answer where CORS has nothing against it."""
    if request.kind is RequestKind.FETCH and any(_names_user(hop.location) for hop in hops):
        return _NAMES_A_USER_QUIETLY
    if request.kind is not RequestKind.EVENT_SOURCE:
        return ALLOWED
    step = "HTML section 9.2.3, processing model of event streams"
    if hops[-1].status != 200:
        what = f"An EventSource accepts only 200, and the answer is {hops[-1].status}; Chromium shows no message."
        return Verdict(step=step, what=what, fix="Look at the server's own log")
    values = values_of(hops[-1].fields, b"content-type")
    kind = values[-1].partition(b";")[0].strip(b" \t").lower() if values else b""
    if kind == b"text/event-stream":
        return ALLOWED
    return Verdict(
        text=f'EventSource\'s response has a MIME type ("{shown(kind or b"text/plain")}") that is not '
        '"text/event-stream". Aborting the connection.',
        step=step,
        what=f"An EventSource accepts only text/event-stream, and the answer is {shown(kind) or 'of no type'}.",
        fix="Content-Type: text/event-stream from the server; text/html often means that another server answered",
    )


def _redirected(request: PageRequest, status: int, *, is_away: bool) -> PageRequest:
    """Return the request that follows a redirect (Fetch section 4.5, HTTP-redirect fetch, steps 12 to 14)."""
    method, dropped = normalised_method(request.method), frozenset[bytes]()
    if (status in (301, 302) and method == b"POST") or (status == 303 and method not in (b"GET", b"HEAD")):
        method, dropped = b"GET", _BODY_HEADERS
    if is_away:
        dropped |= {b"authorization"}
    kept = tuple((name, value) for name, value in request.headers if name not in dropped)
    return request._replace(method=method, headers=kept)


def _names_user(location: bytes) -> bool:
    return b"@" in location.partition(b"://")[2].partition(b"/")[0]


def judge_handshake(
    status: int, fields: Sequence[Field], *, key: bytes = b"", protocols: Sequence[bytes] | None = None
) -> Verdict:
    """Return what a browser does with the answer to a WebSocket handshake. CORS has no say (RFC 6455 section 4.1).

    `key` and `protocols`: that the handshake asked with, where they are known.
    """
    text = fault_of(status, fields, key=key, protocols=protocols)
    if not text:
        return ALLOWED
    if status == 101:
        what = "The server accepted the WebSocket in a way that browsers do not."
        fix = "Look at what is between devproxy and the server"
    else:
        what = f"The handshake was refused with {status}; its body says what refused it and why."
        fix = "CORS settings do not matter here: look at the body, and at the server's own check of Origin"
    return Verdict(text=text, step="RFC 6455 section 4.1, the server's opening handshake", what=what, fix=fix)
