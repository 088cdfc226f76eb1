"""Conversations that last, turn by turn."""

from __future__ import annotations

import pytest
from devproxy.realtime.packets import Packet, read_payload
from devproxy.recordings.archive import read_recording
from devproxy.recordings.model import Answer, Message
from devproxy.recordings.turns import (
    Session,
    Turns,
    abandoned,
    asks_for_pong,
    heard_in,
    message_of,
    named,
    opened,
    opened_name,
    packet_in,
    payload_of,
    script_of,
    sessions_of,
)
from tests.support.recordings import entry, har

BASE = "/socket.io/?EIO=4&transport=polling&t="


def session(*entries: dict[str, object]) -> Session:
    (found,) = sessions_of(read_recording(har(entries)).entries).values()
    return found


def test_the_server_speaks_when_the_client_has_said_as_much() -> None:
    turns = Turns([(0, "hello"), (1, "one"), (1, "more"), (3, "three")])
    assert [turns.say(), turns.say()] == ["hello", None]
    turns.hear()
    assert [turns.say(), turns.say(), turns.say()] == ["one", "more", None]
    turns.hear(2)
    assert [turns.say(), turns.say()] == ["three", None]


def words(found: Session) -> list[tuple[int, str | bytes]]:
    return [(heard, packet.data) for heard, packet in found.script]


def test_a_session_says_each_packet_after_what_was_posted_before_it() -> None:
    found = session(
        entry(f"GET {BASE}a", '0{"sid":"S1","pingInterval":5000}', at_s=1),
        entry(f"POST {BASE}b&sid=S1", "ok", sent="40", at_s=2),
        entry(f"GET {BASE}c&sid=S1", '40{"sid":"x"}\x1ebAAE=', at_s=2, took_ms=5),
        entry(f"GET {BASE}d&sid=S1", "42[1]", at_s=3, took_ms=2000),
        entry(f"POST {BASE}e&sid=S1", "ok", sent="42[0]\x1e3\x1e42[1]", at_s=4),
        entry(f"GET {BASE}f&sid=S1", "2", at_s=5.5),
        entry(f"GET {BASE}g&sid=S1", "6", at_s=6),
        entry(f"GET {BASE}h&sid=S1", "{}", status=400, at_s=7),
    )
    assert (found.eio, found.ping_s) == (4, 5.0)
    assert words(found) == [(1, '0{"sid":"x"}'), (1, b"\x00\x01"), (3, "2[1]")]


def test_sessions_that_a_recording_calls_by_one_name_are_kept_apart() -> None:
    entries = [
        entry(f"GET {BASE}a", '0{"sid":"…"}', at_s=1),
        entry(f"GET {BASE}b&sid=…", "4first", at_s=2),
        entry(f"GET {BASE}c", '0{"sid":"…"}', at_s=3),
        entry(f"GET {BASE}d&sid=…", "4second", at_s=4),
    ]
    found = sessions_of(read_recording(har(entries)).entries)
    assert [words(one) for one in found.values()] == [[(0, "first")], [(0, "second")]]


def test_a_session_that_moves_to_a_websocket_goes_on_there_without_its_heartbeats() -> None:
    messages = [("send", "2probe"), ("receive", "3probe"), ("send", "5"), ("receive", "40"), ("receive", "2")]
    messages += [("send", "3"), ("send", "42[1]"), ("receive", "42[2]"), ("receive", "6")]
    found = session(
        entry(f"GET {BASE}a", '0{"sid":"S"}', at_s=1),
        entry(f"POST {BASE}b&sid=S", "ok", sent="40", at_s=1.5),
        entry("GET /socket.io/?EIO=4&transport=websocket&sid=S", None, status=101, messages=messages, at_s=2),
    )
    assert words(found) == [(1, "0"), (2, "2[2]")]


def test_another_websocket_says_all_it_said() -> None:
    messages = (Message(False, True, b"2"), Message(True, True, b"3"), Message(False, True, b"x"))
    assert [(count, said.data) for count, said in script_of(messages)] == [(0, b"2"), (1, b"x")]


def test_what_a_client_posts_is_counted_without_heartbeats() -> None:
    assert heard_in(b"3", 4) == 0
    assert heard_in(b"42[1]\x1e3", 4) == 1
    assert heard_in(b"1:22:40", 3) == 1
    assert heard_in(None, 4) == heard_in(b"\xff", 4) == 1
    assert asks_for_pong(b"1:2", 3)
    assert not asks_for_pong(b"2", 4)


def test_a_session_gets_a_name_of_its_own() -> None:
    answer, sid = opened(Answer(200, b"OK", (), b'0{"sid": "old", "pingInterval": 1}'), b"new")
    assert (answer.body, sid) == (b'0{"sid": "new", "pingInterval": 1}', b"new")
    answer, sid = opened(Answer(200, b"OK", (), b'97:0{"sid":"o","upgrades":[]}2:40'), b"longer")
    assert answer.body == b'31:0{"sid":"longer","upgrades":[]}2:40'
    jsonp = Answer(200, b"OK", (), b'___eio[0]("97:0{\\"sid\\":\\"old\\"}");')
    assert opened(jsonp, b"new") == (jsonp, b"old")


def test_what_a_masked_recording_does_not_tell_is_made_up() -> None:
    masked = ["0{…}", "0/chat,{…}", '2["40{…}"]', "0{…} ", "2{…}"]
    said = [named(Packet("message", data), "S").data for data in masked]
    assert said == ['0{"sid":"S"}', '0/chat,{"sid":"S"}', '2["40{…}"]', "0{…} ", "2{…}"]
    assert opened_name(Packet("open", '{"sid": "…"}')).data == '{"sid": "recorded"}'


@pytest.mark.parametrize("eio", [3, 4])
def test_packets_are_written_as_they_are_read(eio: int) -> None:
    packets = [Packet("message", "2grüße 🐎"), Packet("noop", ""), Packet("message", b"\x00\xff"), Packet("ping", "")]
    assert read_payload(payload_of(packets, eio), eio) == packets
    assert [packet_in(message_of(packet, eio), eio) for packet in packets] == packets


def test_a_short_poll_does_not_overtake_the_one_before_it() -> None:
    """As a browser has it: when it began is cut to the millisecond, how long it took is not."""
    found = session(
        entry(f"GET {BASE}a", '0{"sid":"S"}', at_s=1),
        entry(f"GET {BASE}b&sid=S", "4first", at_s=1.002, took_ms=10.9),
        entry(f"GET {BASE}c&sid=S", "4second", at_s=1.012, took_ms=0.5),
    )
    assert words(found) == [(0, "first"), (0, "second")]


def test_without_times_the_order_is_that_of_the_file() -> None:
    entries = [
        entry(f"GET {BASE}a", '0{"sid":"S"}'),
        entry(f"GET {BASE}b&sid=S", "4first", took_ms=10.9),
        entry(f"POST {BASE}c&sid=S", "ok", sent="42[0]"),
        entry(f"GET {BASE}d&sid=S", "4second", took_ms=0.5),
    ]
    for one in entries:
        del one["startedDateTime"]
    assert words(session(*entries)) == [(0, "first"), (1, "second")]


def test_a_handshake_that_nothing_follows_is_given_only_where_there_is_no_other() -> None:
    entries = read_recording(
        har(
            [
                entry(f"GET {BASE}a", '0{"sid":"S"}', at_s=1),
                entry(f"GET {BASE}b&sid=S", "4hello", at_s=2),
                entry(f"GET {BASE}c", '0{"sid":"T"}', at_s=3),
                entry("GET /other/?EIO=4&transport=polling", '0{"sid":"U"}', at_s=4),
            ]
        )
    ).entries
    assert abandoned(entries, sessions_of(entries)) == {3}
