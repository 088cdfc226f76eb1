"""Detect that a peer has closed or reset while it is not being read from (back-pressure).

An event loop reports an end only to a reader; the system knows earlier. Looks without reading. Start at
:func:`peer_state_of`.
"""

from __future__ import annotations

import array
import select
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

from devproxy.gateway.shared.transports import descriptor_of

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import ByteStream

_HAS_POLL: Final = hasattr(select, "poll")
_POLLRDHUP: Final[int] = getattr(select, "POLLRDHUP", 0)
"""Only Linux reports an end after bytes that have not been read yet; elsewhere only a reset is seen."""


class HeldBack(Protocol):
    """A peer that is not being read from at the moment."""

    def look(self) -> None:
        """Find out whether the peer has left, and act on that; called in every sweep."""


class PeerState(Enum):
    """What the system knows of a peer."""

    THERE = auto()
    """It may still send."""
    FINISHED = auto()
    """Its end follows bytes that have not been read yet. It may still take an answer."""
    GONE = auto()
    """It has reset the connection."""


def peer_state_of(transport: ByteStream) -> PeerState:
    """Return what is known of the peer of `transport`; ``THERE`` where the system cannot say.

    A peer that ends while its own system still holds bytes that were not taken is ``THERE`` until they are: TCP
    delivers its end after them. A reset comes at once.
    """
    descriptor = descriptor_of(transport)
    if descriptor < 0 or not _HAS_POLL or transport.is_closing():
        return PeerState.THERE
    poller = select.poll()
    poller.register(descriptor, _POLLRDHUP)
    events = sum(found for _, found in poller.poll(0))
    if events & (select.POLLERR | select.POLLHUP):
        return PeerState.GONE
    return PeerState.FINISHED if events & _POLLRDHUP else PeerState.THERE


def unread_bytes(transport: ByteStream) -> int:
    """Return how many bytes of a peer that is ``FINISHED`` may still come: those that wait in the system.

    Under TLS they are encrypted, and some of a record may have been taken before: so it is not less than what comes.
    """
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(descriptor_of(transport), termios.FIONREAD, count)
    return count[0] + (transport.get_extra_info("record_bytes") or 0)
