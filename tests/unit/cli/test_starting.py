"""Which port is taken instead of one that is not free."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from devproxy import config
from devproxy.cli import starting
from devproxy.config.model import Listen
from devproxy.errors import BindError


def test_the_next_port_is_one_that_is_free_and_of_no_server_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def bind(listens: Sequence[Listen]) -> list[socket.socket]:
        [listen] = listens
        tried.append(listen.port)
        if listen.port < 3003:
            raise BindError(f"127.0.0.1:{listen.port}", "the port is taken")
        return []

    monkeypatch.setattr(starting, "bind", bind)
    known = config.from_arguments(frontend="3003", backend="3001", backend_paths=(), listen=("3000",))
    assert starting._next_free(known) == ([Listen(host="localhost", port=3004)], [])
    assert tried == [3002, 3004]


def test_there_is_no_port_after_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "bind", lambda _: pytest.fail("there is none to bind"))
    known = config.from_arguments(frontend="3003", backend=None, backend_paths=(), listen=("65535",))
    assert starting._next_free(known) == ([], [])
