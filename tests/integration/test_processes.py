"""Several processes behind one address, on the wire: a session's requests find the connection that leads to it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from devproxy.config.model import Sticky, Upstream
from devproxy.events import Trouble
from devproxy.realtime.engineio import SESSION_UNKNOWN
from tests.support.wire import Conversation, ScriptedUpstream, Wire, address_of, config_for, running, until

pytestmark = pytest.mark.both_versions

OPEN = b'0{"sid":"%b","upgrades":["websocket"],"pingInterval":25000}'
UNKNOWN = SESSION_UNKNOWN.encode()
PYTHON_UNKNOWN = b'"Invalid session first"'


@asynccontextmanager
async def before(sticky: Sticky = Sticky.SOCKETIO) -> AsyncIterator[Conversation]:
    scripted = ScriptedUpstream()
    upstream = Upstream(name="backend", servers=(address_of(scripted.port),), sticky=sticky)
    async with running(config_for((), upstream=upstream), scripted) as talk:
        yield talk


def request(
    sid: str = "", *, method: str = "GET", transport: str = "polling", body: bytes = b"", more: str = ""
) -> bytes:
    query = f"EIO=4&transport={transport}" + (f"&sid={sid}" if sid else "")
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    return f"{method} /socket.io/?{query} HTTP/1.1\r\nHost: a\r\n{more}{length}\r\n".encode() + body


def upgrade(sid: str) -> bytes:
    more = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    return request(sid, transport="websocket", more=more)


def answer(body: bytes, status: int = 200, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, more, len(body), body)


def chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def compressed(body: bytes) -> bytes:
    return answer(gzip.compress(body), 400, b"Content-Encoding: gzip\r\n")


async def opened(talk: Conversation, sid: str = "first", more: bytes = b"") -> tuple[Wire, Wire]:
    """Open a session; return the client's connection and the server's end of the one on which it was given out."""
    client = await talk.client()
    client.send(request())
    server = await talk.upstream.accept()
    await server.head()
    server.send(answer(OPEN % sid.encode(), more=more))
    await client.until(b"25000}")
    return client, server


async def held_poll(talk: Conversation, client: Wire, server: Wire, sid: str = "first") -> None:
    """Let a poll of `client` wait at `server`, so that the next request needs another connection."""
    client.send(request(sid))
    assert f"sid={sid}".encode() in await server.head()


async def test_a_post_beside_the_poll_is_sent_again_with_its_body_until_the_process_is_met() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()
        other.send(request("first", method="POST", body=b"40"))
        for refusal in (answer(UNKNOWN, 400), chunked(UNKNOWN), compressed(UNKNOWN), answer(PYTHON_UNKNOWN, 400)):
            wrong = await talk.upstream.accept()
            assert (await wrong.head()).startswith(b"POST ")
            assert await wrong.read(2) == b"40"
            wrong.send(refusal)
        right = await talk.upstream.accept()
        assert (await right.head()).startswith(b"POST ")
        assert await right.read(2) == b"40"
        right.send(answer(b"ok"))
        assert (await other.head()).startswith(b"HTTP/1.1 200 ")
        assert await other.read(2) == b"ok"
        other.send(request("first", method="POST", body=b"41"))
        assert await right.until(b"\r\n\r\n41"), "what has taken the session is used first"
        right.send(answer(b"ok"))
        await other.until(b"ok")
        assert not [event for event in talk.finished() if event.status != 200]


async def test_connections_that_led_elsewhere_are_kept_for_what_they_are() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()
        other.send(request("first", method="POST", body=b"40"))
        wrong = await talk.upstream.accept()
        await wrong.until(b"\r\n\r\n40")
        wrong.send(answer(UNKNOWN, 400))
        right = await talk.upstream.accept()
        await right.until(b"\r\n\r\n40")
        right.send(answer(b"ok"))
        await other.until(b"ok")
        third = await talk.client()
        third.send(request())
        await right.head()  # the one used last
        fourth = await talk.client()
        fourth.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await wrong.head()


async def test_an_upgrade_is_tried_elsewhere_too() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()
        other.send(upgrade("first"))
        wrong = await talk.upstream.accept()
        await wrong.head()
        wrong.send(answer(b"Session ID unknown", 400, b"Connection: close\r\n"))
        wrong.close()
        asgi = await talk.upstream.accept()
        await asgi.head()
        asgi.send(answer(b"", 403))
        right = await talk.upstream.accept()
        assert b"Upgrade: websocket" in await right.head()
        right.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x01x")
        assert (await other.head()).startswith(b"HTTP/1.1 101 ")
        assert await other.read(3) == b"\x81\x01x"


async def test_a_body_that_is_still_coming_goes_on_where_the_session_is() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()
        whole = request("first", method="POST", body=b"a" * 100)
        other.send(whole[:-50])
        wrong = await talk.upstream.accept()
        await wrong.until(b"a" * 50)
        wrong.send(answer(UNKNOWN, 400))
        right = await talk.upstream.accept()
        await right.until(b"a" * 50)
        other.send(whole[-50:])
        assert await right.read(50) == b"a" * 50
        right.send(answer(b"ok"))
        await other.until(b"ok")


@pytest.mark.parametrize(("size", "is_tried_again"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
async def test_bodies_are_kept_up_to_a_mebibyte(size: int, is_tried_again: bool) -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()

        async def serve(reply: bytes) -> None:
            wire = await talk.upstream.accept()
            await wire.head()
            await wire.read(size)
            wire.send(reply)

        sending = asyncio.create_task(other.send_all(request("first", method="POST", body=b"x" * size)))
        await serve(answer(UNKNOWN, 400))
        if is_tried_again:
            await serve(answer(b"ok"))
            await other.until(b"ok")
        else:
            assert (await other.head()).startswith(b"HTTP/1.1 400 ")
            assert await other.read(len(UNKNOWN)) == UNKNOWN
        await sending


async def test_a_session_that_nobody_has_any_more_is_given_up_after_a_bounded_search() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        server.close()
        attempts = 0

        async def refuse() -> None:
            nonlocal attempts
            while True:
                wire = await talk.upstream.accept()
                await wire.head()
                attempts += 1
                wire.send(answer(UNKNOWN, 400, b"Connection: close\r\n"))
                wire.close()

        refusing = asyncio.create_task(refuse())
        client.send(request("first"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert await client.read(len(UNKNOWN)) == UNKNOWN
        assert 1 < attempts <= 128
        again = await talk.client()
        before_again = attempts
        again.send(request("first"))
        assert (await again.head()).startswith(b"HTTP/1.1 400 ")
        assert attempts == before_again + 1, "it is known to be gone"
        refusing.cancel()


@pytest.mark.http1_only("such a login is refused: `test_http2.py`")
async def test_credentials_of_a_connection_are_sent_on_one_alone() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        alice, stranger = await talk.client(), await talk.client()
        alice.send(request("first", more="Authorization: Negotiate YWxpY2U=\r\n"))
        hers = await talk.upstream.accept()
        await hers.head()
        hers.send(answer(UNKNOWN, 400))
        assert (await alice.head()).startswith(b"HTTP/1.1 400 ")
        assert await alice.read(len(UNKNOWN)) == UNKNOWN
        stranger.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        others = await talk.upstream.accept()
        assert b"Negotiate" not in await others.head()
        alice.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await hers.head()


@pytest.mark.parametrize(
    "reply",
    [
        answer(b'{"code":3,"message":"Bad request"}', 400),
        answer(b"", 400),
        answer(b"x" * 5000, 400),
        answer(b'{"code":4,"message":"no"}', 403),
    ],
)
async def test_any_other_refusal_goes_to_the_client_as_it_is(reply: bytes) -> None:
    async with before() as talk:
        client, server = await opened(talk)
        client.send(request("first"))
        await server.head()
        server.send(reply)
        body = reply.partition(b"\r\n\r\n")[2]
        assert (await client.head()).startswith(reply[:12])
        assert await client.read(len(body)) == body


async def test_a_session_that_this_upstream_never_gave_out_is_refused_at_once_and_learnt_where_it_is_accepted() -> None:
    async with before() as talk:
        client = await talk.client()
        client.send(request("stranger"))
        server = await talk.upstream.accept()
        await server.head()
        server.send(answer(UNKNOWN, 400))
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        assert await client.read(len(UNKNOWN)) == UNKNOWN
        client.send(request("known"))
        await server.head()
        server.send(answer(b"2"))
        await client.until(b"2")
        await held_poll(talk, client, server, "known")
        other = await talk.client()
        other.send(request("known", method="POST", body=b"3"))
        wrong = await talk.upstream.accept()
        await wrong.until(b"\r\n\r\n3")
        wrong.send(answer(UNKNOWN, 400))
        right = await talk.upstream.accept()
        await right.until(b"\r\n\r\n3")
        right.send(answer(b"ok"))
        await other.until(b"ok")


async def test_a_session_that_its_process_has_closed_is_not_looked_for() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        client.send(request("first"))
        await server.head()
        server.send(answer(UNKNOWN, 400))
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")


async def test_who_leaves_ends_the_search() -> None:
    async with before() as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other = await talk.client()
        other.send(request("first", method="POST", body=b"40"))
        wrong = await talk.upstream.accept()
        await wrong.until(b"\r\n\r\n40")
        other.reset()
        await until(lambda: len(talk.finished()) == 2)
        assert not await wrong.is_ended()


async def test_the_answer_that_opens_a_session_comes_uncompressed() -> None:
    async with before() as talk:
        client = await talk.client()
        client.send(request(more="Accept-Encoding: gzip, br\r\nX-Other: accept-encoding\r\n"))
        server = await talk.upstream.accept()
        head = await server.head()
        assert b"\r\naccept-encoding" not in head.lower()
        assert b"X-Other: accept-encoding" in head
        server.send(answer(OPEN % b"first"))
        await client.until(b"25000}")
        client.send(request("first", more="Accept-Encoding: gzip, br\r\n"))
        assert b"\r\nAccept-Encoding: gzip, br\r\n" in await server.head()


# -- without the key ---------------------------------------------------------------------------------------------------


async def refused(talk: Conversation, sid: str, *, reply: bytes) -> None:
    client = await talk.client()
    client.send(request(sid, method="POST", body=b"40"))
    wire = await talk.upstream.accept()
    await wire.until(b"\r\n\r\n40")
    wire.send(reply.replace(b" X\r\n", b" X\r\nConnection: close\r\n", 1))
    assert (await client.head()).startswith(b"HTTP/1.1 400 ")
    await client.until(reply.partition(b"\r\n\r\n")[2][-5:])
    wire.close()


@pytest.mark.parametrize("reply", [answer(UNKNOWN, 400), chunked(UNKNOWN), answer(PYTHON_UNKNOWN, 400)])
async def test_it_is_said_once_that_several_processes_answer(reply: bytes) -> None:
    async with before(Sticky.NONE) as talk:
        client, server = await opened(talk)
        await held_poll(talk, client, server)
        other, its_server = await opened(talk, "second")
        await held_poll(talk, other, its_server, "second")
        for sid in ("first", "first", "second", "second"):
            await refused(talk, sid, reply=reply)
        [trouble] = talk.seen(Trouble)
        assert trouble.help.startswith('write sticky = "socketio" below [upstreams.backend]')


async def test_a_restart_is_no_reason_to_name_the_key() -> None:
    async with before(Sticky.NONE) as talk:
        client, server = await opened(talk, more=b"Connection: close\r\n")
        server.close()
        await refused(talk, "first", reply=answer(UNKNOWN, 400))
        await refused(talk, "never-seen", reply=answer(UNKNOWN, 400))
        assert talk.seen(Trouble) == []
        client.close()
