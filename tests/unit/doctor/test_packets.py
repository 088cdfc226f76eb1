"""Packets of a handshake, as servers of all versions write them, and what is none."""

from __future__ import annotations

import pytest
from devproxy.doctor.observed import Joining
from devproxy.doctor.packets import connect_packet, read_join, read_open, split_payload, written
from hypothesis import given
from hypothesis import strategies as st

NODE_4 = b'0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
NODE_2 = b'96:0{"sid":"abcdefghijklmnopqrst","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":5000}2:40'


def test_a_session_of_version_4_is_read() -> None:
    opened = read_open(NODE_4)
    assert opened is not None
    assert (opened.sid, opened.eio, opened.upgrades, opened.idle_s) == ("abc", 4, ("websocket",), 45.0)


def test_a_session_of_version_2_is_read_with_the_namespace_that_it_joins() -> None:
    opened = read_open(NODE_2)
    assert opened is not None
    assert (opened.eio, opened.ping_timeout_ms) == (3, 5000)
    assert read_join(split_payload(NODE_2)[0], "/") == Joining("joined")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0",
        b"0{}",
        b'0{"sid":1}',
        b'0{"sid":""}',
        b'0{"sid":"a b"}',
        b'0["sid"]',
        b"<!doctype html>",
        b'{"sid":"abc"}',
        b"0" + b"[" * 100_000,
        b"99999999:0{}",
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_what_opens_no_session_is_none(body: bytes) -> None:
    assert read_open(body) is None


@pytest.mark.parametrize(
    ("packets", "namespace", "joining"),
    [
        (['40{"sid":"x"}'], "/", Joining("joined")),
        (['40/admin,{"sid":"x"}'], "/admin", Joining("joined")),
        (["40/admin"], "/admin", Joining("joined")),
        (['44/nope,{"message":"Invalid namespace"}'], "/nope", Joining("refused", "Invalid namespace")),
        (['44{"message":"authentication error","data":{}}'], "/", Joining("refused", "authentication error")),
        (['44/nope"Invalid namespace"'], "/nope", Joining("refused", "Invalid namespace")),
        (['44"no"'], "/", Joining("refused", "no")),
        (["41"], "/", Joining("refused", "disconnected")),
        (["2", '42["news",1]', "40"], "/", Joining("joined")),
        (["40"], "/admin", None),
        (["2", "6"], "/", None),
    ],
)
def test_the_answer_of_a_namespace_is_found(packets: list[str], namespace: str, joining: Joining | None) -> None:
    assert read_join(packets, namespace) == joining


def test_packets_are_written_as_the_protocol_asks() -> None:
    assert written(connect_packet("/admin"), 4) == b"40/admin,"
    assert written(connect_packet("/admin"), 3) == b"9:40/admin,"
    assert written("40", 4) == b"40"


@given(st.binary(max_size=200) | st.sampled_from((NODE_2, NODE_4)).map(lambda body: body[1:]))
def test_any_bytes_are_read_without_trouble(body: bytes) -> None:
    packets, eio = split_payload(body)
    assert eio in (0, 3, 4)
    assert read_open(body) is None or packets
    read_join(packets, "/")
