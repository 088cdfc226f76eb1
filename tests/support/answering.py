"""An upstream that answers by itself: polls after a moment, endless events, WebSocket echoes.

async with AnsweringUpstream() as upstream:
    upstream.port
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from devproxy.policy.verdict.handshake import accept_for
from tests.support.exchanges import values_of

POLL_S: Final = 0.01
TICK_S: Final = 0.02

_SWITCH: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_EVENTS: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class AnsweringUpstream:
    """Listens on 127.0.0.1. ``port``: chosen by the system."""

    def __init__(self) -> None:
        self.port = 0
        self._conversations: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway has closed the connection
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if values_of(head, b"upgrade"):
                writer.write(_SWITCH % accept_for((values_of(head, b"sec-websocket-key") or [b""])[0]))
                await _echo(reader, writer)
            elif head.startswith(b"GET /events "):
                writer.write(_EVENTS)
                await _tick(writer)
            else:
                await asyncio.sleep(POLL_S)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back the payload of each short frame."""
    while True:
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        payload = await reader.readexactly(length & 0x7F)
        unmasked = bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload))
        writer.write(bytes((first, len(unmasked))) + unmasked)


async def _tick(writer: asyncio.StreamWriter) -> None:
    """Send events that are numbered from 0, until the connection is closed."""
    number = 0
    while not writer.is_closing():
        event = b"data: %d\n\n" % number
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        number += 1
        await asyncio.sleep(TICK_S)
