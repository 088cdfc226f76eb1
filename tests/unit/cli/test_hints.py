"""When a hint is given, and when it has been given already."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from devproxy.cli import hints
from devproxy.cli.hints import FolderHint, may_shadow
from devproxy.config import from_arguments
from devproxy.config.environment import Variable
from devproxy.events import Event, Observer, Trouble, UpstreamState
from devproxy.platforms.holders import Holder

CONFIG = from_arguments(frontend="5173", backend="3001", backend_paths=[], listen=[])


class FakeGateway:
    """Keeps the observer."""

    def __init__(self) -> None:
        self.observer: Observer

    def observe(self, observer: Observer) -> FakeGateway:
        self.observer = observer
        return self

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("given", "is_so"),
    [
        ({"frontend": "1", "backend": "2"}, True),
        ({"frontend": "1", "backend": None, "environment": {"DEVPROXY_UPSTREAMS_BACKEND": Variable("2")}}, True),
        ({"frontend": "1", "backend": "2", "backend_paths": ["/api/"]}, False),
        ({"frontend": None, "backend": "2"}, False),
    ],
)
def test_only_the_default_may_take_api_routes_from_the_frontend(given: dict[str, Any], is_so: bool) -> None:
    assert may_shadow(from_arguments(**{"backend_paths": [], "listen": [], **given})) is is_so


async def test_another_folder_is_told_each_time_that_it_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shop", "shop-fix", "blog"):
        (tmp_path / name / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shop")
    holders = iter(
        Holder(pid, "node", str(tmp_path / name) if name else "")
        for pid, name in enumerate(["shop", "shop-fix", "shop-fix", "shop", "shop-fix", "", "blog"])
    )
    monkeypatch.setattr(hints, "holder_of", lambda port: next(holders))
    gateway, told = FakeGateway(), list[Event]()
    hint = FolderHint(gateway, lambda: CONFIG, told.append)  # type: ignore[arg-type]
    counts = []
    for is_up, address in [
        (True, "127.0.0.1:3001"),
        (False, ""),
        (True, "192.0.2.1:3001"),
        *[(True, "[::1]:3001")] * 6,
    ]:
        gateway.observer.tell(UpstreamState("backend", "http://localhost:3001", is_up, address))
        await asyncio.gather(*hint._tasks)
        counts.append(len(told))
    assert counts == [0, 0, 0, 1, 1, 1, 2, 2, 3]
    assert all(isinstance(event, Trouble) for event in told)
    hint.close()
