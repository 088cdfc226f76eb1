"""What a recording holds, as values."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """An answer as it is given again. ``fields``: lines without those that concern a connection, and no length.

    ``body``: with the coding that ``fields`` name, if any.
    """

    status: int
    reason: bytes
    fields: tuple[bytes, ...]
    body: bytes

    @property
    def is_stream(self) -> bool:
        """Whether it is an event stream, which does not end when what was recorded has been sent."""
        return any(line.lower().startswith(b"content-type: text/event-stream") for line in self.fields)


class Message(NamedTuple):
    """A message of a WebSocket. ``is_sent``: by the client, else by the server. ``at``: in seconds since the epoch."""

    is_sent: bool
    is_text: bool
    data: bytes
    at: float = 0.0


class Entry(NamedTuple):
    """A request with its answer. ``target``: path and query. ``number``: its place in the file, from 1.

    ``lacks``: why it cannot be given again, in words that go on after "was recorded"; empty: it can.
    ``range``: what of the body was asked for, where the answer is a part of it. ``sent``: the request's body, as far
    as it is known. ``began``, ``ended``: in seconds since the epoch. ``messages``: of a WebSocket.
    """

    number: int
    method: bytes
    target: bytes
    answer: Answer
    lacks: str = ""
    range: bytes = b""
    sent: bytes | None = None
    began: float = 0.0
    ended: float = 0.0
    messages: tuple[Message, ...] = ()


class Recording(NamedTuple):
    """What a file holds. ``notices``: sentences on what of it is not given again."""

    entries: tuple[Entry, ...]
    notices: tuple[str, ...] = ()
