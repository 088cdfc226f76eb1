"""A server's side of a connection: bytes in, events out, and bytes to send (RFC 9113 sections 3, 5, 6 and 8).

Owns the order of frames and the states of streams; what is sent on them is in :mod:`devproxy.http2.streams`. Does no
I/O and knows no clock: the owner of the transport gives it what comes (:meth:`ServerConnection.receive`), says what is
to be sent, and takes the bytes for that once per turn (:meth:`devproxy.http2.streams.Streams.take`). The owner must not
read while what was taken is not sent: then nothing piles up that a client asks for and does not read. What a client may
do for nothing in return is bounded, see :class:`devproxy.http2.streams.Quota`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from devproxy.http1.start_line import Limits
from devproxy.http2 import frames, hpack
from devproxy.http2.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    GoingAway,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
    TrailersReceived,
)
from devproxy.http2.frames import ErrorCode, Setting
from devproxy.http2.heads import OTHER_LENGTH, MalformedMessage, TooLarge, read_request, read_trailers
from devproxy.http2.lines import Entry
from devproxy.http2.states import STEPS, State
from devproxy.http2.states import Event as Step
from devproxy.http2.streams import (
    CONNECTION_WINDOW_BYTES,
    DEFAULT_WINDOW_BYTES,
    MAY_RECEIVE,
    STREAM_WINDOW_BYTES,
    USEFUL_BYTES,
    Stream,
    Streams,
    calm_down,
)

MAX_STREAMS: Final = 250
"""Polls and event streams are streams, too (what Caddy allows)."""
MAX_CONTINUATIONS: Final = 8
"""How many frames CONTINUATION a block may have beyond those that the largest head takes. A block that is larger than
that head is decoded all the same, or no later one could be, and its request is answered (section 10.5.1). What is
larger than this, or comes in smaller pieces, ends the connection."""
_NO_CREDIT: Final = "WINDOW_UPDATE is for nothing (RFC 9113, 6.9)"
_TUNNEL: Final = -2
"""``length_left`` of what an extended CONNECT has opened."""
_OPENED: Final = STEPS[State.IDLE, Step.HEADERS]
_HALF_OPENED: Final = STEPS[State.IDLE, Step.LAST_HEADERS]
_CLOSED: Final = State.CLOSED


class ServerConnection(Streams):
    """One connection. `limits`: of heads; `offers_protocols`: extended CONNECT is taken (RFC 8441).

    ``has_failed``: it sent GOAWAY for a fault of the client's and takes nothing more. ``is_leaving``: either side has
    said that it goes away.
    """

    def __init__(self, limits: Limits, *, max_streams: int = MAX_STREAMS, offers_protocols: bool = False) -> None:
        super().__init__()
        self._limits = limits
        self._max_streams = max_streams
        self._max_continuations = MAX_CONTINUATIONS + limits.max_head_bytes // frames.MAX_PAYLOAD_BYTES
        self._offers_protocols = offers_protocols
        self._decoder = hpack.Decoder()
        self._last_stream_id = 0
        self._has_skipped = False
        """A number was left out, so that a stream with a smaller one need not have been there."""
        self._taken_until = frames.MAX_STREAM_ID
        """The last stream that is taken once the connection is to end."""
        self._has_preface = False
        self._has_settings = False
        self._came: bytearray | None = None
        self._needed = 0
        """Bytes with which a frame, or its head, will be complete."""
        self._block: bytearray | None = None
        self._block_of = self._block_flags = self._continuations = 0
        self._out.append(self._first_settings())
        self.has_failed = False
        self.is_leaving = False

    def _first_settings(self) -> bytes:
        said = [
            (Setting.MAX_CONCURRENT_STREAMS, self._max_streams),
            (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
            (Setting.MAX_HEADER_LIST_SIZE, self._limits.max_head_bytes),
            (Setting.NO_RFC7540_PRIORITIES, 1),
        ]
        if self._offers_protocols:
            said.append((Setting.ENABLE_CONNECT_PROTOCOL, 1))
        more = CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES
        return frames.write_settings(said) + frames.write_window_update(0, more)

    def receive(self, data: bytes) -> list[Event]:
        """Take `data` from the client; return what comes of it. Never raises; what breaks a rule is an event, too."""
        if self._came is not None:
            self._came += data
            if len(self._came) < self._needed:
                return []
            data, self._came = bytes(self._came), None
        if self.has_failed:
            return []
        try:
            position = self._take_frames(data, 0 if self._has_preface else self._take_preface(data))
        except frames.ConnectionFault as fault:
            self._fail(fault.code, fault.reason)
        except hpack.CompressionFault as fault:
            self._fail(ErrorCode.COMPRESSION_ERROR, f"{fault} (RFC 9113, 4.3)")
        else:
            if position < len(data):
                self._came = bytearray(data[position:])
        events, self._events = self._events, []
        return events

    def _take_preface(self, data: bytes) -> int:
        """Return where the preface ends that `data` begin with; raises where they do not begin one."""
        preface = frames.PREFACE
        if data[: len(preface)] != preface[: len(data)]:
            raise _breach("the connection does not begin as one of HTTP/2 (RFC 9113, 3.4)")
        if len(data) < len(preface):
            self._needed = len(preface)
            return 0
        self._has_preface = True
        return len(preface)

    def _take_frames(self, data: bytes, position: int) -> int:
        """Take the frames that are complete from `position` on; return where the first one begins that is not."""
        size = len(data)
        if not self._has_preface:
            return position
        while position + frames.HEAD_BYTES <= size:
            kind, flags, stream_id, length = frames.read_head(data, position)
            start = position + frames.HEAD_BYTES
            end = start + length
            if end > size:
                self._needed = end - position
                return position
            position = end
            payload = data[start:end]
            if self._block is not None and (kind != frames.CONTINUATION or stream_id != self._block_of):
                raise _breach("a block of fields is interrupted (RFC 9113, 4.3)")
            if not self._has_settings and (kind != frames.SETTINGS or flags & frames.ACK):
                raise _breach("the first frame is not SETTINGS (RFC 9113, 3.4)")
            if kind == frames.HEADERS:
                self._take_headers(flags, stream_id, payload)
            elif kind == frames.DATA:
                self._take_data(flags, stream_id, payload)
            elif kind <= frames.CONTINUATION:
                _TAKES[kind](self, flags, stream_id, payload)
            else:
                self._quota.take_idle_frame()
        self._needed = frames.HEAD_BYTES
        return position

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & (frames.PADDED | frames.HAS_PRIORITY):
            payload = frames.content(frames.HEADERS, flags, payload)
        if flags & frames.END_HEADERS:
            self._take_block(stream_id, flags, payload)
        else:
            self._block, self._block_of, self._block_flags = bytearray(payload), stream_id, flags
            self._continuations = 0

    def _take_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None:
            raise _breach("CONTINUATION continues nothing (RFC 9113, 6.10)")
        self._block += payload
        self._continuations += 1
        if self._continuations > self._max_continuations:
            raise calm_down("a block of fields has too many frames")
        if flags & frames.END_HEADERS:
            block, self._block = bytes(self._block), None
            self._take_block(stream_id, self._block_flags, block)

    def _take_block(self, stream_id: int, flags: int, block: bytes) -> None:
        """Take a whole block of fields: a request, or the trailers of one."""
        entries = self._decoder.decode(block)  # in any case, or the next block could not be
        has_ended = bool(flags & frames.END_STREAM)
        stream = self._streams.get(stream_id)
        if stream is None:
            if self._opens(stream_id):
                self._open(stream_id, entries, has_ended)
        elif stream.state in MAY_RECEIVE and (not has_ended or stream.length_left == _TUNNEL):
            reason = "there are trailers before the end of a body (RFC 9113, 8.1)"
            self._fail_stream(stream_id, stream, ErrorCode.PROTOCOL_ERROR, reason)
        elif self._step(stream_id, stream, Step.LAST_HEADERS):
            self._take_trailers(stream_id, stream, entries)

    def _opens(self, stream_id: int) -> bool:
        """Tell whether HEADERS on `stream_id`, which is not open, open it; none may on an older one."""
        if stream_id <= self._last_stream_id:
            self._ignore_closed(stream_id)
            return False
        if not stream_id & 1:
            raise _breach("a client opens a stream with an even number (RFC 9113, 5.1.1)")
        self._has_skipped = self._has_skipped or stream_id > self._last_stream_id + 2
        self._last_stream_id = stream_id
        self._quota.idle_frames = 0
        if stream_id > self._taken_until:
            self._remember_reset(stream_id)
            self._quota.take_early_reset()
            return False
        if len(self._streams) >= self._max_streams:
            self._refuse(stream_id, ErrorCode.REFUSED_STREAM, "there are too many streams (RFC 9113, 5.1.2)")
            return False
        return True

    def _open(self, stream_id: int, entries: list[Entry], has_ended: bool) -> None:
        try:
            event: Event = read_request(
                stream_id, entries, has_ended, self._limits, takes_protocols=self._offers_protocols
            )
        except MalformedMessage as fault:
            self._refuse(stream_id, ErrorCode.PROTOCOL_ERROR, str(fault))
            return
        except TooLarge as fault:
            event = RequestTooLarge(stream_id, has_ended, fault.block)
        stream = self._streams[stream_id] = Stream(_HALF_OPENED if has_ended else _OPENED, self._initial_window)
        if isinstance(event, RequestReceived):
            stream.length_left = _TUNNEL if event.protocol else event.body_length
        self._events.append(event)

    def _take_trailers(self, stream_id: int, stream: Stream, entries: list[Entry]) -> None:
        try:
            if stream.length_left > 0:
                raise MalformedMessage(OTHER_LENGTH)
            lines = read_trailers(entries, self._limits)
        except (MalformedMessage, TooLarge) as fault:
            reason = str(fault) or "the trailers are too large (RFC 6585, 5)"
            self._fail_stream(stream_id, stream, ErrorCode.PROTOCOL_ERROR, reason)
            return
        self._events.append(TrailersReceived(stream_id, lines))
        if stream.state is _CLOSED:
            self._forget(stream_id, stream)

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._receive_window -= size
        if self._receive_window < 0:
            raise _overflow("there is more DATA than the window allows")
        data = frames.content(frames.DATA, flags, payload) if flags & frames.PADDED else payload
        stream = self._streams.get(stream_id)
        if stream is None:
            self._give_back(size)
            self._ignore_closed(stream_id, size)
            return
        has_ended = bool(flags & frames.END_STREAM)
        if not self._step(stream_id, stream, Step.LAST_DATA if has_ended else Step.DATA):
            self._give_back(size)
            return
        stream.receive_window -= size
        stream.untaken_bytes += size
        if stream.receive_window < 0:
            reason = "there is more DATA than the window allows (RFC 9113, 6.9.1)"
            self._fail_stream(stream_id, stream, ErrorCode.FLOW_CONTROL_ERROR, reason)
            return
        if stream.length_left >= 0:
            stream.length_left -= len(data)
            if stream.length_left < 0 or (has_ended and stream.length_left):
                self._fail_stream(stream_id, stream, ErrorCode.PROTOCOL_ERROR, OTHER_LENGTH)
                return
        if data:
            self._quota.idle_frames = 0
        elif not has_ended:
            self._quota.take_idle_frame()
        if size > len(data):
            self.acknowledge(stream_id, size - len(data))
        if data or has_ended:
            self._events.append(DataReceived(stream_id, data, has_ended))
        if stream.state is _CLOSED:
            self._forget(stream_id, stream)

    def _take_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._quota.take_idle_frame()

    def _take_rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._refuse_idle(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            self._quota.take_idle_frame()
            return
        if not stream.is_answered:
            self._quota.take_early_reset()
        stream.state = STEPS[stream.state, Step.RESET]
        self._forget(stream_id, stream)
        self._events.append(StreamReset(stream_id, frames.number(payload), ""))

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        said = frames.settings(flags, payload)
        self._quota.take_idle_frame()
        self._has_settings = True
        if flags & frames.ACK:
            return
        values = dict(said)  # of thousands for one setting, the last alone counts
        if Setting.INITIAL_WINDOW_SIZE in values:
            self._resize_windows(values[Setting.INITIAL_WINDOW_SIZE])
        if Setting.HEADER_TABLE_SIZE in values and any(
            name == Setting.HEADER_TABLE_SIZE and value < hpack.TABLE_BYTES for name, value in said
        ):
            self._table_change = hpack.NO_TABLE  # the smallest counts, whatever follows it (RFC 7541 section 4.2)
        self._out.append(frames.SETTINGS_ACK)

    def _resize_windows(self, value: int) -> None:
        """Let the windows of all streams be as if they had begun with `value` bytes (section 6.9.2)."""
        change, self._initial_window = value - self._initial_window, value
        for stream_id, stream in tuple(self._streams.items()):
            if not self._widen(stream_id, stream, change):
                raise _overflow("the window of a stream is too large")

    def _take_push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise _breach("a client does not push (RFC 9113, 8.4)")

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._quota.take_idle_frame()
        if not flags & frames.ACK:
            self._out.append(frames.write_ping_ack(payload))

    def _take_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        _, code = frames.goaway(payload)
        self._quota.take_idle_frame()
        self.is_leaving = True
        self._events.append(GoingAway(code))

    def _take_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._refuse_idle(stream_id)
        self._quota.take_idle_frame()
        count = frames.increment(payload)
        if stream_id:
            stream = self._streams.get(stream_id)
            if stream is None:
                return
            if not count:
                self._fail_stream(stream_id, stream, ErrorCode.PROTOCOL_ERROR, _NO_CREDIT)
            elif not self._widen(stream_id, stream, count):
                reason = "the window of a stream is too large (RFC 9113, 6.9.1)"
                self._fail_stream(stream_id, stream, ErrorCode.FLOW_CONTROL_ERROR, reason)
            return
        if not count:
            raise _breach(_NO_CREDIT)
        self._send_window += count
        if self._send_window > frames.MAX_WINDOW_BYTES:
            raise _overflow("the window is too large")
        while self._send_window > 0 and self._waiting:
            stream_id = self._waiting.popleft()
            waiting = self._streams[stream_id]
            waiting.is_waiting = False
            self._serve(stream_id, waiting, frames.MAX_PAYLOAD_BYTES)

    def _step(self, stream_id: int, stream: Stream, step: Step) -> bool:
        """Take `step` of the client's on `stream`; tell whether it may. If not, the stream is reset."""
        state = STEPS.get((stream.state, step))
        if state is None:
            reason = "a frame comes after the end of its stream (RFC 9113, 5.1)"
            self._fail_stream(stream_id, stream, ErrorCode.STREAM_CLOSED, reason)
            return False
        stream.state = state
        return True

    def _refuse_idle(self, stream_id: int) -> None:
        """Raise for a frame on a stream that was never opened."""
        if stream_id > self._last_stream_id or (stream_id and not stream_id & 1):
            raise _breach("a frame is on a stream that is not open (RFC 9113, 5.1)")

    def _ignore_closed(self, stream_id: int, size: int = 0) -> None:
        """Take a frame on a stream that is not there: it may have been under way when the stream was reset here.

        `size`: of DATA. The rest of a large body, in frames of the usual size, is no flood.
        """
        self._refuse_idle(stream_id)
        if stream_id not in self._reset:
            code = ErrorCode.PROTOCOL_ERROR if self._has_skipped else ErrorCode.STREAM_CLOSED
            raise frames.ConnectionFault(code, "a frame is on a stream that is closed (RFC 9113, 5.1)")
        if size < USEFUL_BYTES:
            self._quota.take_idle_frame()

    def _refuse(self, stream_id: int, code: ErrorCode, reason: str) -> None:
        """Reset a stream that is not there, or not any more."""
        self._write_reset(stream_id, code)
        self._quota.take_early_reset()
        self._events.append(StreamReset(stream_id, code, reason))

    def _fail_stream(self, stream_id: int, stream: Stream, code: ErrorCode, reason: str) -> None:
        """Reset `stream` for a fault of the client's."""
        self._forget(stream_id, stream)
        self._refuse(stream_id, code, reason)

    def _fail(self, code: ErrorCode, reason: str) -> None:
        """End everything for a fault of the client's."""
        self.has_failed = self.is_leaving = True
        self._streams.clear()
        self._out.append(frames.write_goaway(self._last_stream_id, code, reason))
        self._events.append(ConnectionFailed(code, reason))

    def go_away(self, *, takes_more: bool) -> None:
        """Say that the connection is to end. What runs goes on.

        `takes_more`: requests that are under way are still taken, which is how it begins; a moment later, without it,
        no more are, and the client knows which of its requests it may send again (section 6.8).
        """
        self.is_leaving = True
        if not takes_more:
            self._taken_until = min(self._taken_until, self._last_stream_id)
        last = frames.MAX_STREAM_ID if takes_more else self._taken_until
        self._out.append(frames.write_goaway(last, ErrorCode.NO_ERROR))


def _breach(reason: str) -> frames.ConnectionFault:
    return frames.ConnectionFault(ErrorCode.PROTOCOL_ERROR, reason)


def _overflow(reason: str) -> frames.ConnectionFault:
    return frames.ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, f"{reason} (RFC 9113, 6.9.1)")


_TAKES: Final[Mapping[int, Callable[[ServerConnection, int, int, bytes], None]]] = {
    frames.PRIORITY: ServerConnection._take_priority,
    frames.RST_STREAM: ServerConnection._take_rst_stream,
    frames.SETTINGS: ServerConnection._take_settings,
    frames.PUSH_PROMISE: ServerConnection._take_push_promise,
    frames.PING: ServerConnection._take_ping,
    frames.GOAWAY: ServerConnection._take_goaway,
    frames.WINDOW_UPDATE: ServerConnection._take_window_update,
    frames.CONTINUATION: ServerConnection._take_continuation,
}
"""By the type of a frame, what takes it; HEADERS and DATA are looked for first."""
