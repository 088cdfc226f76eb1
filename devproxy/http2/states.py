"""What a stream can be doing, as a server sees it: the table of its states (RFC 9113 section 5.1).

Values alone: :mod:`devproxy.http2.connection` does what follows. A pair that the table lacks is the fault of
the client: STREAM_CLOSED. Nothing is pushed or reserved here, so two of the standard's states are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """Which sides of a stream may still send."""

    IDLE = 0
    OPEN = 1
    HALF_CLOSED_REMOTE = 2
    """The client has sent its request."""
    HALF_CLOSED_LOCAL = 3
    """The response is complete, and the request is not."""
    CLOSED = 4


class Event(IntEnum):
    """What happens to it: frames of the client's, the last of which has END_STREAM; or what is sent to it."""

    HEADERS = 0
    LAST_HEADERS = 1
    DATA = 2
    LAST_DATA = 3
    RESPONSE_SENT = 4
    RESET = 5


STEPS: Final[Mapping[tuple[State, Event], State]] = {
    (State.IDLE, Event.HEADERS): State.OPEN,
    (State.IDLE, Event.LAST_HEADERS): State.HALF_CLOSED_REMOTE,
    **{(state, Event.DATA): state for state in (State.OPEN, State.HALF_CLOSED_LOCAL)},
    (State.OPEN, Event.LAST_DATA): State.HALF_CLOSED_REMOTE,
    (State.OPEN, Event.LAST_HEADERS): State.HALF_CLOSED_REMOTE,
    (State.OPEN, Event.RESPONSE_SENT): State.HALF_CLOSED_LOCAL,
    (State.HALF_CLOSED_LOCAL, Event.LAST_DATA): State.CLOSED,
    (State.HALF_CLOSED_LOCAL, Event.LAST_HEADERS): State.CLOSED,
    (State.HALF_CLOSED_REMOTE, Event.RESPONSE_SENT): State.CLOSED,
    **{(state, Event.RESET): State.CLOSED for state in (State.OPEN, State.HALF_CLOSED_REMOTE, State.HALF_CLOSED_LOCAL)},
}
"""The next state for each pair that can be."""
AFTER: Final[Mapping[Event, Mapping[State, State]]] = {
    event: {state: then for (state, one), then in STEPS.items() if one is event} for event in Event
}
"""The same by event and then by state."""
