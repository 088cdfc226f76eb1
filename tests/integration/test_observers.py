"""Who looks at a gateway while it runs: what is seen of an exchange while it lasts, and that nobody is harmed by it."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from devproxy.config.model import Upstream
from devproxy.events import (
    BodyData,
    Event,
    ExchangeFinished,
    ExchangeStarted,
    HeadSeen,
    Observer,
    Outcome,
    RequestSent,
    ResponseBegun,
    TunnelClosed,
    TunnelData,
    TunnelOpened,
    UpstreamState,
    Wants,
)
from tests.integration.test_hold import Restarting
from tests.integration.test_tunnels import HANDSHAKE, SWITCH
from tests.support.exchanges import GET, OK
from tests.support.wire import Conversation, Wire, address_of, config_for, conversation, running, until

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

EVERYTHING = Wants.PROGRESS | Wants.ENDS | Wants.CHANGES
OfExchange = (
    ExchangeStarted | RequestSent | ResponseBegun | HeadSeen | BodyData | ExchangeFinished | TunnelOpened | TunnelClosed
)


def observed(talk: Conversation, wants: Wants = EVERYTHING) -> list[OfExchange]:
    """Look at what `talk` is about from now on; return what is told of exchanges and tunnels, as it comes."""
    events: list[OfExchange] = []

    def take(event: Event) -> None:
        if isinstance(event, OfExchange):
            events.append(event)

    talk.gateway.observe(Observer(take, wants))
    return events


def kinds(events: list[OfExchange]) -> list[type[OfExchange]]:
    """Return what was told, by kind; all of it has to be of the same exchange."""
    assert len({event.exchange_id for event in events}) <= 1, events
    return [type(event) for event in events]


def of_target(events: list[OfExchange], target: bytes) -> list[OfExchange]:
    """Return what was told of the exchange or the tunnel with this `target`."""
    (number,) = {
        one.exchange_id for one in events if isinstance(one, ExchangeStarted | TunnelOpened) and one.target == target
    }
    return [one for one in events if one.exchange_id == number]


def kinds_of(events: list[OfExchange], target: bytes) -> list[type[OfExchange]]:
    return [type(one) for one in of_target(events, target) if not isinstance(one, HeadSeen)]


def heads(events: list[OfExchange], target: bytes) -> int:
    return sum(isinstance(one, HeadSeen) for one in of_target(events, target))


async def asking(talk: Conversation, request: bytes = GET) -> tuple[Wire, Wire]:
    """Send `request`; return the client and the server that has read its head."""
    client = await talk.client()
    client.send(request)
    server = await talk.upstream.accept()
    await server.head()
    return client, server


async def test_a_slow_and_a_streaming_answer_are_seen_while_they_last() -> None:
    async with conversation() as talk:
        told = observed(talk)
        client, server = await asking(talk, b"GET /slow?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kinds(told) == [ExchangeStarted, RequestSent]
        started, sent = told
        assert isinstance(started, ExchangeStarted)
        assert (started.method, started.target, started.client) == (b"GET", b"/slow?x=1", "127.0.0.1")
        assert isinstance(sent, RequestSent)
        assert (sent.route, sent.upstream, sent.server) == ("/", "backend", f"http://127.0.0.1:{talk.upstream.port}")
        server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await client.until(b"one\r\n")
        assert kinds(told) == [ExchangeStarted, RequestSent, ResponseBegun]
        begun = told[2]
        assert isinstance(begun, ResponseBegun)
        assert begun.status == 200
        assert begun.first_byte_s >= sent.after_s >= 0
        server.send(b"0\r\n\r\n")
        await client.until(b"0\r\n\r\n")
        assert kinds(told) == [ExchangeStarted, RequestSent, ResponseBegun, ExchangeFinished]


async def test_a_held_request_is_seen_as_started_and_not_yet_sent() -> None:
    upstream = Restarting()
    settings = Upstream(name="backend", servers=(address_of(upstream.port),), hold_s=60.0)
    async with running(config_for((), upstream=settings), upstream) as talk:
        await until(lambda: talk.seen(UpstreamState))
        upstream.go()
        told = observed(talk)
        client = await talk.client()
        client.send(GET)
        await until(lambda: told)
        assert await client.is_silent()
        assert kinds(told) == [ExchangeStarted]
        upstream.come_back()
        server = await upstream.accept()
        await server.head()
        assert kinds(told) == [ExchangeStarted, RequestSent]
        server.send(OK)
        await client.head()
        assert kinds(told) == [ExchangeStarted, RequestSent, ResponseBegun, ExchangeFinished]


async def test_what_a_browser_wants_an_answer_for_is_told_in_its_own_word() -> None:
    async with conversation() as talk:
        told = observed(talk, Wants.ENDS)
        client, server = await asking(talk, b"GET /a.js HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: script\r\n\r\n")
        server.send(OK)
        await client.read(len(OK))
        await until(lambda: told)
        (ended,) = told
        assert isinstance(ended, ExchangeFinished)
        assert ended.destination == b"script"


async def test_a_tunnel_leads_to_the_exchange_that_it_began_as() -> None:
    async with conversation() as talk:
        told = observed(talk)
        client, server = await asking(talk, HANDSHAKE)
        server.send(SWITCH)
        await client.head()
        client.close()
        server.close()
        await until(lambda: len(told) == 4)
        assert kinds(told) == [ExchangeStarted, RequestSent, TunnelOpened, TunnelClosed]
        assert told[0].exchange_id > 0


async def test_a_request_that_is_sent_again_is_seen_twice_and_ends_once() -> None:
    async with conversation() as talk:
        client, server = await asking(talk)
        server.send(OK)
        await client.read(len(OK))
        told = observed(talk)
        client.send(GET)
        await server.head()
        server.close()
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        await client.read(len(OK))
        assert kinds(told) == [ExchangeStarted, RequestSent, RequestSent, ResponseBegun, ExchangeFinished]


async def test_what_devproxy_answers_by_itself_has_a_beginning_and_an_end() -> None:
    async with conversation() as talk:
        told = observed(talk)
        client = await talk.client()
        client.send(b"GET /__devproxy/health HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        assert kinds(told) == [ExchangeStarted, ExchangeFinished]


@pytest.mark.http1_only("there are no chunks")
async def test_a_request_whose_body_is_broken_from_the_first_byte_never_starts() -> None:
    async with conversation() as talk:
        told = observed(talk)
        client = await talk.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        assert kinds(told) == [ExchangeFinished]
        assert told[0].exchange_id > 0


async def test_who_comes_late_is_told_what_runs_and_how_it_ends() -> None:
    async with conversation() as talk:
        streaming, streamer = await asking(talk, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        streamer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await streaming.until(b"one\r\n")
        socket, switcher = await asking(talk, HANDSHAKE)
        switcher.send(SWITCH)
        await socket.head()
        slow, server = await asking(talk, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        before = time.time()
        told = observed(talk, EVERYTHING | Wants.HEADS | Wants.BODIES)
        frames: list[Event] = []
        talk.gateway.observe(Observer(frames.append, Wants.FRAMES))
        assert kinds_of(told, b"/slow") == [ExchangeStarted, RequestSent]
        assert kinds_of(told, b"/stream") == [ExchangeStarted, RequestSent, ResponseBegun]
        assert kinds_of(told, b"/chat?x=1") == [TunnelOpened]
        assert all(one.started_at <= before for one in told if isinstance(one, ExchangeStarted))
        assert observed(talk, Wants.NOTHING) == []
        server.send(OK)
        await slow.read(len(OK))
        streamer.send(b"0\r\n\r\n")
        await streaming.until(b"0\r\n\r\n")
        switcher.send(b"\x81\x02hi")
        await socket.read(4)
        socket.send(b"\x81\x82\0\0\0\0ho")
        await switcher.read(8)
        socket.close()
        switcher.close()
        await until(lambda: kinds_of(told, b"/chat?x=1")[-1] is TunnelClosed)
        assert kinds_of(told, b"/slow") == [ExchangeStarted, RequestSent, ResponseBegun, BodyData, ExchangeFinished]
        assert kinds_of(told, b"/stream") == [ExchangeStarted, RequestSent, ResponseBegun, ExchangeFinished]
        assert [heads(told, target) for target in (b"/slow", b"/stream", b"/chat?x=1")] == [4, 2, 0]
        assert [one.data for one in frames if isinstance(one, TunnelData)] == [b"\x81\x02hi", b"\x81\x82\0\0\0\0ho"]


async def test_observers_come_and_go_under_load_and_each_sees_whole_exchanges_in_order() -> None:
    async with conversation() as talk:

        async def serve(server: Wire) -> None:
            while True:
                await server.head()
                server.send(OK)

        async def accept() -> None:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(talk.upstream.listener)
                talk.upstream.wires.append(wire := Wire(sock))
                serving.append(asyncio.create_task(serve(wire)))

        async def load() -> None:
            client = await talk.client()
            for _ in range(200):
                client.send(GET)
                assert await client.read(len(OK)) == OK
                answered.append(client)

        serving: list[asyncio.Task[None]] = []
        answered: list[Wire] = []
        accepting = asyncio.create_task(accept())
        loads = [asyncio.create_task(load()) for _ in range(8)]
        visits: list[list[Event]] = []
        while not all(one.done() for one in loads):
            first: list[Event] = []
            second: list[Event] = []
            with talk.gateway.observe(Observer(first.append, EVERYTHING)):
                await asyncio.sleep(0.01)
                with talk.gateway.observe(Observer(second.append, Wants.PROGRESS)):
                    await asyncio.sleep(0.01)
                seen = len(second)
                await asyncio.sleep(0.005)
                assert len(second) == seen, "who has left is told nothing"
            visits += [first, second]
        for one in loads:
            one.result()
        for task in (accepting, *serving):
            task.cancel()
        assert len(answered) == 8 * 200
        assert len(talk.finished()) == 8 * 200
        assert len({event.exchange_id for event in talk.finished()}) == 8 * 200
        whole = 0
        for visit in visits:
            for number in {event.exchange_id for event in visit if isinstance(event, ExchangeStarted)}:
                of_one = [one for one in visit if isinstance(one, OfExchange) and one.exchange_id == number]
                order = [ExchangeStarted, RequestSent, ResponseBegun, ExchangeFinished]
                assert kinds(of_one) == order[: len(of_one)]
                whole += len(of_one) == len(order)
        assert whole > 0


async def test_an_observer_that_raises_harms_no_exchange_and_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    async with conversation() as talk:

        def fail(event: Event) -> None:
            raise ValueError("no room")

        with talk.gateway.observe(Observer(fail, EVERYTHING)), caplog.at_level(logging.ERROR, "asyncio"):
            for _ in range(2):
                client, server = await asking(talk)
                server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
                assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert [one.outcome for one in talk.finished()] == [Outcome.COMPLETE] * 2
    assert [record.message.splitlines()[0] for record in caplog.records] == ["an observer has failed"]
