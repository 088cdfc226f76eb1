from __future__ import annotations

import json

import pytest
from devproxy.inspector.messages import DOWN, Message
from devproxy.inspector.rows import Row, Tunnel
from devproxy.inspector.sessions import Sessions
from devproxy.realtime.packets import read_message


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        ("25000", 25.0),
        ("0", 0.0),
        ("9" * 400, None),
        ("1e999", None),
        ("NaN", None),
        ("-1", None),
        ('"25000"', None),
        ("null", None),
        ("[]", None),
    ],
)
def test_of_times_those_are_kept_that_a_timer_could_have(interval: str, seconds: float | None) -> None:
    text = f'0{{"sid":"a","pingInterval":{interval},"pingTimeout":{interval}}}'
    packet = read_message(text, 4)
    assert packet is not None
    row = Row(1, 0.0, target="/socket.io/?EIO=4&transport=websocket", tunnel=Tunnel(1, "websocket"))
    sessions = Sessions()
    sessions.take_message(row, Message(1, 1, 0.0, DOWN, 1, len(text), False, text, False, [(packet, None)]))
    (session,) = sessions.latest(10)
    assert (session.ping_interval_s, session.ping_timeout_s) == (seconds, seconds)
    json.dumps(session.json(secrets=True), allow_nan=False)
