"""What a client gets when an upstream fails or devproxy itself refuses: status, code, form, and soon."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from devproxy.config.model import Config, Listen, PathKind, Route, Scheme, Server, ServerAddress, Upstream
from devproxy.events import Outcome
from devproxy.gateway.app import Gateway
from devproxy.gateway.front.bind import bind
from tests.support.exchanges import GET, OK, asked, reaches_no_server
from tests.support.wire import (
    WAY,
    ScriptedUpstream,
    Wire,
    address_of,
    config_for,
    conversation,
    running,
    soon,
    until,
)

pytestmark = [pytest.mark.both_loops, pytest.mark.jumping_clock, pytest.mark.both_versions]
HTTP1_ONLY = pytest.mark.http1_only("a form that HTTP/2 does not have")


async def answer_of(client: Wire) -> tuple[int, dict[str, str], bytes]:
    """Return status, fields (lower case) and body of the next response that has a Content-Length."""
    head = (await client.head()).decode("latin-1")
    start, *lines = head.rstrip("\r\n").split("\r\n")
    fields = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
    return int(start.split(" ")[1]), fields, await client.read(int(fields["content-length"]))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def only(server: ServerAddress) -> Config:
    return config_for((server,))


# -- upstreams that fail -----------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_a_503_within_a_second_that_says_to_try_again() -> None:
    dead = address_of(free_port())
    async with running(only(dead), ScriptedUpstream()) as talk:
        async with asyncio.timeout(1.0):
            status, fields, body = await answer_of(await asked(talk, GET))
        assert (status, fields["x-devproxy-error"], fields["retry-after"]) == (503, "upstream-refused", "1")
        assert f"127.0.0.1:{dead.port}: connection refused" in body.decode()
        await until(talk.finished)
        event = talk.finished()[0]
        assert (event.outcome, event.error, event.status) == (Outcome.ANSWERED, "upstream-refused", 503)


async def test_a_client_may_ask_again_on_the_connection_on_which_it_got_an_error() -> None:
    async with running(only(address_of(free_port())), ScriptedUpstream()) as talk:
        client = await talk.client()
        for _ in range(3):
            client.send(GET)
            assert (await answer_of(client))[0] == 503


async def test_a_name_that_does_not_resolve_is_a_502() -> None:
    nowhere = address_of(80, host="nowhere.invalid")
    async with running(only(nowhere), ScriptedUpstream()) as talk:
        status, fields, body = await answer_of(await asked(talk, GET))
        assert (status, fields["x-devproxy-error"]) == (502, "upstream-name-not-found")
        assert b"nowhere.invalid" in body


async def test_a_missing_socket_file_is_a_503() -> None:
    missing = address_of(0, host="", scheme=Scheme.UNIX, path="/nonexistent/devproxy.sock")
    async with running(only(missing), ScriptedUpstream()) as talk:
        status, fields, body = await answer_of(await asked(talk, GET))
        assert (status, fields["x-devproxy-error"]) == (503, "upstream-refused")
        assert b"no such socket file" in body


async def test_a_server_that_does_not_answer_in_time_is_a_504() -> None:
    settings = Upstream(name="backend", servers=(), response_timeout_s=0.3)
    async with conversation(upstream=settings) as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        status, fields, _ = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (504, "upstream-response-timeout")
        assert not await server.is_ended()


async def test_the_time_to_answer_begins_when_the_request_is_complete() -> None:
    settings = Upstream(name="backend", servers=(), response_timeout_s=0.3)
    async with conversation(upstream=settings) as talk:
        client = await asked(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
        server = await talk.upstream.accept()
        await server.head()
        assert await client.is_silent(1.2)
        client.send(b"b")
        status, fields, _ = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (504, "upstream-response-timeout")


async def test_the_time_to_answer_does_not_limit_a_body() -> None:
    settings = Upstream(name="backend", servers=(), response_timeout_s=0.3)
    async with conversation(upstream=settings) as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        await client.head()
        assert await client.read(1) == b"o"
        assert await client.is_silent(1.2)
        server.send(b"k")
        assert await client.read(1) == b"k"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_connection_that_ends_without_an_answer_is_a_502(how: str) -> None:
    async with conversation() as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        getattr(server, how)()
        status, fields, _ = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (502, "upstream-closed-before-answer")


async def test_an_answer_that_ends_within_its_head_is_shown_as_far_as_it_came() -> None:
    async with conversation() as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nX-Half: of")
        server.close()
        status, fields, body = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (502, "upstream-closed-before-answer")
        assert b"ended in the middle of the answer's head: `X-Half: of`" in body


NONSENSE = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
    "no version": b"200 OK\r\n\r\n",
    "http 2": b"HTTP/2.0 200 OK\r\n\r\n",
    "http 1.10": b"HTTP/1.10 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 Low\r\n\r\n",
    "a header without colon": b"HTTP/1.1 200 OK\r\nNonsense\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a folded line": b"HTTP/1.1 200 OK\r\nA: 1\r\n B: 2\r\n\r\n",
    "a bare CR": b"HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 270_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 1001 + b"\r\n",
    "interim for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 33,
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_an_answer_that_is_not_http_is_a_502_and_its_connection_ends(nonsense: bytes) -> None:
    async with conversation() as talk:
        client = await asked(talk, GET)
        server = await talk.upstream.accept()
        await server.head()
        await server.send_all(nonsense)
        head = await client.head()
        while head.startswith(b"HTTP/1.1 102 "):
            head = await client.head()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"\r\nX-Devproxy-Error: upstream-bad-response\r\n" in head
        await server.is_ended()
        await until(talk.finished)
        assert talk.finished()[0].detail


# -- in which form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (b"Accept: text/html", "text/html; charset=utf-8"),
        (b"Sec-Fetch-Dest: document", "text/html; charset=utf-8"),
        (b"Accept: application/json", "application/json"),
        (b"Sec-Fetch-Dest: empty", "application/json"),
        (b"Accept: */*", "text/plain; charset=utf-8"),
    ],
)
async def test_an_error_comes_in_the_form_that_was_asked_for(field: bytes, kind: str) -> None:
    async with running(only(address_of(free_port())), ScriptedUpstream()) as talk:
        client = await asked(talk, b'GET /<b>"x" HTTP/1.1\r\nHost: a\r\n' + field + b"\r\n\r\n")
        status, fields, body = await answer_of(client)
        assert (status, fields["content-type"]) == (503, kind)
        assert b"<b>" not in body
        if kind == "application/json":
            assert json.loads(body)["error"] == "upstream-refused"
        if kind.startswith("text/html"):
            assert fields["content-security-policy"].startswith("default-src 'none'")
            assert b'http-equiv="refresh"' in body


async def test_a_page_that_answers_a_post_does_not_reload() -> None:
    async with running(only(address_of(free_port())), ScriptedUpstream()) as talk:
        client = await asked(talk, b"POST / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n")
        assert b"http-equiv" not in (await answer_of(client))[2]


async def test_an_error_that_answers_head_has_no_body() -> None:
    async with running(only(address_of(free_port())), ScriptedUpstream()) as talk:
        client = await asked(talk, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"\r\nContent-Length: " in await client.head()
        client.send(GET)
        assert (await answer_of(client))[0] == 503


# -- what devproxy refuses by itself -----------------------------------------------------------------------------------


async def test_a_request_without_a_route_is_a_404() -> None:
    routes = (Route(kind=PathKind.PREFIX, pattern="/api/", upstream="backend"),)
    async with conversation(routes=routes) as talk:
        status, fields, _ = await answer_of(await asked(talk, GET))
        assert (status, fields["x-devproxy-error"]) == (404, "no-route")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method-refused"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "bad-request", marks=HTTP1_ONLY),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad-request"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "bad-request", marks=HTTP1_ONLY),
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "bad-request", marks=HTTP1_ONLY),
        (b"GET /" + b"x" * 33000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: 1\r\n" * 300 + b"\r\n", 431, "bad-request"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 0\r\n\r\n", 417, "bad-request"),
        (b"GET /__devproxy/other HTTP/1.1\r\nHost: a\r\n\r\n", 404, "reserved-path"),
        (b"GET //__devproxy/other HTTP/1.1\r\nHost: a\r\n\r\n", 404, "reserved-path"),
        (b"GET /%5F_devproxy/other HTTP/1.1\r\nHost: a\r\n\r\n", 404, "reserved-path"),
    ],
)
async def test_a_refused_request_never_reaches_a_server(request_: bytes, status: int, code: str) -> None:
    async with conversation() as talk:
        got, fields, _ = await answer_of(await asked(talk, request_))
        assert (got, fields["x-devproxy-error"]) == (status, code)
        probe = await talk.client()
        probe.send(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await (await talk.upstream.accept()).head()).startswith(b"GET /after ")


async def test_health_answers_beside_the_routes() -> None:
    async with conversation() as talk:
        client = await asked(talk, b"GET /__devproxy/health HTTP/1.1\r\nHost: a\r\n\r\n")
        status, fields, body = await answer_of(client)
        assert (status, fields["content-type"], json.loads(body)["status"]) == (200, "application/json", "ok")
        assert "x-devproxy-error" not in fields


LIMITED = Server(max_body_bytes=4)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LARGE = {
    "a length": CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "a length before 100": CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 5\r\nExpect: 100-continue"),
    "one chunk": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    "small chunks": CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "a chunk with an extension": CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n",
}
ANNOUNCED = pytest.param(CHUNKED + b"5\r\nh", id="a chunk that is only announced", marks=HTTP1_ONLY)


@pytest.mark.parametrize(
    "request_", [*(pytest.param(octets, id=name) for name, octets in TOO_LARGE.items()), ANNOUNCED]
)
async def test_a_body_beyond_the_limit_is_a_413_and_nothing_of_it_reaches_a_server(request_: bytes) -> None:
    async with conversation(server=LIMITED) as talk:
        status, fields, _ = await answer_of(await asked(talk, request_))
        assert status == 413
        assert WAY.version == b"2.0" or fields["connection"] == "close"
        assert fields["x-devproxy-error"] == "request-body-too-large"
        assert await reaches_no_server(talk)


async def test_a_body_that_outgrows_the_limit_on_its_way_is_a_413_and_the_server_hears_of_no_end() -> None:
    async with conversation(server=LIMITED) as talk:
        client = await asked(talk, CHUNKED + b"2\r\nhe\r\n")
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(7) == b"2\r\nhe\r\n"
        client.send(b"3\r\nllo\r\n0\r\n\r\n")
        status, fields, _ = await answer_of(client)
        assert status == 413
        assert WAY.version == b"2.0" or fields["connection"] == "close"
        assert not await server.is_ended()


@pytest.mark.http1_only("there are no chunks")
@pytest.mark.parametrize("body", [b"4\r\nbody\r\n", b"1\r\nb\r\n" * 4, b"4;an=extension\r\nbody\r\n"])
async def test_the_limit_of_a_body_counts_its_data_and_not_how_that_is_chunked(body: bytes) -> None:
    async with conversation(server=LIMITED) as talk:
        client = await talk.client()
        for _ in range(2):
            client.send(CHUNKED + body + b"0\r\nX-Trailer: long\r\n\r\n")
            server = talk.upstream.wires[-1] if talk.finished() else await talk.upstream.accept()
            await server.until(b"X-Trailer: long\r\n\r\n")
            server.send(OK)
            assert await client.read(len(OK)) == OK
            await until(talk.finished)


async def test_without_a_limit_no_length_is_too_large() -> None:
    async with conversation() as talk:
        await asked(talk, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\nx")
        server = await talk.upstream.accept()
        await server.head()
        assert await server.read(1) == b"x"


@pytest.mark.http1_only("there are no chunks")
async def test_a_body_whose_chunks_are_broken_is_a_400_and_the_server_hears_of_no_end() -> None:
    async with conversation() as talk:
        client = await asked(talk, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        client.send(b"zz\r\n")
        status, fields, _ = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (400, "bad-request")
        assert not await server.is_ended()


@pytest.mark.http1_only("there are no chunks")
async def test_a_broken_body_that_comes_with_its_head_is_reported_and_answered_as_that_requests() -> None:
    async with conversation() as talk:
        broken = b"PUT /up HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: empty\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        status, fields, body = await answer_of(await asked(talk, broken))
        assert (status, fields["content-type"]) == (400, "application/json")
        assert json.loads(body)["error"] == "bad-request"
        await until(talk.finished)
        event = talk.finished()[0]
        assert (event.method, event.target, event.status) == (b"PUT", b"/up", 400)


async def test_a_route_to_devproxy_itself_is_a_508() -> None:
    sockets = bind((Listen(host="127.0.0.1", port=0),))
    port = int(sockets[0].getsockname()[1])
    gateway = Gateway(only(address_of(port)), sockets)
    await gateway.start()
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await soon(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port)))
        client = Wire(sock)
        client.send(GET)
        status, fields, _ = await answer_of(client)
        assert (status, fields["x-devproxy-error"]) == (508, "loop-detected")
    finally:
        sock.close()
        await gateway.stop(drain_s=0)
        await until(lambda: gateway.connection_count == 0)
