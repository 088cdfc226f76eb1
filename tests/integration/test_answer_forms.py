"""Every byte form of an answer in :mod:`tests.support.answer_forms`, on the wire: what goes on, and what a 502 says."""

from __future__ import annotations

import json

import pytest
from devproxy.config.model import Server
from tests.support.answer_forms import BODY, CHUNKED, LENGTH, OK, REFUSED, TAKEN, Form
from tests.support.exchanges import GET, forwarded
from tests.support.exchanges import OK as PLAIN
from tests.support.wire import WAY, Conversation, Wire, conversation, soon, until

pytestmark = [pytest.mark.both_loops, pytest.mark.both_versions]

DETAIL = b"\r\nX-Devproxy-Error-Detail: "


def request(method: str, *lines: bytes) -> bytes:
    return b"\r\n".join((method.encode() + b" / HTTP/1.1", b"Host: a", *lines, b"", b""))


async def answered(talk: Conversation, form: Form, asked: bytes) -> tuple[Wire, Wire]:
    """Let a client ask and the server answer with `form`; return both."""
    client, server, _ = await forwarded(talk, asked)
    await server.send_all(form.octets)
    return client, server


@pytest.mark.parametrize("form", TAKEN.values(), ids=TAKEN)
async def test_what_every_browser_takes_and_cannot_be_framed_in_two_ways_is_passed_on(form: Form) -> None:
    assert form.sent is not None
    async with conversation() as talk:
        client, server = await answered(talk, form, request(form.method))
        head = await client.head()
        if WAY.version == b"1.1":
            assert head == b"\r\n".join((*form.sent, b"", b""))
        else:  # which has no reasons and no chunks
            assert head.split(b" ")[1] == form.sent[0].split(b" ")[1]
        if form.method == "GET" and CHUNKED in form.sent:
            assert (await client.until(b"\r\n\r\n")).startswith((b"4\r\nbody\r\n0", b"0004\r\nbody\r\n000"))
        elif form.method == "GET" and form.page is not None:
            assert await client.read(len(form.page[2])) == form.page[2].encode()
        await until(talk.finished)
        # Nothing is left over: the next question gets its own answer, on whatever connection.
        other = await talk.client()
        other.send(GET)
        used = server if await is_used_again(server) else await talk.upstream.accept()
        await used.head()
        used.send(PLAIN)
        assert await other.head() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


async def is_used_again(server: Wire) -> bool:
    """Wait until the gateway asks once more on this connection, or ends it."""
    try:
        server._buffer += await soon(server._loop.sock_recv(server.sock, 65536))
    except ConnectionResetError:
        return False
    return bool(server._buffer)


ODDLY_ENDED = [
    "HEAD with length and coding",
    *(name for name in TAKEN if name.startswith(("204 with", "304 with "))),
    *(name for name in TAKEN if name.startswith(("an option", "options"))),
    "a trailer with a length",
]


@pytest.mark.parametrize("name", ODDLY_ENDED)
async def test_a_server_whose_answer_could_go_on_for_others_is_not_asked_again_on_that_connection(name: str) -> None:
    async with conversation() as talk:
        client, server = await answered(talk, TAKEN[name], request(TAKEN[name].method))
        await client.head()
        assert not await is_used_again(server)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", REFUSED)
async def test_a_502_names_the_line_and_the_rule_in_body_field_and_log(name: str, method: str) -> None:
    form = REFUSED[name]
    asked = request(method, b"Accept: application/json")
    async with conversation() as talk:
        client, _ = await answered(talk, form, asked)
        if name == "length and coding" and method == "HEAD":
            assert (await client.head()).startswith(b"HTTP/1.1 200 OK\r\n"), "an answer to HEAD has no body"
            return
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"\r\nX-Devproxy-Error: upstream-bad-response\r\n" in head
        await until(talk.finished)
        detail = talk.finished()[0].detail
        assert form.says in detail
        assert form.line in detail
        assert "RFC " in detail
        if method == "HEAD":
            assert DETAIL + detail.encode("ascii") + b"\r\n" in head
        else:
            assert DETAIL not in head
            length = int(head.partition(b"\r\nContent-Length: ")[2].partition(b"\r\n")[0])
            document = json.loads(await client.read(length))
            assert document["detail"] == detail
            assert document["help"]


async def test_the_user_s_limits_hold_for_answers_as_well() -> None:
    async with conversation(server=Server(max_head_bytes=2048, max_fields=16)) as talk:
        for lines, key in (((b"X: " + b"x" * 2100,), b"max_head_bytes"), ((b"X: y",) * 17, b"max_fields")):
            client, server, _ = await forwarded(talk, request("GET", b"Connection: close"))
            server.send(b"\r\n".join((OK, *lines, LENGTH, b"", BODY)))
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 502 ")
            assert b"`" + key + b"`" in await client.rest()
            client.close()


async def test_larger_limits_hold_for_answers_as_well() -> None:
    async with conversation(server=Server(max_head_bytes=1_000_000)) as talk:
        client, server, _ = await forwarded(talk, GET)
        await server.send_all(b"\r\n".join((OK, b"X: " + b"x" * 500_000, LENGTH, b"", BODY)))
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
