"""Listening sockets: bound first, before anything slow is imported, so that a browser never meets a closed port.

Imports neither asyncio nor uvloop. Start at :func:`bind`.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from devproxy.authority.hosts import authority
from devproxy.authority.networks import address_of
from devproxy.config.model import Listen
from devproxy.errors import BindError
from devproxy.platforms.holders import holder_of
from devproxy.platforms.sockets import DENIED, may_follow, share

BACKLOG: Final = 1024
_PORT_0_ATTEMPTS: Final = 20

PORT_TAKEN: Final = "the port is taken"
_REASONS: Final = {
    errno.EADDRINUSE: PORT_TAKEN,
    errno.EACCES: DENIED,
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


def bind(listens: Sequence[Listen]) -> list[socket.socket]:
    """Return listening, non-blocking sockets for `listens`: for a name, one for each of its loopback addresses.

    ``localhost`` is 127.0.0.1 and ::1 with the same port, also for port 0; a machine without IPv6 gets the first alone.
    The sockets come in the order of `listens`. Raises :class:`BindError` for the first address that cannot be had;
    nothing stays bound then.
    """
    bound: list[socket.socket] = []
    try:
        for listen in listens:
            bound += _bind_one(listen)
    except BindError:
        for sock in bound:
            sock.close()
        raise
    return bound


def bind_beside(listen: Listen, old: Sequence[socket.socket]) -> list[socket.socket]:
    """Return what :func:`bind` does for one address, even where it overlaps with `old`, sockets of this process.

    ``127.0.0.1:8080`` and ``:8080`` exclude each other unless both have SO_REUSEPORT. They have it for the moment of
    binding only: any program of the same user that sets it too could take the port as well. Windows has no such thing,
    and lets them overlap anyway. Raises :class:`BindError`.
    """
    with _sharing([sock for sock in old if sock.getsockname()[1] == listen.port]) as is_shared:
        bound = _bind_one(listen, is_shared=is_shared)
        for sock in bound:
            share(sock, is_shared=False)
    return bound


@contextmanager
def _sharing(sockets: Sequence[socket.socket]) -> Iterator[bool]:
    """Let others bind the addresses of `sockets` meanwhile; yields whether there are any."""
    for sock in sockets:
        share(sock, is_shared=True)
    try:
        yield bool(sockets)
    finally:
        for sock in sockets:
            share(sock, is_shared=False)


def _bind_one(listen: Listen, *, is_shared: bool = False) -> list[socket.socket]:
    if listen.host == "localhost":
        return _bind_localhost(listen.port, is_shared=is_shared)
    if not listen.host:
        return [_bind_every_address(listen.port, is_shared=is_shared)]
    family, address = _resolve(listen)
    return [_open(family, address, listen.port, is_shared=is_shared)]


def _bind_localhost(port: int, *, is_shared: bool) -> list[socket.socket]:
    """Bind both loopback addresses to one port; a system-chosen port must be free on both."""
    for _ in range(_PORT_0_ATTEMPTS):
        first = _open(socket.AF_INET, "127.0.0.1", port, is_shared=is_shared)
        try:
            second = _open(socket.AF_INET6, "::1", first.getsockname()[1], is_shared=is_shared)
        except BindError as error:
            if error.reason != _REASONS[errno.EADDRINUSE]:
                return [first]
            first.close()
            if port:
                raise
            continue
        return [first, second]
    raise BindError("localhost:0", "no port is free on both 127.0.0.1 and ::1")


def _bind_every_address(port: int, *, is_shared: bool) -> socket.socket:
    """Bind the IPv6 wildcard for both families, or the IPv4 one where IPv6 is missing."""
    try:
        return _open(socket.AF_INET6, "::", port, both_families=True, is_shared=is_shared)
    except BindError as error:
        if error.reason == _REASONS[errno.EADDRINUSE]:
            raise
        return _open(socket.AF_INET, "0.0.0.0", port, is_shared=is_shared)


def _resolve(listen: Listen) -> tuple[int, str]:
    is_6, written = ":" in listen.host, address_of(listen.host)
    # To ask for what is an address would load the codec for names, with all of Unicode: half a MiB.
    if written is not None and "%" not in listen.host and (written.version == 6) == is_6:
        return socket.AF_INET6 if is_6 else socket.AF_INET, str(written)
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BindError(f"{listen.host}:{listen.port}", f"the name does not resolve ({error.strerror})") from None
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _open(
    family: int, address: str, port: int, *, both_families: bool = False, is_shared: bool = False
) -> socket.socket:
    shown = authority(address, port)
    try:
        # asyncio sends small pieces at once (TCP_NODELAY) only if the socket says that it is TCP.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise BindError(shown, error.strerror or str(error)) from None
    try:
        may_follow(sock)
        # Inherited by every client: one whose machine disappears does not keep its tunnel forever.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        share(sock, is_shared=is_shared)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both_families else 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise BindError(shown, reason, find_holder(port) if error.errno == errno.EADDRINUSE else "") from None
    return sock


def find_holder(port: int) -> str:
    """Return who listens on TCP `port`, such as ``node (pid 4242)``, or "" where the system does not tell."""
    holder = holder_of(port)
    return "" if holder is None else f"{holder.name} (pid {holder.pid})"
