"""Which event loops a test runs on: asyncio's own; for those marked ``both_loops`` on uvloop, too.

What is marked ``both_schemes`` runs with clients that speak plain HTTP and with those that speak TLS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop
from tests.support.jumping_clock import JumpingLoop
from tests.support.wire import IS_SECURE

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "both_loops: run on asyncio's own event loop and on uvloop")
    config.addinivalue_line("markers", "both_schemes: run with clients that speak plain HTTP, and TLS")
    config.addinivalue_line("markers", "jumping_clock: on asyncio's own loop, nobody waits for a time to come")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Return the event loops that `item` runs on (a hook of pytest-asyncio)."""
    own = JumpingLoop if item.get_closest_marker("jumping_clock") else asyncio.new_event_loop
    if item.get_closest_marker("both_loops") is None:
        return {"asyncio": own}
    return {"asyncio": own, "uvloop": uvloop.new_event_loop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what is marked so run with and without TLS."""
    if metafunc.definition.get_closest_marker("both_schemes") is not None:
        metafunc.fixturenames.append("scheme")
        metafunc.parametrize("scheme", ["http", "https"], indirect=True)


@pytest.fixture
def scheme(request: pytest.FixtureRequest) -> Iterator[str]:
    """The scheme by which the clients of a test come."""
    token = IS_SECURE.set(request.param == "https")
    yield request.param
    IS_SECURE.reset(token)
