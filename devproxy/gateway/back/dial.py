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
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from devproxy.authority.hosts import LOOPBACK_ADDRESSES, authority
from devproxy.authority.networks import address_of, is_this_machine
from devproxy.config.model import Proxy, Scheme, ServerAddress
from devproxy.errors import (
    CertificateProblem,
    ProxyCause,
    ProxyFailure,
    SeenCertificate,
    TlsCause,
    TlsFailure,
    UpstreamError,
    UpstreamFault,
)
from devproxy.gateway.back.proxied import ProxyRefusedError, open_through
from devproxy.gateway.shared.transports import OUT_OF_DESCRIPTORS, connected_to_itself
from devproxy.platforms.loops import connect_unix
from devproxy.platforms.sockets import number_of

if TYPE_CHECKING:
    from devproxy.gateway.back.tls import UpstreamTls

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
_LOOK_TIMEOUT_S: Final = 2.0
_LOOK_FOR_S: Final = 10.0
"""For how long what a refused certificate said is not asked for again."""
_REFUSED: Final = frozenset((errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET))


class Dialler:
    """Opens connections to one server. Remembers which of its addresses answered last, and what its certificate said.

    `tls`: what handshakes are made with, for an ``https`` server. `proxy`: the way there; None: straight.
    """

    __slots__ = (
        "_certificate",
        "_lookup",
        "_loop",
        "_preferred",
        "_proxy",
        "_server",
        "_target",
        "_timeout_s",
        "_tls",
        "_tls_name",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: ServerAddress,
        *,
        timeout_s: float,
        tls: UpstreamTls | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._loop = loop
        self._server = server
        self._proxy = proxy
        self._target = (server.host, server.port) if proxy is None else (proxy.host, proxy.port)
        self._timeout_s = timeout_s
        self._tls = tls if server.scheme is Scheme.HTTPS else None
        # Without a final dot, which neither SNI (RFC 6066 section 3) nor certificates have.
        self._tls_name = server.host.removesuffix(".") if self._tls else None
        self._preferred = ""
        self._lookup: asyncio.Task[list[Any]] | None = None
        self._certificate: _Look | None = None

    async def dial(self, factory: Callable[[], asyncio.Protocol]) -> str:
        """Connect a protocol from `factory`; return the address that answered, such as ``[::1]:5173``.

        Raises :class:`UpstreamError` with every attempt in ``tried`` when none of the addresses answers within
        ``connect_timeout_s`` (seconds, resolution included).
        """
        tried: list[tuple[str, OSError]] = []
        try:
            async with asyncio.timeout(self._timeout_s or None):
                return await self._race(await self._addresses(), factory, await self._context(), tried)
        except TimeoutError:
            attempts = self._in_words(tried)
            detail = f"no answer within {self._timeout_s:g} s"
            silent = self._proxy_failure(ProxyCause.SILENT, detail)
            fault = UpstreamFault.CONNECT_TIMEOUT
            raise UpstreamError(fault, self._server.url, detail, attempts, proxy=silent) from None
        except ProxyRefusedError as refused:
            raise self._refusal(refused.failure) from None
        except _NoAnswerError:
            if self._tls is not None and (failed := _first_of_tls(tried)) is not None:
                raise await self._tls_error(*failed, tried) from None
            raise self._failure(tried) from None

    async def _context(self) -> ssl.SSLContext | None:
        """Return what the handshake is made with. Files are read in a thread: traffic goes on meanwhile."""
        if self._tls is None:
            return None
        try:
            return self._tls.context() if self._tls.is_settled else await asyncio.to_thread(self._tls.context)
        except CertificateProblem as problem:
            failure = TlsFailure(TlsCause.OWN_FILES, problem.what)
            raise UpstreamError(UpstreamFault.TLS, self._server.url, problem.what, tls=failure) from None

    def close(self) -> None:
        """Wait for no answer of the resolver any more."""
        if self._lookup is not None:
            self._lookup.cancel()

    async def _addresses(self) -> list[str]:
        """Return the IP addresses to try, the one that answered last first; or the path of a socket.

        With a proxy they are its own: a name that only the proxy knows is not asked for here.
        """
        host, _ = self._target
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
                unresolved = self._proxy_failure(ProxyCause.UNRESOLVED, detail)
                fault = UpstreamFault.UNRESOLVED
                raise UpstreamError(fault, self._server.url, detail, proxy=unresolved) from None
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
        return list(await self._loop.getaddrinfo(*self._target, type=socket.SOCK_STREAM))

    async def _race(
        self,
        addresses: list[str],
        factory: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        tried: list[tuple[str, OSError]],
    ) -> str:
        """Try `addresses` in order, the next when one fails or is silent for a moment; the first to answer wins.

        Raises :class:`_NoAnswerError` where none does; `tried` gets what happened at each.
        """
        waiting = list(addresses)
        running: dict[asyncio.Task[None], str] = {}
        try:
            while waiting or running:
                if waiting:
                    address = waiting.pop(0)
                    running[asyncio.ensure_future(self._connect(address, factory, context))] = address
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
                    tried.append((address, error))
        finally:
            for attempt in running:
                attempt.cancel()
        raise _NoAnswerError

    async def _connect(
        self, address: str, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        """Connect to one address. A connection of a socket with itself (a free ephemeral port) is a refusal."""
        if self._server.scheme is Scheme.UNIX:
            await connect_unix(self._loop, factory, address)
        else:
            await self._open(address, factory, context)

    async def _open(
        self, address: str, factory: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> asyncio.Transport:
        """Connect to one IP address, by the proxy if there is one."""
        if self._proxy is not None:
            return await open_through(self._loop, self._proxy, address, self._server, factory, context)
        transport, _ = await self._loop.create_connection(
            factory, address, self._server.port, ssl=context, server_hostname=self._tls_name
        )
        if connected_to_itself(transport):
            transport.abort()
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the socket connected to itself")
        return transport

    def _named(self, address: str) -> str:
        if self._server.scheme is Scheme.UNIX:
            return address
        return authority(address, self._target[1]) + ("" if self._proxy is None else " (proxy)")

    def _proxy_failure(self, cause: ProxyCause, reason: str) -> ProxyFailure | None:
        return None if self._proxy is None else ProxyFailure(cause, self._proxy.url, reason)

    def _refusal(self, failure: ProxyFailure) -> UpstreamError:
        """Return what to raise where the proxy answered, but gave no tunnel."""
        is_final = failure.cause not in (ProxyCause.SERVER_UNREACHABLE, ProxyCause.CLOSED)
        fault = UpstreamFault.PROXY if is_final else UpstreamFault.UNREACHABLE
        tried = ((f"{authority(*self._target)} (proxy)", failure.reason),)
        return UpstreamError(fault, self._server.url, failure.reason, tried, proxy=failure)

    async def _tls_error(self, address: str, error: OSError, tried: list[tuple[str, OSError]]) -> UpstreamError:
        """Return what to raise where the handshake with `address`, one of those `tried`, failed with `error`."""
        from devproxy.gateway.back.tls import failure_of  # no server without TLS needs it

        assert self._tls is not None
        failure = failure_of(error, shows_certificate=self._tls.shows_certificate)
        if isinstance(error, ssl.SSLCertVerificationError):
            failure = failure._replace(certificate=await self._look_at_certificate(address, failure.reason))
        words = [(one, failure.reason if what is error else _describe(what)) for one, what in tried]
        attempts = tuple((self._named(one), outcome) for one, outcome in words)
        # One that closes at once is no more there than one that refuses: it may be starting.
        fault = UpstreamFault.REFUSED if failure.cause is TlsCause.CUT_SHORT else UpstreamFault.TLS
        return UpstreamError(fault, self._server.url, failure.reason, attempts, tls=failure)

    async def _look_at_certificate(self, address: str, reason: str) -> SeenCertificate | None:
        """Return the certificate that the server at `address` shows, which was refused for `reason`; None: unknown.

        OpenSSL keeps none that it refuses, so this asks again, and sends nothing. Remembered for a while: a server that
        is refused is asked often.
        """
        from devproxy.gateway.back.tls import looking_context, seen_on

        known, now = self._certificate, self._loop.time()
        if known is not None and known.reason == reason and known.until > now:
            return known.certificate
        found: SeenCertificate | None = None
        with suppress(OSError, ProxyRefusedError):
            async with asyncio.timeout(_LOOK_TIMEOUT_S):
                transport = await self._open(address, asyncio.Protocol, looking_context())
                found = seen_on(transport.get_extra_info("ssl_object"))
                transport.abort()
        self._certificate = _Look(found, reason, now + _LOOK_FOR_S)
        return found

    def _failure(self, tried: list[tuple[str, OSError]]) -> UpstreamError:
        numbers = {number_of(error) for _, error in tried}
        if numbers & OUT_OF_DESCRIPTORS:
            fault = UpstreamFault.NO_DESCRIPTOR
        elif numbers & _REFUSED:
            fault = UpstreamFault.REFUSED
        elif errno.ETIMEDOUT in numbers:
            fault = UpstreamFault.CONNECT_TIMEOUT
        else:
            fault = UpstreamFault.UNREACHABLE
        words = self._in_words(tried)
        failure = None if fault is UpstreamFault.NO_DESCRIPTOR else self._proxy_failure(ProxyCause.UNREACHABLE, "")
        if failure is not None:
            failure = failure._replace(reason=", ".join(dict.fromkeys(outcome for _, outcome in words)))
            fault = UpstreamFault.UNREACHABLE
        return UpstreamError(fault, self._server.url, "", words, proxy=failure)

    def _in_words(self, tried: list[tuple[str, OSError]]) -> tuple[tuple[str, str], ...]:
        return tuple((self._named(address), _describe(error)) for address, error in tried)


class _NoAnswerError(Exception):
    """None of the addresses gave a connection."""


class _Look(NamedTuple):
    """What a server's certificate said when it was refused for ``reason``; good until the loop's time ``until``."""

    certificate: SeenCertificate | None
    reason: str
    until: float


def _first_of_tls(tried: list[tuple[str, OSError]]) -> tuple[str, OSError] | None:
    """Return the first attempt that failed within the handshake, if any did: a connection that ends had been made."""
    for address, error in tried:
        is_ended = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
        if is_ended or isinstance(error, ssl.SSLError):
            return address, error
    return None


def _describe(error: OSError) -> str:
    return _WORDS.get(number_of(error)) or error.strerror or str(error)


def _interleave(addresses: list[str]) -> list[str]:
    """Return `addresses` without repetitions, the families taking turns, in the resolver's order (RFC 8305, 4)."""
    families: dict[bool, list[str]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(":" in address, []).append(address)
    return [address for turn in zip_longest(*families.values()) for address in turn if address]
