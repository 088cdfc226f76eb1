"""What to write when an upstream refuses devproxy: by the words of its answer, by what is around.

Pure. The words of a refusal are looked for in the first bytes of a body, in time linear in their number; they decide
nothing. Start at :func:`advice_on_words`. TLS and proxies on the way have modules of their own: ``tls_advice``,
``proxy_advice``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.errors import Absence
from devproxy.http.messages import REFUSALS
from devproxy.realtime.hot_reload import MOVED_WEBPACK_PATH

_MOVED: Final = MOVED_WEBPACK_PATH.decode()
WEBPACK_ADVICE: Final = (
    "webpack's dev server opens its hot-reload socket at /ws as well. If that is your frontend, give the socket "
    f'another path there: webSocketServer: {{ type: "ws", options: {{ path: "{_MOVED}" }} }} and '
    f'client: {{ webSocketURL: "auto://0.0.0.0:0{_MOVED}" }}'
)
"""For an upstream that gets ``/ws`` by a route, although a page of webpack's may have meant its own server."""

_WORTH_TELLING_S: Final = 0.5
"""A request that waited for less has not been felt to wait."""


class _Refusal(NamedTuple):
    """A server's refusal of a Host or an Origin that it does not know.

    ``words``: of its answer, which has one of ``statuses`` (among ``REFUSALS``); ``is_all``: and nothing else.
    ``paths``: what begins a segment of the path asked for, for words that others say too; empty for any path.
    ``field``: what it looks at. ``lines``: with their place, by which it sees its own; empty where they are of no
    use. ``own``: its setting for that.
    """

    words: bytes
    statuses: tuple[int, ...]
    who: str
    field: str
    lines: str
    own: str
    is_all: bool = False
    paths: tuple[bytes, ...] = ()


_HOST: Final = '`host = "upstream"` in this route'
_ORIGIN: Final = '`origin = "upstream"` in this route'
_BOTH: Final = f'`host = "upstream"` and {_ORIGIN}'
_HTTPS: Final = "The server speaks HTTPS on this port: write https:// in the URL of the upstream."
_DJANGO_HOST: Final = "`ALLOWED_HOSTS`"
# Not in the route of the pages, whose Server Actions compare the Origin with X-Forwarded-Host.
_NEXT: Final = _Refusal(
    b"Unauthorized",
    (403,),
    "Next",
    "Origin",
    '`origin = "upstream"` in a route of its own for `/_next/`',
    "`allowedDevOrigins` in next.config",
    is_all=True,
    paths=(b"/_next", b"/__nextjs"),  # many an API answers 403 `Unauthorized`, too
)
_REFUSALS: Final = (
    _Refusal(b"Blocked request. This host (", (403,), "Vite", "Host", _HOST, "`server.allowedHosts`"),
    _Refusal(b"Invalid Host header", (403,), "webpack-dev-server", "Host", _HOST, "`devServer.allowedHosts`"),
    _Refusal(b"Invalid host header", (400,), "Starlette", "Host", _HOST, "`allowed_hosts` of TrustedHostMiddleware"),
    _Refusal(b"DisallowedHost", (400,), "Django", "Host", _BOTH, _DJANGO_HOST),  # its CSRF check compares the two
    _Refusal(b"Invalid HTTP_HOST header", (400,), "Django", "Host", _BOTH, _DJANGO_HOST),
    _Refusal(b"Blocked host", (403,), "Rails", "Host", "", "`config.hosts`"),  # X-Forwarded-Host counts as well
    _Refusal(b"Origin checking failed", (403,), "Django", "Origin", _ORIGIN, "`CSRF_TRUSTED_ORIGINS`"),
    _Refusal(b" form submissions are forbidden", (403,), "SvelteKit", "Origin", _ORIGIN, "`csrf.trustedOrigins`"),
    _NEXT,
)
_TLS_WORDS: Final = {
    b"No required SSL certificate was sent": (
        "The server wants to see a certificate of its client: `tls_cert` and `tls_key` in the upstream name it."
    ),
    b"The SSL certificate error": "The server does not accept the certificate that `tls_cert` in the upstream names.",
    b"The plain HTTP request was sent to HTTPS port": _HTTPS,
    b"Client sent an HTTP request to an HTTPS server": _HTTPS,
}
"""What nginx (the first three) and servers in Go answer with 400, and what to do."""
_MAX_SEARCHED: Final = 16_384
"""Bytes of a body: Django's page says it after its styles."""


def advice_on_words(status: int, body: bytes, path: bytes, *, keeps_host: bool, keeps_origin: bool) -> str:
    """Return what to do about an answer by which a server refuses the Host or the Origin it was sent, or asks for TLS
    or a certificate; else nothing.

    `body`: what of it came with its head. `path`: that was asked for. `keeps_host` and `keeps_origin`: the server got
    what the client had sent.
    """
    if status not in REFUSALS or not body:
        return ""
    searched = body[:_MAX_SEARCHED]
    if status == 400 and (words := next((words for words in _TLS_WORDS if words in searched), b"")):
        return _TLS_WORDS[words]
    for refusal in _REFUSALS:
        if status not in refusal.statuses or (refusal.paths and not any(start in path for start in refusal.paths)):
            continue
        if searched.strip() == refusal.words if refusal.is_all else refusal.words in searched:
            return _advice(refusal, keeps=keeps_host if refusal.field == "Host" else keeps_origin)
    return ""


def advice_on_no_http(line: bytes) -> str:
    """Return what to do about a server that sent `line` instead of an answer in HTTP; empty where nothing is known."""
    return _advice(_NEXT, keeps=True) if line.strip() == _NEXT.words else ""


def _advice(refusal: _Refusal, *, keeps: bool) -> str:
    who, field = refusal.who, refusal.field
    if not keeps:
        return f"{who} does not know the {field} that this route sends (`{field.lower()}`). Add it to {refusal.own}."
    what = "the host name that devproxy is asked for" if field == "Host" else "the Origin of the page"
    line = f"Write {refusal.lines}, or add" if refusal.lines else "Add"
    return f"{who} does not know {what}. {line} it to {refusal.own}."


def advice_on_absence(absence: Absence) -> str:
    """Return what to do about a server that was up: what was waited for already is not recommended."""
    went = f"It was up until {_span(absence.away_s)} ago"
    if absence.waited_s >= _WORTH_TELLING_S:
        return f"{went}, and this request has waited for it for {_span(absence.waited_s)}. Start it again."
    if not absence.hold_s:
        wish = "With `hold_s` in the upstream, requests that are safe to delay wait for it."
        return f"{went} and may be restarting: try again. {wish}"
    if not absence.may_wait:
        return f"{went} and may be restarting: try again. Only requests without a body that change nothing wait for it."
    if absence.away_s >= absence.hold_s:
        return f"{went}, longer than requests wait for it (`hold_s = {absence.hold_s:g}`). Start it again."
    return f"{went} and may be restarting: try again. Too many requests wait for it already."


def facts_of_absence(absence: Absence) -> list[tuple[str, str]]:
    """Return since when a server is away and how long was waited for it, as name and value."""
    facts = [("away for", _span(absence.away_s))]
    if absence.waited_s >= _WORTH_TELLING_S:
        facts.append(("waited", _span(absence.waited_s)))
    return facts


def _span(seconds: float) -> str:
    """Return a length of time in words: ``0.4 s``, ``12 s``, ``5 min``, ``3 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
