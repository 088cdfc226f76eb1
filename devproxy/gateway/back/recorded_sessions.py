"""A session of Engine.IO that is replayed: it speaks over the transport that its client has chosen, in its turn.

Polls are held until then, as a server does; the heartbeat is a live one. Start at :meth:`LiveSession.poll`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from devproxy.realtime.packets import Packet
from devproxy.recordings.model import Answer
from devproxy.recordings.turns import Session, Turns, asks_for_pong, named, payload_of

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
        self._sid = sid.decode("latin-1")
        self.eio = session.eio
        self.ping_s = session.ping_s
        self._turns = Turns(session.script)
        self._held: Asker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._say: Callable[[Packet], None] | None = None
        self._is_moving = False

    def poll(self, asker: Asker) -> None:
        """Answer a poll when there is something to say; only one waits at a time."""
        self._release("noop")
        if self._is_moving:
            asker.give(self._answer([Packet("noop", "")]))
            return
        self._held = asker
        self.speak()
        if self._held is asker and self.eio >= 4:
            self._timer = self._loop.call_later(self.ping_s, self._release, "ping")

    def post(self, count: int, body: bytes) -> None:
        """Take note of `count` messages of the client in `body`, that of a POST."""
        self.hear(count)
        if asks_for_pong(body, self.eio):
            self._release("pong")
        elif body == _CLOSE:
            self._release("noop")

    def hear(self, count: int = 1) -> None:
        """Take note of `count` messages of the client, and answer them."""
        self._turns.hear(count)
        self.speak()

    def move(self) -> None:
        """The client tries a WebSocket, and waits for the end of its poll before it takes that."""
        self._is_moving = True
        self._release("noop")

    def move_to(self, say: Callable[[Packet], None]) -> None:
        """Speak by `say` from now on: the client has taken its WebSocket."""
        self._say = say
        self.speak()

    def forget(self, asker: object) -> None:
        """The connection of `asker` has ended."""
        if self._held is asker:
            self._rest()

    def speak(self) -> None:
        """Say all that it is the server's turn to say, if the client can be reached."""
        if self._say is None and self._held is None:
            return
        packets = []
        while (packet := self._turns.say()) is not None:
            packets.append(named(packet, self._sid))
        if self._say is not None:
            for packet in packets:
                self._say(packet)
        elif packets and (asker := self._rest()) is not None:
            asker.give(self._answer(packets))

    def _release(self, kind: str) -> None:
        """Answer the poll that waits, if one does, with a heartbeat."""
        asker = self._rest()
        if asker is not None:
            asker.give(self._answer([Packet(kind, "")]))

    def _rest(self) -> Asker | None:
        """Hold nothing any more; return what was held."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asker, self._held = self._held, None
        return asker

    def _answer(self, packets: list[Packet]) -> Answer:
        return Answer(200, b"OK", _PLAIN, payload_of(packets, self.eio))
