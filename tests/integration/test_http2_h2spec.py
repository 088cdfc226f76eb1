"""The cases of h2spec (github.com/summerwind/h2spec, commit af83a65f), by its numbers: what is sent, what must come.

The program itself is in no registry. Cases whose section RFC 9113 has changed say what holds now. What is sent goes to
a whole gateway in memory, behind the preface and SETTINGS; its server answers each request that is complete with
``ok``. Where several steps are sent, the answer to one comes before the next. ``tests/unit/http2/test_rules.py`` has
the rules beyond these.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from devproxy.http2 import frames
from devproxy.http2.connection import MAX_STREAMS
from devproxy.http2.frames import ErrorCode, Setting
from tests.support.exchanges import OK
from tests.support.http2 import CLIENT_PREFACE, GET, POST, Frame, Pairs, block_of, data, frame, frames_in, headers
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK, END, WHOLE, PADDED, WEIGHED = (
    frames.ACK,
    frames.END_STREAM,
    frames.END_HEADERS,
    frames.PADDED,
    frames.HAS_PRIORITY,
)
BLOCK = block_of(GET)
OPEN = headers(1, POST, ended=False)
ASKED = headers(1, GET)
IS_THERE = frame(PING, 0, 0, b"h2spec\0\0")
CANCEL = b"\0\0\0\x08"
STATIC = b"\x82\x86\x84\x41\x09localhost"
"""GET of / by http at localhost, by the static table."""


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, name.to_bytes(2, "big") + number(value))


def fields(*more: tuple[bytes, bytes], without: bytes = b"", of: Pairs = GET) -> Pairs:
    return [*(one for one in of if one[0] != without), *more]


def whole(block: bytes, flags: int = END) -> bytes:
    return frame(HEADERS, flags | WHOLE, 1, block)


# What comes: "1: 200" is an answer on stream 1, "1: CODE" its reset, "PING" the answer to the one that was sent last,
# "SETTINGS" their acknowledgement, "GOAWAY CODE" the end of the connection.
CASES: dict[str, tuple[bytes | tuple[bytes, ...], str]] = {
    "generic/2/1 PRIORITY on an idle stream": (frame(PRIORITY, 0, 1, number(0) + b"\0") + IS_THERE, "PING"),
    "generic/2/2 WINDOW_UPDATE on a half-closed stream": (ASKED + frame(WINDOW_UPDATE, 0, 1, number(100)), "1: 200"),
    "generic/2/3 PRIORITY on a half-closed stream": (ASKED + frame(PRIORITY, 0, 1, bytes(5)), "1: 200"),
    "generic/2/4 RST_STREAM on a half-closed stream": (ASKED + frame(RST_STREAM, 0, 1, CANCEL) + IS_THERE, "PING"),
    "generic/2/5 PRIORITY on a closed stream": ((ASKED, frame(PRIORITY, 0, 1, bytes(5)) + IS_THERE), "1: 200, PING"),
    "generic/3.1/1 DATA": (OPEN + data(1, b"test", ended=True), "1: 200"),
    "generic/3.1/2 DATA several times": (OPEN + data(1, b"te") + data(1, b"st", ended=True), "1: 200"),
    "generic/3.1/3 DATA with padding": (OPEN + frame(DATA, END | PADDED, 1, b"\x05test" + bytes(5)), "1: 200"),
    "generic/3.2/1 HEADERS": (ASKED, "1: 200"),
    "generic/3.2/2 HEADERS with padding": (whole(b"\x03" + BLOCK + bytes(3), END | PADDED), "1: 200"),
    "generic/3.2/3 HEADERS with a priority": (whole(bytes(5) + BLOCK, END | WEIGHED), "1: 200"),
    "generic/3.3/1 PRIORITY 1": (frame(PRIORITY, 0, 1, number(0) + b"\x01") + ASKED, "1: 200"),
    "generic/3.3/2 PRIORITY 256": (frame(PRIORITY, 0, 1, number(0) + b"\xff") + ASKED, "1: 200"),
    "generic/3.3/3 PRIORITY with a dependency": (frame(PRIORITY, 0, 1, number(3) + b"\xff") + ASKED, "1: 200"),
    "generic/3.3/4 PRIORITY that is exclusive": (frame(PRIORITY, 0, 1, number(1 << 31) + b"\xff") + ASKED, "1: 200"),
    "generic/3.3/5 PRIORITY of a later stream": (frame(PRIORITY, 0, 5, number(0) + b"\xff") + ASKED, "1: 200"),
    "generic/3.4/1 RST_STREAM": (OPEN + frame(RST_STREAM, 0, 1, CANCEL) + IS_THERE, "PING"),
    "generic/3.5/1 SETTINGS": (setting(Setting.MAX_CONCURRENT_STREAMS, 100), "SETTINGS"),
    "generic/3.7/1 PING": (IS_THERE, "PING"),
    "generic/3.8/1 GOAWAY": (frame(GOAWAY, 0, 0, bytes(8) + b"h2spec") + IS_THERE, "PING"),
    "generic/3.9/1 WINDOW_UPDATE": (frame(WINDOW_UPDATE, 0, 0, number(1)) + IS_THERE, "PING"),
    "generic/3.9/2 WINDOW_UPDATE of a stream": (ASKED + frame(WINDOW_UPDATE, 0, 1, number(1)), "1: 200"),
    "generic/3.10/1 CONTINUATION": (
        frame(HEADERS, END, 1, BLOCK[:9]) + frame(CONTINUATION, WHOLE, 1, BLOCK[9:]),
        "1: 200",
    ),
    "generic/3.10/2 CONTINUATION several times": (
        frame(HEADERS, END, 1, BLOCK[:9])
        + frame(CONTINUATION, 0, 1, BLOCK[9:20])
        + frame(CONTINUATION, WHOLE, 1, BLOCK[20:]),
        "1: 200",
    ),
    "generic/4/1 GET": (ASKED, "1: 200"),
    "generic/4/2 HEAD": (headers(1, [(b":method", b"HEAD"), *GET[1:]]), "1: 200"),
    "generic/4/3 POST": (OPEN + data(1, b"test", ended=True), "1: 200"),
    "generic/4/4 POST with trailers": (OPEN + data(1, b"test") + headers(1, [(b"x-sum", b"1")]), "1: 200"),
    "generic/5/1 an indexed field": (whole(STATIC + b"\x90"), "1: 200"),
    "generic/5/2 with incremental indexing, an indexed name": (whole(STATIC + b"\x7a\x01a"), "1: 200"),
    "generic/5/3 the same by Huffman's code": (whole(STATIC + b"\x7a\x81\x1f"), "1: 200"),
    "generic/5/4 with incremental indexing, a new name": (whole(STATIC + b"\x40\x03x-a\x01a"), "1: 200"),
    "generic/5/5 the same by Huffman's code": (whole(STATIC + b"\x40\x83\xf2\xb0\xff\x81\x1f"), "1: 200"),
    "generic/5/6 without indexing, an indexed name": (whole(STATIC + b"\x0f\x2b\x01a"), "1: 200"),
    "generic/5/7 the same by Huffman's code": (whole(STATIC + b"\x0f\x2b\x81\x1f"), "1: 200"),
    "generic/5/8 without indexing, a new name": (whole(STATIC + b"\x00\x03x-a\x01a"), "1: 200"),
    "generic/5/9 the same by Huffman's code": (whole(STATIC + b"\x00\x83\xf2\xb0\xff\x81\x1f"), "1: 200"),
    "generic/5/10 never indexed, an indexed name": (whole(STATIC + b"\x1f\x2b\x01a"), "1: 200"),
    "generic/5/11 the same by Huffman's code": (whole(STATIC + b"\x1f\x2b\x81\x1f"), "1: 200"),
    "generic/5/12 never indexed, a new name": (whole(STATIC + b"\x10\x03x-a\x01a"), "1: 200"),
    "generic/5/13 the same by Huffman's code": (whole(STATIC + b"\x10\x83\xf2\xb0\xff\x81\x1f"), "1: 200"),
    "generic/5/14 the size of the table": (whole(b"\x3f\x61" + STATIC), "1: 200"),
    "generic/5/15 the size of the table twice": (whole(b"\x3f\x61\x3f\xe1\x1f" + STATIC), "1: 200"),
    "http2/4.1/1 an unknown type": (frame(0x16, 0, 0, bytes(8)) + IS_THERE, "PING"),
    "http2/4.1/2 an undefined flag": (frame(PING, 0x16, 0, b"h2spec\0\0"), "PING"),
    "http2/4.1/3 the reserved bit": (b"\0\0\x08\x06\0\x80\0\0\0h2spec\0\0", "PING"),
    "http2/4.2/1 DATA of 2^14": (OPEN + data(1, bytes(16_384), ended=True), "1: 200"),
    "http2/4.2/2 DATA of more": (OPEN + data(1, bytes(16_385)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/4.2/3 HEADERS of more": (whole(bytes(16_385)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/4.3/1 a block that is none": (whole(b"\x40\x01a"), "GOAWAY COMPRESSION_ERROR"),
    "http2/4.3/2 PRIORITY within a block": (
        frame(HEADERS, END, 1, BLOCK) + frame(PRIORITY, 0, 1, bytes(5)),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/4.3/3 HEADERS of another stream within a block": (
        frame(HEADERS, END, 1, BLOCK) + headers(3, GET),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/5.1/1 DATA on an idle stream": (data(1, b"test"), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1/2 RST_STREAM on an idle stream": (frame(RST_STREAM, 0, 1, CANCEL), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1/3 WINDOW_UPDATE on an idle stream": (frame(WINDOW_UPDATE, 0, 1, number(100)), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1/4 CONTINUATION on an idle stream": (frame(CONTINUATION, WHOLE, 1, BLOCK), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1/5 DATA on a half-closed stream": (ASKED + data(1, b"test"), "1: STREAM_CLOSED"),
    "http2/5.1/6 HEADERS on a half-closed stream": (ASKED + ASKED, "1: STREAM_CLOSED"),
    "http2/5.1/7 CONTINUATION on a half-closed stream": (
        ASKED + frame(CONTINUATION, WHOLE, 1, BLOCK),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/5.1/8 DATA on a stream that was reset": (
        OPEN + frame(RST_STREAM, 0, 1, CANCEL) + data(1, b"test"),
        "GOAWAY STREAM_CLOSED",
    ),
    "http2/5.1/9 HEADERS on a stream that was reset": (
        OPEN + frame(RST_STREAM, 0, 1, CANCEL) + ASKED,
        "GOAWAY STREAM_CLOSED",
    ),
    "http2/5.1/10 CONTINUATION on a stream that was reset": (
        OPEN + frame(RST_STREAM, 0, 1, CANCEL) + frame(CONTINUATION, WHOLE, 1, BLOCK),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/5.1/11 DATA on a closed stream": ((ASKED, data(1, b"test")), "1: 200, GOAWAY STREAM_CLOSED"),
    "http2/5.1/12 HEADERS on a closed stream": ((ASKED, ASKED), "1: 200, GOAWAY STREAM_CLOSED"),
    "http2/5.1/13 CONTINUATION on a closed stream": (
        (ASKED, frame(CONTINUATION, WHOLE, 1, BLOCK)),
        "1: 200, GOAWAY PROTOCOL_ERROR",
    ),
    "http2/5.1.1/1 an even number": (headers(2, GET), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1.1/2 a smaller number": (headers(5, POST, ended=False) + headers(3, GET), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.1.2/1 too many streams": (
        b"".join(headers(2 * one + 1, POST, ended=False) for one in range(MAX_STREAMS + 1)),
        f"{2 * MAX_STREAMS + 1}: REFUSED_STREAM",
    ),
    "http2/5.3.1/1 HEADERS that depend on themselves (no rule of RFC 9113)": (
        whole(b"\0\0\0\x01\0" + BLOCK, END | WEIGHED),
        "1: 200",
    ),
    "http2/5.3.1/2 PRIORITY that depends on itself (no rule of RFC 9113)": (
        frame(PRIORITY, 0, 1, b"\0\0\0\x01\0") + IS_THERE,
        "PING",
    ),
    "http2/5.4.1/1 a PING that cannot be": (frame(PING, 0, 1, bytes(8)), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.4.1/2 the last stream in GOAWAY": (OPEN + frame(PING, 0, 1, bytes(8)), "GOAWAY PROTOCOL_ERROR"),
    "http2/5.5/1 an unknown frame": (frame(0x16, 0, 0, bytes(8)) + IS_THERE, "PING"),
    "http2/5.5/2 an unknown frame within a block": (
        frame(HEADERS, END, 1, BLOCK) + frame(0x16, 0, 0, bytes(8)),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.1/1 DATA on stream 0": (data(0, b"test"), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.1/2 DATA behind the end": (ASKED + data(1, b"test"), "1: STREAM_CLOSED"),
    "http2/6.1/3 padding as long as DATA": (OPEN + frame(DATA, PADDED, 1, b"\x06Test"), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.2/1 HEADERS, and PRIORITY within": (
        frame(HEADERS, 0, 1, BLOCK) + frame(PRIORITY, 0, 1, bytes(5)),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.2/2 HEADERS, and HEADERS within": (frame(HEADERS, 0, 1, BLOCK) + headers(3, GET), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.2/3 HEADERS on stream 0": (headers(0, GET), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.2/4 padding as long as HEADERS": (
        whole(bytes((len(BLOCK) + 1,)) + BLOCK, END | PADDED),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.3/1 PRIORITY on stream 0": (frame(PRIORITY, 0, 0, bytes(5)), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.3/2 PRIORITY of another length": (ASKED + frame(PRIORITY, 0, 1, bytes(4)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.4/1 RST_STREAM on stream 0": (frame(RST_STREAM, 0, 0, CANCEL), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.4/2 RST_STREAM on an idle stream": (frame(RST_STREAM, 0, 1, CANCEL), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.4/3 RST_STREAM of another length": (ASKED + frame(RST_STREAM, 0, 1, bytes(3)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.5/1 an acknowledgement with a payload": (frame(SETTINGS, ACK, 0, b"\0"), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.5/2 SETTINGS on a stream": (frame(SETTINGS, 0, 1, bytes(6)), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.5/3 SETTINGS of another length": (frame(SETTINGS, 0, 0, bytes(3)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.5.2/1 ENABLE_PUSH": (setting(Setting.ENABLE_PUSH, 2), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.5.2/2 INITIAL_WINDOW_SIZE": (setting(Setting.INITIAL_WINDOW_SIZE, 1 << 31), "GOAWAY FLOW_CONTROL_ERROR"),
    "http2/6.5.2/3 MAX_FRAME_SIZE too small": (setting(Setting.MAX_FRAME_SIZE, 16_383), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.5.2/4 MAX_FRAME_SIZE too large": (setting(Setting.MAX_FRAME_SIZE, 1 << 24), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.5.2/5 an unknown setting": (setting(0xFF, 1) + IS_THERE, "SETTINGS, PING"),
    "http2/6.5.3/1 two values of INITIAL_WINDOW_SIZE": (
        frame(SETTINGS, 0, 0, b"\0\x04" + number(100) + b"\0\x04" + number(1)) + ASKED,
        "SETTINGS, 1: 200, 1: 1 byte",
    ),
    "http2/6.5.3/2 SETTINGS are acknowledged": (setting(Setting.ENABLE_PUSH, 0), "SETTINGS"),
    "http2/6.7/1 PING": (IS_THERE, "PING"),
    "http2/6.7/2 an answered PING": (frame(PING, ACK, 0, b"invalid\0") + IS_THERE, "PING"),
    "http2/6.7/3 PING on a stream": (frame(PING, 0, 1, bytes(8)), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.7/4 PING of another length": (frame(PING, 0, 0, bytes(6)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.8/1 GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.9/1 WINDOW_UPDATE of 0": (frame(WINDOW_UPDATE, 0, 0, number(0)), "GOAWAY PROTOCOL_ERROR"),
    "http2/6.9/2 WINDOW_UPDATE of 0 on a stream": (OPEN + frame(WINDOW_UPDATE, 0, 1, number(0)), "1: PROTOCOL_ERROR"),
    "http2/6.9/3 WINDOW_UPDATE of another length": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), "GOAWAY FRAME_SIZE_ERROR"),
    "http2/6.9.1/1 a window of 1": (
        setting(Setting.INITIAL_WINDOW_SIZE, 1) + ASKED,
        "SETTINGS, 1: 200, 1: 1 byte",
    ),
    "http2/6.9.1/2 the window of the connection overflows": (
        2 * frame(WINDOW_UPDATE, 0, 0, number(0x7FFF_FFFF)),
        "GOAWAY FLOW_CONTROL_ERROR",
    ),
    "http2/6.9.1/3 the window of a stream overflows": (
        OPEN + 2 * frame(WINDOW_UPDATE, 0, 1, number(0x7FFF_FFFF)),
        "1: FLOW_CONTROL_ERROR",
    ),
    "http2/6.9.2/1 a window that is changed": (
        (setting(Setting.INITIAL_WINDOW_SIZE, 0) + ASKED, setting(Setting.INITIAL_WINDOW_SIZE, 1)),
        "SETTINGS, 1: 200, 1: 1 byte, SETTINGS",
    ),
    "http2/6.9.2/2 a window that becomes negative": (
        (
            setting(Setting.INITIAL_WINDOW_SIZE, 1) + ASKED,
            setting(Setting.INITIAL_WINDOW_SIZE, 0),
            frame(WINDOW_UPDATE, 0, 1, number(1)) + IS_THERE,
            frame(WINDOW_UPDATE, 0, 1, number(1)),
        ),
        "SETTINGS, 1: 200, 1: 1 byte, SETTINGS, PING, 1: 1 byte",
    ),
    "http2/6.9.2/3 INITIAL_WINDOW_SIZE that is too large": (
        setting(Setting.INITIAL_WINDOW_SIZE, 0xFFFF_FFFF),
        "GOAWAY FLOW_CONTROL_ERROR",
    ),
    "http2/6.10/1 CONTINUATION several times": (
        frame(HEADERS, END, 1, BLOCK[:9]) + frame(CONTINUATION, 0, 1, BLOCK[9:]) + frame(CONTINUATION, WHOLE, 1, b""),
        "1: 200",
    ),
    "http2/6.10/2 CONTINUATION, and another frame": (
        frame(HEADERS, END, 1, BLOCK) + frame(CONTINUATION, 0, 1, b"") + data(1, b"test"),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.10/3 CONTINUATION on stream 0": (
        frame(HEADERS, END, 1, BLOCK) + frame(CONTINUATION, WHOLE, 0, b""),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.10/4 CONTINUATION behind whole HEADERS": (
        OPEN + frame(CONTINUATION, WHOLE, 1, b"\x82"),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.10/5 CONTINUATION behind the last one": (
        frame(HEADERS, 0, 1, block_of(POST)) + 2 * frame(CONTINUATION, WHOLE, 1, b""),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/6.10/6 CONTINUATION behind DATA": (
        OPEN + data(1, b"test") + frame(CONTINUATION, WHOLE, 1, b"\x82"),
        "GOAWAY PROTOCOL_ERROR",
    ),
    "http2/7/1 an unknown code in GOAWAY": (frame(GOAWAY, 0, 0, bytes(4) + number(0xFF)) + IS_THERE, "PING"),
    "http2/7/2 an unknown code in RST_STREAM": (OPEN + frame(RST_STREAM, 0, 1, number(0xFF)) + IS_THERE, "PING"),
    "http2/8.1/1 HEADERS a second time": (OPEN + OPEN, "1: PROTOCOL_ERROR"),
    "http2/8.1.2/1 a name in upper case": (headers(1, fields((b"X-TEST", b"ok"))), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.1/1 an unknown pseudo-field": (headers(1, fields((b":test", b"ok"))), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.1/2 a pseudo-field of responses": (headers(1, fields((b":status", b"200"))), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.1/3 a pseudo-field as a trailer": (OPEN + headers(1, [(b":method", b"200")]), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.1/4 a pseudo-field behind a field": (
        headers(1, [*GET[:3], (b"x-test", b"ok"), GET[3]]),
        "1: PROTOCOL_ERROR",
    ),
    "http2/8.1.2.2/1 a field of the connection": (
        headers(1, fields((b"connection", b"keep-alive"))),
        "1: PROTOCOL_ERROR",
    ),
    "http2/8.1.2.2/2 TE": (headers(1, fields((b"te", b"trailers, deflate;q=0.5"))), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/1 an empty :path": (headers(1, fields((b":path", b""), without=b":path")), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/2 no :method": (headers(1, fields(without=b":method")), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/3 no :scheme": (headers(1, fields(without=b":scheme")), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/4 no :path": (headers(1, fields(without=b":path")), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/5 :method twice": (headers(1, [GET[0], *GET]), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/6 :scheme twice": (headers(1, [GET[1], *GET]), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.3/7 :path twice": (headers(1, [GET[2], *GET]), "1: PROTOCOL_ERROR"),
    "http2/8.1.2.6/1 another content-length": (
        headers(1, fields((b"content-length", b"1"), of=POST), ended=False) + data(1, b"test", ended=True),
        "1: PROTOCOL_ERROR",
    ),
    "http2/8.1.2.6/2 another content-length of several DATA": (
        headers(1, fields((b"content-length", b"1"), of=POST), ended=False)
        + data(1, b"")
        + data(1, b"test", ended=True),
        "1: PROTOCOL_ERROR",
    ),
    "http2/8.2/1 PUSH_PROMISE": (frame(PUSH_PROMISE, WHOLE, 1, number(3) + BLOCK), "GOAWAY PROTOCOL_ERROR"),
    "hpack/2.3.3/1 an index that is not there": (whole(BLOCK + b"\xc6"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/2.3.3/2 a name that is not there": (whole(BLOCK + b"\x7f\x07\x01a"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/4.2/1 the size of the table behind a field": (whole(BLOCK + b"\x21"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/5.2/1 padding of more than 7 bits": (whole(BLOCK + b"\x00\x82\x1f\xff\x01b"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/5.2/2 padding of zeros": (whole(BLOCK + b"\x00\x81\x18\x01b"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/5.2/3 the end of a string": (whole(BLOCK + b"\x00\x84\xff\xff\xff\xff\x01b"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/6.1/1 index 0": (whole(BLOCK + b"\x80"), "GOAWAY COMPRESSION_ERROR"),
    "hpack/6.3/1 a table that is too large": (whole(b"\x3f\xe2\x1f" + BLOCK), "GOAWAY COMPRESSION_ERROR"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.mark.parametrize("name", CASES)
def test_what_h2spec_sends_and_what_comes(world: World, name: str) -> None:
    sent, expected = CASES[name]
    client = world.client()
    try:
        client.receive(CLIENT_PREFACE)
        world.settle()
        first = next(frames_in(client.written))
        assert (first.kind, first.flags) == (SETTINGS, 0), "the server's own preface (http2/3.5/1, generic/1/1)"
        before = len(client.written)
        for step in (sent,) if isinstance(sent, bytes) else sent:
            client.receive(step)
            _answer(world)
        came = list(_told(frames_in(client.written[before:])))
        assert ", ".join(came) == expected
        if came[-1].startswith("GOAWAY"):
            assert client.has_ended
        assert not world.faults
    finally:
        world.reset()


@pytest.mark.parametrize("octets", [b"INVALID CONNECTION PREFACE\r\n\r\n", frames.PREFACE + b"GET / HTTP/1.1\r\n\r\n"])
def test_what_does_not_begin_as_http2_ends_the_connection(world: World, octets: bytes) -> None:
    """http2/3.5/2"""
    client = world.client()
    try:
        client.receive(octets)
        world.settle()
        assert client.has_ended
    finally:
        world.reset()


def _answer(world: World) -> None:
    """Be the server: answer each request that is complete."""
    world.settle()
    for server in world.upstreams:
        if _is_complete(server):
            is_head = server.written.startswith(b"HEAD ")
            server.receive(OK[: OK.index(b"ok")] if is_head else OK)
    world.settle()


def _is_complete(server: MemoryTransport) -> bool:
    is_waiting = not server.is_closing() and server.get_protocol()._exchange is not None
    head, _, body = server.written.partition(b"\r\n\r\n")
    return is_waiting and (b"transfer-encoding: chunked" not in head.lower() or b"0\r\n" in body)


def _told(came: Iterator[Frame]) -> Iterator[str]:
    """Say what came; what ends an answer that has its length is not told."""
    for one in came:
        if one.kind == HEADERS:
            status = {b"\x88": "200"}.get(one.payload[:1], "another status")
            yield f"{one.stream_id}: {status}"
        elif one.kind == DATA and len(one.payload) == 1:
            yield f"{one.stream_id}: 1 byte"
        elif one.kind == RST_STREAM:
            yield f"{one.stream_id}: {ErrorCode(frames.number(one.payload)).name}"
        elif one.kind == PING:
            assert (one.flags, one.payload) == (ACK, b"h2spec\0\0")
            yield "PING"
        elif one.kind == SETTINGS and one.flags & ACK:
            yield "SETTINGS"
        elif one.kind == GOAWAY:
            code = ErrorCode(frames.number(one.payload, 4))
            if code:
                yield f"GOAWAY {code.name}"
