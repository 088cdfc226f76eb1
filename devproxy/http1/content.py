"""What a body says: the data in it, without the chunked coding and without compression. For people, and for few.

What is forwarded never comes here. Start at :func:`content`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devproxy.errors import BadMessage
from devproxy.http.messages import CHUNKED
from devproxy.http1.framing import ChunkedReader

if TYPE_CHECKING:
    from devproxy.http.messages import ResponseHead


def content(head: ResponseHead, body: bytes, max_bytes: int, *, is_decoded: bool | None = False) -> bytes:
    """Return what `body`, or its beginning, says; of compressed data one byte more than `max_bytes` at most.

    `is_decoded`: the chunked coding has been removed from it; None: that is told by its looks. Empty where the body is
    not what `head` says, or its content coding cannot be taken off here (:mod:`devproxy.http.codings`).
    """
    if head.facts.body_length == CHUNKED and not is_decoded:
        try:
            body, _ = ChunkedReader(is_decoding=True, is_answer=True).feed(body)
        except BadMessage:
            if is_decoded is not None:
                return b""
    coding = head.first(b"content-encoding")
    if not coding:
        return body
    from devproxy.http.codings import decoded  # people look at few bodies that are compressed

    without = decoded(body, coding, max_bytes + 1)
    return b"" if without is None else without.data
