"""HTTP/2 on the client's side, by a foreign client: requests side by side, bodies, windows, WebSockets, endings."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import h2.events
import pytest
from devproxy.config.model import Server
from devproxy.events import Outcome, TunnelClosed, TunnelOpened
from devproxy.gateway.front.http2 import Http2Connection
from devproxy.http2.frames import PREFACE, ErrorCode
from devproxy.http2.streams import STREAM_WINDOW_BYTES
from devproxy.policy.verdict.handshake import accept_for
from tests.support.certificates import certificate_files
from tests.support.exchanges import OK, values_of
from tests.support.http2_client import Http2Client, http2_client
from tests.support.wire import Conversation, Wire, conversation, soon, until

HELD = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"


@pytest.mark.parametrize("is_secure", [True, False])
@pytest.mark.both_loops
async def test_a_request_gets_its_answer(is_secure: bool) -> None:
    async with conversation(server=Server(tls=certificate_files()) if is_secure else None) as talk:
        client = await http2_client(talk, is_secure=is_secure)
        stream = client.request("/a?b", ("x-field", "1"), ("cookie", "a=1"), ("cookie", "b=2"))
        server = await talk.upstream.accept()
        head = await server.head()
        assert head.startswith(b"GET /a?b HTTP/1.1\r\n")
        assert values_of(head, b"host") == [b"localhost"]
        assert values_of(head, b"x-field") == [b"1"]
        assert values_of(head, b"cookie") == [b"a=1; b=2"]
        assert values_of(head, b"x-forwarded-proto") == [b"https" if is_secure else b"http"]
        assert values_of(head, b"via")[0].startswith(b"2.0 devproxy-")
        server.send(OK.replace(b"\r\n\r\n", b"\r\nX-Answer: 2\r\nConnection: keep-alive\r\n\r\n") + b"ok")
        response = await client.response(stream)
        assert (response.status, response.body, response.reset) == (200, b"ok", None)
        assert response.fields["x-answer"] == "2"
        assert "connection" not in response.fields
        await until(talk.finished)
        assert [event.outcome for event in talk.finished()] == [Outcome.COMPLETE]


@pytest.mark.parametrize("at", [1, 4, 14, 16, 20, len(PREFACE)])
async def test_the_preface_may_come_in_pieces(at: int) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        other = await talk.client()
        other.send(PREFACE[:at])
        await asyncio.sleep(0.02)
        other.send(PREFACE[at:] + b"\0\0\0\x04\0\0\0\0\0")
        assert (await other.read(9))[3] == 4, "SETTINGS come first"
        client.request()
        await talk.upstream.accept()


async def test_the_preface_behind_a_request_is_none() -> None:
    async with conversation() as talk:
        client = await talk.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server = await talk.upstream.accept()
        await server.head()
        server.send(OK)
        await client.until(b"ok")
        client.send(PREFACE)
        assert (await client.head()).startswith(b"HTTP/1.1 505 ")


async def test_requests_run_side_by_side_and_their_answers_come_in_any_order() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        streams = [client.request(f"/{number}") for number in range(20)]
        servers = {}
        for _ in streams:
            server = await talk.upstream.accept()
            servers[(await server.head()).split()[1]] = server
        for number in reversed(range(20)):
            servers[b"/%d" % number].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%02d" % number)
        for number, stream in enumerate(streams):
            assert (await client.response(stream)).body == b"%02d" % number


# -- bodies ------------------------------------------------------------------------------------------------------------


async def test_a_body_of_known_length_passes_as_it_is() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request("/", ("content-length", "5"), method="POST", body=b"hello")
        server = await talk.upstream.accept()
        head = await server.head()
        assert values_of(head, b"content-length") == [b"5"]
        assert values_of(head, b"transfer-encoding") == []
        assert await server.read(5) == b"hello"
        server.send(OK)
        assert (await client.response(stream)).body == b"ok"


async def test_a_body_of_unknown_length_and_its_trailers_are_chunked_and_so_they_come_back() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request("/", method="POST", ended=False)
        server = await talk.upstream.accept()
        assert values_of(await server.head(), b"transfer-encoding") == [b"chunked"]
        client.send(stream, b"hello")
        assert await server.until(b"hello\r\n") == b"5\r\nhello\r\n"
        client.h2.send_headers(stream, [("x-sum", "7"), ("keep-alive-not", "1")], end_stream=True)
        client.flush()
        assert await server.until(b"\r\n\r\n") == b"0\r\nx-sum: 7\r\nkeep-alive-not: 1\r\n\r\n"
        server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n")
        server.send(b"0\r\nX-Sum: 8\r\nContent-Length: 4\r\n\r\n")
        response = await client.response(stream)
        assert (response.body, response.trailers) == (b"abc", {"x-sum": "8"})
        assert "transfer-encoding" not in response.fields


@pytest.mark.parametrize(
    ("method", "head", "body"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: timeout=5\r\n\r\nabc", b"abc"),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
    ],
)
async def test_answers_of_every_framing_end_in_order(method: str, head: bytes, body: bytes) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request("/", method=method)
        server = await talk.upstream.accept()
        await server.head()
        server.send(head)
        server.finish()
        response = await client.response(stream)
        assert (response.body, response.reset, response.has_ended) == (body, None, True)
        assert response.status == int(head.split()[1])
        assert not {"connection", "keep-alive", "transfer-encoding"} & set(response.fields)


async def test_that_trailers_are_wanted_goes_up_as_http1_says_it() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        client.request("/", ("te", "trailers"))
        head = await (await talk.upstream.accept()).head()
        assert values_of(head, b"te") == [b"trailers"]
        assert values_of(head, b"connection") == [b"TE"]
        client.request("/")
        assert values_of(await (await talk.upstream.accept()).head(), b"te") == []


async def test_early_hints_pass() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request()
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + OK)
        response = await client.response(stream)
        assert (response.interim, response.status) == ([103], 200)


@pytest.mark.parametrize("coding", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("resets", [True, False])
async def test_an_answer_that_is_cut_short_does_not_look_complete(coding: bytes, resets: bool) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request()
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\n" + coding + b"\r\n\r\n3\r\nabc\r\n")
        await client.head(stream)
        server.reset() if resets else server.close()
        response = await client.response(stream)
        assert (response.reset, response.has_ended) == (ErrorCode.INTERNAL_ERROR, False)
        await until(talk.finished)
        assert talk.finished()[0].outcome is Outcome.UPSTREAM_LOST
        assert await _is_served(talk, client), "the connection goes on"


async def _is_served(talk: Conversation, client: Http2Client, server: Wire | None = None) -> bool:
    """Tell whether a further request is answered, on a new connection to the upstream or on `server`."""
    stream = client.request("/served")
    server = server or await talk.upstream.accept()
    await server.head()
    server.send(OK)
    return (await client.response(stream)).body == b"ok"


async def test_an_answer_before_the_end_of_the_upload_arrives_and_stops_it() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request("/", ("content-length", "100"), method="POST", body=b"x", ended=False)
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        response = await client.response(stream)
        await client.until(lambda: response.reset is not None)
        assert (response.status, response.body, response.reset) == (413, b"no", ErrorCode.NO_ERROR)
        assert await _is_served(talk, client)


# -- flow control ------------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_a_stream_that_is_not_read_holds_back_its_own_upstream_alone() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        client.takes_data = False
        stalled = client.request("/stalled")
        slow = await talk.upstream.accept()
        await slow.head()
        slow.send(HELD)
        sent = await _fill(slow)
        assert sent < 8_000_000, "it is held back"
        client.h2.increment_flow_control_window(1 << 24)  # of the connection, not of the stream
        client.flush()
        client.takes_data = True
        for number in range(3):
            stream = client.request(f"/{number}")
            server = await talk.upstream.accept()
            await server.head()
            server.send(OK)
            assert (await client.response(stream)).body == b"ok"
            server.close()
        assert not client.responses[stalled].has_ended
        sending = asyncio.ensure_future(slow.send_all(b"x" * (9_000_000 - sent)))
        client.h2.increment_flow_control_window(1 << 24, stalled)
        client.flush()
        response = await client.response(stalled)
        await sending
        assert (len(response.body), response.has_ended) == (9_000_000, True)


async def _fill(wire: Wire) -> int:
    """Send until nothing is taken any more; return how much was."""
    sent, silent = 0, 0
    while silent < 20:
        try:
            sent += wire.sock.send(b"x" * 60_000)
            silent = 0
        except BlockingIOError:
            silent += 1
            await asyncio.sleep(0.01)
    return sent


@pytest.mark.both_loops
async def test_what_is_kept_for_a_hundred_streams_that_are_not_read_is_bounded() -> None:
    async with conversation() as talk:
        client = await http2_client(talk, window=1)
        client.takes_data = False
        streams = [client.request(f"/{number}") for number in range(100)]
        servers = []
        for _ in streams:
            servers.append(await talk.upstream.accept())
            await servers[-1].head()
            servers[-1].send(HELD)
        offered = sum(await asyncio.gather(*map(_fill, servers)))
        connection = next(iter(talk.gateway._shared.connections))  # type: ignore[union-attr]
        assert isinstance(connection, Http2Connection)
        held = [connection.http2.held_bytes(stream) for stream in streams]
        assert min(held) > 0, "all of them are stalled"
        assert sum(held) < 64 * 300_000 + 36 * 70_000, "64 keep what one read brings, and the others little"
        assert offered > 2 * sum(held), "and there was more to come"
        assert connection.http2.open_streams == 100
        for stream in streams[:50]:
            client.reset(stream)
        await until(lambda: len(talk.finished()) == 50)
        assert sum(map(connection.http2.held_bytes, streams[:50])) == 0


async def test_an_upload_that_the_upstream_does_not_take_is_held_back_and_goes_on() -> None:
    size = 6_000_000
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request("/", ("content-length", str(size)), method="POST", ended=False)
        server = await talk.upstream.accept()
        await server.head()
        sent = 0
        while (room := min(client.h2.local_flow_control_window(stream), 16_384)) > 0 or await _gets_more(client):
            client.h2.send_data(stream, b"x" * room)
            sent += room
            await client.flush_all()
        assert sent < size, "the client got no more credit than what the upstream took"
        received = 0
        while sent < size:
            received += len(await soon(server._receive()))
            if not client.h2.local_flow_control_window(stream):
                await _gets_more(client, 0.01)
            room = min(client.h2.local_flow_control_window(stream), 16_384, size - sent)
            if room:
                client.h2.send_data(stream, b"x" * room, end_stream=sent + room == size)
                sent += room
                await client.flush_all()
        while received < size:
            received += len(await soon(server._receive()))
        server.send(OK)
        assert (await client.response(stream)).body == b"ok"


async def _gets_more(client: Http2Client, within_s: float = 0.3) -> bool:
    if await client.wire.is_silent(within_s):
        return False
    client._take()
    return True


async def test_the_windows_are_no_more_than_what_is_kept_for_a_stream() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        await client.until(lambda: client.seen(h2.events.RemoteSettingsChanged))
        assert client.h2.remote_settings.initial_window_size == STREAM_WINDOW_BYTES


# -- leaving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stream", "connection", "end"])
@pytest.mark.both_loops
async def test_a_client_that_leaves_ends_the_upstream_part_at_once(how: str) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request()
        server = await talk.upstream.accept()
        await server.head()
        if how == "stream":
            client.reset(stream)
        elif how == "connection":
            client.wire.reset()
        else:
            client.wire.finish()
        assert not await soon(server.is_ended()) or how
        await until(talk.finished)
        assert [event.outcome for event in talk.finished()] == [Outcome.CLIENT_LEFT]
        if how == "stream":
            assert await _is_served(talk, client)


@pytest.mark.jumping_clock
async def test_an_idle_connection_is_told_to_go_and_closed() -> None:
    async with conversation(server=Server(idle_timeout_s=2.0)) as talk:
        client = await http2_client(talk)
        await client.until(lambda: client.seen(h2.events.ConnectionTerminated))
        assert client.seen(h2.events.ConnectionTerminated)[0].error_code == ErrorCode.NO_ERROR
        assert await client.wire.rest() == b""
        client.wire.close()
        await until(lambda: not talk.gateway.connection_count)


@pytest.mark.parametrize("is_busy", [True, False])
async def test_stopping_says_so_and_lets_what_runs_finish(is_busy: bool) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        assert await _is_served(talk, client)
        if is_busy:
            stream = client.request("/last")
            server = talk.upstream.wires[-1]
            await server.head()
        stopping = asyncio.ensure_future(talk.gateway.stop(drain_s=10))
        await client.until(lambda: client.seen(h2.events.ConnectionTerminated))
        if is_busy:
            server.send(OK)
            assert (await client.response(stream)).body == b"ok"
        await client.until(lambda: (client.seen(h2.events.ConnectionTerminated)[-1].last_stream_id or 0) < 100)
        assert await client.wire.rest() == b""
        client.wire.close()
        assert await soon(stopping) == 0


async def test_what_is_cut_when_devproxy_stops_does_not_look_complete() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request()
        server = await talk.upstream.accept()
        await server.head()
        server.send(HELD + b"abc")
        await client.head(stream)
        assert await soon(talk.gateway.stop(drain_s=0.05)) == 1
        with pytest.raises((ConnectionResetError, AssertionError)):
            await client.response(stream)
        assert not client.responses[stream].has_ended
        assert talk.finished()[0].outcome is Outcome.STOPPED


async def test_a_reload_keeps_the_streams() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.request()
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await client.head(stream)
        config = talk.gateway._config
        await talk.gateway.apply(replace(config, server=replace(config.server, max_body_bytes=77)))
        server.send(b"cd")
        assert (await client.response(stream)).body == b"abcd"
        refused = client.request("/", method="POST", body=b"x" * 78)
        assert (await client.response(refused)).status == 413


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [70, 300, 1000], ids=["by its count", "in one frame", "in several frames"])
async def test_a_head_that_is_too_large_is_answered(size: int) -> None:
    async with conversation(server=Server(max_head_bytes=8192)) as talk:
        client = await http2_client(talk)
        stream = client.request("/", *((f"x-{number}", "a~" * (size // 2)) for number in range(100)))
        assert (await client.response(stream)).status == 431
        assert await _is_served(talk, client)
        assert [event.status for event in talk.finished()] == [431, 200]


async def test_what_the_grammar_of_http_refuses_is_answered_and_the_connection_goes_on() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        assert (await client.response(client.request("/a\\b"))).status == 400
        assert await _is_served(talk, client)
        assert [event.status for event in talk.finished()] == [400, 200]


async def test_a_flood_of_pings_ends_the_connection() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        client.request()
        await (await talk.upstream.accept()).head()
        ping = b"\0\0\x08\x06\0\0\0\0\0" + b"x" * 8
        await client.wire.send_all(ping * 1_100)
        await client.until(lambda: client.seen(h2.events.ConnectionTerminated))
        assert client.seen(h2.events.ConnectionTerminated)[0].error_code == ErrorCode.ENHANCE_YOUR_CALM
        await until(talk.finished)
        assert [event.outcome for event in talk.finished()] == [Outcome.CLIENT_LEFT]


@pytest.mark.parametrize("by", ["request", "answer"])
async def test_a_login_that_belongs_to_a_connection_is_sent_to_http1(by: str) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        if by == "request":
            stream = client.request("/", ("authorization", "NTLM TlRMTVNTUAABAAAA"))
        else:
            stream = client.request()
            server = await talk.upstream.accept()
            await server.head()
            server.send(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 2\r\n\r\nno")
        assert (await client.response(stream)).reset == ErrorCode.HTTP_1_1_REQUIRED
        assert await _is_served(talk, client, server if by == "answer" else None)


# -- WebSockets --------------------------------------------------------------------------------------------------------


async def _switched(server: Wire, *lines: bytes, accept: bytes = b"", glued: bytes = b"") -> bytes:
    head = await server.head()
    key = values_of(head, b"sec-websocket-key")[0]
    head_lines = (
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + (accept or accept_for(key)),
        *lines,
    )
    server.send(b"\r\n".join(head_lines) + b"\r\n\r\n" + glued)
    return head


@pytest.mark.both_loops
async def test_a_websocket_passes_as_it_is_and_its_end_as_an_end() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        fields = ("sec-websocket-protocol", "chat"), ("sec-websocket-extensions", "permessage-deflate")
        stream = client.websocket("/socket?x=1", *fields, ("origin", "https://localhost"))
        client.send(stream, b"early")
        server = await talk.upstream.accept()
        head = await _switched(server, b"Sec-WebSocket-Protocol: chat", glued=b"glued")
        assert head.startswith(b"GET /socket?x=1 HTTP/1.1\r\n")
        assert values_of(head, b"upgrade") == [b"websocket"]
        assert values_of(head, b"sec-websocket-extensions") == [b"permessage-deflate"]
        response = await client.head(stream)
        assert response.status == 200
        assert response.fields == {"sec-websocket-protocol": "chat"}
        assert await server.read(5) == b"early"
        client.send(stream, b"\x81\x82mask\x05\x08")
        assert await server.read(8) == b"\x81\x82mask\x05\x08"
        server.send(b"\x81\x02hi")
        await client.until(lambda: response.body.endswith(b"hi"))
        assert response.body == b"glued\x81\x02hi"
        client.send(stream, b"", ended=True)
        assert await server.rest() == b""
        server.close()
        assert (await client.response(stream)).has_ended
        await until(lambda: talk.seen(TunnelClosed))
        assert (talk.seen(TunnelClosed)[0].sent_bytes, talk.seen(TunnelClosed)[0].received_bytes) == (13, 9)
        assert await _is_served(talk, client)


async def test_a_client_that_gives_a_key_is_given_the_answer_to_it() -> None:
    """HTTP/2 needs neither (RFC 8441 section 5), but undici does."""
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.websocket("/", ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
        server = await talk.upstream.accept()
        head = await _switched(server)
        assert values_of(head, b"sec-websocket-key") == [b"dGhlIHNhbXBsZSBub25jZQ=="]
        response = await client.head(stream)
        assert response.fields == {"sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}


@pytest.mark.parametrize("by", ["client", "server", "connection"])
@pytest.mark.both_loops
async def test_a_reset_of_a_websocket_is_passed_on(by: str) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.websocket()
        server = await talk.upstream.accept()
        await _switched(server)
        response = await client.head(stream)
        if by == "server":
            server.reset()
            assert (await client.response(stream)).reset == ErrorCode.CANCEL
        else:
            client.reset(stream) if by == "client" else client.wire.reset()
            assert not await soon(server.is_ended())
        await until(lambda: talk.seen(TunnelClosed))
        assert len(talk.seen(TunnelOpened)) == 1
        assert response.status == 200


@pytest.mark.parametrize(("status", "told"), [(b"403 Forbidden", 403), (b"404 Not Found", 404), (b"200 OK", 502)])
async def test_what_is_no_switch_is_told_as_it_is_and_never_as_an_open_socket(status: bytes, told: int) -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.websocket()
        server = await talk.upstream.accept()
        await server.head()
        server.send(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status)
        response = await client.response(stream)
        assert (response.status, response.body) == (told, b"no")
        assert await _is_served(talk, client, server)


async def test_an_answer_to_another_key_opens_nothing() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.websocket()
        server = await talk.upstream.accept()
        await _switched(server, accept=b"c29tZXRoaW5nIGVsc2UgYWx0b2c=")
        response = await client.response(stream)
        assert response.status == 502
        await soon(server.is_ended())
        assert talk.seen(TunnelOpened) == []
        assert talk.finished()[0].error == "upstream-bad-response"
        assert "Sec-WebSocket-Accept" in talk.finished()[0].detail


async def test_another_protocol_than_websocket_is_not_opened() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        head = [(":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", "https")]
        stream = client.open(1, [*head, (":authority", "localhost"), (":path", "/")], ended=False)
        assert (await client.response(stream)).status == 501


@pytest.mark.both_loops
async def test_a_websocket_that_is_not_read_holds_back_its_upstream_and_goes_on() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        client.takes_data = False
        stream = client.websocket()
        server = await talk.upstream.accept()
        await _switched(server)
        response = await client.head(stream)
        sent = await _fill(server)
        assert sent < 16_000_000
        await client.until(lambda: len(response.body) == 65_535)
        client.takes_data = True
        client.h2.increment_flow_control_window(1 << 24)
        client.h2.increment_flow_control_window(1 << 24, stream)
        client.flush()
        await client.until(lambda: len(response.body) == sent)
        server.close()
        assert (await client.response(stream)).has_ended


async def test_stopping_ends_a_websocket_with_a_close_frame() -> None:
    async with conversation() as talk:
        client = await http2_client(talk)
        stream = client.websocket()
        server = await talk.upstream.accept()
        await _switched(server)
        response = await client.head(stream)
        stopping = asyncio.ensure_future(talk.gateway.stop(drain_s=10))
        await client.until(lambda: response.has_ended)
        assert response.body[:1] == b"\x88"
        assert (await server.rest())[:1] == b"\x88"
        server.close()
        client.wire.close()
        await soon(stopping)
