"""What a client's connection can be doing."""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """What a client's connection is doing."""

    IDLE = auto()
    """Waiting for a request, or in the middle of its head."""
    EXCHANGE = auto()
    """A request is being answered."""
    WAITING = auto()
    """Answered; the next request waits for its turn of the loop, or until the client has taken more of the answer."""
    LINGERING = auto()
    """The answer is out and no further request is taken; what still arrives is thrown away (RFC 9112 section 9.6)."""
    CLOSED = auto()
