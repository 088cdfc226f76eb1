"""A request as what people paste: a command of curl, or a call of ``fetch``. Pure.

Everything from the wire is quoted, so that pasting it runs nothing else. Start at :func:`as_curl`.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from devproxy.console.secrets import MASK
from devproxy.inspector.bodies import content_of, shown_body
from devproxy.inspector.masking import masked_field, masked_start
from devproxy.inspector.rows import text

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Capture

_NOT_COPIED: Final = frozenset(("host", "connection", "content-length", "transfer-encoding", "accept-encoding"))
"""What the program that sends it says itself."""
_FORBIDDEN: Final = frozenset(
    "accept-charset access-control-request-headers access-control-request-method cookie cookie2 date dnt expect "
    "keep-alive origin referer te trailer upgrade user-agent via".split()
)
"""What a script may not set (Fetch, "forbidden request-header"), or what the browser says itself."""
_MAX_BODY_BYTES: Final = 1 << 20


def as_curl(capture: Capture, *, secrets: bool) -> str:
    """Return a command that sends the request to devproxy again, in POSIX shell's words."""
    request = capture.request
    words = ["curl", _quoted(url_of(capture, secrets=secrets))]
    method = text(request.method)
    body = _body(capture, secrets=secrets)
    if method != ("POST" if body is not None else "GET"):
        words += ["-I"] if method == "HEAD" else ["-X", _quoted(method)]
    for name, value in fields_of(capture, secrets=secrets):
        if name.lower() not in _NOT_COPIED:
            words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};")]
    if any(name.lower() == "accept-encoding" for name, _ in fields_of(capture, secrets=True)):
        words.append("--compressed")
    if body is not None:
        words += ["--data-binary", _quoted(body)]
    return " ".join(words[:2]) + "".join(_continued(words[2:])) + "\n"


def as_fetch(capture: Capture, *, secrets: bool) -> str:
    """Return a call of ``fetch`` that sends the request again from a page of devproxy's own origin."""
    options: dict[str, object] = {"method": text(capture.request.method)}
    headers = {
        name: value
        for name, value in fields_of(capture, secrets=secrets)
        if name.lower() not in _NOT_COPIED | _FORBIDDEN and not name.lower().startswith(("sec-", "proxy-"))
    }
    if headers:
        options["headers"] = headers
    if any(name.lower() == "cookie" for name, _ in fields_of(capture, secrets=True)):
        options["credentials"] = "include"
    body = _body(capture, secrets=secrets)
    if body is not None:
        options["body"] = body
    return f"fetch({json.dumps(url_of(capture, secrets=secrets))}, {json.dumps(options, indent=2)});\n"


def url_of(capture: Capture, *, secrets: bool) -> str:
    """Return the URL that the request was for, as its client named it."""
    request = capture.request
    url = f"{capture.peer.scheme}://{text(request.host)}{text(request.path)}"
    return url if secrets else masked_start(url)


def fields_of(capture: Capture, *, secrets: bool) -> list[tuple[str, str]]:
    """Return the fields of the request as they came."""
    found = [(text(field.line.partition(b":")[0]), text(field.value)) for field in capture.request.fields]
    return found if secrets else [(name, masked_field(name, value)) for name, value in found]


def _body(capture: Capture, *, secrets: bool) -> str | None:
    """Return the body as text; without `secrets` they are masked, or all of it where none can be found."""
    if capture.request_body is None or not capture.request_body.size:
        return None
    if not secrets:
        shown = shown_body(capture.request, capture.request_body, capture.request.target)
        return MASK if shown is None else shown[:_MAX_BODY_BYTES]
    return text(content_of(capture.request_body, is_answer=False)[:_MAX_BODY_BYTES])


def _quoted(words: str) -> str:
    """Return `words` so that a shell takes them for one word; control characters by their numbers."""
    if any(char < " " or char == "\x7f" for char in words):
        escaped = "".join(
            f"\\x{ord(char):02x}" if char < " " or char == "\x7f" else f"\\{char}" if char in "'\\" else char
            for char in words
        )
        return f"$'{escaped}'"
    return shlex.quote(words)


def _continued(words: list[str]) -> list[str]:
    """Return each option on a line of its own."""
    return [f" \\\n  {word}" if word.startswith("-") else f" {word}" for word in words]
