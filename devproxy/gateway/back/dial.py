"""Opening connections to upstream servers: every name resolved each time, both families tried (RFC 8305).

A dev server that listens on ``localhost`` may be reachable on ::1 alone or on 127.0.0.1 alone; whichever answers is
remembered as the first to try next time. Names below ``localhost`` are this machine too (RFC 6761 section 6.3), and no
resolver is asked about them: many don't know them. Start at :meth:`Dialler.dial`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Final

from devproxy.authority.hosts import LOOPBACK_ADDRESSES, authority
from devproxy.authority.networks import address_of, is_this_machine
from devproxy.config.model import Scheme, ServerAddress
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.gateway.back.tls import tls_context
from devproxy.gateway.shared.transports import OUT_OF_DESCRIPTORS

ATTEMPT_DELAY_S: Final = 0.25
"""RFC 8305 section 5: how long one address may be silent before the next is tried in parallel."""

_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "address not available",
    errno.ETIMEDOUT: "timed out",
    errno.ENOENT: "no such socket file",
    errno.ECONNRESET: "connection reset",
    errno.EMFILE: "no file descriptor left",
    errno.ENFILE: "no file descriptor left on this machine",
}
_REFUSED: Final = frozenset((errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET))


class Dialler:
    """Opens connections to one server. Remembers which of its addresses answered last, and nothing else."""

    __slots__ = ("_lookup", "_loop", "_preferred", "_server", "_timeout_s", "_tls", "_tls_name")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: ServerAddress, *, timeout_s: float, verify: bool
    ) -> None:
        self._loop = loop
        self._server = server
        self._timeout_s = timeout_s
        self._tls = tls_context(verify) if server.scheme is Scheme.HTTPS else None
        # Without a final dot, which neither SNI (RFC 6066 section 3) nor certificates have.
        self._tls_name = server.host.removesuffix(".") if self._tls else None
        self._preferred = ""
        self._lookup: asyncio.Task[list[Any]] | None = None

    async def dial(self, factory: Callable[[], asyncio.Protocol]) -> str:
        """Connect a protocol from `factory`; return the address that answered, such as ``[::1]:5173``.

        Raises :class:`UpstreamError` with every attempt in ``tried`` when none of the addresses answers within
        ``connect_timeout_s`` (seconds, resolution included).
        """
        tried: list[tuple[str, BaseException]] = []
        try:
            async with asyncio.timeout(self._timeout_s or None):
                return await self._race(await self._addresses(), factory, tried)
        except TimeoutError:
            attempts = _in_words(tried)
            detail = f"no answer within {self._timeout_s:g} s"
            raise UpstreamError(UpstreamFault.CONNECT_TIMEOUT, self._server.url, detail, attempts) from None

    def close(self) -> None:
        """Wait for no answer of the resolver any more."""
        if self._lookup is not None:
            self._lookup.cancel()

    async def _addresses(self) -> list[str]:
        """Return the IP addresses to try, the one that answered last first; or the path of a socket."""
        host = self._server.host
        if self._server.scheme is Scheme.UNIX:
            return [self._server.path]
        if is_this_machine(host):
            found = list(LOOPBACK_ADDRESSES)
        elif address_of(host):
            found = [host]
        else:
            try:
                infos = await self._infos()
            except OSError as error:
                detail = error.strerror or str(error)
                if error.errno in OUT_OF_DESCRIPTORS and not isinstance(error, socket.gaierror):
                    raise UpstreamError(UpstreamFault.NO_DESCRIPTOR, self._server.url, detail) from None
                raise UpstreamError(UpstreamFault.UNRESOLVED, self._server.url, detail) from None
            found = _interleave([str(info[4][0]) for info in infos])
        if self._preferred in found:
            found.remove(self._preferred)
            found.insert(0, self._preferred)
        return found

    async def _infos(self) -> list[Any]:
        """Return what the resolver says now. Concurrent callers share one lookup.

        A lookup cannot be taken back: it keeps one of the few threads for them, until the resolver answers or gives up,
        after all callers have left. One for each request would have every other name wait for a thread.
        """
        if self._lookup is None:
            self._lookup = self._loop.create_task(self._look_up())
            self._lookup.add_done_callback(self._end_lookup)
        return await asyncio.shield(self._lookup)

    def _end_lookup(self, lookup: asyncio.Task[list[Any]]) -> None:
        self._lookup = None
        if not lookup.cancelled():
            lookup.exception()  # no caller may be left to take it

    async def _look_up(self) -> list[Any]:
        return list(await self._loop.getaddrinfo(self._server.host, self._server.port, type=socket.SOCK_STREAM))

    async def _race(
        self, addresses: list[str], factory: Callable[[], asyncio.Protocol], tried: list[tuple[str, BaseException]]
    ) -> str:
        """Try `addresses` in order, the next when one fails or is silent for a moment; the first to answer wins."""
        waiting = list(addresses)
        running: dict[asyncio.Task[None], str] = {}
        try:
            while waiting or running:
                if waiting:
                    address = waiting.pop(0)
                    running[asyncio.ensure_future(self._connect(address, factory))] = address
                delay = ATTEMPT_DELAY_S if waiting else None
                done, _ = await asyncio.wait(running, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
                for attempt in done:
                    address = running.pop(attempt)
                    error = attempt.exception()
                    if error is None:
                        self._preferred = address
                        return self._named(address)
                    if not isinstance(error, OSError):
                        raise error
                    tried.append((self._named(address), error))
        finally:
            for attempt in running:
                attempt.cancel()
        raise self._failure(tried)

    async def _connect(self, address: str, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect to one address. A connection of a socket with itself (a free ephemeral port) is a refusal."""
        server = self._server
        if server.scheme is Scheme.UNIX:
            await self._loop.create_unix_connection(factory, address)
            return
        transport, _ = await self._loop.create_connection(
            factory, address, server.port, ssl=self._tls, server_hostname=self._tls_name
        )
        if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
            transport.abort()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the socket connected to itself")

    def _named(self, address: str) -> str:
        return address if self._server.scheme is Scheme.UNIX else authority(address, self._server.port)

    def _failure(self, tried: list[tuple[str, BaseException]]) -> UpstreamError:
        errors = [error for _, error in tried]
        numbers = {error.errno for error in errors if isinstance(error, OSError)}
        tls = next((error for error in errors if isinstance(error, ssl.SSLError)), None)
        if tls is not None:
            reason = getattr(tls, "verify_message", "") or tls.reason or str(tls)
            return UpstreamError(UpstreamFault.TLS, self._server.url, reason, _in_words(tried))
        if numbers & OUT_OF_DESCRIPTORS:
            fault = UpstreamFault.NO_DESCRIPTOR
        elif numbers & _REFUSED:
            fault = UpstreamFault.REFUSED
        elif errno.ETIMEDOUT in numbers:
            fault = UpstreamFault.CONNECT_TIMEOUT
        else:
            fault = UpstreamFault.UNREACHABLE
        return UpstreamError(fault, self._server.url, "", _in_words(tried))


def _in_words(tried: list[tuple[str, BaseException]]) -> tuple[tuple[str, str], ...]:
    return tuple((address, _describe(error)) for address, error in tried)


def _describe(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return _WORDS.get(number or 0) or (error.strerror if isinstance(error, OSError) else None) or str(error)


def _interleave(addresses: list[str]) -> list[str]:
    """Return `addresses` without repetitions, the families taking turns, in the resolver's order (RFC 8305, 4)."""
    families: dict[bool, list[str]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(":" in address, []).append(address)
    return [address for turn in zip_longest(*families.values()) for address in turn if address]
