"""The named pipe of Windows, over Unix sockets: the keys, the note, and what a stranger gets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from devproxy.platforms import pipes
from devproxy.platforms.pipes import PipeEndpoint, ask, new_note, read_note

QUESTION, ANSWER = b'{"ask": "about"}\n', b"x" * 100_000

FOREIGN = {"name": "\\\\server\\pipe\\devproxy-1", "asks": "1", "answers": "2"}


class Answering(asyncio.Protocol):
    """Answers each line."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert data == QUESTION
        self.transport.write(ANSWER)
        self.transport.close()


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets are that stand for pipes."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="dp") as folder:

        def opened(name: str, *_: object, **__: object) -> Any:
            if not name.startswith("\\\\.\\pipe\\"):
                return open(name, "rb")
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(place(Path(folder), name))
                return sock.makefile("rwb", buffering=0)

        monkeypatch.setattr(pipes, "open", opened, raising=False)
        yield Path(folder)


def place(folder: Path, name: str) -> str:
    return str(folder / name.rpartition("\\")[2])


@pytest.fixture
async def endpoint(sockets: Path, tmp_path: Path) -> AsyncIterator[PipeEndpoint]:
    one = PipeEndpoint("4242", str(tmp_path / "run"))
    await listen(sockets)
    await one.serve(Answering)
    yield one
    one.close()
    await asyncio.sleep(0.01)  # what was cut off is closed in the next turns


async def listen(sockets: Path) -> None:
    """Give the running loop what the one of Windows has."""
    loop = asyncio.get_running_loop()

    async def start_serving_pipe(factory: Callable[[], asyncio.Protocol], name: str) -> list[Any]:
        return [await loop.create_unix_server(factory, place(sockets, name))]

    loop.start_serving_pipe = start_serving_pipe  # type: ignore[attr-defined]


def orphaned(endpoint: PipeEndpoint, sockets: Path) -> str:
    """Leave what a devproxy leaves that is gone without a word: the note. Returns where its pipe was."""
    note = Path(endpoint.path).read_bytes()
    endpoint.close()
    Path(endpoint.path).write_bytes(note)
    gone = place(sockets, read_note(endpoint.path).name)
    Path(gone).unlink(missing_ok=True)  # asyncio does that itself from 3.13 on
    return gone


async def asked(path: str) -> bytes:
    return await asyncio.to_thread(ask, path, QUESTION, 2.0, len(ANSWER))


async def test_who_has_read_the_note_gets_the_answer(endpoint: PipeEndpoint) -> None:
    assert await asked(endpoint.path) == ANSWER


async def test_the_note_is_gone_with_the_pipe(endpoint: PipeEndpoint) -> None:
    assert os.stat(endpoint.path).st_mode & 0o777 == 0o600
    endpoint.close()
    with pytest.raises(FileNotFoundError):
        await asked(endpoint.path)


@pytest.mark.parametrize(
    "said",
    [b"\n", QUESTION, b"0" * 64 + b"\n" + QUESTION, b"\xff" * 65, b"%(asks)s!" + QUESTION, b"x"],
    ids=["nothing", "a question", "another key", "noise", "a key without its end", "one byte"],
)
async def test_a_stranger_is_told_nothing(endpoint: PipeEndpoint, sockets: Path, said: bytes) -> None:
    note = read_note(endpoint.path)
    reader, writer = await asyncio.open_unix_connection(place(sockets, note.name))
    writer.write(said.replace(b"%(asks)s", note.asks.encode()))
    assert await reader.read() == b""
    writer.close()


async def test_one_that_says_nothing_is_cut_off(
    endpoint: PipeEndpoint, sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "_KEY_S", 0.01)
    reader, writer = await asyncio.open_unix_connection(place(sockets, read_note(endpoint.path).name))
    assert await reader.read() == b""
    writer.close()


async def test_a_key_may_come_in_pieces(endpoint: PipeEndpoint, sockets: Path) -> None:
    note = read_note(endpoint.path)
    reader, writer = await asyncio.open_unix_connection(place(sockets, note.name))
    for octet in note.asks.encode():
        writer.write(bytes((octet,)))
        await asyncio.sleep(0)
    writer.write(b"\n" + QUESTION)
    assert await reader.read() == note.answers.encode() + b"\n" + ANSWER
    writer.close()


async def test_a_program_that_took_the_name_over_is_not_believed(endpoint: PipeEndpoint, sockets: Path) -> None:
    gone = orphaned(endpoint, sockets)

    class Impostor(Answering):
        def data_received(self, data: bytes) -> None:
            self.transport.write(data)
            self.transport.close()

    impostor = await asyncio.get_running_loop().create_unix_server(Impostor, gone)
    with pytest.raises(PermissionError, match="another program"):
        await asked(endpoint.path)
    impostor.close()


async def test_a_pipe_that_is_gone_is_a_refusal(endpoint: PipeEndpoint, sockets: Path) -> None:
    orphaned(endpoint, sockets)
    with pytest.raises(ConnectionRefusedError):
        await asked(endpoint.path)


async def test_a_pipe_that_is_busy_is_asked_again(endpoint: PipeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, attempts = vars(pipes)["open"], []

    def busy(name: str, *arguments: object, **others: object) -> Any:
        if name.startswith("\\\\"):
            attempts.append(name)
            if len(attempts) < 3:
                error = OSError(22, "All pipe instances are busy")
                error.winerror = 231  # type: ignore[attr-defined]
                raise error
        return opened(name, *arguments, **others)

    monkeypatch.setattr(pipes, "open", busy)
    assert await asked(endpoint.path) == ANSWER
    assert len(attempts) == 3


async def test_an_answer_that_is_too_long_is_none(endpoint: PipeEndpoint) -> None:
    with pytest.raises(OSError, match="too long"):
        await asyncio.to_thread(ask, endpoint.path, QUESTION, 2.0, len(ANSWER) - 1)


async def test_one_that_never_answers_is_given_up(sockets: Path, tmp_path: Path) -> None:
    silent: list[Any] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            silent.append(transport)

    one = PipeEndpoint("1", str(tmp_path))
    await listen(sockets)
    await one.serve(Silent)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(ask, one.path, QUESTION, 0.2, 1000)
    one.close()
    silent[0].abort()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"name": 1}', json.dumps(FOREIGN)],
    ids=["nothing", "an empty table", "a list", "one line", "a pipe of another machine"],
)
def test_what_is_no_note_of_this_machine_is_not_followed(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.pipe").write_text(text)
    with pytest.raises(OSError, match=r"no note of a pipe|names no pipe of devproxy"):
        read_note(str(tmp_path / "1.pipe"))


def test_no_two_notes_are_alike() -> None:
    notes = [new_note() for _ in range(100)]
    assert len({word for note in notes for word in note}) == 300
