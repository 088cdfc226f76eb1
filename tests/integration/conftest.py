"""How a test runs: on which event loops, and how its clients come.

A test runs on asyncio's own loop; one that is marked ``both_loops`` on uvloop, too. What is marked ``both_schemes``
runs with clients that speak plain HTTP and with those that speak TLS. What is marked ``both_versions`` runs by HTTP/1.1
and by HTTP/2 (:mod:`tests.support.http2_wire`), the latter on one of the loops and, where schemes differ, over TLS. Of
such a file, a test or a case is marked ``http1_only`` with the reason if it is about what HTTP/2 does not have.

Files about what happens to a request are marked so; ``tests/architecture/test_harness.py`` has a list of those that are
not, with the reasons.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop
from tests.support.http2_wire import Http2Wire, SpellingWire
from tests.support.jumping_clock import JumpingLoop
from tests.support.wire import WAY

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "both_loops: run on asyncio's own event loop and on uvloop")
    config.addinivalue_line("markers", "both_schemes: run with clients that speak plain HTTP, and TLS")
    config.addinivalue_line("markers", "both_versions: run with clients that speak HTTP/1.1, and HTTP/2")
    config.addinivalue_line("markers", "http1_only(reason): a test or a case of such a file that HTTP/2 does not have")
    config.addinivalue_line("markers", "jumping_clock: on asyncio's own loop, nobody waits for a time to come")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Return the event loops that `item` runs on (a hook of pytest-asyncio)."""
    own = JumpingLoop if item.get_closest_marker("jumping_clock") else asyncio.new_event_loop
    if item.get_closest_marker("both_loops") is None:
        return {"asyncio": own}
    return {"asyncio": own, "uvloop": uvloop.new_event_loop}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Have what is marked so run with and without TLS, and by either version of HTTP."""
    has = metafunc.definition.get_closest_marker
    schemes = ["http", "https"] if has("both_schemes") else ["http"]
    if has("both_versions") and not has("http1_only"):
        schemes.append("https-http2" if len(schemes) > 1 else "http2")
    if len(schemes) > 1:
        metafunc.parametrize("way", schemes, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what HTTP/2 does not have, and let HTTP/2 run on one loop: the one that is the quicker for the test."""
    left_out = [item for item in items if _is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_left_out(item: pytest.Item) -> bool:
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if not str(params.get("way", "")).endswith("http2"):
        return False
    if item.get_closest_marker("http1_only"):
        return True
    loop = "asyncio" if item.get_closest_marker("jumping_clock") else "uvloop"
    return item.get_closest_marker("both_loops") is not None and loop not in item.name


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the clients of a test come: by which scheme, and by which version of HTTP."""
    way = getattr(request, "param", "http")
    WAY.is_secure = way.startswith("https")
    if way.endswith("http2"):
        WAY.client, WAY.server = Http2Wire, SpellingWire
    yield way
    WAY.is_secure, WAY.client, WAY.server = False, None, None
