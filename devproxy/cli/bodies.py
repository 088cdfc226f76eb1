"""How the body of an answer begins, as lines for a terminal: text as it is, anything else by its size and type.

Start at :func:`body_lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from devproxy.cli.differences import INDENT
from devproxy.console.style import Style
from devproxy.console.text import counted
from devproxy.http.messages import ResponseHead
from devproxy.http1.content import content
from devproxy.text.safe import visible

MAX_LINES: Final = 12
MAX_COLUMNS: Final = 200
_MAX_BYTES: Final = 4096


def body_lines(head: ResponseHead, body: bytes, style: Style) -> Iterator[str]:
    """Give what of `body` came with `head`, at most :data:`MAX_LINES` of at most :data:`MAX_COLUMNS` characters."""
    if not body:
        return
    said = content(head, body, _MAX_BYTES, is_decoded=None)
    kind = visible((head.first(b"content-type") or b"").partition(b";")[0].strip()) or "no type"
    coding = head.first(b"content-encoding")
    yield ""
    if not said and coding:
        yield style.dim(f"body: {kind}, compressed with {visible(coding)}, not shown")
        return
    text = _text(said[:_MAX_BYTES])
    if text is None:
        yield style.dim(f"body: {kind}, no text: {counted(len(said), 'byte')} came, not shown")
        return
    yield style.bold("body") + style.dim(f" ({kind})")
    lines = text.splitlines()
    for line in lines[:MAX_LINES]:
        yield INDENT + visible(line.expandtabs(4), most=MAX_COLUMNS)
    if len(lines) > MAX_LINES or len(said) > _MAX_BYTES:
        yield f"{INDENT}{style.dim('and more')}"


def _text(said: bytes) -> str | None:
    """Return `said` as text, or None where it is none: a NUL, or bytes that are no UTF-8 before the last ones."""
    if b"\0" in said:
        return None
    try:
        return said.decode()
    except UnicodeDecodeError as error:
        return said[: error.start].decode() if len(said) - error.start < 4 and error.start else None
