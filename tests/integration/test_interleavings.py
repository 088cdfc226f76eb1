"""Clients and servers that do anything at any time: whatever they did, nothing of it is left behind.

Both sides send right and wrong messages in any pieces, whole or cut short, and then wait, end their side, close or
reset. A failing seed is to be run alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from devproxy.config.model import Upstream
from tests.support.exchanges import GET
from tests.support.wire import Conversation, Wire, conversation, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock]

ROUNDS = 20
CLIENTS = 8

REQUESTS = (
    GET,
    b"GET /s?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    *(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x80abcd",) * 4,
    b"\r\n\r\n" + GET,
    b"garbage\r\n\r\n",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    *(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x01a",) * 4,
    b"garbage",
)


async def act(wire: Wire, messages: Sequence[bytes], random: Random) -> None:
    """Send something on `wire` in some pieces, and then do something else; `wire` may be closed afterwards."""
    stream = b"".join(random.choices(messages, k=random.choice((1, 1, 1, 2, 3))))
    if random.random() < 0.15:
        stream = stream[: random.randrange(len(stream))]
    try:
        while stream:
            size = random.choice((1, 3, 10, 50, 1000))
            wire.send(stream[:size])
            stream = stream[size:]
            if random.random() < 0.4:
                await asyncio.sleep(random.choice((0, 0, 0.001, 0.005)))
        random.choice((_pass, _pass, _pass, wire.finish, wire.close, wire.reset))()
        if wire.sock.fileno() >= 0:
            await asyncio.wait_for(wire.rest(), random.choice((0.001, 0.02, 0.1)))
    except (OSError, TimeoutError):
        pass


def _pass() -> None:
    """Go on."""


async def serve(talk: Conversation, random: Random) -> None:
    """Accept whatever the gateway opens, and answer three times anything."""

    async def answer(wire: Wire) -> None:
        try:
            await wire.head()
        except (OSError, AssertionError):
            pass
        for _ in range(3):
            if wire.sock.fileno() >= 0:
                await act(wire, ANSWERS, random)
        wire.close()

    async with asyncio.TaskGroup() as group:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(talk.upstream.listener)
            wire = Wire(sock)
            talk.upstream.wires.append(wire)  # closed with the conversation, whatever becomes of its task
            group.create_task(answer(wire))


async def ask(talk: Conversation, random: Random) -> None:
    """Be a client for a moment."""
    wire = await talk.client()
    await act(wire, REQUESTS, random)
    wire.close()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_both_sides_do_nothing_is_left_behind(seed: int) -> None:
    random, reports = Random(seed), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    async with conversation(upstream=Upstream(name="backend", servers=(), idle_timeout_s=0.2)) as talk:
        serving = asyncio.ensure_future(serve(talk, random))
        for _ in range(ROUNDS):
            await asyncio.gather(*(ask(talk, random) for _ in range(CLIENTS)))
        await until(lambda: talk.gateway.connection_count == 0, within_s=10.0)
        serving.cancel()
        await asyncio.wait((serving,))
    assert reports == []
