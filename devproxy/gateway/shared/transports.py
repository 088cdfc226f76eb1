"""Small facts about transports that asyncio leaves to its users."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from devproxy.platforms.sockets import BUFFER_LOCK, LINGER_0, read_rest

if TYPE_CHECKING:
    import asyncio

    from devproxy.gateway.shared.seam import ByteStream

OUT_OF_DESCRIPTORS: Final = frozenset((errno.EMFILE, errno.ENFILE))
"""This process, or the machine, has no file descriptor left."""

WRITE_HIGH_WATER_BYTES: Final = 16 * 1024
"""Bytes in a write buffer from which the other side is no longer read.

Little: what is written waits here only when the system has taken all that it wants, which is enough for a peer that
reads to go on with. uvloop keeps the whole piece for what is left of it, so a second one is not to come.
"""

_LITTLE_SENT_BYTES: Final = 64 * 1024
_LITTLE_RECEIVED_BYTES: Final = 128 * 1024
"""Twice a segment of loopback: a sender whose segment does not fit what is announced waits for a fifth of a second."""

_LAST_WORDS_BYTES: Final = 256 * 1024


def set_limits(transport: asyncio.Transport) -> None:
    """Bound the write buffer of `transport`."""
    transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)


def limit_buffers(transport: ByteStream) -> None:
    """Have the system keep little of what is sent by `transport` and of what comes; left alone it keeps megabytes."""
    _set_option(transport, socket.SO_SNDBUF, _LITTLE_SENT_BYTES)
    _set_option(transport, socket.SO_RCVBUF, _LITTLE_RECEIVED_BYTES)


def unlimit_buffers(transport: ByteStream) -> None:
    """Let the system choose again how much it keeps (Linux from 5.14 on; elsewhere it keeps what it was told to)."""
    if BUFFER_LOCK is not None:
        _set_option(transport, BUFFER_LOCK, 0)


def keep_alive(transport: ByteStream) -> None:
    """Have the system ask from time to time (two hours by default) whether the peer is still there.

    A machine that is gone without a word is not missed otherwise by a connection on which nothing is sent.
    """
    _set_option(transport, socket.SO_KEEPALIVE, 1)


def _set_option(transport: ByteStream, option: int, value: int | bytes) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, value)


def peer_name(transport: ByteStream) -> str:
    """Return the IP address at the other end, or ``unix`` where it has none."""
    name = transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else "unix"


def connected_to_itself(transport: ByteStream) -> bool:
    """Tell whether both ends are one socket, as can happen at a free port of those that the system gives out."""
    return bool(transport.get_extra_info("sockname") == transport.get_extra_info("peername"))


def descriptor_of(transport: ByteStream) -> int:
    """Return the number of the file descriptor, -1 where there is none. As the lowest free one is given out, a high
    number says that all below it are in use.
    """
    sock = transport.get_extra_info("socket")
    return -1 if sock is None else int(sock.fileno())


def end_writing(transport: ByteStream) -> bool:
    """Say that nothing more will be written (FIN); False where the transport cannot, or its peer is gone."""
    if transport.is_closing() or not transport.can_write_eof():
        return False
    try:
        transport.write_eof()
    except OSError:
        return False
    return True


def reset(transport: ByteStream) -> None:
    """End the connection with a reset, so that the other end cannot mistake what it has for everything.

    A plain close (FIN) would complete a body that is delimited by the end of its connection (RFC 9112 section 8).
    """
    _set_option(transport, socket.SO_LINGER, LINGER_0)
    transport.abort()


def last_words(transport: ByteStream) -> bytes:
    """Return what the peer sent before its connection broke under our writing; only from ``connection_lost``.

    A server that answers 413 in mid-upload and closes makes our next write fail, and the event loop then drops the
    connection although the answer waits in the kernel's buffer.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("sslcontext") is not None:
        return b""
    return read_rest(sock, _LAST_WORDS_BYTES)
