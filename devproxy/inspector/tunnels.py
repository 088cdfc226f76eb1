"""What has passed through tunnels, as messages for the eye. Start at :class:`Tunnels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devproxy.events import TunnelData
    from devproxy.gateway.shared.capture import Budget
    from devproxy.inspector.rows import Row


class Tunnels:
    """The messages of each tunnel. `budget`: what is dropped is given back to it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def take(self, row: Row, at: float, data: TunnelData) -> list[Any]:
        """Take what passed, and return the messages that end with it."""
        self._budget.freed += len(data.data)
        return []
