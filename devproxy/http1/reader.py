"""Finding where a head ends, in bytes that arrive in any pieces. Start at :class:`HeadReader`."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from devproxy.errors import BadMessage
from devproxy.http1.refusals import bad_status_line
from devproxy.http1.start_line import (
    REQUEST_LINE_MARGIN,
    TOKEN_BYTES,
    Limits,
    as_known_version,
    bad_request_line,
    match_request_line,
    match_status_line,
    target_too_long,
)

_match_empty_lines = re.compile(rb"(?:\r\n)*").match
_find_bare_line_end = re.compile(rb"(?<!\r)\n|\r(?=[^\n])").search

_CRLF2: Final = b"\r\n\r\n"
_STATUS_START: Final = b"HTTP/1."
_MAX_START: Final = 512
"""Bytes of something that is not an answer that are looked at, to say what it is."""


def find_head_end(octets: bytes | bytearray) -> int:
    """Return where the first request head in `octets` ends, its blank line included; 0: it does not end yet."""
    match = _match_empty_lines(octets)
    end = octets.find(_CRLF2, match.end() if match else 0)
    return end + 4 if end >= 0 else 0


class MessageKind(Enum):
    """Which head a :class:`HeadReader` waits for."""

    REQUEST = "request"
    RESPONSE = "response"


class HeadReader:
    """Finds where a head ends in bytes that arrive in any pieces. Holds at most one head's worth of bytes.

    The same bytes in other pieces give the same head or are refused as well; the work grows with the bytes alone.
    ``has_started``: some bytes of an unfinished head have arrived.
    """

    __slots__ = ("_has_start_line", "_kind", "_limits", "_partial", "has_started")

    def __init__(self, kind: MessageKind, limits: Limits) -> None:
        self._kind = kind
        self._limits = limits
        self._partial = bytearray()
        self._has_start_line = False
        self.has_started = False

    @property
    def pending(self) -> bytes:
        """The bytes of the unfinished head, also after :meth:`feed` raised."""
        return bytes(self._partial)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Take `data`; return the head's block without its last CRLFCRLF and the bytes after it, or None: it needs
        more.

        Empty lines before a request line are skipped (RFC 9112 section 2.2). Raises :class:`BadMessage` as soon as what
        has come cannot become a head: 414 or 431 when it outgrows its limits, 505 for another version of HTTP, 400 for
        what is not HTTP at all. A reader that raised is of no further use.
        """
        if self._partial:
            return self._feed_more(data)
        if self._kind is MessageKind.REQUEST and data[:1] == b"\r":
            match = _match_empty_lines(data)
            data = data[match.end() :] if match else data
        end = data.find(_CRLF2)
        if end >= 0:
            return self._split(data, end)
        self._partial += data
        self.has_started = bool(data)
        self._refuse_hopeless(0)
        return None

    def _feed_more(self, data: bytes) -> tuple[bytes, bytes] | None:
        partial = self._partial
        if partial == b"\r":  # perhaps half an empty line
            self._forget()
            return self.feed(b"\r" + data)
        searched = max(0, len(partial) - 3)
        partial += data
        end = partial.find(_CRLF2, searched)
        if end < 0:
            self._refuse_hopeless(searched)
            return None
        found = self._split(bytes(partial), end)
        self._forget()
        return found

    def _split(self, octets: bytes, end: int) -> tuple[bytes, bytes]:
        """Return the head that ends at `end` of `octets`, and what follows its blank line."""
        if end > self._limits.max_head_bytes:
            raise self._too_large(octets)
        return octets[:end], octets[end + 4 :]

    def _forget(self) -> None:
        self._partial.clear()
        self._has_start_line = self.has_started = False

    def _refuse_hopeless(self, searched: int) -> None:
        """Raise when the bytes so far cannot become a head; those before `searched` have been looked at."""
        partial = self._partial
        if not partial or partial == b"\r":
            return
        if self._kind is MessageKind.RESPONSE and partial[:7] != _STATUS_START[: len(partial)]:
            raise bad_status_line(bytes(partial[:_MAX_START]))
        if self._kind is MessageKind.REQUEST and partial[0] not in TOKEN_BYTES:
            raise bad_request_line(bytes(partial[:1]))
        if not self._has_start_line:
            self._refuse_start_line(partial.find(b"\r\n", searched))
        # The last three bytes may be the beginning of the CRLFCRLF.
        if len(partial) > self._limits.max_head_bytes + 3:
            raise self._too_large(partial)
        bare = _find_bare_line_end(partial, searched)
        if bare is not None:
            raise self._bare_line_end(bare.start())

    def _refuse_start_line(self, end: int) -> None:
        """Raise when the start line, complete if `end` is not negative, is malformed or too long."""
        if end >= 0:
            line = bytes(self._partial[:end])
            if self._kind is MessageKind.RESPONSE:
                if match_status_line(as_known_version(line)) is None:
                    raise bad_status_line(line)
            elif match_request_line(line) is None:
                raise bad_request_line(line)
            self._has_start_line = True
        limit = self._limits.max_target_bytes + REQUEST_LINE_MARGIN
        if self._kind is MessageKind.REQUEST and (end if end >= 0 else len(self._partial) - 1) > limit:
            raise target_too_long()

    def _bare_line_end(self, at: int) -> BadMessage:
        """Return the refusal of the CR or LF at `at` that ends no line, with what is around it."""
        start = self._partial.rfind(b"\n", 0, at) + 1
        line = self._partial[start : at + _MAX_START].partition(b"\r\n")[0]
        return BadMessage("the head contains a bare CR or LF", source="RFC 9112 section 2.2", line=bytes(line))

    def _too_large(self, data: bytes | bytearray) -> BadMessage:
        line_end = data.find(b"\r\n")
        if (
            self._kind is MessageKind.REQUEST
            and not 0 <= line_end <= self._limits.max_target_bytes + REQUEST_LINE_MARGIN
        ):
            return target_too_long()
        limit = self._limits.max_head_bytes
        return BadMessage(
            f"the head is larger than the {limit} bytes that `max_head_bytes` allows",
            status=431,
            source="RFC 6585 section 5",
        )
