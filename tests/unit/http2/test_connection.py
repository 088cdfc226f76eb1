from __future__ import annotations

import hpack
import pytest
from devproxy.http1.head import parse_request_head
from devproxy.http1.start_line import Limits
from devproxy.http2 import connection, frames, streams
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import (
    ConnectionFailed,
    DataReceived,
    DataSent,
    GoingAway,
    RequestReceived,
    RequestTooLarge,
    StreamReset,
)
from devproxy.http2.frames import ErrorCode, Setting
from devproxy.http2.heads import key_in
from devproxy.http2.streams import (
    CONNECTION_WINDOW_BYTES,
    DEFAULT_WINDOW_BYTES,
    MAX_EARLY_RESETS,
    MAX_IDLE_FRAMES,
    STREAM_WINDOW_BYTES,
)
from tests.support.http2 import GET, POST, Pairs, Talk, block_of, data, frame, frames_in, headers

OK = [b"HTTP/1.1 200 OK", b"Content-Type: text/plain"]
HEAD = b"GET / HTTP/1.1\r\nhost: localhost"
CALM = ErrorCode.ENHANCE_YOUR_CALM
CANCEL = (8).to_bytes(4, "big")
CONNECT: Pairs = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]


def window_update(stream_id: int, count: int) -> bytes:
    return frame(frames.WINDOW_UPDATE, 0, stream_id, count.to_bytes(4, "big"))


def request_of(fields: Pairs, *, ended: bool = True, offers_protocols: bool = False) -> RequestReceived:
    (event,) = Talk(offers_protocols=offers_protocols).receive(headers(1, fields, ended=ended))
    assert isinstance(event, RequestReceived)
    return event


# Heads


def test_a_server_says_what_it_takes() -> None:
    first, second = frames_in(ServerConnection(Limits(max_head_bytes=9999), max_streams=7).take())
    assert frames.settings(first.flags, first.payload) == [
        (Setting.MAX_CONCURRENT_STREAMS, 7),
        (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES),
        (Setting.MAX_HEADER_LIST_SIZE, 9999),
        (Setting.NO_RFC7540_PRIORITIES, 1),
    ]
    assert frames.increment(second.payload) == CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES
    offering = next(frames_in(ServerConnection(Limits(), offers_protocols=True).take()))
    assert (Setting.ENABLE_CONNECT_PROTOCOL, 1) in frames.settings(0, offering.payload)


def test_a_request_is_a_head_of_http_1_that_says_the_same() -> None:
    event = request_of(
        [
            *POST,
            (b"user-agent", b"x"),
            (b"cookie", b"a=b"),
            (b"accept", b"*/*"),
            (b"cookie", b"c=d"),
            (b"content-length", b"5"),
            (b"te", b"trailers"),
            (b"cookie", b""),
        ],
        ended=False,
    )
    assert event.block == (
        b"POST / HTTP/1.1\r\nhost: localhost\r\nuser-agent: x\r\naccept: */*\r\nconnection: TE"
        b"\r\nte: trailers\r\ncontent-length: 5\r\ncookie: a=b; c=d; "
    )
    assert event[2:] == (False, b"https", b"", 5)
    assert parse_request_head(event.block, Limits()).body_length == 5


def test_a_body_of_unknown_length_is_chunked_in_its_head() -> None:
    event = request_of(POST, ended=False)
    assert event.block.endswith(b"\r\ntransfer-encoding: chunked")
    head = parse_request_head(event.block, Limits())
    assert head.body_length == event.body_length == -1
    assert request_of(POST).block == b"POST / HTTP/1.1\r\nhost: localhost"


def test_the_host_stands_in_for_a_missing_authority() -> None:
    without = [*GET[:3], (b"a", b"b"), (b"host", b"localhost")]
    assert request_of(without).block == b"GET / HTTP/1.1\r\nhost: localhost\r\na: b"
    assert request_of([*GET, (b"host", b"localhost")]).block == b"GET / HTTP/1.1\r\nhost: localhost"
    assert request_of(GET[:3]).block == b"GET / HTTP/1.1", "which http1 refuses"


def test_an_asterisk_is_for_options() -> None:
    fields = [(b":method", b"OPTIONS"), GET[1], (b":path", b"*"), GET[3]]
    assert request_of(fields).block.startswith(b"OPTIONS * HTTP/1.1\r\n")


def test_a_connect_for_a_forward_proxy_is_given_on_to_be_refused() -> None:
    event = request_of([(b":method", b"CONNECT"), (b":authority", b"a:1")], ended=False)
    assert event.block.startswith(b"CONNECT a:1 HTTP/1.1\r\nhost: a:1")
    assert not event.protocol


@pytest.mark.parametrize("keys", [0, 1, 2])
def test_an_extended_connect_is_a_get_that_asks_for_a_switch_with_the_key_of_the_client_if_it_is_one(keys: int) -> None:
    fields = [*CONNECT, (b"sec-websocket-version", b"13"), *[(b"sec-websocket-key", b"x")] * keys, (b"origin", b"o")]
    event = request_of(fields, ended=False, offers_protocols=True)
    assert event.block == (
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket"
        b"\r\nsec-websocket-version: 13" + (b"\r\nsec-websocket-key: x" if keys == 1 else b"") + b"\r\norigin: o"
    )
    assert key_in(event.block) == (b"x" if keys == 1 else b"")
    assert event[2:] == (False, b"https", b"websocket", 0)
    assert parse_request_head(event.block, Limits()).upgrade == b"websocket"


@pytest.mark.parametrize(
    "fields",
    {
        "of a GET": [GET[0], *CONNECT[1:]],
        "that is no token": [CONNECT[0], (b":protocol", b"a b"), *GET[1:]],
        "without an authority": CONNECT[:4],
        "without a path": [*CONNECT[:3], GET[3]],
        "with a content-length": [*CONNECT, (b"content-length", b"1")],
    }.items(),
    ids=lambda one: one[0],
)
def test_a_protocol_is_asked_for_in_one_way_alone(fields: tuple[str, Pairs]) -> None:
    (event,) = Talk(offers_protocols=True).receive(headers(1, fields[1], ended=False))
    assert isinstance(event, StreamReset)
    assert event.code == ErrorCode.PROTOCOL_ERROR


def test_a_tunnel_carries_data_alone() -> None:
    talk = Talk(offers_protocols=True)
    talk.receive(headers(1, CONNECT, ended=False))
    assert talk.receive(data(1, b"x" * 100)) == [DataReceived(1, b"x" * 100, False)]
    (event,) = talk.receive(headers(1, [(b"a", b"b")]))
    assert isinstance(event, StreamReset)


LIMITS = Limits(max_head_bytes=2000, max_fields=20)


@pytest.mark.parametrize(
    "more",
    {
        "many fields": [(b"a", b"b")] * 21,
        "a long value": [(b"a", b"b" * 1900)],
        "a long path": [(b"a", b"b" * 600), (b"c", b"d" * 600), (b"cookie", b"e" * 700)],
        "small ones, counted with what each takes": [(b"a", b"")] * 20 + [(b"cookie", b"")] * 50,
    }.items(),
    ids=lambda one: one[0],
)
def test_a_head_beyond_the_limits_is_told_and_can_be_answered(more: tuple[str, Pairs]) -> None:
    talk = Talk(limits=LIMITS)
    assert [one[:2] for one in talk.receive(headers(1, [*GET, *more[1]]))] == [(1, True)]
    talk.server.respond(1, [b"HTTP/1.1 431 Request Header Fields Too Large"], b"", True)
    assert [one.kind for one in talk.sent()] == [frames.HEADERS]
    assert [type(one) for one in talk.receive(headers(3, GET))] == [RequestReceived]


def test_short_references_to_long_fields_are_no_long_head() -> None:
    talk = Talk(limits=Limits(max_fields=10_000))
    block = block_of(GET) + b"\x40\x01a\x7f\xa1\x1e" + b"x" * 4000
    talk.receive(frame(frames.HEADERS, 5, 1, block))
    (event,) = talk.receive(frame(frames.HEADERS, 5, 3, block_of(GET) + b"\xbe" * 9_000))
    assert isinstance(event, RequestTooLarge)
    assert event[:2] == (3, True)
    assert isinstance(talk.receive(frame(frames.HEADERS, 5, 5, block_of(GET) + b"\xbe"))[0], RequestReceived)


# Responses


def test_a_response_goes_out_in_frames() -> None:
    talk = Talk()
    talk.receive(headers(1, GET))
    talk.server.inform(1, [b"HTTP/1.1 103 Early Hints", b"Link: </a>"])
    talk.server.respond(1, [*OK, b"Connection: close"], b"", False)
    assert talk.server.send(1, b"hello", False) == 0
    assert talk.server.send(1, b"", False) == 0
    talk.server.send_trailers(1, [b"X-Sum: 1"])
    sent = talk.sent()
    assert [(one.kind, one.flags & 1) for one in sent] == [(1, 0), (1, 0), (0, 0), (1, 1)]
    assert talk.decoder.decode(sent[0].payload, raw=True) == [(b":status", b"103"), (b"link", b"</a>")]
    assert talk.decoder.decode(sent[1].payload, raw=True) == [(b":status", b"200"), (b"content-type", b"text/plain")]
    assert talk.decoder.decode(sent[3].payload, raw=True) == [(b"x-sum", b"1")]
    assert talk.server.open_streams == 0
    assert talk.server.take() == b""


def test_the_body_goes_out_with_its_head_in_frames_of_the_usual_size() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 1 << 20)])
    body = bytes(range(251)) * 200
    talk.receive(headers(1, GET))
    assert talk.server.respond(1, OK, body, True) == 0
    head, *pieces = talk.sent()
    assert (head.kind, head.flags) == (frames.HEADERS, frames.END_HEADERS)
    assert [(len(one.payload), one.flags) for one in pieces] == [(16_384, 0), (16_384, 0), (16_384, 0), (1048, 1)]
    assert b"".join(one.payload for one in pieces) == body
    talk.receive(headers(3, GET))
    assert talk.server.respond(3, OK, bytes(20_000), True) == 50_200 + 20_000 - DEFAULT_WINDOW_BYTES


def test_what_is_sent_on_a_stream_that_is_gone_is_nothing() -> None:
    talk = Talk()
    talk.receive(headers(1, GET), frame(frames.RST_STREAM, 0, 1, CANCEL))
    server = talk.server
    server.inform(1, OK)
    server.respond(1, OK, b"", False)
    assert server.send(1, b"x", True) == 0
    server.send_trailers(1, [])
    server.acknowledge(1, 5)
    server.reset(1, ErrorCode.CANCEL)
    assert server.take() == b""


def test_a_head_of_any_length_is_sent() -> None:
    talk = Talk()
    talk.receive(headers(1, GET))
    talk.server.respond(1, [*OK, *(b"X-%d: " % number + b"y" * 4000 for number in range(10))], b"", True)
    sent = talk.sent()
    assert [(one.kind, one.flags) for one in sent] == [(1, 1), (9, 0), (9, 4)]
    assert len(list(talk.decoder.decode(b"".join(one.payload for one in sent), raw=True))) == 12


@pytest.mark.parametrize("sizes", [(0,), (100, 4096), (4096, 0, 65_536)])
def test_a_client_whose_table_was_smaller_is_told_once_that_none_is_used(sizes: tuple[int, ...]) -> None:
    """The smallest size counts, also where a larger one follows (RFC 7541 section 4.2)."""
    talk = Talk(settings=[(Setting.HEADER_TABLE_SIZE, size) for size in sizes])
    talk.decoder.max_allowed_table_size = 0
    talk.receive(headers(1, GET), headers(3, GET))
    talk.server.respond(1, OK, b"", True)
    talk.server.respond(3, OK, b"", True)
    first, second = talk.sent()
    assert first.payload == b"\x20" + second.payload
    assert talk.decoder.decode(first.payload, raw=True) == talk.decoder.decode(second.payload, raw=True)


def test_a_client_that_gives_up_its_table_is_told_before_trailers_that_waited() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 1)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"ab", False)
    talk.server.send_trailers(1, [b"X: y"])
    talk.receive(frame(frames.SETTINGS, 0, 0, b"\0\x01\0\0\0\0"))
    talk.receive(window_update(1, 1))
    assert talk.sent()[-1].payload.startswith(b"\x20")


def test_an_early_response_leaves_the_rest_of_the_request_to_be_read_or_refused() -> None:
    talk = Talk()
    talk.receive(headers(1, POST, ended=False))
    talk.server.respond(1, OK, b"", True)
    assert talk.receive(data(1, b"x")) == [DataReceived(1, b"x", False)]
    assert talk.receive(data(1, b"", ended=True)) == [DataReceived(1, b"", True)]
    assert talk.server.open_streams == 0
    talk.receive(headers(3, POST, ended=False))
    talk.server.respond(3, OK, b"", True)
    talk.server.reset(3, ErrorCode.NO_ERROR)
    assert talk.resets() == {3: ErrorCode.NO_ERROR}
    assert talk.receive(data(3, b"x", ended=True)) == []


# Windows


def sizes(talk: Talk) -> list[tuple[int, int]]:
    """The stream and the length of each DATA."""
    return [(one.stream_id, len(one.payload)) for one in talk.sent() if one.kind == frames.DATA]


def test_data_beyond_the_windows_are_held_until_they_open() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 10)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    assert talk.server.send(1, b"0123456789abcde", False) == 5
    assert sizes(talk) == [(1, 10)]
    assert talk.server.send(1, b"fgh", True) == 8
    assert sizes(talk) == []
    assert talk.receive(window_update(1, 3)) == []
    assert sizes(talk) == [(1, 3)]
    assert talk.receive(window_update(1, 100)) == [DataSent(1)]
    (last,) = talk.sent()
    assert (last.flags, last.payload) == (frames.END_STREAM, b"defgh")
    assert talk.server.open_streams == 0


def test_trailers_wait_for_the_data_before_them() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 1)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    talk.server.send(1, b"ab", False)
    talk.server.send_trailers(1, [b"X: y"])
    talk.sent()
    assert talk.receive(window_update(1, 1)) == [DataSent(1)]
    assert [(one.kind, one.flags) for one in talk.sent()] == [(frames.DATA, 0), (frames.HEADERS, 5)]


def test_an_end_without_data_needs_no_window() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 2)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    assert talk.server.send(1, b"ab", False) == 0
    talk.receive(frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\0\0"))
    talk.server.send(1, b"", True)
    assert [(one.kind, one.flags) for one in talk.sent() if one.stream_id][-1] == (frames.DATA, frames.END_STREAM)
    assert talk.server.open_streams == 0


def test_settings_move_the_windows_of_streams_that_are_open() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 3)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    talk.server.send(1, b"0123456789", True)
    assert sizes(talk) == [(1, 3)]
    talk.receive(frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\0\x02"))
    assert talk.receive(window_update(1, 1)) == []
    assert sizes(talk) == [], "it was one below zero"
    talk.receive(window_update(1, 1))
    assert sizes(talk) == [(1, 1)]
    assert talk.receive(frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff")) == [DataSent(1)]
    assert sizes(talk) == [(1, 6)]


def test_streams_share_the_window_of_the_connection_in_turn() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 1 << 20)])
    talk.receive(*(headers(number, GET) for number in (1, 3, 5)))
    for number in (1, 3, 5):
        talk.server.respond(number, OK, b"", False)
        talk.server.send(number, bytes(70_000), True)
    assert sum(size for _, size in sizes(talk)) == DEFAULT_WINDOW_BYTES
    assert talk.receive(window_update(0, 40_000)) == [DataSent(1)]
    assert sizes(talk) == [(1, 4465), (3, 16_384), (5, 16_384), (3, 2767)]
    assert talk.receive(frame(frames.RST_STREAM, 0, 3, CANCEL)) == [StreamReset(3, 8, "")]
    assert talk.receive(window_update(0, 1_000_000)) == [DataSent(5)]
    assert {number for number, _ in sizes(talk)} == {5}
    assert talk.server.open_streams == 0


def test_streams_that_end_while_they_wait_leave_the_line() -> None:
    talk = Talk()
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, bytes(DEFAULT_WINDOW_BYTES), False)
    for number in range(3, 103, 4):
        talk.receive(headers(number, GET), headers(number + 2, GET))
        assert talk.server.respond(number, OK, b"waits", True) == 5
        assert talk.server.respond(number + 2, OK, b"waits", True) == 5
        talk.receive(frame(frames.RST_STREAM, 0, number, CANCEL))
        talk.server.reset(number + 2, ErrorCode.CANCEL)
    assert not talk.server._waiting
    talk.sent()
    assert talk.receive(window_update(0, 100)) == []
    assert talk.sent() == []


def test_many_values_for_the_windows_in_one_frame_cost_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk()
    talk.receive(*(headers(number, GET) for number in range(1, 200, 2)))
    widened: list[int] = []

    def widen(self: ServerConnection, stream_id: int, stream: streams.Stream, count: int) -> bool:
        widened.append(stream_id)
        return True

    monkeypatch.setattr(ServerConnection, "_widen", widen)
    talk.receive(frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\0\x01\0\x04\0\0\0\x02" * 1000))
    assert len(widened) == 100
    assert talk.server._initial_window == 2


def test_a_slow_reader_holds_up_nobody_else() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 100)])
    talk.receive(headers(1, GET), headers(3, GET))
    talk.server.respond(1, OK, b"", False)
    talk.server.respond(3, OK, b"", False)
    assert talk.server.send(1, bytes(1000), False) == 900
    assert talk.server.send(3, bytes(100), True) == 0


def test_a_client_gets_credit_only_for_what_was_taken() -> None:
    talk = Talk()
    talk.receive(headers(1, POST, ended=False))
    half = STREAM_WINDOW_BYTES // 2
    for _ in range(half // 16_384):
        talk.receive(data(1, bytes(16_384)))
    assert talk.sent() == []
    talk.server.acknowledge(1, half - 1)
    assert talk.sent() == []
    talk.server.acknowledge(1, 1)
    (update,) = talk.sent()
    assert (update.kind, update.stream_id, frames.increment(update.payload)) == (frames.WINDOW_UPDATE, 1, half)


def test_more_than_the_window_of_a_stream_ends_it_and_is_given_back() -> None:
    talk = Talk()
    talk.receive(headers(1, POST, ended=False), *[data(1, bytes(16_384))] * (STREAM_WINDOW_BYTES // 16_384))
    (event,) = talk.receive(data(1, b"x"))
    assert isinstance(event, StreamReset)
    assert event.code == ErrorCode.FLOW_CONTROL_ERROR
    assert talk.server._taken_bytes == STREAM_WINDOW_BYTES + 1


def test_more_than_the_window_of_the_connection_ends_it() -> None:
    talk = Talk()
    count = CONNECTION_WINDOW_BYTES // STREAM_WINDOW_BYTES
    for number in range(count):
        talk.receive(headers(2 * number + 1, POST, ended=False))
        talk.receive(*[data(2 * number + 1, bytes(16_384))] * (STREAM_WINDOW_BYTES // 16_384))
    talk.receive(headers(99, POST, ended=False))
    (event,) = talk.receive(data(99, b"x"))
    assert isinstance(event, ConnectionFailed)
    assert event.code == ErrorCode.FLOW_CONTROL_ERROR


def test_nothing_is_lost_of_the_window_by_streams_that_end() -> None:
    talk = Talk()
    took = 0
    for number in range(1, 201, 2):
        talk.receive(headers(number, POST, ended=False), *[data(number, bytes(16_384))] * 20)
        if number % 4 == 1:
            talk.server.reset(number, ErrorCode.CANCEL)
            talk.receive(data(number, bytes(100)), frame(frames.DATA, frames.PADDED, number, b"\x09" + bytes(9)))
        else:
            talk.receive(frame(frames.RST_STREAM, 0, number, CANCEL))
        took += 20 * 16_384
    credit = sum(
        frames.increment(one.payload) for one in talk.sent() if one.kind == frames.WINDOW_UPDATE and not one.stream_id
    )
    assert credit + talk.server._taken_bytes == took + 50 * 110
    assert talk.server._receive_window == CONNECTION_WINDOW_BYTES - took - 50 * 110 + credit


def test_padding_is_given_back_at_once() -> None:
    talk = Talk()
    talk.receive(headers(1, POST, ended=False))
    padded = frame(frames.DATA, frames.PADDED, 1, b"\xff" + b"x" + bytes(255))
    assert talk.receive(padded) == [DataReceived(1, b"x", False)]
    assert talk.server._taken_bytes == 256


# The end


def test_a_ping_is_answered_and_settings_are_acknowledged() -> None:
    talk = Talk()
    talk.receive(frame(frames.PING, 0, 0, b"01234567"), frame(frames.SETTINGS, 0, 0))
    ping, settings = talk.sent()
    assert (ping.kind, ping.flags, ping.payload) == (frames.PING, frames.ACK, b"01234567")
    assert (settings.kind, settings.flags, settings.payload) == (frames.SETTINGS, frames.ACK, b"")


def test_going_away_takes_what_is_under_way_first_and_then_no_more() -> None:
    talk = Talk()
    talk.receive(headers(1, POST, ended=False))
    talk.server.go_away(takes_more=True)
    (notice,) = talk.sent()
    assert frames.goaway(notice.payload) == (frames.MAX_STREAM_ID, 0)
    assert talk.server.is_leaving
    assert len(talk.receive(headers(3, GET))) == 1
    talk.server.go_away(takes_more=False)
    (notice,) = talk.sent()
    assert frames.goaway(notice.payload) == (3, 0)
    assert talk.receive(headers(5, POST, ended=False), data(5, b"x")) == []
    assert talk.receive(data(1, b"x")) == [DataReceived(1, b"x", False)]
    talk.server.respond(1, OK, b"", True)
    assert talk.server.open_streams == 2


def test_a_client_that_goes_away_is_told_of() -> None:
    talk = Talk()
    talk.receive(headers(1, GET))
    assert talk.receive(frame(frames.GOAWAY, 0, 0, bytes(4) + b"\0\0\0\x02why")) == [GoingAway(2)]
    assert talk.server.is_leaving
    assert talk.server.open_streams == 1


def test_streams_beyond_the_number_allowed_are_refused() -> None:
    talk = Talk(max_streams=2)
    talk.receive(headers(1, GET), headers(3, POST, ended=False))
    (event,) = talk.receive(headers(5, POST, ended=False))
    assert isinstance(event, StreamReset)
    assert event.code == ErrorCode.REFUSED_STREAM
    assert talk.receive(data(5, b"under way")) == []
    talk.server.respond(1, OK, b"", True)
    assert [type(one) for one in talk.receive(headers(7, GET))] == [RequestReceived]


def test_the_rest_of_a_large_body_is_no_flood() -> None:
    talk = Talk()
    for number in range(1, 41, 2):
        talk.receive(headers(number, POST, ended=False))
        talk.server.respond(number, [b"HTTP/1.1 413 Content Too Large"], b"", True)
        talk.server.reset(number, ErrorCode.NO_ERROR)
        talk.receive(*[data(number, bytes(16_384))] * 64)
    talk.receive(*[data(39, bytes(16_384))] * MAX_IDLE_FRAMES)
    assert not talk.server.has_failed


def test_only_so_many_resets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_REMEMBERED_RESETS", 5)
    talk = Talk()
    for number in range(1, 101, 2):
        talk.receive(headers(number, POST, ended=False))
        talk.server.reset(number, ErrorCode.CANCEL)
    assert len(talk.server._reset) <= 10
    assert talk.receive(data(99, b"under way")) == []


# Floods

IDLE = {
    "SETTINGS": frame(frames.SETTINGS, 0, 0),
    "acknowledgements": frame(frames.SETTINGS, frames.ACK, 0),
    "PING": frame(frames.PING, 0, 0, bytes(8)),
    "answered PING": frame(frames.PING, frames.ACK, 0, bytes(8)),
    "empty DATA": data(1, b""),
    "DATA of padding": frame(frames.DATA, frames.PADDED, 1, b"\x05" + bytes(5)),
    "WINDOW_UPDATE": window_update(0, 1),
    "WINDOW_UPDATE of a stream": window_update(1, 1),
    "WINDOW_UPDATE of a closed stream": window_update(3, 1),
    "RST_STREAM of a closed stream": frame(frames.RST_STREAM, 0, 3, CANCEL),
    "DATA of a closed stream": data(3, b"x"),
    "PRIORITY": frame(frames.PRIORITY, 0, 1, bytes(5)),
    "GOAWAY": frame(frames.GOAWAY, 0, 0, bytes(8)),
    "unknown frames": frame(0x2A, 0, 0, b"?"),
}


@pytest.mark.parametrize("name", IDLE)
def test_frames_that_bring_nothing_are_bounded(name: str) -> None:
    talk = Talk()

    def start(number: int) -> None:
        talk.receive(headers(number, POST, ended=False), headers(number + 2, POST, ended=False))
        talk.server.reset(number + 2, ErrorCode.CANCEL)

    start(1)
    talk.receive(IDLE[name] * MAX_IDLE_FRAMES)
    assert not talk.server.has_failed
    talk.receive(headers(5, GET))
    talk.receive(IDLE[name] * MAX_IDLE_FRAMES)
    assert not talk.server.has_failed
    last = talk.receive(IDLE[name])[-1]
    assert isinstance(last, ConnectionFailed)
    assert last.code == CALM
    assert talk.goaway() == CALM


def test_who_reads_a_long_download_may_say_so_as_often_as_it_likes() -> None:
    talk = Talk()
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    for _ in range(3 * MAX_IDLE_FRAMES):
        assert talk.server.send(1, bytes(2000), False) == 0
        talk.receive(window_update(0, 2000), window_update(1, 2000))
    assert not talk.server.has_failed


def test_who_opens_tiny_windows_is_not_served_for_ever() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 0)])
    talk.receive(headers(1, GET))
    talk.server.respond(1, OK, b"", False)
    talk.server.send(1, bytes(100_000), True)
    count = 0
    while not talk.server.has_failed:
        talk.receive(window_update(1, 1))
        count += 1
    assert count == MAX_IDLE_FRAMES + 1
    assert talk.goaway() == CALM


def test_a_window_that_never_opens_holds_what_was_given_and_no_more() -> None:
    talk = Talk(settings=[(Setting.INITIAL_WINDOW_SIZE, 0)])
    for number in range(1, 201, 2):
        talk.receive(headers(number, GET))
        talk.server.respond(number, OK, b"", False)
        assert talk.server.send(number, bytes(1000), False) == 1000
    assert sizes(talk) == []
    talk.receive(*(frame(frames.RST_STREAM, 0, number, CANCEL) for number in range(1, 201, 2)))
    assert not talk.server.open_streams


def test_requests_that_are_reset_at_once_are_bounded() -> None:
    talk = Talk()
    one = block_of(GET)
    for number in range(1, 2 * MAX_EARLY_RESETS + 1, 2):
        talk.receive(frame(frames.HEADERS, 5, number, one), frame(frames.RST_STREAM, 0, number, CANCEL))
    assert not talk.server.has_failed
    number += 2
    talk.receive(frame(frames.HEADERS, 5, number, one), frame(frames.RST_STREAM, 0, number, CANCEL))
    assert talk.goaway() == CALM


def test_faults_that_cost_a_stream_are_bounded_likewise() -> None:
    talk = Talk()
    for number in range(1, 2 * MAX_EARLY_RESETS + 3, 2):
        talk.receive(headers(number, GET), window_update(number, 0))
    assert talk.goaway() == CALM


def test_refused_streams_are_bounded_likewise() -> None:
    talk = Talk(max_streams=0)
    for number in range(1, 2 * MAX_EARLY_RESETS + 3, 2):
        talk.receive(headers(number, GET))
    assert talk.goaway() == CALM


def test_a_page_that_cancels_what_it_is_being_answered_does_not_count() -> None:
    talk = Talk()
    for number in range(1, 2 * MAX_EARLY_RESETS + 99, 2):
        talk.receive(headers(number, GET))
        talk.server.respond(number, OK, b"", False)
        talk.receive(frame(frames.RST_STREAM, 0, number, CANCEL))
        talk.server.take()
    assert not talk.server.has_failed


def test_an_answer_makes_up_for_a_reset() -> None:
    talk = Talk()
    for number in range(1, 4 * MAX_EARLY_RESETS + 99, 4):
        talk.receive(headers(number, GET), frame(frames.RST_STREAM, 0, number, CANCEL))
        talk.receive(headers(number + 2, GET))
        talk.server.respond(number + 2, OK, b"", True)
        talk.server.take()
    assert not talk.server.has_failed


@pytest.mark.parametrize("piece", [b"", b"x" * 100], ids=["empty", "filled"])
def test_continuations_are_bounded(piece: bytes) -> None:
    talk = Talk(limits=LIMITS)
    more = frame(frames.CONTINUATION, 0, 1, piece)
    assert talk.receive(frame(frames.HEADERS, 1, 1, b"\0"), more * connection.MAX_CONTINUATIONS) == []
    assert talk.goaway() is None
    talk.receive(more)
    assert talk.goaway() == CALM


def in_frames(stream_id: int, block: bytes, flags: int = frames.END_STREAM) -> bytes:
    """Return HEADERS, and as much CONTINUATION as `block` takes."""
    return frames.write_headers(stream_id, block, flags)


@pytest.mark.parametrize("pieces", [1, 2, 9])
def test_a_block_that_is_larger_than_a_head_may_be_is_answered_and_the_next_one_is_understood(pieces: int) -> None:
    talk = Talk(limits=LIMITS)
    encoder = hpack.Encoder()
    fields = [(b"x-%d" % number, b"a" * 16_000) for number in range(pieces)]
    large = encoder.encode([*GET, *fields, (b"x-kept", b"1")])
    assert talk.receive(in_frames(1, large)) == [RequestTooLarge(1, True, HEAD + b"\r\nx-kept: 1")]
    talk.server.respond(1, OK, b"", True)
    (request,) = talk.receive(headers_of(3, encoder.encode([*GET, (b"x-kept", b"1")])))
    assert isinstance(request, RequestReceived)
    assert request.block.endswith(b"\r\nx-kept: 1")
    assert not talk.server.has_failed


@pytest.mark.parametrize("count", [1, 30, 200])
def test_of_a_head_that_is_too_large_is_kept_who_asks_for_what_within_the_limits(count: int) -> None:
    talk = Talk(limits=LIMITS)
    large = [(b"x-%d" % number, b"a" * 3000) for number in range(min(count, 10))]
    (event,) = talk.receive(
        in_frames(1, block_of([*GET, *large, (b"origin", b"http://a.test"), *[(b"x", b"y")] * count]))
    )
    assert isinstance(event, RequestTooLarge)
    assert event.block.startswith(HEAD + b"\r\norigin: http://a.test\r\nx: y")
    assert len(event.block) <= LIMITS.max_head_bytes
    assert event.block.count(b"\r\n") <= 1 + LIMITS.max_fields


def headers_of(stream_id: int, block: bytes) -> bytes:
    return frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream_id, block)


def test_trailers_that_are_larger_than_a_head_may_be_cost_their_stream_alone() -> None:
    talk = Talk(limits=LIMITS)
    talk.receive(headers(1, POST, ended=False))
    (event,) = talk.receive(in_frames(1, block_of([(b"x", b"a" * 16_000), (b"y", b"a" * 16_000)])))
    assert isinstance(event, StreamReset)
    assert [type(one) for one in talk.receive(headers(3, GET))] == [RequestReceived]


def test_what_is_kept_of_a_block_has_a_bound_that_follows_from_the_largest_head() -> None:
    for limits in (LIMITS, Limits(), Limits(max_head_bytes=1 << 20)):
        talk = Talk(limits=limits)
        size = frames.MAX_PAYLOAD_BYTES
        most = limits.max_head_bytes // size + connection.MAX_CONTINUATIONS
        piece = frame(frames.CONTINUATION, 0, 1, bytes(size))
        talk.receive(frame(frames.HEADERS, 1, 1, bytes(size)), piece * most)
        assert talk.server._block is not None
        assert limits.max_head_bytes < len(talk.server._block) <= limits.max_head_bytes + 9 * size
        talk.receive(piece)
        assert talk.goaway() == CALM
