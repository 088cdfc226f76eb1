"""Servers that take one connection at a time, or a few: an idle connection of devproxy's must not keep them busy."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import BaseServer
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from devproxy.config.model import Config, Listen, Server, Upstream
from devproxy.events import UpstreamState
from tests.support.wire import (
    OPEN,
    Conversation,
    ScriptedUpstream,
    Wire,
    address_of,
    config_for,
    conversation,
    running,
    until,
)

pytestmark = pytest.mark.both_versions

GET = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Persistent(BaseHTTPRequestHandler):
    """As Python's own servers answer as soon as somebody asks them for HTTP/1.1."""

    protocol_version = "HTTP/1.1"
    takes_s = 0.0

    def do_GET(self) -> None:
        time.sleep(self.takes_s)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Slow(Persistent):
    takes_s = 0.05


class QuietWsgi(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


QUEUE = 16
"""More than are asked at once. In a full queue, of five by default, the system drops a client and tries a second later,
without devproxy as well."""


def patient(server: HTTPServer) -> HTTPServer:
    """Return `server` with room for all who wait to be accepted."""
    server.socket.listen(QUEUE)
    return server


@contextmanager
def serving(server: BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[index, misc]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def plain(handler: type[BaseHTTPRequestHandler] = Persistent) -> Iterator[int]:
    """Python's ``HTTPServer``: one connection, until it ends, then the next."""
    with serving(patient(HTTPServer(("127.0.0.1", 0), handler))) as port:
        yield port


def slow() -> object:
    return plain(Slow)


@contextmanager
def wsgi() -> Iterator[int]:
    def application(environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with serving(patient(make_server("127.0.0.1", 0, application, handler_class=QuietWsgi))) as port:
        yield port


@contextmanager
def embedded(workers: int = 1) -> Iterator[int]:
    """A loop around ``accept``, as small devices have it; `workers` threads that each hold one connection."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    open_now: set[socket.socket] = set()

    def work() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            open_now.add(taken)
            seen = b""
            try:
                while data := taken.recv(65536):
                    seen += data
                    while b"\r\n\r\n" in seen:
                        seen = seen.partition(b"\r\n\r\n")[2]
                        taken.sendall(OK)
            except OSError:
                pass
            open_now.discard(taken)
            taken.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in list(open_now):
            one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)


@contextmanager
def two_at_a_time() -> Iterator[int]:
    with embedded(2) as port:
        yield port


SERVERS = {
    "http.server": plain,
    "http.server, 50 ms for each": slow,
    "wsgiref": wsgi,
    "embedded": embedded,
    "two at a time": two_at_a_time,
}


async def ask(talk: Conversation, request: bytes = GET) -> Wire:
    client = await talk.client()
    client.send(request)
    return client


async def answered(client: Wire) -> None:
    assert (await client.head()).startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))
    assert await client.read(2) == b"ok"


def config(port: int) -> Upstream:
    return Upstream(name="backend", servers=(address_of(port),))


@pytest.mark.alone
@pytest.mark.parametrize("start", SERVERS.values(), ids=SERVERS.keys())
async def test_six_requests_at_once_are_answered_within_a_second_and_so_are_the_next_six(start: object) -> None:
    with start() as port:  # type: ignore[operator]
        async with running(config_for((), upstream=config(port)), ScriptedUpstream()) as talk:
            loop = asyncio.get_running_loop()
            await until(lambda: talk.seen(UpstreamState))  # the look whether it is there has left its short queue
            for _ in range(3):
                started = loop.time()
                clients = [await ask(talk) for _ in range(6)]
                await asyncio.gather(*(answered(client) for client in clients))
                assert loop.time() - started < 1.0


async def test_six_clients_that_go_on_asking_get_on_too() -> None:
    """As a page does that loads its modules over the six connections of a browser."""
    with plain() as port:
        async with running(config_for((), upstream=config(port)), ScriptedUpstream()) as talk:
            loop = asyncio.get_running_loop()

            async def load() -> None:
                client = await talk.client()
                for _ in range(10):
                    client.send(GET)
                    await answered(client)

            started = loop.time()
            await asyncio.gather(*(load() for _ in range(6)))
            assert loop.time() - started < 2.0


async def test_a_post_among_them_arrives_once() -> None:
    with plain() as port:
        async with running(config_for((), upstream=config(port)), ScriptedUpstream()) as talk:
            post = b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            clients = [await ask(talk, request) for request in (GET, post, GET, post)]
            await asyncio.gather(*(answered(client) for client in clients))


async def test_two_upstreams_that_name_the_same_server_do_not_keep_it_busy_for_each_other() -> None:
    with plain() as port:
        names = ("frontend", "backend")
        config = Config(
            server=Server(listen=(Listen(host="127.0.0.1", port=0),), allowed_hosts=("*",)),
            upstreams=tuple(Upstream(name=name, servers=(address_of(port),)) for name in names),
            routes=tuple(
                replace(OPEN, pattern=path, upstream=name) for path, name in zip(("/", "/api/"), names, strict=True)
            ),
        )
        async with running(config, ScriptedUpstream()) as talk:
            loop = asyncio.get_running_loop()
            client = await talk.client()
            started = loop.time()
            for target in (b"/one", b"/api/one", b"/one", b"/api/one"):
                client.send(GET.replace(b"/one", target))
                await answered(client)
            assert loop.time() - started < 1.0


# -- and nothing changes for the others --------------------------------------------------------------------------------


async def test_a_slow_answer_of_a_server_that_serves_several_costs_its_idle_connections_once_at_most() -> None:
    async with conversation() as talk:
        slow_client = await ask(talk)
        slow_end = await talk.upstream.accept()
        await slow_end.head()
        quick = await ask(talk)
        first = await talk.upstream.accept()
        await first.head()
        first.send(OK)
        await answered(quick)
        assert await first.is_ended(), "the server might be waiting for its end"

        quick.send(GET)
        second = await talk.upstream.accept()
        await second.head()
        second.send(OK)  # while the one before it waits: this server serves both
        await answered(quick)
        another_slow = await ask(talk, GET.replace(b"one", b"slow"))
        await second.head()
        third_client = await ask(talk)
        third = await talk.upstream.accept()
        await third.head()
        third.send(OK)
        await answered(third_client)
        assert await third.is_silent(0.5), "it is kept"
        third_client.send(GET)
        await third.head()
        third.send(OK)
        await answered(third_client)
        for client, server in ((slow_client, slow_end), (another_slow, second)):
            server.send(OK)
            await answered(client)


async def test_a_server_that_takes_equally_long_for_each_is_not_dialled_for_each() -> None:
    dialled = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dialled
        dialled += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.15)
                writer.write(OK)
        writer.close()

    async def go_on_asking(talk: Conversation) -> None:
        client = await talk.client()
        for _ in range(10):
            client.send(GET)
            await answered(client)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with running(config_for((), upstream=config(port)), ScriptedUpstream()) as talk:
        await asyncio.gather(*(go_on_asking(talk) for _ in range(6)))
    listener.close()
    assert dialled < 30, f"{dialled} connections for 60 requests of six clients"


async def test_who_waits_and_leaves_is_no_reason_to_keep_nothing() -> None:
    async with conversation() as talk:
        kept_client = await ask(talk)
        leaver = await ask(talk)
        ends = [await talk.upstream.accept() for _ in range(2)]
        for end in ends:
            await end.head()
        ends[0].send(OK)
        await answered(kept_client)
        assert await ends[0].is_ended()
        leaver.reset()
        await until(lambda: len(talk.finished()) == 2)
        client = await ask(talk)
        end = await talk.upstream.accept()
        await end.head()
        end.send(OK)
        await answered(client)
        assert await end.is_silent(0.3)


# -- a client keeps its connection -------------------------------------------------------------------------------------


@pytest.mark.http1_only("a browser has one connection, for all of its requests")
async def test_a_client_gets_the_connection_that_it_used_last() -> None:
    """Where processes share a port, a browser's own connections are each bound to one of them."""
    async with conversation() as talk:
        pairs = []
        for _ in range(3):
            client = await ask(talk)
            pairs.append((client, await talk.upstream.accept()))
        for client, end in pairs:
            await end.head()
            end.send(OK)
            await answered(client)
        for client, end in (*pairs, *reversed(pairs), pairs[1], pairs[0], pairs[2]):
            client.send(GET)
            await end.head()
            end.send(OK)
            await answered(client)
