"""Upgrades: handshakes relayed whole, bytes joined both ways, endings passed on."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from random import Random

import pytest
from devproxy.config.model import Server
from devproxy.events import TunnelClosed, TunnelOpened
from devproxy.realtime.websocket import close_frame
from tests.support.wire import WAY, Conversation, Wire, conversation, until

pytestmark = pytest.mark.both_versions

HANDSHAKE = (
    b"GET /chat?x=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: a=b; c=d\r\n"
    b"Sec-WebSocket-Protocol: vite-hmr, other\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    b"\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: vite-hmr\r\n"
    b"Set-Cookie: io=1; Path=/\r\n\r\n"
)


KEEP_ALIVE_TIMER = 2


def tcp_timer(local_port: int, remote_port: int) -> int:
    """Return which timer the kernel runs for the connection that has these ports (``tr`` in proc(5))."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, timer, *_ = line.split()
        if (local[-4:], remote[-4:]) == (f"{local_port:04X}", f"{remote_port:04X}"):
            return int(timer[:2], 16)
    raise AssertionError("there is no such connection")


async def joined(talk: Conversation) -> tuple[Wire, Wire]:
    """Return both ends of a fresh tunnel."""
    client = await talk.client()
    client.send(HANDSHAKE)
    server = await talk.upstream.accept()
    await server.head()
    server.send(SWITCH)
    await client.head()
    return client, server


@pytest.mark.http1_only("the key of a handshake is devproxy's own in HTTP/2; `test_http2.py` has the rest")
async def test_a_handshake_reaches_the_server_whole_and_its_answer_the_client() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(HANDSHAKE)
        server = await talk.upstream.accept()
        request = await server.head()
        assert request.startswith(b"GET /chat?x=1 HTTP/1.1\r\n")
        for line in HANDSHAKE.split(b"\r\n")[1:-2]:
            if not line.startswith(b"Connection"):
                assert line + b"\r\n" in request
        assert b"\r\nConnection: Upgrade\r\n" in request
        assert b"X-Forwarded-Proto: http\r\n" in request
        server.send(SWITCH)
        assert await client.head() == SWITCH
        await until(lambda: talk.seen(TunnelOpened))
        assert talk.seen(TunnelOpened)[0].protocol == "websocket"


@pytest.mark.both_schemes
async def test_octets_glued_to_either_head_are_not_lost() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(HANDSHAKE + b"early from the client")
        server = await talk.upstream.accept()
        await server.head()
        server.send(SWITCH + b"early from the server")
        assert (await client.head()).startswith(b"HTTP/1.1 101")
        assert await client.read(21) == b"early from the server"
        assert await server.read(21) == b"early from the client"


@pytest.mark.both_schemes
async def test_garbage_behind_a_101_passes_byte_for_byte() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        garbage = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nUnsupported protocol version"
        server.send(garbage)
        assert await client.read(len(garbage)) == garbage


@pytest.mark.both_schemes
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 0", b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length : 5"]
)
async def test_a_101_that_speaks_of_a_body_switches_all_the_same(framing: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 101 Go\r\n" + framing + b"\r\nConnection : upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
        start, _, lines = (await client.head()).partition(b"\r\n")
        assert start.startswith(b"HTTP/1.1 101 ")
        assert lines == b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert await client.read(5) == b"first"
        client.send(b"back")
        assert await server.read(4) == b"back"


@pytest.mark.http1_only("WebSockets are all that HTTP/2 opens a tunnel for")
@pytest.mark.both_schemes
@pytest.mark.parametrize("token", [b"websocket", b"TLS/1.3", b"my-protocol"])
async def test_any_protocol_may_be_switched_to(token: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " + token + b"\r\n\r\n")
        server = await talk.upstream.accept()
        assert b"Upgrade: " + token in await server.head()
        server.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: " + token + b"\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 101 Go\r\n")
        server.send(b"x")
        client.send(b"y")
        assert (await client.read(1), await server.read(1)) == (b"x", b"y")


@pytest.mark.both_schemes
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(b"200 OK", marks=pytest.mark.http1_only("in HTTP/2, 200 says that the tunnel is open")),
        b"400 Bad Request",
        b"401 Unauthorized",
        b"403 Forbidden",
        b"426 Upgrade Required",
    ],
)
async def test_a_refused_upgrade_is_an_ordinary_response_and_the_connection_goes_on(status: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(HANDSHAKE)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 " + status + b"\r\nX-Why: because\r\nContent-Length: 4\r\n\r\nwhy?")
        head = await client.head()
        assert head == b"HTTP/1.1 " + status + b"\r\nX-Why: because\r\nContent-Length: 4\r\n\r\n"
        assert await client.read(4) == b"why?"
        client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await server.head()).startswith(b"GET /next ")


@pytest.mark.both_schemes
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n",
        b"Unauthorized",
        b"",
    ],
)
async def test_a_switch_that_nobody_asked_for_or_no_answer_at_all_is_a_502(answer: bytes) -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(HANDSHAKE)
        server = await talk.upstream.accept()
        await server.head()
        if answer:
            server.send(answer)
        server.close()
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"X-Devproxy-Error: upstream-" in head


@pytest.mark.both_schemes
async def test_a_101_without_an_upgrade_is_a_502() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(SWITCH)
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.both_schemes
@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_the_end_of_one_direction_is_passed_on_and_the_other_goes_on(first: str) -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        one, other = (client, server) if first == "client" else (server, client)
        one.send(b"last")
        one.finish()
        assert await other.rest() == b"last"
        other.send(b"still here")
        assert await one.read(10) == b"still here"
        other.finish()
        assert await one.rest() == b""
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == first


@pytest.mark.both_schemes
@pytest.mark.both_loops
async def test_the_end_of_a_client_that_comes_before_the_switch_is_passed_on_behind_what_it_sent() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(HANDSHAKE + b"early")
        client.finish()
        server = await talk.upstream.accept()
        await server.head()
        await asyncio.sleep(0.05)  # the end arrives before the switch
        server.send(SWITCH)
        assert await server.rest() == b"early"
        server.send(b"still here")
        server.close()
        await client.head()
        assert await client.rest() == b"still here"
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == "client"


@pytest.mark.both_schemes
@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_a_reset_is_passed_on_as_a_reset(first: str) -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        one, other = (client, server) if first == "client" else (server, client)
        one.reset()
        assert not await other.is_ended()


@pytest.mark.both_schemes
async def test_a_slow_reader_holds_the_writer_back_and_gets_everything() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        data = Random(1).randbytes(1 << 20) * (24 if WAY.version == b"1.1" else 12)  # `h2` takes its time
        sending = asyncio.ensure_future(server.send_all(data))
        await asyncio.sleep(0.3)
        assert not sending.done()
        assert await client.read(len(data)) == data
        await sending


@pytest.mark.both_schemes
async def test_an_idle_tunnel_has_no_timer_unless_one_is_configured() -> None:
    async with conversation() as talk:
        client, _ = await joined(talk)
        assert await client.is_silent(1.0)
    limited = Server(tunnel_idle_timeout_s=0.2)
    async with conversation(server=limited) as talk:
        client, server = await joined(talk)
        assert await client.is_ended()
        assert await server.is_ended()
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == "idle"


@pytest.mark.both_loops
async def test_the_system_watches_over_both_ends_of_an_idle_tunnel() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        for wire in (client, server):
            ports = wire.sock.getpeername()[1], wire.sock.getsockname()[1]
            # Until what was sent last is acknowledged, the timer is that of sending.
            await until(lambda ports=ports: tcp_timer(*ports) == KEEP_ALIVE_TIMER)  # type: ignore[misc]


@pytest.mark.both_schemes
async def test_stopping_ends_a_websocket_with_a_close_frame_to_both_ends() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        stopping = asyncio.ensure_future(talk.gateway.stop())
        frame = await client.read(2)
        assert frame[0] == 0x88
        assert await client.read(frame[1]) == (1001).to_bytes(2, "big") + b"devproxy stops"
        masked = await server.read(2)
        assert (masked[0], masked[1] & 0x80) == (0x88, 0x80)
        client.send(close_frame(1001, "", mask=b"abcd"))
        client.close()
        server.close()
        assert await stopping == 0


@pytest.mark.both_schemes
async def test_stopping_waits_for_the_rest_of_a_frame_that_is_on_its_way() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        server.send(b"\x82\x0a12345")
        assert await client.read(7) == b"\x82\x0a12345"
        stopping = asyncio.ensure_future(talk.gateway.stop())
        assert await client.is_silent(0.2)
        server.send(b"67890")
        assert await client.read(5) == b"67890"
        assert (await client.read(1)) == b"\x88"
        await stopping


@pytest.mark.http1_only("its connection stays; the soak opens thousands on one")
async def test_thousands_of_tunnels_leave_no_descriptor_and_no_task_behind() -> None:
    async with conversation() as talk:
        for _ in range(20):
            client, server = await joined(talk)
            client.close()
            await server.is_ended()
            server.close()
        await until(lambda: talk.gateway.connection_count == 0)
        gc.collect()
        descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        resident = _resident_kib()
        for round_number in range(2000):
            client, server = await joined(talk)
            client.send(b"\x81\x80abcd")
            await server.read(6)
            if round_number % 3 == 0:
                client.reset()
            else:
                one, other = (client, server) if round_number % 3 == 1 else (server, client)
                one.close()
                assert await other.is_ended()
                other.close()
            await until(lambda: talk.gateway.connection_count == 0)
            client.sock.close()
            server.sock.close()
        await until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
        assert len(asyncio.all_tasks()) <= tasks
        talk.events.clear()
        gc.collect()
        assert _resident_kib() - resident < 16 * 1024


def _resident_kib() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@pytest.mark.both_schemes
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_order_of_pieces_and_ends_bytes_out_equal_bytes_in(seed: int) -> None:
    random = Random(seed)
    async with conversation() as talk:
        client, server = await joined(talk)
        sent = {"client": b"", "server": b""}
        ends = {"client": client, "server": server}
        open_ends = ["client", "server"]
        while open_ends:
            name = random.choice(open_ends)
            if random.random() < 0.08:
                ends[name].finish()
                open_ends.remove(name)
            else:
                piece = random.randbytes(random.choice([1, 2, 7, 100, 4000]))
                await ends[name].send_all(piece)
                sent[name] += piece
            if random.random() < 0.3:
                await asyncio.sleep(0)
        assert await server.rest() == sent["client"]
        assert await client.rest() == sent["server"]
        await until(lambda: talk.seen(TunnelClosed))
        closed = talk.seen(TunnelClosed)[0]
        assert (closed.sent_bytes, closed.received_bytes) == (len(sent["client"]), len(sent["server"]))


# -- one side has ended ------------------------------------------------------------------------------------------------

ENDED_WEBSOCKET_LIMIT_S = 5.0
"""Within how many seconds of silence a WebSocket of which one side has ended frees both connections."""


@pytest.mark.both_schemes
@pytest.mark.both_loops
@pytest.mark.jumping_clock
@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_a_websocket_of_which_one_side_has_ended_and_which_is_silent_is_freed_soon(first: str) -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        one, other = (client, server) if first == "client" else (server, client)
        loop = asyncio.get_running_loop()
        one.finish()
        assert await other.rest() == b"", "the end itself is passed on at once"
        ended_at = loop.time()
        assert await one.rest() == b"", "freed, although the other side never ends"
        assert 1.0 < loop.time() - ended_at < ENDED_WEBSOCKET_LIMIT_S
        await until(lambda: talk.gateway.connection_count == 0)
        (closed,) = talk.seen(TunnelClosed)
        assert closed.closed_by == first


@pytest.mark.both_schemes
@pytest.mark.jumping_clock
@pytest.mark.parametrize("first", ["client", "upstream"])
async def test_a_websocket_of_which_one_side_has_ended_stays_while_the_other_talks(first: str) -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        one, other = (client, server) if first == "client" else (server, client)
        loop = asyncio.get_running_loop()
        one.finish()
        assert await other.rest() == b""
        for _ in range(6):
            await asyncio.sleep(1.0)
            other.send(b"\x81\x05still")
            assert await one.read(7) == b"\x81\x05still"
        silent_since = loop.time()
        assert await one.rest() == b""
        assert 1.0 < loop.time() - silent_since < ENDED_WEBSOCKET_LIMIT_S
        await until(lambda: talk.gateway.connection_count == 0)


@pytest.mark.both_schemes
async def test_what_a_slow_reader_has_not_taken_yet_is_not_lost_because_the_other_side_has_ended() -> None:
    async with conversation() as talk:
        client, server = await joined(talk)
        data = Random(2).randbytes(1 << 20) * (16 if WAY.version == b"1.1" else 3)
        await server.send_all(data[: 1 << 20])
        sending = asyncio.ensure_future(server.send_all(data[1 << 20 :]))
        client.finish()
        await asyncio.sleep(ENDED_WEBSOCKET_LIMIT_S + 1.0)
        assert await client.read(len(data)) == data
        await sending


@pytest.mark.http1_only("WebSockets are all that HTTP/2 opens a tunnel for")
@pytest.mark.both_schemes
@pytest.mark.jumping_clock
async def test_another_protocol_keeps_its_time_when_one_side_has_ended() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n")
        await client.head()
        client.finish()
        assert await server.rest() == b""
        assert await client.is_silent(ENDED_WEBSOCKET_LIMIT_S + 1.0)
        server.send(b"the answer to all of it")
        server.close()
        assert await client.rest() == b"the answer to all of it"
