"""How far an exchange has come, in the words of RFC 9110. Owns the names alone; the exchange moves between them."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """How far an exchange has come."""

    PLANNED = auto()
    """No connection to an upstream yet."""
    AWAITING_RESPONSE = auto()
    """The request head is out."""
    RELAYING = auto()
    """The response head is out; its body follows."""
    OVER = auto()
