"""The clients of the benchmark take nothing but a whole and right answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from bench import traffic
from bench.clients.client import WrongAnswer
from bench.clients.exchange import Answered, Exchange, unchunked
from bench.clients.polling import AT_ONCE, Polling
from bench.clients.requests import FirstLoads, IdleConnections, Repeated
from bench.streams import CHUNK, CHUNKS, Server, Sessions

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Answering(asyncio.Protocol):
    """Answers whatever comes with one of `answers` after the other, each piece by piece; None ends the connection."""

    def __init__(self, answers: list[list[bytes | None]]) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._answering = asyncio.ensure_future(self._answer(self._answers.pop(0)))

    async def _answer(self, pieces: list[bytes | None]) -> None:
        for piece in pieces:
            if piece is None:
                self.transport.close()
            else:
                self.transport.write(piece)
            await asyncio.sleep(0)


@asynccontextmanager
async def served(protocol: Callable[[], Answering | Server]) -> AsyncIterator[int]:
    """Serve; give the port; at the end, cut every connection."""
    made: list[Answering | Server] = []

    def make() -> Answering | Server:
        made.append(protocol())
        return made[-1]

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in made:
            one.transport.abort()
        await asyncio.sleep(0)  # an abort is carried out in the next turn
        await asyncio.sleep(0)


async def bodies(*answers: list[bytes | None]) -> list[bytes]:
    """Ask once for each answer on one connection; return the bodies. Raises what the exchange fails with."""
    waiting = list(answers)
    got: list[bytes] = []
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(_head: bytes, body: bytes) -> None:
        got.append(body)
        if len(got) == len(answers):
            over.set_result(None)
        else:
            exchange.ask(GET, answered)

    def failed(error: Exception) -> None:
        if not over.done():
            over.set_exception(error)

    async with served(lambda: Answering(waiting)) as port, asyncio.timeout(30):
        exchange = Exchange(port, failed)
        await exchange.connect()
        exchange.ask(GET, answered)
        try:
            await over
        finally:
            exchange.transport.abort()
    return got


async def test_answers_of_known_length_are_given_out_one_by_one() -> None:
    assert await bodies([OK], [OK[:10], OK[10:-1], OK[-1:]]) == [b"ok", b"ok"]


async def test_a_chunked_answer_is_given_out_when_its_last_chunk_is_there() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert await bodies([head + b"3\r\nabc\r\n", b"2\r\nde\r\n0", b"\r\n\r", b"\n"]) == [b"abcde"]


async def test_an_answer_that_closes_is_followed_by_a_request_on_another_connection() -> None:
    closing = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    assert await bodies([closing, None], [OK]) == [b"ok", b"ok"]


@pytest.mark.parametrize(
    "answer",
    [
        [OK.replace(b"200 OK", b"502 Bad Gateway")],
        [OK + b"more"],
        [OK[:-1], None],
        [b"HTTP/1.1 200 OK\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n"],
    ],
    ids=["another status", "too much", "cut short", "no length", "chunks that do not add up"],
)
async def test_anything_but_a_whole_200_is_a_wrong_answer(answer: list[bytes | None]) -> None:
    with pytest.raises(WrongAnswer):
        await bodies(answer)


async def test_a_body_that_is_not_right_ends_the_work_without_a_number() -> None:
    async with served(lambda: Answering([[OK], [OK]])) as port:
        client = Repeated(port, 1, [GET], lambda body: body == b"something else")
        await client.open()
        with pytest.raises(WrongAnswer, match="the body is b'ok'"):
            await client.run(5)
        client.exchanges[0].transport.abort()


@pytest.mark.parametrize(
    "octets", [b"3\r\nabc\r\n0\r\n\r\nmore", b"3\r\nabcd\r\n0\r\n\r\n", b"x\r\n0\r\n\r\n", b"3\r\nabc"]
)
def test_chunks_that_break_the_grammar_have_no_content(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unchunked(octets)


async def test_every_poll_is_answered_by_its_own_sessions_packet_and_cycles_are_counted() -> None:
    sessions = Sessions()
    async with served(lambda: Server(sessions)) as port:
        client = Polling(port, 40)
        await client.open()
        done = await client.run(0.2)
        for exchange in client.exchanges:
            exchange.transport.abort()
    assert done.units >= AT_ONCE


def test_no_two_files_of_a_first_load_have_a_line_in_common_that_a_browser_changes() -> None:
    requests = [traffic.first_load_request(number) for number in range(traffic.LENGTHS)]
    answers = [traffic.first_load_answer(number) for number in range(traffic.LENGTHS)]
    for name in (b"GET ", b"Referer", b"Cookie", b"If-None-Match"):
        assert len({_line(one, name) for one in requests}) == len(requests)
    for name in (b"ETag", b"Last-Modified", b"Content-Length"):
        assert len({_line(one, name) for one in answers}) == len(answers)


@pytest.mark.parametrize("distinct", [0, 3])
async def test_a_first_load_asks_for_every_file_once_and_a_repeated_one_again(distinct: int) -> None:
    sessions = Sessions()
    async with served(lambda: Server(sessions)) as port:
        client = FirstLoads(port, 2, 16_777_216, distinct)
        await client.open()
        asked: list[bytes] = []
        for exchange in client.exchanges:
            exchange.ask = _noting(exchange.ask, asked)  # type: ignore[method-assign]
        done = await client.run(0.1)
        for exchange in client.exchanges:
            exchange.transport.abort()
    assert done.units > 6
    assert len(set(asked)) == (distinct or len(asked))


async def test_connections_that_were_used_once_stay_open_and_do_nothing() -> None:
    sessions = Sessions()
    async with served(lambda: Server(sessions)) as port:
        client = IdleConnections(port, 60)
        await client.open()
        done = await client.run(0.01)
        for exchange in client.exchanges:
            exchange.transport.abort()
    assert (done.units, done.error) == (60, "")


async def test_a_connection_that_is_lost_while_it_is_idle_is_told() -> None:
    async with served(lambda: Answering([[OK, None]])) as port:
        client = IdleConnections(port, 1)
        await client.open()
        with pytest.raises(WrongAnswer, match="the connection was lost"):
            await client.run(5)


def _line(message: bytes, name: bytes) -> bytes:
    return next(line for line in message.split(b"\r\n") if line.startswith(name))


def _noting(ask: Callable[[bytes, Answered], None], asked: list[bytes]) -> Callable[[bytes, Answered], None]:
    def noting(request: bytes, answered: Answered) -> None:
        asked.append(request)
        ask(request, answered)

    return noting


async def test_the_upstream_streams_a_mebibyte_in_chunks() -> None:
    sessions = Sessions()
    async with served(lambda: Server(sessions)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        writer.write(b"GET /api/chunked HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        octets = await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.transport.abort()
    assert b"\r\nTransfer-Encoding: chunked\r\n" in head
    assert len(unchunked(octets)) == CHUNKS * CHUNK == 1 << 20
    assert octets.count(b"\r\n4000\r\n") == CHUNKS - 1
