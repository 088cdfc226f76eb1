"""Engine.IO sessions over long-polling: each has a poll open that is answered when its POST comes."""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import Final

from bench.clients.exchange import Asks
from bench.clients.requests import Requests
from bench.load import Done
from bench.streams import NOOP
from bench.traffic import poll_request

AT_ONCE: Final = 32
"""Sessions whose POST is on its way at a time. All the others wait in their polls, as sessions do most of the time."""


LONGEST: Final = 300
"""Bytes of a packet: 1 to so many, in turns."""


class Polling(Requests):
    """`sessions` sessions with a connection for polls and one for POSTs each; units are cycles.

    A cycle: the session POSTs a packet, which its server gives back as the answer of the poll that has been waiting;
    the session polls again, and it is another one's turn.
    """

    def __init__(self, port: int, sessions: int) -> None:
        super().__init__(port, 2 * sessions)
        self.waiting: deque[Session] = deque()
        self.count = 0
        self.deadline = 0.0

    async def open(self) -> None:
        """Connect, and have a poll of every session open."""
        await super().open()
        pairs = zip(self.exchanges[::2], self.exchanges[1::2], strict=True)
        self.waiting.extend(Session(self, secrets.token_urlsafe(15), *pair) for pair in pairs)
        for session in self.waiting:
            session.poll()

    async def run(self, seconds: float) -> Done:
        """Go round the sessions until `seconds` are over."""
        started = time.monotonic()
        self.deadline = started + seconds
        for _ in range(min(AT_ONCE, len(self.waiting))):
            self.waiting.popleft().send()
        await self.until_over()
        return Done(self.count, time.monotonic() - started)

    def turn(self, session: Session) -> None:
        """Count the cycle of `session`, and let the one that has waited longest begin."""
        self.count += 1
        if time.monotonic() >= self.deadline:
            self.finish()
            return
        self.waiting.append(session)
        self.waiting.popleft().send()


class Session:
    """One session and what is still missing of its cycle."""

    def __init__(self, polling: Polling, sid: str, polls: Asks, posts: Asks) -> None:
        self._polling = polling
        self._sid = sid
        self._polls = polls
        self._posts = posts
        self._count = 0
        self._packet = b""
        self._missing = 0

    def poll(self) -> None:
        """Wait for a packet."""
        self._polls.ask(poll_request(self._sid, stamp=f"p{self._count:x}"), self._received)

    def send(self) -> None:
        """Begin a cycle."""
        self._count += 1
        self._missing = 2
        text = b'42["message","%b %d"]' % (self._sid.encode(), self._count)
        self._packet = (text * LONGEST)[: 1 + self._count * 97 % LONGEST]
        self._posts.ask(poll_request(self._sid, body=self._packet, stamp=f"s{self._count:x}"), self._sent)

    def _received(self, _head: bytes, body: bytes) -> None:
        if body == NOOP:
            self.poll()
            return
        self._polling.check(is_right=body == self._packet, what=f"the poll was answered {body!r}")
        self._step()

    def _sent(self, _head: bytes, body: bytes) -> None:
        self._polling.check(is_right=body == b"ok", what=f"the POST was answered {body!r}")
        self._step()

    def _step(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.poll()
            self._polling.turn(self)
