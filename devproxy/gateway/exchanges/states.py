"""What one end of a tunnel can be doing, and what happens to it and to the other end: the table of its states.

Values alone: :mod:`devproxy.gateway.exchanges.tunnel` does what is decided here. A pair that the table lacks cannot
happen. ``docs/closing.md`` shows the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class State(Enum):
    """What one end of a tunnel is doing."""

    OPEN = "open"
    ENDED = "at its end"
    CLOSING = "waiting for the end of a frame"
    MUTED = "no longer passed on"
    OVER = "over"


class Event(Enum):
    """What happens to it."""

    END = "it sends nothing more"
    RESET = "it resets its connection"
    CLOSED = "it closes its connection"
    STOP = "the tunnel has to close"
    FRAME_COMPLETE = "the last frame that came from it is whole"
    NO_FRAMES = "what it sends cannot be followed as frames"


class Act(Enum):
    """What devproxy does."""

    NOTHING = "nothing"
    PASS_END_ON = "passes that on; closes both where the other has ended too, or is gone"
    CLOSE_BOTH = "closes both"
    CLOSE_OTHER = "closes the other"
    RESET_OTHER = "resets the other"
    WAIT = "waits for the end of a frame"
    SEND_CLOSE = "sends the other a Close frame, and the end"


_BEFORE_THE_LAST: Final = (State.OPEN, State.ENDED, State.CLOSING, State.MUTED)

STEPS: Final[Mapping[tuple[State, Event], tuple[State, Act]]] = {
    (State.OPEN, Event.END): (State.ENDED, Act.PASS_END_ON),
    **{(state, Event.END): (State.ENDED, Act.CLOSE_BOTH) for state in (State.CLOSING, State.MUTED)},
    **{(state, Event.RESET): (State.OVER, Act.RESET_OTHER) for state in _BEFORE_THE_LAST},
    **{(state, Event.CLOSED): (State.OVER, Act.CLOSE_OTHER) for state in _BEFORE_THE_LAST},
    **{(State.OVER, event): (State.OVER, Act.NOTHING) for event in (Event.END, Event.RESET, Event.CLOSED)},
    (State.OPEN, Event.STOP): (State.CLOSING, Act.WAIT),
    (State.ENDED, Event.STOP): (State.ENDED, Act.CLOSE_OTHER),
    (State.CLOSING, Event.FRAME_COMPLETE): (State.MUTED, Act.SEND_CLOSE),
    (State.CLOSING, Event.NO_FRAMES): (State.CLOSING, Act.CLOSE_OTHER),
}
"""What each event at one end leads to: its next state, and what is done."""
