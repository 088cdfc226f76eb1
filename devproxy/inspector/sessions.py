"""Engine.IO sessions, put together from exchanges and messages. Start at :class:`Sessions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devproxy.inspector.rows import Row


class Sessions:
    """Sessions by their ids."""

    def take_row(self, row: Row, now: float) -> None:
        """Take an exchange that has ended."""

    def take_message(self, row: Row, message: Any) -> None:
        """Take a message of a tunnel."""
