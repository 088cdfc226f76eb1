"""Events -> one JSON object per line, for programs.

Keys: ``ts`` (RFC 3339, UTC, milliseconds), ``event`` (the class name of the event in snake_case), then the fields of
the dataclass in :mod:`devproxy.events`, in their order. Bytes are decoded as Latin-1, so that each has its character.
The line is ASCII; everything else, and every control character, is escaped by JSON (RFC 8259 section 7). Credentials
in targets and in sentences are masked as on the terminal. Events are written as they come: nothing is held back.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from functools import lru_cache
from time import gmtime, strftime
from typing import Any, Final

from devproxy.console.secrets import masked
from devproxy.console.writer import Lines
from devproxy.events import ConfigChange, Event, ProgramOutput

_encode: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class JsonLines(Lines):
    """Turns events into lines of JSON; keeps no state but caches."""

    batch = 32
    pause_s = 0.001

    def __init__(self) -> None:
        self._shapes: dict[type[Any], tuple[str, tuple[str, ...]]] = {}

    def lines(self, at: float, event: Event) -> list[str]:
        """Return the line for `event`, which happened `at` (seconds since the epoch); none for output of programs."""
        if isinstance(event, ProgramOutput):
            return []  # theirs, and no data of devproxy's: it goes to standard error
        name, keys = self._shapes.get(type(event)) or self._learn(type(event))
        record: dict[str, object] = {"ts": timestamp(at), "event": name}
        for key in keys:
            record[key] = _value(getattr(event, key))
        return [_encode(record)]

    def dropped(self, at: float, count: int) -> list[str]:
        """Return the line that says that `count` events were dropped because the reader was too slow."""
        return [_encode({"ts": timestamp(at), "event": "dropped", "count": count})]

    def _learn(self, kind: type[Any]) -> tuple[str, tuple[str, ...]]:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        shape = self._shapes[kind] = (name, tuple(field.name for field in fields(kind)))
        return shape


def timestamp(at: float) -> str:
    """Return `at` (seconds since the epoch) as ``2026-11-21T06:01:45.123Z``."""
    seconds, milliseconds = divmod(int(at * 1000), 1000)
    return f"{_utc_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=2)
def _utc_second(second: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))


def _value(value: object) -> object:
    if isinstance(value, bytes):
        return masked(value.decode("latin-1"))
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, ConfigChange):
        return {"what": value.what, "kind": value.kind, "detail": masked(value.detail)}
    return value
