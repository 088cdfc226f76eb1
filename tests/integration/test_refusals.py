"""Hostile requests: refused with the right status, the connection ended, and no octet of them at a server.

Requests whose head is in order and whose body is not (:data:`BROKEN_BODIES`) may be on their way already when the fault
comes; a server must then see a cut request, never a complete one.
"""

from __future__ import annotations

import asyncio

import pytest
from devproxy.config.model import Cors, CorsMode, PathKind, Route
from tests.support.exchanges import OK, asked, forwarded, own_lines_of, reaches_no_server, values_of
from tests.support.wire import Wire, conversation

pytestmark = pytest.mark.both_loops


def get(*lines: bytes) -> bytes:
    """Return a request without a body with these field lines behind its Host."""
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: a", *lines, b"", b""))


def post(*lines: bytes, body: bytes = b"0\r\n\r\n") -> bytes:
    """Return a request with these field lines and a body; the default suits every framing that could be meant."""
    return b"\r\n".join((b"POST / HTTP/1.1", b"Host: a", *lines, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"

REFUSED: dict[str, tuple[int, bytes]] = {
    # Framing
    "length and chunked": (400, post(b"Content-Length: 5", CHUNKED)),
    "chunked and length": (400, post(CHUNKED, b"Content-Length: 5")),
    "differing lengths": (400, post(b"Content-Length: 5", b"Content-Length: 6")),
    "equal lengths": (400, post(b"Content-Length: 5", b"Content-Length: 5")),
    "a list of lengths": (400, post(b"Content-Length: 5, 5")),
    "a signed length": (400, post(b"Content-Length: +5")),
    "a negative length": (400, post(b"Content-Length: -5")),
    "a hexadecimal length": (400, post(b"Content-Length: 0x5")),
    "a spaced length": (400, post(b"Content-Length: 5 0")),
    "an underscored length": (400, post(b"Content-Length: 5_0")),
    "a length of other digits": (400, post(b"Content-Length: \xd9\xa5")),
    "an empty length": (400, post(b"Content-Length:")),
    "a length beyond all bounds": (400, post(b"Content-Length: " + b"9" * 30)),
    "a length behind a tab": (400, post(b"Content-Length:\t5")),
    "chunked twice": (400, post(CHUNKED, CHUNKED)),
    "chunked listed twice": (400, post(b"Transfer-Encoding: chunked, chunked")),
    "chunked not last": (400, post(b"Transfer-Encoding: chunked, gzip")),
    "chunked beside identity": (400, post(CHUNKED, b"Transfer-Encoding: identity")),
    "identity": (400, post(b"Transfer-Encoding: identity")),
    "gzip before chunked": (501, post(b"Transfer-Encoding: gzip, chunked")),
    "an unknown coding": (400, post(b"Transfer-Encoding: xchunked")),
    "a quoted coding": (400, post(b'Transfer-Encoding: "chunked"')),
    "a coding with a parameter": (400, post(b"Transfer-Encoding: chunked;x=1")),
    "an empty coding": (400, post(b"Transfer-Encoding:")),
    "a coding behind a comma": (400, post(b"Transfer-Encoding: ,chunked")),
    "a coding behind a tab": (400, post(b"Transfer-Encoding:\tchunked")),
    "a coding behind a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked")),
    "chunked in HTTP/1.0": (400, post(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0")),
    # Field lines
    "a space before the colon": (400, post(b"Content-Length : 5")),
    "a tab before the colon": (400, post(b"Transfer-Encoding\t: chunked")),
    "a folded field": (400, post(b"Transfer-Encoding:", b" chunked")),
    "a folded first field": (400, b"GET / HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n"),
    "no colon": (400, get(b"Nonsense")),
    "no name": (400, get(b": value")),
    "a name with a space": (400, get(b"X Y: z")),
    "a name beyond ASCII": (400, get(b"X-\xe9: z")),
    "a NUL in a value": (400, get(b"X: a\0b")),
    "a NUL in a name": (400, get(b"X\0: a")),
    "a control in a value that devproxy goes by": (400, get(b"Via: a\x1bb")),
    "a bare LF in a value": (400, get(b"X: a\nTransfer-Encoding: chunked")),
    "a bare CR in a value": (400, get(b"X: a\rTransfer-Encoding: chunked")),
    "bare LF at the end of each line": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "a bare LF behind the request line": (400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "a bare CR behind the request line": (400, b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    "an element that is no token": (400, get(b"Connection: a b")),
    # Host
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, get(b"Host: b")),
    "two equal Hosts": (400, get(b"Host: a")),
    "an empty Host": (400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "a Host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "a Host with a user": (400, b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "a Host that is a list": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "a Host with a space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "a Host with a bad port": (400, b"GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"),
    "a Host beyond ASCII": (400, b"GET / HTTP/1.1\r\nHost: b\xc3\xbc\r\n\r\n"),
    "an absolute target with a user": (400, b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "an absolute target without a Host beside it": (400, b"GET http://a/ HTTP/1.1\r\n\r\n"),
    # Request lines
    "a fragment": (400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a backslash": (400, b"GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a relative target": (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "another scheme": (400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "the asterisk of GET": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a tab for a space": (400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space before the method": (400, b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a space behind the version": (400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    "a NUL in the target": (400, b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method that is no token": (400, b"G{T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "nearly the HTTP/2 preface": (505, b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a version in lower case": (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    "CONNECT": (501, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    # Size
    "a target of 100 kB": (414, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "ten thousand fields": (431, get(*[b"A: 1"] * 10_000)),
    "a field of 1 MB": (431, get(b"A: " + b"x" * 1_000_000)),
    "a method without end": (414, b"G" * 100_000),
}


async def cut_off(server: Wire) -> bytes:
    """Return what comes until the connection is reset; fails when it ends in any other way."""
    seen = b""
    try:
        while True:
            seen += await server.read(1)
    except ConnectionResetError:
        return seen


async def refused(client: Wire) -> int:
    """Return the status of a refusal, having checked that it is devproxy's own and that the connection ends."""
    head = await client.head()
    assert values_of(head, b"connection") == [b"close"]
    assert values_of(head, b"x-devproxy-error") == [b"bad-request"]
    length = int(values_of(head, b"content-length")[0])
    assert len(await client.rest()) == length, "exactly one answer, then the end"
    return int(head[9:12])


@pytest.mark.parametrize(("status", "request_"), REFUSED.values(), ids=REFUSED)
async def test_a_hostile_request_is_refused_and_nothing_reaches_a_server(status: int, request_: bytes) -> None:
    async with conversation() as talk:
        assert await refused(await asked(talk, request_ + get(b"X-Smuggled: 1"))) == status
        assert await reaches_no_server(talk)


SPLIT = [name for name, (_, request) in REFUSED.items() if len(request) < 1000]


@pytest.mark.parametrize("name", SPLIT)
async def test_a_hostile_request_cut_into_single_octets_is_refused_as_well(name: str) -> None:
    status, request = REFUSED[name]
    async with conversation() as talk:
        client = await talk.client()
        for position in range(len(request)):
            client.send(request[position : position + 1])
            await asyncio.sleep(0)
        assert await refused(client) == status
        assert await reaches_no_server(talk)


async def test_a_hostile_request_behind_a_good_one_is_refused_after_the_good_ones_answer() -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, get() + post(b"Content-Length: 5", CHUNKED))
        server.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert await client.read(2) == b"ok"
        assert await refused(client) == 400
        assert await server.is_silent(0.02)


BROKEN_BODIES: dict[str, bytes] = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a size that is no number": b"zz\r\nabc\r\n0\r\n\r\n",
    "a signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a prefixed size": b"0x3\r\nabc\r\n0\r\n\r\n",
    "an underscored size": b"0_3\r\nabc\r\n0\r\n\r\n",
    "a size behind a space": b" 3\r\nabc\r\n0\r\n\r\n",
    "a size before a space": b"3 \r\nabc\r\n0\r\n\r\n",
    "a size that overflows": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a size ended by LF": b"3\nabc\r\n0\r\n\r\n",
    "a size ended by CR": b"3\rabc\r\n0\r\n\r\n",
    "an extension ended by LF": b"3;x\nabc\r\n0\r\n\r\n",
    "an extension with a CR": b"3;x\ry\r\nabc\r\n0\r\n\r\n",
    "an extension with a space": b"3; x\r\nabc\r\n0\r\n\r\n",
    "an extension with a NUL": b"3;x\0\r\nabc\r\n0\r\n\r\n",
    "an extension without a name": b"3;\r\nabc\r\n0\r\n\r\n",
    "an extension that does not end": b"3;" + b"x" * 2000,
    "a chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "a chunk ended by LF": b"3\r\nabc\n0\r\n\r\n",
    "a trailer with framing": b"0\r\nContent-Length: 5\r\n\r\n",
    "a trailer with a coding": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer with a Host": b"0\r\nHost: b\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a trailer ended by LF": b"0\r\nA: b\n\r\n",
    "a last chunk ended by LF": b"0\n\n",
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
async def test_a_broken_body_that_comes_with_its_head_is_refused_and_nothing_reaches_a_server(body: bytes) -> None:
    async with conversation() as talk:
        assert await refused(await asked(talk, post(CHUNKED, body=body))) == 400
        assert await reaches_no_server(talk)


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
async def test_a_broken_body_behind_its_head_is_refused_and_the_server_sees_no_complete_request(body: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, post(CHUNKED, body=b""))
        client.send(body)
        assert await refused(client) == 400
        assert not (await cut_off(server)).endswith(b"0\r\n\r\n")


# -- smuggling -------------------------------------------------------------------------------------------------------

INNER = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
AS_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)
SMUGGLING: dict[str, tuple[bytes, bytes | None]] = {
    # What is sent, and the body with which the one request that is forwarded ends at the server; None for a refusal.
    "CL.TE": (post(b"Content-Length: 40", CHUNKED, body=b"0\r\n\r\n" + INNER), None),
    "TE.CL": (post(CHUNKED, b"Content-Length: 4", body=AS_CHUNKS), None),
    "TE.TE": (post(CHUNKED, b"Transfer-encoding: cow", body=b"0\r\n\r\n" + INNER), None),
    "TE.0": (post(b"Transfer-Encoding : chunked", body=AS_CHUNKS), None),
    "CL.0": (post(b"Content-Length: %d" % len(INNER), body=INNER), INNER),
    "CL.0 listed": (post(b"Content-Length: %d" % len(INNER), b"Connection: Content-Length", body=INNER), INNER),
    "TE listed": (
        post(CHUNKED, b"Connection: Transfer-Encoding", body=AS_CHUNKS),
        AS_CHUNKS,
    ),
    "GET with a body": (
        post(b"Content-Length: %d" % len(INNER), body=INNER).replace(b"POST", b"GET", 1),
        INNER,
    ),
    "a chunk that is a request": (
        post(b"transfer-encoding: Chunked", body=AS_CHUNKS.replace(b"23", b"23;x=1", 1)),
        AS_CHUNKS,
    ),
    "an extension ended by LF": (post(CHUNKED, body=b"2;\nxx\r\n" + AS_CHUNKS), None),
    "an LF for the end of a chunk": (post(CHUNKED, body=b"3\r\nabc\n" + AS_CHUNKS), None),
    "a quoted LF": (post(CHUNKED, body=b'2;a="\n"\r\nxx\r\n0\r\n\r\n' + INNER), None),
    "an upgrade with a request as its body": (
        post(b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: %d" % len(INNER), body=INNER),
        INNER,
    ),
}


@pytest.mark.parametrize(("request_", "body"), SMUGGLING.values(), ids=SMUGGLING)
async def test_the_server_sees_one_request_with_the_same_body_or_none(request_: bytes, body: bytes | None) -> None:
    async with conversation() as talk:
        client = await asked(talk, request_)
        if body is None:
            assert await refused(client) == 400
            assert await reaches_no_server(talk)
            return
        server = await talk.upstream.accept()
        head = await server.head()
        assert own_lines_of(head)[-1].lower() in (b"content-length: %d" % len(INNER), b"transfer-encoding: chunked")
        assert await server.read(len(body)) == body
        assert await server.is_silent(0.05)
        server.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read(2) == b"ok"
        assert await client.is_silent(0.02)


@pytest.mark.parametrize("protocol", [b"h2c", b"H2C", b"websocket, h2c", b"h2c, websocket"])
async def test_an_upgrade_to_cleartext_http_2_is_not_passed_on(protocol: bytes) -> None:
    lines = (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: " + protocol,
        b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    )
    async with conversation() as talk:
        client, server, head = await forwarded(talk, get(*lines))
        assert own_lines_of(head) == [b"Host: a"]
        server.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")


# -- hostile answers (what is no HTTP at all stands with the error answers) ------------------------------------------

HOSTILE_ANSWERS: dict[str, bytes] = {
    "different lengths": b"200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of different lengths": b"200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    "a negative length": b"200 OK\r\nContent-Length: -1\r\n\r\n",
    "chunked twice": b"200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings": b"200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a bare LF in a value": b"200 OK\r\nA: 1\nSet-Cookie: b=2\r\n\r\n",
    "a NUL in the reason": b"200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "a 100 with a length": b"100 Continue\r\nContent-Length: 2\r\n\r\n",
    "a broken interim answer": b"103 Early Hints\r\nContent-Length : 2\r\n\r\n",
    "a name beyond ASCII": b"200 OK\r\nX-\xe9: 1\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
async def test_an_answer_that_can_be_read_in_two_ways_is_a_502_and_its_connection_ends(answer: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, get())
        server.send(b"HTTP/1.1 " + answer)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert values_of(head, b"x-devproxy-error") == [b"upstream-bad-response"]
        await client.read(int(values_of(head, b"content-length")[0]))
        await server.is_ended()
        client.send(get())
        assert (await (await talk.upstream.accept()).head()).startswith(b"GET / ")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
async def test_what_a_204_calls_its_body_is_not_passed_on_and_its_connection_ends(framing: bytes) -> None:
    async with conversation() as talk:
        client, server, _ = await forwarded(talk, get())
        server.send(b"HTTP/1.1 204 No Content\r\n" + framing)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 204 ")
        assert not values_of(head, b"content-length") + values_of(head, b"transfer-encoding")
        await server.is_ended()
        client.send(get())
        fresh = await talk.upstream.accept()
        await fresh.head()
        fresh.send(OK)
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")


async def test_octets_behind_an_answer_are_neither_passed_on_nor_taken_for_the_next_one() -> None:
    routes = (Route(kind=PathKind.PREFIX, pattern="/", upstream="backend", cors=Cors(mode=CorsMode.PASSTHROUGH)),)
    async with conversation(routes=routes) as talk:
        client, server, _ = await forwarded(talk, get())
        server.send(OK + b"HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison")
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert await client.read(2) == b"ok"
        await server.is_ended()
        client.send(get())
        fresh = await talk.upstream.accept()
        await fresh.head()
        fresh.send(OK)
        assert await client.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
