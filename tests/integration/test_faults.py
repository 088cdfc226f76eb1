"""Trouble made on purpose, on the wire: late, failing, refused, dropped, slow; and nobody hurt who was not meant."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from devproxy.config.model import Cors, CorsMode, Fault, PathKind, PreflightMode, Route, Server, Upstream
from devproxy.events import ExchangeFinished, Outcome, TunnelClosed
from devproxy.policy.faults import compile_fault, inject
from devproxy.realtime.websocket import close_frame
from tests.support.wire import OPEN, WAY, Conversation, Wire, conversation, soon, until

KIB = 1024
EARLY_S = 0.005
"""How much too soon a timer may go off: uvloop counts whole milliseconds from the beginning of its turn."""
FLOOD = 64 * KIB * KIB
"""Much more than the buffers of the kernel take."""
GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
MESSAGE = b"\x81\x05hello"

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]


def route(**fault: Any) -> Route:
    """Return a route for everything with `fault`."""
    return replace(OPEN, fault=Fault(**fault))


def troubled(**fault: Any) -> Any:
    """Return a conversation through such a route."""
    return conversation(routes=(route(**fault),))


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def finished(talk: Conversation, count: int = 1) -> list[ExchangeFinished]:
    """Wait until `count` exchanges are over; return them."""
    await until(lambda: len(talk.finished()) >= count)
    return talk.finished()


async def body_of(client: Wire) -> bytes:
    """Return the body of the next response, which has a Content-Length."""
    head = await client.head()
    length = int(head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
    return await client.read(length)


async def taken(talk: Conversation) -> None:
    """Wait until devproxy has taken a request that it has not answered."""
    service = talk.gateway._shared
    assert service is not None
    await until(lambda: any(connection.running_exchanges for connection in service.connections))


async def flooded(wire: Wire, most: int) -> int:
    """Send until for a while nothing more is taken, or `most` octets; return how many were."""
    sent, loop = 0, asyncio.get_running_loop()
    progressed = loop.time()
    while sent < most and loop.time() - progressed < 0.5:
        try:
            sent += wire.send_some(bytes(64 * KIB))
            progressed = loop.time()
            await asyncio.sleep(0)
        except BlockingIOError:
            await asyncio.sleep(0.01)
    return sent


async def joined(talk: Conversation) -> tuple[Wire, Wire]:
    """Return both ends of a fresh WebSocket."""
    client = await talk.client()
    client.send(HANDSHAKE)
    server = await talk.upstream.accept()
    await server.head()
    server.send(SWITCH)
    assert (await client.head()).startswith(b"HTTP/1.1 101")
    return client, server


# -- latency -----------------------------------------------------------------------------------------------------------


async def test_a_request_reaches_the_upstream_no_sooner_than_its_latency() -> None:
    async with troubled(latency_ms=150) as talk:
        client = await talk.client()
        started = asyncio.get_running_loop().time()
        client.send(GET)
        server = await talk.upstream.accept()
        assert asyncio.get_running_loop().time() - started >= 0.15 - EARLY_S
        await server.head()
        server.send(ok(b"late"))
        assert await body_of(client) == b"late"
        assert (await finished(talk))[0].detail == "fault injected: 150 ms late"


async def test_every_request_of_a_connection_is_late_and_the_upstreams_connection_is_still_reused() -> None:
    async with troubled(latency_ms=60) as talk:
        client = await talk.client()
        started = asyncio.get_running_loop().time()
        client.send(GET)
        server = await talk.upstream.accept()
        for turn in range(3):
            if turn:
                client.send(GET)
            await server.head()
            server.send(ok(b"%d" % turn))
            assert await body_of(client) == b"%d" % turn
        assert asyncio.get_running_loop().time() - started >= 0.18 - EARLY_S


async def test_a_body_that_comes_during_the_latency_arrives_whole_and_in_order() -> None:
    async with troubled(latency_ms=100) as talk:
        body = bytes(range(256)) * 1200
        client = await talk.client()
        sending = asyncio.ensure_future(
            client.send_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        )
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(len(body)) == body
        await sending
        server.send(ok(b"taken"))
        assert await body_of(client) == b"taken"


async def test_a_client_that_leaves_during_the_latency_is_never_forwarded() -> None:
    async with troubled(latency_ms=200) as talk:
        leaving, staying = await talk.client(), await talk.client()
        leaving.send(b"GET /leaving HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await taken(talk)
        leaving.reset()
        assert (await finished(talk))[0].outcome is Outcome.CLIENT_LEFT
        staying.send(b"GET /staying HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server = await talk.upstream.accept()
        assert (await server.head()).startswith(b"GET /staying ")


async def test_a_request_in_its_latency_is_finished_while_devproxy_stops() -> None:
    async with troubled(latency_ms=150) as talk:
        client = await talk.client()
        client.send(GET)
        await taken(talk)
        stopping = asyncio.ensure_future(talk.gateway.stop(drain_s=15))
        server = await talk.upstream.accept()
        await server.head()
        server.send(ok(b"last"))
        assert await body_of(client) == b"last"
        client.close()
        assert await soon(stopping) == 0


async def test_a_latency_longer_than_the_drain_is_cut() -> None:
    async with troubled(latency_ms=600_000) as talk:
        client = await talk.client()
        client.send(GET)
        await taken(talk)
        assert await soon(talk.gateway.stop(drain_s=0.05)) == 1
        assert (await finished(talk))[0].outcome is Outcome.STOPPED


# -- errors ------------------------------------------------------------------------------------------------------------


async def test_the_requests_that_the_seed_says_fail_and_the_others_are_forwarded() -> None:
    fault = Fault(error_rate=0.5, error_status=500, seed=11)
    ready = compile_fault(replace(OPEN, fault=fault), "")
    assert ready is not None
    expected = [500 if inject(ready, is_upgrade=False) else 200 for _ in range(30)]
    assert {200, 500} == set(expected)
    async with conversation(routes=(replace(OPEN, fault=fault),)) as talk:
        client = await talk.client()
        server: Wire | None = None
        for status in expected:
            client.send(GET)
            if status == 200:
                server = server or await talk.upstream.accept()
                await server.head()
                server.send(ok(b"fine"))
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 %d " % status)
            await client.read(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        assert [event.status for event in await finished(talk, 30)] == expected
        failed = next(event for event in talk.finished() if event.status == 500)
        assert (failed.outcome, failed.error) == (Outcome.ANSWERED, "fault-injected")
        assert "on purpose" in failed.detail


async def test_an_injected_error_is_late_too_and_the_connection_goes_on() -> None:
    async with troubled(latency_ms=100, error_rate=1) as talk:
        client = await talk.client()
        for _ in range(2):
            started = asyncio.get_running_loop().time()
            client.send(GET)
            head = await client.head()
            assert asyncio.get_running_loop().time() - started >= 0.1 - EARLY_S
            assert b"\r\nX-Devproxy-Error: fault-injected\r\n" in head
            assert b"Connection: close" not in head
            await client.read(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))


async def test_an_upload_that_fails_late_gets_its_answer() -> None:
    async with troubled(latency_ms=80, error_rate=1) as talk:
        client = await talk.client()
        body = bytes(300 * KIB)
        client.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        sending = asyncio.ensure_future(client.send_all(body))
        assert (await client.head()).startswith(b"HTTP/1.1 503 ")
        await sending


async def test_a_client_that_leaves_before_a_late_error_leaves_nothing_behind() -> None:
    async with troubled(latency_ms=600_000, error_rate=1) as talk:
        client = await talk.client()
        client.send(GET)
        await taken(talk)
        client.reset()
        assert (await finished(talk))[0].outcome is Outcome.CLIENT_LEFT
        await until(lambda: talk.gateway.connection_count == 0)


async def test_a_page_that_may_read_the_route_can_read_the_injected_error() -> None:
    fault = Fault(error_rate=1, error_status=599)
    kept = Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", cors=Cors(), fault=fault)
    async with conversation(routes=(kept,)) as talk:
        client = await talk.client()
        client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n\r\n")
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 599 \r\n")
        assert b"\r\nAccess-Control-Allow-Origin: http://localhost:5173\r\n" in head


# -- upgrades ----------------------------------------------------------------------------------------------------------


async def test_a_refused_upgrade_gets_503_and_other_requests_pass() -> None:
    async with troubled(refuse_upgrade=True) as talk:
        client = await talk.client()
        client.send(HANDSHAKE)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"fault-injected" in head
        other = await talk.client()
        other.send(GET)
        server = await talk.upstream.accept()
        assert (await server.head()).startswith(b"GET /a ")
        server.send(ok(b"polled"))
        assert await body_of(other) == b"polled"


async def test_a_tunnel_is_reset_at_its_age_at_both_ends() -> None:
    async with troubled(drop_after_s=0.2) as talk:
        started = asyncio.get_running_loop().time()
        client, server = await joined(talk)
        server.send(MESSAGE)
        assert await client.read(len(MESSAGE)) == MESSAGE
        assert not await client.is_ended()
        assert not await server.is_ended()
        assert asyncio.get_running_loop().time() - started >= 0.2 - EARLY_S
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == "fault"


async def test_a_tunnel_that_ends_before_its_age_is_reported_as_it_ended() -> None:
    async with troubled(drop_after_s=600) as talk:
        client, server = await joined(talk)
        client.close()
        assert await server.is_ended()
        server.close()
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == "client"


# -- bandwidth ---------------------------------------------------------------------------------------------------------


async def answered(talk: Conversation, head: bytes, body: bytes) -> tuple[Wire, Wire, asyncio.Future[None]]:
    """Ask; answer with `head` and `body`; return client, server, and the sending of the answer."""
    client = await talk.client()
    client.send(GET)
    server = await talk.upstream.accept()
    await server.head()
    return client, server, asyncio.ensure_future(server.send_all(head + body))


async def test_a_response_takes_as_long_as_its_bandwidth_says() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        body = bytes(range(256)) * KIB
        started = asyncio.get_running_loop().time()
        client, _, sending = await answered(talk, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
        assert await body_of(client) == body
        assert asyncio.get_running_loop().time() - started >= 0.4
        await sending
        event = (await finished(talk))[0]
        assert (event.outcome, event.response_bytes) == (Outcome.COMPLETE, len(body))
        assert event.detail == "fault injected: 512 KiB/s"


async def test_a_slow_response_begins_at_once() -> None:
    async with troubled(bandwidth_kib_s=4) as talk:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"
        client, _, sending = await answered(talk, head, bytes(64 * KIB))
        await client.head()
        assert await client.read(100) == bytes(100)
        client.reset()
        assert (await finished(talk))[0].outcome is Outcome.CLIENT_LEFT
        await sending


async def test_a_connection_that_carried_a_slow_response_carries_the_next() -> None:
    async with troubled(bandwidth_kib_s=1024) as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        for turn in range(3):
            if turn:
                client.send(GET)
            await server.head()
            body = b"%d" % turn * (100 * KIB)
            await server.send_all(ok(body))
            assert await body_of(client) == body


@pytest.mark.http1_only("there are no chunks")
async def test_a_chunked_response_passes_slowly_and_unchanged() -> None:
    async with troubled(bandwidth_kib_s=1024) as talk:
        body = b"".join(b"%x\r\n%b\r\n" % (5000, bytes(5000)) for _ in range(20)) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        client, _, sending = await answered(talk, head, body)
        await client.head()
        assert await client.read(len(body)) == body
        await sending
        assert (await finished(talk))[0].outcome is Outcome.COMPLETE


async def test_what_came_before_an_upstream_was_lost_still_arrives_and_the_response_stays_incomplete() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
        client, server, sending = await answered(talk, head, bytes(100 * KIB))
        await sending
        server.close()
        await client.head()
        assert await client.read(100 * KIB) == bytes(100 * KIB)
        assert await client.is_ended() is (WAY.version == b"1.1")  # HTTP/2 resets the stream
        assert (await finished(talk))[0].outcome is Outcome.UPSTREAM_LOST


@pytest.mark.http1_only("the body ends with the stream")
async def test_a_body_that_lasts_until_the_connection_ends_arrives_whole() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        client, server, sending = await answered(talk, b"HTTP/1.1 200 OK\r\n\r\n", bytes(100 * KIB))
        await sending
        server.close()
        await client.head()
        assert await client.rest() == bytes(100 * KIB)
        assert (await finished(talk))[0].outcome is Outcome.COMPLETE


async def test_an_upload_takes_as_long_as_its_bandwidth_says() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        body = bytes(range(256)) * KIB
        client = await talk.client()
        started = asyncio.get_running_loop().time()
        head = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        sending = asyncio.ensure_future(client.send_all(head + body))
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(len(body)) == body
        assert asyncio.get_running_loop().time() - started >= 0.4
        await sending
        server.send(ok(b"taken"))
        assert await body_of(client) == b"taken"


async def test_a_server_is_timed_from_the_end_of_a_slow_upload() -> None:
    upstream = Upstream(name="backend", servers=(), response_timeout_s=0.5)
    async with conversation(routes=(route(bandwidth_kib_s=16),), upstream=upstream) as talk:
        client = await talk.client()
        client.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 24576\r\n\r\n")
        await client.send_all(bytes(24 * KIB))  # takes 1.5 s
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(24 * KIB) == bytes(24 * KIB)
        arrived = asyncio.get_running_loop().time()
        assert (await client.head()).startswith(b"HTTP/1.1 504")
        assert asyncio.get_running_loop().time() - arrived >= 0.4


async def test_the_end_of_a_slow_request_comes_behind_what_was_sent_before_it_through_a_tunnel() -> None:
    async with troubled(bandwidth_kib_s=256) as talk:
        client, server = await joined(talk)
        payload = bytes(range(256)) * 400
        await client.send_all(payload)
        client.finish()
        assert await server.read(len(payload)) == payload
        server.send(MESSAGE)
        assert await client.read(len(MESSAGE)) == MESSAGE, "the other direction goes on"
        server.close()
        assert await client.rest() == b""
        await until(lambda: talk.seen(TunnelClosed))
        assert talk.seen(TunnelClosed)[0].closed_by == "client"


async def test_a_connection_with_a_part_of_an_upload_still_held_serves_nobody_else() -> None:
    async with troubled(bandwidth_kib_s=16) as talk:
        client = await talk.client()
        client.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 32768\r\n\r\n")
        await client.send_all(bytes(32 * KIB))
        server = await talk.upstream.accept()
        await server.head()
        server.send(ok(b"early"))
        assert await body_of(client) == b"early"
        other = await talk.client()
        other.send(GET)
        fresh = await talk.upstream.accept()
        assert (await fresh.head()).startswith(b"GET /a ")
        assert fresh is not server


async def test_a_sender_faster_than_the_bandwidth_is_made_to_wait() -> None:
    async with troubled(bandwidth_kib_s=64) as talk:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % FLOOD
        client, server, sending = await answered(talk, head, b"")
        await sending
        await client.head()
        assert await flooded(server, FLOOD) < FLOOD / 2
        client.reset()
        assert (await finished(talk))[0].outcome is Outcome.CLIENT_LEFT


async def test_a_slow_client_of_a_slow_route_loses_nothing() -> None:
    async with troubled(bandwidth_kib_s=32 * KIB) as talk:
        body = bytes(range(256)) * (64 * KIB)
        client, _, sending = await answered(talk, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
        await client.head()
        await asyncio.sleep(0.2)  # nobody reads: the buffers towards the client fill up
        assert await client.read(len(body)) == body
        await sending


async def test_messages_of_a_websocket_take_as_long_as_the_bandwidth_says_in_both_directions() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        client, server = await joined(talk)
        payload = bytes(range(256)) * KIB
        for sender, receiver in ((server, client), (client, server)):
            started = asyncio.get_running_loop().time()
            sending = asyncio.ensure_future(sender.send_all(payload))
            assert await receiver.read(len(payload)) == payload
            assert asyncio.get_running_loop().time() - started >= 0.4
            await sending


async def test_the_end_of_a_slow_tunnel_comes_behind_what_was_sent_before_it() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        client, server = await joined(talk)
        payload = bytes(100 * KIB)
        await server.send_all(payload)
        server.finish()
        assert await client.rest() == payload
        client.close()
        await until(lambda: talk.seen(TunnelClosed))
        closed = talk.seen(TunnelClosed)[0]
        assert (closed.closed_by, closed.received_bytes) == ("upstream", len(payload))


async def test_a_slow_tunnel_that_is_reset_is_reset_at_the_other_end_and_holds_nothing() -> None:
    async with troubled(bandwidth_kib_s=1) as talk:
        client, server = await joined(talk)
        await client.send_all(bytes(20 * KIB))
        server.reset()
        assert not await client.is_ended()
        await until(lambda: talk.seen(TunnelClosed))
        client.close()  # over HTTP/2, what carried the tunnel goes on
        await until(lambda: talk.gateway.connection_count == 0)


async def test_a_slow_websocket_gets_its_close_frame_when_devproxy_stops() -> None:
    async with troubled(bandwidth_kib_s=512) as talk:
        client, server = await joined(talk)
        server.send(MESSAGE)
        assert await client.read(len(MESSAGE)) == MESSAGE
        stopping = asyncio.ensure_future(talk.gateway.stop(drain_s=10))
        assert await client.rest() == close_frame(1001, "devproxy stops", mask=None)
        client.close()
        server.close()
        await soon(stopping)


async def test_a_fast_sender_into_a_slow_tunnel_is_made_to_wait() -> None:
    async with troubled(bandwidth_kib_s=64) as talk:
        client, server = await joined(talk)
        assert await flooded(server, FLOOD) < FLOOD / 2
        assert await flooded(client, FLOOD) < FLOOD / 2


# -- nobody else -------------------------------------------------------------------------------------------------------


async def test_other_routes_are_spared() -> None:
    troubles = Fault(latency_ms=600_000, error_rate=1, refuse_upgrade=True, bandwidth_kib_s=1)
    bad = replace(OPEN, pattern="/bad/", fault=troubles)
    async with conversation(routes=(bad, OPEN)) as talk:
        client = await talk.client()
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(ok(bytes(50 * KIB)))
        assert await body_of(client) == bytes(50 * KIB)
        assert (await finished(talk))[0].detail == ""


async def test_a_forwarded_preflight_is_late_but_never_fails() -> None:
    cors = Cors(mode=CorsMode.PASSTHROUGH, preflight=PreflightMode.FORWARD)
    fault = Fault(latency_ms=50, error_rate=1)
    async with conversation(routes=(replace(OPEN, cors=cors, fault=fault),), server=Server()) as talk:
        client = await talk.client()
        client.send(
            b"OPTIONS /a HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n"
            b"Access-Control-Request-Method: PUT\r\n\r\n"
        )
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 204 ")


async def test_a_reload_makes_trouble_for_what_begins_after_it_and_ends_it_likewise() -> None:
    async with conversation() as talk:
        old = talk.gateway._config
        client, server = await joined(talk)
        await talk.gateway.apply(replace(old, routes=(route(error_rate=1, error_status=500, drop_after_s=0.01),)))
        asking = await talk.client()
        asking.send(GET)
        assert (await asking.head()).startswith(b"HTTP/1.1 500 ")
        server.send(MESSAGE)  # a tunnel keeps the rules that it was born with
        assert await client.read(len(MESSAGE)) == MESSAGE
        await talk.gateway.apply(old)
        again = await talk.client()
        again.send(GET)
        fresh = await talk.upstream.accept()
        await fresh.head()
        fresh.send(ok(b"well again"))
        assert await body_of(again) == b"well again"
