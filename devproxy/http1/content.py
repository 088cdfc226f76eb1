"""What a body says: the data in it, without the chunked coding and without compression. For people, and for few.

What is forwarded never comes here. Start at :func:`content`.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from devproxy.errors import BadMessage
from devproxy.http.messages import CHUNKED
from devproxy.http1.framing import ChunkedReader

if TYPE_CHECKING:
    from devproxy.http.messages import ResponseHead


def content(head: ResponseHead, body: bytes, max_bytes: int, *, is_decoded: bool | None = False) -> bytes:
    """Return what `body`, or its beginning, says; of compressed data one byte more than `max_bytes` at most.

    `is_decoded`: the chunked coding has been removed from it; None: that is told by its looks. Empty where the body is
    not what `head` says, or is compressed in another way than by gzip or deflate (RFC 9110 section 8.4.1).
    """
    if head.facts.body_length == CHUNKED and not is_decoded:
        try:
            body, _ = ChunkedReader(is_decoding=True, is_answer=True).feed(body)
        except BadMessage:
            if is_decoded is not None:
                return b""
    coding = (head.first(b"content-encoding") or b"").strip().lower()
    if coding in (b"", b"identity"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, max_bytes + 1)
    except zlib.error:
        return b""
