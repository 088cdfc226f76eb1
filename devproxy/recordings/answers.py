"""A recorded response as the answer that is given again: which fields stay, and what its body is.

Pure. What concerned the connection, the transfer and the moment of the recording goes: lengths are those of what is
sent, bodies are given without the coding that they were recorded without, and cookies last as long as they did then.
Start at :func:`answer_of`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

from devproxy.recordings.model import Answer
from devproxy.text.charsets import octets_in

NO_BODY: Final = frozenset((101, 204, 205, 304))
"""Statuses of which the answers have no body (RFC 9110)."""

_DROPPED: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "content-encoding", "date", "age", "via", "alt-svc", "server-timing"),
        *("sec-websocket-accept", "sec-websocket-extensions"),
    )
)
"""What concerned the connection, the transfer or the moment."""
_is_name: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_has_control: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_end_of_line: Final = re.compile(r"\r\n|\r|\n")
_find_expires: Final = re.compile(r";\s*+expires\s*+=\s*+([^;]*+)", re.IGNORECASE).search
_has_max_age: Final = re.compile(r";\s*+max-age\s*+=", re.IGNORECASE).search
_MAGIC: Final = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
"""How bodies of these codings begin."""
_MAX_REASON: Final = 100

Headers = Sequence[tuple[str, str]]


def body_of(content: dict[str, Any], headers: Headers) -> tuple[bytes | None, str]:
    """Return the body that `content` of a response holds, and the coding that it still has; None: it holds none.

    A text is in the charset of its type, or UTF-8. Base64 is bytes: without a coding as browsers write them, and with
    one where the recorder could not undo it.
    """
    text = content.get("text")
    if not isinstance(text, str):
        return None, ""
    if content.get("encoding") != "base64":
        return _encoded(text, str(content.get("mimeType", ""))), ""
    try:
        body = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None, ""
    coding = next((value.strip().lower() for name, value in headers if name.lower() == "content-encoding"), "")
    return body, coding if _is_coded(body, coding, str(content.get("mimeType", ""))) else ""


def events_of(messages: Any) -> bytes | None:
    """Return the body of an event stream (WHATWG HTML, section 9.2) of `messages`, as Chrome's developer tools write
    them, which keep no body of those: ``[{"eventName": "message", "eventId": "1", "data": "…"}]``; None for none.
    """
    found = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    return "".join(line for one in found for line in _event(one)).encode("utf-8", "replace") or None


def _event(message: dict[str, Any]) -> Iterator[str]:
    data = message.get("data")
    if not isinstance(data, str):
        return
    for field, name in (("id", "eventId"), ("event", "eventName")):
        value = message.get(name)
        if isinstance(value, str) and value not in ("", "message") and not _has_control(value):
            yield f"{field}: {value}\n"
    for line in _end_of_line.split(data):
        yield f"data: {line}\n"
    yield "\n"


def _encoded(text: str, kind: str) -> bytes:
    """Return `text` in the charset that `kind`, a Content-Type, names; in UTF-8 where it names none that is known."""
    charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(" \t\"'")
    return octets_in(text, charset)


def _is_coded(body: bytes, coding: str, kind: str) -> bool:
    """Tell whether `body` still has its `coding`: by how it begins, or, of text, by not being text."""
    if coding in ("", "identity") or _has_control(coding):
        return False
    if coding in _MAGIC:
        return body.startswith(_MAGIC[coding])
    if not kind.startswith("text/") and not kind.partition(";")[0].endswith(("json", "xml", "javascript")):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def answer_of(
    status: int, reason: str, headers: Headers, body: bytes, *, coding: str, origin: str, began: float
) -> Answer:
    """Return the answer with what of `headers` is true again. `coding`: of `body`, empty for none.

    `origin`: at which it was recorded; places there become paths. `began`: when, in seconds since the epoch.
    """
    fields = tuple(line.encode("latin-1", "replace") for line in _lines(headers, origin, began))
    if coding:
        fields += (b"Content-Encoding: " + coding.encode("latin-1", "replace"),)
    shown = reason[:_MAX_REASON]
    printable = shown.isascii() and (shown.isprintable() or not shown)
    return Answer(status, shown.encode() if printable else b"", fields, b"" if status in NO_BODY else body)


def _lines(headers: Headers, origin: str, began: float) -> Iterator[str]:
    for name, joined in headers:
        lowered = name.lower()
        if not _is_name(name) or lowered in _DROPPED:
            continue
        for value in joined.split("\n") if lowered == "set-cookie" else (joined,):  # Chrome joins their lines
            if _has_control(value):
                continue
            if lowered == "set-cookie":
                value = _lasting(value, began)
            elif lowered in ("location", "content-location"):
                value = _from_here(value, origin)
            yield f"{name}: {value.strip()}"


def _lasting(cookie: str, began: float) -> str:
    """Return `cookie`, which lasts as long from now on as it did from `began`: Max-Age goes before Expires."""
    match = _find_expires(cookie)
    if match is None or not began or _has_max_age(cookie):
        return cookie
    try:
        left_s = parsedate_to_datetime(match[1].replace("-", " ")).timestamp() - began
    except (TypeError, ValueError, OverflowError, OSError):
        return cookie
    return f"{cookie}; Max-Age={max(int(left_s), 0)}"


def _from_here(place: str, origin: str) -> str:
    """Return `place` as a path where it was at `origin`, which is not where it is given again."""
    rest = place.removeprefix(origin)
    if rest == place or rest[:1] not in ("", "/", "?", "#"):
        return place
    if rest[:1] != "/":
        return f"/{rest}"
    return f"/.{rest}" if rest[1:2] in ("/", "\\") else rest  # what begins with two names a host
