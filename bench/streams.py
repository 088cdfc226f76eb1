"""The upstream for everything that takes its time: long-polling, chunks, uploads, WebSockets. Raw uvloop, and cheap.

Run as ``python -m bench.streams PORT``. It believes its requests: one at a time on a connection, as the load has them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
from collections import deque
from typing import Final, cast

import uvloop

from bench.traffic import FIRST_LOAD_PATH, answer, first_load_answer

CHUNK: Final = 16 << 10
CHUNKS: Final = 64
"""Of 16 KiB each: 1 MiB."""

HOLD_S: Final = 5.0
"""How long a poll waits for a packet before it is answered by a NOOP, as a Socket.IO server does with its pings."""

NOOP: Final = b"6"
_SID: Final = re.compile(rb"[?&]sid=([^& ]+)")
_FIRST_LOAD: Final = re.compile(rb"GET %b(\d+)" % re.escape(FIRST_LOAD_PATH))
_ONE_CHUNK: Final = b"%x\r\n%b\r\n" % (CHUNK, bytes(range(256)) * (CHUNK // 256))
_CHUNKED_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Access-Control-Allow-Origin: *\r\n\r\n"
)


class Sessions:
    """Engine.IO sessions, each known by its ``sid`` alone: which poll waits, and which packets wait for a poll."""

    def __init__(self) -> None:
        self._polls: dict[bytes, Server] = {}
        self._packets: dict[bytes, deque[bytes]] = {}
        self._timers: dict[bytes, asyncio.TimerHandle] = {}

    def poll(self, sid: bytes, server: Server) -> None:
        """Answer a poll with the packet that waits, or when one comes."""
        if packets := self._packets.get(sid):
            server.transport.write(answer(packets.popleft()))
            return
        self._polls[sid] = server
        self._timers[sid] = asyncio.get_running_loop().call_later(HOLD_S, self.send, sid, NOOP)

    def send(self, sid: bytes, packet: bytes) -> None:
        """Give `packet` to the poll that waits, else keep it."""
        if (server := self._polls.pop(sid, None)) is None:
            self._packets.setdefault(sid, deque()).append(packet)
            return
        self._timers.pop(sid).cancel()
        server.transport.write(answer(packet))

    def leave(self, sid: bytes, server: Server) -> None:
        """Forget the poll of a client that is gone."""
        if self._polls.get(sid) is server:
            del self._polls[sid]
            self._timers.pop(sid).cancel()


class Server(asyncio.Protocol):
    """Answers polls, uploads and first loads, streams chunks; echoes WebSocket frames, whose mask must be zero.

    ``left``: bytes of a body, or of a frame's payload, that are still to come.
    """

    transport: asyncio.Transport

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.sid = b""
        self.is_websocket = False
        self.is_post = False
        self.buffer = b""
        self.left = 0
        self.chunks_left = 0
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.chunks_left = 0
        self.sessions.leave(self.sid, self)

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.write_chunk()

    def data_received(self, data: bytes) -> None:
        if self.is_websocket:
            self.echo(data)
        elif self.left:
            self.take(data)
        else:
            self.buffer += data
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if end:
                self.buffer = b""
                self.begin(head, rest)

    def begin(self, head: bytes, rest: bytes) -> None:
        if found := _FIRST_LOAD.match(head):
            self.transport.write(first_load_answer(int(found[1])))
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"sec-websocket-key" in fields:
            self.upgrade(head, rest)
            return
        self.is_post = head.startswith(b"POST ")
        found = _SID.search(head)
        self.sid = found[1] if found else b""
        if self.is_post:
            self.left = int(fields.get(b"content-length", b"0"))
            self.take(rest)
        elif self.sid:
            self.sessions.poll(self.sid, self)
        else:
            self.chunks_left = CHUNKS
            self.transport.write(_CHUNKED_HEAD)
            self.write_chunk()

    def take(self, data: bytes) -> None:
        """Take bytes of a request's body; a packet of a session is kept, and anything else only counted."""
        self.left -= len(data)
        if self.sid:
            self.buffer += data
        if self.left:
            return
        self.transport.write(answer(b"ok"))
        if self.sid:
            packet, self.buffer = self.buffer, b""
            self.sessions.send(self.sid, packet)

    def write_chunk(self) -> None:
        """Write the next chunk, each in its own turn of the loop as a program that streams does."""
        if self.is_paused or not self.chunks_left:
            return
        self.chunks_left -= 1
        self.transport.write(_ONE_CHUNK if self.chunks_left else _ONE_CHUNK + b"0\r\n\r\n")
        if self.chunks_left and not self.is_paused:
            asyncio.get_running_loop().call_soon(self.write_chunk)

    def upgrade(self, head: bytes, rest: bytes) -> None:
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
    sessions = Sessions()
    server = await asyncio.get_running_loop().create_server(lambda: Server(sessions), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
