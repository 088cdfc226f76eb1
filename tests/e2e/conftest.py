"""The bench of the end-to-end tests: real servers and clients (Node, Python, Chromium) with a real devproxy between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.e2e import install
from tests.e2e.article import Stage, staged
from tests.e2e.harness import (
    ChatExample,
    Configured,
    RunClient,
    Server,
    StartGateway,
    StartServer,
    node_server,
    run_node,
)
from tests.support.gateway_process import GatewayProcess, one_origin


@pytest.fixture(scope="session", autouse=True)
def node_packages() -> None:
    try:
        for folder in install.FOLDERS:
            install.ensure(folder)
    except install.NotInstalled as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture
def own_server() -> Iterator[StartServer]:
    """A server for one test alone: to be killed, or to be asked what it saw."""
    with ExitStack() as running:

        def start(script: str, **settings: object) -> Server:
            return running.enter_context(node_server(script, settings))

        yield start


@pytest.fixture(scope="session")
def shared_server(node_packages: None) -> Iterator[StartServer]:
    """One server for each script and settings, for every test that only talks to it."""
    servers: dict[str, Server] = {}
    with ExitStack() as running:

        def start(script: str, **settings: object) -> Server:
            key = json.dumps([script, settings], sort_keys=True)
            if key not in servers:
                servers[key] = running.enter_context(node_server(script, settings))
            return servers[key]

        yield start


@pytest.fixture
def devproxy() -> Iterator[StartGateway]:
    """A devproxy for one test. When the test is over it must end with 0 and have had no trouble."""
    with ExitStack() as running:

        def start(
            *arguments: str | Path,
            frontend: str = "",
            backend: str = "",
            backend_paths: tuple[str, ...] = (),
            cwd: Path | None = None,
        ) -> GatewayProcess:
            simple = one_origin(frontend=frontend, backend=backend, backend_paths=backend_paths)
            gateway = GatewayProcess(*simple, *arguments, cwd=cwd)
            running.callback(gateway.stop)
            return gateway

        yield start


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    """One devproxy for each text of a ``devproxy.toml``, for all tests of a module, with the rules of ``devproxy``."""
    running: dict[str, GatewayProcess] = {}
    with ExitStack() as at_the_end:

        def start(toml: str) -> GatewayProcess:
            if toml not in running:
                file = tmp_path_factory.mktemp("project") / "devproxy.toml"
                file.write_text(toml)
                running[toml] = GatewayProcess("--config", file)
                at_the_end.callback(running[toml].stop)
            return running[toml]

        yield start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(node_packages: None, shared_gateway: Configured) -> AsyncIterator[Stage]:
    """The article's backends and Chromium, for all tests of a module. The browser ends before what it talks to."""
    async with staged(shared_gateway) as running:
        yield running


@pytest.fixture
def node_client() -> RunClient:
    def run(script: str, **settings: object) -> Any:
        return run_node("clients", script, settings)

    return run


@pytest.fixture(scope="session")
def chat_example(node_packages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatExample]:
    """The example, running; shared, because nothing that a test does to it matters to another."""
    with ChatExample(tmp_path_factory.mktemp("example") / "chat") as running:
        yield running
