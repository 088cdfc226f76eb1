"""Detect that a peer has closed or reset while it is not being read from (back-pressure).

An event loop reports an end only to a reader; the system knows earlier. Looks without reading. Start at
:func:`peer_state_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from devproxy.gateway.shared.transports import descriptor_of
from devproxy.platforms import sockets
from devproxy.platforms.sockets import PeerState

if TYPE_CHECKING:
    from devproxy.gateway.shared.seam import ByteStream


class HeldBack(Protocol):
    """A peer that is not being read from at the moment."""

    def look(self) -> None:
        """Find out whether the peer has left, and act on that; called in every sweep."""


def peer_state_of(transport: ByteStream) -> PeerState:
    """Return what is known of the peer of `transport`; ``THERE`` where the system cannot say.

    A peer that ends while its own system still holds bytes that were not taken is ``THERE`` until they are: TCP
    delivers its end after them. A reset comes at once.
    """
    descriptor = descriptor_of(transport)
    if descriptor < 0 or transport.is_closing():
        return PeerState.THERE
    return sockets.look(descriptor)


def unread_bytes(transport: ByteStream) -> int:
    """Return how many bytes of a peer that is ``FINISHED`` may still come: those that wait in the system.

    Under TLS they are encrypted, and some of a record may have been taken before: so it is not less than what comes.
    """
    return sockets.unread_bytes(descriptor_of(transport)) + (transport.get_extra_info("record_bytes") or 0)
