"""Dialling on a network that is a table: for each address, whether it takes a connection."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from devproxy.config.model import Scheme, ServerAddress
from devproxy.errors import UpstreamError, UpstreamFault
from devproxy.gateway.back import dial
from devproxy.gateway.back.dial import Dialler

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
SILENT = "silent"
THERE = "there"
Network = Mapping[str, Exception | str]


class Transport:
    def __init__(self, *names: str) -> None:
        self.names = dict(zip(("peername", "sockname"), names, strict=True))

    def get_extra_info(self, name: str) -> str:
        return self.names[name]

    def abort(self) -> None:
        """It was no server."""


class Loop:
    """Connects by the table. ``tried``: the addresses, in order."""

    def __init__(self, network: Network, names: tuple[str, ...] = ()) -> None:
        self.network = network
        self.names = names
        self.tried: list[str] = []
        self.create_task = asyncio.get_running_loop().create_task

    async def create_connection(
        self, factory: Callable[[], object], host: str, port: int, **_: object
    ) -> tuple[Transport, object]:
        self.tried.append(host)
        found = self.network[host]
        if isinstance(found, Exception):
            raise found
        if found is SILENT:
            await asyncio.Event().wait()
        return Transport(host, host if found == "itself" else "here"), factory()

    async def create_unix_connection(self, factory: Callable[[], object], path: str) -> None:
        await self.create_connection(factory, path, 0)

    async def getaddrinfo(self, host: str, port: int, **_: object) -> list[Any]:
        if not self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (name, port)) for name in self.names]


def dialler(loop: Loop, host: str = "localhost", *, timeout_s: float = 0.0) -> Dialler:
    server = ServerAddress(scheme=Scheme.HTTP, host=host, port=80, url=f"http://{host}")
    return Dialler(cast("Any", loop), server, timeout_s=timeout_s, tls=None)


async def test_the_address_that_answered_is_tried_first_the_next_time() -> None:
    loop = Loop({"127.0.0.1": THERE, "::1": REFUSED})
    made = dialler(loop)
    assert await made.dial(asyncio.Protocol) == "127.0.0.1:80"
    assert sorted(loop.tried) == ["127.0.0.1", "::1"]
    loop.tried.clear()
    await made.dial(asyncio.Protocol)
    assert loop.tried == ["127.0.0.1"]


async def test_where_nobody_answers_every_attempt_is_told_in_words() -> None:
    with pytest.raises(UpstreamError) as caught:
        await dialler(Loop({"127.0.0.1": REFUSED, "::1": REFUSED})).dial(asyncio.Protocol)
    assert caught.value.fault is UpstreamFault.REFUSED
    assert dict(caught.value.tried) == {"127.0.0.1:80": "connection refused", "[::1]:80": "connection refused"}


async def test_the_families_of_a_name_take_turns_without_repetitions() -> None:
    names = ("2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::1", "192.0.2.2")
    loop = Loop(dict.fromkeys(names, REFUSED), names)
    with pytest.raises(UpstreamError):
        await dialler(loop, "a.example").dial(asyncio.Protocol)
    assert loop.tried == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]


async def test_the_next_address_does_not_wait_for_a_silent_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "ATTEMPT_DELAY_S", 0.0)
    loop = Loop({"192.0.2.1": SILENT, "192.0.2.2": THERE}, ("192.0.2.1", "192.0.2.2"))
    assert await dialler(loop, "a.example").dial(asyncio.Protocol) == "192.0.2.2:80"


async def test_who_is_silent_for_too_long_is_given_up() -> None:
    with pytest.raises(UpstreamError) as caught:
        await dialler(Loop({"192.0.2.1": SILENT}), "192.0.2.1", timeout_s=0.01).dial(asyncio.Protocol)
    assert (caught.value.fault, caught.value.detail) == (UpstreamFault.CONNECT_TIMEOUT, "no answer within 0.01 s")


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ("itself", UpstreamFault.REFUSED),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), UpstreamFault.UNREACHABLE),
        (OSError(errno.ETIMEDOUT, "Timed out"), UpstreamFault.CONNECT_TIMEOUT),
        (OSError(errno.EMFILE, "Too many open files"), UpstreamFault.NO_DESCRIPTOR),
    ],
    ids=["connected to itself", "unreachable", "timed out by the system", "out of descriptors"],
)
async def test_a_failure_says_in_which_phase_it_was(found: Exception | str, fault: UpstreamFault) -> None:
    with pytest.raises(UpstreamError) as caught:
        await dialler(Loop({"192.0.2.1": found}), "192.0.2.1").dial(asyncio.Protocol)
    assert caught.value.fault is fault


async def test_a_name_that_nobody_knows_is_not_dialled() -> None:
    loop = Loop({})
    with pytest.raises(UpstreamError) as caught:
        await dialler(loop, "a.example").dial(asyncio.Protocol)
    assert (caught.value.fault, loop.tried) == (UpstreamFault.UNRESOLVED, [])


@pytest.mark.parametrize(("found", "is_there"), [(THERE, True), (FileNotFoundError(errno.ENOENT, "No"), False)])
async def test_a_socket_file_is_its_own_address(found: Exception | str, is_there: bool) -> None:
    server = ServerAddress(scheme=Scheme.UNIX, host="", port=0, url="unix:/a.sock", path="/a.sock")
    made = Dialler(cast("Any", Loop({"/a.sock": found})), server, timeout_s=0.0, tls=None)
    if is_there:
        assert await made.dial(asyncio.Protocol) == "/a.sock"
    else:
        with pytest.raises(UpstreamError) as caught:
            await made.dial(asyncio.Protocol)
        assert caught.value.tried == (("/a.sock", "no such socket file"),)
