"""Servers that speak before they are asked, as those of other protocols do: named, and never taken for stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devproxy.events import UpstreamState
from tests.support.exchanges import asked
from tests.support.wire import ScriptedUpstream, address_of, config_for, running, until

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]

SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(7) + b"\x01"
GREETINGS = {
    "HTTP/2": (SETTINGS, "HTTP/2 SETTINGS frame", "speaks only HTTP/2"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "`SSH-2.0-OpenSSH_9.2`", "it sent `SSH-2.0-OpenSSH_9.2`"),
    "HTTP": (
        b"HTTP/1.1 503 Too many\r\nContent-Length: 0\r\n\r\n",
        "an answer came before any request was sent: `HTTP/1.1 503 Too many`",
        "not valid HTTP/1.1",
    ),
}


@asynccontextmanager
async def greeting(words: bytes, *, closes: bool) -> AsyncIterator[int]:
    """Run a server that says `words` to whoever connects, and takes leave by GOAWAY when it is asked; give its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        if not closes:
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(GOAWAY)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # a probe
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("closes", [False, True], ids=["waits", "closes"])
@pytest.mark.parametrize("name", GREETINGS)
async def test_a_server_that_speaks_first_is_named_and_is_neither_stopped_nor_back(name: str, closes: bool) -> None:
    words, detail, what = GREETINGS[name]
    async with (
        greeting(words, closes=closes) as port,
        running(config_for((address_of(port),)), ScriptedUpstream()) as talk,
    ):
        for number in range(20):
            client = await asked(talk, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            head = await client.head()
            if name == "HTTP" and head.startswith(b"HTTP/1.1 503 "):
                continue  # it came when the question was on its way, and cannot be told from an answer
            assert head.startswith(b"HTTP/1.1 502 ")
            assert what.encode() in await client.rest()
            await until(lambda number=number: len(talk.finished()) > number)  # type: ignore[misc]
            assert detail in talk.finished()[-1].detail
        states = talk.seen(UpstreamState)
    assert [state.is_up for state in states] == [True]
