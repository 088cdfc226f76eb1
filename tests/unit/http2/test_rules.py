"""What a client may send and what it may not, by section of RFC 9113: a table of bytes and what comes of them."""

from __future__ import annotations

import pytest
from devproxy.http1.start_line import Limits
from devproxy.http2 import frames
from devproxy.http2.connection import ServerConnection
from devproxy.http2.events import ConnectionFailed, DataReceived, RequestReceived, StreamReset, TrailersReceived
from devproxy.http2.frames import ErrorCode, Setting
from tests.support.http2 import CLIENT_PREFACE, GET, POST, Pairs, Talk, block_of, data, frame, headers

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END, WHOLE, PADDED, WEIGHED = frames.END_STREAM, frames.END_HEADERS, frames.PADDED, frames.HAS_PRIORITY
BLOCK = block_of(GET)
OPEN = headers(1, POST, ended=False)
HALF_CLOSED = headers(1, GET)
BY_CLIENT = OPEN + frame(RST_STREAM, 0, 1, bytes((0, 0, 0, 8)))
SKIPPED = headers(5, GET)


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, name.to_bytes(2, "big") + number(value))


CONNECTION_ERRORS = {
    "4.2 a frame larger than it may be": (data(1, bytes(16_385)), "FRAME_SIZE_ERROR"),
    "4.2 a large frame of the connection": (frame(SETTINGS, 0, 0, bytes(16_386)), "FRAME_SIZE_ERROR"),
    "4.3 a block that cannot be decoded": (frame(HEADERS, WHOLE | END, 1, b"\xff\xff\xff"), "COMPRESSION_ERROR"),
    "4.3 PRIORITY within a block": (
        frame(HEADERS, END, 1, BLOCK) + frame(PRIORITY, 0, 1, bytes(5)),
        "PROTOCOL_ERROR",
    ),
    "4.3 HEADERS of another stream within a block": (
        frame(HEADERS, END, 1, BLOCK) + headers(3, GET),
        "PROTOCOL_ERROR",
    ),
    "5.1 DATA on an idle stream": (data(1, b"x"), "PROTOCOL_ERROR"),
    "5.1 RST_STREAM on an idle stream": (frame(RST_STREAM, 0, 1, number(8)), "PROTOCOL_ERROR"),
    "5.1 WINDOW_UPDATE on an idle stream": (frame(WINDOW_UPDATE, 0, 1, number(8)), "PROTOCOL_ERROR"),
    "5.1 CONTINUATION on an idle stream": (frame(CONTINUATION, WHOLE, 1, BLOCK), "PROTOCOL_ERROR"),
    "5.1 DATA on a stream that the client has reset": (BY_CLIENT + data(1, b"x"), "STREAM_CLOSED"),
    "5.1 HEADERS on a stream that the client has reset": (BY_CLIENT + headers(1, GET), "STREAM_CLOSED"),
    "5.1 CONTINUATION behind a block": (OPEN + frame(CONTINUATION, WHOLE, 1, BLOCK), "PROTOCOL_ERROR"),
    "5.1.1 a stream with an even number": (headers(2, GET), "PROTOCOL_ERROR"),
    "5.1.1 a number below the last one": (SKIPPED + headers(3, GET), "PROTOCOL_ERROR"),
    "5.1.1 RST_STREAM on a stream of the server": (SKIPPED + frame(RST_STREAM, 0, 2, number(8)), "PROTOCOL_ERROR"),
    "5.5 an unknown frame within a block": (
        frame(HEADERS, END, 1, BLOCK) + frame(0xFF, 0, 0, b"?"),
        "PROTOCOL_ERROR",
    ),
    "6.1 DATA on stream 0": (data(0, b"x"), "PROTOCOL_ERROR"),
    "6.1 padding as long as its frame": (OPEN + frame(DATA, PADDED, 1, b"\x05abcd"), "PROTOCOL_ERROR"),
    "6.1 padded and empty": (OPEN + frame(DATA, PADDED, 1, b""), "FRAME_SIZE_ERROR"),
    "6.2 HEADERS on stream 0": (headers(0, GET), "PROTOCOL_ERROR"),
    "6.2 padding as long as its frame": (
        frame(HEADERS, PADDED | WHOLE | END, 1, bytes((len(BLOCK) + 1,)) + BLOCK),
        "PROTOCOL_ERROR",
    ),
    "6.2 no room for the priority": (frame(HEADERS, WEIGHED | WHOLE | END, 1, bytes(4)), "FRAME_SIZE_ERROR"),
    "6.2 padding over the priority": (
        frame(HEADERS, WEIGHED | PADDED | WHOLE | END, 1, b"\x05" + bytes(9)),
        "PROTOCOL_ERROR",
    ),
    "6.3 PRIORITY on stream 0": (frame(PRIORITY, 0, 0, bytes(5)), "PROTOCOL_ERROR"),
    "6.3 PRIORITY of another length": (OPEN + frame(PRIORITY, 0, 1, bytes(4)), "FRAME_SIZE_ERROR"),
    "6.4 RST_STREAM on stream 0": (frame(RST_STREAM, 0, 0, number(8)), "PROTOCOL_ERROR"),
    "6.4 RST_STREAM of another length": (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), "FRAME_SIZE_ERROR"),
    "6.5 SETTINGS on a stream": (frame(SETTINGS, 0, 1), "PROTOCOL_ERROR"),
    "6.5 SETTINGS of another length": (frame(SETTINGS, 0, 0, bytes(5)), "FRAME_SIZE_ERROR"),
    "6.5 an acknowledgement that says something": (frame(SETTINGS, frames.ACK, 0, bytes(6)), "FRAME_SIZE_ERROR"),
    "6.5.2 ENABLE_PUSH": (setting(Setting.ENABLE_PUSH, 2), "PROTOCOL_ERROR"),
    "6.5.2 INITIAL_WINDOW_SIZE": (setting(Setting.INITIAL_WINDOW_SIZE, 1 << 31), "FLOW_CONTROL_ERROR"),
    "6.5.2 MAX_FRAME_SIZE too small": (setting(Setting.MAX_FRAME_SIZE, 16_383), "PROTOCOL_ERROR"),
    "6.5.2 MAX_FRAME_SIZE too large": (setting(Setting.MAX_FRAME_SIZE, 1 << 24), "PROTOCOL_ERROR"),
    "8441.3 ENABLE_CONNECT_PROTOCOL": (setting(Setting.ENABLE_CONNECT_PROTOCOL, 2), "PROTOCOL_ERROR"),
    "9218.2.1 NO_RFC7540_PRIORITIES": (setting(Setting.NO_RFC7540_PRIORITIES, 2), "PROTOCOL_ERROR"),
    "6.6 PUSH_PROMISE": (OPEN + frame(PUSH_PROMISE, WHOLE, 1, number(2) + BLOCK), "PROTOCOL_ERROR"),
    "6.7 PING on a stream": (frame(PING, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
    "6.7 PING of another length": (frame(PING, 0, 0, bytes(6)), "FRAME_SIZE_ERROR"),
    "6.8 GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), "PROTOCOL_ERROR"),
    "6.8 GOAWAY that is too short": (frame(GOAWAY, 0, 0, bytes(7)), "FRAME_SIZE_ERROR"),
    "6.9 WINDOW_UPDATE of nothing": (frame(WINDOW_UPDATE, 0, 0, number(0)), "PROTOCOL_ERROR"),
    "6.9 WINDOW_UPDATE of another length": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), "FRAME_SIZE_ERROR"),
    "6.9.1 the window of the connection overflows": (
        frame(WINDOW_UPDATE, 0, 0, number(0x7FFF_FFFF)),
        "FLOW_CONTROL_ERROR",
    ),
    "6.9.2 the windows of streams overflow": (
        OPEN + frame(WINDOW_UPDATE, 0, 1, number(0x7FFF_0000)) + setting(Setting.INITIAL_WINDOW_SIZE, 0x7FFF_FFFF),
        "FLOW_CONTROL_ERROR",
    ),
    "6.10 CONTINUATION on stream 0": (frame(CONTINUATION, WHOLE, 0, BLOCK), "PROTOCOL_ERROR"),
    "6.10 CONTINUATION of another stream": (
        frame(HEADERS, END, 1, BLOCK) + frame(CONTINUATION, WHOLE, 3, b""),
        "PROTOCOL_ERROR",
    ),
    "6.10 CONTINUATION behind DATA": (
        OPEN + data(1, b"x") + frame(CONTINUATION, WHOLE, 1, b""),
        "PROTOCOL_ERROR",
    ),
    "HPACK 2.3.3 an index beyond the tables": (frame(HEADERS, WHOLE | END, 1, BLOCK + b"\xc6"), "COMPRESSION_ERROR"),
    "HPACK 4.2 a change of size behind a field": (
        frame(HEADERS, WHOLE | END, 1, BLOCK + b"\x20"),
        "COMPRESSION_ERROR",
    ),
    "HPACK 5.2 too much padding": (
        frame(HEADERS, WHOLE | END, 1, BLOCK + b"\x00\x01a\x82\x1f\xff"),
        "COMPRESSION_ERROR",
    ),
    "HPACK 6.1 index 0": (frame(HEADERS, WHOLE | END, 1, b"\x80" + BLOCK), "COMPRESSION_ERROR"),
    "HPACK 6.3 a table larger than it may be": (
        frame(HEADERS, WHOLE | END, 1, b"\x3f\xe2\x1f" + BLOCK),
        "COMPRESSION_ERROR",
    ),
}


@pytest.mark.parametrize("name", CONNECTION_ERRORS)
def test_what_ends_a_connection(name: str) -> None:
    octets, code = CONNECTION_ERRORS[name]
    talk = Talk()
    events = talk.receive(octets)
    last = events[-1]
    assert isinstance(last, ConnectionFailed)
    assert last.code.name == code
    assert last.reason
    assert talk.goaway() == last.code
    assert talk.receive(headers(7, GET)) == []
    assert talk.server.has_failed
    assert talk.server.open_streams == 0


def fields(*more: tuple[bytes, bytes], without: bytes = b"", of: Pairs = GET) -> Pairs:
    return [*(one for one in of if one[0] != without), *more]


LONG = fields((b"content-length", b"4"), of=POST)
STREAM_ERRORS = {
    "5.1 DATA behind the end": (HALF_CLOSED + data(1, b"x"), "STREAM_CLOSED"),
    "5.1 HEADERS behind the end": (HALF_CLOSED + headers(1, GET), "STREAM_CLOSED"),
    "6.9 WINDOW_UPDATE of nothing": (OPEN + frame(WINDOW_UPDATE, 0, 1, number(0)), "PROTOCOL_ERROR"),
    "6.9.1 the window of a stream overflows": (
        OPEN + frame(WINDOW_UPDATE, 0, 1, number(0x7FFF_FFFF)),
        "FLOW_CONTROL_ERROR",
    ),
    "8.1 trailers that do not end their stream": (OPEN + headers(1, [(b"a", b"b")], ended=False), "PROTOCOL_ERROR"),
    "8.1 a pseudo-field in trailers": (OPEN + headers(1, [(b":method", b"GET")]), "PROTOCOL_ERROR"),
    "8.1 a length in trailers": (OPEN + headers(1, [(b"content-length", b"1")]), "PROTOCOL_ERROR"),
    "8.1 an upper-case name in trailers": (OPEN + headers(1, [(b"A", b"b")]), "PROTOCOL_ERROR"),
    "8.1.1 less than the content-length": (headers(1, LONG, ended=False) + data(1, b"abc", ended=True), ""),
    "8.1.1 more than the content-length": (headers(1, LONG, ended=False) + data(1, b"abcde"), ""),
    "8.1.1 less in several frames": (
        headers(1, LONG, ended=False) + data(1, b"a") + data(1, b"bc", ended=True),
        "",
    ),
    "8.1.1 less, and trailers": (headers(1, LONG, ended=False) + headers(1, [(b"a", b"b")]), ""),
    "8.1.1 a content-length without a body": (headers(1, LONG), ""),
    "8.1.1 a content-length that is no number": (headers(1, fields((b"content-length", b"+4"))), ""),
    "8.1.1 an endless content-length": (headers(1, fields((b"content-length", b"0" * 19))), ""),
    "8.1.1 two lengths": (headers(1, fields((b"content-length", b"0"), (b"content-length", b"0"))), ""),
    "8.2.1 an upper-case name": (headers(1, fields((b"X-Test", b"ok"))), ""),
    "8.2.1 a space in a name": (headers(1, fields((b"x test", b"ok"))), ""),
    "8.2.1 a colon in a name": (headers(1, fields((b"x:test", b"ok"))), ""),
    "8.2.1 an empty name": (headers(1, fields((b"", b"ok"))), ""),
    "8.2.1 a CR in a name": (headers(1, fields((b"x\rtest", b"ok"))), ""),
    "8.2.1 a high octet in a name": (headers(1, fields((b"x\xe9", b"ok"))), ""),
    "8.2.1 a CR in a value": (headers(1, fields((b"x", b"a\rb"))), ""),
    "8.2.1 a LF in a value": (headers(1, fields((b"x", b"a\nb"))), ""),
    "8.2.1 a CRLF in a value": (headers(1, fields((b"x", b"a\r\nhost: evil"))), ""),
    "8.2.1 a NUL in a value": (headers(1, fields((b"x", b"a\0b"))), ""),
    "8.2.1 a space before a value": (headers(1, fields((b"x", b" a"))), ""),
    "8.2.1 a tab behind a value": (headers(1, fields((b"x", b"a\t"))), ""),
    "8.2.1 a LF in a crumb": (headers(1, fields((b"cookie", b"a=b"), (b"cookie", b"c\n"))), ""),
    "8.2.1 a CRLF in the path": (headers(1, fields((b":path", b"/\r\n\r\nGET / HTTP/1.1"), without=b":path")), ""),
    "8.2.1 a LF in the authority": (headers(1, fields((b":authority", b"a\nb"), without=b":authority")), ""),
    "8.2.2 connection": (headers(1, fields((b"connection", b"keep-alive"))), ""),
    "8.2.2 keep-alive": (headers(1, fields((b"keep-alive", b"1"))), ""),
    "8.2.2 proxy-connection": (headers(1, fields((b"proxy-connection", b"close"))), ""),
    "8.2.2 transfer-encoding": (headers(1, fields((b"transfer-encoding", b"chunked"))), ""),
    "8.2.2 transfer-encoding by its index": (frame(HEADERS, WHOLE | END, 1, BLOCK + b"\x0f\x2a\x07chunked"), ""),
    "8.2.2 upgrade": (headers(1, fields((b"upgrade", b"websocket"))), ""),
    "8.2.2 te": (headers(1, fields((b"te", b"trailers, deflate"))), ""),
    "8.3 a pseudo-field that is unknown": (headers(1, [*GET, (b":unknown", b"x")]), ""),
    "8.3 a pseudo-field of responses": (headers(1, [*GET, (b":status", b"200")]), ""),
    "8.3 a pseudo-field behind a field": (headers(1, [*GET[:3], (b"a", b"b"), GET[3]]), ""),
    "8.3 a pseudo-field behind a cookie": (headers(1, [*GET[:3], (b"cookie", b"b"), GET[3]]), ""),
    "8.3.1 no :method": (headers(1, fields(without=b":method")), ""),
    "8.3.1 no :scheme": (headers(1, fields(without=b":scheme")), ""),
    "8.3.1 no :path": (headers(1, fields(without=b":path")), ""),
    "8.3.1 two :method": (headers(1, [GET[0], *GET]), ""),
    "8.3.1 two :scheme": (headers(1, [GET[1], *GET]), ""),
    "8.3.1 two :path": (headers(1, [*GET, GET[2]]), ""),
    "8.3.1 two :authority, one of them last": (headers(1, [*GET, (b"a", b"b"), GET[3]]), ""),
    "8.3.1 nothing at all": (headers(1, []), ""),
    "8.3.1 an empty :path": (headers(1, [*GET[:2], (b":path", b""), GET[3]]), ""),
    "8.3.1 a path that is none": (headers(1, [*GET[:2], (b":path", b"a"), GET[3]]), ""),
    "8.3.1 a URL as the path": (headers(1, [*GET[:2], (b":path", b"http://evil/"), GET[3]]), ""),
    "8.3.1 an asterisk of GET": (headers(1, [*GET[:2], (b":path", b"*"), GET[3]]), ""),
    "8.3.1 the authority as the path": (headers(1, [*GET[:2], (b":path", b"x"), (b":authority", b"x")]), ""),
    "8.3.1 another scheme": (headers(1, [GET[0], (b":scheme", b"ftp"), *GET[2:]]), ""),
    "8.3.1 another host": (headers(1, fields((b"host", b"other"))), ""),
    "8.3.1 two hosts": (headers(1, fields((b"host", b"localhost"), (b"host", b"localhost"))), ""),
    "8.5 CONNECT with a path": (headers(1, [(b":method", b"CONNECT"), *GET[1:]]), ""),
    "8.5 CONNECT without an authority": (headers(1, [(b":method", b"CONNECT")]), ""),
    "8441.4 a :protocol that was not offered": (
        headers(1, [(b":method", b"CONNECT"), *GET[1:], (b":protocol", b"websocket")], ended=False),
        "",
    ),
}


@pytest.mark.parametrize("name", STREAM_ERRORS)
def test_what_ends_a_stream_and_no_other(name: str) -> None:
    octets, code = STREAM_ERRORS[name]
    talk = Talk()
    last = talk.receive(octets)[-1]
    assert isinstance(last, StreamReset)
    assert last.fault
    assert ErrorCode(last.code).name == (code or "PROTOCOL_ERROR")
    assert talk.resets() == {1: last.code}
    assert talk.server.open_streams == 0
    # What was under way is no fault, and other streams go on.
    if not name.startswith("5.1"):
        assert talk.receive(data(1, b"late")) == []
        assert talk.receive(headers(1, [(b"late", b"too")])) == []
    (request,) = talk.receive(headers(3, GET))
    assert isinstance(request, RequestReceived)
    assert not talk.server.has_failed


HEAD = b"GET / HTTP/1.1\r\nhost: localhost"
ALLOWED = {
    "4.1 unknown flags": (frame(PING, 0xFE, 0, bytes(8)), []),
    "4.1 the reserved bit": (frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\1"), []),
    "5.1 PRIORITY on an idle stream": (frame(PRIORITY, 0, 3, bytes(5)), []),
    "5.1 PRIORITY on a closed stream": (BY_CLIENT + frame(PRIORITY, 0, 1, bytes(5)), None),
    "5.1 WINDOW_UPDATE on a closed stream": (BY_CLIENT + frame(WINDOW_UPDATE, 0, 1, number(1)), None),
    "5.1 RST_STREAM on a closed stream": (BY_CLIENT + frame(RST_STREAM, 0, 1, number(8)), None),
    "5.5 an unknown frame": (frame(0xEE, 0xFF, 9, b"?"), []),
    "6.1 padding": (OPEN + frame(DATA, PADDED | END, 1, b"\x02abXX"), [DataReceived(1, b"ab", True)]),
    "6.1 nothing but padding": (OPEN + frame(DATA, PADDED, 1, b"\x02XX"), []),
    "6.2 padding and a priority": (
        frame(HEADERS, WHOLE | END | PADDED | WEIGHED, 1, b"\x02" + bytes(5) + BLOCK + b"XX"),
        [RequestReceived(1, HEAD, True, b"https", b"", 0)],
    ),
    "6.2 a stream that depends on itself": (
        frame(HEADERS, WHOLE | END | WEIGHED, 1, b"\0\0\0\1\0" + BLOCK),
        [RequestReceived(1, HEAD, True, b"https", b"", 0)],
    ),
    "6.4 an unknown code": (OPEN + frame(RST_STREAM, 0, 1, number(99)), [StreamReset(1, 99, "")]),
    "6.5.2 an unknown setting": (setting(0xF0, 7), []),
    "6.5.2 the largest window": (setting(Setting.INITIAL_WINDOW_SIZE, 0x7FFF_FFFF), []),
    "6.7 an answered PING": (frame(PING, frames.ACK, 0, bytes(8)), []),
    "6.10 blocks in pieces": (
        frame(HEADERS, END, 1, b"")
        + b"".join(frame(CONTINUATION, 0, 1, BLOCK[at : at + 10]) for at in range(0, 60, 10))
        + frame(CONTINUATION, WHOLE, 1, BLOCK[60:]),
        [RequestReceived(1, HEAD, True, b"https", b"", 0)],
    ),
    "8.1 trailers": (
        OPEN + data(1, b"x") + headers(1, [(b"a", b"b"), (b"c", b"")]),
        [DataReceived(1, b"x", False), TrailersReceived(1, (b"a: b", b"c: "))],
    ),
    "8.1 trailers of nothing": (OPEN + headers(1, []), [TrailersReceived(1, ())]),
    "8.1.1 as much as the content-length": (
        headers(1, LONG, ended=False) + data(1, b"abcd") + data(1, b"", ended=True),
        [DataReceived(1, b"abcd", False), DataReceived(1, b"", True)],
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed(name: str) -> None:
    octets, expected = ALLOWED[name]
    talk = Talk()
    events = talk.receive(octets)
    if expected is not None:
        if octets.startswith((OPEN, headers(1, LONG, ended=False))):
            events = events[1:]
        assert events == expected
    assert talk.goaway() is None
    assert not talk.server.has_failed
    assert [type(one) for one in talk.receive(headers(9, GET))] == [RequestReceived]


PREFACES = {
    "another protocol": b"GET / HTTP/1.1\r\n",
    "a fault in the last octet": frames.PREFACE[:-1] + b"x",
    "no SETTINGS": frames.PREFACE + frame(PING, 0, 0, bytes(8)),
    "an acknowledgement": frames.PREFACE + frame(SETTINGS, frames.ACK, 0),
    "a request": frames.PREFACE + headers(1, GET),
}


@pytest.mark.parametrize("name", PREFACES)
def test_a_connection_that_does_not_begin_as_one_ends(name: str) -> None:
    for step in (1, 7, 1000):
        server = ServerConnection(Limits())
        octets = PREFACES[name]
        events = [one for at in range(0, len(octets), step) for one in server.receive(octets[at : at + step])]
        assert [type(one) for one in events] == [ConnectionFailed]
        assert server.has_failed


def test_a_conversation_is_the_same_in_pieces_of_any_size() -> None:
    octets = CLIENT_PREFACE + headers(1, LONG, ended=False) + data(1, b"abcd", ended=True) + headers(3, GET)
    octets += frame(PING, 0, 0, b"12345678") + headers(5, GET, ended=False) + headers(5, [(b"a", b"b")])
    whole = ServerConnection(Limits())
    events, sent = whole.receive(octets), whole.take()
    assert len(events) == 5
    for size in (1, 2, 3, 5, 8, 9, 10, 23, 24, 25, 33, 100):
        server = ServerConnection(Limits())
        pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
        assert [one for piece in pieces for one in server.receive(piece)] == events
        assert server.take() == sent
