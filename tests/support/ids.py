"""What a case is called when its table gives it no name: text as a line, a setting as what is special about it."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from enum import Enum

MOST = 60
"""Characters of a name. Cases whose names are cut alike are told apart by the numbers that pytest adds."""


def readable_id(value: object) -> str | None:
    """Return a name for `value`, or None where pytest's own does."""
    if isinstance(value, bytes):
        return _line(value.decode("latin-1"))
    if isinstance(value, str):
        return _line(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _line(", ".join(_special(value)) or "default")
    return None


def _special(value: object) -> list[str]:
    assert is_dataclass(value)
    named = [(field, getattr(value, field.name)) for field in fields(value)]
    return [f"{field.name}={_word(own)}" for field, own in named if field.default is MISSING or field.default != own]


def _word(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _line(text: str) -> str:
    lines = " | ".join(line for line in text.replace("\r\n", "\n").split("\n") if line.strip()) or f"{text!r}"
    lines = "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in lines)
    return lines if len(lines) <= MOST else f"{lines[: MOST // 2]}...{lines[-MOST // 3 :]}"
