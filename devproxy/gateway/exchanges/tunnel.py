"""Two connections joined after ``101 Switching Protocols``: bytes both ways, nothing parsed on their path.

Half-closes, resets and back-pressure are passed on. For WebSockets a tracker next to each direction follows the frame
boundaries, so that devproxy, when it stops, can end a tunnel with a Close frame instead of cutting a message in two.
Why no frame is decoded: ADR 0003. Start at :meth:`Tunnel.open`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from devproxy.events import TunnelClosed, TunnelData, TunnelOpened
from devproxy.gateway.exchanges.states import STEPS, Act, Event, State
from devproxy.gateway.reload import is_kept, route_targets
from devproxy.gateway.shared.observers import tell_each
from devproxy.gateway.shared.peer_state import peer_state_of
from devproxy.gateway.shared.pressure import LARGE_BYTES, Reader
from devproxy.gateway.shared.throttle import Throttle
from devproxy.gateway.shared.transports import end_writing, keep_alive, reset
from devproxy.platforms.sockets import PeerState
from devproxy.realtime.websocket import FrameTracker, close_frame

if TYPE_CHECKING:
    from devproxy.gateway.reload import RouteTargets, TunnelOrigin
    from devproxy.gateway.shared.observers import Observers
    from devproxy.gateway.shared.seam import ByteStream
    from devproxy.gateway.shared.state import SharedState
    from devproxy.policy.faults import CompiledFault

HALF_CLOSE_S: Final = 30.0
"""How long a tunnel of which one side has ended may go without a byte before it is closed."""

WEBSOCKET_HALF_CLOSE_S: Final = 4.0
"""The same for a WebSocket. None is half-closed: a side that has sent or seen a Close frame closes the connection (RFC
6455 section 7.1.1), so an end without an answer is a peer that is gone. With what a look is late, it takes less than 5
s."""

_LOOK_S: Final = 0.5
"""How often is looked whether a WebSocket of which one side has ended is silent."""

CLOSE_GRACE_S: Final = 1.0
"""How long the two ends may take to answer a Close frame, and to come to a frame boundary before it."""

GOING_AWAY: Final = 1001


@dataclass(eq=False, repr=False, slots=True)
class End(Reader):
    """One end of a tunnel: a protocol that writes what it gets into the other end.

    ``state``: what it is doing, by the table in :mod:`devproxy.gateway.exchanges.states`. ``received``: bytes that came
    from this end. ``tracker``: follows the frames that come from it; None when the protocol is not WebSocket.
    """

    _tunnel: Tunnel
    name: str
    transport: ByteStream
    tracker: FrameTracker | None
    other: End = field(init=False)
    received: int = 0
    state: State = State.OPEN
    _write: Callable[[bytes], None] = field(init=False)
    _advance: Callable[[bytes], None] | None = field(init=False)
    _tap: Callable[[bytes], None] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._write = self.transport.write
        self._advance = self.tracker.advance if self.tracker is not None else None

    def join(self, other: End) -> None:
        """Write into `other` from now on."""
        self.other = other
        self._write = other.transport.write

    def data_received(self, data: bytes) -> None:
        """Pass `data` on."""
        size = len(data)
        self.received += size
        if size > LARGE_BYTES:
            self._tunnel.pressure.take_turn(self.transport, size)
        if self.other.transport.is_closing():
            return
        self._write(data)
        if self._advance is not None:
            self._advance(data)

    def note(self, data: bytes) -> None:
        """Take `data` for passed on: it has been sent already."""
        self.received += len(data)
        if self._advance is not None:
            self._advance(data)

    def tap(self, observers: Observers, tunnel_id: int) -> None:
        """Tell `observers` what comes from this end, as long as one of them wants to see it."""
        if self._tap is not None or self._write is _ignore:
            return
        advance, tracker, is_from_client = self._advance, self.tracker, self.name == "client"

        def tell(data: bytes) -> None:
            if observers.to_frames:
                is_start = tracker is None or (tracker.at_boundary and not tracker.in_message)
                tell_each(observers.to_frames, TunnelData(tunnel_id, is_from_client, data, is_start))
            elif self._advance is tell:
                self._advance, self._tap = advance, None
            if advance is not None:
                advance(data)

        self._advance = self._tap = tell

    def watch_boundaries(self, advance: Callable[[bytes], None]) -> None:
        """Have the tunnel closed at the next frame boundary; `advance` is this end's tracker's."""
        seen = self._tap or advance

        def close(data: bytes) -> None:
            seen(data)
            self._tunnel.close_at_boundary(self)

        self._advance = close

    def mute(self) -> None:
        """Pass nothing on any more."""
        self._write = _ignore
        self._advance = None

    def pause_writing(self) -> None:
        """This end reads slowly: stop reading from the other."""
        self._tunnel.pressure.fall_behind(self.transport)
        self.other.hold_back()

    def resume_writing(self) -> None:
        """This end has caught up."""
        self._tunnel.pressure.catch_up(self.transport)
        self.other.go_on()

    def hold_back(self) -> None:
        """Read no more from this end for now."""
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self._tunnel.held_back.add(self)

    def read_on(self) -> None:
        """Read on unless the other end reads slowly: others have had their turn."""
        if self not in self._tunnel.held_back and not self.transport.is_closing():
            self.transport.resume_reading()

    def go_on(self) -> None:
        """Read on."""
        self._tunnel.held_back.discard(self)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def look(self) -> None:
        """Find out whether the peer has reset its connection while it is held back."""
        if peer_state_of(self.transport) is PeerState.GONE:
            self._tunnel.lost(self, ConnectionResetError())
            self.transport.abort()

    def eof_received(self) -> bool:
        """Pass the end of this direction on; the other direction goes on."""
        self._tunnel.ended(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on: a reset as a reset."""
        self._tunnel.pressure.dismiss(self.transport)
        self._tunnel.lost(self, exc)


class SlowEnd(End):
    """An end from which no more than a rate passes, on purpose.

    What is held counts as not yet received: trackers, totals and endings follow what is passed on.
    """

    __slots__ = ("_throttle",)

    other: SlowEnd

    def __init__(
        self,
        tunnel: Tunnel,
        name: str,
        transport: ByteStream,
        tracker: FrameTracker | None,
        *,
        loop: asyncio.AbstractEventLoop,
        bytes_per_s: float,
    ) -> None:
        super().__init__(tunnel, name, transport, tracker)
        self._throttle = Throttle(
            loop, bytes_per_s, super().data_received, pause_source=self.hold_back, resume_source=self.go_on
        )

    def data_received(self, data: bytes) -> None:
        """Take `data`, to be passed on at the rate."""
        self._throttle.feed(data)

    def pause_writing(self) -> None:
        """This end reads slowly: let nothing more of the other's through."""
        self._tunnel.pressure.fall_behind(self.transport)
        self.other._throttle.pause()

    def resume_writing(self) -> None:
        """This end has caught up."""
        self._tunnel.pressure.catch_up(self.transport)
        self.other._throttle.resume()

    def eof_received(self) -> bool:
        """Pass the end of this direction on, after what is held."""
        self._throttle.end(super().eof_received)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the loss on: a reset at once, an end after what is held."""
        lose = partial(super().connection_lost, exc)
        if exc is None and not self.other.transport.is_closing():
            self._throttle.end(lose)
        else:
            self._throttle.stop()
            lose()


class Tunnel:
    """A joined pair. Lives until both directions have ended, one end is lost, it idles too long, its route goes
    elsewhere after a reload, or devproxy stops.

    `opened`: what is told of it when it begins; `origin`: by what a reload judges it. `on_end`: is called when it is
    over; True: the upstream has ended it. With a `fault` it may be slow, and be reset at a certain age.
    """

    def __init__(
        self,
        shared: SharedState,
        client: ByteStream,
        server_end: ByteStream,
        opened: TunnelOpened,
        origin: TunnelOrigin,
        *,
        on_end: Callable[[bool], None],
        fault: CompiledFault | None = None,
    ) -> None:
        is_websocket = opened.protocol == "websocket"
        self._shared = shared
        self.held_back = shared.held_back
        self.pressure = shared.pressure
        self._on_end = on_end
        self._opened = opened
        self._origin = origin
        self._drain_timer: asyncio.TimerHandle | None = None
        self._fault = fault
        make: Callable[..., End] = End
        if fault is not None and fault.bytes_per_s:
            make = partial(SlowEnd, loop=shared.loop, bytes_per_s=fault.bytes_per_s)
        self._client = make(self, "client", client, FrameTracker(is_masked=True) if is_websocket else None)
        self._upstream = make(self, "upstream", server_end, FrameTracker(is_masked=False) if is_websocket else None)
        self._client.join(self._upstream)
        self._upstream.join(self._client)
        self._ends = (self._client, self._upstream)
        self._started_at = shared.clock()
        self._closed_by = ""
        self._close_reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._drop_timer: asyncio.TimerHandle | None = None

    def open(self, *, early: bytes, glued: bytes, has_ended: bool) -> None:
        """Take both transports over.

        `early`: bytes that the client sent after its request; `has_ended`: it sends nothing more. `glued`: those that
        the upstream sent after its 101, which have been sent on already.
        """
        self._shared.tunnels.add(self)
        self.tell_so_far(self._shared.observers)
        for end in self._ends:
            self.pressure.hand_over(end.transport, end)
        keep_alive(self._upstream.transport)  # the client's has it from the listening socket
        if glued:
            self._upstream.note(glued)
        if early:
            self._client.data_received(early)
        limit_s = self._shared.current.snapshot.config.server.tunnel_idle_timeout_s
        if limit_s:
            self._watch(limit_s, "idle")
        if has_ended:
            self._client.eof_received()
        if self._fault is not None and self._fault.drop_after_s:
            self._drop_timer = self._shared.loop.call_later(self._fault.drop_after_s, self._drop)
        if self._shared.is_stopping:
            self.close()
        elif self._shared.current.snapshot is not self._origin.snapshot:
            self.review(route_targets(self._shared.current.snapshot.config))

    # -- endings -------------------------------------------------------------------------------------------------

    def _step(self, end: End, event: Event) -> None:
        """Do what the table says about `event` at `end`."""
        end.state, act = STEPS[end.state, event]
        other = end.other.transport
        if act is Act.PASS_END_ON:
            self._pass_end_on(end)
        elif act is Act.CLOSE_BOTH:
            self.cut()
        elif act is Act.CLOSE_OTHER:
            other.close()
        elif act is Act.RESET_OTHER and not other.is_closing():
            reset(other)
        elif act is Act.SEND_CLOSE:
            # What came from this end is complete, so the other end may be told; it gets nothing from here on.
            end.mute()
            mask = os.urandom(4) if end is self._client else None
            other.write(close_frame(GOING_AWAY, self._close_reason, mask=mask))
            end_writing(other)

    def ended(self, end: End) -> None:
        """`end` sends nothing more."""
        self._closed_by = self._closed_by or end.name
        self._step(end, Event.END)

    def _pass_end_on(self, end: End) -> None:
        """Say to the other end that `end` sends nothing more, and close when both have said it."""
        if end.other.state is State.ENDED or not end_writing(end.other.transport):
            self.cut()
            return
        limit_s = WEBSOCKET_HALF_CLOSE_S if end.tracker is not None else HALF_CLOSE_S
        idle_limit_s = self._shared.current.snapshot.config.server.tunnel_idle_timeout_s
        self._watch(min(limit_s, idle_limit_s or limit_s), end.name, look_s=_LOOK_S)

    def lost(self, end: End, exc: Exception | None) -> None:
        """The connection of `end` is gone: end the other likewise, and report once."""
        is_first = State.OVER not in (end.state, end.other.state)
        self._closed_by = self._closed_by or end.name
        self._step(end, Event.CLOSED if exc is None else Event.RESET)
        if is_first:
            self.held_back.difference_update(self._ends)
            self._shared.remove_tunnel(self)
            self._on_end(self._closed_by == self._upstream.name)
            for timer in (self._timer, self._drain_timer, self._drop_timer):
                if timer is not None:
                    timer.cancel()
            if self._shared.observers.to_tunnels:
                tell_each(self._shared.observers.to_tunnels, self._summary())

    def tell_so_far(self, observers: Observers) -> None:
        """Tell `observers`, who may come late, that the tunnel is open, and what passes from now on."""
        tell_each(observers.to_tunnels, self._opened)
        if observers.to_frames:
            for end in self._ends:
                end.tap(self._shared.observers, self._opened.tunnel_id)

    def _summary(self) -> TunnelClosed:
        opened = self._opened
        codes = [end.tracker.close_code for end in self._ends if end.tracker is not None and end.tracker.close_code]
        return TunnelClosed(
            tunnel_id=opened.tunnel_id,
            target=opened.target,
            protocol=opened.protocol,
            route=opened.route,
            upstream=opened.upstream,
            server=opened.server,
            client=opened.client,
            duration_s=self._shared.clock() - self._started_at,
            sent_bytes=self._client.received,
            received_bytes=self._upstream.received,
            closed_by=self._closed_by,
            close_code=codes[0] if codes else 0,
            exchange_id=opened.exchange_id,
        )

    def _watch(self, limit_s: float, closed_by: str, *, look_s: float = 0.0) -> None:
        """Close the tunnel when no byte has passed for `limit_s` seconds.

        `look_s`: how exactly the last byte is known; 0: closing may take up to twice as long.
        """
        if self._timer is not None:
            self._timer.cancel()
        look_s = min(look_s or limit_s, limit_s)
        check = partial(self._check_idle, limit_s=limit_s, look_s=look_s, closed_by=closed_by)
        self._timer = self._shared.loop.call_later(look_s, check, self._progress(), look_s)

    def _progress(self) -> tuple[int, int]:
        """Return what changes as long as bytes pass: how many have been received, and how many wait to be taken."""
        waiting = sum(end.transport.get_write_buffer_size() for end in self._ends if not end.transport.is_closing())
        return self._client.received + self._upstream.received, waiting

    def _check_idle(
        self, seen: tuple[int, int], silent_s: float, *, limit_s: float, look_s: float, closed_by: str
    ) -> None:
        """Close the tunnel, or look again: at the last look it had come to `seen`, and no byte has passed since for
        `silent_s` seconds unless it has come further. A slow reader of what waits for it is not silent so soon.
        """
        progress = self._progress()
        is_silent = progress == seen
        if not is_silent or silent_s < (max(limit_s, HALF_CLOSE_S) if progress[1] else limit_s):
            check = partial(self._check_idle, limit_s=limit_s, look_s=look_s, closed_by=closed_by)
            self._timer = self._shared.loop.call_later(
                look_s, check, progress, silent_s + look_s if is_silent else look_s
            )
            return
        self._closed_by = closed_by
        for end in self._ends:
            if end.transport.get_write_buffer_size():
                reset(end.transport)  # to close would be to wait until all of it is taken
            else:
                end.transport.close()

    def _drop(self) -> None:
        """Reset both ends: the tunnel has reached the age that the route's fault gives it."""
        self._closed_by = self._closed_by or "fault"
        for end in self._ends:
            reset(end.transport)

    # -- stopping ------------------------------------------------------------------------------------------------

    def review(self, where: RouteTargets) -> bool:
        """Judge the tunnel by the configuration that holds now: close it after ``drain_s`` unless its route still leads
        to its server. A configuration that brings the route back in time lets it stay. True: it has to close."""
        goes = not is_kept(self._origin, where)
        if not goes and self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        elif goes and self._drain_timer is None:
            drain_s = self._shared.current.snapshot.config.server.drain_s
            self._drain_timer = self._shared.loop.call_later(drain_s, self.close, "its route has changed")
        return goes

    def close(self, reason: str = "devproxy stops") -> None:
        """End the tunnel cleanly: a Close frame to both ends at their next frame boundary, else just the end.

        `reason`: goes with the frame; at most 123 bytes in ASCII (RFC 6455 section 5.5).
        """
        if self._close_reason:
            return
        self._close_reason = reason
        self._closed_by = "devproxy"
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._shared.loop.call_later(CLOSE_GRACE_S, self.cut)
        for end in self._ends:
            if end.tracker is not None:
                end.watch_boundaries(end.tracker.advance)
            self._step(end, Event.STOP)
            self.close_at_boundary(end)

    def close_at_boundary(self, end: End) -> None:
        """Tell the other end to close if the tunnel is closing and what came from `end` so far is whole."""
        if end.state is not State.CLOSING or end.transport.is_closing():
            return
        if end.tracker is None or end.tracker.is_lost:
            self._step(end, Event.NO_FRAMES)
        elif end.tracker.at_boundary:
            self._step(end, Event.FRAME_COMPLETE)

    def cut(self) -> None:
        """Close both ends now."""
        for end in self._ends:
            end.transport.close()


def _ignore(_: bytes) -> None:
    """Take what is not passed on."""
