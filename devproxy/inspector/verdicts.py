"""What a browser does with an answer, with devproxy and without it, and what to write so that it does something else.

Pure. The verdicts are :mod:`devproxy.policy.verdict`'s; here they are asked for about one exchange that was kept, and
put into Chromium's whole sentence. Start at :func:`verdict_json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from devproxy.authority.hosts import authority
from devproxy.authority.origins import web_origin
from devproxy.config.model import Scheme
from devproxy.http.fields import elements_of, parse_fields, values_of
from devproxy.policy import server_code
from devproxy.policy.verdict import (
    ALLOWED,
    Hop,
    PageRequest,
    RequestKind,
    Verdict,
    judge,
    judge_exchange,
    sends_cookies,
)
from devproxy.policy.verdict.checks import check_preflight
from devproxy.realtime.engineio import parse_engine_request

if TYPE_CHECKING:
    from devproxy.config.model import ServerAddress
    from devproxy.gateway.shared.capture import Capture
    from devproxy.http.messages import RequestHead

_UNJUDGED_MODES: Final = frozenset((b"navigate", b"no-cors", b"same-origin"))


def verdict_json(capture: Capture) -> dict[str, Any] | None:
    """Return the verdict on an exchange as the API gives it; None where CORS has no part in it."""
    request = capture.request
    facts = request.facts
    origin = _page_of(capture)
    if not origin or facts.fetch_mode in _UNJUDGED_MODES:
        return None
    scheme = capture.peer.scheme
    front = web_origin(scheme, facts.host)
    with_credentials = sends_cookies(request)
    sent = _sent(capture)
    through = None if sent is None else judge_exchange(request, sent, scheme=scheme) or ALLOWED
    without = None
    if capture.response is not None and capture.server is not None and capture.server.has_port:
        without = _without(request, origin, capture.server, Hop.of(capture.response), includes=with_credentials)
    if through is None and without is None:
        return None
    blocked, asked = (through, front) if through is not None and through.is_blocked else (without, b"")
    if blocked is not None and not asked and capture.server is not None:
        asked = server_origin(capture.server)
    return {
        "origin": origin.decode("latin-1"),
        "with_credentials": with_credentials,
        "through": None if through is None else _json(through),
        "without": None if without is None else _json(without),
        "console": "" if blocked is None else console_message(blocked, request, origin, asked),
        "fixes": []
        if blocked is None or not blocked.is_blocked
        else fixes(blocked, origin.decode("latin-1"), request, sends_credentials=with_credentials),
    }


def _page_of(capture: Capture) -> bytes:
    """Return the origin of the page that asks; of one served through devproxy, which sends none, its own server's.

    That is what it would have without devproxy: what takes ``/`` serves it. Empty: it is no page's request, or its
    server is the one that is asked.
    """
    facts = capture.request.facts
    if facts.origins:
        return facts.origins[0] if len(facts.origins) == 1 else b""
    if facts.fetch_site != b"same-origin" or facts.fetch_dest != b"empty":
        return b""
    page = next((route for route in capture.config.routes if route.pattern == "/"), None)
    server = None if page is None else capture.config.upstream(page.upstream).servers[0]
    if server is None or not server.has_port or server == capture.server:
        return b""
    return server_origin(server)


def _sent(capture: Capture) -> Hop | None:
    """Return the answer as the client got it."""
    if capture.own is not None:
        return Hop(status=capture.own.status, fields=tuple(parse_fields(capture.own.lines)))
    if capture.response is None or capture.edits is None:
        return None
    return Hop.after(capture.response, capture.edits)


def server_origin(server: ServerAddress) -> bytes:
    """Return the web origin that pages of `server` itself have."""
    scheme = "https" if server.scheme is Scheme.HTTPS else "http"
    return web_origin(scheme, authority(server.host, server.port).encode())


def _without(request: RequestHead, origin: bytes, server: ServerAddress, answer: Hop, *, includes: bool) -> Verdict:
    """Return what a browser would do with the server's own answer if its page asked the server itself."""
    asked = request.first(b"access-control-request-method")
    if request.facts.upgrade == b"websocket":
        kind = RequestKind.WEBSOCKET
    elif b"text/event-stream" in (request.first(b"accept") or b""):
        kind = RequestKind.EVENT_SOURCE
    else:
        kind = RequestKind.FETCH
    page = PageRequest(
        page=origin,
        target=server_origin(server),
        kind=kind,
        method=request.method if asked is None else asked,
        includes_credentials=includes,
        headers=_asked_headers(request) if asked is not None else (),
        key=request.first(b"sec-websocket-key") or b"",
    )
    if request.method == b"OPTIONS" and asked is not None:
        return check_preflight(page, answer, origin)
    return judge(page._replace(headers=()), [answer])


def _asked_headers(request: RequestHead) -> tuple[tuple[bytes, bytes], ...]:
    names = values_of(request.fields, b"access-control-request-headers")
    return tuple((name, b"?" * 129) for name in elements_of(b",".join(names).lower()))


def console_message(verdict: Verdict, request: RequestHead, page: bytes, asked: bytes) -> str:
    """Return what Chromium prints about a request of `page` to the origin `asked` that it blocks; empty: nothing.

    Before and after the part that :mod:`devproxy.policy.verdict` knows, in the words of Chromium since 2020.
    """
    if not verdict.is_blocked or not verdict.text:
        return ""
    path = request.path.decode("latin-1")
    origin = page.decode("latin-1")
    url = asked.decode("latin-1") + path
    if request.facts.upgrade == b"websocket":
        return f"WebSocket connection to '{'ws' + url.removeprefix('http')}' failed: {verdict.text}"
    if verdict.text.startswith(("net::", "EventSource")):
        return verdict.text
    return f"Access to fetch at '{url}' from origin '{origin}' has been blocked by CORS policy: {verdict.text}"


def _json(verdict: Verdict) -> dict[str, Any]:
    return {"is_blocked": verdict.is_blocked, **verdict._asdict()}


def fixes(verdict: Verdict, origin: str, request: RequestHead, *, sends_credentials: bool) -> list[dict[str, str]]:
    """Return what to paste so that a page of `origin` gets the answer: for devproxy, and for the usual servers."""
    if request.facts.upgrade:
        return [{"for": "devproxy", "language": "text", "code": verdict.fix}]
    is_engine = parse_engine_request(request.target) is not None
    code = (server_code.socketio if is_engine else server_code.rest)(origin, sends_credentials=sends_credentials)
    titles = server_code.TITLES if is_engine else server_code.REST_TITLES
    route = f'[routes.cors]\nmode = "rewrite"\norigins = ["{origin}"]\n'
    return [
        {"for": "devproxy", "language": "toml", "code": f"# {verdict.fix}\n{route}"},
        *(
            {
                "for": titles[name],
                "language": "javascript" if name in server_code.JAVASCRIPT else "python",
                "code": f"{text}\n",
            }
            for name, text in code.items()
            if not (is_engine and name == server_code.EXPRESS)
        ),
    ]
