"""A server of a few lines in the test's own loop, for tests of what is in front of it.

Owns: an answer that says what was asked, one that never comes, and one that echoes what follows an upgrade.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def small_server(name: str = "ok") -> AsyncIterator[int]:
    """Serve on a loopback port that the system chooses; gives the port.

    ``/slow`` is never answered, ``/socket`` becomes a WebSocket that echoes bytes; all else says `name` and the path.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _answer(name, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks))


async def _answer(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode()
        if path == "/slow":
            await asyncio.Event().wait()
        if path == "/socket":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            while data := await reader.read(65536):
                writer.write(data)
            return
        body = f"{name} {path}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        if b"\r\nConnection: close\r\n" in head:
            return


async def fetch(url: str, path: str = "/", *fields: str) -> tuple[int, str]:
    """Return the status and the body of what is at `path` of `url`, asked for on a connection of its own."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", *fields, "", "")
        writer.write("\r\n".join(lines).encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    return int(head.split(b" ")[1]), body.decode()
