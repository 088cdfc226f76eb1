r"""A named pipe of Windows that only programs of the same person can talk to, and the note that tells them its name.

asyncio makes its pipes with the default access list: full access for their creator and administrators, and for everyone
else reading, which is enough to connect. So the list is not relied on:

- The name (``\\.\pipe\devproxy-…``) and two keys are random, and are written into a note in the person's own folder.
  Windows keeps other users out of ``%LOCALAPPDATA%``.
- A client sends the first key, a line, before anything else; without it the pipe says nothing and closes. So a user who
  found the name (pipes can be listed), here or from another machine, learns nothing.
- The pipe sends the second key before its answer, and a client believes no answer without it. So a program that makes a
  pipe with the name of one that is gone cannot pass for devproxy. As long as ours exists, none can be made: asyncio
  asks to be the first (FILE_FLAG_FIRST_PIPE_INSTANCE), and more of them need the creator's access.

Start at :class:`PipeEndpoint` and :func:`ask`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, Protocol, cast

from devproxy.platforms.private import make_folder

SUFFIX: Final = ".pipe"
KEY_LINE_BYTES: Final = 65
"""Of a key in hexadecimal form, with its line end."""
_PREFIX: Final = "\\\\.\\pipe\\devproxy-"
_BUSY: Final = 231
"""ERROR_PIPE_BUSY: the next instance is not there yet."""
_BUSY_PAUSE_S: Final = 0.02
_KEY_S: Final = 5.0
_MAX_NOTE_BYTES: Final = 4096


class Note(NamedTuple):
    """What a client has to know. ``asks`` and ``answers``: the key that it sends, and the one that it is sent."""

    name: str
    asks: str
    answers: str


def new_note() -> Note:
    """Return a note with a name and keys that are not used yet."""
    return Note(_PREFIX + os.urandom(16).hex(), os.urandom(32).hex(), os.urandom(32).hex())


def read_note(path: str) -> Note:
    """Return what the note at `path` says. Raises OSError, also for what is no note of a pipe on this machine."""
    with open(path, "rb") as file:
        text = file.read(_MAX_NOTE_BYTES)
    try:
        said = json.loads(text)
        note = Note(str(said["name"]), str(said["asks"]), str(said["answers"]))
    except (ValueError, KeyError, TypeError):
        raise OSError(0, f"{path} is no note of a pipe") from None
    if not note.name.startswith(_PREFIX):
        raise OSError(0, f"{path} names no pipe of devproxy")
    return note


class PipeLoop(Protocol):
    """What asyncio's loop on Windows has in addition to the others."""

    async def start_serving_pipe(self, factory: Callable[[], asyncio.Protocol], name: str) -> list[Any]:
        """Serve a named pipe; return what closes it."""


class PipeEndpoint:
    """The pipe of this process, announced by the note ``STEM.pipe`` in `folder`. ``path``: of the note."""

    def __init__(self, stem: str, folder: str) -> None:
        make_folder(folder)
        self.path = os.path.join(folder, f"{stem}{SUFFIX}")
        self._note = new_note()
        self._servers: list[Any] = []

    async def serve(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Talk to each client by a protocol of `factory`'s once it has shown its key. Raises OSError."""
        loop = cast("PipeLoop", asyncio.get_running_loop())
        note = self._note
        self._servers = await loop.start_serving_pipe(lambda: Doorkeeper(note, factory), note.name)
        draft = f"{self.path}.{os.urandom(4).hex()}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(note._asdict(), file)
            os.replace(draft, self.path)
        except OSError:
            with suppress(OSError):
                os.unlink(draft)
            self.close()
            raise

    def close(self) -> None:
        """Take the note away, and close the pipe."""
        with suppress(OSError):
            os.unlink(self.path)
        for server in self._servers:
            server.close()
        self._servers = []


class Doorkeeper(asyncio.Protocol):
    """Reads a client's key and hands it over to a protocol of `factory`'s; ends the connection of one without."""

    def __init__(self, note: Note, factory: Callable[[], asyncio.Protocol]) -> None:
        self._note = note
        self._factory = factory
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the key, for some seconds."""
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(_KEY_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what may be the key, or a part of it."""
        self._received += data
        key, rest = self._received[:KEY_LINE_BYTES], self._received[KEY_LINE_BYTES:]
        expected = f"{self._note.asks}\n".encode()
        if not hmac.compare_digest(key, expected[: len(key)]):
            self._transport.abort()
        elif len(key) == KEY_LINE_BYTES:
            self._timer.cancel()
            self._transport.write(f"{self._note.answers}\n".encode())
            inner = self._factory()
            self._transport.set_protocol(inner)
            inner.connection_made(self._transport)
            if rest:
                inner.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._timer.cancel()


def ask(path: str, question: bytes, timeout_s: float, most: int) -> bytes:
    """Send `question`, a line, to the pipe whose note is at `path`; return all that it answers, at most `most` bytes.

    Raises OSError: ConnectionRefusedError where its process is gone, TimeoutError after `timeout_s`.
    """
    note = read_note(path)
    found: SimpleQueue[bytes | OSError] = SimpleQueue()

    def talk() -> None:
        try:
            found.put(_exchange(note, question, timeout_s, most))
        except OSError as error:
            found.put(error)

    # In a thread: reading from a pipe has no time limit.
    Thread(target=talk, name="devproxy-ask", daemon=True).start()
    try:
        answer = found.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError(0, "no answer") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _exchange(note: Note, question: bytes, timeout_s: float, most: int) -> bytes:
    with _open(note.name, monotonic() + timeout_s) as pipe:
        _write(pipe, f"{note.asks}\n".encode() + question)
        received = bytearray()
        with suppress(BrokenPipeError):  # how the end of a pipe may be told
            while piece := pipe.read(65536):
                received += piece
                if len(received) > most + KEY_LINE_BYTES:
                    raise OSError(0, "the answer is too long")
    if not hmac.compare_digest(bytes(received[:KEY_LINE_BYTES]), f"{note.answers}\n".encode()):
        raise PermissionError(0, "another program has the pipe of a devproxy that is gone")
    return bytes(received[KEY_LINE_BYTES:])


def _open(name: str, until: float) -> Any:
    while True:
        try:
            return open(name, "r+b", buffering=0)  # closed by who asked for it
        except FileNotFoundError:
            raise ConnectionRefusedError(0, "its process is gone") from None
        except OSError as error:
            if getattr(error, "winerror", None) != _BUSY or monotonic() >= until:
                raise
            sleep(_BUSY_PAUSE_S)


def _write(pipe: Any, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]
