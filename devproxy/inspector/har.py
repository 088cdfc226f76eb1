"""Exchanges as HAR 1.2 (W3C, "HTTP Archive"), with WebSocket messages as Chrome's developer tools write and read them.

Pure. Start at :func:`archive` and :func:`entry`.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_plus

from devproxy.authority.networks import address_of
from devproxy.console.secrets import MASK, is_secret_name
from devproxy.inspector.bodies import charset_of, content_of, decoded, shown_body, view_of
from devproxy.inspector.details import Lines, received_request, sent_response
from devproxy.inspector.masking import masked_body, masked_field, masked_start, masked_text
from devproxy.inspector.messages import as_json as message_json
from devproxy.inspector.rows import text
from devproxy.text.charsets import text_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devproxy.gateway.shared.capture import Body, Capture
    from devproxy.inspector.messages import Message
    from devproxy.inspector.rows import Row

MAX_PARAMETERS: Final = 1000
_VERSIONS: Final = {"1.1": "HTTP/1.1", "1.0": "HTTP/1.0", "2": "HTTP/2.0"}


def archive(entries: Sequence[dict[str, Any]], version: str) -> dict[str, Any]:
    """Return a whole archive with `entries`; `version`: devproxy's."""
    creator = {"name": "devproxy", "version": version}
    return {"log": {"version": "1.2", "creator": creator, "pages": [], "entries": list(entries)}}


def entry(row: Row, messages: Sequence[Message], *, secrets: bool) -> dict[str, Any]:
    """Return `row` as an entry; without `secrets` they are masked. `messages`: of its WebSocket."""
    capture = row.capture
    ended_s = row.ended_s or 0.0
    first_s = row.first_byte_s if row.first_byte_s is not None else ended_s
    sent_s = min(row.sent_s or 0.0, first_s)
    held_s = min(row.held_s or 0.0, sent_s)
    document: dict[str, Any] = {
        "startedDateTime": _time(row.started_at),
        "time": ended_s * 1000,
        "request": _request(row, capture, secrets=secrets),
        "response": _response(row, capture, secrets=secrets),
        "cache": {},
        "timings": {
            "blocked": held_s * 1000,
            "dns": -1,
            "connect": (sent_s - held_s) * 1000,
            "ssl": -1,
            "send": 0,
            "wait": max(first_s - sent_s, 0.0) * 1000,
            "receive": max(ended_s - first_s, 0.0) * 1000,
        },
        "comment": _comment(row),
    }
    host = row.server.partition("://")[2].rpartition(":")[0].strip("[]")
    if address_of(host) is not None:
        document["serverIPAddress"] = host
    if row.kind == "websocket":
        document["_resourceType"] = "websocket"
        document["_webSocketMessages"] = [
            _message(message, secrets=secrets) for message in messages if message.kind == "message"
        ]
    return document


def _time(at: float) -> str:
    """Return a moment as ISO 8601 has it, in UTC; exact enough to tell what came before what when it is replayed."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _comment(row: Row) -> str:
    parts = [f"route {row.route}" if row.route else "", f"upstream {row.upstream}" if row.upstream else ""]
    return ", ".join(part for part in (*parts, row.error, str(row.outcome or "")) if part)


def _message(message: Message, *, secrets: bool) -> dict[str, Any]:
    document = message_json(message, secrets=secrets)
    data = document["text"] if document["text"] is not None else document["base64"] or ""
    kind = "send" if message.direction == "up" else "receive"
    return {"type": kind, "time": message.at, "opcode": message.opcode, "data": data}


def _request(row: Row, capture: Capture | None, *, secrets: bool) -> dict[str, Any]:
    scheme = ("wss" if row.scheme == "https" else "ws") if row.kind == "websocket" else row.scheme
    url = f"{scheme}://{row.host or 'unknown'}{row.target if row.target.startswith('/') else '/' + row.target}"
    fields = [] if capture is None else _fields(received_request(capture), secrets=secrets)
    query = row.target.partition("?")[2].partition("#")[0]
    document: dict[str, Any] = {
        "method": row.method or "GET",
        "url": url if secrets else masked_start(url),
        "httpVersion": _VERSIONS.get(row.http, "HTTP/1.1"),
        "cookies": [] if capture is None else _cookies(_values(received_request(capture), b"cookie"), secrets=secrets),
        "headers": fields,
        "queryString": _parameters(query, secrets=secrets),
        "headersSize": -1 if capture is None else len(capture.request.block) + 4,
        "bodySize": row.request_bytes,
    }
    if capture is not None and capture.request_body is not None and capture.request_body.size:
        document["postData"] = _post_data(capture, capture.request_body, secrets=secrets)
    return document


def _post_data(capture: Capture, body: Body, *, secrets: bool) -> dict[str, Any]:
    kind = (capture.request.first(b"content-type") or b"").decode("latin-1")
    shown = text(content_of(body, is_answer=False))
    document: dict[str, Any] = {"mimeType": kind, "params": []}
    if kind.startswith("application/x-www-form-urlencoded"):
        document["params"] = _parameters(shown, secrets=secrets)
    if secrets:
        document["text"] = shown
    else:
        masked = shown_body(capture.request, body, capture.request.target)
        document["text"] = MASK if masked is None else masked
    return document


def _response(row: Row, capture: Capture | None, *, secrets: bool) -> dict[str, Any]:
    lines = None if capture is None else sent_response(capture)
    start = b"" if lines is None else lines[0]
    location = b"" if lines is None else next(iter(_values(lines, b"location")), b"")
    shown = text(location)
    return {
        "status": row.status or 0,
        "statusText": text(start.split(b" ", 2)[2]) if start.count(b" ") >= 2 else "",
        "httpVersion": _VERSIONS.get(row.http, "HTTP/1.1"),
        "cookies": [] if lines is None else _set_cookies(_values(lines, b"set-cookie"), secrets=secrets),
        "headers": [] if lines is None else _fields(lines, secrets=secrets),
        "content": _content(row, capture, secrets=secrets),
        "redirectURL": shown if secrets else masked_start(shown),
        "headersSize": -1 if lines is None else sum(len(line) + 2 for line in lines) + 2,
        "bodySize": row.response_bytes,
    }


def _content(row: Row, capture: Capture | None, *, secrets: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"size": row.response_bytes, "mimeType": row.type or "x-unknown"}
    if capture is None:
        return document
    if capture.own is not None:
        data, head = capture.own.body, None
    elif capture.response_body is not None and capture.response_body.kept:
        data, head = content_of(capture.response_body, is_answer=True), capture.response
    else:
        return document
    encoding = b"" if head is None else head.first(b"content-encoding") or b""
    without = decoded(data, encoding) if encoding else None
    content = data if without is None else without.data
    value = b"" if head is None else head.first(b"content-type") or b""
    document["size"] = len(content)
    document["compression"] = len(content) - len(data)
    kind = row.type or ""
    is_text = kind.startswith("text/") or kind.endswith(("json", "xml", "javascript")) or head is None
    if is_text and (without is not None or not encoding):
        shown = text_in(content, charset_of(value))
        if not secrets:
            view = view_of(kind, row.target.encode("utf-8", "surrogateescape"), content[:512], is_encoded=False)
            shown = masked_body(content, view, charset_of(value)) or masked_text(shown)
        document["text"] = shown
    elif secrets or kind.startswith("image/"):
        document["text"], document["encoding"] = base64.b64encode(content).decode(), "base64"
    return document


def _values(lines: Lines, name: bytes) -> list[bytes]:
    found = (line.partition(b":") for line in lines[1:])
    return [value.strip(b" \t") for one, _, value in found if one.lower() == name]


def _fields(lines: Lines, *, secrets: bool) -> list[dict[str, str]]:
    found = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        shown_name, shown = text(name), text(value.strip(b" \t"))
        found.append({"name": shown_name, "value": shown if secrets else masked_field(shown_name, shown)})
    return found


def _cookies(values: list[bytes], *, secrets: bool) -> list[dict[str, Any]]:
    pairs = [pair.strip().partition(b"=") for value in values for pair in value.split(b";")]
    return [{"name": text(name), "value": text(value) if secrets else MASK} for name, _, value in pairs if name]


def _set_cookies(values: list[bytes], *, secrets: bool) -> list[dict[str, Any]]:
    found = []
    for value in values:
        pair, *attributes = value.split(b";")
        name, _, content = pair.strip().partition(b"=")
        cookie: dict[str, Any] = {"name": text(name), "value": text(content) if secrets else MASK}
        for attribute in attributes:
            key, _, said = attribute.strip().partition(b"=")
            key = key.lower()
            if key in (b"path", b"domain"):
                cookie[key.decode()] = text(said)
            elif key == b"httponly":
                cookie["httpOnly"] = True
            elif key == b"secure":
                cookie["secure"] = True
            elif key == b"samesite":
                cookie["sameSite"] = text(said)
        found.append(cookie)
    return found


def _parameters(query: str, *, secrets: bool) -> list[dict[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return []
    found = []
    for name, value in pairs:
        is_secret = not secrets and is_secret_name(unquote_plus(name)[-192:])
        found.append({"name": name, "value": MASK if is_secret else value if secrets else masked_start(value)})
    return found
