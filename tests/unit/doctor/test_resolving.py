"""Names are resolved without waiting for a resolver that does not answer."""

from __future__ import annotations

import socket
import threading

import pytest
from devproxy.doctor.resolving import resolve


async def test_each_address_of_a_name_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert await resolve("app.test", 5.0) == ["10.0.0.1", "10.0.0.2"]


async def test_a_name_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match="not known"):
        await resolve("nowhere.invalid", 5.0)


async def test_a_resolver_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])
    with pytest.raises(TimeoutError):
        await resolve("app.test", 0.01)
    over.set()
