"""What every client is."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from typing import Final, Protocol, cast

from bench.load import Done

HTTP11: Final = "http/1.1"


class WrongAnswer(Exception):
    """An answer that is not what it should be, or none."""


class Client(Protocol):
    """Load of one kind."""

    async def open(self) -> None:
        """Connect, and do what is not to be measured."""

    async def run(self, seconds: float) -> Done:
        """Do the work for about `seconds`. Raises :class:`WrongAnswer`."""


def as_transport(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return `transport` as what it is: uvloop's are no subclass of asyncio's."""
    return cast("asyncio.Transport", transport)


async def connect(protocol: asyncio.Protocol, port: int, *offers: str) -> None:
    """Connect `protocol`: by TLS with `offers` of ALPN, without any in the clear. Raises OSError."""
    context, name = (client_context(*offers), "localhost") if offers else (None, None)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: protocol, "127.0.0.1", port, ssl=context, server_hostname=name)


@cache
def client_context(*protocols: str) -> ssl.SSLContext:
    """Return what a client's handshakes are made with: it takes any certificate and offers `protocols` by ALPN."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context
