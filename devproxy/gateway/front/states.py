"""What a client's connection can be doing, and what happens to it: the table of its states.

Values alone: :mod:`devproxy.gateway.front.client` does what is decided here. A pair that the table lacks cannot happen.
``docs/closing.md`` shows the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

LINGER_S: Final = 2.0
MAX_LINGER_BYTES: Final = 64 * 1024 * 1024


class State(Enum):
    """What a client's connection is doing. ``LINGERING``: what still arrives is thrown away (RFC 9112 section 9.6)."""

    IDLE = "idle"
    HEAD = "sending a head"
    EXCHANGE = "being answered"
    WAITING = "waiting for the next turn"
    LINGERING = "lingering"
    OVER = "over"


class Event(Enum):
    """What happens to it."""

    HEAD_BEGINS = "a head comes, and not all of it"
    REQUEST = "the head of a request is complete"
    NO_REQUEST = "what comes is not a request"
    ANSWERED = "its answer is complete"
    ANSWERED_BUSY = "its answer is complete, and it has sent more or has not read all of the answer yet"
    TURN = "its turn has come"
    LAST_ANSWERED = "its answer is complete, and no other will follow"
    STOP_ANSWERED = "its answer is complete, devproxy stops, and nothing that it sent is unread"
    SWITCH = "the server switches protocols"
    CUT_SHORT = "its answer ends too early"
    CUT_SHORT_UNSEEN = "its answer ends too early, which closing would hide or a reset has caused"
    END = "it ends its sending side"
    HALF_CLOSE = "it ends its sending side after a complete request"
    LEAVE = "it leaves"
    FLOOD = "it still sends 64 MiB"
    TIME_OUT = "its time is over"
    STOP = "devproxy stops, or the server has ended a connection that was logged in"
    CUT = "devproxy stops and no longer waits"
    LOSS = "its connection is gone"


class Act(Enum):
    """What devproxy does with the connection."""

    USE = "goes on"
    HURRY = "gives it `head_timeout_s` for the rest"
    LAST = "closes it with the answer"
    HAND_OVER = "makes it one end of a tunnel"
    LINGER = "ends its own side, and reads on for at most 2 s"
    CLOSE = "closes it"
    ABORT = "closes it at once"
    RESET = "resets it"
    FORGET = "resets what it was being answered by"


_BETWEEN: Final = (State.IDLE, State.WAITING)
_REQUESTED: Final = (State.IDLE, State.HEAD)

STEPS: Final[Mapping[tuple[State, Event], tuple[State, Act]]] = {
    (State.IDLE, Event.HEAD_BEGINS): (State.HEAD, Act.HURRY),
    **{(state, Event.REQUEST): (State.EXCHANGE, Act.USE) for state in _REQUESTED},
    **{(state, Event.NO_REQUEST): (State.LINGERING, Act.LINGER) for state in _REQUESTED},
    (State.EXCHANGE, Event.ANSWERED): (State.IDLE, Act.USE),
    (State.EXCHANGE, Event.ANSWERED_BUSY): (State.WAITING, Act.USE),
    (State.WAITING, Event.TURN): (State.IDLE, Act.USE),
    (State.EXCHANGE, Event.LAST_ANSWERED): (State.LINGERING, Act.LINGER),
    (State.EXCHANGE, Event.STOP_ANSWERED): (State.OVER, Act.CLOSE),
    (State.EXCHANGE, Event.SWITCH): (State.OVER, Act.HAND_OVER),
    (State.EXCHANGE, Event.CUT_SHORT): (State.OVER, Act.CLOSE),
    (State.EXCHANGE, Event.CUT_SHORT_UNSEEN): (State.OVER, Act.RESET),
    **{(state, Event.END): (State.OVER, Act.CLOSE) for state in State if state is not State.EXCHANGE},
    (State.EXCHANGE, Event.HALF_CLOSE): (State.EXCHANGE, Act.USE),
    (State.WAITING, Event.HALF_CLOSE): (State.WAITING, Act.USE),
    **{(state, Event.LEAVE): (State.OVER, Act.ABORT) for state in (State.EXCHANGE, State.WAITING)},
    (State.LINGERING, Event.FLOOD): (State.OVER, Act.ABORT),
    (State.HEAD, Event.TIME_OUT): (State.LINGERING, Act.LINGER),
    **{(state, Event.TIME_OUT): (State.OVER, Act.CLOSE) for state in (*_BETWEEN, State.LINGERING, State.OVER)},
    **{(state, Event.STOP): (State.OVER, Act.CLOSE) for state in (*_BETWEEN, State.HEAD, State.OVER)},
    (State.EXCHANGE, Event.STOP): (State.EXCHANGE, Act.LAST),
    (State.LINGERING, Event.STOP): (State.LINGERING, Act.USE),
    **{(state, Event.CUT): (State.OVER, Act.ABORT) for state in (*_BETWEEN, State.HEAD, State.LINGERING)},
    **{(state, Event.CUT): (State.OVER, Act.RESET) for state in (State.EXCHANGE, State.OVER)},
    **{(state, Event.LOSS): (State.OVER, Act.FORGET) for state in State},
}
"""What each event leads to: the next state, and what is done with the connection."""
