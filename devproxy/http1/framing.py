"""Where a body ends (RFC 9112 sections 6 and 7).

A body of known length is counted by its carrier and needs nothing from here. :class:`ChunkedReader` validates
the chunked coding and passes it through. Start at :meth:`ChunkedReader.feed`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from devproxy.errors import BadMessage
from devproxy.http.fields import TOKEN, Role, parse_field, without_space_before_colon

MAX_SIZE_LINE_BYTES: Final = 512
MAX_TRAILER_BYTES: Final = 16384

# At most 15 hex digits: below 2**60, so that no reader of this body can overflow. Extensions without any whitespace.
_match_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb'|"[\x20\x21\x23-\x5b\x5d-\x7e]*+"))?+)*+)'
).fullmatch
# Of an answer, browsers accept spaces after the size (some servers pad it to a fixed width) and any extension: neither
# can move the end of the line, and neither goes on.
_match_loose_size_line = re.compile(rb"([0-9A-Fa-f]{1,15}) *+(?:;[^\r\n\0]*+)?").fullmatch
# Nearly every chunk: its size without extensions.
_match_plain_size = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match
_LAST_CHUNK: Final = b"0\r\n\r\n"

# Servers that merge trailers into the fields of the head would read the message in another way than it was sent.
_FORBIDDEN_TRAILERS: Final = (Role.CONTENT_LENGTH, Role.TRANSFER_ENCODING, Role.HOST)


_SIZE, _DATA, _DATA_END, _TRAILER, _DONE = range(5)
"""What comes next of a chunked body."""


class _Passing:
    """What passes of `data`: all of it, but for what is replaced. Bytes that follow one another are copied once."""

    __slots__ = ("_data", "_pieces", "_start")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: list[bytes] = []
        self._start = 0

    def replace(self, start: int, end: int, other: bytes) -> None:
        """Let `other` pass instead of the bytes from `start` to `end`, after all that was replaced before."""
        if start > self._start:
            self._pieces.append(self._data[self._start : start])
        if other:
            self._pieces.append(other)
        self._start = end

    def until(self, end: int) -> bytes:
        """Return what passes of the bytes before `end`."""
        if end > self._start:
            self._pieces.append(self._data[self._start : end])
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class ChunkedReader:
    """Validates a chunked body as it passes and finds its end.

    Chunks leave in the pieces in which they came. Chunk extensions are dropped (RFC 9112 section 7.1.1: they concern
    this hop), trailers that concern routing or this connection as well (RFC 9110 section 6.5.1).
    ``is_decoding``: give the data alone, without sizes and trailers, for a peer that speaks HTTP/1.0. ``is_answer``:
    the body is an answer's, of which is taken what every browser takes, as long as it cannot move the end of the body.
    ``announced_bytes``: bytes of data in the chunks seen so far, the one that is still arriving counted whole.
    ``is_done``: the whole body has been seen.
    ``has_odd_trailers``: trailers of an answer spoke of framing or of a Host, which browsers skip; they did not pass.
    """

    __slots__ = (
        "_dropped_trailers",
        "_is_answer",
        "_is_decoding",
        "_left",
        "_line",
        "_state",
        "_trailer_bytes",
        "announced_bytes",
        "has_odd_trailers",
        "is_done",
    )

    def __init__(
        self, *, is_decoding: bool = False, is_answer: bool = False, dropped_trailers: tuple[bytes, ...] = ()
    ) -> None:
        self._state = _SIZE
        self._left = 0
        self._line: bytes | bytearray = b""
        self._trailer_bytes = 0
        self.announced_bytes = 0
        self.has_odd_trailers = False
        self.is_done = False
        self._is_answer = is_answer
        self._is_decoding = is_decoding
        self._dropped_trailers: Collection[bytes] = dropped_trailers

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take `data`; return what is to be forwarded and, once :attr:`is_done`, the bytes after the body.

        A size line that is not complete yet is held back (it carries no data). Raises :class:`BadMessage` for a size,
        an extension, a line end or a trailer outside the grammar; what was valid before the fault has been returned by
        earlier calls only.
        """
        position = 0
        size = len(data)
        if self._state == _SIZE and not self._line and not self._is_decoding:
            position = self._skip_whole_chunks(data, size)
            if position == size:
                return data, b""
        passing = _Passing(data)
        while position < size and self._state != _DONE:
            if self._state == _DATA:
                taken = min(self._left, size - position)
                position += taken
                self._left -= taken
                if not self._left:
                    self._state = _DATA_END
            else:
                position = self._take_line(data, position, passing)
        rest = data[position:] if self._state == _DONE else b""
        return passing.until(position), rest

    def _skip_whole_chunks(self, data: bytes, size: int) -> int:
        """Return how much of `data`, of `size` bytes, is from its beginning whole chunks that pass as they are."""
        position = 0
        while (match := _match_plain_size(data, position)) is not None:
            length = int(match[1], 16)
            end = match.end() + length
            if not length or data[end : end + 2] != b"\r\n":
                break
            self.announced_bytes += length
            position = end + 2
            if position == size:
                return size
        if data.startswith(_LAST_CHUNK, position):
            self._state = _DONE
            self.is_done = True
            position += len(_LAST_CHUNK)
        return position

    def _take_line(self, data: bytes, position: int, passing: _Passing) -> int:
        """Read one line (size, the end of a chunk's data, trailer) from `position`; return where the next begins."""
        end = data.find(b"\n", position)
        if end < 0:
            seen = max(0, len(self._line) - 1)
            self._line = self._line or bytearray()
            self._line += data[position:]
            self._refuse_hopeless_line(seen)
            passing.replace(position, len(data), b"")
            return len(data)
        line = data[position:end]
        is_whole = not self._line
        if not is_whole:
            line = bytes(self._line) + line
            self._line = b""
        if line[-1:] != b"\r":
            raise _fault("a line of a chunked body ends in a bare LF", line)
        line = line[:-1]
        passes: bytes | None
        if self._state == _DATA_END:
            if line:
                raise _fault("a chunk is longer than its size", line)
            self._state = _SIZE
            passes = line
        elif self._state == _SIZE:
            passes = self._take_size(line)
        else:
            passes = self._take_trailer(line)
        if self._is_decoding or passes is None:
            passing.replace(position, end + 1, b"")
        elif not is_whole or passes != line:
            passing.replace(position, end + 1, passes + b"\r\n")
        return end + 1

    def _refuse_hopeless_line(self, seen: int) -> None:
        """Raise when the unfinished line cannot become one; its bytes before `seen` have been looked at."""
        line = self._line
        if self._state == _DATA_END and line != b"\r":
            raise _fault("a chunk is longer than its size", line)
        limit = MAX_TRAILER_BYTES if self._state == _TRAILER else MAX_SIZE_LINE_BYTES
        if len(line) > limit + 1:  # the last byte may be the CR
            raise _fault("a line of a chunked body is too long", line, section="7.1.1")
        if line.find(b"\r", seen, len(line) - 1) >= 0:
            raise _fault("a chunked body contains a bare CR", line)

    def _take_size(self, line: bytes) -> bytes:
        """Read a size line; return it without its extensions."""
        match_line = _match_loose_size_line if self._is_answer else _match_size_line
        match = match_line(line) if len(line) <= MAX_SIZE_LINE_BYTES else None
        if match is None:
            raise _fault("a chunk size or extension is malformed", line)
        self._left = int(match[1], 16)
        self.announced_bytes += self._left
        self._state = _DATA if self._left else _TRAILER
        return match[1]

    def _take_trailer(self, line: bytes) -> bytes | None:
        """Read a trailer, or the empty line after the last one; return it, None for one that does not pass."""
        if not line:
            self._state = _DONE
            self.is_done = True
            return line
        if not self._trailer_bytes:
            self._dropped_trailers = frozenset(self._dropped_trailers)  # there may be thousands of either
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_TRAILER_BYTES:
            raise BadMessage("the trailers are too large", status=431, source="RFC 6585 section 5")
        try:
            field = parse_field(line)
        except BadMessage:
            line = (self._is_answer and without_space_before_colon(line)) or line
            field = parse_field(line)
        if field.role in _FORBIDDEN_TRAILERS:
            if not self._is_answer:
                reason = "a trailer concerns the framing or the Host"
                raise BadMessage(reason, source="RFC 9110 section 6.5.1", line=line)
            self.has_odd_trailers = True
        may_pass = field.role == Role.END_TO_END and field.name not in self._dropped_trailers
        return line if may_pass else None


class DecodedBody(ChunkedReader):
    """The body of an answer without its coding, for a client whose protocol has another way to give ``trailers``."""

    __slots__ = ("trailers",)

    def __init__(self) -> None:
        super().__init__(is_decoding=True, is_answer=True)
        self.trailers: list[bytes] = []

    def _take_trailer(self, line: bytes) -> bytes | None:
        passes = super()._take_trailer(line)
        if passes:
            self.trailers.append(passes)
        return passes


def _fault(reason: str, line: bytes | bytearray, *, section: str = "7.1") -> BadMessage:
    """Return the refusal of a body because of `line`, of which the beginning is kept."""
    return BadMessage(reason, source=f"RFC 9112 section {section}", line=bytes(line[:MAX_SIZE_LINE_BYTES]))
