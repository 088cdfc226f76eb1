"""One run of devproxy as its user has it, on any system: nothing but Python and what devproxy itself needs.

    python -m tests.smoke

Starts a server, ``devproxy up`` in front of it, and asks from outside: a page, an upload, a WebSocket, the other
commands, the inspector; saves a file with another port while a WebSocket is open; and ends it as a terminal does.
Says what it did; the exit status is 1 where something was not as it should be. This is what to run first on a system
on which devproxy has not been run yet (docs/platforms.md).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 20.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FILE = """
[server]
listen = "localhost:{listen}"
drain_s = 0.5

[upstreams]
backend = "http://localhost:{backend}"

[[routes]]
path = "/"
upstream = "backend"
"""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests with what they sent, and WebSocket handshakes with an echo of all bytes that follow."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = {
                name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head.split(b"\r\n"))
            }
            if b"sec-websocket-key" in fields:
                accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + GUID).digest())
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
                writer.write(b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept)
                while piece := await reader.read(65536):
                    writer.write(piece)
                return
            body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body) or 5, body or b"hello"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


class Devproxy:
    """``devproxy up`` in `folder`, with what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.jsonl"
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        with self.log.open("wb") as output:
            command = [sys.executable, "-m", "devproxy", "up", "--log", "json"]
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment(), stdout=output, stderr=output, creationflags=flags
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event, and return the last one of this name."""
        found: dict[str, Any] = wait(
            lambda: next((one for one in self.events()[::-1] if one.get("event") == name), {}), f"event {name}"
        )
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return what it said. Raises AssertionError if it said something that is no event, or has ended."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        assert self._process.poll() is None, f"devproxy has ended with {self._process.poll()}:\n{text}"
        lines = text.splitlines()
        assert all(line.startswith("{") for line in lines), text
        return [json.loads(line) for line in lines[: text.count("\n")]]

    def stop(self) -> int:
        """End it as a terminal or a supervisor does; return its exit code."""
        self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))}


def wait(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < until, f"no {what} within {PATIENCE_S:g} s"
        time.sleep(0.02)
    return found


def ask(
    port: int, method: str = "GET", path: str = "/", body: bytes = b"", host: str = "localhost"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def open_tunnel(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall(
        f"GET /socket HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return sock


def echoes(sock: socket.socket, size: int) -> bool:
    """Send a masked binary frame of `size` bytes in all, and tell whether just that comes back."""
    frame = b"\x82\xff" + (size - 14).to_bytes(8, "big") + bytes(4) + os.urandom(size - 14)
    sock.sendall(frame)
    received = b""
    while len(received) < size and (piece := sock.recv(65536)):
        received += piece
    return received == frame


def command(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "devproxy", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"devproxy {' '.join(arguments)} ended with {done.returncode}:\n{said}"
    return done.stdout.decode("utf-8", "replace")


def listed(devproxy: Devproxy) -> dict[str, Any]:
    """Return what ``devproxy list`` says of `devproxy`; nothing if it does not know it."""
    known: list[dict[str, Any]] = json.loads(command(devproxy.folder, "list", "--json"))
    return next((one for one in known if one["pid"] == devproxy.pid), {})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def told(what: str) -> None:
    sys.stdout.write(f"  {what}\n")
    sys.stdout.flush()


def tour(folder: Path, backend: int) -> None:
    """Do it all. Raises AssertionError."""
    file = folder / "devproxy.toml"
    first, second = free_port(), free_port()
    file.write_text(FILE.format(listen=first, backend=backend), encoding="utf-8")
    devproxy = Devproxy(folder)
    try:
        devproxy.event("ready")
        told(f"ready on port {first}")
        assert ask(first) == (200, b"hello")
        assert ask(first, "POST", "/upload", large := os.urandom(3 << 20)) == (200, large)
        told("a page, and an upload of 3 MiB and back")
        tunnel = open_tunnel(first)
        assert echoes(tunnel, 1 << 20)
        told("a WebSocket, 1 MiB there and back")
        assert wait(lambda: listed(devproxy), "devproxy in the list")["urls"] == [f"http://localhost:{first}/"]
        told("devproxy list finds it")
        command(folder, "check")
        assert "backend" in command(folder, "routes")
        command(folder, "explain", "/", "--send")
        told("check, routes, explain")
        status, page = ask(first, path="/__devproxy/")
        assert (status, b"<!doctype html>" in page.lower()) == (200, True)
        told("the inspector's page")
        file.write_text(FILE.format(listen=second, backend=backend), encoding="utf-8")
        devproxy.event("config_applied")
        assert ask(second) == (200, b"hello")
        assert echoes(tunnel, 1000)
        told(f"moved to port {second}; the WebSocket goes on")
        troubles = [event for event in devproxy.events() if event["event"] == "trouble"]
        assert not troubles, troubles
        code = devproxy.stop()
        assert code == 0, f"devproxy ended with {code}:\n{devproxy.log.read_text(encoding='utf-8')}"
        assert not listed(devproxy)
        tunnel.close()
        told("ended when it was told to, with 0, and left nothing behind")
    finally:
        devproxy.kill()


async def main() -> int:
    """Run the tour; return the exit status."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    told(f"Python {sys.version.split()[0]} on {sys.platform}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            await asyncio.to_thread(tour, Path(folder), server.sockets[0].getsockname()[1])
        except Exception as error:
            told(f"FAILED: {type(error).__name__}: {error}")
            return 1
    return 0


if __name__ == "__main__":
    os._exit(asyncio.run(main()))
