"""The tracker against the `websockets` library: the same frames, the same boundaries, in whatever pieces they come."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TypeVar

import pytest
from devproxy.realtime.websocket import NO_STATUS, FrameTracker, close_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.extensions import Extension
from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader
from websockets.typing import ExtensionName

DIRECTIONS = pytest.mark.parametrize("is_masked", [True, False], ids=["to the server", "to the client"])
PAYLOADS = st.binary(max_size=20) | st.sampled_from([125, 126, 127, 200, 65535, 65536]).map(bytes)
CODES = st.integers(1000, 1003) | st.integers(1007, 1014) | st.integers(3000, 4999)
REASONS = st.text(max_size=40).filter(lambda text: len(text.encode()) <= 123)
CLOSES = st.just(b"") | st.builds(lambda code, reason: Close(code, reason).serialize(), CODES, REASONS)


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    """One direction of a WebSocket: messages, some in fragments, control frames anywhere, perhaps a Close."""
    frames: list[Frame] = []
    controls = st.lists(
        st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)), max_size=1
    )
    for _ in range(draw(st.integers(0, 4))):
        opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        payloads = draw(st.lists(PAYLOADS, min_size=1, max_size=3))
        is_compressed = draw(st.booleans())
        for index, payload in enumerate(payloads):
            is_last = index == len(payloads) - 1
            first = Frame(opcode, payload, fin=is_last, rsv1=is_compressed)
            frames.append(replace(first, opcode=Opcode.CONT, rsv1=False) if index else first)
            frames += draw(controls)
    if draw(st.booleans()):
        # A Close may come in the middle of a fragmented message: cut the conversation anywhere.
        frames = [*frames[: draw(st.integers(0, len(frames)))], Frame(Opcode.CLOSE, draw(CLOSES))]
    return frames


def serialize(frame: Frame, *, is_masked: bool) -> bytes:
    wire = bytearray(replace(frame, rsv1=False).serialize(mask=is_masked))
    wire[0] |= 0x40 if frame.rsv1 else 0  # which the library sets itself only when it compresses
    return bytes(wire)


@DIRECTIONS
@settings(max_examples=300)
@given(frames=conversations(), data=st.data())
def test_boundaries_are_known_after_every_piece(is_masked: bool, frames: list[Frame], data: st.DataObject) -> None:
    wires = [serialize(frame, is_masked=is_masked) for frame in frames]
    wire = b"".join(wires)
    ends = [0, *accumulate(map(len, wires))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)) | st.sampled_from(ends), max_size=10)))
    tracker = FrameTracker(is_masked=is_masked)
    for start, end in pairwise([0, *cuts, len(wire)]):
        tracker.advance(wire[start:end])
        assert tracker.at_boundary == (end in ends)
        assert not tracker.is_lost
        if tracker.at_boundary:
            whole = frames[: ends.index(end)] if end else []
            assert tracker.frames == len(whole)
            data_frames = [frame for frame in whole if frame.opcode < Opcode.CLOSE]
            assert tracker.in_message == bool(data_frames and not data_frames[-1].fin)
    assert tracker.close_code == code_of(frames[-1] if frames else None)


def code_of(frame: Frame | None) -> int:
    if frame is None or frame.opcode is not Opcode.CLOSE:
        return 0
    return Close.parse(frame.data).code if frame.data else NO_STATUS


# --- hostile octets ---------------------------------------------------------------------------------------------------


@dataclass
class Reference:
    """What `websockets` makes of the octets of one direction."""

    frames: int = 0
    is_lost: bool = False
    is_waiting: bool = False
    in_message: bool = False


def read_with_websockets(data: bytes, *, is_masked: bool) -> Reference:
    """Parse frame by frame; RSV1 is accepted where permessage-deflate would have set it (RFC 7692 section 6)."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = Reference()
    while not run(reader.at_eof()):
        try:
            frame = run(Frame.parse(reader.read_exact, mask=is_masked, extensions=[_Deflated()]))
        except EOFError:
            found.is_waiting = True
            return found
        except ProtocolError:
            found.is_lost = True
            return found
        if breaks_a_rule(frame, in_message=found.in_message):
            found.is_lost = True
            return found
        found.frames += 1
        if frame.opcode < Opcode.CLOSE:
            found.in_message = not frame.fin
    return found


def breaks_a_rule(frame: Frame, *, in_message: bool) -> bool:
    """Tell whether the order of frames (section 5.4) or the length of a Close (section 5.5.1) is wrong."""
    if frame.opcode is Opcode.CLOSE:
        return len(frame.data) == 1
    return frame.opcode < Opcode.CLOSE and (frame.opcode is Opcode.CONT) != in_message


class _Deflated(Extension):
    """Takes RSV1 off the first frame of a message, as permessage-deflate does."""

    name = ExtensionName("test")

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return replace(frame, rsv1=False) if frame.opcode in (Opcode.TEXT, Opcode.BINARY) else frame

    def encode(self, frame: Frame) -> Frame:
        return frame


T = TypeVar("T")


def run(generator: Generator[None, None, T]) -> T:
    """Finish a generator-based coroutine, which need not wait since the end of its octets has been fed."""

    def drive() -> Generator[None, None, None]:
        results.append((yield from generator))

    results: list[T] = []
    assert list(drive()) == []
    return results[0]


@st.composite
def mutants(draw: st.DrawFn, *, is_masked: bool) -> bytes:
    """Frames of a conversation with an octet changed, inserted or left out, or octets of no kind at all."""
    wire = bytearray(b"".join(serialize(frame, is_masked=is_masked) for frame in draw(conversations())))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, min(len(wire), 200))))
        wire[at : at + draw(st.integers(0, 1))] = draw(st.binary(max_size=2))
    return bytes(wire)


@DIRECTIONS
@settings(max_examples=600)
@given(data=st.data())
def test_hostile_octets_are_judged_as_websockets_judges_them(is_masked: bool, data: st.DataObject) -> None:
    wire = data.draw(st.binary(max_size=40) | mutants(is_masked=is_masked))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=5)))
    tracker = FrameTracker(is_masked=is_masked)
    for start, end in pairwise([0, *cuts, len(wire)]):
        tracker.advance(wire[start:end])
    expected = read_with_websockets(wire, is_masked=is_masked)
    if tracker.is_lost:
        # We need not wait for the rest of a frame to see that it is none.
        assert expected.is_lost or expected.is_waiting
        assert tracker.frames == expected.frames
    else:
        assert not expected.is_lost
        assert tracker.at_boundary != expected.is_waiting
        if tracker.at_boundary:
            assert (tracker.frames, tracker.in_message) == (expected.frames, expected.in_message)


@DIRECTIONS
@settings(max_examples=300)
@given(wire=st.binary(max_size=60), cut=st.integers(0, 60))
def test_octets_are_judged_the_same_in_one_piece_and_in_many(is_masked: bool, wire: bytes, cut: int) -> None:
    trackers = [FrameTracker(is_masked=is_masked) for _ in range(3)]
    trackers[0].advance(wire)
    trackers[1].advance(wire[:cut])
    trackers[1].advance(wire[cut:])
    for octet in wire:
        trackers[2].advance(bytes((octet,)))
    states = [(t.is_lost, t.at_boundary, t.frames, t.close_code, t.in_message) for t in trackers]
    assert states[0] == states[1] == states[2]


@given(code=CODES, reason=REASONS, mask=st.none() | st.binary(min_size=4, max_size=4))
def test_a_close_frame_of_ours_is_read_by_websockets(code: int, reason: str, mask: bytes | None) -> None:
    reader = StreamReader()
    reader.feed_data(close_frame(code, reason, mask=mask))
    reader.feed_eof()
    frame = run(Frame.parse(reader.read_exact, mask=mask is not None))
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(frame.data) == Close(code, reason)
    assert run(reader.at_eof())
