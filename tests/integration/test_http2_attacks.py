"""What a client of HTTP/2 may do for nothing, and what it may not: each attack has a bound, and leaves nothing behind.

A whole gateway in memory; what is bounded within the protocol alone is in ``tests/unit/http2/test_connection.py``.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from devproxy.events import Trouble
from devproxy.http2 import frames, streams
from devproxy.http2.connection import MAX_CONTINUATIONS
from devproxy.http2.frames import ErrorCode, Setting
from devproxy.http2.streams import MAX_IDLE_FRAMES
from tests.support.http2 import GET, POST, block_of, data, frame, frames_in, headers
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

CANCEL = b"\0\0\0\x08"
FEWER_RESETS = 300
CALM = ErrorCode.ENHANCE_YOUR_CALM
BIG_ENTRY = b"\x40\x01x" + b"\x7f\x81\x1e" + b"a" * 3968
"""A field of some 4,000 bytes, which fills the table."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def connected(world: World, *settings: tuple[int, int]) -> MemoryTransport:
    """Return a client that speaks HTTP/2."""
    world.shared.told.clear()
    client = world.client()
    client.receive(frames.PREFACE + frames.write_settings(settings))
    world.settle()
    return client


def goaway(client: MemoryTransport) -> ErrorCode | None:
    """Return the code of the GOAWAY that `client` got last."""
    codes = [frames.number(one.payload, 4) for one in frames_in(client.written) if one.kind == frames.GOAWAY]
    return ErrorCode(codes[-1]) if codes else None


def update(stream_id: int, by: int) -> bytes:
    return frames.write_window_update(stream_id, by)


# Of each kind of attack, what is sent again and again: the frames for one stream.
RESETS: dict[str, Callable[[int], bytes]] = {
    "the client's own (CVE-2023-44487)": lambda one: headers(one, GET) + frame(frames.RST_STREAM, 0, one, CANCEL),
    "ours, for a window that is opened by nothing (CVE-2025-8671)": lambda one: headers(one, GET) + update(one, 0),
    "ours, for a window that overflows": lambda one: headers(one, GET) + update(one, frames.MAX_WINDOW_BYTES),
    "ours, for DATA behind the end": lambda one: headers(one, GET) + data(one, b"x"),
    "ours, for HEADERS behind the end": lambda one: headers(one, GET) + headers(one, GET),
    "ours, for another length": lambda one: (
        headers(one, [*POST, (b"content-length", b"1")], ended=False) + data(one, b"xx")
    ),
    "ours, for a malformed request": lambda one: headers(one, [*GET, (b"upgrade", b"h2c")]),
}


@pytest.mark.parametrize("kind", RESETS)
def test_streams_that_are_reset_at_once_are_bounded_whoever_resets_them(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_EARLY_RESETS", FEWER_RESETS)  # a unit test sends as many as it is
    client = connected(world)
    sent = 0
    try:
        for number in count(1, 2):
            client.receive(RESETS[kind](number))
            sent += 1
            if sent % 100 == 0:
                world.settle()
                assert len(world.upstreams) <= 2 * sent, "at most one connection for each"
                assert all(one.is_closing() for one in world.upstreams), "and each is given up with its stream"
                world.upstreams.clear()
                if client.has_ended:
                    break
        assert goaway(client) is CALM
        assert FEWER_RESETS < sent <= FEWER_RESETS + 200
        assert not world.faults
    finally:
        world.reset()


ENDLESS = {
    "empty CONTINUATION": (frame(frames.HEADERS, 1, 1, b""), frame(frames.CONTINUATION, 0, 1), MAX_CONTINUATIONS + 5),
    "full CONTINUATION": (
        frame(frames.HEADERS, 1, 1, bytes(16_384)),
        frame(frames.CONTINUATION, 0, 1, bytes(16_384)),
        MAX_CONTINUATIONS + 5,
    ),
    "SETTINGS": (b"", frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff"), MAX_IDLE_FRAMES),
    "many SETTINGS in one frame": (b"", frame(frames.SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff" * 270), MAX_IDLE_FRAMES),
    "PING": (b"", frame(frames.PING, 0, 0, bytes(8)), MAX_IDLE_FRAMES),
    "empty DATA": (headers(1, POST, ended=False), data(1, b""), MAX_IDLE_FRAMES),
    "DATA of padding": (
        headers(1, POST, ended=False),
        frame(frames.DATA, frames.PADDED, 1, b"\xff" + bytes(255)),
        MAX_IDLE_FRAMES,
    ),
    "PRIORITY": (b"", frame(frames.PRIORITY, 0, 7, bytes(5)), MAX_IDLE_FRAMES),
    "WINDOW_UPDATE": (b"", update(0, 1), MAX_IDLE_FRAMES),
    "GOAWAY": (headers(1, GET), frame(frames.GOAWAY, 0, 0, bytes(8)), MAX_IDLE_FRAMES),
    "unknown frames": (b"", frame(0xAA, 0, 0, bytes(100)), MAX_IDLE_FRAMES),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_brings_nothing_ends_soon(world: World, kind: str) -> None:
    first, again, most = ENDLESS[kind]
    client = connected(world)
    try:
        client.receive(first)
        sent = 0
        while not client.has_ended:
            for _ in range(10):
                client.receive(again)
            sent += 10
            world.settle()
            assert sent <= most + 20
        assert goaway(client) is CALM
        (told,) = [event for event in world.events if isinstance(event, Trouble)]
        assert "broke a rule of HTTP/2, and its connection ends: " in told.what
        assert told.what.endswith("(RFC 9113, 10.5), ENHANCE_YOUR_CALM")
        assert not world.faults
    finally:
        world.reset()


def test_a_client_that_does_not_read_what_it_asks_for_is_not_read(world: World) -> None:
    client = connected(world)
    try:
        client.get_protocol().pause_writing()
        assert client.is_paused, "so acknowledgements and answers to PING do not pile up"
        client.get_protocol().resume_writing()
        assert not client.is_paused
    finally:
        world.reset()


def test_short_references_to_long_fields_are_answered_and_not_expanded(world: World) -> None:
    """An HPACK bomb: 16 KB that stand for 64 MB."""
    client = connected(world)
    try:
        block = block_of(GET) + BIG_ENTRY + b"\xbe" * 12_000
        tracemalloc.start()
        started = time.thread_time()
        client.receive(frame(frames.HEADERS, 5, 1, block))
        world.settle()
        taken_s, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [event.status for event in world.finished()] == [431]
        assert peak < 2_000_000
        assert taken_s < 1
        assert goaway(client) is None
    finally:
        world.reset()


TABLE_ABUSE = {
    "entries that drive each other out": BIG_ENTRY * 3,
    "sizes that change in each block": b"\x20\x3f\xe1\x1f" + b"\x40\x01a\x01b" * 100,
    "no table at all": b"\x20" + b"\x40\x01a\x01b" * 100,
    "entries of nothing": b"\x40\x01a\0" * 120,
}


@pytest.mark.parametrize("kind", TABLE_ABUSE)
def test_a_table_stays_as_large_as_it_may_be(world: World, kind: str) -> None:
    client = connected(world)
    octets = TABLE_ABUSE[kind]
    split = 4 if octets.startswith(b"\x20\x3f") else 1 if octets.startswith(b"\x20") else 0
    block = octets[:split] + block_of(GET) + octets[split:]
    try:
        started = time.thread_time()
        for number in range(1, 401, 2):
            client.receive(frame(frames.HEADERS, 5, number, block) + frame(frames.RST_STREAM, 0, number, CANCEL))
        world.settle()
        assert time.thread_time() - started < 5
        decoder = client.get_protocol().http2._decoder
        assert decoder._size <= 4096
        assert len(decoder._sizes) <= 4096 // 32
        assert goaway(client) is None
    finally:
        world.reset()


def test_zero_windows_keep_no_more_than_one_read_of_each_upstream(world: World) -> None:
    client = connected(world, (Setting.INITIAL_WINDOW_SIZE, 0))
    http2 = client.get_protocol().http2
    try:
        for number in range(1, 200, 2):
            client.receive(headers(number, GET))
        world.settle()
        for server in world.upstreams:
            server.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + bytes(1000))
        world.settle()
        assert len(world.upstreams) == 100
        assert all(server.is_paused for server in world.upstreams)
        assert sum(http2.held_bytes(number) for number in range(1, 200, 2)) == 100 * 1000
    finally:
        world.reset()


def test_tiny_windows_are_served_for_a_while(world: World) -> None:
    client = connected(world, (Setting.INITIAL_WINDOW_SIZE, 0))
    try:
        client.receive(headers(1, GET))
        world.settle()
        (server,) = world.upstreams
        server.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + bytes(9999))
        world.settle()
        client.receive(update(1, 1) * (MAX_IDLE_FRAMES + 10))
        world.settle()
        assert goaway(client) is CALM
    finally:
        world.reset()


ABUSED_NUMBERS = {
    "an even one": (headers(2, GET), "PROTOCOL_ERROR"),
    "a smaller one": (headers(5, POST, ended=False) + headers(3, GET), "PROTOCOL_ERROR"),
    "one that was reset": (headers(1, GET) + frame(frames.RST_STREAM, 0, 1, CANCEL) + headers(1, GET), "STREAM_CLOSED"),
    "none": (headers(0, GET), "PROTOCOL_ERROR"),
    "one of the server's": (headers(1, POST, ended=False) + data(2, b"x"), "PROTOCOL_ERROR"),
    "one beyond the last": (headers(frames.MAX_STREAM_ID, POST, ended=False) + headers(1, GET), "PROTOCOL_ERROR"),
}


@pytest.mark.parametrize("kind", ABUSED_NUMBERS)
def test_numbers_of_streams_are_used_once_and_in_order(world: World, kind: str) -> None:
    octets, code = ABUSED_NUMBERS[kind]
    client = connected(world)
    try:
        client.receive(octets)
        world.settle()
        assert goaway(client) is ErrorCode[code]
        assert client.has_ended
    finally:
        world.reset()


def test_the_highest_number_is_served(world: World) -> None:
    client = connected(world)
    try:
        client.receive(headers(frames.MAX_STREAM_ID, GET))
        world.settle()
        assert len(world.upstreams) == 1
    finally:
        world.reset()


SPLITTING = {
    "CRLF in a value": [*GET, (b"x", b"a\r\nx-evil: 1")],
    "LF in a value": [*GET, (b"x", b"a\nx-evil: 1")],
    "CR in a value": [*GET, (b"x", b"a\rx-evil: 1")],
    "NUL in a value": [*GET, (b"x", b"a\0")],
    "a colon in a name": [*GET, (b"x: a\r\nx-evil", b"1")],
    "CRLF in a name": [*GET, (b"x\r\nx-evil", b"1")],
    "a space in a name": [*GET, (b"x-evil ", b"1")],
    "a path that is a request": [*GET[:2], (b":path", b"/ HTTP/1.1\r\nx-evil: 1\r\n\r\nGET /x"), GET[3]],
    "a space in a path": [*GET[:2], (b":path", b"/ HTTP/1.1"), GET[3]],
    "a method that is a line": [(b":method", b"GET / HTTP/1.1\r\nx-evil: 1\r\nx:"), *GET[1:]],
    "a space in a method": [(b":method", b"GET /x-evil"), *GET[1:]],
    "an authority that is two lines": [*GET[:3], (b":authority", b"localhost\r\nx-evil: 1")],
    "a crumb of a cookie that is a line": [*GET, (b"cookie", b"a=b"), (b"cookie", b"c\r\nx-evil: 1")],
    "a coding": [*GET, (b"transfer-encoding", b"chunked")],
    "a length that is two": [*GET, (b"content-length", b"0, 5")],
    "a length behind a sign": [*GET, (b"content-length", b"+0")],
    "a connection option": [*GET, (b"connection", b"close, x-forwarded-for")],
    "an upgrade": [*GET, (b"upgrade", b"websocket")],
}


@pytest.mark.parametrize("kind", SPLITTING)
def test_nothing_splits_the_head_that_a_server_gets(world: World, kind: str) -> None:
    client = connected(world)
    try:
        client.receive(headers(1, SPLITTING[kind]))
        world.settle()
        assert world.upstreams == []
        refused = [one for one in frames_in(client.written) if one.stream_id == 1]
        assert len(refused) in (1, 2), "the stream is reset, or answered with 400"
        client.receive(headers(3, GET))
        world.settle()
        (server,) = world.upstreams
        assert b"evil" not in server.written
        assert server.written.count(b"\r\n\r\n") == 1
    finally:
        world.reset()


@pytest.mark.parametrize(
    "trailer", [(b"x", b"a\r\nx-evil: 1"), (b"x\r\n\r\nget /evil", b"1"), (b"x", b"a\r\n\r\nevil")]
)
def test_nothing_splits_a_body_by_its_trailers(world: World, trailer: tuple[bytes, bytes]) -> None:
    client = connected(world)
    try:
        client.receive(headers(1, POST, ended=False) + data(1, b"body"))
        world.settle()
        client.receive(headers(1, [trailer]))
        world.settle()
        (server,) = world.upstreams
        assert b"evil" not in server.written
        assert server.is_closing(), "the server is not left with half a request"
    finally:
        world.reset()


def test_a_chunk_cannot_be_made_of_data(world: World) -> None:
    client = connected(world)
    try:
        client.receive(headers(1, POST, ended=False) + data(1, b"0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n", ended=True))
        world.settle()
        (server,) = world.upstreams
        body = server.written.partition(b"\r\n\r\n")[2]
        assert body == b"1b\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"
    finally:
        world.reset()


def test_a_client_that_leaves_says_nothing_in_the_terminal(world: World) -> None:
    client = connected(world)
    client.receive(headers(1, GET))
    world.settle()
    client.receive(frame(frames.GOAWAY, 0, 0, bytes(8)))
    client.receive_eof()
    world.settle()
    assert [event for event in world.events if isinstance(event, Trouble)] == []
    world.reset()


def test_a_request_that_breaks_a_rule_is_told_once_in_a_minute_with_the_rule(world: World) -> None:
    client = connected(world)
    try:
        for number in (1, 3, 5):
            client.receive(headers(number, [*GET, (b"host", b"other.test")]))
        world.settle()
        told = [event.what for event in world.events if isinstance(event, Trouble)]
        (what,) = told
        assert what.startswith("a client at 127.0.0.1 has made a request that was refused: the host is not the :auth")
        assert what.endswith(" (RFC 9113, 8.3.1), PROTOCOL_ERROR")
    finally:
        world.reset()
