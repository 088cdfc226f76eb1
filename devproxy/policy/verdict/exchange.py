"""The verdict on one exchange as it passed over the wire: for the log, which knows the heads and not the page.

Start at :func:`judge_exchange`.
"""

from __future__ import annotations

from typing import Final

from devproxy.authority.origins import web_origin
from devproxy.http.fields import elements_of, values_of
from devproxy.http.messages import RequestHead
from devproxy.policy.verdict.checks import check, check_preflight
from devproxy.policy.verdict.model import ALLOWED, Hop, PageRequest, Verdict
from devproxy.policy.verdict.page import judge_handshake
from devproxy.policy.verdict.safelist import MAX_SAFELISTED_VALUE

_UNJUDGED_MODES: Final = frozenset((b"navigate", b"no-cors", b"same-origin"))
"""Of ``Sec-Fetch-Mode``: the answer does not pass the CORS check."""
_UNSAFE: Final = b"?" * (MAX_SAFELISTED_VALUE + 1)
"""A value that needs permission whatever its header: a preflight names only such."""


def sends_cookies(request: RequestHead) -> bool:
    """Tell whether `request` has a Cookie: then its page asked with credentials.

    Authorization says nothing: scripts set it themselves, usually to do without cookies.
    """
    return any(line[:7].lower() == b"cookie:" for line in request.lines)


def judge_exchange(
    request: RequestHead, response: Hop, *, scheme: str, with_cookies: bool | None = None
) -> Verdict | None:
    """Return what a browser does with `response`, as the client gets it, or None if that is unknown or obvious.

    Of the page only its Origin is known, and whether it asked with credentials by what came: a Cookie, or a server that
    expects some. `scheme`: of the front. `with_cookies`: as if the request had some, or none; None: as it is.
    """
    facts = request.facts
    if len(facts.origins) != 1:
        return None
    if facts.upgrade == b"websocket":
        return _judge_upgrade(request, response)
    if response.status < 200 or response.status == 304 or facts.fetch_mode in _UNJUDGED_MODES:
        return None  # a 304 confirms an answer that has been judged (Fetch section 4.4, the note on CORS checks)
    origin = facts.origins[0]
    if origin == web_origin(scheme, facts.host):
        return None
    fields = response.fields
    says_credentials = any(field.name == b"access-control-allow-credentials" for field in fields)
    has_cookies = sends_cookies(request) if with_cookies is None else with_cookies
    asked = request.first(b"access-control-request-method")
    names = values_of(request.fields, b"access-control-request-headers") if asked is not None else []
    page = PageRequest(
        page=origin,
        target=web_origin(scheme, facts.host),
        method=request.method if asked is None else asked,
        includes_credentials=has_cookies or says_credentials,
        headers=tuple((name, _UNSAFE) for name in elements_of(b",".join(names).lower())),
    )
    if request.method == b"OPTIONS" and asked is not None:
        verdict = check_preflight(page, response, origin)
    else:
        verdict = check(fields, origin, includes_credentials=page.includes_credentials) or ALLOWED
    return verdict if verdict.is_blocked else None


def _judge_upgrade(request: RequestHead, response: Hop) -> Verdict | None:
    if response.status < 200 and response.status != 101:
        return None
    verdict = judge_handshake(
        response.status,
        response.fields,
        key=request.first(b"sec-websocket-key") or b"",
        protocols=elements_of(b",".join(values_of(request.fields, b"sec-websocket-protocol"))),
    )
    return verdict if verdict.is_blocked else None
