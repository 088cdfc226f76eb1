"""The open streams of a connection: their windows both ways, what is sent on them, and what they cost for nothing.

Says nothing about frames that come, which are for :mod:`devproxy.http2.connection`. Start at :class:`Streams`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from devproxy.http.messages import CHUNKED
from devproxy.http2 import frames, hpack
from devproxy.http2.events import DataSent, Event
from devproxy.http2.frames import ErrorCode
from devproxy.http2.states import AFTER, State
from devproxy.http2.states import Event as Step

STREAM_WINDOW_BYTES: Final = 1 << 20
CONNECTION_WINDOW_BYTES: Final = 16 << 20
DEFAULT_WINDOW_BYTES: Final = 65_535
MAX_IDLE_FRAMES: Final = 1_000
"""Frames in a row that bring nothing: SETTINGS, PING, WINDOW_UPDATE, PRIORITY, DATA without data, unknown ones."""
MAX_EARLY_RESETS: Final = 10_000
"""More streams that were reset before their answer began than others that were answered. Pages that are reloaded while
hundreds of modules come reset as many streams, so that a small number would cut off browsers."""
MAX_REMEMBERED_RESETS: Final = 1_000
"""Streams that were reset here, on which frames may still be under way."""
USEFUL_BYTES: Final = 1_024
"""Data that are sent in smaller pieces because a window is no larger bring the client nothing."""
_CLOSED: Final = State.CLOSED
_after_response: Final = AFTER[Step.RESPONSE_SENT]
MAY_RECEIVE: Final = (State.OPEN, State.HALF_CLOSED_LOCAL)


class Quota:
    """What a client may do for nothing in return; one that goes beyond it is asked to calm down.

    One that resets streams at once makes work for nothing (CVE-2023-44487), and so does one that breaks rules
    which cost it a stream (CVE-2025-8671): both count. A response that begins makes up for one.
    """

    __slots__ = ("early_resets", "idle_frames")

    def __init__(self) -> None:
        self.idle_frames = 0
        self.early_resets = 0

    def take_idle_frame(self) -> None:
        """Count a frame that brings nothing."""
        self.idle_frames += 1
        if self.idle_frames > MAX_IDLE_FRAMES:
            raise calm_down(f"there are {self.idle_frames} frames in a row without content")

    def take_early_reset(self) -> None:
        """Count a stream that was reset before its answer began."""
        self.early_resets += 1
        if self.early_resets > MAX_EARLY_RESETS:
            raise calm_down("too many streams are reset before they are answered")


def calm_down(reason: str) -> frames.ConnectionFault:
    """Return the fault of a client that asks for too much."""
    return frames.ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"{reason} (RFC 9113, 10.5)")


class Stream:
    """A stream that is not closed.

    ``send_window``: bytes that may be sent, negative where the client has made its windows smaller; ``receive_window``:
    those that the client may send; ``taken_bytes``: of those that came, how many were acknowledged and not yet given
    back; ``untaken_bytes``: how many were not. ``length_left``: bytes of the body that are to come, negative: unknown.
    ``held``: data for which there is no room in the windows; ``trailers``: what follows it, None if more data
    may follow. ``is_answered``: its response has begun. ``is_waiting``: it queues for the connection's window.
    """

    __slots__ = (
        "held",
        "is_answered",
        "is_waiting",
        "length_left",
        "receive_window",
        "send_window",
        "state",
        "taken_bytes",
        "trailers",
        "untaken_bytes",
    )

    def __init__(self, state: State, send_window: int) -> None:
        self.state = state
        self.send_window = send_window
        self.receive_window = STREAM_WINDOW_BYTES
        self.taken_bytes = self.untaken_bytes = 0
        self.length_left = CHUNKED
        self.held: bytearray | None = None
        self.trailers: Sequence[bytes] | None = None
        self.is_answered = self.is_waiting = False


class Streams:
    """The open streams of a connection, by number. What is to be sent is taken once per turn (:meth:`take`)."""

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._reset: dict[int, None] = {}
        """Those that were reset here not long ago."""
        self._quota = Quota()
        self._send_window = self._initial_window = DEFAULT_WINDOW_BYTES
        self._receive_window = CONNECTION_WINDOW_BYTES
        self._taken_bytes = 0
        """Of what came, how much was acknowledged and not yet given back."""
        self._waiting: deque[int] = deque()
        """Those that have data and room for them, and wait for the window of the connection."""
        self._table_change = b""
        self._events: list[Event] = []
        self._out: list[bytes | memoryview] = []

    @property
    def open_streams(self) -> int:
        """How many streams there are."""
        return len(self._streams)

    def held_bytes(self, stream_id: int) -> int:
        """Return how many bytes of a stream are held back, because the client's windows have no room for them."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None or stream.held is None else len(stream.held)

    def take(self) -> bytes:
        """Return what is to be sent, and forget it."""
        written = b"".join(self._out)
        self._out.clear()
        return written

    def inform(self, stream_id: int, lines: Iterable[bytes]) -> None:
        """Send a 1xx head: the status line and the field lines of HTTP/1.1. 101 cannot be sent."""
        if stream_id in self._streams:
            self._write_block(stream_id, lines, 0)

    def respond(self, stream_id: int, lines: Iterable[bytes], data: bytes, ended: bool) -> int:
        """Send a response's head, `lines` of HTTP/1.1, the status line first, and `data`, the beginning of its body.

        `ended`: nothing follows. Returns the same as :meth:`send`. Does nothing on a stream that is not there any more,
        like all that sends. What ends the response of a request that is not complete should be followed by
        :meth:`reset` with ``NO_ERROR`` (section 8.1), unless the rest of the request is to be read.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return 0
        stream.is_answered = True
        if self._quota.early_resets:
            self._quota.early_resets -= 1
        if data:
            self._write_block(stream_id, lines, 0)
            return self._send(stream_id, stream, data, ended)
        self._write_block(stream_id, lines, frames.END_STREAM if ended else 0)
        if ended:
            self._end_response(stream_id, stream)
        return 0

    def _write_block(self, stream_id: int, lines: Iterable[bytes], flags: int) -> None:
        block = hpack.encode(lines)
        if self._table_change:
            block, self._table_change = self._table_change + block, b""
        self._out.append(frames.write_headers(stream_id, block, flags))

    def send(self, stream_id: int, data: bytes, ended: bool) -> int:
        """Send `data`, a piece of a body; `ended`: nothing follows. Return how many bytes of the stream are held back.

        That is what the client's windows have no room for; :class:`DataSent` tells when none is held any more, and
        until then no more should be given, for there is no bound here.
        """
        stream = self._streams.get(stream_id)
        return self._send(stream_id, stream, data, ended) if stream is not None else 0

    def _send(self, stream_id: int, stream: Stream, data: bytes, ended: bool) -> int:
        size = len(data)
        if stream.held is None and (not size or (size <= stream.send_window and size <= self._send_window)):
            self._quota.idle_frames = 0
            if size or ended:
                self._write_data(stream_id, stream, data, frames.END_STREAM if ended else 0)
            if ended:
                self._end_response(stream_id, stream)
            return 0
        if stream.held is None:
            stream.held = bytearray()
        stream.held += data
        if ended:
            stream.trailers = ()
        return self._write_held(stream_id, stream)

    def send_trailers(self, stream_id: int, lines: Sequence[bytes]) -> None:
        """Send trailers, lines of HTTP/1.1, after all data; nothing follows."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream.held is None:
            self._write_end(stream_id, stream, lines)
        else:
            stream.trailers = lines

    def _write_end(self, stream_id: int, stream: Stream, trailers: Sequence[bytes]) -> None:
        self._write_block(stream_id, trailers, frames.END_STREAM)
        self._end_response(stream_id, stream)

    def _write_data(self, stream_id: int, stream: Stream, data: bytes, flags: int) -> None:
        """Write all of `data`, in as many frames as it takes; `flags`: of the last one."""
        size = len(data)
        stream.send_window -= size
        self._send_window -= size
        if size <= frames.MAX_PAYLOAD_BYTES:
            self._out += frames.write_head(frames.DATA, flags, stream_id, size), data
            return
        start = 0
        while size - start > frames.MAX_PAYLOAD_BYTES:
            self._out.append(frames.write_head(frames.DATA, 0, stream_id, frames.MAX_PAYLOAD_BYTES))
            self._out.append(memoryview(data)[start : start + frames.MAX_PAYLOAD_BYTES])
            start += frames.MAX_PAYLOAD_BYTES
        self._out.append(frames.write_head(frames.DATA, flags, stream_id, size - start))
        self._out.append(memoryview(data)[start:])

    def _write_held(self, stream_id: int, stream: Stream, most: int = frames.MAX_WINDOW_BYTES) -> int:
        """Write of what is held as much as the windows allow, at most `most` bytes; return how much is left."""
        held = stream.held
        if held is None:
            return 0
        room = max(0, min(stream.send_window, self._send_window, most))
        data = bytes(held[:room])
        del held[:room]
        is_last = not held and stream.trailers is not None and not stream.trailers
        if len(data) >= USEFUL_BYTES:
            self._quota.idle_frames = 0
        if data or is_last:
            self._write_data(stream_id, stream, data, frames.END_STREAM if is_last else 0)
        if held:
            if stream.send_window > 0 and not stream.is_waiting:
                stream.is_waiting = True
                self._waiting.append(stream_id)
            return len(held)
        stream.held = None
        if is_last:
            self._end_response(stream_id, stream)
        elif stream.trailers:
            self._write_end(stream_id, stream, stream.trailers)
        return 0

    def _end_response(self, stream_id: int, stream: Stream) -> None:
        stream.state = _after_response[stream.state]
        if stream.state is _CLOSED:
            self._forget(stream_id, stream)

    def acknowledge(self, stream_id: int, count: int) -> None:
        """Say that `count` bytes of what came on a stream were taken, so that the client may send as many again."""
        stream = self._streams.get(stream_id)
        if stream is None:  # all that was left was given back when it ended
            return
        count = min(count, stream.untaken_bytes)
        stream.untaken_bytes -= count
        stream.taken_bytes += count
        if stream.taken_bytes >= STREAM_WINDOW_BYTES // 2 and stream.state in MAY_RECEIVE:
            self._out.append(frames.write_window_update(stream_id, stream.taken_bytes))
            stream.receive_window += stream.taken_bytes
            stream.taken_bytes = 0
        self._give_back(count)

    def _give_back(self, count: int) -> None:
        """Let the client send `count` bytes more on the connection."""
        self._taken_bytes += count
        if self._taken_bytes >= CONNECTION_WINDOW_BYTES // 2:
            self._out.append(frames.write_window_update(0, self._taken_bytes))
            self._receive_window += self._taken_bytes
            self._taken_bytes = 0

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream at once, whatever is held of it."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._write_reset(stream_id, code)
            self._forget(stream_id, stream)

    def _widen(self, stream_id: int, stream: Stream, count: int) -> bool:
        """Let `stream` send `count` bytes more, or fewer; tell whether its window may be as large as that."""
        stream.send_window += count
        if stream.send_window > frames.MAX_WINDOW_BYTES:
            return False
        self._serve(stream_id, stream)
        return True

    def _serve(self, stream_id: int, stream: Stream, most: int = frames.MAX_WINDOW_BYTES) -> None:
        """Write what is held of `stream`, at most `most` bytes, and tell if that was all."""
        if stream.held is not None and not self._write_held(stream_id, stream, most):
            self._events.append(DataSent(stream_id))

    def _write_reset(self, stream_id: int, code: int) -> None:
        self._out.append(frames.write_rst_stream(stream_id, code))
        self._remember_reset(stream_id)

    def _remember_reset(self, stream_id: int) -> None:
        self._reset[stream_id] = None
        if len(self._reset) > 2 * MAX_REMEMBERED_RESETS:
            self._reset = dict.fromkeys(tuple(self._reset)[-MAX_REMEMBERED_RESETS:])

    def _forget(self, stream_id: int, stream: Stream) -> None:
        """Let go of `stream`, which is closed; what came on it and was not acknowledged is given back."""
        del self._streams[stream_id]
        if stream.is_waiting:
            self._waiting.remove(stream_id)
        if stream.untaken_bytes:
            self._give_back(stream.untaken_bytes)
