"""HAR 1.2 (W3C, "HTTP Archive") -> :class:`~devproxy.recordings.model.Recording`: of devproxy, of Chrome, of Firefox.

Pure. Whatever the bytes are, the outcome is a recording or a :class:`BadRecording`, in time that grows with them alone.
What a browser or devproxy itself makes (data URLs, failed requests, pages below ``/__devproxy/``) is left out. Start at
:func:`read_recording`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from devproxy.errors import DevproxyError
from devproxy.recordings.answers import NO_BODY, answer_of, body_of, events_of
from devproxy.recordings.model import Answer, Entry, Message, Recording
from devproxy.text.safe import clipped

MAX_RECORDING_BYTES: Final = 128 << 20
MAX_ENTRIES: Final = 100_000

_OWN_PAGES: Final = b"/__devproxy/"
_ALLOWED: Final = "!$%&'()*+,/:;=?@~[]"
_is_token: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
# By hand: urlsplit has all names of hosts normalized, which takes time by the square of their length.
_is_address: Final = re.compile(r"(http|ws)(s?)://([^/?#\\]++)([^?#]*+)(\?[^#]*+)?", re.IGNORECASE).match
_MAX_SHOWN: Final = 120
_find_entries: Final = re.compile(r'(?<!\\)"entries"\s*+:\s*+\[').search
_NO_ANSWER: Final = "had no answer"
_FAILED: Final = "failed in the browser (by CORS, for example)"
_REFUSED: Final = "net::ERR_HTTP_RESPONSE_CODE_FAILURE"
"""A page with a status like 404 and without a body: to Chrome a failure, but there was an answer."""
_OWN_ANSWER: Final = "were answered by devproxy itself"
_NOT_HTTP: Final = "were not sent over HTTP"
_NOT_MODIFIED: Final = "said 304 without what had not changed"


class BadRecording(DevproxyError):
    """A file that is no recording. ``what``: lower case, no full stop. ``line``: 1-based; 0: the whole file."""

    def __init__(self, what: str, help: str, line: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.help = help
        self.line = line


def read_recording(data: bytes) -> Recording:
    """Return what `data`, a HAR file, holds. Raises :class:`BadRecording`, and nothing else."""
    text = _decoded(data)
    written = _entries(_parsed(text))
    if len(written) > MAX_ENTRIES:
        raise BadRecording(f"it has more than {MAX_ENTRIES} entries", "record less at a time")
    entries: list[Entry] = []
    left_out: Counter[str] = Counter()
    for index, one in enumerate(written):
        try:
            found = _entry(one, index + 1)
        except _BadEntry as bad:
            help = "save it again: `devproxy record`, or a browser's developer tools"
            raise BadRecording(f"entry {index + 1} {bad}", help, _line_of(text, index)) from None
        if isinstance(found, str):
            left_out[found] += 1
        else:
            entries.append(found)
    return Recording(tuple(entries), tuple(_notices(entries, left_out)))


class _BadEntry(Exception):
    """An entry is none: why."""


def _decoded(data: bytes) -> str:
    if len(data) > MAX_RECORDING_BYTES:
        what = f"it has more than the {MAX_RECORDING_BYTES >> 20} MiB that a recording may have"
        raise BadRecording(what, "record less at a time, or without images")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadRecording(f"it is not UTF-8: byte 0x{data[error.start]:02x}", "is it a HAR file?", line) from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRecording(
            f"it is not JSON: {error.msg} in column {error.colno}", "is it a HAR file?", error.lineno
        ) from None
    except (RecursionError, ValueError):  # nested a thousand times, or a number of a thousand digits
        raise BadRecording("it is not a HAR file", "save it again") from None


def _entries(document: Any) -> list[Any]:
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        help = "a HAR file is what `devproxy record` and a browser's developer tools (Network, Save as HAR) write"
        raise BadRecording("it is JSON, but no HAR: it has no `log.entries`", help, 1)
    return entries


def _line_of(text: str, index: int) -> int:
    """Return the line in which the entry at `index` begins; 0 where it is not found."""
    match, decoder = _find_entries(text), json.JSONDecoder()
    if match is None:
        return 0
    at = match.end()
    try:
        for _ in range(index + 1):
            at = _skipped(text, at)
            start, at = at, decoder.raw_decode(text, at)[1]
    except (ValueError, RecursionError, IndexError):
        return 0
    return text.count("\n", 0, start) + 1


def _skipped(text: str, at: int) -> int:
    while text[at] in " \t\r\n,":
        at += 1
    return at


def _entry(one: Any, number: int) -> Entry | str:
    """Return what `one` says, or why it is left out. Raises :class:`_BadEntry`."""
    request, response = _table(one, "request"), _table(one, "response")
    method, url = _text(request, "method"), _text(request, "url")
    status = response.get("status")
    if not isinstance(status, int) or isinstance(status, bool):
        raise _BadEntry("has no `response.status`, a number")
    if not _is_token(method):
        raise _BadEntry("has a `request.method` that is none")
    target, origin = _target(url)
    if target is None:
        return _NOT_HTTP
    if target.startswith(_OWN_PAGES):
        return _OWN_ANSWER
    if not 200 <= status <= 599 and status != 101:
        return _NO_ANSWER
    headers = _headers(response)
    if any(name.lower() == "x-devproxy-error" for name, _ in headers):
        return _OWN_ANSWER
    began = _time(one.get("startedDateTime"))
    content = response.get("content")
    body, coding = body_of(content if isinstance(content, dict) else {}, headers)
    if body is None:
        body = events_of(one.get("_eventSourceMessages"))
    if status == 304 and not body:
        return _NOT_MODIFIED
    if body is None and _has_failed(method, status, response):
        return _FAILED
    status_text = response.get("statusText")
    reason = status_text if isinstance(status_text, str) else ""
    if status == 304:
        status, reason = 200, "OK"
    answer = answer_of(status, reason, headers, body or b"", coding=coding, origin=origin, began=began)
    messages = one.get("_webSocketMessages")
    return Entry(
        number=number,
        method=method.encode(),
        target=target,
        answer=answer,
        lacks=_lack(method, answer, body, content, messages),
        range=_range(request) if status == 206 else b"",
        sent=_sent(request),
        began=began,
        ended=began + _seconds(one.get("time")) if began else 0.0,  # else the order of the file is what is known
        messages=tuple(_messages(messages)),
    )


def _has_failed(method: str, status: int, response: dict[str, Any]) -> bool:
    """Tell whether Chrome says that a page got nothing of an answer that has a body: CORS forbade it, for example."""
    if method == "HEAD" or status in NO_BODY or 300 <= status < 400:
        return False
    error = response.get("_error")
    return isinstance(error, str) and error not in ("", _REFUSED)


def _lack(method: str, answer: Answer, body: bytes | None, content: Any, messages: Any) -> str:
    """Return why an answer cannot be given again; empty: it can."""
    if answer.status == 101:
        return "" if isinstance(messages, list) else "without the messages of its WebSocket"
    if body is not None or method == "HEAD" or answer.status in NO_BODY or 300 <= answer.status < 400:
        return ""
    size = content.get("size") if isinstance(content, dict) else None
    return "without its body" if isinstance(size, int | float) and size != 0 else ""  # -1: it is not known


def _table(one: Any, name: str) -> dict[str, Any]:
    found = one.get(name) if isinstance(one, dict) else None
    if not isinstance(found, dict):
        raise _BadEntry(f"has no `{name}`")
    return found


def _text(table: dict[str, Any], name: str) -> str:
    found = table.get(name)
    if not isinstance(found, str):
        raise _BadEntry(f"has no `request.{name}`, a string")
    return found


def _target(url: str) -> tuple[bytes | None, str]:
    """Return path and query of `url`, and its origin; None for what is not HTTP."""
    match = _is_address(url)
    if match is None:
        return None, ""
    target = (match[4] or "/") + (match[5] or "")
    origin = f"http{match[2].lower()}://{match[3].rpartition('@')[2]}"
    return quote(target, safe=_ALLOWED, errors="surrogatepass").encode(), origin


def _headers(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of the header fields of `message`, as far as they are some."""
    found = message.get("headers")
    pairs = (
        ((one.get("name"), one.get("value")) for one in found if isinstance(one, dict))
        if isinstance(found, list)
        else ()
    )
    return [(name, value) for name, value in pairs if isinstance(name, str) and isinstance(value, str)]


def _range(request: dict[str, Any]) -> bytes:
    found = (value for name, value in _headers(request) if name.lower() == "range")
    return next(found, "").encode("latin-1", "replace")


def _sent(request: dict[str, Any]) -> bytes | None:
    posted = request.get("postData")
    text = posted.get("text") if isinstance(posted, dict) else None
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else None


def _time(written: Any) -> float:
    """Return a moment of ISO 8601 in seconds since the epoch; 0 for what is none."""
    try:
        return datetime.fromisoformat(written).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0


def _seconds(milliseconds: Any) -> float:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and 0 <= milliseconds < 1e12 else 0.0


def _messages(written: Any) -> Iterator[Message]:
    """Give the messages of a WebSocket, as Chrome's developer tools and devproxy write them."""
    import base64  # few recordings have any

    for one in written if isinstance(written, list) else ():
        data = one.get("data") if isinstance(one, dict) else None
        if not isinstance(data, str) or one.get("opcode") not in (1, 2):
            continue
        is_text = one["opcode"] == 1
        try:
            raw = data.encode("utf-8", "replace") if is_text else base64.b64decode(data, validate=True)
        except ValueError:
            continue
        at = one.get("time")
        yield Message(one.get("type") == "send", is_text, raw, at if isinstance(at, int | float) else 0.0)


def _notices(entries: list[Entry], left_out: Counter[str]) -> Iterator[str]:
    for why, count in left_out.items():
        yield f"{count} of its requests {why} and are left out"
    lacking = [entry for entry in entries if entry.lacks]
    if lacking:
        first = lacking[0]
        shown = clipped(f"{first.method.decode()} {first.target.decode()}", _MAX_SHOWN)
        shown += f", recorded {first.lacks}"
        yield f"{len(lacking)} of its answers cannot be given again, of which the first is {shown}"
    if not entries:
        yield "it holds no request that can be answered"
