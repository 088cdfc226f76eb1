from __future__ import annotations

import pytest
from devproxy.realtime.packets import MAX_PACKETS, Packet, read_message, read_payload

HORSE = "🐎"


@pytest.mark.parametrize(
    ("data", "eio", "packet"),
    [
        ('0{"sid":"a"}', 4, Packet("open", '{"sid":"a"}')),
        ("2probe", 4, Packet("ping", "probe")),
        ("3probe", 3, Packet("pong", "probe")),
        ("5", 4, Packet("upgrade", "")),
        ("6", 4, Packet("noop", "")),
        ('42["a"]', 4, Packet("message", '2["a"]')),
        ("bAQID", 4, Packet("message", b"\1\2\3")),
        ("b4AQID", 3, Packet("message", b"\1\2\3")),
        (b"\1\2", 4, Packet("message", b"\1\2")),
        (b"\4\1\2", 3, Packet("message", b"\1\2")),
    ],
    ids=repr,
)
def test_a_message_is_one_packet(data: str | bytes, eio: int, packet: Packet) -> None:
    assert read_message(data, eio) == packet


@pytest.mark.parametrize("data", ["", "x", "7", "9", "²", "b", "b*", "hello", b"", b"\7"], ids=repr)
def test_what_is_none_gives_none(data: str | bytes) -> None:
    assert read_message(data, 3) is None or data == "b"


@pytest.mark.parametrize(
    ("body", "eio", "packets"),
    [
        (b'40\x1e42["a"]\x1ebAQ==', 4, [("message", "0"), ("message", '2["a"]'), ("message", b"\1")]),
        (b'97:0{"sid":"x"}', 3, [("open", '{"sid":"x"}')]),
        ('2:405:42"é"'.encode(), 3, [("message", "0"), ("message", '2"é"')]),
        (f"4:4{HORSE}a2:40".encode(), 3, [("message", f"{HORSE}a"), ("message", "0")]),
        (b"\x00\x02\xff40\x01\x03\xff\x04\x01\x02", 3, [("message", "0"), ("message", b"\1\2")]),
        (b'___eio[0]("2:40");', 3, [("message", "0")]),
        (b"d=2%3A40", 3, [("message", "0")]),
        (b"ok", 4, []),
        (b"", 4, []),
    ],
    ids=repr,
)
def test_a_body_of_the_polling_transport_has_several(
    body: bytes, eio: int, packets: list[tuple[str, str | bytes]]
) -> None:
    assert [tuple(packet) for packet in read_payload(body, eio)] == packets


@pytest.mark.parametrize("eio", [3, 4])
@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"\x00" * 1000,
        b"\x01" + b"\x09" * 100,
        b"\x00\xff",
        b"99999999999999999999:4",
        b"1" * 100_000,
        b"5:4",
        b":4",
        b"-1:4",
        b"___eio[0](" + b'"' * 100,
        b"d=%",
        b"\x1e" * 100_000,
        b"4\x1e" * 100_000,
        "\x1e".join(["bA"] * 1000).encode(),
    ],
    ids=lambda body: repr(body[:14]),
)
def test_hostile_bodies_are_read_as_far_as_they_make_sense(body: bytes, eio: int) -> None:
    assert len(read_payload(body, eio)) <= MAX_PACKETS


@pytest.mark.parametrize("eio", [3, 4])
@pytest.mark.parametrize("text", ["b²AAAA", "²", "b٣AAAA", "٣"])
def test_what_only_looks_like_a_digit_is_none(text: str, eio: int) -> None:
    assert read_message(text, eio) is None
    assert read_payload(text.encode() if eio == 4 else f"{len(text)}:{text}".encode(), eio) == []
