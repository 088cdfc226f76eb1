"""Following WebSocket frames in a tunnel, and the Close frame that ends one (RFC 6455 section 5)."""

from __future__ import annotations

import pytest
from devproxy.realtime.websocket import MAX_REASON_BYTES, NO_STATUS, FrameTracker, close_frame

KEY = b"\x37\xfa\x21\x3d"


def frame(first: int, payload: bytes = b"", *, is_masked: bool, length: int | None = None) -> bytes:
    """Build a frame, its payload masked by hand."""
    size = len(payload) if length is None else length
    bit = 0x80 if is_masked else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = bytes((first, bit | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8)
    if not is_masked:
        return head + payload
    return head + KEY + bytes(octet ^ KEY[index % 4] for index, octet in enumerate(payload))


DIRECTIONS = pytest.mark.parametrize("is_masked", [True, False], ids=["to the server", "to the client"])
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x81, 0x82, 0x80, 0x88, 0x89, 0x8A
TEXT_START, MORE, COMPRESSED = 0x01, 0x00, 0xC1


def track(*pieces: bytes, is_masked: bool) -> FrameTracker:
    tracker = FrameTracker(is_masked=is_masked)
    for piece in pieces:
        tracker.advance(piece)
    return tracker


def is_between_frames(tracker: FrameTracker) -> bool:
    return tracker.at_boundary


def test_a_tunnel_starts_at_a_boundary() -> None:
    tracker = FrameTracker(is_masked=True)
    assert is_between_frames(tracker)
    assert (tracker.is_lost, tracker.close_code, tracker.in_message, tracker.frames) == (False, 0, False, 0)


@DIRECTIONS
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("first", [TEXT, BINARY, COMPRESSED])
def test_after_a_whole_frame_of_any_size_there_is_a_boundary(size: int, first: int, is_masked: bool) -> None:
    whole = frame(first, b"x" * size, is_masked=is_masked)
    tracker = track(whole, whole[:-1], is_masked=is_masked)
    assert not is_between_frames(tracker)
    tracker.advance(whole[-1:])
    assert is_between_frames(tracker)
    assert tracker.frames == 2


@DIRECTIONS
def test_frames_may_come_octet_by_octet(is_masked: bool) -> None:
    frames = [frame(TEXT, b"hello", is_masked=is_masked), frame(BINARY, b"x" * 300, is_masked=is_masked)]
    tracker = FrameTracker(is_masked=is_masked)
    for count, whole in enumerate(frames, start=1):
        for octet in whole[:-1]:
            tracker.advance(bytes((octet,)))
            assert not is_between_frames(tracker)
        tracker.advance(whole[-1:])
        assert is_between_frames(tracker)
        assert tracker.frames == count


@DIRECTIONS
@pytest.mark.parametrize("size", [126, 127, 128, 200, 65536])
def test_a_piece_as_long_as_a_short_frame_is_not_taken_for_one(size: int, is_masked: bool) -> None:
    # The second octet, 126 or 127, announces a longer length; read as a length itself it would match some piece.
    whole = frame(BINARY, b"x" * size, is_masked=is_masked)
    for end in range(1, 150):
        assert is_between_frames(track(whole[:end], is_masked=is_masked)) == (end >= len(whole))


@DIRECTIONS
def test_several_frames_may_come_together(is_masked: bool) -> None:
    three = (
        frame(TEXT, b"a", is_masked=is_masked) + frame(PING, is_masked=is_masked) + frame(BINARY, is_masked=is_masked)
    )
    tracker = track(three + three[:4], is_masked=is_masked)
    assert not is_between_frames(tracker)
    tracker.advance(three[4:] + three)
    assert is_between_frames(tracker)
    assert tracker.frames == 9


@DIRECTIONS
def test_nothing_happens_when_nothing_comes(is_masked: bool) -> None:
    tracker = track(b"", is_masked=is_masked)
    assert is_between_frames(tracker)
    tracker.advance(frame(TEXT, b"hello", is_masked=is_masked)[:1])
    tracker.advance(b"")
    assert not is_between_frames(tracker)
    assert not tracker.is_lost


@DIRECTIONS
def test_control_frames_may_stand_within_a_fragmented_message(is_masked: bool) -> None:
    tracker = track(frame(TEXT_START, b"a", is_masked=is_masked), is_masked=is_masked)
    assert (tracker.in_message, tracker.at_boundary) == (True, True)
    for first in (PING, PONG, MORE, PING):
        tracker.advance(frame(first, b"b", is_masked=is_masked))
        assert (tracker.in_message, tracker.at_boundary, tracker.is_lost) == (True, True, False)
    tracker.advance(frame(CONTINUATION, b"c", is_masked=is_masked))
    tracker.advance(frame(TEXT, b"d", is_masked=is_masked))
    assert (tracker.in_message, tracker.is_lost, tracker.frames) == (False, False, 7)


@DIRECTIONS
@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_the_code_of_a_close_frame_is_noticed(pieces: int, is_masked: bool) -> None:
    close = frame(CLOSE, (4321).to_bytes(2) + b"bye", is_masked=is_masked)
    tracker = track(*[close[at : at + pieces] for at in range(0, len(close), pieces)], is_masked=is_masked)
    assert tracker.close_code == 4321
    assert is_between_frames(tracker)


@DIRECTIONS
def test_a_close_frame_without_a_code_counts_as_no_status(is_masked: bool) -> None:
    tracker = track(frame(CLOSE, is_masked=is_masked), is_masked=is_masked)
    assert tracker.close_code == NO_STATUS
    assert not tracker.is_lost


@DIRECTIONS
def test_a_close_frame_is_noticed_within_a_message_and_beside_other_frames(is_masked: bool) -> None:
    together = frame(TEXT_START, b"a", is_masked=is_masked) + frame(CLOSE, b"\x03\xe8", is_masked=is_masked)
    tracker = track(together, is_masked=is_masked)
    assert tracker.close_code == 1000
    assert tracker.in_message


@DIRECTIONS
@pytest.mark.parametrize(
    ("before", "first", "length"),
    [
        pytest.param((), 0x83, 1, id="a reserved data opcode"),
        pytest.param((), 0x8B, 1, id="a reserved control opcode"),
        pytest.param((), 0xA1, 1, id="RSV2"),
        pytest.param((), 0x91, 1, id="RSV3"),
        pytest.param((), 0xC9, 1, id="RSV1 on a control frame"),
        pytest.param((TEXT_START,), 0xC0, 1, id="RSV1 on a continuation"),
        pytest.param((), 0x09, 1, id="a fragmented ping"),
        pytest.param((), 0x08, 2, id="a fragmented close"),
        pytest.param((), PING, 126, id="a long ping"),
        pytest.param((), CLOSE, 1 << 16, id="a very long close"),
        pytest.param((), CLOSE, 1, id="a close of one octet"),
        pytest.param((), CONTINUATION, 1, id="a continuation of nothing"),
        pytest.param((), MORE, 1, id="a fragment of nothing"),
        pytest.param((TEXT_START,), TEXT, 1, id="a message within a message"),
        pytest.param((TEXT_START,), TEXT_START, 1, id="a fragmented message within a message"),
        pytest.param((), TEXT, 1 << 63, id="a length of more than 63 bits"),
    ],
)
@pytest.mark.parametrize("piece", [1, 100])
def test_what_is_no_websocket_traffic_loses_the_tracker_for_good(
    before: tuple[int, ...], first: int, length: int, is_masked: bool, piece: int
) -> None:
    tracker = track(*[frame(earlier, b"a", is_masked=is_masked) for earlier in before], is_masked=is_masked)
    broken = frame(first, b"", is_masked=is_masked, length=length) + b"\0\0"
    for start in range(0, len(broken), piece):
        tracker.advance(broken[start : start + piece])
    assert tracker.is_lost
    assert not is_between_frames(tracker)
    frames = tracker.frames
    tracker.advance(frame(TEXT, b"fine", is_masked=is_masked))
    assert tracker.is_lost
    assert not is_between_frames(tracker)
    assert tracker.frames == frames


@DIRECTIONS
@pytest.mark.parametrize("size", [0, 5, 119, 125, 300])
def test_a_frame_with_the_masking_of_the_other_direction_loses_the_tracker(size: int, is_masked: bool) -> None:
    assert track(frame(TEXT, b"x" * size, is_masked=not is_masked), is_masked=is_masked).is_lost


def test_an_answer_in_plain_http_behind_the_101_loses_the_tracker() -> None:
    # Socket.IO 4 does this to a WebSocket of protocol version 3.
    assert track(b"HTTP/1.1 400 Bad Request\r\n\r\nUnsupported protocol version", is_masked=False).is_lost


@DIRECTIONS
def test_a_close_frame_of_ours_is_followed_like_any_other(is_masked: bool) -> None:
    close = close_frame(1012, "devproxy restarts", mask=KEY if is_masked else None)
    tracker = track(close, is_masked=is_masked)
    assert tracker.close_code == 1012
    assert is_between_frames(tracker)


def test_a_close_frame_has_the_form_of_the_standard() -> None:
    assert close_frame(1001, "", mask=None) == b"\x88\x02\x03\xe9"
    assert close_frame(1001, "bye", mask=None) == b"\x88\x05\x03\xe9bye"
    assert close_frame(1001, "bye", mask=KEY) == frame(CLOSE, b"\x03\xe9bye", is_masked=True)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000, -1])
def test_a_code_that_must_not_be_sent_is_refused(code: int) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        close_frame(code, "", mask=None)


def test_a_reason_fits_a_control_frame() -> None:
    assert len(close_frame(1001, "x" * MAX_REASON_BYTES, mask=None)) == 2 + 125
    with pytest.raises(ValueError, match="123 bytes"):
        close_frame(1001, "x" * (MAX_REASON_BYTES + 1), mask=None)
    with pytest.raises(ValueError, match="123 bytes"):
        close_frame(1001, "é" * 62, mask=None)


def test_a_masking_key_has_four_octets() -> None:
    with pytest.raises(ValueError, match="four bytes"):
        close_frame(1001, "", mask=b"abc")
