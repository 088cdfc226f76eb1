"""Bodies for the eye: without the chunked coding and their ``Content-Encoding``, and how they are best shown. Pure.

Whatever was sent, decoding ends within a bound: of a bomb no more comes out than :data:`MAX_DECODED_BYTES`. Start at
:func:`describe` and :func:`content_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from devproxy.errors import BadMessage
from devproxy.http import codings
from devproxy.http.codings import Decoded
from devproxy.http1.framing import ChunkedReader
from devproxy.inspector.masking import masked_body
from devproxy.realtime.engineio import parse_engine_request

if TYPE_CHECKING:
    from devproxy.gateway.shared.capture import Body
    from devproxy.http.messages import Head

MAX_DECODED_BYTES: Final = 8 << 20
_TEXTS: Final = ("application/javascript", "application/xml", "application/graphql", "application/x-ndjson")


def content_of(body: Body, *, is_answer: bool) -> bytes:
    """Return what is kept of `body` without the chunked coding (RFC 9112 section 7.1)."""
    joined = b"".join(body.pieces)
    if not body.is_chunked:
        return joined
    try:
        return ChunkedReader(is_decoding=True, is_answer=is_answer).feed(joined)[0]
    except BadMessage:
        return joined


def decoded(data: bytes, encoding: bytes) -> Decoded | None:
    """Return `data` without the codings that `encoding`, a ``Content-Encoding``, lists; None where that cannot be."""
    return codings.decoded(data, encoding, MAX_DECODED_BYTES)


def describe(head: Head | None, body: Body | None, target: bytes, *, is_answer: bool) -> dict[str, Any] | None:
    """Return what the API says of a body; None: none of it is kept. `target`: of the request."""
    if body is None or (not body.size and not body.kept):
        return None
    value = b"" if head is None else head.first(b"content-type") or b""
    encoding = b"" if head is None else head.first(b"content-encoding") or b""
    kind = value.partition(b";")[0].strip().decode("latin-1").lower()
    content = content_of(body, is_answer=is_answer)
    return {
        "bytes": body.size if not body.is_chunked else len(content) if body.kept == body.size else body.size,
        "kept_bytes": len(content),
        "is_complete": body.is_complete and body.kept == body.size,
        "type": kind,
        "encoding": encoding.decode("latin-1"),
        "charset": charset_of(value),
        "view": view_of(kind, target, content[:512], is_encoded=bool(encoding)),
    }


def shown_body(head: Head, body: Body, target: bytes) -> str | None:
    """Return what is kept of the body of a request as text without secrets; None where only the key opens it."""
    described = describe(head, body, target, is_answer=False)
    without = decoded(content_of(body, is_answer=False), head.first(b"content-encoding") or b"")
    if described is None or without is None:
        return None
    return masked_body(without.data, described["view"], described["charset"])


def charset_of(value: bytes) -> str:
    """Return the charset that a ``Content-Type`` names, in lower case; ``utf-8`` where it names none."""
    for parameter in value.split(b";")[1:]:
        name, _, charset = parameter.partition(b"=")
        if name.strip().lower() == b"charset":
            return charset.strip(b' \t"').decode("latin-1").lower()
    return "utf-8"


def view_of(kind: str, target: bytes, beginning: bytes, *, is_encoded: bool) -> str:
    """Return how a body of the media type `kind` is best shown."""
    engine = parse_engine_request(target)
    if engine is not None and engine.transport in (b"polling", b""):
        return "engineio"
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    if kind == "text/event-stream":
        return "events"
    if kind == "application/x-www-form-urlencoded":
        return "form"
    if kind == "image/svg+xml" or kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXTS:
        return "text"
    if kind.startswith("image/"):
        return "image"
    return "text" if not kind and not is_encoded and _is_text(beginning) else "hex"


def _is_text(beginning: bytes) -> bool:
    try:
        shown = beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 4:
            return False
        shown = beginning[: error.start].decode()
    return not any(char < " " and char not in "\t\r\n" for char in shown)
