from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from devproxy.platforms.private import bind
from devproxy.running import serving
from devproxy.running.asking import Running, running, running_with
from devproxy.running.serving import MAX_QUESTION_BYTES, RuntimeSocket

ABOUT: dict[str, Any] = {
    "pid": os.getpid(),
    "version": "1.2",
    "urls": ["http://localhost:8080/"],
    "folder": "/app",
    "source": "/app/devproxy.toml",
    "routes": ["/api/", "/"],
    "since_at": 1000.5,
}


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[str]:
    """The runtime folder, in which one devproxy is running."""
    place = str(tmp_path / "run")
    sock = RuntimeSocket({"about": lambda: ABOUT, "large": lambda: {"text": "x" * 200_000}}, folder=place)
    await sock.start()
    yield place
    sock.close()
    assert f"{os.getpid()}.sock" not in os.listdir(place)


async def found(folder: str) -> list[Running]:
    return await asyncio.to_thread(running, folder)


async def said(folder: str, question: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(f"{folder}/{os.getpid()}.sock")
    writer.write(question)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_running_devproxy_is_found_and_tells_what_it_is(folder: str) -> None:
    (one,) = await found(folder)
    assert (one.pid, one.urls, one.source) == (os.getpid(), ("http://localhost:8080/",), "/app/devproxy.toml")
    assert one.routes == ("/api/", "/")
    assert await asyncio.to_thread(one.ask, "large") == {"text": "x" * 200_000}


async def test_it_is_found_by_its_file(folder: str) -> None:
    one = await asyncio.to_thread(running_with, "/app/../app/devproxy.toml", folder)
    assert one is not None
    assert await asyncio.to_thread(running_with, "/other/devproxy.toml", folder) is None


async def test_only_its_user_can_reach_the_socket(folder: str) -> None:
    status = os.stat(f"{folder}/{os.getpid()}.sock")
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


@pytest.mark.parametrize(
    "question",
    [b"\n", b"[]\n", b"{\n", b'{"ask": 1}\n', b'{"ask": "what"}\n', b"[" * 3000 + b"\n", b"\xff\n"],
    ids=repr,
)
async def test_what_is_no_question_is_told_which_there_are(folder: str, question: bytes) -> None:
    assert await said(folder, question) == b'{"error": "unknown question", "known": ["about", "large"]}\n'


async def test_a_question_without_end_is_answered(folder: str) -> None:
    assert b"unknown question" in await said(folder, b"x" * (MAX_QUESTION_BYTES + 1))


async def test_a_program_that_never_asks_is_cut_off(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "QUESTION_S", 0.01)
    assert await said(folder, b"") == b""


async def test_an_unknown_question_is_an_error_to_who_asks(folder: str) -> None:
    (one,) = await found(folder)
    with pytest.raises(OSError, match="no answer to 'what'"):
        await asyncio.to_thread(one.ask, "what")


async def test_a_socket_whose_process_is_gone_is_removed_with_all_that_it_left(folder: str) -> None:
    for name in ("4000001.sock", "4000001.inspector.sock"):
        bind(name, folder=folder).close()
    assert [one.pid for one in await found(folder)] == [os.getpid()]
    assert os.listdir(folder) == [f"{os.getpid()}.sock"]


async def test_what_answers_something_else_is_passed_over(folder: str) -> None:
    server = await asyncio.start_unix_server(_garbage, f"{folder}/4000002.sock")
    async with server:
        assert [one.pid for one in await found(folder)] == [os.getpid()]


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b'{"pid": "x"}\n')
    writer.close()


def test_where_there_is_no_folder_none_is_running(tmp_path: Path) -> None:
    assert running(str(tmp_path / "none")) == []


def test_a_socket_of_an_earlier_process_with_the_same_number_is_replaced(tmp_path: Path) -> None:
    bind("1.sock", folder=str(tmp_path)).close()
    with bind("1.sock", folder=str(tmp_path)), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "1.sock"))
