"""One answer of devproxy's own as data, and the format that suits the client best."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from devproxy.http.messages import RequestHead


class Answer(NamedTuple):
    """One answer by devproxy itself.

    ``code``: the value of ``X-Devproxy-Error``, empty when this is no error. ``what``: one sentence. ``facts``: what is
    known, as name and value. ``help``: what to do. ``retry_after_s``: 0 for none. ``close``: the connection ends.
    ``document``: JSON that is the whole body, for every client, because some understand nothing else.
    ``detail``: what a HEAD request, which gets no body, is told in a header field; ASCII.
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
    """Return the format for the sender of `head`: ``Sec-Fetch-Dest``, which scripts cannot forge, before ``Accept``."""
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
