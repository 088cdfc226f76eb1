"""Finding a server: which addresses answer, whether TLS is spoken there, and whether its certificate is trusted.

Start at :func:`reach`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Final, NamedTuple

from devproxy.authority.hosts import LOOPBACK_ADDRESSES
from devproxy.authority.networks import address_of, is_loopback, is_this_machine
from devproxy.doctor.observed import Answer, Connection, Failure
from devproxy.doctor.resolving import resolve
from devproxy.doctor.target import Target
from devproxy.doctor.wire import Deadline, Line, Way, connect, reason_of
from devproxy.platforms.holders import listening_addresses

MAX_ADDRESSES: Final = 6
_CONNECT_S: Final = 3.0


class Reached(NamedTuple):
    """What was found, as in :class:`devproxy.doctor.observed.Seen`. ``way``: how to ask; None: there is no way."""

    way: Way | None
    connections: tuple[Connection, ...]
    elsewhere: tuple[str, ...] = ()
    certificate: str = ""
    other_scheme: bool = False


async def reach(target: Target, deadline: Deadline) -> Reached:
    """Try every address of `target`; return how it is reached, by the first that answers."""
    addresses, problem = await _addresses(target, deadline)
    if problem:
        return Reached(None, (Connection(target.host, Failure.UNRESOLVED, detail=problem),))
    tried = await asyncio.gather(*(_try(target, address, deadline) for address in addresses))
    good = next((connection for connection in tried if connection.failure is Failure.NONE), None)
    if good is None:
        return Reached(None, tuple(tried), await _elsewhere(target, addresses, deadline))
    way = Way(good.address, target.port, target.host_field, name=target.host)
    if not target.is_tls:
        return Reached(way, tuple(tried))
    return await _secured(way, tuple(tried), deadline)


async def speaks_tls(way: Way, deadline: Deadline) -> bool:
    """Tell whether TLS is spoken where it was asked in plain."""
    line = await connect(way._replace(tls=context(verifies=False)), deadline.within(_CONNECT_S))
    if isinstance(line, Answer):
        return "alert" in line.detail.lower()  # a server that refuses a client by TLS's own words speaks it
    await line.close()
    return True


def context(*, verifies: bool) -> ssl.SSLContext:
    """Return how TLS is spoken; `verifies`: the certificate has to be trusted by this machine's Python."""
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    if not verifies:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


async def _addresses(target: Target, deadline: Deadline) -> tuple[list[str], str]:
    """Return the addresses to try, in the order in which a browser would, or why there are none."""
    if is_this_machine(target.host):
        return list(LOOPBACK_ADDRESSES), ""
    if address_of(target.host) is not None:
        return [target.host], ""
    try:
        return (await resolve(target.host, deadline.within(_CONNECT_S)))[:MAX_ADDRESSES], ""
    except TimeoutError:
        return [], "no name server answered in time"
    except (OSError, UnicodeError) as error:
        return [], reason_of(error)


async def _try(target: Target, address: str, deadline: Deadline) -> Connection:
    start = asyncio.get_running_loop().time()
    way = Way(address, target.port, target.host_field)
    opened = await connect(way, deadline.within(_CONNECT_S))
    seconds = asyncio.get_running_loop().time() - start
    if isinstance(opened, Line):
        await opened.close()
        return Connection(address, Failure.NONE, seconds)
    return Connection(address, opened.failure, seconds, opened.detail)


async def _secured(way: Way, tried: tuple[Connection, ...], deadline: Deadline) -> Reached:
    """Shake hands by TLS: with a look at the certificate, without it if it is not trusted, or in plain."""
    trusted = way._replace(tls=context(verifies=True))
    opened = await connect(trusted, deadline.within(_CONNECT_S))
    if isinstance(opened, Line):
        await opened.close()
        return Reached(trusted, tried)
    careless = way._replace(tls=context(verifies=False))
    again = await connect(careless, deadline.within(_CONNECT_S))
    if isinstance(again, Line):
        await again.close()
        return Reached(careless, tried, certificate=opened.detail)
    plain = await connect(way, deadline.within(_CONNECT_S))
    is_plain = False
    if isinstance(plain, Line):
        answer = await plain.ask("GET", "/", within_s=deadline.within(_CONNECT_S))
        is_plain = answer.is_there
        await plain.close()
    failed = tuple(
        each._replace(failure=Failure.TLS, detail=again.detail) if each.address == way.address else each
        for each in tried
    )
    return Reached(None, failed, other_scheme=is_plain)


async def _elsewhere(target: Target, tried: list[str], deadline: Deadline) -> tuple[str, ...]:
    """Return the addresses of this machine at which the port answers, though none of `tried` does."""
    if not is_loopback(target.host):
        return ()
    candidates = [*LOOPBACK_ADDRESSES, *await asyncio.to_thread(_own_addresses, target.port)]
    asked = [each for each in dict.fromkeys(candidates) if each not in tried][:MAX_ADDRESSES]
    found = await asyncio.gather(*(_try(target, each, deadline) for each in asked))
    return tuple(connection.address for connection in found if connection.failure is Failure.NONE)


def _own_addresses(port: int) -> list[str]:
    """Return the addresses of this machine at which something may listen on `port`, as far as the system tells."""
    if listening := listening_addresses(port):
        return listening
    with suppress(OSError):
        return list({str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), port)})
    return []
