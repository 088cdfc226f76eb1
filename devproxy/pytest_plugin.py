"""Fixtures for pytest: a gateway in front of an ASGI application or a URL, stopped after the test.

    def test_items(devproxy_gateway):
        gateway = devproxy_gateway(app)
        assert httpx.get(f"{gateway.url}/api/items").status_code == 200

Installed with devproxy, pytest finds it itself. It imports devproxy only when a fixture is used, so that it costs
nothing where none is. Start at :func:`devproxy_gateway`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from devproxy.testing import RunningGateway

    GatewayFactory = Callable[..., RunningGateway]

MAX_LINES: Final = 50
"""Most events of a gateway that are shown with a test that failed."""

_RUNNING: Final = pytest.StashKey[list["RunningGateway"]]()


@pytest.fixture
def devproxy_gateway(request: pytest.FixtureRequest) -> Iterator[GatewayFactory]:
    """Start gateways for one test: ``devproxy_gateway(app_or_url, routes=…, upstreams=…, config=…, wants=…)``.

    Each call returns a :class:`devproxy.testing.gateway.RunningGateway`, with ``url`` and ``events``; what it takes is
    what :func:`devproxy.testing.gateway.running_gateway` takes. With a test that fails, what passed is shown.
    """
    running: list[RunningGateway] = []
    request.node.stash[_RUNNING] = running
    with ExitStack() as stack:
        yield _factory(stack, running)


@pytest.fixture(scope="session")
def devproxy_gateway_factory() -> Iterator[GatewayFactory]:
    """Start gateways that stay until the end of all tests: for fixtures of a wider scope than one test."""
    with ExitStack() as stack:
        yield _factory(stack, [])


def _factory(stack: ExitStack, running: list[RunningGateway]) -> GatewayFactory:
    def start(*args: object, **options: object) -> RunningGateway:
        from devproxy.testing import running_gateway

        gateway = stack.enter_context(running_gateway(*args, **options))  # type: ignore[arg-type]
        running.append(gateway)
        return gateway

    return start


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what passed through the gateways of a test that failed, and what the applications behind them raised."""
    if call.when == "call" and call.excinfo is not None:
        for gateway in item.stash.get(_RUNNING, []):
            item.add_report_section("call", f"devproxy at {gateway.url}", _told_by(gateway))
    return (yield)


def _told_by(gateway: RunningGateway) -> str:
    """Return a line for each exchange and what belongs to none, the last ones, and the tracebacks of applications."""
    from traceback import format_exception

    from devproxy.testing.telling import line_of

    lines = [line for event in gateway.events if (line := line_of(event))][-MAX_LINES:]
    lines += ["".join(format_exception(error)).rstrip() for error in gateway.app_errors[:3]]
    return "\n".join(lines)
