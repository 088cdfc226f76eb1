"""A server that moves to another address under the same name, as a container does that is created anew."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from devproxy.config.model import Upstream
from devproxy.events import UpstreamState
from devproxy.gateway.back.dial import Dialler
from tests.support.exchanges import GET, OK, asked
from tests.support.wire import Conversation, ScriptedUpstream, Wire, address_of, config_for, running, until

pytestmark = [pytest.mark.jumping_clock, pytest.mark.both_versions]

NAME = "backend.test"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Resolver:
    """What the name stands for: an address, or None for a name that does not exist."""

    def __init__(self, address: str | None) -> None:
        self.address = address

    def __call__(self, host: str, port: int, *args: Any, **options: Any) -> list[tuple[Any, ...]]:
        assert host == NAME
        if self.address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, port))]


@asynccontextmanager
async def moving(
    monkeypatch: pytest.MonkeyPatch, *, hold_s: float = 0
) -> AsyncIterator[tuple[Conversation, ScriptedUpstream, ScriptedUpstream, Resolver]]:
    """Run a gateway in front of a name that stands for the first of two servers with the same port."""
    old, new = ScriptedUpstream("127.0.0.1"), ScriptedUpstream("127.0.0.2")
    new.listener.close()
    new.listener = socket.socket()
    new.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    new.listener.bind(("127.0.0.2", old.port))
    new.listener.listen()
    new.listener.setblocking(False)
    resolver = Resolver("127.0.0.1")
    upstream = Upstream(name="backend", servers=(address_of(old.port, host=NAME),), hold_s=hold_s)
    try:
        async with running(config_for((), upstream=upstream), old) as talk:
            monkeypatch.setattr(socket, "getaddrinfo", resolver)
            yield talk, old, new, resolver
    finally:
        new.close()


async def served(client: Wire, upstream: ScriptedUpstream, answer: bytes = OK) -> Wire:
    """Let `upstream` answer what `client` asked on a new connection; return its end."""
    server = await upstream.accept()
    await server.head()
    server.send(answer)
    assert (await client.head()).startswith(b"HTTP/1.1 200 ")
    await client.until(b"ok")
    return server


async def test_a_server_that_moved_is_found_at_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with moving(monkeypatch) as (talk, old, new, resolver):
        server = await served(await asked(talk, GET), old)
        server.close()
        old.listener.close()
        resolver.address = "127.0.0.2"
        await served(await asked(talk, GET), new)
        assert not any(state.is_up is False for state in talk.seen(UpstreamState)[1:])


async def test_no_connection_to_the_old_address_is_kept_once_the_new_one_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with moving(monkeypatch) as (talk, old, new, resolver):
        ends = []
        for _ in range(2):
            client = await asked(talk, GET)
            ends.append((client, await old.accept()))
        (first, idle), (second, busy) = ends
        idle.send(OK)
        await first.until(b"ok")
        third = await asked(talk, GET)  # takes the idle one, so that the next request has to dial
        await idle.until(b"\r\n\r\n")
        resolver.address = "127.0.0.2"
        await served(await asked(talk, GET), new, CLOSING)
        idle.send(OK)
        await third.until(b"ok")
        busy.send(OK)
        await second.until(b"ok")
        await served(await asked(talk, GET), new, CLOSING)
        await idle.rest()
        await busy.rest()


async def test_a_request_waits_while_the_name_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    async with moving(monkeypatch, hold_s=60) as (talk, old, new, resolver):
        await served(await asked(talk, GET), old, CLOSING)
        resolver.address = None
        client = await asked(talk, GET)
        assert await client.is_silent(0.3)
        resolver.address = "127.0.0.2"
        await served(client, new, CLOSING)
        await until(lambda: [state.is_up for state in talk.seen(UpstreamState)][-2:] == [False, True])


async def test_what_cannot_wait_for_a_name_that_is_gone_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with moving(monkeypatch) as (talk, old, _, resolver):
        await served(await asked(talk, GET), old, CLOSING)
        resolver.address = None
        head = await (await asked(talk, GET)).head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"X-Devproxy-Error: upstream-name-not-found\r\n" in head
        assert b"Retry-After: 1\r\n" in head


async def test_a_name_whose_resolver_is_silent_is_asked_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every lookup takes one of a few threads until it ends, whoever has given up: others would wait for a thread."""
    async with moving(monkeypatch) as (talk, old, _, resolver):
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[object, ...]]] = loop.create_future()
        asked_for: list[str] = []

        async def silent(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
            asked_for.append(host)
            return await asyncio.shield(answer)

        monkeypatch.setattr(Dialler, "_look_up", lambda self: silent(NAME, 0))
        clients = [await asked(talk, GET) for _ in range(5)]
        await until(lambda: asked_for)
        leaving = await asked(talk, GET)
        leaving.close()
        await until(talk.finished)
        assert asked_for == [NAME]
        answer.set_result(resolver(NAME, old.port))
        for client in clients:
            await served(client, old, CLOSING)
        await served(await asked(talk, GET), old)
        assert asked_for == [NAME, NAME], "and anew for the next connection"
