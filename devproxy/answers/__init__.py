"""What devproxy answers itself: errors that say what was tried and what to do, and its own small pages.

Pure. An answer is written once as data (:class:`Answer`) and rendered for the client that asked (:func:`compose`).
Every error carries ``X-Devproxy-Error`` with a stable code. Start here; what is to be said of upstreams is in
:mod:`devproxy.answers.upstream`.
"""

from __future__ import annotations

from typing import Final

from devproxy.answers.model import Answer, is_document
from devproxy.answers.rendering import compose
from devproxy.answers.upstream import NO_CONNECTION, session_lost, upstream_failed
from devproxy.errors import BadMessage
from devproxy.http.messages import RequestHead
from devproxy.policy.faults import Injection
from devproxy.policy.hosts import HostVerdict, SourceVerdict
from devproxy.policy.preflight import PreflightVerdict
from devproxy.policy.readings import Misreading
from devproxy.text.safe import visible

__all__ = ["NO_CONNECTION", "Answer", "compose", "is_document", "session_lost", "upstream_failed"]

_ALL_METHODS: Final = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)


def bad_message(error: BadMessage) -> Answer:
    """Return the answer to a request that HTTP's grammar refuses. The connection ends: its framing is unknown."""
    facts = (("rule", error.source),) if error.source else ()
    what = f"This request was refused: {error.reason}."
    return Answer(status=error.status, code="bad-request", what=what, facts=facts, close=True)


def no_route(head: RequestHead) -> Answer:
    """Return the answer to a request that no route takes."""
    return Answer(
        status=404,
        code="no-route",
        what="No devproxy route matches this request.",
        facts=(("method", _text(head.method)), ("path", _text(head.path)), ("host", _text(head.host))),
        help=f'Add a route for it, for example `path = "/"`, or run `{_question(head)}` to see why.',
    )


def _question(head: RequestHead) -> str:
    """Return the command that says which route takes `head`, and why no other does."""
    import shlex  # only refusals need it

    host = head.host.decode("latin-1")
    is_default = host.rpartition(":")[0] in _LOCAL or host in _LOCAL or not host
    words = ("devproxy", "routes", "--test", _text(head.method), _text(head.path))
    return shlex.join(words if is_default else (*words, "--host", _text(head.host)))


_LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")


def head_timeout(limit_s: float) -> Answer:
    """Return the answer to a client that did not finish its request head in time."""
    what = f"The request head did not arrive within {limit_s:g} s."
    return Answer(status=408, code="request-head-timeout", what=what, close=True)


def body_too_large(limit_bytes: int) -> Answer:
    """Return the answer to a body larger than the configured limit (there is none by default)."""
    return Answer(
        status=413,
        code="request-body-too-large",
        what=f"The request body is larger than {limit_bytes} bytes.",
        help="Raise `max_body_bytes` in `[server]`, or 0 for no limit.",
        close=True,
    )


def ambiguous_path(path: bytes, route: str, misreading: Misreading, other_route: str) -> Answer:
    """Return the answer to a path that many servers read as another one, which leads elsewhere.

    `route`: the label of the route that takes `path` as devproxy reads it; `other_route`: of the one that takes it as
    `misreading` says, empty for none.
    """
    facts = [("path", _text(path)), ("read as it is written", f"route {route}")]
    if misreading.is_countless:
        what = "This path mixes so many spellings of slashes and dots that every server could read it differently."
        help = "Send the path you mean, with plain slashes."
    elif misreading.sent:
        what = f"Behind route {route} many servers would read this path as one outside of what the route rewrites to."
        facts += [("read as many servers do", _text(misreading.sent)), ("instead of", _text(misreading.meant))]
        help = f"Send the path you mean, perhaps `{_text(misreading.path)}`."
    else:
        place = f"route {other_route}" if other_route else "no route"
        what = "This path can be read in two ways, and they lead to different routes."
        facts.append(("read as many servers do", f"{_text(misreading.path)} ({place})"))
        help = f"Send `{_text(misreading.path)}` if you mean that."
    help += " A slash that is data is safe in the query or encoded twice (%252F)."
    return Answer(status=400, code="ambiguous-path", what=what, facts=tuple(facts), help=help)


def loop_detected(route: str) -> Answer:
    """Return the answer to a request that has already passed through this devproxy (RFC 5842 section 7.2)."""
    return Answer(
        status=508,
        code="loop-detected",
        what="This request came back to the devproxy that forwarded it: a route points at devproxy itself.",
        facts=(("route", route),),
        help="In the upstream of that route, name the server, not the port that devproxy listens on.",
    )


def refused_host(verdict: HostVerdict) -> Answer:
    """Return the answer to a request for a host that is not this machine's (RFC 9110 section 15.5.20).

    Reveals nothing of the configuration: its reader may be the page of a rebound name.
    """
    facts = (("host", verdict.name),)
    return Answer(status=421, code="host-not-allowed", what=verdict.what, help=verdict.help, facts=facts)


def refused_source(verdict: SourceVerdict, route: str) -> Answer:
    """Return the answer to a request that a foreign web site made a browser send."""
    facts = (*verdict.facts, ("route", route))
    return Answer(status=403, code=verdict.code, what=verdict.what, help=verdict.help, facts=facts)


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
    facts = (("refused", verdict.code), ("value", verdict.refused), ("rule", verdict.rule))
    return Answer(status=403, code="preflight-refused", what=verdict.what, help=verdict.help, facts=facts)


def method_refused(head: RequestHead) -> Answer:
    """Return the answer to TRACE, which would show cookies to scripts (RFC 9110 section 9.3.8)."""
    what = f"{_text(head.method)} is not forwarded."
    return Answer(status=405, code="method-refused", what=what, fields=_ALL_METHODS)


def reserved_path(head: RequestHead) -> Answer:
    """Return the answer below ``/__devproxy/`` where there is no page."""
    what = f"`{_text(head.path)}` is reserved for devproxy's own pages, and there is no such page."
    return Answer(status=404, code="reserved-path", what=what)


def own_page() -> Answer:
    """Return the substitute for the answer of devproxy's own pages' server, where it is not asked."""
    return Answer(status=200, code="", what="This is one of devproxy's own pages.")


def health() -> Answer:
    """Return the answer to ``GET /__devproxy/health``: nothing else, as it is given before the Host is judged."""
    return Answer(status=200, code="", what="devproxy is up", facts=(("status", "ok"),))


def https_instead(url: bytes) -> Answer:
    """Return the answer to a page asked for in plain HTTP: it is at `url`. Browsers do not keep a 307."""
    fields = (("Location", url.decode("latin-1")),)
    return Answer(status=307, code="", what=f"This page is at {_text(url)}.", fields=fields)


def asterisk_options() -> Answer:
    """Return the answer to ``OPTIONS *`` where no route takes ``/`` (RFC 9110 section 9.3.7)."""
    return Answer(status=204, code="", what="", fields=_ALL_METHODS)


def _text(raw: bytes) -> str:
    """Return `raw` for people, at most 200 characters."""
    return visible(raw, 200)
