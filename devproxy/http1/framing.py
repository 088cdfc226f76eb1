"""Where a body ends (RFC 9112 sections 6 and 7).

A body of known length is counted by whoever carries it and needs nothing from here. :class:`ChunkedReader` validates
the chunked coding and passes it through. Start at :func:`response_body_length`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from devproxy.errors import BadMessage
from devproxy.fields import TOKEN, Field, Role, parse_field
from devproxy.messages import ResponseHead

MAX_SIZE_LINE_BYTES: Final = 512
MAX_TRAILER_BYTES: Final = 16384

# At most 15 hex digits: below 2**60, so that no reader of this body can overflow. Extensions without any whitespace.
_match_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,15})((?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb'|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*)'
).fullmatch
# Nearly every chunk: its size without extensions.
_match_plain_size = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match
_LAST_CHUNK: Final = b"0\r\n\r\n"

# Servers that merge trailers into the fields of the head would read the message in another way than it was sent.
_FORBIDDEN_TRAILERS: Final = (Role.CONTENT_LENGTH, Role.TRANSFER_ENCODING, Role.HOST)


def response_body_length(head: ResponseHead, method: bytes) -> int:
    """Return the octets of the body that follows `head`, or ``CHUNKED`` or ``UNTIL_CLOSE`` (RFC 9112 section 6.3).

    `method` is the request's: a response to HEAD has no body, whatever its fields say.
    """
    return 0 if method == b"HEAD" else head.facts.body_length


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkedReader:
    """Validates a chunked body as it passes and finds its end.

    Chunks leave in the pieces in which they came. Chunk extensions are dropped (RFC 9112 section 7.1.1: they concern
    this hop), trailers that concern framing, routing or this connection as well (RFC 9110 section 6.5.1).
    ``is_decoding``: give the data alone, without sizes and trailers, for a peer that speaks HTTP/1.0.
    ``announced_bytes``: octets of data in the chunks seen so far, the one that is still arriving counted whole.
    """

    __slots__ = ("_dropped_trailers", "_is_decoding", "_left", "_line", "_state", "_trailer_bytes", "announced_bytes")

    def __init__(self, *, is_decoding: bool = False, dropped_trailers: tuple[bytes, ...] = ()) -> None:
        self._state = _State.SIZE
        self._left = 0
        self._line = b""
        self._trailer_bytes = 0
        self.announced_bytes = 0
        self._is_decoding = is_decoding
        self._dropped_trailers = dropped_trailers

    @property
    def is_done(self) -> bool:
        """Whether the whole body has been seen."""
        return self._state is _State.DONE

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take `data`; return what is to be forwarded and, once :attr:`is_done`, the octets behind the body.

        A size line that is not complete yet is held back (it carries no data). Raises :class:`BadMessage` for a size,
        an extension, a line end or a trailer outside the grammar; what was valid before the fault has been returned by
        earlier calls only.
        """
        out: list[bytes] = []
        position = 0
        size = len(data)
        if self._state is _State.SIZE and not self._line and not self._is_decoding:
            position = self._skip_whole_chunks(data)
            if position == size:
                return data, b""
            if position:
                out.append(data[:position])
        while position < size and self._state is not _State.DONE:
            if self._state is _State.DATA:
                taken = min(self._left, size - position)
                out.append(data[position : position + taken] if taken < size else data)
                position += taken
                self._left -= taken
                if not self._left:
                    self._state = _State.DATA_END
            else:
                position = self._take_line(data, position, out)
        rest = data[position:] if self._state is _State.DONE else b""
        return out[0] if len(out) == 1 else b"".join(out), rest

    def _skip_whole_chunks(self, data: bytes) -> int:
        """Return how much of `data`, from its beginning, is whole chunks that pass as they are."""
        position = 0
        while (match := _match_plain_size(data, position)) is not None:
            length = int(match[1], 16)
            end = match.end() + length
            if not length or data[end : end + 2] != b"\r\n":
                break
            self.announced_bytes += length
            position = end + 2
        if data.startswith(_LAST_CHUNK, position):
            self._state = _State.DONE
            position += len(_LAST_CHUNK)
        return position

    def _take_line(self, data: bytes, position: int, out: list[bytes]) -> int:
        """Read one line (size, the end of a chunk's data, trailer) from `position`; return where the next begins."""
        end = data.find(b"\n", position)
        if end < 0:
            self._line += data[position:]
            self._refuse_hopeless_line()
            return len(data)
        line = self._line + data[position:end]
        self._line = b""
        if line[-1:] != b"\r":
            raise BadMessage("a line of a chunked body ends in a bare LF", source="RFC 9112 section 7.1")
        line = line[:-1]
        if self._state is _State.DATA_END:
            if line:
                raise BadMessage("a chunk is longer than its size", source="RFC 9112 section 7.1")
            self._state = _State.SIZE
            if not self._is_decoding:
                out.append(b"\r\n")
        elif self._state is _State.SIZE:
            self._take_size(line, out)
        else:
            self._take_trailer(line, out)
        return end + 1

    def _refuse_hopeless_line(self) -> None:
        line = self._line
        if self._state is _State.DATA_END and line != b"\r":
            raise BadMessage("a chunk is longer than its size", source="RFC 9112 section 7.1")
        limit = MAX_TRAILER_BYTES if self._state is _State.TRAILER else MAX_SIZE_LINE_BYTES
        if len(line) > limit + 1:  # the last octet may be the CR
            raise BadMessage("a line of a chunked body is too long", source="RFC 9112 section 7.1.1")
        if b"\r" in line[:-1]:
            raise BadMessage("a bare CR stands in a chunked body", source="RFC 9112 section 7.1")

    def _take_size(self, line: bytes, out: list[bytes]) -> None:
        match = _match_size_line(line)
        if match is None or len(line) > MAX_SIZE_LINE_BYTES:
            raise BadMessage("a chunk size or extension is malformed", source="RFC 9112 section 7.1")
        self._left = int(match[1], 16)
        self.announced_bytes += self._left
        self._state = _State.DATA if self._left else _State.TRAILER
        if not self._is_decoding:
            out.append(match[1] + b"\r\n")

    def _take_trailer(self, line: bytes, out: list[bytes]) -> None:
        if not line:
            self._state = _State.DONE
            if not self._is_decoding:
                out.append(b"\r\n")
            return
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_TRAILER_BYTES:
            raise BadMessage("the trailers are too large", status=431, source="RFC 6585 section 5")
        field = parse_field(line)
        if field.role in _FORBIDDEN_TRAILERS:
            raise BadMessage("a trailer speaks of framing or of the Host", source="RFC 9110 section 6.5.1")
        if not self._is_decoding and self._may_pass(field):
            out.append(line + b"\r\n")

    def _may_pass(self, field: Field) -> bool:
        return field.role == Role.END_TO_END and field.name not in self._dropped_trailers
