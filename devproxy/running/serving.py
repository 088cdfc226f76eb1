"""The serving side of the runtime socket: answers what other programs of the same person ask a running devproxy.

One question for each connection, a line of JSON (``{"ask": "about"}``), and one answer, a line of JSON as well. The
socket is in a folder that no other user can look into, so what can ask may know; on Windows it is a named pipe
(:mod:`devproxy.platforms.endpoints`). Start at :class:`RuntimeSocket`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from devproxy.platforms.endpoints import open_endpoint

MAX_QUESTION_BYTES: Final = 4096
QUESTION_S: Final = 5.0
"""How long a program may take to ask."""

Answers = Mapping[str, Callable[[], dict[str, Any]]]
"""What gives the answer to each question, by its name. Called in the loop's thread; must return at once."""


class RuntimeSocket:
    """The socket of this process while it serves; gives `answers`. Close it at the end: that removes the file."""

    def __init__(self, answers: Answers, *, folder: str | None = None) -> None:
        self._answers = answers
        self._endpoint = open_endpoint(str(os.getpid()), folder)

    async def start(self) -> None:
        """Begin to answer. Raises OSError."""
        await self._endpoint.serve(lambda: _Conversation(self._answers))

    def close(self) -> None:
        """Answer no more, and remove the file."""
        self._endpoint.close()


class _Conversation(asyncio.Protocol):
    """One question and its answer."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(QUESTION_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._asked += data
        question, end, _ = self._asked.partition(b"\n")
        if end or len(self._asked) > MAX_QUESTION_BYTES:
            self._transport.write(_answer(question, self._answers))
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()


def _answer(question: bytes, answers: Answers) -> bytes:
    import json  # some milliseconds that a start need not wait for

    try:
        asked = json.loads(question)
        name = asked.get("ask") if isinstance(asked, dict) else None
    except (ValueError, RecursionError):
        name = None
    give = answers.get(name) if isinstance(name, str) else None
    said = {"error": "unknown question", "known": sorted(answers)} if give is None else give()
    return json.dumps(said).encode() + b"\n"
