"""StickyChoice, stopping, aborting: what runs may finish for a while, what is idle goes, nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from devproxy.config.model import Listen, Server
from devproxy.errors import BindError
from devproxy.events import Event, Observer, Outcome, Stopped, Stopping, TunnelClosed
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind, find_holder
from tests.support.wire import WAY, Conversation, Wire, address_of, config_for, conversation, soon, until

pytestmark = pytest.mark.both_versions

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POLL = b"GET /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /raw HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\n"


async def waiting(talk: Conversation, request: bytes = GET) -> tuple[Wire, Wire]:
    """Return both ends of an exchange whose request has arrived."""
    client = await talk.client()
    client.send(request)
    server = await talk.upstream.accept()
    await server.head()
    return client, server


async def is_refused(port: int) -> bool:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)))
    except ConnectionRefusedError:
        return True
    finally:
        sock.close()
    return False


async def stopping(talk: Conversation, drain_s: float | None = None) -> asyncio.Task[int]:
    """Begin to stop; return when that has begun."""
    task = asyncio.ensure_future(talk.gateway.stop(drain_s))
    await until(lambda: talk.seen(Stopping))
    return task


# -- stopping ----------------------------------------------------------------------------------------------------------


async def test_stopping_accepts_nobody_more_and_lets_what_runs_finish() -> None:
    async with conversation(server=Server(drain_s=60)) as talk:
        client, server = await waiting(talk)
        task = await stopping(talk)
        assert await is_refused(talk.port)
        assert await client.is_silent()
        server.send(OK)
        head = await client.head()
        assert WAY.version == b"2.0" or b"\r\nConnection: close\r\n" in head
        assert await client.rest() == b"ok"
        assert await soon(task) == 0
        assert talk.finished()[-1].outcome is Outcome.COMPLETE
        assert talk.seen(Stopping) == [Stopping(1, 0, 60)]
        assert talk.seen(Stopped) == [Stopped(0)]


async def test_stopping_lets_a_body_that_is_on_its_way_arrive() -> None:
    async with conversation(server=Server(drain_s=60)) as talk:
        client, server = await waiting(talk)
        server.send(OK[:-1])
        await client.head()
        task = await stopping(talk)
        server.send(OK[-1:])
        assert await client.rest() == b"ok"
        assert await soon(task) == 0


async def test_stopping_lets_an_upload_that_is_on_its_way_arrive() -> None:
    async with conversation(server=Server(drain_s=60)) as talk:
        client, server = await waiting(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        task = await stopping(talk)
        client.send(b"b")
        assert await server.read(2) == b"ab"
        server.send(OK)
        assert (await client.rest()).endswith(b"ok")
        assert await soon(task) == 0


async def test_stopping_closes_idle_connections_on_both_sides() -> None:
    async with conversation(server=Server(drain_s=60)) as talk:
        fresh = await talk.client()
        client, server = await waiting(talk)
        server.send(OK)
        await client.until(b"ok")
        assert await soon(talk.gateway.stop()) == 0
        assert await fresh.is_ended()
        assert await client.is_ended()
        assert await server.is_ended()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (GET, b""),
        (POLL, b""),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"),
        (GET, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\na"),
    ],
    ids=["no answer", "poll", "event stream", "body", "body until close"],
)
async def test_what_does_not_finish_in_time_is_cut_counted_and_looks_cut(request_: bytes, answer: bytes) -> None:
    async with conversation() as talk:
        client, server = await waiting(talk, request_)
        if answer:
            server.send(answer)
            await client.head()
            await client.until(b"a")
        assert await soon(talk.gateway.stop(drain_s=0.2)) == 1
        if b"chunked" in answer:
            assert b"0\r\n\r\n" not in await _rest_or_reset(client)
        else:
            assert await _rest_or_reset(client) == b"reset"
        await _rest_or_reset(server)
        await until(talk.finished)
        assert [event.outcome for event in talk.finished()] == [Outcome.STOPPED]
        assert talk.seen(Stopped) == [Stopped(1)]


async def _rest_or_reset(wire: Wire) -> bytes:
    """Return what came until the end; ``reset`` where that was one."""
    try:
        return await wire.rest()
    except ConnectionResetError:
        return b"reset"


async def test_the_configured_time_to_drain_is_the_default() -> None:
    async with conversation(server=Server(drain_s=0.1)) as talk:
        await waiting(talk)
        assert await soon(talk.gateway.stop()) == 1


@pytest.mark.http1_only("WebSockets are all that HTTP/2 opens a tunnel for")
async def test_stopping_cuts_a_tunnel_of_another_protocol() -> None:
    async with conversation() as talk:
        client, server = await waiting(talk, UPGRADE)
        server.send(SWITCH)
        await client.head()
        await soon(talk.gateway.stop(drain_s=0.2))
        await _rest_or_reset(client)
        await _rest_or_reset(server)
        assert [event.closed_by for event in talk.seen(TunnelClosed)] == ["devproxy"]


async def test_aborting_ends_everything_at_once() -> None:
    async with conversation() as talk:
        idle = await talk.client()
        client, server = await waiting(talk)
        joined, behind = await waiting(talk, UPGRADE.replace(b"raw", b"websocket"))
        behind.send(SWITCH.replace(b"raw", b"websocket"))
        await joined.head()
        talk.gateway.abort()
        for wire in (idle, client, server, joined, behind):
            await _rest_or_reset(wire)
        await until(lambda: talk.gateway.connection_count == 0)
        assert await is_refused(talk.port)


async def test_stopping_what_never_started_is_nothing() -> None:
    sockets = bind((Listen(host="127.0.0.1", port=0),))
    try:
        assert await Gateway(config_for((address_of(1),)), sockets).stop() == 0
    finally:
        for sock in sockets:
            sock.close()


async def test_a_stopped_gateway_leaves_no_task_and_no_descriptor() -> None:
    async def once() -> None:
        events: list[Event] = []
        gateway = Gateway(config_for((address_of(1),)), bind((Listen(host="localhost", port=0),)))
        gateway.observe(Observer(events.append))
        await gateway.start()
        await soon(gateway.stop())

    await once()
    descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
    for _ in range(5):
        await once()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


# -- binding -----------------------------------------------------------------------------------------------------------


def bound(listens: Sequence[Listen]) -> list[tuple[str, int]]:
    """Bind `listens`, close what was bound, and return its addresses."""
    sockets = bind(listens)
    try:
        for sock in sockets:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
            assert not sock.getblocking()
        return [sock.getsockname()[:2] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def test_localhost_is_both_loopback_addresses_on_one_port_that_the_system_chooses() -> None:
    (first, port_1), (second, port_2) = bound((Listen(host="localhost", port=0),))
    assert (first, second) == ("127.0.0.1", "::1")
    assert port_1 == port_2 != 0


def test_localhost_is_both_loopback_addresses_on_a_given_port() -> None:
    port = bound((Listen(host="localhost", port=0),))[0][1]
    assert bound((Listen(host="localhost", port=port),)) == [("127.0.0.1", port), ("::1", port)]


def test_an_address_is_bound_alone_and_no_host_is_every_address() -> None:
    assert [host for host, _ in bound((Listen(host="::1", port=0), Listen(host="127.0.0.1", port=0)))] == [
        "::1",
        "127.0.0.1",
    ]
    assert [host for host, _ in bound((Listen(host="", port=0),))] == ["::"]


@pytest.mark.parametrize("holder", ["127.0.0.1", "::1"])
def test_a_taken_port_is_refused_with_who_has_it_and_nothing_stays_bound(holder: str) -> None:
    (held,) = bind((Listen(host=holder, port=0),))
    port = held.getsockname()[1]
    before = len(os.listdir("/proc/self/fd"))
    try:
        with pytest.raises(BindError) as caught:
            bind((Listen(host="127.0.0.1", port=0), Listen(host="localhost", port=port)))
        name = Path("/proc/self/comm").read_text().strip()
        assert caught.value.reason == "the port is taken"
        assert caught.value.holder == f"{name} (pid {os.getpid()})"
        assert caught.value.address == (f"[::1]:{port}" if holder == "::1" else f"127.0.0.1:{port}")
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        held.close()
    assert find_holder(port) == ""


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(BindError, match="this machine does not have that address"):
        bind((Listen(host="192.0.2.1", port=0),))


def test_a_name_that_does_not_resolve_is_refused() -> None:
    with pytest.raises(BindError, match="the name does not resolve"):
        bind((Listen(host="nowhere.invalid", port=0),))


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (Listen(host="localhost", port=0), "http://localhost:{}/"),
        (Listen(host="127.0.0.1", port=0), "http://localhost:{}/"),
        (Listen(host="127.0.0.2", port=0), "http://127.0.0.2:{}/"),
        (Listen(host="", port=0), "http://localhost:{}/"),
    ],
)
def test_an_address_is_shown_once_as_a_browser_takes_it(listen: Listen, url: str) -> None:
    sockets = bind((listen,))
    try:
        urls = Gateway(config_for((address_of(1),)), sockets).urls
        assert urls[0] == url.format(sockets[0].getsockname()[1])
        assert len(urls) == len(set(urls))
        assert listen.host == "" or len(urls) == 1
    finally:
        for sock in sockets:
            sock.close()
