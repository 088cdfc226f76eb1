"""Answers that every browser accepts: their field lines, put so that later readers can read them in one way only.

Pure. What is put right here cannot change where a body ends (ADR 0002); everything else stays as it came, and stays
refused. Start at :func:`put_right`, to which only heads come that have been refused.
"""

from __future__ import annotations

from typing import Final

from devproxy.http.fields import has_control, is_token, without_space_before_colon

BODILESS: Final = (101, 204, 304)
"""Final answers, and the last one before another protocol, that end with their head (RFC 9112 section 6.3)."""
_NOT_AGAIN: Final = b"Connection: close"
"""For answers that have no body but announce one: it may come after all, and must not be read as the next answer."""


def put_right(lines: list[bytes], method: bytes, status: int) -> list[bytes]:
    """Return the field `lines` of an answer without what is wrong with them, as far as that cannot change framing.

    * Whitespace before a colon goes (RFC 9112 section 5.1), unless the field frames the body.
    * What is not a token in ``Connection`` is removed, and the connection is not used again (RFC 9110 section 7.6.1).
    * Of equal lengths one is left, be they on several lines or in one list (RFC 9110 section 8.6).
    * An answer to HEAD has no body, whatever it says: a coding takes the place of a length (RFC 9112 section 6.3).
    * Nor has a 101, a 204 or a 304: any coding is removed, and a length that is not a number.
    """
    mended = _with_one_length([_with_tokens_alone(without_space_before_colon(line) or line) for line in lines])
    if status in BODILESS:
        return _without_announced_body(mended)
    if method == b"HEAD" and any(_is_called(b"transfer-encoding", line) for line in mended):
        lengths = [line for line in mended if _is_called(b"content-length", line)]
        if len(lengths) == 1 and lengths[0].partition(b":")[2].strip(b" ").isdigit():
            return [*(line for line in mended if line is not lengths[0]), _NOT_AGAIN]
    return mended


def _with_tokens_alone(line: bytes) -> bytes:
    """Return `line`; if it is a ``Connection`` with elements that are not tokens, with `close` in place of these."""
    if not _is_called(b"connection", line) or has_control(line):
        return line
    options = [option.strip(b" \t") for option in line.partition(b":")[2].split(b",")]
    tokens = [option for option in options if not option or is_token(option)]
    return line if len(tokens) == len(options) else b"Connection: " + b", ".join((*tokens, b"close"))


def _without_announced_body(lines: list[bytes]) -> list[bytes]:
    """Return the `lines` of an answer that ends with its head without any coding and without a length that is none.

    Lengths that differ stay, and so does a line with a control character: they are refused.
    """
    names = [b"" if has_control(line) else line.partition(b":")[0].rstrip(b" \t").lower() for line in lines]
    gone = [b"transfer-encoding"]
    if names.count(b"content-length") == 1 and _is_no_length(lines[names.index(b"content-length")]):
        gone.append(b"content-length")
    kept = [line for name, line in zip(names, lines, strict=True) if name not in gone]
    return lines if len(kept) == len(lines) else [*kept, _NOT_AGAIN]


def _is_no_length(line: bytes) -> bool:
    """Tell whether a Content-Length is neither a number nor a list, or is followed by a space before its colon."""
    name, _, value = line.partition(b":")
    return b"," not in value and not (value.strip(b" ").isdigit() and name == name.rstrip(b" \t"))


def _with_one_length(lines: list[bytes]) -> list[bytes]:
    """Return `lines` with one Content-Length where all that are stated are the same digits; else `lines`."""
    stated = [line for line in lines if _is_called(b"content-length", line)]
    values = [value.strip(b" ") for line in stated for value in line.partition(b":")[2].split(b",")]
    if len(values) < 2 or values.count(values[0]) < len(values) or not values[0].isdigit():
        return lines
    others = [line for line in lines if not _is_called(b"content-length", line)]
    at = lines.index(stated[0])
    return [*others[:at], stated[0].partition(b":")[0] + b": " + values[0], *others[at:]]


def _is_called(name: bytes, line: bytes) -> bool:
    return line[: len(name) + 1].lower() == name + b":"
