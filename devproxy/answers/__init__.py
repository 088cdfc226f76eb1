"""What devproxy answers by itself: errors that say what was tried and what to do, and its own small pages.

Pure. An answer is written once as data (:class:`Answer`) and rendered for whoever asked: a page for a navigation, JSON
for ``fetch`` and XHR, text for a terminal. Every error carries ``X-Devproxy-Error`` with a stable code. Start at
:func:`compose`.
"""

from __future__ import annotations

import re
from base64 import b64encode
from enum import Enum
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from devproxy.errors import Absence, BadMessage, Foreign, UpstreamError, UpstreamFault
from devproxy.http.messages import RequestHead
from devproxy.http1.reasons import reason_phrase
from devproxy.http1.refusals import shown_line
from devproxy.policy.advice import (
    WEBPACK_ADVICE,
    advice_on_absence,
    advice_on_no_http,
    advice_on_proxy,
    advice_on_tls,
    facts_of_absence,
)
from devproxy.policy.faults import Injection
from devproxy.policy.hosts import HostVerdict, SourceVerdict
from devproxy.policy.preflight import PreflightVerdict
from devproxy.realtime.engineio import SESSION_UNKNOWN
from devproxy.text.safe import visible

REFUSED_STATUS: Final = 503
_RETRY_AFTER_S: Final = 1

_UPSTREAM_STATUS: Final[dict[UpstreamFault, int]] = {
    UpstreamFault.REFUSED: 503,
    UpstreamFault.UNREACHABLE: 503,
    UpstreamFault.UNRESOLVED: 502,
    UpstreamFault.CONNECT_TIMEOUT: 504,
    UpstreamFault.TLS: 502,
    UpstreamFault.CLOSED_EARLY: 502,
    UpstreamFault.BAD_RESPONSE: 502,
    UpstreamFault.RESPONSE_TIMEOUT: 504,
    UpstreamFault.NO_DESCRIPTOR: 503,
}

_UPSTREAM_WORDS: Final[dict[UpstreamFault, tuple[str, str]]] = {
    UpstreamFault.REFUSED: (
        "nothing listens there",
        "Start that server, or correct the port in the configuration. It may just be restarting: try again.",
    ),
    UpstreamFault.UNREACHABLE: (
        "that address cannot be reached from here",
        "Check the address of the upstream and the network between.",
    ),
    UpstreamFault.UNRESOLVED: (
        "that host name does not resolve",
        "Correct the host name of the upstream. In a container, use the name of the service.",
    ),
    UpstreamFault.CONNECT_TIMEOUT: (
        "nobody answered the connection attempt in time",
        "Check that the server runs and that no firewall drops the packets (`connect_timeout_s`: how long to wait).",
    ),
    UpstreamFault.TLS: ("the TLS handshake failed", ""),
    UpstreamFault.CLOSED_EARLY: (
        "it closed the connection without an answer",
        (
            "Look at the server's own log. For an upgrade this often means that nobody handles this path there. A "
            "server that speaks only HTTPS may end like this as well: write https:// then."
        ),
    ),
    UpstreamFault.BAD_RESPONSE: (
        "its answer is not valid HTTP/1.1",
        "Correct what the server sends there: programs that read this answer could take it in different ways.",
    ),
    UpstreamFault.RESPONSE_TIMEOUT: (
        "it did not answer in time",
        "Raise `response_timeout_s` of the upstream, or 0 for no limit, if the server is just slow.",
    ),
    UpstreamFault.NO_DESCRIPTOR: (
        "devproxy itself has no file descriptor left for another connection",
        "Close pages and clients that hold connections open, or raise the limit of open files (`ulimit -n`).",
    ),
}

_FOREIGN_WORDS: Final[dict[Foreign, tuple[str, str]]] = {
    Foreign.TLS: (
        "it speaks TLS, and was asked in plain HTTP",
        "Write https:// instead of http:// in the URL of the upstream.",
    ),
    Foreign.HTTP_2: (
        "it speaks only HTTP/2, and devproxy asks in HTTP/1.1",
        "Let the server take HTTP/1.1 as well: in Node `http.createServer`, or with TLS `allowHTTP1: true`.",
    ),
    Foreign.UNKNOWN: (
        "it sent `{line}`, which is no HTTP/1 answer",
        "Check that the port is that of an HTTP server, and look at that server's own log.",
    ),
}
_LIMIT_ADVICE: Final = "Raise `{key}` in `[server]`, or let the server send less: too many cookies are a common cause."
_LIMITS: Final = ("max_head_bytes", "max_fields")

ERROR_DETAIL: Final = "X-Devproxy-Error-Detail"
"""The field that says what is wrong with an upstream's answer where there is no body that could."""

NO_CONNECTION: Final = frozenset(
    (
        UpstreamFault.REFUSED,
        UpstreamFault.UNREACHABLE,
        UpstreamFault.UNRESOLVED,
        UpstreamFault.CONNECT_TIMEOUT,
    )
)
"""Faults of a server that is not there: nothing has been sent, and it may come back."""

_PERHAPS_BEHIND_A_PROXY: Final = NO_CONNECTION - {UpstreamFault.REFUSED}

_OWN_CONTAINER: Final = (
    "Start that server, or correct the address: devproxy runs in a container, where `localhost` is that container "
    "itself. Write `host.docker.internal` for a server on the host (on Linux with `extra_hosts`), or the name of the "
    "service for one in another container."
)


class Answer(NamedTuple):
    """One answer by devproxy itself.

    ``code``: the value of ``X-Devproxy-Error``, empty when this is no error. ``what``: one sentence. ``facts``: what is
    known, as name and value. ``help``: what to do. ``retry_after_s``: 0 for none. ``close``: the connection ends.
    ``document``: JSON that is the whole body, whoever asks, for a client that understands nothing else.
    ``detail``: what a client that asked by HEAD, and gets no body, is told in a field; ASCII.
    """

    status: int
    code: str
    what: str
    help: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    retry_after_s: int = 0
    close: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    document: str = ""
    detail: str = ""


class Format(Enum):
    """What the asking party can read best."""

    HTML = "text/html; charset=utf-8"
    JSON = "application/json"
    TEXT = "text/plain; charset=utf-8"


def is_document(head: RequestHead) -> bool:
    """Tell whether `head` asks for a page to be shown, which can be one that waits and reloads itself."""
    return head.method == b"GET" and preferred_format(head) is Format.HTML


def preferred_format(head: RequestHead | None) -> Format:
    """Return how to write to whoever sent `head`: ``Sec-Fetch-Dest``, which scripts cannot forge, before ``Accept``."""
    if head is None or head.upgrade:
        return Format.TEXT
    destination = head.first(b"sec-fetch-dest")
    if destination is not None:
        return Format.HTML if destination in (b"document", b"iframe", b"frame") else Format.JSON
    accept = head.first(b"accept") or b""
    if b"text/html" in accept:
        return Format.HTML
    if b"json" in accept or head.first(b"sec-fetch-mode") is not None or head.first(b"origin") is not None:
        return Format.JSON
    return Format.TEXT


def bad_message(error: BadMessage) -> Answer:
    """Return the answer to a request that HTTP's grammar refuses. The connection ends: its framing is unknown."""
    facts = (("rule", error.source),) if error.source else ()
    return Answer(
        status=error.status,
        code="bad-request",
        what=f"This request was refused: {error.reason}.",
        facts=facts,
        close=True,
    )


def no_route(head: RequestHead) -> Answer:
    """Return the answer to a request that no route takes."""
    return Answer(
        status=404,
        code="no-route",
        what="No route of devproxy takes this request.",
        facts=(("method", _text(head.method)), ("path", _text(head.path)), ("host", _text(head.host))),
        help=f'Add a route for it, for example `path = "/"`, or ask `{_question(head)}` why.',
    )


def _question(head: RequestHead) -> str:
    """Return the command that says which route takes `head`, and why no other does."""
    host = head.host.decode("latin-1")
    is_default = host.rpartition(":")[0] in _LOCAL or host in _LOCAL or not host
    words = ("devproxy", "routes", "--test", _text(head.method), _text(head.path))
    return " ".join(map(_shell_word, words if is_default else (*words, "--host", _text(head.host))))


def _shell_word(text: str) -> str:
    """Return `text` as a shell reads it, whatever is in it."""
    if text and _PLAIN.issuperset(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_")


def upstream_failed(
    error: UpstreamError,
    *,
    upstream: str,
    route: str,
    absence: Absence | None = None,
    is_own_container: bool = False,
    unused_proxy: str = "",
    is_webpack_perhaps: bool = False,
) -> Answer:
    """Return the answer when no usable response came from an upstream: what was tried, what happened, what to do.

    `absence`: a server of this upstream has accepted connections before, so that this one may be restarting.
    `is_own_container`: devproxy runs in a container and the server's address leads back into it. `unused_proxy`: the
    variable of the environment that names a proxy, by which other programs would reach the server; empty for none.
    `is_webpack_perhaps`: what asks may be a hot-reload socket that a route has taken from the frontend.
    """
    what, advice = _UPSTREAM_WORDS[error.fault] if error.cause is None else _words_on(error.cause)
    status = _UPSTREAM_STATUS[error.fault]
    absence = absence if error.fault in NO_CONNECTION else None
    if absence is not None:
        status, advice = REFUSED_STATUS, advice_on_absence(absence)
    elif is_own_container and error.fault is UpstreamFault.REFUSED:
        advice = _OWN_CONTAINER
    elif error.fault is UpstreamFault.TLS:
        advice = advice_on_tls(error.detail)
    if unused_proxy and error.fault in _PERHAPS_BEHIND_A_PROXY:
        advice = f"{advice} {advice_on_proxy(unused_proxy)}"
    if is_webpack_perhaps and error.fault is UpstreamFault.CLOSED_EARLY:
        advice = f"{advice} {WEBPACK_ADVICE}."
    facts = [("upstream", upstream), ("server", error.server), ("route", route)]
    facts += [("tried", f"{address}: {outcome}") for address, outcome in error.tried]
    facts += [("detail", error.detail)] if error.detail else []
    facts += [] if absence is None else facts_of_absence(absence)
    return Answer(
        status=status,
        code=error.fault.value,
        what=f"devproxy got no answer from `{upstream}` ({error.server}): {what}.",
        facts=tuple(facts),
        help=advice,
        retry_after_s=_RETRY_AFTER_S if status == REFUSED_STATUS else 0,
        detail="" if error.cause is None else error.detail,
    )


def _words_on(cause: BadMessage) -> tuple[str, str]:
    """Return what is to be said of an answer that was refused for `cause`, and what to do about it."""
    if cause.foreign is not None:
        what, advice = _FOREIGN_WORDS[cause.foreign]
        return what.format(line=shown_line(cause.line)), advice_on_no_http(cause.line) or advice
    what, advice = _UPSTREAM_WORDS[UpstreamFault.BAD_RESPONSE]
    key = next((key for key in _LIMITS if f"`{key}`" in cause.reason), "")
    return what, _LIMIT_ADVICE.format(key=key) if key else advice


def session_lost(error: UpstreamError, *, upstream: str) -> Answer:
    """Return the answer to a request of an Engine.IO session whose server is gone, and the session with it.

    It is the one that the server itself would give after a restart, so that the client begins a new session at once,
    at a server that is up.
    """
    return Answer(
        status=400,
        code="session-lost",
        what=f"The server of `{upstream}` that held this session ({error.server}) is gone.",
        document=SESSION_UNKNOWN,
    )


def head_timeout(limit_s: float) -> Answer:
    """Return the answer to a client that did not finish its request head in time."""
    return Answer(
        status=408,
        code="request-head-timeout",
        what=f"The request head did not arrive within {limit_s:g} s.",
        close=True,
    )


def body_too_large(limit_bytes: int) -> Answer:
    """Return the answer to a body larger than the configured limit (there is none by default)."""
    return Answer(
        status=413,
        code="request-body-too-large",
        what=f"The request body is larger than {limit_bytes} bytes.",
        help="Raise `max_body_bytes` in `[server]`, or 0 for no limit.",
        close=True,
    )


def ambiguous_path(
    path: bytes,
    route: str,
    *,
    other_path: bytes,
    other_route: str,
    sent: bytes = b"",
    meant: bytes = b"",
    is_countless: bool = False,
) -> Answer:
    """Return the answer to a path that many servers read as another one, which leads elsewhere.

    `route`: the label of the route that takes `path` as devproxy reads it. `other_path` and `other_route`: the other
    reading and the route that takes it then, empty for none. `sent` and `meant`: where both readings lead to `route`,
    the path that such a server would take from what devproxy would send, and the one due. `is_countless`: there are
    more readings than devproxy compares.
    """
    facts = [("path", _text(path)), ("read as it is written", f"route {route}")]
    if is_countless:
        what = "This path mixes so many spellings of slashes and dots that every server could read another one."
        help = "Send the path that is meant, with plain slashes."
    elif sent:
        what = f"Behind route {route} many servers would read this path as one outside of what the route rewrites to."
        facts += [("read as many servers do", _text(sent)), ("instead of", _text(meant))]
        help = f"Send the path that is meant, perhaps `{_text(other_path)}`."
    else:
        place = f"route {other_route}" if other_route else "no route"
        what = "This path can be read in two ways, and they lead to different routes."
        facts.append(("read as many servers do", f"{_text(other_path)} ({place})"))
        help = f"Send `{_text(other_path)}` if that is meant."
    help += " A slash that is data is safe in the query or encoded twice (%252F)."
    return Answer(status=400, code="ambiguous-path", what=what, facts=tuple(facts), help=help)


def loop_detected(route: str) -> Answer:
    """Return the answer to a request that has already passed through this devproxy (RFC 5842 section 7.2)."""
    return Answer(
        status=508,
        code="loop-detected",
        what="This request came back to the devproxy that forwarded it: a route leads to devproxy itself.",
        facts=(("route", route),),
        help="Let the upstream of that route name the server, not the port that devproxy listens on.",
    )


def refused_host(verdict: HostVerdict) -> Answer:
    """Return the answer to a request for a host that is not this machine's (RFC 9110 section 15.5.20).

    Tells nothing of the configuration: whoever reads it may be the page of a rebound name.
    """
    facts = (("host", verdict.name),)
    return Answer(status=421, code="host-not-allowed", what=verdict.what, help=verdict.help, facts=facts)


def refused_source(verdict: SourceVerdict, route: str) -> Answer:
    """Return the answer to a request that a foreign web site made a browser send."""
    return Answer(
        status=403,
        code=verdict.code,
        what=verdict.what,
        help=verdict.help,
        facts=(*verdict.facts, ("route", route)),
    )


def fault_injected(injection: Injection, route: str) -> Answer:
    """Return the answer to a request that fails on purpose. No ``Retry-After``: nothing is being waited for."""
    return Answer(
        status=injection.status,
        code="fault-injected",
        what=injection.what,
        facts=(("rule", injection.rule), ("route", route), ("set at", injection.place)),
        help=f"Remove `{injection.rule}` from `[routes.fault]` of this route to have such requests forwarded again.",
    )


def preflight(verdict: PreflightVerdict) -> Answer:
    """Return the answer to a CORS preflight: 204, or 403 with what is not allowed and the line that allows it.

    The lines that belong to it are the verdict's.
    """
    if verdict.is_allowed:
        return Answer(status=204, code="", what="")
    return Answer(
        status=403,
        code="preflight-refused",
        what=verdict.what,
        help=verdict.help,
        facts=(("refused", verdict.code), ("value", verdict.refused), ("rule", verdict.rule)),
    )


def method_refused(head: RequestHead) -> Answer:
    """Return the answer to TRACE, which would show cookies to scripts (RFC 9110 section 9.3.8)."""
    return Answer(
        status=405,
        code="method-refused",
        what=f"{_text(head.method)} is not forwarded.",
        fields=(("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),),
    )


def reserved_path(head: RequestHead) -> Answer:
    """Return the answer below ``/__devproxy/`` where there is no page."""
    return Answer(
        status=404,
        code="reserved-path",
        what=f"`{_text(head.path)}` is reserved for devproxy's own pages, and there is none of that name.",
    )


def health() -> Answer:
    """Return the answer to ``GET /__devproxy/health``: nothing else, as it is given before the Host is judged."""
    return Answer(status=200, code="", what="devproxy is up", facts=(("status", "ok"),))


def asterisk_options() -> Answer:
    """Return the answer to ``OPTIONS *`` where no route takes ``/`` (RFC 9110 section 9.3.7)."""
    allow = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
    return Answer(status=204, code="", what="", fields=allow)


class Composed(NamedTuple):
    """An answer written for whoever asked: its field lines, but for what concerns the connection, and its body."""

    status: int
    lines: list[bytes]
    body: bytes


def compose(answer: Answer, head: RequestHead | None) -> Composed:
    """Return `answer` as a response to the request `head` (None: none could be read); no body for HEAD and 204."""
    is_json = answer.document or (not answer.code and answer.facts)
    form = Format.JSON if is_json else preferred_format(head)
    waits = not is_json and answer.retry_after_s > 0 and head is not None and is_document(head)
    body = _render_body(answer, form, waits=waits)
    fields: list[tuple[str, str]] = []
    if answer.status != 204:
        fields += [("Content-Type", form.value), ("Content-Length", str(len(body)))]
    fields += [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if form is Format.HTML:
        fields.append(("Content-Security-Policy", _WAITING_POLICY if waits else _POLICY))
    if answer.code:
        fields.append(("X-Devproxy-Error", answer.code))
    if answer.detail and head is not None and head.method == b"HEAD":
        fields.append((ERROR_DETAIL, answer.detail))
    if answer.retry_after_s:
        fields.append(("Retry-After", str(answer.retry_after_s)))
    fields += answer.fields
    lines = [f"{name}: {value}".encode("latin-1") for name, value in fields]
    has_body = answer.status != 204 and (head is None or head.method != b"HEAD")
    return Composed(answer.status, lines, body if has_body else b"")


def _text(raw: bytes) -> str:
    """Return `raw` for people, at most 200 characters."""
    return visible(raw, 200)


def _render_body(answer: Answer, form: Format, *, waits: bool) -> bytes:
    if answer.document:
        return answer.document.encode()
    if form is Format.JSON:
        return _render_json(answer)
    if form is Format.HTML:
        return _render_html(answer, waits=waits)
    lines = [answer.what if answer.what.startswith("devproxy ") else f"devproxy: {answer.what}"]
    lines += [f"  {name}: {value}" for name, value in answer.facts]
    if answer.help:
        lines.append(f"help: {answer.help}")
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _render_json(answer: Answer) -> bytes:
    import json

    document: dict[str, object] = {}
    if answer.code:
        document = {"error": answer.code, "message": answer.what, "help": answer.help, "status": answer.status}
    for name, value in answer.facts:
        if name == "tried":
            tried = document.setdefault("tried", [])
            assert isinstance(tried, list)
            tried.append(value)
        elif name not in document:
            document[name] = value
    return (json.dumps(document, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


_PAGE: Final = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
"""A page that waits. Open it in a browser to see how it looks."""
_PARTS: Final = _PAGE.replace("<!-- /waits -->", "<!-- waits -->").split("<!-- waits -->")
_WAITING_PAGE, _PLAIN_PAGE = Template("".join(_PARTS)), Template("".join(_PARTS[::2]))
_SCRIPT: Final = _PAGE.partition("<script>")[2].partition("</script>")[0]
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_WAITING_POLICY: Final = (
    f"{_POLICY}; connect-src 'self'; script-src 'sha256-{b64encode(sha256(_SCRIPT.encode()).digest()).decode()}'"
)
"""That one script and no other may run, and it may ask this origin alone (CSP level 3, section 6.7.3.3)."""


def _render_html(answer: Answer, *, waits: bool) -> bytes:
    from html import escape

    page = (_WAITING_PAGE if waits else _PLAIN_PAGE).substitute(
        status=f"{answer.status} {reason_phrase(answer.status)}",
        what=_marked_up(answer.what),
        facts="".join(f"<dt>{escape(name)}</dt><dd>{_marked_up(value)}</dd>" for name, value in answer.facts),
        help=_marked_up(answer.help),
        code=escape(answer.code),
        retry_after_s=answer.retry_after_s,
    )
    return page.encode("utf-8", "backslashreplace")


def _marked_up(text: str) -> str:
    """Return `text` for a page: escaped, with what stands in backquotes as code."""
    from html import escape

    return _sub_code(r"<code>\1</code>", escape(text))


_sub_code: Final = re.compile("`([^`]++)`").sub
