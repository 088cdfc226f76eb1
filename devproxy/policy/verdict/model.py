"""What a verdict is made of: a page's request, the answers that it got, and the verdict itself. Values."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from devproxy.http.edits import ResponseEdits
from devproxy.http.fields import Field, parse_fields
from devproxy.http.messages import ResponseHead

REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


class RequestKind(StrEnum):
    """How a page asks."""

    FETCH = "fetch"
    XHR = "XMLHttpRequest"
    EVENT_SOURCE = "EventSource"
    NO_CORS = "no-cors"
    """``<img>``, ``<script>``, ``fetch`` with ``mode: "no-cors"``: sent and used, but never read."""
    WEBSOCKET = "WebSocket"
    NAVIGATION = "navigation"


class PageRequest(NamedTuple):
    """What a page asks for. ``page``: its origin, ``null`` for an opaque one. ``target``: the origin asked.

    ``includes_credentials``: the credentials mode is "include", or ``withCredentials`` is set. ``headers``: those that
    the page sets itself, names in lower case. ``key`` and ``protocols``: of a WebSocket handshake, where known.
    """

    page: bytes
    target: bytes
    kind: RequestKind = RequestKind.FETCH
    method: bytes = b"GET"
    includes_credentials: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    key: bytes = b""
    protocols: tuple[bytes, ...] | None = None


class Hop(NamedTuple):
    """A response as the browser sees it. ``location``: the place a redirect names, absolute; ``target``: its origin.

    ``preflight``: the answer to the preflight that came before, where a redirect made one necessary.
    """

    status: int
    fields: tuple[Field, ...] = ()
    location: bytes = b""
    target: bytes = b""
    preflight: Hop | None = None

    @classmethod
    def of(cls, head: ResponseHead) -> Hop:
        """Return the response that `head` is, which leads on to nowhere that is known."""
        return cls(status=head.status, fields=tuple(head.fields))

    @classmethod
    def after(cls, head: ResponseHead, edits: ResponseEdits) -> Hop:
        """Return the response that `head` is after `edits`."""
        return cls(status=head.status, fields=tuple(parse_fields(edits.lines_of(head))))


class Verdict(NamedTuple):
    """What the browser does. ``text``: the stable part of its message, empty when it prints none.

    ``step``: the rule by which it blocks, empty when it does not. ``what``: a sentence for people. ``fix``: the lines
    to write, for devproxy.
    """

    text: str = ""
    step: str = ""
    what: str = ""
    fix: str = ""

    @property
    def is_blocked(self) -> bool:
        """Whether the page does not get what it asked for."""
        return self.step != ""


ALLOWED: Final = Verdict()


def shown(octets: bytes) -> str:
    """Return `octets` as Chromium's console shows them: bytes that are not printable ASCII by their numbers."""
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\u{octet:04X}" for octet in octets)
