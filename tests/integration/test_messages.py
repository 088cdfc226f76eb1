"""Messages through real sockets: connections kept and ended, pipelining, old clients, interim answers, trailers."""

from __future__ import annotations

import pytest
from tests.support.exchanges import GET, OK, answered, asked, forwarded, lines_of, own_lines_of, values_of
from tests.support.wire import WAY, Conversation, Wire, conversation

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]

PIPELINED = 20


# -- connections kept and ended --------------------------------------------------------------------------------------


async def test_one_connection_on_either_side_carries_request_after_request() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        for number in range(5):
            server.send(OK)
            assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
            assert await client.read(2) == b"ok"
            client.send(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            assert (await server.head()).startswith(b"GET /%d HTTP/1.1\r\n" % number)


async def test_a_client_that_asks_to_close_is_closed_and_the_server_is_kept() -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n")
        assert values_of(head, b"connection") == []
        server.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        assert await client.rest() == b"ok"
        (await talk.client()).send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await server.head()).startswith(b"GET /next ")


async def test_a_server_that_closes_is_replaced_and_the_client_is_kept() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert await client.read(2) == b"ok"
        assert await server.is_ended()
        client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await (await talk.upstream.accept()).head()).startswith(b"GET /next ")


@pytest.mark.http1_only("the body ends with the stream")
async def test_a_body_until_close_ends_the_clients_connection_and_says_so() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, GET)
        server.send(b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nall of it")
        server.close()
        assert await client.head() == b"HTTP/1.1 200 OK\r\nX: 1\r\nConnection: close\r\n\r\n"
        assert await client.rest() == b"all of it"


async def test_what_a_client_sends_behind_its_last_request_is_not_forwarded() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
        server.send(OK)
        await client.head()
        assert await client.rest() == b"ok"
        assert await server.is_silent(0.05)


# -- pipelining ------------------------------------------------------------------------------------------------------


async def serve_in_order(talk: Conversation, client: Wire, expected_bodies: list[bytes]) -> None:
    """Answer each pipelined request with its own target; fail when requests or answers come out of order."""
    server = await talk.upstream.accept()
    for number, body in enumerate(expected_bodies):
        head = await server.head()
        assert head.startswith((b"GET /%d HTTP" % number, b"POST /%d HTTP" % number))
        if values_of(head, b"transfer-encoding"):
            assert await server.until(b"\r\n0\r\n\r\n") == b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            assert await server.read(len(body)) == body
        own = b"answer to %d" % number
        server.send(b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: %d\r\n\r\n%b" % (number, len(own), own))
        assert b"X-Number: %d\r\n" % number in await client.head()
        assert await client.read(len(own)) == own


def pipelined(kind: str) -> tuple[bytes, list[bytes]]:
    """Return requests to send at once, and their bodies."""
    requests, bodies = [], []
    for number in range(PIPELINED):
        body = b"" if kind == "without bodies" or (kind == "mixed" and number % 3 == 0) else b"GET /x%d" % number
        bodies.append(body)
        if not body:
            requests.append(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
        elif kind == "chunked" or (kind == "mixed" and number % 3 == 1):
            framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            requests.append(b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (number, framed))
        else:
            length = b"Content-Length: %d" % len(body)
            requests.append(b"POST /%d HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (number, length, body))
    return b"".join(requests), bodies


@pytest.mark.parametrize("kind", ["without bodies", "with lengths", "chunked", "mixed"])
async def test_twenty_requests_sent_at_once_are_answered_in_order(kind: str) -> None:
    data, bodies = pipelined(kind)
    async with conversation() as talk:
        await serve_in_order(talk, await asked(talk, data), bodies)


@pytest.mark.parametrize("kind", ["without bodies", "mixed"])
async def test_twenty_requests_cut_into_single_octets_are_answered_in_order(kind: str) -> None:
    data, bodies = pipelined(kind)
    async with conversation() as talk:
        client = await talk.client()
        for octet in data:
            await client.send_all(bytes((octet,)))
        await serve_in_order(talk, client, bodies)


@pytest.mark.http1_only("DATA are chunks as they come")
async def test_a_request_cut_into_single_octets_reaches_the_server_as_one_sent_at_once() -> None:
    request = b"\r\nPOST /x HTTP/1.1\r\nHost: a\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\n\r\n"
    async with conversation() as talk:
        whole = await forwarded(talk, request)
        client = await talk.client()
        for position in range(len(request)):
            await client.send_all(request[position : position + 1])
            if position % 7 == 0:
                await whole.client.is_silent(0.001)
        server = await talk.upstream.accept()
        assert await server.head() == whole.head
        assert await server.read(13) == await whole.server.read(13) == b"3\r\nabc\r\n0\r\n\r\n"


# -- clients that speak HTTP/1.0 -------------------------------------------------------------------------------------


@pytest.mark.http1_only("HTTP/1.0")
async def test_an_old_client_gets_its_answer_and_the_end_of_the_connection() -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(talk, b"GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
        assert head.startswith(b"GET /old HTTP/1.1\r\nHost: a\r\n")
        server.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        assert await client.rest() == b"ok"


@pytest.mark.http1_only("HTTP/1.0")
async def test_an_old_client_that_asks_for_it_keeps_its_connection() -> None:
    async with conversation() as talk:
        request = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n"
        client, server, _ = await forwarded(talk, request)
        for _ in range(3):
            server.send(OK)
            assert values_of(await client.head(), b"connection") == [b"keep-alive"]
            assert await client.read(2) == b"ok"
            client.send(request)
            await server.head()


@pytest.mark.http1_only("HTTP/1.0")
async def test_an_old_client_gets_a_chunked_answer_decoded_and_without_trailers() -> None:
    async with conversation() as talk:
        request = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
        client, server, _ = await forwarded(talk, request)
        server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        assert await client.read(3) == b"abc"
        server.send(b"2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert await client.rest() == b"de"


@pytest.mark.http1_only("HTTP/1.0")
async def test_a_request_without_a_host_goes_up_with_the_servers_own() -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(talk, b"GET / HTTP/1.0\r\n\r\n")
        assert values_of(head, b"host") == [b"127.0.0.1:%d" % talk.upstream.port]
        assert values_of(head, b"x-forwarded-host") == []
        server.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.http1_only("the body ends with the stream")
async def test_an_answer_of_an_old_server_is_framed_by_its_length_or_its_end() -> None:
    async with conversation() as talk:
        client, head = await answered(talk, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert await client.read(2) == b"ok"
        client.send(GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
        server.close()
        assert values_of(await client.head(), b"connection") == [b"close"]
        assert await client.rest() == b"until the end"


# -- trailers and chunk extensions -----------------------------------------------------------------------------------


async def test_trailers_pass_both_ways_and_chunk_extensions_neither_way() -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(
            talk,
            b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Up\r\n"
            b'Transfer-Encoding: chunked\r\n\r\n3;secret="x y"\r\nabc\r\n0;last\r\nX-Up: caf\xc3\xa9\r\n\r\n',
        )
        assert values_of(head, b"trailer") == [b"X-Up"]
        assert values_of(head, b"te") == [b"trailers"]
        assert (await server.until(b"\r\n\r\n")).lower() == b"3\r\nabc\r\n0\r\nx-up: caf\xc3\xa9\r\n\r\n"
        server.send(
            b"HTTP/1.1 200 OK\r\nTrailer: X-Down\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;ext\r\nabc\r\n0\r\nX-Down: 1\r\nX-Down: 2\r\n\r\n"
        )
        assert lines_of(await client.head()) == [b"Trailer: X-Down", b"Transfer-Encoding: chunked"]
        assert await client.until(b"\r\n\r\n") == b"3\r\nabc\r\n0\r\nX-Down: 1\r\nX-Down: 2\r\n\r\n"
        client.send(GET)
        assert (await server.head()).startswith(b"GET / ")


MALFORMED = pytest.mark.http1_only("HTTP/2 resets the stream of a malformed request")


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=MALFORMED) for name in (b"Connection", b"Keep-Alive", b"TE", b"Upgrade")),
        b"X-Forwarded-For",
        b"X-Real-IP",
    ],
)
async def test_a_trailer_cannot_say_what_only_a_head_may(name: bytes) -> None:
    async with conversation() as talk:
        request = (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + name + b": x\r\nA: b\r\n\r\n"
        )
        _, server, _ = await forwarded(talk, request)
        assert (await server.until(b"\r\n\r\n")).lower() == b"0\r\na: b\r\n\r\n"


# -- Expect and interim answers --------------------------------------------------------------------------------------

EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"


async def test_a_client_that_waits_for_100_sends_its_body_after_the_servers_100() -> None:
    async with conversation() as talk:
        client, server, head = await forwarded(talk, EXPECTING)
        assert values_of(head, b"expect") == [b"100-continue"]
        assert await client.is_silent(0.05), "100 is the server's word, not the gateway's"
        server.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert await server.read(4) == b"body"
        server.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"417 Expectation Failed", b"413 Content Too Large"])
async def test_a_final_answer_instead_of_100_passes_and_the_connection_ends(status: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, EXPECTING)
        server.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
        start, *lines = (await client.head()).split(b"\r\n")
        assert start.startswith(b"HTTP/1.1 " + status[:4])
        assert lines[:-2] == [b"Content-Length: 2", *([b"Connection: close"] if WAY.version == b"1.1" else [])]
        assert await client.rest() == b"no"
        await server.is_ended()


@pytest.mark.parametrize(
    "status",
    [
        b"102 Processing",
        b"103 Early Hints",
        pytest.param(b"199 Odd", marks=pytest.mark.http1_only("there is no reason")),
    ],
)
async def test_interim_answers_pass_in_order_before_the_final_one(status: bytes) -> None:
    interim = b"HTTP/1.1 " + status + b"\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n"
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        server.send(interim)
        assert await client.head() == interim
        server.send(interim + OK)
        assert await client.head() == interim
        assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await client.rest() == b"ok"


@pytest.mark.http1_only("HTTP/1.0")
async def test_an_old_client_gets_no_interim_answer() -> None:
    async with conversation() as talk:
        request = b"POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"
        client, server, head = await forwarded(talk, request)
        assert values_of(head, b"expect") == []
        server.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


# -- answers without a body ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "answer", "passed"),
    [
        (b"HEAD", b"200 OK\r\nContent-Length: 99", b"200 OK\r\nContent-Length: 99"),
        pytest.param(
            b"HEAD",
            b"200 OK\r\nTransfer-Encoding: chunked",
            b"200 OK\r\nTransfer-Encoding: chunked",
            marks=pytest.mark.http1_only("there are no chunks"),
        ),
        (b"HEAD", b"200 OK\r\nX: y", b"200 OK\r\nX: y"),
        (b"GET", b"204 No Content\r\nX: y", b"204 No Content\r\nX: y"),
        (b"GET", b"204 No Content\r\nContent-Length: 0", b"204 No Content"),
        (
            b"GET",
            b"304 Not Modified\r\nContent-Length: 99\r\nETag: x",
            b"304 Not Modified\r\nContent-Length: 99\r\nETag: x",
        ),
        (b"GET", b"304 Not Modified", b"304 Not Modified"),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(method: bytes, answer: bytes, passed: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.send(b"HTTP/1.1 " + answer + b"\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 " + passed + b"\r\n\r\n"
        client.send(GET)
        await server.head()
        server.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_the_length_of_an_empty_body_is_not_invented() -> None:
    async with conversation() as talk:
        _, _, head = await forwarded(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert own_lines_of(head) == [b"Host: a", b"Content-Length: 0"]
        _, _, head = await forwarded(talk, b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert own_lines_of(head) == [b"Host: a"]
