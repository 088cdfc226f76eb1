"""What must hold whatever frames and header blocks arrive over HTTP/2: the invariants, checked on one case at a time.

No exception leaves a protocol. What reaches a server reads, for h11 and llhttp, as the requests that devproxy's own
reader finds, each as often as it may be sent, and a half one is told by the end of its connection. What the
client gets is a sequence of frames that RFC 9113 allows a server: small enough, blocks that `hpack` reads, one answer
on a stream and nothing behind its end. A fault is told by RST_STREAM or by GOAWAY with a code, and the latter ends the
connection. Start at :func:`check_http2`; :func:`http2_case` makes cases.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import hpack
from devproxy.http1.reader import MessageKind
from devproxy.http2 import frames
from devproxy.http2.frames import ErrorCode, Setting
from tests.support.fuzzing import _ORACLES, CORPUS, Broken, _assert_no_fault, _assert_same, mutated, pieces
from tests.support.http1_oracles import End, read_with_devproxy
from tests.support.http2 import GET, POST, Pairs, block_of, data, frame, frames_in
from tests.support.in_memory import World
from tests.support.memory_transport import MemoryTransport

MOST_BYTES = 1 << 20
"""What any case may make devproxy write to its client."""
_ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\nabc",
)
_NAMES = (
    b"accept cookie te host connection content-length transfer-encoding upgrade x-a expect via origin :path :method "
    b":scheme :authority :protocol :status X-Upper a:b keep-alive x_forwarded_for"
).split()
_VALUES = (b"", b"1", b"trailers", b"chunked", b"a=b", b"localhost", b"/", b" x", b"x\t", b"a\r\nb: c", b"a\n", b"\0")
_VALUES_MORE = (
    b"http://localhost:1",
    b"100-continue",
    b"close",
    b"websocket",
    b"GET",
    b"CONNECT",
    b"5",
    b"\xff",
    b"a" * 300,
)


def http2_case(number: int) -> tuple[bytes, random.Random]:
    """Return what the client of case `number` sends, and the chance that decides how it arrives."""
    chance = random.Random(f"fuzz http2 {number}")
    sent = _conversation(chance)
    if number % 3 == 0:
        sent = _with_faults(sent, chance)
    octets = b"".join(sent)
    if number % 5 == 4:
        octets = frames.PREFACE + mutated(octets, b"".join(_conversation(chance)), chance)
        return octets, chance
    return frames.PREFACE + octets, chance


def _conversation(chance: random.Random) -> list[bytes]:
    """Return the frames of a client that breaks few rules."""
    encoder = hpack.Encoder()
    sent = [frames.write_settings(_settings(chance))]
    number = 1
    for _ in range(chance.randrange(1, 8)):
        sent += _request(number, encoder, chance)
        if chance.random() < 0.15:
            sent.append(_other(number, chance))
        number += 2 if chance.random() < 0.95 else 4
    return sent


def _settings(chance: random.Random) -> list[tuple[int, int]]:
    choices = [
        (Setting.INITIAL_WINDOW_SIZE, chance.choice((0, 1, 100, 65_535, 1 << 20))),
        (Setting.HEADER_TABLE_SIZE, chance.choice((0, 100, 4096, 65_536))),
        (Setting.ENABLE_PUSH, 0),
        (chance.randrange(1, 20), chance.choice((0, 1, 2, 20_000))),
    ]
    return chance.sample(choices, chance.randrange(3))


def _request(number: int, encoder: hpack.Encoder, chance: random.Random) -> list[bytes]:
    fields = list(
        chance.choice((GET, GET, POST, POST, [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]))
    )
    if chance.random() < 0.1:
        fields += _odd_fields(chance)
    if chance.random() < 0.02:
        chance.shuffle(fields)
    block = encoder.encode(fields) if chance.random() < 0.7 else block_of(fields)
    has_body = fields[0][1] != b"GET" if chance.random() < 0.95 else chance.random() < 0.5
    sent = _in_pieces(number, block, 0 if has_body else frames.END_STREAM, chance)
    if has_body:
        for _ in range(chance.randrange(3)):
            sent.append(data(number, chance.randbytes(chance.choice((0, 1, 50, 3000)))))
        if chance.random() < 0.3:
            trailers = [(b"x-sum", b"1")] if chance.random() < 0.8 else _odd_fields(chance)
            sent += _in_pieces(number, encoder.encode(trailers), frames.END_STREAM, chance)
        elif chance.random() < 0.9:
            sent.append(data(number, b"end", ended=True))
    return sent


def _odd_fields(chance: random.Random) -> Pairs:
    values = (*_VALUES, *_VALUES_MORE)
    return [(chance.choice(_NAMES), chance.choice(values)) for _ in range(chance.randrange(1, 4))]


def _in_pieces(number: int, block: bytes, flags: int, chance: random.Random) -> list[bytes]:
    if chance.random() < 0.8 or len(block) < 2:
        return [frame(frames.HEADERS, flags | frames.END_HEADERS, number, block)]
    cut = chance.randrange(1, len(block))
    first = frame(frames.HEADERS, flags, number, block[:cut])
    return [first, frame(frames.CONTINUATION, frames.END_HEADERS, number, block[cut:])]


def _other(number: int, chance: random.Random) -> bytes:
    number = chance.choice((0, number, number, max(number - 2, 0), number + 1))
    code = chance.choice(tuple(ErrorCode))
    return chance.choice(
        (
            frames.write_rst_stream(number, code),
            frames.write_window_update(number, chance.choice((1, 70_000, frames.MAX_WINDOW_BYTES))),
            frames.write_window_update(0, 70_000),
            frame(frames.PING, chance.randrange(2), 0, bytes(8)),
            frame(frames.PRIORITY, 0, number, bytes(5)),
            frames.write_settings(_settings(chance)),
            frames.write_goaway(0, code),
            frame(chance.randrange(10, 256), chance.randrange(256), number, bytes(3)),
        )
    )


def _with_faults(sent: Sequence[bytes], chance: random.Random) -> list[bytes]:
    """Return the frames with some left out, repeated, exchanged, or with another flag, stream, type or length."""
    faulty = list(sent)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(faulty))
        one = bytearray(faulty[at])
        match chance.randrange(7):
            case 0:
                del faulty[at]
            case 1:
                faulty.insert(at, faulty[at])
            case 2:
                other = chance.randrange(len(faulty))
                faulty[at], faulty[other] = faulty[other], faulty[at]
            case 3:
                one[4] = chance.randrange(256)
                faulty[at] = bytes(one)
            case 4:
                one[8] = chance.randrange(20)
                faulty[at] = bytes(one)
            case 5:
                one[3] = chance.randrange(12)
                faulty[at] = bytes(one)
            case _:
                one[-1] = chance.randrange(256)
                faulty[at] = bytes(one)
        if not faulty:
            break
    return faulty


def http2_corpus() -> list[bytes]:
    """Return what has been kept, in the order of the names."""
    return [file.read_bytes() for file in sorted((CORPUS / "http2").iterdir())]


def keep_http2(stream: bytes, name: str) -> Path:
    """Write `stream` to the corpus, so that it is tried again from now on."""
    file = CORPUS / "http2" / f"{name}.bin"
    file.write_bytes(stream)
    return file


def check_http2(world: World, stream: bytes, chance: random.Random) -> str:
    """Let a client send `stream`; return ``forwarded``, ``refused`` or ``waiting``. Raises :class:`Broken`."""
    client = world.client()
    try:
        for piece in pieces(stream, chance):
            client.receive(piece)
            _answer_all(world, chance)
        _answer_all(world, chance)
        client.receive_eof()
        world.settle()
        _assert_no_fault(world)
        assert client.has_ended, "the client has ended its side, and so must the gateway"
        has_refused = _assert_frames_are_right(client.written)
        count = _assert_forwarded_faithfully(world, stream)
        return "refused" if has_refused else "forwarded" if count else "waiting"
    except AssertionError as error:
        raise Broken(f"{error}\noctets: {stream!r}\nto the client: {client.written!r}\nto the server: "
                     f"{[one.written for one in world.upstreams]!r}") from error  # fmt: skip
    finally:
        world.shared.told.clear()
        world.reset()


def _answer_all(world: World, chance: random.Random) -> None:
    """Be the server: answer each request once all of it has come, or leave it."""
    world.settle()
    for server in tuple(world.upstreams):
        exchange = None if server.is_closing() else server.get_protocol()._exchange
        if exchange is not None and exchange.client._is_complete:
            if chance.random() < 0.95:
                server.receive(chance.choice(_ANSWERS))
            else:
                server.lose(ConnectionResetError(104, "reset"))
    world.settle()


def _assert_frames_are_right(written: bytes) -> bool:
    """Check what the client got; tell whether something was refused."""
    assert len(written) < MOST_BYTES
    if not written.startswith(b"\0\0"):  # it was no HTTP/2, and is told so in HTTP/1.1
        assert written.startswith(b"HTTP/1.1 ")
        return True
    decoder = hpack.Decoder(max_header_list_size=MOST_BYTES)
    answered: dict[int, bool] = {}
    over: set[int] = set()
    has_refused = has_ended = False
    for one in frames_in(written):
        assert len(one.payload) <= frames.MAX_PAYLOAD_BYTES
        assert not has_ended, "nothing follows a GOAWAY that tells a fault"
        if one.kind in (frames.HEADERS, frames.DATA):
            assert one.stream_id not in over, "nothing follows the end of a stream"
            assert one.stream_id % 2, "streams are the client's"
        if one.kind == frames.HEADERS:
            assert one.flags & frames.END_HEADERS, "no answer here is that long"
            _note_block(list(decoder.decode(one.payload, raw=True)), one.stream_id, one.flags, answered)
        elif one.kind == frames.DATA:
            assert answered.get(one.stream_id), "data follow a head"
        elif one.kind == frames.RST_STREAM:
            code = ErrorCode(frames.number(one.payload))
            assert one.stream_id not in over or code is ErrorCode.NO_ERROR
            has_refused = has_refused or code not in (ErrorCode.NO_ERROR, ErrorCode.INTERNAL_ERROR, ErrorCode.CANCEL)
            over.add(one.stream_id)
        elif one.kind == frames.GOAWAY and ErrorCode(frames.number(one.payload, 4)):
            has_ended = has_refused = True
        if one.kind in (frames.HEADERS, frames.DATA) and one.flags & frames.END_STREAM:
            over.add(one.stream_id)
    return has_refused


def _note_block(fields: Sequence[tuple[bytes, bytes]], stream_id: int, flags: int, answered: dict[int, bool]) -> None:
    names = [name for name, _ in fields]
    assert not {b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"} & set(names)
    assert all(name == name.lower() for name in names)
    if names[:1] == [b":status"]:
        status = int(fields[0][1])
        assert status != 101
        assert not answered.get(stream_id), "one answer on a stream"
        answered[stream_id] = status >= 200
    else:
        assert answered.get(stream_id), "trailers follow an answer"
        assert flags & frames.END_STREAM


def _assert_forwarded_faithfully(world: World, stream: bytes) -> int:
    count = 0
    for upstream in world.upstreams:
        seen = read_with_devproxy(upstream.written, MessageKind.REQUEST, b"GET", is_switching=False)
        assert seen.end is not End.REFUSED, f"the gateway sent what it would refuse: {seen.fault}"
        for name, read in _ORACLES.items():
            ours = read_with_devproxy(upstream.written, MessageKind.REQUEST, b"GET")
            _assert_same(name, upstream.written, ours, read(upstream.written, MessageKind.REQUEST, b"GET"))
        if any(not message.is_complete for message in seen.messages):
            _assert_has_ended(upstream)
        count += len(seen.messages)
    # One whose server was lost may be sent once more.
    assert count <= 2 * _heads_in(stream), "there are no more requests than HEADERS"
    return count


def _heads_in(stream: bytes) -> int:
    """Return how many HEADERS a client sent, as far as frames can be told apart."""
    count, position = 0, len(frames.PREFACE)
    while position + frames.HEAD_BYTES <= len(stream):
        count += stream[position + 3] == frames.HEADERS
        position += frames.HEAD_BYTES + int.from_bytes(stream[position : position + 3], "big")
    return count


def _assert_has_ended(upstream: MemoryTransport) -> None:
    assert upstream.has_ended, "a server that has half a request is told by the end of its connection"
