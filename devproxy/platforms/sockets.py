"""What one can ask of a socket, which every system has another word for.

Start at :func:`look` and :func:`read_rest`.
"""

from __future__ import annotations

import array
import errno
import os
import select
import socket
import struct
from contextlib import suppress
from enum import Enum, auto
from typing import Any, Final

from devproxy.platforms.system import IS_LINUX, IS_WINDOWS

LINGER_0: Final = struct.pack("hh" if IS_WINDOWS else "ii", 1, 0)
"""The value of SO_LINGER with which closing resets the connection."""

BUFFER_LOCK: Final = 72 if IS_LINUX else None
"""SO_BUF_LOCK of socket(7), Linux from 5.14 on; Python has no name for it. 0 lets the system choose buffers again."""

DENIED: Final = (
    "Windows keeps this port for itself, or a program has it for its own "
    "(`netsh interface ipv4 show excludedportrange protocol=tcp` lists what it keeps)"
    if IS_WINDOWS
    else "this port needs more rights (ports below 1024 are reserved)"
)
"""Why a port cannot be had (EACCES)."""

_POLLRDHUP: Final[int] = getattr(select, "POLLRDHUP", 0)
"""Only Linux reports an end after bytes that have not been read yet; elsewhere only a reset is seen."""


class PeerState(Enum):
    """What the system knows of a peer."""

    THERE = auto()
    """It may still send."""
    FINISHED = auto()
    """Its end follows bytes that have not been read yet. It may still take an answer."""
    GONE = auto()
    """It has reset the connection."""


def look(descriptor: int) -> PeerState:
    """Return what is known of the peer of the socket `descriptor`, without reading; ``THERE`` where nothing is."""
    if not hasattr(select, "poll"):  # Windows
        return PeerState.THERE
    poller = select.poll()
    poller.register(descriptor, _POLLRDHUP)
    events = sum(found for _, found in poller.poll(0))
    if events & (select.POLLERR | select.POLLHUP):
        return PeerState.GONE
    return PeerState.FINISHED if events & _POLLRDHUP else PeerState.THERE


def unread_bytes(descriptor: int) -> int:
    """Return how many bytes wait in the system for the reader of a socket whose peer is ``FINISHED``.

    Windows, where :func:`look` never says that, has no such question: 0.
    """
    try:
        import fcntl
        import termios
    except ImportError:
        return 0
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def read_rest(sock: Any, most: int) -> bytes:
    """Return what waits in the system for the reader of `sock`, a transport's; at most `most` bytes and some more.

    The event loop does not read any longer.
    """
    words: list[bytes] = []
    size = 0
    with suppress(OSError):
        twin = sock.dup() if IS_WINDOWS else None  # a socket is no file there, and a transport's own cannot be read
        try:
            while size < most and (data := os.read(sock.fileno(), most) if twin is None else twin.recv(most)):
                words.append(data)
                size += len(data)
        finally:
            if twin is not None:
                twin.close()
    return b"".join(words)


def may_follow(sock: socket.socket) -> None:
    """Let a listening `sock` take a port whose last connections are not forgotten yet.

    Windows lets it anyway. There SO_REUSEADDR would let any program take the port over, and SO_EXCLUSIVEADDRUSE would
    keep devproxy itself from it after a restart.
    """
    if not IS_WINDOWS:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def share(sock: socket.socket, *, is_shared: bool) -> None:
    """Let other sockets of this process bind an address that overlaps with that of `sock`, or no longer.

    Windows lets them anyway, as long as the addresses are not the same.
    """
    if hasattr(socket, "SO_REUSEPORT"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)


def unix_socket() -> socket.socket:
    """Return a new Unix socket. Raises OSError where this Python has none."""
    if not hasattr(socket, "AF_UNIX"):
        raise no_unix_sockets()
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def no_unix_sockets() -> OSError:
    """Return what to raise where this Python has no Unix sockets."""
    return OSError(errno.EAFNOSUPPORT, "Python has no Unix sockets on Windows: have the server listen on a port")


_NUMBERS: Final = {
    64: errno.ECONNRESET,  # ERROR_NETNAME_DELETED
    121: errno.ETIMEDOUT,  # ERROR_SEM_TIMEOUT
    1225: errno.ECONNREFUSED,
    1231: errno.ENETUNREACH,
    1232: errno.EHOSTUNREACH,
    1236: errno.ECONNABORTED,
}
"""What the proactor of Windows gives for what sockets have numbers of their own for (winerror.h)."""


def number_of(error: OSError) -> int:
    """Return the ``errno`` of what happened at a connection; 0 where there is none."""
    return _NUMBERS.get(getattr(error, "winerror", None) or 0) or error.errno or 0


def words_of(error: OSError) -> str:
    """Return what happened, in the system's words and lower case: asyncio often says what it did instead."""
    number = number_of(error)
    if IS_WINDOWS or number <= 0:
        return (error.strerror or str(error)).lower()
    return os.strerror(number).lower()
