"""What CORS, preflights and cookies make of a server, as a function of what was seen.

Start at :func:`look_cors`.
"""

from __future__ import annotations

from typing import Final

from devproxy.authority.origins import LOOPBACK, OPAQUE, normalised, parse_origin
from devproxy.doctor.fixes import fixes_for
from devproxy.doctor.judging import Looked, Subject, blocked, said_of, subject_of, unchecked
from devproxy.doctor.observed import Answer, Seen
from devproxy.doctor.packets import read_open
from devproxy.doctor.problems import Code, Problem, Severity
from devproxy.doctor.reading import (
    GUARDED,
    TOO_MANY,
    Refusal,
    allow_origins,
    is_refused,
    refusal_of,
    request_of,
    varies_on_origin,
    with_credentials,
    words_of,
)
from devproxy.http.fields import elements_of
from devproxy.policy.cookies import browser_verdict, front_of
from devproxy.policy.set_cookie import SetCookie
from devproxy.policy.verdict import REDIRECTS, Hop, Verdict, judge
from devproxy.policy.verdict.checks import check, check_preflight
from devproxy.policy.verdict.model import shown
from devproxy.text.safe import visible

_EXPRESS_NOTE: Final = (
    " The server's REST answers have the header, Socket.IO's have not: Express's cors() has no effect on Socket.IO, "
    "which answers before Express sees the request."
)


def is_refused_by_origin(subject: Subject) -> bool:
    """Tell whether the page is refused and a request without an Origin is not."""
    page, none = subject.page, subject.none
    if not page.is_there or not none.is_there or page.status < 400:
        return False
    refusal = refusal_of(page)
    if refusal is not None and refusal.kind is Refusal.ORIGIN:
        return True
    if none.status >= 400 and (not subject.is_engine or page.status == none.status):
        return False
    return page.status != none.status


def is_list_refusal(subject: Subject, allowed: tuple[bytes, ...]) -> bool:
    """Tell whether the refusal by Origin is that of a CORS list or function, and not of another check."""
    page = subject.page
    refusal = refusal_of(page)
    if refusal is not None:
        return refusal.kind is Refusal.REQUEST  # an error of the `cors` callback
    if page.value("x-devproxy-error"):
        return True
    return page.status >= 500 or bool(allowed) or b"cors" in page.body[:4096].lower()


def look_cors(seen: Seen) -> Looked:
    """Look whether the page may read the answer."""
    name, subject = "CORS", subject_of(seen)
    if subject is None:
        return unchecked(name, "nothing that a page would read")
    if seen.is_same_origin:
        return Looked(name, "page and server have one origin: CORS does not apply")
    page = subject.page
    if is_refused_by_origin(subject):
        if not is_list_refusal(subject, seen.allowed):
            return unchecked(name, "the server refuses the request by its Origin")
        problem = _not_allowed(seen, subject, f"the server refuses requests of {shown(seen.page)}")
        return Looked(name, words_of(page), (problem,))
    if not page.is_there or page.status in REDIRECTS:
        return unchecked(name, words_of(page))
    if subject.is_engine and not _is_judged(page):
        return unchecked(name, words_of(page))
    if not subject.is_engine and is_refused(page) and is_refused(subject.preflight):
        return unchecked(name, "the preflight, which comes first, is refused")
    verdict = judge(request_of(seen, subject.kind), [Hop(page.status, page.fields)])
    if not verdict.is_blocked:
        return Looked(name, _allowed_words(page))
    problem = _judged(seen, subject, verdict)
    return Looked(name, problem.what, (problem,))


def _is_judged(page: Answer) -> bool:
    """Tell whether an answer at Engine.IO's path says something on CORS: one of its own, and no guard's."""
    refusal = refusal_of(page)
    return page.status == 200 or (refusal is not None and refusal.kind is not Refusal.FORBIDDEN)


def _allowed_words(page: Answer) -> str:
    said = b", ".join(allow_origins(page))
    more = " with credentials" if with_credentials(page) else ""
    return f"Access-Control-Allow-Origin: {visible(said, 80)}{more}"


def _judged(seen: Seen, subject: Subject, verdict: Verdict) -> Problem:
    """Return the problem by which the CORS check fails."""
    page = subject.page
    values = allow_origins(page)
    if not values:
        return _absent(seen, subject, verdict)
    if len(values) > 1:
        return _problem(
            seen, subject, Code.CORS_DUPLICATE, verdict, "two programs add Access-Control-Allow-Origin", _TWO
        )
    value = values[0]
    if value == b"*":
        what = "the answer says `*`, and the page sends credentials"
        return _problem(seen, subject, Code.CORS_WILDCARD_CREDENTIALS, verdict, what, _WILDCARD)
    if value == seen.page:
        said = b", ".join(page.values("access-control-allow-credentials"))
        what = "the answer does not allow credentials" + (f" (it says {visible(said, 40)})" if said else "")
        return _problem(seen, subject, Code.CORS_CREDENTIALS_MISSING, verdict, what, _CREDENTIALS)
    elements = elements_of(value)
    if len(elements) > 1:
        if b"*" in elements or len(set(elements)) < len(elements) or _has_echo(seen, subject, elements):
            what = "two programs add Access-Control-Allow-Origin"
            return _problem(seen, subject, Code.CORS_DUPLICATE, verdict, what, _TWO)
        what = "Access-Control-Allow-Origin holds several origins, and only one is allowed"
        return _problem(seen, subject, Code.CORS_ORIGIN_MALFORMED, verdict, what, _LIST)
    if value != OPAQUE and parse_origin(value) is None:
        what = f"Access-Control-Allow-Origin is {_fault(value, seen.page)}: {visible(value, 80)}"
        return _problem(seen, subject, Code.CORS_ORIGIN_MALFORMED, verdict, what, _BYTES)
    if seen.page.lower() == value.lower():
        what = f"Access-Control-Allow-Origin has another case: {visible(value, 80)}"
        return _problem(seen, subject, Code.CORS_ORIGIN_MALFORMED, verdict, what, _BYTES)
    problem = _not_allowed(
        seen, subject, f"the server lets pages of {visible(value, 80)} read, and not {shown(seen.page)}"
    )
    return problem


def _has_echo(seen: Seen, subject: Subject, elements: list[bytes]) -> bool:
    """Tell whether one of the values of a list follows the Origin of the request: then two programs wrote it."""
    other = [each for value in allow_origins(subject.stranger) for each in elements_of(value)]
    return seen.page in elements and seen.page not in other


def _fault(value: bytes, page: bytes) -> str:
    origin = normalised(value)
    if origin is not None and value.endswith(b"/"):
        return "written with a slash at its end"
    if origin is not None:
        return "written in another case, or with a default port"
    scheme, separator, rest = value.partition(b"://")
    if separator and b"/" in rest:
        return "written with a path"
    if b" " in value:
        return "a list"
    return "no origin" if separator and scheme else "without a scheme"


_TWO: Final = (
    "A browser joins the values and takes them for one that is no origin, even if they are equal. Usual: nginx's "
    "add_header beside Socket.IO's `cors`, or a framework's CORS middleware around python-socketio."
)
_WILDCARD: Final = (
    'With cookies (withCredentials, credentials: "include") the answer has to name the page\'s origin. Not `origin: '
    "true`: that lets every web site read as this person."
)
_CREDENTIALS: Final = (
    "With cookies the answer has to say Access-Control-Allow-Credentials: true, in exactly these letters."
)
_LIST: Final = "The header holds one origin; a server that knows several answers each page with its own."
_BYTES: Final = "A browser compares byte by byte: no slash, no path, lower case, no default port."


def _problem(seen: Seen, subject: Subject, code: Code, verdict: Verdict, what: str, why: str) -> Problem:
    return Problem(
        code,
        what,
        why=why,
        browser=blocked(seen, subject, verdict),
        fix=fixes_for(code, seen, is_engine=subject.is_engine),
        evidence=_evidence(seen, subject),
    )


def _evidence(seen: Seen, subject: Subject) -> tuple[str, ...]:
    """Return the lines of the answer that matter to CORS."""
    page = subject.page
    names = ("access-control-allow-origin", "access-control-allow-credentials", "vary")
    lines = [visible(field.line, 160) for field in page.fields if field.name.decode("latin-1") in names]
    head = f"GET {subject.resource} with Origin: {shown(seen.page)}: {words_of(page, 60)}"
    return (head, *(lines or ["no Access-Control-Allow-Origin"]))


def _absent(seen: Seen, subject: Subject, verdict: Verdict) -> Problem:
    """Judge an answer without the header: of a server that has a list, or of one that knows no origin."""
    page = subject.page
    knows = varies_on_origin(page) and not varies_on_origin(subject.none._replace(fields=()))
    others = [answer for answer in (subject.none, subject.stranger) if allow_origins(answer)]
    if seen.allowed or others or knows or with_credentials(page):
        return _not_allowed(seen, subject, f"the server's list of origins does not have {shown(seen.page)}")
    why = (
        "Socket.IO answers, with a session even, but lets no page of another origin read it: `cors` is not set."
        if subject.is_engine
        else "The answer lets no page of another origin read it."
    )
    rest = seen.resource_page
    if subject.is_engine and rest.is_there and allow_origins(rest):
        why += _EXPRESS_NOTE
    what = "no answer has Access-Control-Allow-Origin"
    return _problem(seen, subject, Code.CORS_MISSING, verdict, what, why)


_UNKNOWN_LIST: Final = (
    "It depends on the Origin, so there is a list, a function or an expression; which origins are on it could not be "
    "found by asking on behalf of the usual ones."
)


def _not_allowed(seen: Seen, subject: Subject, what: str) -> Problem:
    page = subject.page
    found = ", ".join(shown(origin) for origin in seen.allowed)
    fixed = [value for value in allow_origins(page) if value != OPAQUE]
    if found:
        why = f"Found by asking: it lets in {found}."
    elif fixed:
        why = f"It lets in {visible(fixed[0], 80)} alone, whichever page asks."
    else:
        why = _UNKNOWN_LIST
    if page.status >= 500 or ((refusal := refusal_of(page)) is not None and refusal.kind is Refusal.REQUEST):
        why = f"A function that decides on origins ended with an error, so the answer is {page.status}. " + why
    return Problem(
        Code.CORS_ORIGIN_NOT_ALLOWED,
        what,
        why=why,
        browser=said_of(seen, subject, page),
        fix=fixes_for(Code.CORS_ORIGIN_NOT_ALLOWED, seen, is_engine=subject.is_engine),
        evidence=(*_evidence(seen, subject), *((f"let in: {found}",) if found else ())),
    )


# -- open to everyone


def look_open(seen: Seen) -> Looked:
    """Look whether a web site of which the server cannot know may read, with credentials."""
    name, subject = "strangers", subject_of(seen)
    if subject is None or not subject.stranger.is_there:
        return unchecked(name, "nothing that a page would read")
    stranger = subject.stranger
    if allow_origins(stranger) != [seen.stranger] or not with_credentials(stranger):
        return Looked(name, "no web site may read with this person's cookies")
    problem = Problem(
        Code.CORS_OPEN,
        "every web site may read the answers as the person who visits it",
        why=(
            "The answer repeats whatever Origin asks and allows credentials (`origin: true`, "
            "cors_allowed_origins='*', Socket.IO 2 by default). Name the origins."
        ),
        fix=fixes_for(Code.CORS_OPEN, seen, is_engine=subject.is_engine),
        evidence=(f"with Origin: {shown(seen.stranger)}: {_allowed_words(stranger)}",),
        severity=Severity.WARNING,
    )
    return Looked(name, problem.what, (problem,))


# -- preflights


def look_preflight(seen: Seen) -> Looked:
    """Look whether a preflight is answered as the request after it would be."""
    name, subject = "preflight", subject_of(seen)
    if subject is None or not subject.preflight.was_asked:
        return unchecked(name, "no preflight was sent")
    if seen.is_same_origin:
        return Looked(name, "page and server have one origin: there is none")
    page, answer = subject.page, subject.preflight
    if not answer.is_there or answer.status == TOO_MANY:
        return unchecked(name, words_of(answer))
    is_guarded = not subject.is_engine and is_refused(page) and is_refused(answer)
    reads = page.is_there and not judge(request_of(seen, subject.kind), [Hop(page.status, page.fields)]).is_blocked
    if not reads and not is_guarded:
        return unchecked(name, "the page may not read the answer in any case")
    if is_guarded and page.value("www-authenticate").lower().startswith((b"basic", b"digest", b"ntlm", b"negotiate")):
        return unchecked(name, "credentials are asked for")
    method, headers = _asked(subject, page, answer)
    request = request_of(seen, subject.kind, method=method, headers=headers)
    verdict = check_preflight(request, Hop(answer.status, answer.fields), seen.page)
    if not verdict.is_blocked:
        return Looked(name, f"{answer.status}")
    code = _layer_of(answer)
    what, why = _preflight_words(answer, code)
    problem = Problem(
        code,
        what,
        why=why + (_POLLS if subject.is_engine else ""),
        browser=blocked(seen, subject, verdict),
        fix=fixes_for(code, seen, is_engine=subject.is_engine),
        evidence=(
            f"OPTIONS {subject.resource}: {words_of(answer, 80)}",
            *(
                visible(field.line, 160)
                for field in answer.fields
                if field.name.startswith(b"access-control-") or field.name in (b"allow", b"location", b"server")
            ),
        ),
    )
    return Looked(name, what, (problem,))


_POLLS: Final = (
    " Socket.IO's client sends a preflight when it is given extraHeaders, and an old one for binary data; polls "
    "without either come through."
)


def _asked(subject: Subject, page: Answer, answer: Answer) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Return the method and the headers that the answer to a preflight is judged by.

    Of Engine.IO only the answer itself is. A REST address that lists methods without POST is meant to be read alone.
    """
    if subject.is_engine:
        return b"GET", ()
    methods = elements_of(b",".join(answer.values("access-control-allow-methods")).upper())
    if methods and b"POST" not in methods and b"*" not in methods:
        return b"GET", ()
    names = [(b"content-type", b"application/json")]
    if page.status == 401:
        names.append((b"authorization", b"x"))
    return b"POST", tuple(names)


def _layer_of(answer: Answer) -> Code:
    """Tell who answered a preflight that failed: something in front of the application, or what handles CORS."""
    if answer.status in REDIRECTS or answer.status in GUARDED:
        return Code.PREFLIGHT_WRONG_LAYER
    if allow_origins(answer) or refusal_of(answer) is not None:
        return Code.PREFLIGHT_REFUSED
    if 200 <= answer.status < 300:
        return Code.PREFLIGHT_WRONG_LAYER  # a success that says nothing of CORS is a router's own answer to OPTIONS
    if answer.value("allow") or b"cannot options" in answer.body[:2048].lower():
        return Code.PREFLIGHT_WRONG_LAYER
    return Code.PREFLIGHT_REFUSED


def _preflight_words(answer: Answer, code: Code) -> tuple[str, str]:
    status = answer.status
    if status in REDIRECTS:
        return f"the preflight is redirected ({status})", "No browser follows a redirect of a preflight."
    if status in GUARDED:
        what = f"a guard answers the preflight with {status}"
        return (
            what,
            "A preflight carries neither cookies nor Authorization: what asks for them has to let OPTIONS pass.",
        )
    if code is Code.PREFLIGHT_WRONG_LAYER:
        what = f"a router answers the preflight itself ({status}), not what sets the CORS headers"
        return what, "What allows the request itself never sees the preflight: CORS has to be in front of the routes."
    if not 200 <= status < 300:
        return f"the preflight is refused with {status}", "The answer to a preflight needs a status from 200 to 299."
    return (
        "the answer to the preflight does not allow what the page asks for",
        "Methods and headers have to be listed by name; with credentials `*` allows none, and never Authorization.",
    )


# -- cookies


def look_cookies(seen: Seen) -> Looked:
    """Look whether a browser would keep the cookies that the answers set, and send them again."""
    name, subject = "cookies", subject_of(seen)
    if subject is None:
        return unchecked(name, "nothing that a page would read")
    found: dict[bytes, str] = {}
    count = 0
    opened = read_open(subject.page.body)
    for answer in (subject.page, subject.none, seen.resource_page):
        for value in answer.values("set-cookie"):
            cookie = SetCookie(b"", value)
            # Version 2 sets the session's id as a cookie that nothing depends on.
            is_own = opened is not None and opened.eio == 3 and cookie.value == opened.sid.encode()
            if cookie.is_malformed or is_own or _is_removal(cookie):
                continue
            count += 1
            if reason := _dropped(seen, subject, cookie, value):
                found.setdefault(cookie.name, reason)
    if not found:
        if not count:
            return Looked(name, "none are set")
        sends = seen.includes_credentials or seen.is_same_origin
        return Looked(name, "kept" if sends else "of no use to this page without --credentials")
    sends = seen.includes_credentials or seen.is_same_origin
    problem = Problem(
        Code.COOKIE_DROPPED,
        "; ".join(found.values()),
        why="What a browser throws away it does not send again: a session that rests on it is lost with each request.",
        fix=fixes_for(Code.COOKIE_DROPPED, seen),
        evidence=tuple(f"Set-Cookie: {visible(_without_value(seen, subject, each), 160)}" for each in found),
        severity=Severity.ERROR if sends else Severity.WARNING,
    )
    return Looked(name, problem.what, (problem,))


def _without_value(seen: Seen, subject: Subject, name: bytes) -> bytes:
    """Return the line that set the cookie called `name`, its value hidden."""
    for answer in (subject.page, subject.none, seen.resource_page):
        for value in answer.values("set-cookie"):
            if value.startswith(name + b"="):
                _, semicolon, rest = value.partition(b";")
                return name + b"=(hidden)" + semicolon + rest
    return name


def _is_removal(cookie: SetCookie) -> bool:
    return (cookie.get(b"max-age") or b"").startswith((b"0", b"-")) or not cookie.value


def _dropped(seen: Seen, subject: Subject, cookie: SetCookie, value: bytes) -> str:
    target = seen.target
    front = front_of(target.scheme, target.host_field.encode())
    if words := browser_verdict(value, front=front):
        return words.partition("; add cookies")[0]
    if not (seen.includes_credentials or seen.is_same_origin):
        return ""
    same_site = (cookie.get(b"samesite") or b"").lower()
    if _is_cross_site(seen) and (same_site != b"none" or not cookie.has(b"secure")):
        mode = f"SameSite={visible(same_site, 10).capitalize()}" if same_site else "no SameSite, which means Lax,"
        return (
            f"browsers refuse the cookie {visible(cookie.name, 40)}: it has {mode} and the page is of another site "
            f"({shown(seen.page)})"
        )
    path = cookie.get(b"path") or b""
    asked = subject.resource.partition("?")[0].encode()
    if path.startswith(b"/") and not _covers(path, asked):
        return (
            f"the cookie {visible(cookie.name, 40)} has Path={visible(path, 60)} and is never sent to {asked.decode()}"
        )
    return ""


def _covers(path: bytes, asked: bytes) -> bool:
    """Tell whether a cookie's path covers `asked` (RFC 6265bis section 5.1.4)."""
    return asked == path or asked.startswith(path if path.endswith(b"/") else path + b"/")


def _is_cross_site(seen: Seen) -> bool:
    """Tell whether the page and the server are of different sites, as far as names tell without a list of suffixes."""
    scheme, _, rest = seen.page.partition(b"://")
    page = front_of(scheme.decode("latin-1"), rest)
    own = front_of(seen.target.scheme, seen.target.host_field.encode())
    if page == own:
        return False
    if page.scheme != own.scheme:
        return True
    is_here = LOOPBACK.rule_for(seen.page) or LOOPBACK.rule_for(seen.target.origin)
    return bool(is_here) or page.host.split(b".")[-2:] != own.host.split(b".")[-2:]


def stranger_reads(seen: Seen, subject: Subject) -> bool:
    """Tell whether a web site of which the server cannot know may read, without credentials at least."""
    return check(subject.stranger.fields, seen.stranger, includes_credentials=False) is None
