"""A conversation on the wire, readable: a gateway, a scripted upstream behind it, a raw client before it.

    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        server = await talk.upstream.accept()
        assert (await server.head()).startswith(b"GET / ")
        server.send(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
        assert await client.head() == b"HTTP/1.1 204 No Content\\r\\n\\r\\n"

Everything is awaited with one generous deadline; nothing sleeps and hopes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from devproxy.config.model import (
    Config,
    Cors,
    CorsMode,
    Listen,
    PathKind,
    Route,
    Scheme,
    Server,
    ServerAddress,
    Upstream,
)
from devproxy.events import Event, ExchangeFinished, Observer
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind
from tests.support.certificates import certificate_files

DEADLINE_S = 20.0


class Way:
    """How the clients of a test come, and what its scripted servers are; see ``tests/integration/conftest.py``.

    ``is_secure``: by TLS. ``client``: makes one that speaks another version than HTTP/1.1 of one that is connected.
    One test runs at a time in a process, so it is a place that all can see: a context variable that a fixture sets does
    not reach a test on the loop.
    """

    is_secure = False
    client: Callable[[Wire], Wire] | None = None
    server: type[Wire] | None = None

    @property
    def version(self) -> bytes:
        """The version of HTTP, as `Via` says it."""
        return b"2.0" if self.client else b"1.1"


WAY = Way()

T = TypeVar("T")
E = TypeVar("E")


async def soon(awaitable: Awaitable[T]) -> T:
    """Await with the deadline that every step of a conversation has."""
    async with asyncio.timeout(DEADLINE_S):
        return await awaitable


async def until(condition: Callable[[], object], *, within_s: float = DEADLINE_S) -> float:
    """Wait until `condition` holds; return how many seconds that took. Fails after `within_s`."""
    loop = asyncio.get_running_loop()
    started, turns = loop.time(), 0
    while not condition():
        assert loop.time() - started < within_s, "the condition did not come true in time"
        await asyncio.sleep(0 if turns < 20 else 0.005)  # most conditions come true within a few turns of the loop
        turns += 1
    return loop.time() - started


class Wire:
    """One end of a TCP connection, read and written by hand."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def send(self, data: bytes) -> None:
        """Send `data`, small enough for the kernel's buffer."""
        assert self.send_some(data) == len(data)

    def send_some(self, data: bytes) -> int:
        """Send what is taken of `data` at once; return how much that is. Raises BlockingIOError for nothing."""
        return self.sock.send(data)

    async def send_all(self, data: bytes) -> None:
        """Send `data` of any size."""
        await soon(self._loop.sock_sendall(self.sock, data))

    async def read(self, size: int) -> bytes:
        """Return exactly `size` octets."""
        while len(self._buffer) < size:
            await self._read_on()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def until(self, end: bytes) -> bytes:
        """Return everything up to and with `end`."""
        while end not in self._buffer:
            await self._read_on()
        taken, _, self._buffer = self._buffer.partition(end)
        return taken + end

    async def _read_on(self) -> None:
        data = await soon(self._receive())
        assert data, f"the connection ended after {self._buffer!r}"
        self._buffer += data

    async def _receive(self) -> bytes:
        """Return what comes next, nothing for the end."""
        return await self._loop.sock_recv(self.sock, 262144)

    async def head(self) -> bytes:
        """Return the next head, blank line included."""
        return await self.until(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Return what comes until the other side ends."""
        parts = [self._buffer]
        self._buffer = b""
        while data := await soon(self._receive()):
            parts.append(data)
        return b"".join(parts)

    async def is_ended(self) -> bool:
        """Wait for the end of the connection; True for a plain end, False for a reset."""
        try:
            assert await self.rest() == b""
        except ConnectionResetError:
            return False
        return True

    async def is_silent(self, for_s: float = 0.2) -> bool:
        """Tell whether nothing arrives, not even an end, for `for_s` seconds."""
        if self._buffer:
            return False
        try:
            async with asyncio.timeout(for_s):
                self._buffer += await self._receive()
        except TimeoutError:
            return True
        return False

    def sealed(self, data: bytes) -> bytes:
        """Return `data` as it is sent."""
        return data

    def opened(self, octets: bytes) -> bytes:
        """Return what `octets`, as they came, say."""
        return octets

    def discard(self) -> None:
        """Let go of the connection, however it is: the test is over."""
        self.sock.close()

    def finish(self) -> None:
        """End the sending side alone (FIN)."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close (FIN)."""
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class TlsWire(Wire):
    """The same with TLS on it, as a browser has it. What is not taken of `send_some` is lost: only to fill buffers.

    ``was_told_the_end``: by a close_notify.
    """

    def __init__(self, sock: socket.socket, alpn: Sequence[str] = ()) -> None:
        super().__init__(sock)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(alpn)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._unsent = b""
        self.was_told_the_end = False

    async def shake_hands(self) -> None:
        """Agree on keys."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await soon(self._loop.sock_recv(self.sock, 65536)))
            else:
                return await self._flush()

    async def _flush(self) -> None:
        await soon(self._loop.sock_sendall(self.sock, self._unsent + self._outgoing.read()))
        self._unsent = b""

    def send_some(self, data: bytes) -> int:
        if not self._unsent:
            self.tls.write(data)
            self._unsent = self._outgoing.read()
        self._unsent = self._unsent[self.sock.send(self._unsent) :]
        if self._unsent:
            raise BlockingIOError
        return len(data)

    async def send_all(self, data: bytes) -> None:
        self.tls.write(data)
        await self._flush()

    async def _receive(self) -> bytes:
        while True:
            try:
                data = self.tls.read(262144)
            except ssl.SSLZeroReturnError:  # behind an end of our own
                data = b""
            except ssl.SSLWantReadError:
                records = await self._loop.sock_recv(self.sock, 262144)
                if not records:
                    return b""
                self._incoming.write(records)
                continue
            self.was_told_the_end = not data
            return data

    def sealed(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._outgoing.read()

    def opened(self, octets: bytes) -> bytes:
        self._incoming.write(octets)
        said = []
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while data := self.tls.read(262144):
                said.append(data)
        return b"".join(said)

    def finish(self) -> None:
        self._say_end()
        super().finish()

    def close(self) -> None:
        self._say_end()
        super().close()

    def _say_end(self) -> None:
        with suppress(ssl.SSLError, OSError):
            self.tls.unwrap()
        with suppress(OSError):
            self.sock.send(self._unsent + self._outgoing.read())


class ScriptedUpstream:
    """A listening socket whose connections the test answers by hand."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(1024)
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.wires: list[Wire] = []

    async def accept(self) -> Wire:
        """Return the next connection that the gateway opens and that is not just the probe at its start."""
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await soon(loop.sock_accept(self.listener))
            wire = (WAY.server or Wire)(sock)
            self.wires.append(wire)
            data = b""
            try:
                data = await soon(loop.sock_recv(sock, 262144))
            except ConnectionResetError:
                pass
            if data:
                wire._buffer = data
                return wire
            sock.close()

    def close(self) -> None:
        """Stop listening and close every connection."""
        self.listener.close()
        for wire in self.wires:
            wire.sock.close()


class Conversation:
    """A running gateway with its scripted upstream, its events and the raw clients that talk to it."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream, events: list[Event]) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.events = events
        self.port = int(gateway.urls[0].rsplit(":", 1)[1].rstrip("/"))
        self._wires: list[Wire] = []

    async def client(self, *, is_secure: bool | None = None, alpn: Sequence[str] = ()) -> Wire:
        """Return a new client connection. `is_secure`: with TLS, whatever the test runs with; `alpn`: its offer.

        With either of them it speaks HTTP/1.1 unless the test itself does otherwise.
        """
        speaks = WAY.client if is_secure is None and not alpn else None
        alpn = ("h2",) if speaks else alpn
        sock = socket.socket()
        sock.setblocking(False)
        await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port)))
        wire = TlsWire(sock, alpn) if (WAY.is_secure if is_secure is None else is_secure) else Wire(sock)
        if isinstance(wire, TlsWire):
            await wire.shake_hands()
        if speaks:
            wire = speaks(wire)
        self._wires.append(wire)
        return wire

    def finished(self) -> list[ExchangeFinished]:
        """Return the exchanges that are over so far."""
        return self.seen(ExchangeFinished)

    def seen(self, kind: type[E]) -> list[E]:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        """Close the clients and the upstream."""
        for wire in self._wires:
            wire.discard()
        self.upstream.close()


def address_of(port: int, *, host: str = "127.0.0.1", scheme: Scheme = Scheme.HTTP, path: str = "") -> ServerAddress:
    """Return a server's address as the configuration would hold it."""
    shown = f"[{host}]" if ":" in host else host
    url = f"unix:{path}" if scheme is Scheme.UNIX else f"{scheme}://{shown}:{port}"
    return ServerAddress(scheme=scheme, host=host, port=port, url=url, path=path)


OPEN = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", cors=Cors(mode=CorsMode.PASSTHROUGH), guard=False)
"""Takes everything, refuses nobody and leaves the response's fields as they are: forwarding and nothing else."""


def config_for(
    servers: Iterable[ServerAddress],
    *,
    routes: tuple[Route, ...] = (OPEN,),
    server: Server | None = None,
    upstream: Upstream | None = None,
) -> Config:
    """Return a configuration with one upstream that serves everything: ``backend``, or as in `upstream`.

    `servers`, where there are any, are the upstream's. Every Host is accepted unless `server` names some.
    """
    server = server or Server(listen=(Listen(host="127.0.0.1", port=0),))
    upstream = upstream or Upstream(name="backend", servers=())
    return Config(
        server=server if server.allowed_hosts else replace(server, allowed_hosts=("*",)),
        upstreams=(replace(upstream, servers=tuple(servers) or upstream.servers),),
        routes=routes,
    )


@asynccontextmanager
async def running(config: Config, upstream: ScriptedUpstream) -> AsyncIterator[Conversation]:
    """Run a gateway for `config`; `upstream` is closed with it."""
    events: list[Event] = []
    if WAY.is_secure:
        config = replace(config, server=replace(config.server, tls=certificate_files()))
    gateway = Gateway(config, bind((Listen(host="127.0.0.1", port=0),)))
    gateway.observe(Observer(events.append))
    await gateway.start()
    talk = Conversation(gateway, upstream, events)
    try:
        yield talk
    finally:
        talk.close()
        await gateway.stop(drain_s=0)
        await until(lambda: gateway.connection_count == 0)


@asynccontextmanager
async def conversation(
    *, server: Server | None = None, upstream: Upstream | None = None, routes: tuple[Route, ...] = (OPEN,)
) -> AsyncIterator[Conversation]:
    """Run a gateway in front of one scripted upstream; `upstream` gives every setting but its servers."""
    scripted = ScriptedUpstream()
    config = config_for((address_of(scripted.port),), routes=routes, server=server, upstream=upstream)
    async with running(config, scripted) as talk:
        yield talk
