"""Tests run several at a time (`make test`); those that measure have the machine to themselves.

A test marked ``alone`` measures time or memory: while it runs, no other test does. Every other test only needs that it
is not in the way of one: tests choose no ports, share no files and wait for conditions.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO

import pytest
from tests.support.ids import readable_id

MOST_PROCESSORS = 8
"""Each process collects all tests, which takes some seconds: more of them would gain nothing."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known. What programs print has the width that they find, not that of the runner's terminal.

    Bytecode is kept even where the environment says otherwise: some hundred programs start with the same modules, and
    each process of the runner imports every test.
    """
    os.environ.pop("COLUMNS", None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    config.addinivalue_line("markers", "alone: measures time or memory, so nothing runs beside it")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` starts: tests wait for other programs half of their time and more."""
    return 2 * min(os.cpu_count() or 1, MOST_PROCESSORS)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by its values, on one line, where its table gives it no name."""
    return readable_id(val)


def _turns(config: pytest.Config) -> Path:
    """Return the folder of the locks: one for all processes, with pytest's cache or without (`-p no:cacheprovider`)."""
    cache = getattr(config, "cache", None)
    folder = config.rootpath / ".pytest_cache" / "d" / "turns" if cache is None else Path(cache.mkdir("turns"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class _Turn:
    """A process's place among those that run tests: with the others, or, for tests marked ``alone``, without."""

    def __init__(self) -> None:
        self._room: IO[str] | None = None

    def begin(self, folder: Path, *, is_alone: bool) -> None:
        """Wait for the place. Waiting for it is outside the time limit of a test."""
        if self._room is not None:
            return  # kept since the test before
        self._room = (folder / "room").open("w")
        with (folder / "entrance").open("w") as entrance:
            fcntl.flock(entrance, fcntl.LOCK_EX)  # who waits for an empty room lets nobody else in
            fcntl.flock(self._room, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)

    def end(self) -> None:
        """Let others in."""
        assert self._room is not None
        self._room.close()
        self._room = None


_turn = _Turn()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Give `item` its turn among the tests of all processes. Tests in a row that run alone empty the room once."""
    is_alone = _is_alone(item)
    _turn.begin(_turns(item.config), is_alone=is_alone)
    try:
        return (yield)
    finally:
        if not (is_alone and nextitem is not None and _is_alone(nextitem)):
            _turn.end()


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
