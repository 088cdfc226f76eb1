"""Single exchanges on the wire: one request through the gateway and what the other end saw of it.

async with conversation() as talk:
    exchange = await forwarded(talk, b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    assert (b"Host", b"a") in fields_of(exchange.head)
"""

from __future__ import annotations

from html import unescape
from typing import NamedTuple

from tests.support.wire import Conversation, Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ADDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip", b"via")
"""Fields that the gateway adds to every request (lower case)."""


class Forwarded(NamedTuple):
    """Both ends of an exchange under way and the request head as the upstream got it."""

    client: Wire
    server: Wire
    head: bytes


async def asked(talk: Conversation, request: bytes) -> Wire:
    """Return a new client that has sent `request`, of any size."""
    client = await talk.client()
    await client.send_all(request)
    return client


async def forwarded(talk: Conversation, request: bytes) -> Forwarded:
    """Send `request` on a new connection and return what the upstream got."""
    client = await asked(talk, request)
    server = await talk.upstream.accept()
    return Forwarded(client, server, await server.head())


async def answered(talk: Conversation, answer: bytes, request: bytes = GET) -> tuple[Wire, bytes]:
    """Send `request`, answer it with `answer`; return the client and the head that it got."""
    client, server, _ = await forwarded(talk, request)
    server.send(answer)
    return client, await client.head()


async def reaches_no_server(talk: Conversation) -> bool:
    """Tell whether the upstream has been sent nothing so far: the next request is the first that it sees."""
    after = await forwarded(talk, b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
    return after.head.startswith(b"GET /after ") and await after.server.is_silent(0.02)


def lines_of(head: bytes) -> list[bytes]:
    """Return the field lines of `head`, in order."""
    return head.split(b"\r\n")[1:-2]


def own_lines_of(head: bytes) -> list[bytes]:
    """Return the field lines of a request `head` without those that the gateway adds."""
    return [line for line in lines_of(head) if line.partition(b":")[0].lower() not in ADDED]


def shown(page: bytes) -> str:
    """Return what a browser shows of `page`, with code in backquotes."""
    return unescape(page.decode().replace("<code>", "`").replace("</code>", "`"))


def values_of(head: bytes, name: bytes) -> list[bytes]:
    """Return the values of the fields of `head` called `name` (lower case)."""
    pairs = (line.partition(b":") for line in lines_of(head))
    return [value.strip() for found, _, value in pairs if found.lower() == name]
