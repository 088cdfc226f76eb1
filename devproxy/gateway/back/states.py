"""What a connection to a server can be doing, and what happens to it: the table of its states.

Values alone: :mod:`devproxy.gateway.back.connection` does what is decided here. A pair that the table lacks cannot
happen. ``docs/closing.md`` shows the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class State(Enum):
    """What a connection to a server is doing."""

    IDLE = "idle"
    AWAITING = "awaiting an answer"
    HEAD = "reading a head"
    BODY = "reading a body"
    OVER = "over"


class Event(Enum):
    """What happens to it."""

    REQUEST = "a request is sent"
    FIRST_BYTES = "the answer begins"
    BODY_FOLLOWS = "the head is complete, and a body follows"
    COMPLETE = "the answer is complete"
    LAST_COMPLETE = "the answer is complete, and nothing after it could be trusted"
    EARLY_COMPLETE = "the answer is complete before the request is"
    SWITCH = "the server switches protocols"
    BREACH = "the server sends something that is not an answer, or that was not requested"
    END = "the server ends the connection"
    ABANDON = "the client leaves"
    CLOSE = "it is no longer needed"


class Act(Enum):
    """What devproxy does with the connection."""

    USE = "goes on"
    KEEP = "keeps it for another request"
    HAND_OVER = "makes it one end of a tunnel"
    CLOSE = "closes it"
    ABORT = "closes it at once"
    RESET = "resets it"


_ANSWER: Final = (State.HEAD, State.BODY)
_USED: Final = (State.AWAITING, *_ANSWER)

STEPS: Final[Mapping[tuple[State, Event], tuple[State, Act]]] = {
    (State.IDLE, Event.REQUEST): (State.AWAITING, Act.USE),
    (State.AWAITING, Event.FIRST_BYTES): (State.HEAD, Act.USE),
    (State.HEAD, Event.BODY_FOLLOWS): (State.BODY, Act.USE),
    **{(state, Event.COMPLETE): (State.IDLE, Act.KEEP) for state in _ANSWER},
    **{(state, Event.LAST_COMPLETE): (State.OVER, Act.CLOSE) for state in _ANSWER},
    **{(state, Event.EARLY_COMPLETE): (State.OVER, Act.RESET) for state in _ANSWER},
    (State.HEAD, Event.SWITCH): (State.OVER, Act.HAND_OVER),
    **{(state, Event.BREACH): (State.OVER, Act.ABORT) for state in (State.IDLE, *_ANSWER, State.OVER)},
    **{(state, Event.END): (State.OVER, Act.CLOSE) for state in (State.IDLE, State.OVER)},
    **{(state, Event.END): (State.OVER, Act.RESET) for state in _USED},
    **{(state, Event.ABANDON): (State.OVER, Act.RESET) for state in _USED},
    **{(state, Event.CLOSE): (State.OVER, Act.CLOSE) for state in (State.IDLE, State.OVER)},
}
"""What each event leads to: the next state, and what is done with the connection."""
