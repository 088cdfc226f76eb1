"""What other programs of the same person, and only they, can talk to: a Unix socket or, on Windows, a named pipe.

Each process that listens has a file in one folder, which is the socket or a note about the pipe. Start at
:func:`open_endpoint`, or at :func:`ask` for the other side.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final, Protocol

from devproxy.platforms.private import bind, check_folder, owner, path_of, runtime_folder
from devproxy.platforms.sockets import unix_socket
from devproxy.platforms.system import IS_WINDOWS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

SUFFIX: Final = ".pipe" if IS_WINDOWS else ".sock"


class Endpoint(Protocol):
    """What listens. ``path``: of its file."""

    path: str

    async def serve(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Talk to each client by a protocol of `factory`'s. Raises OSError."""

    def close(self) -> None:
        """Listen no more, and remove the file."""


def open_endpoint(stem: str, folder: str | None = None) -> Endpoint:
    """Return what listens under the name `stem`. Raises OSError where the system gives no place for it."""
    if IS_WINDOWS:
        from devproxy.platforms.pipes import PipeEndpoint

        return PipeEndpoint(stem, runtime_folder() if folder is None else folder)
    return SocketEndpoint(stem, folder)


class SocketEndpoint:
    """The Unix socket ``STEM.sock``, which listens from now on."""

    def __init__(self, stem: str, folder: str | None) -> None:
        name = f"{stem}{SUFFIX}"
        self.path = path_of(name, folder=folder)
        self._socket = bind(name, folder=folder)
        self._server: asyncio.AbstractServer | None = None

    async def serve(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """See :class:`Endpoint`."""
        import asyncio

        self._server = await asyncio.get_running_loop().create_unix_server(factory, sock=self._socket)

    def close(self) -> None:
        """See :class:`Endpoint`."""
        if self._server is not None:
            self._server.close()
        else:
            self._socket.close()
        with suppress(OSError):
            os.unlink(self.path)


def endpoints(folder: str | None = None) -> list[str]:
    """Return the paths of what listens in the folder, or did, in a stable order. Raises OSError."""
    place = runtime_folder() if folder is None else folder
    check_folder(place, owner())
    names = sorted(name for name in os.listdir(place) if name.endswith(SUFFIX))
    return [os.path.join(place, name) for name in names if name.removesuffix(SUFFIX).isdecimal()]


def ask(path: str, question: bytes, timeout_s: float, most: int) -> bytes:
    """Send `question`, a line, to what has its file at `path`; return all that it answers, at most `most` bytes.

    `timeout_s`: for each step. Raises OSError; ConnectionRefusedError where its process is gone.
    """
    if IS_WINDOWS:
        from devproxy.platforms.pipes import ask as ask_pipe

        return ask_pipe(path, question, timeout_s, most)
    with closing(connect(path, timeout_s)) as sock:
        sock.sendall(question)
        received = bytearray()
        while piece := sock.recv(65536):
            received += piece
            if len(received) > most:
                raise OSError(0, "the answer is too long")
    return bytes(received)


def connect(path: str, timeout_s: float) -> socket.socket:
    """Return a connection to the Unix socket at `path`. Raises OSError."""
    sock = unix_socket()
    try:
        sock.settimeout(timeout_s)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def remove_stale(path: str) -> None:
    """Remove the file at `path`, whose process is gone, and what the inspector of the same process has left."""
    for one in (path, f"{path.removesuffix(SUFFIX)}.inspector{SUFFIX}"):
        with suppress(OSError):
            os.unlink(one)
