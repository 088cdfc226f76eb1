"""A session of Engine.IO that is replayed over polling: polls are held until it is the server's turn, as a server does.

Its heartbeat is a live one. Start at :meth:`LiveSession.poll`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from devproxy.recordings.model import Answer
from devproxy.recordings.turns import Script, Session, Turns, asks_for_pong, beat, named

if TYPE_CHECKING:
    import asyncio

_PLAIN: Final = (b"Content-Type: text/plain; charset=UTF-8",)
_CLOSE: Final = b"1"


class Asker(Protocol):
    """A connection on which a poll waits."""

    def give(self, answer: Answer) -> None:
        """Answer it."""


class LiveSession:
    """One client's session, called `sid`, replayed as `session` was. ``eio``: the version of the protocol.

    ``ping_s``: how often its client is asked for a sign of life.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sid: bytes, session: Session) -> None:
        self._loop = loop
        self.sid = sid
        self.eio = session.eio
        self.ping_s = session.ping_s
        self._turns = Turns(session.polls)
        self._scripts = iter(session.sockets)
        self._held: Asker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_moving = False

    def poll(self, asker: Asker) -> None:
        """Answer a poll when there is something to say; only one waits at a time."""
        self._release("noop")
        if self._is_moving:
            asker.give(self._beat("noop"))
            return
        self._held = asker
        if not self._speak() and self.eio >= 4:
            self._timer = self._loop.call_later(self.ping_s, self._release, "ping")

    def hear(self, count: int, body: bytes) -> None:
        """Take note of `count` messages of the client in `body`, that of a POST."""
        self._turns.hear(count)
        if self._speak():
            return
        if asks_for_pong(body, self.eio):
            self._release("pong")
        elif body == _CLOSE:
            self._release("noop")

    def next_script(self) -> Script | None:
        """Return what the next WebSocket of this session says; None: it had no more."""
        return next(self._scripts, None)

    def move(self) -> None:
        """The client tries a WebSocket, and waits for the end of its poll before it takes that."""
        self._is_moving = True
        self._release("noop")

    def forget(self, asker: object) -> None:
        """The connection of `asker` has ended."""
        if self._held is asker:
            self._rest()

    def _speak(self) -> bool:
        """Answer the poll that waits, if it is the server's turn; tell whether it was."""
        if self._held is None or (answer := self._turns.say()) is None:
            return False
        asker = self._rest()
        if asker is not None:
            asker.give(answer._replace(body=named(answer.body, self.sid)))
        return True

    def _release(self, kind: str) -> None:
        """Answer the poll that waits, if one does, with a heartbeat."""
        asker = self._rest()
        if asker is not None:
            asker.give(self._beat(kind))

    def _rest(self) -> Asker | None:
        """Hold nothing any more; return what was held."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asker, self._held = self._held, None
        return asker

    def _beat(self, kind: str) -> Answer:
        return Answer(200, b"OK", _PLAIN, beat(kind, self.eio))
