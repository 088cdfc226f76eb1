"""Heads as bytes of HTTP/1.1 (RFC 9112): the only module that writes them.

What the head says to a client about its own connection is decided here: whether it goes on, and that it does to one
that speaks HTTP/1.0, which reads no chunked coding (ADR 0010). Start at :func:`render_response`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from devproxy.http.edits import ResponseEdits
from devproxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from devproxy.http1.reasons import reason_phrase

_OF_CODING: Final = (b"transfer-encoding", b"trailer")


def render_head(start: bytes, lines: Iterable[bytes]) -> bytes:
    """Return the head with the line `start` and the field lines `lines`, blank line included."""
    return b"\r\n".join((start, *lines, b"", b""))


def plain_head(block: bytes, dropped: tuple[bytes, ...]) -> bytes:
    """Return the bytes of a head (without its last CRLFCRLF) without the lines in `dropped`; ends with one CRLF.

    Each line of `dropped` is between two CRLFs, as in ``RequestFacts.dropped``; it is there as often as in the head. To
    leave lines out is all that a gateway has to do to most heads; taking them out of the bytes is a fraction of the
    cost of writing the whole head.
    """
    octets = block + b"\r\n"
    for line in dropped:
        octets = octets.replace(line, b"\r\n", 1)
    return octets


def render_own(
    status: int,
    lines: Iterable[bytes],
    body: bytes,
    *,
    closes: bool,
    version_minor: int = 1,
) -> bytes:
    """Return a response of devproxy's own to a client of HTTP/1.`version_minor`: `lines` and `body`.

    `closes`: the connection ends with it; that it goes on has to be said to a client that speaks HTTP/1.0.
    """
    says = b"Connection: close" if closes else b"" if version_minor else b"Connection: keep-alive"
    start = f"HTTP/1.1 {status} {reason_phrase(status)}".encode("latin-1")
    return render_head(start, (*lines, says) if says else lines) + body


def render_response(
    head: ResponseHead, edits: ResponseEdits, request: RequestHead, body_length: int, close: bool
) -> tuple[bytes, bool]:
    """Return `head` as it goes to the client that sent `request`, and whether its connection ends with the body.

    `body_length`: of the body that follows, none in answer to HEAD. `close`: the connection cannot go on in any
    case, for example because the request is not complete. An interim response (1xx) never ends a connection. A chunked
    body loses its coding on the way to a client that speaks HTTP/1.0, whose connection then ends with it.
    """
    if edits.tail and not close:
        octets = head.block + b"\r\n"
        for line in edits.dropped:
            octets = octets.replace(line, b"\r\n", 1)
        return octets + edits.tail, False
    is_old_client, is_final = request.version_minor == 0, head.status >= 200
    decodes = is_old_client and body_length == CHUNKED
    closes = is_final and (close or not request.facts.keep_alive or body_length == UNTIL_CLOSE or decodes)
    if edits.lines is None and not edits.last and not closes and not is_old_client and head.version_minor:
        # The facts and the request's settle all of this, so it is the same for every head with the same edits.
        edits.tail = b"\r\n".join((*edits.added, b"\r\n"))
        return plain_head(head.block, edits.dropped) + edits.tail, False
    lines = edits.lines if edits.lines is not None else edits.lines_of(head)
    connection: tuple[bytes, ...] = (b"Connection: close",) if closes else ()
    if is_old_client:
        lines = [line for line in lines if line.partition(b":")[0].lower() not in _OF_CODING]
        connection = connection or ((b"Connection: keep-alive",) if is_final else ())
    start = head.start if head.version_minor else b"HTTP/1.1" + head.start[8:]
    return b"\r\n".join((start, *lines, *connection, *edits.last, b"", b"")), closes
