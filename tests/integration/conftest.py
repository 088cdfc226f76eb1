"""Which event loops a test runs on: asyncio's own; for those marked ``both_loops`` on uvloop, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop
from tests.support.jumping_clock import JumpingLoop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "both_loops: run on asyncio's own event loop and on uvloop")
    config.addinivalue_line("markers", "jumping_clock: on asyncio's own loop, nobody waits for a time to come")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Return the event loops that `item` runs on (a hook of pytest-asyncio)."""
    own = JumpingLoop if item.get_closest_marker("jumping_clock") else asyncio.new_event_loop
    if item.get_closest_marker("both_loops") is None:
        return {"asyncio": own}
    return {"asyncio": own, "uvloop": uvloop.new_event_loop}
