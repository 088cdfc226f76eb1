"""What single answers mean: whose they are, by what they refuse, and whether a page may read them. Pure.

Start at :func:`refusal_of` and :func:`engine_at`.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from devproxy.doctor.observed import Answer, Seen
from devproxy.doctor.packets import read_open
from devproxy.http.fields import elements_of
from devproxy.policy.advice import advice_on_words
from devproxy.policy.verdict import REDIRECTS, Hop, PageRequest, RequestKind, Verdict, judge
from devproxy.text.safe import visible

_MAX_REFUSAL: Final = 4096
_MAX_WORDS: Final = 160
_LOGIN: Final = ("login", "signin", "sign-in", "sign_in", "/auth", "sso", "oauth", "account")
GUARDED: Final = frozenset((401, 403, 407))
"""Statuses by which something asks who the client is."""


TOO_MANY: Final = 429
"""What a limit of requests answers: it says nothing of what was asked."""


class Refusal(StrEnum):
    """Why an Engine.IO server refuses a request, in the words of Node's or of python-engineio."""

    TRANSPORT = "the transport is not offered"
    SESSION = "the session is not known"
    METHOD = "only a GET opens a session"
    REQUEST = "bad request"
    FORBIDDEN = "refused by the application"
    VERSION = "another protocol version"
    ORIGIN = "the origin is not accepted"
    NO_UPGRADE = "there was no Upgrade"


class Refused(NamedTuple):
    """A refusal. ``words``: what the server says. ``is_bare``: as a WebSocket gets it from Node, without JSON."""

    kind: Refusal
    words: str
    is_python: bool = False
    is_bare: bool = False


_BY_CODE: Final = (
    Refusal.TRANSPORT,
    Refusal.SESSION,
    Refusal.METHOD,
    Refusal.REQUEST,
    Refusal.FORBIDDEN,
    Refusal.VERSION,
)
"""engine.io/lib/server.ts, ``Server.errors``."""
_NODE_WORDS: Final = {
    "Transport unknown": Refusal.TRANSPORT,
    "Session ID unknown": Refusal.SESSION,
    "Bad handshake method": Refusal.METHOD,
    "Bad request": Refusal.REQUEST,
    "Forbidden": Refusal.FORBIDDEN,
    "Unsupported protocol version": Refusal.VERSION,
}
_PYTHON_WORDS: Final = {
    "Invalid transport": Refusal.TRANSPORT,
    "Invalid websocket upgrade": Refusal.NO_UPGRADE,
    "The client is using an unsupported version of the Socket.IO or Engine.IO protocols": Refusal.VERSION,
    "Not an accepted origin.": Refusal.ORIGIN,
}


def refusal_of(answer: Answer) -> Refused | None:
    """Return by what an Engine.IO server refuses, None where `answer` is no refusal of one."""
    if answer.status < 400 or not 0 < len(answer.body) <= _MAX_REFUSAL:
        return None
    text = answer.body.decode("utf-8", "replace").strip()
    said = read_json(text)
    if isinstance(said, dict):
        code, words = said.get("code"), said.get("message")
        if (
            isinstance(code, int)
            and not isinstance(code, bool)
            and 0 <= code < len(_BY_CODE)
            and isinstance(words, str)
        ):
            return Refused(_BY_CODE[code], words[:_MAX_WORDS])
        return None
    if isinstance(said, str) and answer.status == 400:
        kind = _PYTHON_WORDS.get(said)
        if kind is None and said.endswith(" is not an accepted origin."):
            kind = Refusal.ORIGIN
        if kind is None and said.startswith("Invalid session "):
            kind = Refusal.SESSION
        return None if kind is None else Refused(kind, said[:_MAX_WORDS], is_python=True)
    if answer.status == 400 and text in _NODE_WORDS:
        return Refused(_NODE_WORDS[text], text, is_bare=True)
    return None


def read_json(text: str) -> object:
    """Return what `text` is as JSON, None where it is none."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def is_engine_answer(answer: Answer) -> bool:
    """Tell whether an Engine.IO server gave `answer`: a session, or a refusal in its words."""
    if answer.status == 200:
        return read_open(answer.body) is not None
    return refusal_of(answer) is not None


def engine_at(seen: Seen) -> bool:
    """Tell whether Engine.IO is at the path that was asked for."""
    answers = (seen.polled, seen.polled_page, seen.polled_stranger, seen.polled_old)
    return any(map(is_engine_answer, answers))


def wants_old_protocol(seen: Seen) -> bool:
    """Tell whether it is worth asking for a session in the other protocol."""
    return seen.target.eio == 3 or read_open(seen.polled.body) is None


def request_of(seen: Seen, kind: RequestKind = RequestKind.XHR, **more: object) -> PageRequest:
    """Return a request of the page as the verdict judges it."""
    asked = PageRequest(
        page=seen.page,
        target=seen.target.origin,
        kind=kind,
        includes_credentials=seen.includes_credentials,
    )
    return asked._replace(**more)  # type: ignore[arg-type]


def verdict_on(seen: Seen, answer: Answer) -> Verdict:
    """Return what a browser does with `answer` to a request of the page without a preflight."""
    return judge(request_of(seen), [Hop(answer.status, answer.fields)])


def may_read(seen: Seen, answer: Answer) -> bool:
    """Tell whether the page may read `answer`, which is there."""
    return answer.is_there and not verdict_on(seen, answer).is_blocked


def location_of(seen: Seen, answer: Answer, resource: str) -> str:
    """Return where a redirect leads, as an absolute URL; empty for what is none."""
    location = answer.value("location").decode("latin-1")
    if answer.status not in REDIRECTS or not location:
        return ""
    try:
        return urljoin(seen.target.url(resource), location)
    except ValueError:
        return ""


def is_login(location: str) -> bool:
    """Tell whether `location`, to which a request is redirected, looks like a page to sign in at."""
    return any(word in location.lower() for word in _LOGIN)


def is_secured(seen: Seen, location: str) -> bool:
    """Tell whether `location` is the same address by https, which was asked for by http."""
    return not seen.target.is_tls and location.lower().startswith("https://")


def followed_path(seen: Seen) -> str:
    """Return the path to which the first poll was redirected on the same server; empty where it was not."""
    location = location_of(seen, seen.polled, seen.target.path)
    if not location or is_secured(seen, location) or is_login(location):
        return ""
    parts = urlsplit(location)
    path = parts.path
    if parts.netloc.lower() != seen.target.host_field.lower():
        return ""
    return path if path.isascii() and path.isprintable() and " " not in path else ""


def is_refused(answer: Answer) -> bool:
    """Tell whether `answer` asks who the client is, so that nothing is known of what is behind it."""
    if answer.status == 403 and advice_on_words(403, answer.body, b"/", keeps_host=True, keeps_origin=True):
        return False  # a dev server that does not know the Host
    return answer.status in GUARDED or (
        answer.status in REDIRECTS and is_login(answer.value("location").decode("latin-1"))
    )


def is_stream(answer: Answer) -> bool:
    """Tell whether `answer` is a stream of events."""
    return answer.value("content-type").lower().startswith(b"text/event-stream")


def allow_origins(answer: Answer) -> list[bytes]:
    """Return every value of Access-Control-Allow-Origin, of each line one."""
    return answer.values("access-control-allow-origin")


def varies_on_origin(answer: Answer) -> bool:
    """Tell whether `answer` says that it depends on the Origin."""
    return any(b"origin" in elements_of(value.lower()) for value in answer.values("vary"))


def with_credentials(answer: Answer) -> bool:
    """Tell whether `answer` allows credentials."""
    return answer.values("access-control-allow-credentials") == [b"true"]


def words_of(answer: Answer, most: int = 120) -> str:
    """Return what an answer says: its status, and the beginning of its body if that is text."""
    if not answer.is_there:
        return str(answer.failure) + (f" ({visible(answer.detail, 80)})" if answer.detail else "")
    if answer.status == 200 and read_open(answer.body) is not None:
        return "200, a session is opened"
    kind = answer.value("content-type").lower()
    text = answer.body[: 4 * most].decode("utf-8", "replace").strip()
    is_text = text and b"html" not in kind and not text.startswith("<")
    return f"{answer.status}" + (f" {visible(' '.join(text.split()), most)}" if is_text else "")
