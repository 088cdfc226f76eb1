"""What the doctor writes by hand: requests, and frames of a client."""

from __future__ import annotations

import pytest
from devproxy.doctor.wire import Way, client_frame, request
from devproxy.realtime.frames import FrameReader

WAY = Way("127.0.0.1", 3001, "localhost:3001")


def test_a_request_names_its_host_first_and_closes_by_default() -> None:
    lines = request(WAY, "GET", "/a", [("Origin", "http://a")], b"", keeps=False).split(b"\r\n")
    assert lines[:3] == [b"GET /a HTTP/1.1", b"Host: localhost:3001", b"Origin: http://a"]
    assert b"Connection: close" in lines
    assert b"Accept-Encoding: identity" in lines


def test_a_body_has_its_length_and_a_stated_field_is_not_repeated() -> None:
    written = request(WAY, "POST", "/", [("Accept-Encoding", "gzip"), ("Connection", "Upgrade")], b"40", keeps=True)
    assert written.endswith(b"Content-Length: 2\r\n\r\n40")
    assert written.count(b"Accept-Encoding") == written.count(b"Connection") == 1


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_frame_is_read_as_it_was_written(size: int) -> None:
    reader = FrameReader(is_masked=True, max_payload_bytes=1 << 20)
    [frame] = reader.read(client_frame(1, b"x" * size, b"abcd"))
    assert (frame.opcode, frame.is_final, frame.payload) == (1, True, b"x" * size)
