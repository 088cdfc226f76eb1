"""What judgements share: the question that a page's fate depends on, and what a browser says of an answer. Pure.

Start at :func:`subject_of`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from devproxy.doctor.guess import Guess, guess_server
from devproxy.doctor.observed import Answer, Failure, Handshake, Opened, Seen
from devproxy.doctor.packets import read_open
from devproxy.doctor.problems import NOT_CHECKED, OK, PROBLEM, Check, Problem
from devproxy.doctor.reading import GUARDED, engine_at, is_refused, refusal_of, request_of
from devproxy.http1.reasons import reason_phrase
from devproxy.policy.verdict import Hop, RequestKind, Verdict, judge, judge_handshake
from devproxy.policy.verdict.model import shown

_CREDENTIALS_NOTE: Final = (
    " The credentials mode of requests initiated by the XMLHttpRequest is controlled by the withCredentials attribute."
)
_WILDCARD: Final = "The value of the 'Access-Control-Allow-Origin' header in the response"
"""How the one message begins of which a verdict has the end alone."""
_GATEWAY: Final = frozenset((502, 503, 504))


class Looked(NamedTuple):
    """One thing that was looked at, and the problems that were found. ``result``: set where nothing was found."""

    name: str
    why: str = ""
    problems: tuple[Problem, ...] = ()
    result: str = OK

    def check(self, where: str) -> Check:
        """Return it as it is reported."""
        return Check(self.name, PROBLEM if self.problems else self.result, self.why, where)


def unchecked(name: str, why: str) -> Looked:
    """Return that something could not be looked at."""
    return Looked(name, why, result=NOT_CHECKED)


class Subject(NamedTuple):
    """The request that a page makes: a poll of Engine.IO, or the URL itself. ``resource``: its target.

    ``none``, ``page`` and ``stranger``: the answers without an Origin, to the page and to a web site of which the
    server cannot know. ``kind``: how a page asks.
    """

    is_engine: bool
    resource: str
    kind: RequestKind
    none: Answer
    page: Answer
    stranger: Answer
    preflight: Answer


def subject_of(seen: Seen) -> Subject | None:
    """Return what a page wants of this server; None where there is nothing that it could want."""
    if engine_at(seen) or (is_refused(seen.polled) and not is_rest(seen)):
        return Subject(
            True,
            seen.target.engine("polling"),
            RequestKind.XHR,
            seen.polled,
            seen.polled_page,
            seen.polled_stranger,
            seen.preflight_in if seen.preflight_in.was_asked else seen.preflight,
        )
    if not is_rest(seen):
        return None
    return Subject(
        False,
        seen.target.resource,
        RequestKind.FETCH,
        seen.resource,
        seen.resource_page,
        seen.resource_stranger,
        seen.resource_preflight,
    )


def is_rest(seen: Seen) -> bool:
    """Tell whether the URL is an address that scripts read: it answers, and with no page for people."""
    answer = seen.resource if seen.resource.is_there else seen.resource_page
    if not answer.is_there or answer.status == 404 or is_gateway_error(answer) or seen.target.is_websocket:
        return False
    if guess_of(seen).is_other_protocol:
        return False
    kind = answer.value("content-type").lower()
    if answer.status in (301, 302, 303, 307, 308):
        return False
    is_text = b"html" in kind or (not kind and answer.body.lstrip()[:1] == b"<")
    if answer.status in GUARDED:
        return seen.target.resource != "/"
    return b"json" in kind if seen.target.resource == "/" else not is_text


def is_gateway_error(answer: Answer) -> bool:
    """Tell whether something in between says that what is behind it does not answer."""
    return answer.status in _GATEWAY


def guess_of(seen: Seen) -> Guess:
    """Return what the server seems to be."""
    return guess_server(seen)


def opened_of(seen: Seen) -> Opened | None:
    """Return the session that was opened, for the page where it could."""
    return seen.session.opened or next(
        (
            opened
            for answer in (seen.polled_page, seen.polled, seen.polled_old)
            if answer.status == 200 and (opened := read_open(answer.body)) is not None
        ),
        None,
    )


def offers_websocket(seen: Seen) -> bool:
    """Tell whether the server says that a session may move on to WebSocket, or takes nothing else."""
    opened = opened_of(seen)
    return opened is None or "websocket" in opened.upgrades


# -- what a browser says


def said_of(seen: Seen, subject: Subject, answer: Answer) -> str:
    """Return what a browser's console says of `answer` to the page's request; empty for nothing."""
    url = seen.target.url(subject.resource)
    if not answer.is_there:
        return said_of_failure(url, answer.failure)
    verdict = judge(request_of(seen, subject.kind), [Hop(answer.status, answer.fields)])
    if verdict.is_blocked:
        return blocked(seen, subject, verdict)
    if answer.status >= 400:
        return said_of_status(url, answer.status)
    return ""


def said_of_status(url: str, status: int) -> str:
    """Return what Chromium's console says of an answer that the page may read, and that is an error."""
    reason = reason_phrase(status)
    return f"GET {url} {status}" + (f" ({reason})" if reason else "")


def blocked(seen: Seen, subject: Subject, verdict: Verdict) -> str:
    """Return Chromium's message for a request that it blocks."""
    how = "XMLHttpRequest" if subject.kind is RequestKind.XHR else "fetch"
    url = seen.target.url(subject.resource)
    text = verdict.text.replace("must not be the wildcard", f"{_WILDCARD} must not be the wildcard")
    is_about_mode = "credentials mode is 'include'" in text and subject.kind is RequestKind.XHR
    note = _CREDENTIALS_NOTE if is_about_mode else ""
    return f"Access to {how} at '{url}' from origin '{shown(seen.page)}' has been blocked by CORS policy: {text}{note}"


def said_of_failure(url: str, failure: Failure) -> str:
    """Return Chromium's message for a request that got no answer."""
    code = {
        Failure.REFUSED: "ERR_CONNECTION_REFUSED",
        Failure.UNRESOLVED: "ERR_NAME_NOT_RESOLVED",
        Failure.UNREACHABLE: "ERR_ADDRESS_UNREACHABLE",
        Failure.NOT_CONNECTED: "ERR_CONNECTION_TIMED_OUT",
        Failure.TLS: "ERR_SSL_PROTOCOL_ERROR",
        Failure.CLOSED: "ERR_EMPTY_RESPONSE",
        Failure.NOT_HTTP: "ERR_INVALID_HTTP_RESPONSE",
    }.get(failure)
    return f"GET {url} net::{code}" if code else ""


def said_of_handshake(seen: Seen, handshake: Handshake, resource: str) -> str:
    """Return Chromium's message for a WebSocket that was refused; empty for one that was not."""
    text = fault_of(handshake)
    return f"WebSocket connection to '{seen.target.url(resource, is_websocket=True)}' failed: {text}" if text else ""


def fault_of(handshake: Handshake) -> str:
    """Return why Chromium fails a WebSocket, in its words; empty if it does not."""
    answer = handshake.answer
    if answer.is_there:
        return judge_handshake(answer.status, answer.fields, key=handshake.key, protocols=()).text
    if answer.failure is Failure.CLOSED:
        return "Connection closed before receiving a handshake response"
    if answer.failure is Failure.NOT_HTTP:
        return "Error during WebSocket handshake: Invalid status line"
    return "" if answer.failure in (Failure.SILENT, Failure.NOT_ASKED) else f"net::{answer.failure.name}"


def is_good(handshake: Handshake) -> bool:
    """Tell whether a browser takes the answer to a handshake."""
    return handshake.is_open and not fault_of(handshake)


def is_refusal_by_words(answer: Answer) -> bool:
    """Tell whether an Engine.IO server refuses in words of its own."""
    return refusal_of(answer) is not None
