"""The benchmark's client of HTTP/2 says what was to be said, by the policy of HPACK that browsers have."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import hpack
import pytest
from bench import traffic
from bench.clients.client import WrongAnswer
from bench.clients.http2 import Encoder, Http2, fields_of
from tests.support.certificates import certificate_files


def test_a_block_says_what_the_request_says_however_often_the_table_has_turned_over() -> None:
    encoder, decoder = Encoder(), hpack.Decoder()
    for number in range(600):
        request = (traffic.first_load_request if number % 3 else traffic.module_request)(number)
        found = decoder.decode(encoder.encode(fields_of(request)), raw=True)
        assert [(bytes(one[0]), bytes(one[1])) for one in found] == list(fields_of(request))


def test_the_path_is_not_added_to_the_table_and_all_else_is() -> None:
    encoder, decoder = Encoder(), hpack.Decoder()
    decoder.decode(encoder.encode(fields_of(traffic.module_request(1))))
    names = [name for name, _ in decoder.header_table.dynamic_entries]
    assert b":authority" in names
    assert b":path" not in names
    assert names.count(b"cookie") == 2  # in crumbs
    again = encoder.encode(fields_of(traffic.module_request(1)))
    assert len(again) < 60


class Server(asyncio.Protocol):
    """Answers each request as `answer` has it, by another implementation."""

    def __init__(self, answer: Callable[[h2.connection.H2Connection, int], None]) -> None:
        self._answer = answer
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.h2.initiate_connection()
        transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id is not None
                self._answer(self.h2, event.stream_id)
        self.transport.write(self.h2.data_to_send())


async def ask(answer: Callable[[h2.connection.H2Connection, int], None]) -> tuple[bytes, bytes]:
    """Return the head and the body of what came. Raises WrongAnswer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_files().cert)
    context.set_alpn_protocols(["h2"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(answer), "127.0.0.1", 0, ssl=context)
    over: asyncio.Future[tuple[bytes, bytes]] = loop.create_future()
    client = Http2(server.sockets[0].getsockname()[1], over.set_exception)
    async with server:
        await client.connect()
        client.ask(traffic.module_request(1), lambda head, body: over.set_result((head, body)))
        try:
            return await asyncio.wait_for(over, 20)
        finally:
            client.close()


def ok(connection: h2.connection.H2Connection, stream_id: int) -> None:
    connection.send_headers(stream_id, [(":status", "200"), ("etag", '"1"')])
    connection.send_data(stream_id, b"whole", end_stream=True)


def not_found(connection: h2.connection.H2Connection, stream_id: int) -> None:
    connection.send_headers(stream_id, [(":status", "404")], end_stream=True)


def reset(connection: h2.connection.H2Connection, stream_id: int) -> None:
    connection.reset_stream(stream_id)


def leave(connection: h2.connection.H2Connection, stream_id: int) -> None:
    connection.close_connection()


async def test_a_whole_answer_is_given_out() -> None:
    assert await ask(ok) == (b'\r\netag: "1"', b"whole")


@pytest.mark.parametrize("answer", [not_found, reset, leave])
async def test_anything_else_is_a_wrong_answer(
    answer: Callable[[h2.connection.H2Connection, int], None],
) -> None:
    with pytest.raises(WrongAnswer):
        await ask(answer)
