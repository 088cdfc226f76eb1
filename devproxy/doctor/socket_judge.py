"""Whether versions agree, polls and WebSockets are accepted, and for whom, as a function of what was seen.

Start at :func:`look_websocket`.
"""

from __future__ import annotations

from typing import Final

from devproxy.doctor.cors_judge import is_list_refusal, is_refused_by_origin, stranger_reads
from devproxy.doctor.facts import FALLBACK_NOTE
from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.judging import (
    Looked,
    fault_of,
    is_good,
    offers_websocket,
    opened_of,
    said_of,
    said_of_handshake,
    subject_of,
    unchecked,
)
from devproxy.doctor.observed import Answer, Failure, Handshake, Seen
from devproxy.doctor.packets import read_open, read_open_packet
from devproxy.doctor.problems import Code, Problem, Severity
from devproxy.doctor.reading import (
    GUARDED,
    TOO_MANY,
    Refusal,
    allow_origins,
    engine_at,
    is_refused,
    refusal_of,
    varies_on_origin,
    with_credentials,
    words_of,
)
from devproxy.policy.verdict.model import shown
from devproxy.text.safe import visible


def look_version(seen: Seen) -> Looked:
    """Look whether client and server speak the same protocol."""
    name, target = "version", seen.target
    if not engine_at(seen):
        return unchecked(name, "no Engine.IO there")
    opened = opened_of(seen)
    refusal = refusal_of(seen.polled) or refusal_of(seen.polled_page)
    is_refused_version = refusal is not None and refusal.kind is Refusal.VERSION
    if opened is not None and opened.eio >= target.eio and not is_refused_version:
        return Looked(name, f"Engine.IO {opened.eio}")
    if target.eio == 4 and opened is not None and opened.eio == 3:
        what = "the server speaks Engine.IO 3 (Socket.IO 2), and today's client Engine.IO 4"
        why = (
            "A client of version 3 or 4 cannot read the first packet and reports a parse error or a time-out. A "
            "client of version 2, or the server of version 4, settles it."
        )
    elif is_refused_version and target.eio == 3:
        what = "the server refuses Engine.IO 3, which a client of version 2 speaks"
        why = "A server of version 3 or 4 takes old clients only with `allowEIO3: true`."
    elif is_refused_version:
        what = "the server refuses Engine.IO 4"
        why = "It is an older version than the client."
    else:
        return unchecked(name, words_of(seen.polled))
    subject = subject_of(seen)
    problem = Problem(
        Code.EIO_VERSION,
        what,
        why=why,
        browser=said_of(seen, subject, subject.page) if subject else "",
        fix=fixes_for(Code.EIO_VERSION, seen),
        evidence=(f"GET {target.engine('polling')}: {_first_packet(seen.polled)}",),
    )
    return Looked(name, what, (problem,))


def _first_packet(answer: Answer) -> str:
    """Return how an answer begins, without the id of the session that it may open."""
    opened = read_open(answer.body) if answer.status == 200 else None
    if opened is None:
        return words_of(answer, 100)
    return f"200 {visible(answer.body[:200].replace(opened.sid.encode(), b'(sid)'), 100)}"


def look_polling(seen: Seen) -> Looked:
    """Look whether sessions may begin by polling, as clients do by default."""
    name = "polling"
    if not engine_at(seen):
        return unchecked(name, "no Engine.IO there")
    refusal = refusal_of(seen.polled) or refusal_of(seen.polled_page)
    if refusal is None or refusal.kind is not Refusal.TRANSPORT:
        if seen.polled_page.status == 200:
            return Looked(name, words_of(seen.polled_page))
        return unchecked(name, words_of(seen.polled_page))
    problem = Problem(
        Code.POLLING_DISABLED,
        "the server takes no polling",
        why=(
            "Clients begin by polling and then move on to WebSocket, so they fail before that. Where WebSocket alone "
            "is "
            'meant, the client has to say so: transports: ["websocket"].'
        ),
        browser=_poll_said(seen),
        fix=fixes_for(Code.POLLING_DISABLED, seen),
        evidence=(words_of(seen.polled), f"WebSocket: {_words(seen.socket_page)}"),
    )
    return Looked(name, problem.what, (problem,))


def _poll_said(seen: Seen) -> str:
    subject = subject_of(seen)
    return said_of(seen, subject, subject.page) if subject else ""


def look_origin(seen: Seen) -> Looked:
    """Look whether the server itself refuses requests by their Origin."""
    name, subject = "Origin", subject_of(seen)
    if subject is not None and is_refused_by_origin(subject):
        if is_list_refusal(subject, seen.allowed):
            return Looked(name, "refused by what handles CORS")
        return Looked(
            name, words_of(subject.page), (_by_origin(seen, said_of(seen, subject, subject.page), subject.page),)
        )
    resource = seen.target.engine("websocket") if engine_at(seen) else seen.target.resource
    refused, others = _sockets(seen)
    if refused.answer.was_asked and not is_good(refused) and any(map(is_good, others)):
        said = said_of_handshake(seen, refused, resource)
        return Looked(name, f"WebSocket: {_words(refused)}", (_by_origin(seen, said, refused.answer),))
    if subject is None and not refused.answer.was_asked:
        return unchecked(name, "nothing that looks at it")
    return Looked(name, "not refused by its Origin")


def _sockets(seen: Seen) -> tuple[Handshake, tuple[Handshake, ...]]:
    """Return the page's handshake, and those that differ from it by the Origin alone."""
    if engine_at(seen):
        return seen.socket_page, (seen.socket_none, seen.socket_own)
    return seen.socket_resource, (seen.socket_none,)


def _by_origin(seen: Seen, said: str, answer: Answer) -> Problem:
    return Problem(
        Code.ORIGIN_CHECKED,
        f"the server refuses the page by its Origin, {shown(seen.page)}",
        why=(
            "This is the server's own check and not CORS: `allowRequest`, python-socketio's cors_allowed_origins, a "
            "framework's or a proxy's. Without an Origin, or with another one, the same request is accepted."
        ),
        browser=said,
        fix=fixes_for(Code.ORIGIN_CHECKED, seen),
        evidence=(f"with Origin: {shown(seen.page)}: {words_of(answer)}", "without it: accepted"),
    )


def look_websocket(seen: Seen) -> Looked:
    """Look whether a WebSocket is accepted, alone and as the upgrade of a session."""
    name = "WebSocket"
    if not engine_at(seen):
        if seen.target.is_websocket or seen.socket_resource.is_open:
            return _plain_websocket(seen)
        return unchecked(name, "no Engine.IO there")
    shaken = seen.socket_page
    if not shaken.answer.was_asked:
        return unchecked(name, "there was no time")
    if is_good(shaken):
        return _upgrade_of_session(seen)
    if any(is_good(each) for each in (seen.socket_none, seen.socket_own)):
        return unchecked(name, "refused by its Origin")
    if shaken.answer.status == TOO_MANY:
        return unchecked(name, "the server has had too many requests (429)")
    if not offers_websocket(seen) and not is_good(shaken):
        return Looked(name, "not offered: the server takes polling alone")
    if is_refused(seen.polled) or (_kind(seen.polled) is Refusal.FORBIDDEN):
        return unchecked(name, "the server asks who the client is")
    if shaken.answer.status in GUARDED and not seen.polled.is_there:
        return unchecked(name, words_of(shaken.answer))
    return _refused_upgrade(seen, shaken, seen.target.engine("websocket"))


def _plain_websocket(seen: Seen) -> Looked:
    name, shaken = "WebSocket", seen.socket_resource
    if is_good(shaken):
        return Looked(name, f"{seen.target.resource} accepts it")
    if is_good(seen.socket_none):
        return unchecked(name, "refused by its Origin")
    if not seen.target.is_websocket:
        return unchecked(name, _words(shaken))
    return _refused_upgrade(seen, shaken, seen.target.resource)


def _upgrade_of_session(seen: Seen) -> Looked:
    name, session = "WebSocket", seen.session
    upgrade = session.upgrade
    if upgrade.answer.was_asked and not is_good(upgrade) and not session.lost:
        resource = seen.target.engine("websocket", sid="…")
        return _refused_upgrade(seen, upgrade, resource)
    if seen.socket_page.ended and seen.socket_page.first is None:
        text = f"it is accepted and ends at once ({seen.socket_page.ended})"
        problem = _upgrade_problem(seen, Code.UPGRADE_REFUSED, text, _ENDS, seen.socket_page, "")
        return Looked(name, text, (problem,))
    return Looked(name, "101" + (", and a session moves on to it" if upgrade.is_open else ""))


_ENDS: Final = "Something accepts the handshake and does not pass the connection on."


def _refused_upgrade(seen: Seen, shaken: Handshake, resource: str) -> Looked:
    said = said_of_handshake(seen, shaken, resource)
    if _is_stripped(seen, shaken):
        is_silent = shaken.answer.failure is Failure.SILENT
        what = "the handshake is swallowed" if is_silent else "the server gets the handshake without Upgrade"
        why = (
            "Something between here and the server takes Upgrade and Connection off, so the server sees a plain GET. "
            "nginx does so without proxy_set_header, and proxies of dev servers without `ws: true`."
        )
        code = Code.UPGRADE_STRIPPED
    else:
        what = f"the WebSocket is refused: {_words(shaken)}"
        why = _why_refused(shaken)
        code = Code.UPGRADE_REFUSED
    problem = _upgrade_problem(seen, code, what, why, shaken, said)
    return Looked("WebSocket", _words(shaken), (problem,))


def _upgrade_problem(seen: Seen, code: Code, what: str, why: str, shaken: Handshake, said: str) -> Problem:
    return Problem(
        code,
        what,
        why=f"{why} Clients that begin by polling stay there, silently. {FALLBACK_NOTE}",
        browser=said,
        fix=fixes_for(code, seen),
        evidence=(
            f"WebSocket: {_words(shaken)}",
            *((f"the same without Upgrade: {words_of(seen.unupgraded)}",) if seen.unupgraded.is_there else ()),
            *((f"Server: {visible(value, 60)}",) if (value := shaken.answer.value("server")) else ()),
        ),
    )


def _is_stripped(seen: Seen, shaken: Handshake) -> bool:
    """Tell whether the server saw a plain GET: it answers as to one, in words that a refused handshake never gets."""
    answer, fault = shaken.answer, fault_of(shaken)
    if answer.failure is Failure.SILENT:
        return True  # an Engine.IO server answers every handshake or ends it: what says nothing is in between
    if answer.status == 101:
        return "'Upgrade' header" in fault or "'Connection' header" in fault
    refusal = refusal_of(answer)
    if refusal is None:
        same = seen.unupgraded
        return 200 <= answer.status < 300 and same.status == answer.status
    if refusal.kind is Refusal.NO_UPGRADE:
        return True
    # Node answers a handshake that it refuses with the words alone, and a plain GET with JSON.
    return refusal.kind is Refusal.REQUEST and not refusal.is_bare and not refusal.is_python


def _why_refused(shaken: Handshake) -> str:
    answer = shaken.answer
    if answer.failure is Failure.CLOSED:
        return "Nothing handles upgrades at this path, or the process ends them without a word."
    known = {
        404: "The path is not known where upgrades are handled; the web framework answered.",
        426: "Something asks for another protocol or version, although the request has Upgrade: websocket.",
        403: "A check refuses it: of the Origin, of cookies, or of a proxy.",
        401: "It asks for credentials, which a page cannot add to a WebSocket.",
    }
    if answer.status >= 500:
        return "The server, or what passes the handshake on to it, fails with it."
    return known.get(answer.status, "The body of the answer says why, if anything does.")


def _kind(answer: Answer) -> Refusal | None:
    refusal = refusal_of(answer)
    return refusal.kind if refusal else None


def _words(shaken: Handshake) -> str:
    return words_of(shaken.answer)


def look_socket_open(seen: Seen) -> Looked:
    """Look whether any web site may open a WebSocket, although polls are guarded by CORS."""
    name, subject = "WebSocket of strangers", subject_of(seen)
    shaken = seen.socket_stranger
    if subject is None or not subject.is_engine or not shaken.answer.was_asked:
        return unchecked(name, "no Engine.IO there")
    if not is_good(shaken) or not shaken.first or read_open_packet(shaken.first, 4) is None:
        return Looked(name, "refused, or not there")
    if stranger_reads(seen, subject):
        return Looked(name, "open, as polls are")
    page = subject.page
    is_guarded = (
        varies_on_origin(page)
        or bool([value for value in allow_origins(page) if value != b"*"])
        or with_credentials(page)
        or any(answer.values("set-cookie") for answer in (page, subject.none, seen.resource_page))
    )
    if not is_guarded:
        return Looked(name, "open; nothing suggests that it is meant to be guarded")
    problem = Problem(
        Code.WEBSOCKET_OPEN,
        "any web site may open a WebSocket, although CORS keeps it from polling",
        why=(
            "Browsers do not apply CORS to WebSockets, and Socket.IO's `cors` guards polling alone: a page of any "
            "site can connect, with this person's cookies. The server has to look at the Origin itself."
        ),
        fix=fixes_for(Code.WEBSOCKET_OPEN, seen),
        evidence=(
            f"WebSocket with Origin: {shown(seen.stranger)}: 101 and a session",
            f"poll with it: {', '.join(map(shown, allow_origins(subject.stranger))) or 'no header that allows it'}",
        ),
        severity=Severity.WARNING,
    )
    return Looked(name, problem.what, (problem,))
