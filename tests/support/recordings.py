"""HAR files for tests, as devproxy, Chrome and Firefox write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

ORIGIN = "http://localhost:8080"


def har(entries: Sequence[dict[str, Any]], *, indent: int | None = 1) -> bytes:
    """Return an archive with `entries`."""
    log = {"version": "1.2", "creator": {"name": "test", "version": "1"}, "pages": [], "entries": list(entries)}
    return json.dumps({"log": log}, indent=indent).encode()


def entry(
    what: str,
    text: str | None = "",
    *,
    status: int = 200,
    kind: str = "text/plain",
    headers: Sequence[tuple[str, str]] = (),
    sent: str | None = None,
    at_s: float = 0.0,
    took_ms: float = 1.0,
    content: dict[str, Any] | None = None,
    origin: str = ORIGIN,
    asked: Sequence[tuple[str, str]] = (),
    messages: Sequence[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """Return the entry of a request, ``GET /x``, that was answered with `text`; None: its body was not kept.

    `messages`: of a WebSocket: ``("send", "2probe")``.
    """
    method, target = what.split(" ", 1)
    request: dict[str, Any] = {
        "method": method,
        "url": origin + target,
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": name, "value": value} for name, value in asked],
    }
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": sent}
    known: dict[str, Any] = {"size": 7 if text is None else len(text), "mimeType": kind}
    if text is not None:
        known["text"] = text
    fields = [("Content-Type", kind), *headers]
    document: dict[str, Any] = {
        "startedDateTime": f"2026-01-01T00:00:{at_s:06.3f}Z",
        "time": took_ms,
        "request": request,
        "response": {
            "status": status,
            "statusText": "OK",
            "headers": [{"name": name, "value": value} for name, value in fields],
            "content": known if content is None else content,
        },
    }
    if messages is not None:
        document["_webSocketMessages"] = [
            {"type": kind, "time": 1.0, "opcode": 1, "data": data} for kind, data in messages
        ]
    return document
