"""The serving side of the runtime socket: answers what other programs of the same person ask a running devproxy.

One question for each connection, a line of JSON (``{"ask": "about"}``), and one answer, a line of JSON as well. The
socket is in a folder that no other user can look into, so what can ask may know. Start at :class:`RuntimeSocket`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from devproxy.running.folder import make_folder, owner, runtime_folder

MAX_QUESTION_BYTES: Final = 4096
QUESTION_S: Final = 5.0
"""How long a program may take to ask."""

Answers = Mapping[str, Callable[[], dict[str, Any]]]
"""What gives the answer to each question, by its name. Called in the loop's thread; must return at once."""


def bind_private(name: str, *, folder: str | None = None) -> socket.socket:
    """Return a listening, non-blocking Unix socket called `name` in the runtime folder, for its owner alone.

    It gets its name when it listens already, so that one that refuses is stale. Raises OSError.
    """
    place = runtime_folder() if folder is None else folder
    make_folder(place)
    path, draft = os.path.join(place, name), os.path.join(place, f".{name}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        sock.bind(draft)
        os.chmod(draft, 0o600)
        if owner() != os.geteuid():
            os.chown(draft, owner(), -1, follow_symlinks=False)
        sock.listen(16)
        sock.setblocking(False)
        os.rename(draft, path)
    except OSError:
        sock.close()
        raise
    return sock


def path_of(name: str, *, folder: str | None = None) -> str:
    """Return where :func:`bind_private` puts the socket called `name`."""
    return os.path.join(runtime_folder() if folder is None else folder, name)


class RuntimeSocket:
    """The socket of this process while it serves; gives `answers`. Close it at the end: that removes the file."""

    def __init__(self, answers: Answers, *, folder: str | None = None) -> None:
        self._answers = answers
        name = f"{os.getpid()}.sock"
        self._path = path_of(name, folder=folder)
        self._socket = bind_private(name, folder=folder)
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        """Begin to answer."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Conversation(self._answers), sock=self._socket)

    def close(self) -> None:
        """Answer no more, and remove the file."""
        if self._server is not None:
            self._server.close()
        else:
            self._socket.close()
        with suppress(OSError):
            os.unlink(self._path)


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
