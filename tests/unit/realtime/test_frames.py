"""Frames that are read for the eye, however they come."""

from __future__ import annotations

import pytest
from devproxy.realtime.frames import Frame, FrameReader
from tests.unit.realtime.test_websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    DIRECTIONS,
    MORE,
    PING,
    TEXT,
    TEXT_START,
    frame,
)

SAID = (
    (TEXT, b"hello"),
    (TEXT_START, b"in "),
    (PING, b""),
    (MORE, b"three "),
    (0x80, b"pieces"),
    (COMPRESSED, b"\xca\x00"),
    (BINARY, b"x" * 126),
    (BINARY, bytes(range(256)) * 300),
    (CLOSE, b"\x03\xe8bye"),
    (CLOSE, b""),
)
READ = [Frame(first & 15, first >= 0x80, first == COMPRESSED, len(payload), payload[:1000]) for first, payload in SAID]


@DIRECTIONS
@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 65536, 10**6])
def test_frames_are_the_same_in_pieces_of_any_size(step: int, is_masked: bool) -> None:
    reader = FrameReader(is_masked=is_masked, max_payload_bytes=1000)
    wire = b"".join(frame(first, payload, is_masked=is_masked) for first, payload in SAID)
    found = [one for start in range(0, len(wire), step) for one in reader.read(wire[start : start + step])]
    assert found == READ
    assert not reader.is_lost


def test_of_a_frame_without_end_no_more_is_kept_than_is_wanted() -> None:
    reader = FrameReader(is_masked=False, max_payload_bytes=4)
    assert reader.read(frame(BINARY, b"abcdefgh", length=2**40, is_masked=False)) == []
    for _ in range(100):
        assert reader.read(bytes(65536)) == []
    assert reader._payload == b"abcd"


@pytest.mark.parametrize(
    "wrong", [b"\x83\x00", b"\x81\x81\0\0\0\0a", b"\x80\x00"], ids=["opcode", "mask", "no message"]
)
def test_what_is_no_frame_is_read_no_further(wrong: bytes) -> None:
    reader = FrameReader(is_masked=False)
    good = frame(TEXT, b"good", is_masked=False)
    assert [one.payload for one in reader.read(good + wrong + good)] == [b"good"]
    assert reader.is_lost
    assert reader.read(good) == []
