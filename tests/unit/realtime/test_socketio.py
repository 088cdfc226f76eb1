from __future__ import annotations

from typing import Any

import pytest
from devproxy.realtime.socketio import MAX_ATTACHMENTS, Attachments, SocketPacket, read_packet


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", SocketPacket("connect", "/")),
        ('0{"token":"x"}', SocketPacket("connect", "/", data={"token": "x"})),
        ("0/chat,", SocketPacket("connect", "/chat")),
        ("0/chat", SocketPacket("connect", "/chat")),
        ("0/chat?token=x,", SocketPacket("connect", "/chat")),
        ("1/chat,", SocketPacket("disconnect", "/chat")),
        ('2["a",1]', SocketPacket("event", "/", "a", None, [1])),
        ('2/chat,12["a"]', SocketPacket("event", "/chat", "a", 12, [])),
        ("312[1]", SocketPacket("ack", "/", "", 12, [1])),
        ('4{"message":"no"}', SocketPacket("connect_error", "/", data={"message": "no"})),
        (
            '51-/x,3["a",{"_placeholder":true,"num":0}]',
            SocketPacket("binary_event", "/x", "a", 3, [{"_placeholder": True, "num": 0}], 1),
        ),
        (
            '61-7[{"_placeholder":true,"num":0}]',
            SocketPacket("binary_ack", "/", "", 7, [{"_placeholder": True, "num": 0}], 1),
        ),
        ('2["a","' + "x" * 10, SocketPacket("event", "/", "a", None, None, 0, False)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_packet_is_read(text: str, packet: SocketPacket) -> None:
    assert read_packet(text) == packet


@pytest.mark.parametrize("text", ["", "x", "7", "2{}", "2[]", "2", "5[1]", "5-[1]", "²"], ids=repr)
def test_what_is_none_gives_none(text: str) -> None:
    assert read_packet(text) is None


@pytest.mark.parametrize(
    "text",
    ["2" + "[" * 100_000, "2" + "9" * 100_000, "5" + "9" * 20 + "-[]", "2/" + "x" * 100_000, '2["' + "\\" * 99_999],
    ids=lambda text: text[:9],
)
def test_hostile_packets_cost_no_more_than_their_length(text: str) -> None:
    read_packet(text)


def test_binary_messages_belong_to_the_packet_before() -> None:
    attachments = Attachments()
    assert attachments.take() is None
    attachments.expect(SocketPacket("binary_event", "/x", "a", attachments=2))
    found: list[Any] = [attachments.take() for _ in range(3)]
    assert [one and (one.type, one.namespace, one.attachments) for one in found] == [
        ("attachment", "/x", 1),
        ("attachment", "/x", 2),
        None,
    ]
    attachments.expect(SocketPacket("binary_event", "/", "a", attachments=10**15))
    assert sum(attachments.take() is not None for _ in range(MAX_ATTACHMENTS + 5)) == MAX_ATTACHMENTS
