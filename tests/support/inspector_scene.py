"""A working day in the inspector: a page that loads, a backend that restarts, CORS, a WebSocket, polls.

What happens is in ``inspector_scene.json``: rows say what differs from :func:`tests.support.inspector_api.exchange`,
and times count from the present.
"""

from __future__ import annotations

import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any, Final

from tests.support.inspector_api import FakeInspector, exchange

STORY: Final = Path(__file__).with_suffix(".json")
POST: Final = 13
"""The exchange with most to show: changed heads, bodies, a verdict."""
BLOCKED: Final = 15
"""The one that a browser does not let its page read."""
FAILED: Final = 19
HELD: Final = 20
SOCKET: Final = 24
"""Socket.IO's WebSocket: it is open and has messages."""
LOGO: Final = 7
WORKER: Final = 18
"""The script of a service worker that is not there: a finding with a button."""


def scene(at: float | None = None) -> FakeInspector:
    """Return the API with everything in it. `at`: the present, in seconds since the epoch."""
    story = _moved(json.loads(STORY.read_text(encoding="utf-8")), time.time() if at is None else at)
    fake = FakeInspector()
    fake.about["since_at"] = (time.time() if at is None else at) - 3600
    fake.put(*(exchange(row.pop("id"), **row) for row in story["rows"]))
    fake.details = {int(number): detail for number, detail in story["details"].items()}
    fake.messages = {int(number): messages for number, messages in story["messages"].items()}
    fake.sessions = {session["sid"]: session for session in story["sessions"]}
    fake.bodies = {(number, side): text.encode() for number, side, text in story["bodies"]}
    fake.bodies[LOGO, "response"] = picture()
    fake.upstreams, fake.routes = story["upstreams"], story["routes"]
    fake.tested, fake.configuration = story["tested"], story["configuration"]
    return fake


def _moved(value: Any, by_s: float) -> Any:
    """Add `by_s` to every time: the numbers of keys that end in ``at``."""
    if isinstance(value, list):
        return [_moved(each, by_s) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: each + by_s if key.endswith("at") and isinstance(each, float | int) else _moved(each, by_s)
        for key, each in value.items()
    }


def picture() -> bytes:
    """Return a PNG of 64 by 64: a gradient."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"".join(bytes((4 * x, 80, 255 - 3 * y)) for x in range(64)) for y in range(64))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
