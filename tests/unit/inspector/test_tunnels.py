from __future__ import annotations

import os
import zlib
from itertools import count

import pytest
from devproxy.events import TunnelData
from devproxy.gateway.shared.capture import Budget
from devproxy.inspector.messages import MAX_SHOWN_BYTES, Message
from devproxy.inspector.rows import Row, Tunnel
from devproxy.inspector.tunnels import MAX_INFLATED_BYTES, Tunnels

IDS = count(1)


def row(target: str = "/ws") -> Row:
    number = next(IDS)
    return Row(number, 0.0, target=target, tunnel=Tunnel(number, "websocket"))


def frame(payload: bytes, opcode: int = 1, *, final: bool = True, compressed: bool = False, mask: bool = True) -> bytes:
    first = opcode | (0x80 if final else 0) | (0x40 if compressed else 0)
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    if not mask:
        return bytes([first]) + length + payload
    key = os.urandom(4)
    masked = bytes(octet ^ key[at % 4] for at, octet in enumerate(payload))
    return bytes([first]) + bytes([length[0] | 0x80]) + length[1:] + key + masked


def deflated(data: bytes, deflater: zlib._Compress | None = None) -> bytes:
    deflater = deflater or zlib.compressobj(wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def read(data: bytes, *, is_start: bool = True, budget: Budget | None = None) -> list[Message]:
    tunnels = Tunnels(budget or Budget(1 << 20))
    return tunnels.take(row(), 1.0, TunnelData(1, True, data, is_start))


def test_frames_become_messages() -> None:
    found = read(frame(b"hello") + frame(b"\0\1", 2) + frame(b"x", 9) + frame(b"\x03\xe8bye", 8))
    assert [(one.kind, one.data, one.size) for one in found] == [
        ("message", "hello", 5),
        ("message", b"\0\1", 2),
        ("ping", b"x", 1),
        ("close", "1000 bye", 5),
    ]


def test_fragments_are_joined_with_control_frames_between() -> None:
    found = read(frame(b"he", 1, final=False) + frame(b"", 9) + frame(b"llo", 0))
    assert [(one.kind, one.data) for one in found] == [("ping", b""), ("message", "hello")]


def test_it_does_not_matter_how_the_bytes_come() -> None:
    tunnels, one = Tunnels(Budget(1 << 20)), row()
    data = frame(b"x" * 300) + frame(b"hello")
    found: list[Message] = []
    for at in range(len(data)):
        found += tunnels.take(one, 1.0, TunnelData(1, True, data[at : at + 1], at == 0))
    assert [message.size for message in found] == [300, 5]
    assert [message.id for message in found] == [1, 2]


def test_compressed_messages_refer_to_those_before() -> None:
    deflater = zlib.compressobj(wbits=-15)
    pieces = [deflated(b"hello hello hello", deflater) for _ in range(3)]
    assert len(pieces[2]) < len(pieces[0])
    found = read(b"".join(frame(piece, compressed=True) for piece in pieces))
    assert [one.data for one in found] == ["hello hello hello"] * 3
    assert found[2].is_compressed
    assert found[2].size == len(pieces[2])


def test_who_looks_late_is_told_why_a_message_cannot_be_read() -> None:
    deflater = zlib.compressobj(wbits=-15)
    text = os.urandom(2000).hex().encode()
    deflated(text, deflater)
    (one,) = read(frame(deflated(text, deflater), compressed=True))
    assert (one.data, one.note) == (None, "compressed together with messages from before this was looked at")


def test_bytes_before_the_first_boundary_are_passed_over() -> None:
    tunnels, one = Tunnels(Budget(1 << 20)), row()
    assert tunnels.take(one, 1.0, TunnelData(1, True, b"rest of a frame", False)) == []
    (message,) = tunnels.take(one, 1.0, TunnelData(1, True, frame(b"hello"), True))
    assert message.data == "hello"


def test_a_bomb_is_cut_and_the_next_message_is_read() -> None:
    bomb = deflated(bytes(50 << 20))
    assert len(bomb) < MAX_SHOWN_BYTES
    first, second = read(frame(bomb, compressed=True) + frame(deflated(b"hello"), compressed=True))
    assert first.data is not None
    assert (len(first.data), first.is_cut) == (MAX_SHOWN_BYTES, True)
    assert first.note == f"more than {MAX_INFLATED_BYTES >> 20} MiB when inflated"
    assert second.data == "hello"


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 5000, b"\x81\xff" + b"\xff" * 8, frame(b"x", 3), frame(b"garbage", compressed=True), frame(b"x", 0)],
    ids=["no frames", "a length of 16 EiB", "a reserved opcode", "no deflate", "a continuation of nothing"],
)
def test_hostile_frames_give_no_more_than_a_note(data: bytes) -> None:
    assert all(len(one.data or b"") <= MAX_SHOWN_BYTES for one in read(data))


def test_a_long_message_is_cut_and_its_size_is_told() -> None:
    (one,) = read(frame(b"x" * 1_000_000))
    assert one.data is not None
    assert (len(one.data), one.size, one.is_cut) == (MAX_SHOWN_BYTES, 1_000_000, True)


def test_the_oldest_messages_go_and_what_they_took_is_given_back() -> None:
    budget = Budget(1 << 20)
    tunnels, one = Tunnels(budget), row()
    for _ in range(100):
        data = frame(b"x" * 10_000)
        budget.kept += len(data)  # as the recorder does
        tunnels.take(one, 1.0, TunnelData(1, True, data, True))
    found, has_more, dropped = tunnels.messages(one.id, after=0, limit=500)
    assert (len(found) + dropped, has_more) == (100, False)
    assert 15 < len(found) < 30
    assert found[-1].id == 100
    assert budget.max_bytes - budget.left == sum(message.kept_bytes for message in found)


def test_packets_are_read_where_the_target_says_engine_io() -> None:
    tunnels, one = Tunnels(Budget(1 << 20)), row("/socket.io/?EIO=4&transport=websocket")
    (message,) = tunnels.take(one, 1.0, TunnelData(1, True, frame(b'42["chat",1]'), True))
    ((packet, inner),) = message.packets
    assert (packet.type, inner and inner.event) == ("message", "chat")
