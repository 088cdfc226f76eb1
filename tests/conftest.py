"""Tests run two at a time (`make test`); those that measure have the machine to themselves.

A test marked ``alone`` measures time or memory: while it runs, no other test does. Every other test only needs that it
is not in the way of one: tests choose no ports, share no files and wait for conditions.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.support.ids import readable_id


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known. What programs print has the width that they find, not that of the runner's terminal."""
    os.environ.pop("COLUMNS", None)
    config.addinivalue_line("markers", "alone: measures time or memory, so nothing runs beside it")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by its values, on one line, where its table gives it no name."""
    return readable_id(val)


def _turns(config: pytest.Config) -> Path:
    """Return the folder of the locks: one for all processes, with pytest's cache or without (`-p no:cacheprovider`)."""
    cache = getattr(config, "cache", None)
    folder = config.rootpath / ".pytest_cache" / "d" / "turns" if cache is None else Path(cache.mkdir("turns"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give `item` its turn among the tests of all processes. Waiting for it is outside the time limit of a test."""
    folder = _turns(item.config)
    how = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with (folder / "entrance").open("w") as entrance, (folder / "room").open("w") as room:
        fcntl.flock(entrance, fcntl.LOCK_EX)  # who waits for an empty room lets nobody else in
        fcntl.flock(room, how)
        fcntl.flock(entrance, fcntl.LOCK_UN)
        return (yield)
