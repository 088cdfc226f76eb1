"""The server of the soak, small enough to be trusted: ``python -m tests.soak.backend HOST PORT``.

``GET …/poll?client=C&number=N`` gives ``C:N`` back after a moment, ``…/events?client=C&number=N`` streams the numbers
from N on (Server-Sent Events), ``…/ws`` echoes (WebSocket), ``POST …/upload?id=I`` answers with the SHA-256 of the body
and prints ``upload I`` once it has all of it. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

from tests.soak.frames import read_frame, text_frame

_WEBSOCKET_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until it ends."""
    try:
        while await _serve_one(reader, writer):
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head[:-4].split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    url = urlsplit(start.split(b" ")[1].decode())
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    match url.path.rpartition("/")[2]:
        case "poll":
            await asyncio.sleep(0.02)
            _answer(writer, f"{query['client']}:{query['number']}".encode())
        case "upload":
            digest = hashlib.sha256()
            async for piece in _body(reader, fields):
                digest.update(piece)
            sys.stdout.write(f"upload {query['id']}\n")
            sys.stdout.flush()
            _answer(writer, digest.hexdigest().encode())
        case "events":
            await _stream_events(writer, query["client"], int(query["number"]))
            return False
        case "ws":
            await _echo(reader, writer, fields[b"sec-websocket-key"])
            return False
    return True


def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _body(reader: asyncio.StreamReader, fields: dict[bytes, bytes]):  # type: ignore[no-untyped-def]  # a generator
    if b"transfer-encoding" not in fields:
        yield await reader.readexactly(int(fields[b"content-length"]))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")


async def _stream_events(writer: asyncio.StreamWriter, client: str, number: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n")
    while not writer.is_closing():
        writer.write(f"id: {number}\ndata: {client}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        number += 1


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> None:
    accept = b64encode(hashlib.sha1(key + _WEBSOCKET_KEY_SUFFIX).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )
    while True:
        writer.write(text_frame(await read_frame(reader)))


async def _main(host: str, port: int) -> None:
    server = await asyncio.start_server(serve, host, port, backlog=1024, limit=1 << 20)
    sys.stdout.write(f"port {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
