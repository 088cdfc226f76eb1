"""The log for programs: one JSON object per line, with stable keys."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from devproxy.console.jsonlines import JsonLines, timestamp
from devproxy.events import (
    DescriptorShortage,
    Event,
    ExchangeFinished,
    Outcome,
    Ready,
    Stopped,
    Stopping,
    Trouble,
    TunnelClosed,
    TunnelOpened,
    UpstreamState,
)

AT = 1_795_240_867.1239


def exchange(target: bytes = b"/") -> ExchangeFinished:
    return ExchangeFinished(
        b"GET", target, 200, "/", "front", "http://x", Outcome.COMPLETE, 0.0123456789, 0.01, 0, 5, "127.0.0.1"
    )


EVENTS: dict[str, Event] = {
    "ready": Ready(("http://localhost:8080/",), 0.096),
    "exchange_finished": exchange(),
    "tunnel_opened": TunnelOpened(1, b"/ws", "websocket", "/", "front", "http://x", "127.0.0.1", 0.003),
    "tunnel_closed": TunnelClosed(
        1, b"/ws", "websocket", "/", "front", "http://x", "127.0.0.1", 3.0, 41, 377, "client", 1000
    ),
    "upstream_state": UpstreamState("front", "http://x", False, "", "Connection refused"),
    "stopping": Stopping(1, 2, 3.0),
    "stopped": Stopped(0),
    "descriptor_shortage": DescriptorShortage(1024, True),
    "trouble": Trouble("what", "help"),
}


def parsed(event: Event) -> dict[str, Any]:
    (line,) = JsonLines().lines(AT, event)
    assert "\n" not in line
    record = json.loads(line)
    assert isinstance(record, dict)
    return record


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_is_an_object_with_its_time_its_name_and_its_fields(name: str) -> None:
    event = EVENTS[name]
    record = parsed(event)
    assert list(record) == ["ts", "event", *(field.name for field in fields(event))]
    assert record["event"] == name
    assert record["ts"] == "2026-11-21T06:01:07.123Z"


def test_the_ready_line_comes_at_once_with_its_urls() -> None:
    lines = JsonLines()
    (line,) = lines.lines(AT, EVENTS["ready"])
    assert json.loads(line)["urls"] == ["http://localhost:8080/"]
    assert lines.deadline is None


def test_an_outcome_is_its_word() -> None:
    assert parsed(exchange())["outcome"] == "complete"


def test_a_duration_has_microseconds() -> None:
    assert parsed(exchange())["duration_s"] == 0.012346


def test_every_octet_of_a_target_comes_through_as_latin_1_in_a_line_of_ascii() -> None:
    target = b"/" + bytes(range(256))
    (line,) = JsonLines().lines(AT, exchange(target))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["target"].encode("latin-1") == target


def test_a_secret_in_the_query_is_masked() -> None:
    assert parsed(exchange(b"/a?x=1&token=hunter2"))["target"] == "/a?x=1&token=…"


def test_dropped_events_are_an_object_too() -> None:
    (line,) = JsonLines().dropped(AT, 312)
    assert json.loads(line) == {"ts": "2026-11-21T06:01:07.123Z", "event": "dropped", "count": 312}


def test_a_time_keeps_its_leading_zeros() -> None:
    assert timestamp(0.004) == "1970-01-01T00:00:00.004Z"
