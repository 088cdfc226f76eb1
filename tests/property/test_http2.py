"""HTTP/2 against second opinions (`hpack`, `h2`), and against anything that a stranger may send."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import hpack
import pytest
from devproxy.errors import BadMessage
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.http2 import frames, huffman
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
    TrailersReceived,
)
from devproxy.http2.frames import ErrorCode, Setting
from devproxy.http2.hpack import STATIC, CompressionFault, Decoder, encode
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.http2 import CLIENT_PREFACE, GET, POST, Pairs, data, frames_in, headers, pairs

HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!~", min_size=1, max_size=20).map(str.encode)
NAMES = st.one_of(TOKENS, st.sampled_from([name for name, _ in STATIC]))
ANY_FIELDS = st.lists(st.tuples(st.one_of(NAMES, st.binary(max_size=8)), st.binary(max_size=60)), max_size=12)


# Header compression


@given(st.binary(max_size=200))
def test_any_string_is_decoded_as_it_was(string: bytes) -> None:
    assert huffman.decode(HUFFMAN.encode(string)) == string


@given(st.binary(max_size=20))
def test_others_decode_the_same_strings_and_refuse_the_same(encoded: bytes) -> None:
    try:
        expected = decode_huffman(encoded)
    except hpack.HPACKDecodingError:
        with pytest.raises(ValueError, match="string"):
            huffman.decode(encoded)
    else:
        assert huffman.decode(encoded) == expected


@given(st.lists(st.tuples(ANY_FIELDS, st.booleans(), st.sampled_from([None, 0, 40, 100, 4096])), max_size=6))
def test_what_another_encoder_writes_is_read(blocks: list[tuple[Pairs, bool, int | None]]) -> None:
    encoder, decoder = hpack.Encoder(), Decoder()
    for fields, uses_huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        assert pairs(decoder.decode(encoder.encode(fields, huffman=uses_huffman))) == fields


@given(st.lists(st.binary(max_size=40), max_size=4))
@settings(max_examples=400)
def test_any_block_is_read_or_refused_as_by_another_decoder(blocks: list[bytes]) -> None:
    other, decoder = hpack.Decoder(max_header_list_size=1 << 40), Decoder()
    other.max_allowed_table_size = 4096
    for block in blocks:
        try:
            expected = list(other.decode(block, raw=True))
        except hpack.HPACKError:
            with pytest.raises(CompressionFault):
                decoder.decode(block)
            return
        try:
            found = pairs(decoder.decode(block))
        except CompressionFault as fault:
            why = str(fault)
        else:
            assert found == expected
            continue
        # The other one takes numbers of any length, and any number of changes of size.
        assert "too large" in why or "changes" in why
        return


VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(str.encode)
PLAIN_FIELDS = st.lists(
    st.tuples(TOKENS.filter(lambda name: name not in (b"te", b"upgrade", b"host")).map(b"x-".__add__), VALUES),
    max_size=8,
)


@given(st.lists(PLAIN_FIELDS, max_size=5))
def test_what_is_encoded_is_read_by_others(heads: list[Pairs]) -> None:
    other = hpack.Decoder()
    for fields in heads:
        lines = [b"HTTP/1.1 200 OK", *(name.upper() + b":\t" + value for name, value in fields)]
        assert other.decode(encode(lines), raw=True) == [(b":status", b"200"), *fields]


# Conversations with another implementation


class Client:
    """h2 as the client of a server of ours, which answers each request with what it asked."""

    def __init__(self) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.h2.initiate_connection()
        self.server = ServerConnection(Limits())
        self.asked: dict[int, list[Event]] = {}
        self.answered: dict[int, list[h2.events.Event]] = {}

    def turn(self) -> None:
        """Let both take what the other one has sent until there is nothing more."""
        while True:
            up = self.h2.data_to_send()
            for event in self.server.receive(up) if up else ():
                self._take(event)
            down = self.server.take()
            for came in self.h2.receive_data(down) if down else ():
                stream_id = getattr(came, "stream_id", None)
                if stream_id:
                    self.answered.setdefault(stream_id, []).append(came)
                if isinstance(came, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(came.flow_controlled_length, came.stream_id)
            if not up and not down:
                return

    def _take(self, event: Event) -> None:
        assert not isinstance(event, ConnectionFailed | StreamReset | RequestTooLarge), event
        stream_id: int = getattr(event, "stream_id", 0)
        self.asked.setdefault(stream_id, []).append(event)
        if isinstance(event, DataReceived):
            self.server.acknowledge(stream_id, len(event.data))
        if isinstance(event, RequestReceived):
            self.server.respond(stream_id, [b"HTTP/1.1 200 OK", b"X-Asked: yes"], b"", False)
        if isinstance(event, TrailersReceived):
            self.server.send_trailers(stream_id, event.lines)
        elif isinstance(event, DataReceived | RequestReceived):
            body = event.data if isinstance(event, DataReceived) else b""
            self.server.send(stream_id, body, event.has_ended)


@given(
    st.lists(
        st.tuples(PLAIN_FIELDS, st.lists(st.integers(0, 16_000), max_size=6), PLAIN_FIELDS, st.integers(0, 255)),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_conversation_with_another_client(requests: list[tuple[Pairs, list[int], Pairs, int]]) -> None:
    client = Client()
    for index, (fields, sizes, trailers, padding) in enumerate(requests):
        number = 2 * index + 1
        ends = not sizes and not trailers
        client.h2.send_headers(number, [*(POST if sizes else GET), *fields], end_stream=ends)
        for size in sizes:
            client.h2.send_data(number, b"z" * size, pad_length=padding if size < 16_000 - 256 else None)
            client.turn()
        if not ends:
            if trailers:
                client.h2.send_headers(number, trailers, end_stream=True)
            else:
                client.h2.end_stream(number)
        client.turn()
        asked, answered = client.asked[number], client.answered[number]
        request = asked[0]
        assert isinstance(request, RequestReceived)
        head = parse_request_head(request.block, Limits())
        assert [(field.name, field.value) for field in head.fields if field.name.startswith(b"x-")] == fields
        assert sum(len(one.data) for one in asked if isinstance(one, DataReceived)) == sum(sizes)
        came = sum(len(one.data) for one in answered if isinstance(one, h2.events.DataReceived))
        assert came == sum(sizes)
        assert isinstance(answered[-1], h2.events.StreamEnded)
        told = [one.headers for one in answered if isinstance(one, h2.events.TrailersReceived)]
        assert told == ([trailers] if trailers else [])
    assert client.server.open_streams == 0


@given(st.integers(0, 70_000), st.lists(st.integers(1, 30_000), min_size=1, max_size=40), st.integers(0, 70_000))
@settings(max_examples=60, deadline=None)
def test_any_windows_let_all_of_a_body_pass_and_never_too_much(window: int, steps: list[int], size: int) -> None:
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    client.initiate_connection()
    client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
    server = ServerConnection(Limits())
    server.receive(client.data_to_send())
    client.receive_data(server.take())
    client.send_headers(1, GET, end_stream=True)
    server.receive(client.data_to_send())
    server.respond(1, [b"HTTP/1.1 200 OK"], b"", False)
    server.send(1, bytes(size), True)
    came = 0
    has_ended = False
    for step in (*steps, *[16_000] * 20):
        for event in client.receive_data(server.take()):  # raises where a window is overrun
            came += len(event.data) if isinstance(event, h2.events.DataReceived) else 0
            has_ended = has_ended or isinstance(event, h2.events.StreamEnded)
        if has_ended:
            break
        client.increment_flow_control_window(step, 1)
        client.increment_flow_control_window(step)
        server.receive(client.data_to_send())
    assert has_ended
    assert came == size


# Anything


CONVERSATION = (
    frames.write_settings([(Setting.INITIAL_WINDOW_SIZE, 1000), (Setting.HEADER_TABLE_SIZE, 100)])
    + headers(1, [*POST, (b"content-length", b"5"), (b"cookie", b"a=b"), (b"cookie", b"c=d")], ended=False)
    + data(1, b"hello", ended=True)
    + headers(3, POST, ended=False)
    + data(3, b"x" * 50)
    + frames.write_window_update(3, 5)
    + headers(3, [(b"x-sum", b"1")])
    + frames.write_head(frames.PRIORITY, 0, 5, 5)
    + bytes(5)
    + headers(5, GET)
    + frames.write_ping_ack(b"01234567")
    + frames.write_rst_stream(5, 8)
    + frames.write_goaway(0, 0)
)


def converse(octets: bytes, pieces: Iterable[int] = ()) -> list[Event]:
    """Let a server take anything, answer what it can, and hold on to what it promised."""
    server = ServerConnection(Limits(), offers_protocols=True)
    events: list[Event] = []
    position = 0
    for size in (*pieces, len(octets)):
        for event in server.receive(octets[position : position + size]):
            events.append(event)
            if isinstance(event, RequestReceived | RequestTooLarge):
                server.respond(event.stream_id, [b"HTTP/1.1 200 OK"], b"", False)
                server.send(event.stream_id, b"answer", True)
            elif isinstance(event, DataReceived):
                server.acknowledge(event.stream_id, len(event.data))
            assert not server.has_failed or server.open_streams == 0
        position += size
    for one in frames_in(server.take()):
        assert len(one.payload) <= frames.MAX_PAYLOAD_BYTES
    for event in events:
        if isinstance(event, RequestReceived):
            assert b"\r\n\r\n" not in event.block
            assert b"\n" not in event.block.replace(b"\r\n", b"")
            assert event.block.count(b"\r\nhost: ") <= 1
            assert event.block.count(b"\r\ntransfer-encoding: ") <= 1
    return events


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=8), st.booleans())
@settings(max_examples=300)
def test_any_octets_are_taken(octets: bytes, pieces: list[int], is_greeted: bool) -> None:
    converse((CLIENT_PREFACE if is_greeted else b"") + octets, pieces)


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=60)), max_size=12)
)
@settings(max_examples=300)
def test_any_frames_are_taken(sent: list[tuple[int, int, int, bytes]]) -> None:
    converse(
        CLIENT_PREFACE
        + b"".join(frames.write_head(kind, flags, number, len(text)) + text for kind, flags, number, text in sent)
    )


@given(
    st.lists(st.tuples(st.integers(0, len(CONVERSATION) - 1), st.integers(0, 255)), max_size=6),
    st.lists(st.integers(1, 50), max_size=8),
)
@settings(max_examples=300)
def test_a_conversation_with_faults_is_taken_whichever_its_pieces(
    faults: list[tuple[int, int]], pieces: list[int]
) -> None:
    octets = bytearray(CONVERSATION)
    for position, octet in faults:
        octets[position] = octet
    whole = converse(frames.PREFACE + bytes(octets))
    again = converse(frames.PREFACE + bytes(octets), pieces)
    assert [type(one) for one in again] == [type(one) for one in whole]
    if not faults:
        assert ErrorCode.PROTOCOL_ERROR not in [getattr(one, "code", None) for one in whole]


LENIENT_BY_RIGHT = {
    "does not have an :authority": "http1 refuses the head without a Host",
    "non-compliant data": "the reserved bit of WINDOW_UPDATE is to be ignored (RFC 9113 section 6.9)",
    "may not depend on itself": "RFC 9113 has no dependencies any more",
}


@given(st.lists(st.tuples(st.integers(0, len(CONVERSATION) - 1), st.integers(0, 255)), min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_what_another_server_refuses_is_refused(faults: list[tuple[int, int]]) -> None:
    octets = bytearray(CONVERSATION)
    for position, octet in faults:
        octets[position] = octet
    other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    other.initiate_connection()
    try:
        events = other.receive_data(frames.PREFACE + bytes(octets))
        why = (
            "a stream" if any(isinstance(one, h2.events.StreamReset) and not one.remote_reset for one in events) else ""
        )
    except h2.exceptions.ProtocolError as error:
        why = str(error)
    if not why or any(known in why for known in LENIENT_BY_RIGHT):
        return
    found = ServerConnection(Limits()).receive(frames.PREFACE + bytes(octets))
    assert any(isinstance(one, ConnectionFailed) or (isinstance(one, StreamReset) and one.fault) for one in found), why


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=30)), max_size=6))
@settings(max_examples=300)
def test_no_field_makes_two_of_one_head(fields: Pairs) -> None:
    for event in converse(CLIENT_PREFACE + headers(1, [*GET, *fields])):
        if isinstance(event, RequestReceived):
            assert len(event.block.split(b"\r\n")) <= 2 + len(fields)
            with suppress(BadMessage):
                assert parse_request_head(event.block, Limits()).path == b"/"


def test_a_mebibyte_of_anything_is_taken_in_a_moment() -> None:
    for unit in (b"\0", b"\xff", b"\0\0\0\x04\1\0\0\0\0", b"\x40\x01a\x01b", b"\xbe\x80"):
        text = (unit * (1 << 20))[: 1 << 20]
        started = time.thread_time()
        converse(CLIENT_PREFACE + text)
        for at in range(0, 1 << 18, 16_000):
            piece = text[at : at + 16_000]
            converse(CLIENT_PREFACE + frames.write_head(frames.HEADERS, 5, 1, len(piece)) + piece)
        assert time.thread_time() - started < 2
