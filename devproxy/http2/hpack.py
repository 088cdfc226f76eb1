"""Header compression (RFC 7541): a decoder whose tables hold entries, and a stateless encoder.

The encoder never uses the dynamic table: it cannot fall out of step and gives nothing away about what was sent before
(RFC 7541 section 7.1), and a line that was sent before costs one look-up. Start at :meth:`Decoder.decode` and
:func:`encode`. Why not a library: ADR 0012.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, cast

from devproxy.errors import DevproxyError
from devproxy.http.fields import MAX_REMEMBERED_LINE_BYTES
from devproxy.http.memory import MEMORY, SLOT, Table, footprint
from devproxy.http2 import huffman
from devproxy.http2.lines import CONNECTION_SPECIFIC, Aside, Entry, Malformed, is_value, make_entry, name_of

TABLE_BYTES: Final = 4096
"""How large the dynamic table may be: the default of SETTINGS_HEADER_TABLE_SIZE. A larger one has
indices of two bytes, which cost more time than they save (ADR 0012)."""
FIELD_OVERHEAD: Final = 32
"""Bytes that a field counts beyond its name and value (RFC 7541 section 4.1)."""
NO_TABLE: Final = b"\x20"
"""That the encoder's dynamic table holds nothing from now on (RFC 7541 section 6.3)."""
_MAX_SIZE_UPDATES: Final = 2
_MAX_SHIFT: Final = 28
"""Of a number: five bytes after its prefix, beyond any length that there can be."""

_NAMES: Final = (  # RFC 7541 appendix A, from 15 on, which have no values but for the first of those below
    b"accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow "
    b"authorization cache-control content-disposition content-encoding content-language content-length "
    b"content-location content-range content-type cookie date etag expect expires from host if-match "
    b"if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards "
    b"proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
    b"strict-transport-security transfer-encoding user-agent vary via www-authenticate"
).split()
_STATUSES: Final = (b"200", b"204", b"206", b"304", b"400", b"404", b"500")
STATIC: Final = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", status) for status in _STATUSES),
    *((name, b"gzip, deflate" if name == b"accept-encoding" else b"") for name in _NAMES),
)
"""The static table, whose first entry has the index 1."""
_FIRST_DYNAMIC: Final = len(STATIC) + 1
_STATIC_NAMES: Final = frozenset((*range(0x01, 0x0F), *range(0x11, 0x1F), *range(0x41, 0x41 + len(STATIC))))
"""What literal fields begin with whose name is of the static table, and whose index takes no more than that byte."""
_indices = cast("Callable[[bytes, int], re.Match[bytes]]", re.compile(rb"[\x81-\xfe]*+").match)
_INDEXED: Final = 0x80
"""What an index begins with."""
_NEWEST: Final = _INDEXED + _FIRST_DYNAMIC
_STATIC_PART: Final = [b""] * (_INDEXED + 1) + [make_entry(name, value) for name, value in STATIC]
_names: Final = tuple(name for name, _ in STATIC)


class CompressionFault(DevproxyError):
    """A block that cannot be decoded; nothing that follows on its connection can be (RFC 9113 section 4.3)."""


_Literal: TypeAlias = tuple[Entry, int]
"""A field, and the bytes that it takes in a table."""


class Decoder:
    """The decoding side of a connection, with its dynamic table, of at most :data:`TABLE_BYTES`."""

    __slots__ = ("_limit", "_size", "_sizes", "_table")

    def __init__(self) -> None:
        self._table = list(_STATIC_PART)
        """All entries, each where the byte says that stands for its index: the newest first behind the static ones."""
        self._sizes: deque[int] = deque()
        """Of the dynamic ones, the newest last."""
        self._size = 0
        self._limit = TABLE_BYTES

    def decode(self, block: bytes) -> list[Entry]:
        """Return the fields of `block`, a whole one, in order.

        Takes time and memory in proportion to the length of `block`: what an index stands for is not copied, however
        long it is. Raises :class:`CompressionFault`; nothing more can be decoded then.
        """
        try:
            return self._decode(block)
        except IndexError:
            raise CompressionFault("a block ends within a field, or an index has no entry") from None
        except ValueError as error:
            raise CompressionFault(str(error)) from None

    def _decode(self, block: bytes) -> list[Entry]:
        found: list[Entry] = []
        position = self._update_size(block) if block[:1] and 0x20 <= block[0] < 0x40 else 0
        table, sizes, total, limit = self._table, self._sizes, self._size, self._limit
        end = len(block)
        while position < end:
            start, position = position, _indices(block, position).end()
            if position > start:  # most of a block are indices that take one byte each
                found += map(table.__getitem__, block[start:position])
                if position == end:
                    break
            byte = block[position]
            if byte == 0xFF:
                index, position = _number(block, position + 1, 0x7F)
                found.append(table[_INDEXED + index])
                continue
            if byte in _STATIC_NAMES and (length := block[position + 1] & 0x7F) < 0x7F:
                start, position = position, position + length + 2
                entry, size = _literals[block[start:position]]
            else:
                (entry, size), position = self._read_literal(block, position)
            found.append(entry)
            if byte > 0x3F:
                table.insert(_NEWEST, entry)
                sizes.append(size)
                total += size
                while total > limit:  # one that is larger than the table goes like all others (section 4.4)
                    total -= sizes.popleft()
                    table.pop()
        self._size = total
        return found

    def _update_size(self, block: bytes) -> int:
        """Take the changes of the table's size that `block` begins with; return where its fields begin."""
        position = 0
        for _ in range(_MAX_SIZE_UPDATES):
            if position == len(block) or not 0x20 <= block[position] < 0x40:
                break
            limit, position = block[position] & 0x1F, position + 1
            if limit == 0x1F:
                limit, position = _number(block, position, 0x1F)
            if limit > TABLE_BYTES:
                raise ValueError("the table would be larger than allowed")
            self._limit = limit
            while self._size > limit:
                self._size -= self._sizes.popleft()
                self._table.pop()
        return position

    def _read_literal(self, block: bytes, position: int) -> tuple[_Literal, int]:
        """Return the literal field at `position`, and where the next field begins (sections 6.2.1 to 6.2.3)."""
        byte, position = block[position], position + 1
        if byte == 0x80:
            raise ValueError("an index is 0")
        if 0x20 <= byte < 0x40:
            raise ValueError("the size of the table changes after a field")
        prefix = 0x3F if byte >= 0x40 else 0x0F
        index = byte & prefix
        if index == prefix:
            index, position = _number(block, position, prefix)
        if index:
            name = _names[index - 1] if index < _FIRST_DYNAMIC else name_of(self._table[_INDEXED + index])
        else:
            name, position = _string(block, position)
        value, position = _string(block, position)
        return (make_entry(name, value), len(name) + len(value) + FIELD_OVERHEAD), position


_seen: Final = MEMORY.marks


class _Literals(Table[bytes, _Literal]):
    """What literal fields come to whose name is of the static table, by all of their bytes; not what comes once."""

    __slots__ = ()

    def __missing__(self, field: bytes) -> _Literal:
        # As Table.keep_if_seen does it, at less than half its price: most literals of a first load are new.
        trace = hash(field)
        if _seen[trace & SLOT] != trace:
            _seen[trace & SLOT] = trace
            return _short_literal(field)
        self.old.pop(field, None)
        literal = _short_literal(field)
        self.keep(field, literal)
        return literal


def _short_literal(field: bytes) -> _Literal:
    """Return the literal that `field` is, whose name is of the static table. Raises IndexError if it is cut short."""
    length, value = field[1], field[2:]
    if len(value) != length & 0x7F:
        raise IndexError
    if length >= 0x80:
        value = huffman.decode(value)
    name, start, size = _BEGINNINGS[field[0]]
    if start is None or not is_value(value):
        return make_entry(name, value), size + len(value)
    if isinstance(start, bytes):
        return start + value, size + len(value)
    entry = start()
    entry.name, entry.value = name, value
    return entry, size + len(value)


def _beginning(name: bytes) -> tuple[bytes, bytes | type[Aside] | None, int]:
    """Return `name`, how the line of such a field begins or what takes its place, and its size without the value.

    None: it is malformed whatever its value is.
    """
    made = make_entry(name, b"x")
    start: bytes | type[Aside] | None = type(made) if isinstance(made, Aside) else made[:-1]
    return name, None if start is Malformed else start, len(name) + FIELD_OVERHEAD


_BEGINNINGS: Final = {byte: _beginning(_names[(byte & (0x3F if byte >= 0x40 else 0x0F)) - 1]) for byte in _STATIC_NAMES}
"""By the first byte of a literal field."""
_literals = cast("dict[bytes, _Literal]", _Literals(MEMORY, footprint))


def _number(block: bytes, position: int, prefix: int) -> tuple[int, int]:
    """Return the number whose `prefix` is full and which goes on at `position`, and where it ends (section 5.1)."""
    number, shift = prefix, 0
    while True:
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
        if shift > _MAX_SHIFT:
            raise ValueError("a number is too large")


def _string(block: bytes, position: int) -> tuple[bytes, int]:
    """Return the string at `position` and where it ends (section 5.2)."""
    first = block[position]
    length, position = first & 0x7F, position + 1
    if length == 0x7F:
        length, position = _number(block, position, 0x7F)
    end = position + length
    if end > len(block):
        raise IndexError
    string = block[position:end]
    return (huffman.decode(string) if first >= 0x80 else string), end


class _Encoded(Table[bytes, bytes]):
    """What lines of a response become; nothing where they do not cross. Long ones are not remembered."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> bytes:
        trace = ~hash(line)  # that itself says that the line was read
        if _seen[trace & SLOT] != trace:
            _seen[trace & SLOT] = trace
            return _encode_line(line)
        self.old.pop(line, None)
        encoded = _encode_line(line)
        if len(line) <= MAX_REMEMBERED_LINE_BYTES:
            self.keep(line, encoded)
        return encoded


_encoded: Final = _Encoded(MEMORY, footprint)
_encoding_of = cast("Callable[[bytes], bytes]", _encoded.__getitem__)
_STATUS_LINE: Final = b"HTTP/1."
_INDICES: Final = {name: index for index, (name, _) in reversed(tuple(enumerate(STATIC, 1)))}
_STATUS_INDEX: Final = _INDICES[b":status"]


def encode(lines: Iterable[bytes]) -> bytes:
    """Return the block for `lines` of HTTP/1.1 without their CRLFs: a status line and field lines, or trailers alone.

    Names become lower-case, and what belongs to a connection of HTTP/1.1 is left out.
    """
    return b"".join(map(_encoding_of, lines))


def _encode_line(line: bytes) -> bytes:
    name, colon, value = line.partition(b": ")
    if colon and name in _WRITTEN_NAMES and len(value) < 0x7F:
        value = value.strip(b" \t")
        return b"%b%c%b" % (_WRITTEN_NAMES[name], len(value), value)
    if line.startswith(_STATUS_LINE):
        status = line[9:12]
        if status in _STATUSES:
            return bytes((0x80 | _STATUS_INDEX + _STATUSES.index(status),))
        return bytes((_STATUS_INDEX, len(status))) + status
    name, _, value = line.partition(b":")
    name, value = name.lower(), value.strip(b" \t")
    if not name or name in CONNECTION_SPECIFIC:
        return b""
    return _write_name(name) + _write_number(len(value), 0x7F) + value


def _write_name(name: bytes) -> bytes:
    """Return how the field of a response begins that has that name, in lower case."""
    index = _INDICES.get(name, 0)
    return _write_number(index, 0x0F) if index else b"\0" + _write_number(len(name), 0x7F) + name


def _write_number(number: int, prefix: int) -> bytes:
    """Return `number` as it is written where it begins in the low bits `prefix` of a byte (section 5.1)."""
    if number < prefix:
        return bytes((number,))
    written = bytearray((prefix,))
    number -= prefix
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


_WRITTEN_NAMES: Final = {
    spelling: _write_name(name)
    for name in _INDICES
    if name not in CONNECTION_SPECIFIC and name[:1] != b":"
    for spelling in (name, name.title(), b"ETag" if name == b"etag" else name)
}
"""How fields begin whose names are of the static table, by the spellings that servers have."""
