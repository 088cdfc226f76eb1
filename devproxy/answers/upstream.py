"""The answer when an upstream gives none that can be used: what was tried, what happened, what to do.

Start at :func:`upstream_failed`.
"""

from __future__ import annotations

from typing import Final

from devproxy.answers.model import Answer
from devproxy.config.problems import key_text
from devproxy.errors import Absence, BadMessage, Foreign, UpstreamError, UpstreamFault
from devproxy.http1.refusals import shown_line
from devproxy.policy.advice import (
    WEBPACK_ADVICE,
    advice_on_absence,
    advice_on_no_http,
    facts_of_absence,
)
from devproxy.policy.host_gateway import advice_on_host
from devproxy.policy.proxy_advice import UnusedProxy, advice_on_unused, words_on_proxy
from devproxy.policy.tls_advice import Settings, facts_of_certificate, words_on_tls
from devproxy.realtime.engineio import SESSION_UNKNOWN

_UNAVAILABLE: Final = 503
_RETRY_AFTER_S: Final = 1
_STATUS: Final = {
    UpstreamFault.REFUSED: _UNAVAILABLE,
    UpstreamFault.UNREACHABLE: _UNAVAILABLE,
    UpstreamFault.NO_DESCRIPTOR: _UNAVAILABLE,
    UpstreamFault.RECORDING: _UNAVAILABLE,
    UpstreamFault.CONNECT_TIMEOUT: 504,
    UpstreamFault.RESPONSE_TIMEOUT: 504,
}
"""Of the others 502."""
_WORDS: Final = {
    UpstreamFault.REFUSED: (
        "nothing listens there",
        "Start that server, or correct the port in the configuration. It may just be restarting: try again.",
    ),
    UpstreamFault.UNREACHABLE: (
        "that address cannot be reached from here",
        "Check the address of the upstream and the network in between.",
    ),
    UpstreamFault.UNRESOLVED: (
        "that host name does not resolve",
        "Correct the host name of the upstream. In a container, use the name of the service.",
    ),
    UpstreamFault.CONNECT_TIMEOUT: (
        "the connection attempt timed out",
        "Check that the server runs and that no firewall drops the packets (`connect_timeout_s`: how long to wait).",
    ),
    UpstreamFault.TLS: ("the TLS handshake failed", "Look at the server's own log."),
    UpstreamFault.PROXY: ("the proxy on the way gave no connection", "Look at the log of that proxy."),
    UpstreamFault.CLOSED_EARLY: (
        "it closed the connection without an answer",
        (
            "Look at the server's own log. For an upgrade this often means that nothing handles this path there. A "
            "server that speaks only HTTPS may do the same: if so, write https://."
        ),
    ),
    UpstreamFault.BAD_RESPONSE: (
        "its answer is not valid HTTP/1.1",
        "Correct what the server sends there: programs that read this answer could interpret it differently.",
    ),
    UpstreamFault.RESPONSE_TIMEOUT: (
        "it did not answer in time",
        "Raise `response_timeout_s` of the upstream, or 0 for no limit, if the server is just slow.",
    ),
    UpstreamFault.RECORDING: (
        "its recording cannot be used",
        "Correct the file, or record it again with `devproxy record`. It is read again when it has changed.",
    ),
    UpstreamFault.NOT_RECORDED: (
        "it is a recording, which has no answer to this request",
        "Record this request, too: `devproxy record` while the server itself answers. Method, path and query count.",
    ),
    UpstreamFault.NO_DESCRIPTOR: (
        "devproxy itself has no file descriptor left for another connection",
        "Close pages and clients that keep connections open, or raise the limit of open files (`ulimit -n`).",
    ),
}

_FOREIGN_WORDS: Final = {
    Foreign.TLS: (
        "it speaks TLS, but devproxy sent plain HTTP",
        "Write https:// instead of http:// in the URL of the upstream.",
    ),
    Foreign.HTTP_2: (
        "it speaks only HTTP/2, but devproxy sends HTTP/1.1",
        "Let the server accept HTTP/1.1 as well: in Node `http.createServer`, or with TLS `allowHTTP1: true`.",
    ),
    Foreign.UNKNOWN: (
        "it sent `{line}`, which is not an HTTP/1 answer",
        "Check that the port is that of an HTTP server, and look at that server's own log.",
    ),
}
_LIMIT_ADVICE: Final = "Raise `{key}` in `[server]`, or let the server send less: too many cookies are a common cause."
_LIMITS: Final = ("max_head_bytes", "max_fields")

_PERHAPS_BEHIND_A_PROXY: Final = (UpstreamFault.UNREACHABLE, UpstreamFault.UNRESOLVED, UpstreamFault.CONNECT_TIMEOUT)
NO_CONNECTION: Final = (UpstreamFault.REFUSED, UpstreamFault.RECORDING, *_PERHAPS_BEHIND_A_PROXY)
"""Faults of a server that is not there: nothing has been sent, and it may come back."""

_OWN_CONTAINER: Final = (
    "Start that server, or correct the address: devproxy runs in a container, where `localhost` is that container "
    "itself. Write `host.docker.internal` for a server on the host (on Linux with `extra_hosts`), or the name of the "
    "service for one in another container."
)

_OF_PROGRAM: Final = (
    "devproxy runs its program, `{program}`, which has not begun to listen yet, or has ended: the terminal of devproxy "
    "shows what it says."
)


def upstream_failed(
    error: UpstreamError,
    *,
    upstream: str,
    route: str,
    absence: Absence | None = None,
    is_own_container: bool = False,
    program: str = "",
    unused_proxy: UnusedProxy | None = None,
    is_webpack_perhaps: bool = False,
    tls: Settings | None = None,
) -> Answer:
    """Return the answer when no usable response came from an upstream: what was tried, what happened, what to do.

    `absence`: a server of this upstream has accepted connections before, so that this one may be restarting.
    `is_own_container`: devproxy runs in a container and the server's address leads back into it. `program`: the one
    that devproxy runs for this upstream. `unused_proxy`: that by which other programs would reach the server.
    `is_webpack_perhaps`: what asks may be a hot-reload socket that a route has taken from the frontend. `tls`: what
    the upstream says of TLS, for a server that is spoken to by https.
    """
    what, advice = _WORDS[error.fault] if error.cause is None else _words_on(error.cause)
    status = _STATUS.get(error.fault, 502)
    table = f"[upstreams.{key_text(upstream)}]"
    if error.proxy is not None:
        what, advice = words_on_proxy(error.proxy, table)
    elif error.tls is not None and tls is not None:
        what, advice = words_on_tls(error.tls, tls)
    absence = absence if error.fault in NO_CONNECTION else None
    if absence is not None:
        status, advice = _UNAVAILABLE, advice_on_absence(absence)
    elif error.tls is not None or error.proxy is not None:
        pass  # there is more to say than by the fault alone
    elif program and error.fault in NO_CONNECTION:
        advice = _OF_PROGRAM.format(program=program)
    elif is_own_container and error.fault is UpstreamFault.REFUSED:
        advice = _OWN_CONTAINER
    elif error.fault in NO_CONNECTION:
        is_known = error.fault is not UpstreamFault.UNRESOLVED
        advice = advice_on_host(_host_of(error.server), is_known=is_known) or advice
    if unused_proxy is not None and _is_perhaps_behind(unused_proxy, error.fault):
        advice = f"{advice} {advice_on_unused(unused_proxy, table)}"
    if is_webpack_perhaps and error.fault is UpstreamFault.CLOSED_EARLY:
        advice = f"{advice} {WEBPACK_ADVICE}."
    facts = [("upstream", upstream), ("server", error.server), ("route", route)]
    facts += [("tried", f"{address}: {outcome}") for address, outcome in error.tried]
    facts += [("detail", error.detail)] if error.detail else []
    if error.tls is not None:
        facts += [("cause", error.tls.cause.value), *facts_of_certificate(error.tls.certificate)]
    if error.proxy is not None:
        facts += [("cause", error.proxy.cause.value), ("proxy", error.proxy.proxy)]
    facts += [] if absence is None else facts_of_absence(absence)
    return Answer(
        status=status,
        code=error.fault.value,
        what=f"devproxy got no answer from `{upstream}` ({error.server}): {what}.",
        facts=tuple(facts),
        help=advice,
        retry_after_s=_RETRY_AFTER_S if status == _UNAVAILABLE else 0,
        detail="" if error.cause is None else error.detail,
    )


def _host_of(url: str) -> str:
    """Return the host in `url`, that of a server; brackets stay."""
    return url.partition("://")[2].partition(":")[0]


def _is_perhaps_behind(proxy: UnusedProxy, fault: UpstreamFault) -> bool:
    """Tell whether `fault` is what there is where a server can be reached by `proxy` alone. A firewall may refuse."""
    return fault in _PERHAPS_BEHIND_A_PROXY or (proxy.is_far and fault is UpstreamFault.REFUSED)


def _words_on(cause: BadMessage) -> tuple[str, str]:
    """Return what is to be said of an answer that was refused for `cause`, and what to do about it."""
    if cause.foreign is not None:
        what, advice = _FOREIGN_WORDS[cause.foreign]
        return what.format(line=shown_line(cause.line)), advice_on_no_http(cause.line) or advice
    what, advice = _WORDS[UpstreamFault.BAD_RESPONSE]
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
