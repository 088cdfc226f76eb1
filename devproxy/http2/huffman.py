"""Strings in the Huffman code of HPACK (RFC 7541 section 5.2 and appendix B): decoding alone, nothing here encodes.

A byte at a time through a table of steps, which is filled as it is needed: where in the tree of codes the byte before
ended, and the byte, lead to the bytes that are complete now, and to the next place. Start at :func:`decode`.
"""

from __future__ import annotations

from typing import Any, Final

MAX_STEPS: Final = 16_384
"""Steps that are kept, 2 MiB at most: text needs a few thousand, and a stranger may send any."""

# How many bits the code of each byte has, in order, and last that of the end of the string. Codes of the same length
# follow one another in the order of their bytes, shorter ones first, so that nothing more has to be written down.
_LENGTHS: Final = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b080606060505050606060606"
    "060607080f060c0a0d06070707070707070707070707070707070707070707070807080d130d0e060f050605060506060605070706060605"
    "06070605050607070707070f0b0e0d1c14161414161616171617171717171817181816171817171717151617161717181615141616171715"
    "1716161815161717151516151716171714161616171616171a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b"
    "14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a1e"
)
_END: Final = 256
_LONG: Final = 4096
"""Bytes from which on a string is decoded a part at a time."""
_LONGEST_PADDING_BITS: Final = 7


def _tree() -> tuple[list[list[int]], frozenset[int]]:
    """Return the places within codes, and those at which a string may end.

    For each place the next one for a bit that is 0 and for one that is 1: negative where that completes the code of the
    byte ``~next``. The first is where a code begins. A string ends there or in at most seven bits of the end's code.
    """
    places = [[0, 0]]
    code = length = 0
    for byte in sorted(range(_END + 1), key=_LENGTHS.__getitem__):
        code <<= _LENGTHS[byte] - length
        length = _LENGTHS[byte]
        place = 0
        for shift in range(length - 1, 0, -1):
            bit = code >> shift & 1
            if not places[place][bit]:
                places[place][bit] = len(places)
                places.append([0, 0])
            place = places[place][bit]
        places[place][code & 1] = ~byte
        code += 1
    ends = [0]
    while len(ends) <= _LONGEST_PADDING_BITS:
        ends.append(places[ends[-1]][1])
    return places, frozenset(ends)


_PLACES, _ENDS = _tree()


_rows: Final[list[list[Any]]] = [[None] * 256 for _ in _PLACES]
"""For each place and byte of the string after it: the row of the next place and the bytes that are complete then.

None: it was not needed yet.
"""
_first_row: Final = _rows[0]
_end_rows: Final = frozenset(id(_rows[place]) for place in _ENDS)


class _Kept:
    """How many steps are kept."""

    steps = 0


def decode(encoded: bytes) -> bytes:
    """Return the string that `encoded` stands for, at most 8/5 as long.

    Raises ValueError if it contains the code for the end, or does not end in up to seven bits of that.
    """
    if len(encoded) > _LONG:
        return _decode_long(encoded)
    row = _first_row
    pieces = []
    try:
        for byte in encoded:
            row, complete = row[byte]
            pieces.append(complete)
    except TypeError:  # a step that was not needed yet
        return _decode_by_bits(encoded)
    if id(row) not in _end_rows:
        raise ValueError("the string ends within a code")
    return b"".join(pieces)


def _decode_long(encoded: bytes) -> bytes:
    """Do the same a part at a time: a list of as many pieces as a long string has bytes leaves the cache.

    It repeats the loop because one for both costs each short string 15 instructions, and a first load has many.
    """
    row = _first_row
    decoded = bytearray()
    try:
        for start in range(0, len(encoded), _LONG):
            pieces = []
            for byte in encoded[start : start + _LONG]:
                row, complete = row[byte]
                pieces.append(complete)
            decoded += b"".join(pieces)
    except TypeError:  # a step that was not needed yet
        return _decode_by_bits(encoded)
    if id(row) not in _end_rows:
        raise ValueError("the string ends within a code")
    return bytes(decoded)


def _decode_by_bits(encoded: bytes) -> bytes:
    """Do the same through the tree, and keep the steps."""
    place = 0
    decoded = bytearray()
    for byte in encoded:
        row, complete = _rows[place], bytearray()
        for shift in range(7, -1, -1):
            place = _PLACES[place][byte >> shift & 1]
            if place < 0:
                if place == ~_END:
                    raise ValueError("the string contains the code for its end")
                complete.append(~place)
                place = 0
        if row[byte] is None:
            _keep(row, byte, (_rows[place], bytes(complete)))
        decoded += complete
    if place not in _ENDS:
        raise ValueError("the string ends within a code")
    return bytes(decoded)


def _keep(row: list[Any], byte: int, step: tuple[list[Any], bytes]) -> None:
    if _Kept.steps >= MAX_STEPS:
        _Kept.steps = 0
        for each in _rows:
            each[:] = [None] * 256
    _Kept.steps += 1
    row[byte] = step
