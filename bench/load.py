"""The load: wrk for requests, two small uvloop clients for uploads and WebSockets. Every answer is checked.

Run as ``python -m bench.load upload|websocket|idle PORT …``; the result is one line of JSON. A wrong answer is an
error, never a fast one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

MIB = 1 << 20
CLIENT_LIMIT_S = 40
SCRIPT = Path(__file__).parent / "vary.lua"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass
class Done:
    """What a load did: units of work, seconds, and what went wrong ("" for nothing)."""

    units: float
    seconds: float
    error: str = ""
    p50_us: float = 0.0


def wrk(port: int, path: str, *, connections: int, seconds: float) -> Done:
    """Send GETs as fast as they are answered; units are requests."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    if not path:
        command += ["-s", str(SCRIPT)]
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path or '/'}"], capture_output=True, text=True, check=False
    )
    text = result.stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if found is None:
        return Done(0, seconds, (result.stderr or text).strip())
    bad = re.search(r"(Non-2xx.*|Socket errors.*)", text)
    latency = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    scale = {"us": 1, "ms": 1000, "s": 1_000_000}
    p50 = float(latency[1]) * scale[latency[2]] if latency else 0.0
    return Done(int(found[1]), float(found[2]), bad[0] if bad else "", p50)


def client(*arguments: object) -> Done:
    """Run one of this module's own clients in a process of its own."""
    command = [sys.executable, "-m", "bench.load", *map(str, arguments)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CLIENT_LIMIT_S)
    except subprocess.TimeoutExpired:
        return Done(0, 0, f"the load client did not end within {CLIENT_LIMIT_S} s")
    if result.returncode:
        return Done(0, 0, (result.stderr.strip().splitlines() or ["the load client failed"])[-1])
    return Done(**json.loads(result.stdout.splitlines()[-1]))


async def upload(port: int, connections: int, seconds: float, size: int) -> Done:
    """POST bodies of `size` octets one after another; units are MiB."""
    body = bytes(size)
    head = f"POST /api/upload HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: {size}\r\n\r\n".encode()
    deadline = time.monotonic() + seconds

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        while time.monotonic() < deadline:
            writer.write(head)
            for start in range(0, size, MIB):
                writer.write(body[start : start + MIB])
                await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200") or await reader.readexactly(2) != b"ok":
                raise RuntimeError(f"the upload was answered {answer[:60]!r}")
            done += 1
        writer.close()
        return done

    started = time.monotonic()
    bodies = sum(await asyncio.gather(*(one() for _ in range(connections))))
    return Done(bodies * size / MIB, time.monotonic() - started)


class Echoing(asyncio.Protocol):
    """A WebSocket client that sends one message, waits for its echo, checks it, and goes on until the deadline."""

    transport: asyncio.Transport

    def __init__(self, size: int, deadline: float, *, holds: bool = False) -> None:
        length = bytes((size,)) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
        payload = bytes(i & 0xFF for i in range(256)) * (size // 256 + 1)
        # The mask is zero, so that the payload is itself on the way up and the echo can be compared.
        self.message = b"\x82" + bytes((length[0] | 0x80,)) + length[1:] + bytes(4) + payload[:size]
        self.echo = b"\x82" + length + payload[:size]
        self.deadline = deadline
        self.holds = holds
        self.got: list[bytes] = []
        self.missing = 0
        self.count = 0
        self.is_open = False
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:8080\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            if not data.startswith(b"HTTP/1.1 101") or not data.endswith(b"\r\n\r\n"):
                self.fail(f"the handshake was answered {data[:60]!r}")
                return
            self.is_open = True
            self.next()
            return
        self.got.append(data)
        self.missing -= len(data)
        if self.missing > 0:
            return
        if self.missing or b"".join(self.got) != self.echo:
            self.fail("the echo differs from the message")
            return
        self.count += 1
        if self.holds or time.monotonic() >= self.deadline:
            self.done.set_result(self.count)
            if not self.holds:
                self.transport.close()
        else:
            self.next()

    def next(self) -> None:
        self.got.clear()
        self.missing = len(self.echo)
        self.transport.write(self.message)

    def fail(self, why: str) -> None:
        self.transport.abort()
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the connection was lost: {exc}"))


async def websocket(port: int, connections: int, seconds: float, size: int) -> Done:
    """Exchange messages of `size` octets on `connections` WebSockets; units are messages echoed."""
    loop = asyncio.get_running_loop()
    deadline = time.monotonic() + seconds
    clients = [Echoing(size, deadline) for _ in range(connections)]
    started = time.monotonic()
    for one in clients:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    return Done(sum(await asyncio.gather(*(one.done for one in clients))), time.monotonic() - started)


async def idle(port: int, connections: int, seconds: float, size: int) -> Done:
    """Open `connections` WebSockets, one message on each, say so, and hold them until the input ends."""
    loop = asyncio.get_running_loop()
    clients = [Echoing(size, 0, holds=True) for _ in range(connections)]
    for one in clients:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
        await one.done
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    return Done(connections, seconds)


def main() -> None:
    """Run one client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["upload", "websocket", "idle"])
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("size", type=int)
    options = parser.parse_args()
    kinds = {"upload": upload, "websocket": websocket, "idle": idle}
    done = uvloop.run(kinds[options.kind](options.port, options.connections, options.seconds, options.size))
    print(json.dumps(asdict(done)))


if __name__ == "__main__":
    main()
