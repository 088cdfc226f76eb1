"""A limited rate of bytes, for fault injection: a token bucket for one direction of one exchange or tunnel.

What arrives faster than the rate is held here and leaves in slices; meanwhile its source is not read, so that no more
is held than came with one read. One timer runs while something is held, none otherwise. Never looks into the bytes.
Start at :class:`Throttle`; :mod:`devproxy.gateway.back.slow` puts two of them into an exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

SLICE_S: Final = 0.05
"""How much may leave at once, as time at the rate. Also what may leave at the start and after a pause."""

_MIN_WAIT_S: Final = 0.001
"""Rounding can leave a bucket just short of a byte: without this, the clock would be asked again at once."""

_MAX_WAIT_S: Final = 3600.0
"""At rates of less than a byte in an hour, the clock is looked at in between."""


class Timer(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Let it not come."""


class Clock(Protocol):
    """What is needed of an event loop."""

    def time(self) -> float:
        """Return the time in seconds, from any beginning."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer:
        """Call `callback` in `delay` seconds."""


class Throttle:
    """Passes bytes to `write` at no more than `bytes_per_s`.

    `pause_source` and `resume_source`: called in turn, to have the source read no more and again.
    """

    __slots__ = (
        "_bytes_per_s",
        "_capacity",
        "_filled_at",
        "_held",
        "_is_congested",
        "_is_releasing",
        "_is_source_paused",
        "_loop",
        "_pause_source",
        "_resume_source",
        "_then",
        "_timer",
        "_tokens",
        "_write",
    )

    def __init__(
        self,
        loop: Clock,
        bytes_per_s: float,
        write: Callable[[bytes], None],
        *,
        pause_source: Callable[[], None],
        resume_source: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._bytes_per_s = bytes_per_s
        self._write = write
        self._pause_source = pause_source
        self._resume_source = resume_source
        self._capacity = max(1.0, bytes_per_s * SLICE_S)
        self._tokens = self._capacity
        self._filled_at = loop.time()
        self._held = bytearray()
        self._then: Callable[[], object] | None = None
        self._timer: Timer | None = None
        self._is_congested = False
        self._is_source_paused = False
        self._is_releasing = False

    @property
    def held_bytes(self) -> int:
        """How many bytes wait here."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Take `data`, after what is held already."""
        self._held += data
        self._go_on()

    def end(self, then: Callable[[], object]) -> None:
        """Call `then` once, when everything that is held has left. A later end takes the place of one that waits."""
        self._then = then
        self._go_on()

    def pause(self) -> None:
        """The writer is blocked: stop sending."""
        self._is_congested = True
        self._cancel_timer()
        self._steer_source()

    def resume(self) -> None:
        """The writer can send again."""
        self._is_congested = False
        self._go_on()

    def take_held(self) -> bytes:
        """Return what is held, to be passed on by other means, and hold it no longer."""
        data = bytes(self._held)
        self._held.clear()
        return data

    def stop(self) -> None:
        """Drop what is held and do nothing more; the source stays as it is."""
        self._held.clear()
        self._then = None
        self._cancel_timer()

    def _go_on(self) -> None:
        """Let leave what may, then wait for more tokens, or end, or have the source read again."""
        if self._is_releasing:
            return  # `write` led back to here; the loop below goes on
        self._is_releasing = True
        try:
            while self._held and not self._is_congested and (allowed := self._allowed()):
                data = bytes(self._held[:allowed])
                del self._held[:allowed]
                self._tokens -= len(data)
                self._write(data)
        finally:
            self._is_releasing = False
        self._steer_source()
        if self._held:
            self._wait()
        elif self._then is not None and not self._is_congested:
            then, self._then = self._then, None
            then()

    def _allowed(self) -> int:
        """Return how many bytes may leave now, having filled the bucket up to this moment."""
        now = self._loop.time()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._bytes_per_s)
        self._filled_at = now
        return int(self._tokens)

    def _wait(self) -> None:
        """Come back when the next slice may leave: a full one, or the rest."""
        if self._timer is None and not self._is_congested:
            missing = min(self._capacity, len(self._held)) - self._tokens
            wait_s = min(_MAX_WAIT_S, max(_MIN_WAIT_S, missing / self._bytes_per_s))
            self._timer = self._loop.call_later(wait_s, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._go_on()

    def _steer_source(self) -> None:
        should_pause = bool(self._held) or self._is_congested
        if should_pause is not self._is_source_paused:
            self._is_source_paused = should_pause
            if should_pause:
                self._pause_source()
            else:
                self._resume_source()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
