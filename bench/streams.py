"""The upstream for uploads and WebSockets: raw uvloop, as cheap as Python gets. ``python -m bench.streams PORT``."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import cast

import uvloop


class Server(asyncio.Protocol):
    """Takes uploads and counts them; echoes WebSocket frames, whose mask must be zero so that a payload is itself."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.is_websocket = False
        self.buffer = b""
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.is_websocket:
            self.echo(data)
        elif self.left:
            self.left -= len(data)
            self.answer()
        else:
            self.buffer += data
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if end:
                self.buffer = b""
                self.begin(head, rest)

    def begin(self, head: bytes, rest: bytes) -> None:
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"sec-websocket-key" in fields:
            key = next(
                line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
            )
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            self.is_websocket = True
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
            )
            if rest:
                self.echo(rest)
        else:
            self.left = int(fields.get(b"content-length", b"0")) - len(rest)
            self.answer()

    def answer(self) -> None:
        if not self.left:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def echo(self, data: bytes) -> None:
        if self.left:  # inside a large frame: pass on what belongs to it
            taken = data[: self.left]
            self.left -= len(taken)
            self.transport.write(taken)
            data = data[len(taken) :]
        data = self.buffer + data
        out: list[bytes] = []
        while len(data) >= 14 or (len(data) >= 6 and data[1] & 0x7F < 126):
            length = data[1] & 0x7F
            size = {126: 4, 127: 10}.get(length, 2)
            if length == 126:
                length = int.from_bytes(data[2:4], "big")
            elif length == 127:
                length = int.from_bytes(data[2:10], "big")
            out.append(data[:1] + bytes((data[1] & 0x7F,)) + data[2:size])
            payload = data[size + 4 : size + 4 + length]
            out.append(payload)
            self.left = length - len(payload)
            data = data[size + 4 + length :]
        self.buffer = data
        if out:
            self.transport.write(b"".join(out))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
