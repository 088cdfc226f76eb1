"""What a server is: Socket.IO at this path, at another one, or something else, and whether it asks who the client is.

Start at :func:`look_kind`.
"""

from __future__ import annotations

from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.judging import (
    Looked,
    guess_of,
    is_good,
    is_rest,
    opened_of,
    said_of,
    said_of_status,
    subject_of,
    unchecked,
)
from devproxy.doctor.observed import Answer, Seen
from devproxy.doctor.problems import Code, Problem
from devproxy.doctor.reach_judge import is_down, is_mute
from devproxy.doctor.reading import (
    Refusal,
    engine_at,
    is_engine_answer,
    is_login,
    is_refused,
    is_secured,
    location_of,
    refusal_of,
    words_of,
)
from devproxy.policy.verdict import REDIRECTS
from devproxy.text.safe import visible

_BASIC = (b"basic", b"digest", b"ntlm", b"negotiate")


def look_kind(seen: Seen) -> Looked:
    """Look whether Engine.IO is at the path that was asked for, elsewhere, or nowhere."""
    name, target = "Socket.IO", seen.target
    if engine_at(seen):
        opened = opened_of(seen)
        version = f", Engine.IO {opened.eio}" if opened else ""
        return Looked(name, f"at {target.path}{version}")
    if not seen.polled.is_there and not seen.resource.is_there and not seen.resource.raw and not seen.polled.raw:
        return unchecked(name, "nothing answers")
    if is_mute(seen):
        return unchecked(name, "the URL gives no answer in time")
    if is_down(seen) or seen.other_scheme:
        return unchecked(
            name, "what is behind it does not answer" if is_down(seen) else "it was asked in another scheme"
        )
    path, answer = seen.followed
    if path and is_engine_answer(answer):
        return Looked(name, f"at {path}, by a redirect", (_redirected(seen, path),))
    found = next((path for path, answer in seen.paths if is_engine_answer(answer)), "")
    if found:
        return Looked(name, f"at {found}", (_elsewhere(seen, found),))
    if is_refused(seen.polled):
        return unchecked(name, "something asks who the client is")
    location = location_of(seen, seen.polled, target.engine("polling"))
    if location and is_secured(seen, location):
        return unchecked(name, "requests are sent on to https")
    if is_rest(seen):
        guess = guess_of(seen)
        problems = () if target.resource != "/" else (_not_socketio(seen),)
        return Looked(name, f"none; {target.resource} is examined as a REST address of {guess}", problems)
    if target.is_websocket and is_good(seen.socket_resource):
        return Looked(name, "none; the URL is a plain WebSocket, which works")
    return Looked(name, f"none: it seems to be {guess_of(seen)}", (_not_socketio(seen),))


def _not_socketio(seen: Seen) -> Problem:
    guess, target = guess_of(seen), seen.target
    tried = ", ".join(dict.fromkeys((target.path, *(path for path, _ in seen.paths))))
    subject_url = target.url(target.engine("polling"))
    browser = ""
    if (
        seen.polled_page.is_there
        and not seen.is_same_origin
        and not seen.polled_page.value("access-control-allow-origin")
    ):
        browser = (
            f"Access to XMLHttpRequest at '{subject_url}' from origin '{seen.page.decode('latin-1')}' has been blocked "
            "by CORS policy: No 'Access-Control-Allow-Origin' header is present on the requested resource."
        )
    elif seen.polled_page.status >= 400:
        browser = said_of_status(subject_url, seen.polled_page.status)
    return Problem(
        Code.NOT_SOCKETIO,
        f"there is no Socket.IO at {target.base}: it seems to be {guess}",
        why=(
            "No path that Socket.IO is usually at answers as Engine.IO does. Either this is another server than the "
            "one you mean, or Socket.IO is not attached to the server that listens."
        ),
        browser=browser,
        fix=fixes_for(Code.NOT_SOCKETIO, seen),
        evidence=(f"GET {target.engine('polling')}: {words_of(seen.polled)}", f"asked at {visible(tried, 300)}"),
    )


def _redirected(seen: Seen, path: str) -> Problem:
    target, status = seen.target, seen.polled.status
    url = target.url(target.engine("websocket"), is_websocket=True)
    return Problem(
        Code.PATH_REDIRECT,
        f"{target.path} is redirected to {path} with {status}",
        why=(
            "Polls follow a redirect, a WebSocket never does. The client asks with a slash at the end unless "
            "`addTrailingSlash: false` (client 4.6 or later) is set; a framework that removes it redirects every "
            "request."
        ),
        browser=f"WebSocket connection to '{url}' failed: Error during WebSocket handshake: "
        f"Unexpected response code: {status}",
        fix={
            **fixes_for(Code.PATH_REDIRECT, seen),
            "client": f'io(url, {{ path: "{path}", addTrailingSlash: false }});  // and the same option on the server',
        },
        evidence=(f"GET {target.engine('polling')}: {status}, Location: {_location(seen.polled)}",),
    )


def _location(answer: Answer) -> str:
    return visible(answer.value("location"), 120)


def _elsewhere(seen: Seen, found: str) -> Problem:
    target = seen.target
    subject_page = seen.polled_page
    browser = said_of_status(target.url(target.engine("polling")), subject_page.status)
    if not seen.is_same_origin and not subject_page.value("access-control-allow-origin"):
        browser = (
            f"Access to XMLHttpRequest at '{target.url(target.engine('polling'))}' from origin "
            f"'{seen.page.decode('latin-1')}' has been blocked by CORS policy: No 'Access-Control-Allow-Origin' header "
            "is present on the requested resource."
        )
    return Problem(
        Code.PATH_WRONG,
        f"Socket.IO is at {found}, not at {target.path}",
        why=(
            "The `path` of client and server have to be the same; the path of the URL is the namespace and not that. "
            f"Ask again with --path {found} for what else there may be."
        ),
        browser=browser,
        fix={
            **fixes_for(Code.PATH_WRONG, seen),
            "client": f'io("{target.base}", {{ path: "{found}" }});',
        },
        evidence=(f"GET {target.engine('polling')}: {words_of(seen.polled)}", f"{found}: Engine.IO answers"),
    )


def look_auth(seen: Seen) -> Looked:
    """Look whether credentials are asked for before anything else."""
    name, subject = "credentials", subject_of(seen)
    if subject is None:
        return unchecked(name, "nothing to ask")
    page, none = subject.page, subject.none
    refusal = refusal_of(page)
    is_forbidden = refusal is not None and refusal.kind is Refusal.FORBIDDEN
    is_asked = (is_refused(page) and is_refused(none)) or (
        is_forbidden and _is_forbidden(none) and _is_forbidden(subject.stranger)
    )
    if not is_asked:
        return Looked(name, "none are asked for at the first request")
    scheme = page.value("www-authenticate")
    is_guarded = is_refused(subject.preflight) and not subject.is_engine and not scheme.lower().startswith(_BASIC)
    if is_guarded and not seen.is_same_origin:
        return Looked(name, f"{page.status}, as for any request without a token")
    location = location_of(seen, page, subject.resource)
    what = f"{seen.target.url(subject.resource)} asks who the client is: {page.status}"
    if location and is_login(location):
        what = f"{seen.target.url(subject.resource)} is redirected to a page to sign in at"
    problem = Problem(
        Code.AUTH_REQUIRED,
        what,
        why=(
            "A guard in front of the server, or a middleware of it, refuses the request before Socket.IO sees it."
            if subject.is_engine and not is_forbidden
            else "The application's own check (`allowRequest`) refuses the connection, whatever its Origin."
            if is_forbidden
            else "The address needs credentials, and the request brought none."
        ),
        browser=said_of(seen, subject, page),
        fix=fixes_for(Code.AUTH_REQUIRED, seen, is_engine=subject.is_engine),
        evidence=tuple(
            filter(
                None,
                (
                    words_of(page),
                    f"WWW-Authenticate: {visible(scheme, 100)}" if scheme else "",
                    f"Location: {_location(page)}" if page.status in REDIRECTS else "",
                ),
            )
        ),
    )
    return Looked(name, what, (problem,))


def _is_forbidden(answer: Answer) -> bool:
    refusal = refusal_of(answer)
    return refusal is not None and refusal.kind is Refusal.FORBIDDEN
