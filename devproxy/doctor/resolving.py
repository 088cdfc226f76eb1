"""Asking what a name resolves to, without ever having to wait for the resolver. Start at :func:`resolve`."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress

Addresses = list[str]


async def resolve(host: str, within_s: float) -> Addresses:
    """Return the addresses of `host`, each once, in the resolver's order.

    Asks in a thread that no one waits for at the end: a resolver that does not answer keeps neither the loop nor the
    process. Raises OSError, of which TimeoutError is one, and UnicodeError.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Addresses | Exception] = loop.create_future()

    def tell(outcome: Addresses | Exception) -> None:
        if not answered.done():
            answered.set_result(outcome)

    def ask() -> None:
        outcome: Addresses | Exception
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            outcome = list(dict.fromkeys(str(each[4][0]) for each in found))
        except (OSError, UnicodeError) as error:
            outcome = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=ask, daemon=True).start()
    async with asyncio.timeout(within_s):
        outcome = await answered
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
